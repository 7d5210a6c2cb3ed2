"""The audit page: events and their details, exports, the signed log, legal holds, and which answers used a document."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.browser.test_accessible import violations
from tests.browser.walk import Page, Platform, add_document, ask, enter, expect, overflow

QUESTION = "How many days of leave does everybody have?"
EXPORTS = [("JSON Lines", '"action":"question.ask"'), ("CSV", ",question.ask,"), ("OCSF", '"class_uid":6003')]


def saved_by(page: Page, button: str) -> tuple[str, str]:
    """The name and the content of the file that a button saves."""
    with page.expect_download() as saved:
        page.get_by_role("button", name=button).click()
    return saved.value.suggested_filename, Path(saved.value.path()).read_text()


def test_an_auditor_follows_an_answer_to_its_document_and_back(page: Page, platform: Platform) -> None:
    """From the filtered list to an event, the question's record, and the document's answers; exports; a hold."""
    kb = enter(page, platform)
    add_document(page, "leave.txt", "Everybody has thirty days of leave in a year, and takes ten of them in summer.")
    ask(page, QUESTION)
    page.locator("#audit-link").click()
    page.get_by_label("Knowledge base", exact=True).first.fill(kb)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(re.compile(rf"#/audit\?kb={kb}$"))
    events = page.locator(".audit-events > li")
    expect(events.filter(has_text="uploaded the document “leave.txt”")).to_have_count(1)
    assert "{" not in page.locator(".audit-events").inner_text()
    assert violations(page) == []

    asked = events.filter(has_text="asked a question")
    asked.locator("summary").click()
    expect(asked.locator("dd").filter(has_text="question.ask")).to_be_visible()
    for label, check in (
        ("JSON Lines", '"action":"question.ask"'),
        ("CSV", ",question.ask,"),
        ("OCSF", '"class_uid":6003'),
    ):
        content = saved_by(page, label)[1]
        assert check in content
        if label != "CSV":
            assert all(json.loads(line) for line in content.splitlines())

    asked.get_by_role("link", name="Record of the question").click()
    expect(page.get_by_role("heading", name="Record of a question")).to_be_visible()
    expect(page.locator(".audit-facts")).to_contain_text(QUESTION)
    page.route("**/api/v1/audit/questions/*/proof", lambda route: route.fulfill(body="a proof"))  # signed in a minute
    name, content = saved_by(page, "Proof for others")
    assert (re.fullmatch(r"proof-[0-9a-f]{32}\.json", name) is not None, content) == (True, "a proof")
    page.get_by_role("link", name="Which answers used this").first.click()
    expect(page.locator(".audit-use")).to_have_count(1)
    expect(page.locator("#view-audit")).to_contain_text("passages of “leave.txt”")
    assert violations(page) == []

    page.get_by_role("link", name="All events").click()
    expect(page.get_by_role("heading", name="Signed log")).to_be_visible()
    page.route("**/api/v1/audit/log/export", lambda route: route.fulfill(body="a log"))
    assert saved_by(page, "Export the whole log") == ("audit-log.jsonl", "a log")
    page.get_by_text("New hold").click()
    page.locator(".audit-card select").select_option(kb)
    page.locator(".audit-card").get_by_label("Reason").fill("Case 4711")
    page.get_by_role("button", name="Set hold").click()
    held = page.locator(".audit-holds > li").filter(has_text=kb)
    expect(held).to_contain_text("Case 4711")
    held.get_by_role("button").click()
    page.locator("#prompt-text").fill("Closed")
    page.get_by_role("button", name="Save").click()
    expect(held).to_have_count(0)

    page.get_by_role("button", name="中文").click()
    page.set_viewport_size({"width": 320, "height": 700})
    page.get_by_label("操作", exact=True).fill("nothing.such")
    page.get_by_role("button", name="查询").click()
    expect(page.locator(".audit-filter .problem")).to_be_visible()
    page.get_by_role("button", name="清除").click()
    expect(page.locator(".audit-events")).to_contain_text(f"解除了知识库“{kb}”的诉讼保全")
    assert overflow(page) <= 0
    assert violations(page) == []
    page.set_viewport_size({"width": 1280, "height": 900})
