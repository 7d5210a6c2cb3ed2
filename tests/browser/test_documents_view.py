"""The documents view with more documents than a test would upload: a mocked list, by the API's contract."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.browser.walk import Page, Platform, add_document, enter, expect, languages, overflow

STATES = ["ready", "ready", "failed"]


def item(n: int) -> dict[str, Any]:
    fields = {"version": 1 + n % 3, "live_version": 1, "chunks": n, "pages": n % 7 or None, "bytes": 1000 * n}
    fields |= {"media_type": "text/plain", "updated_at": "2026-01-02T03:04:05Z", "reason": None, "stage": "publish"}
    fields |= {"remarks": [{"kind": "pictures", "count": n, "text": f"pictures without text: {n}"}] if n == 7 else []}
    fields |= {"tags": ["policy"] if n % 10 == 0 else [], "stage_number": 5, "done": 0, "total": None, "attempt": 1}
    return {"id": f"{n:032x}", "name": f"report {n:04} of the harbour office.txt", "state": STATES[n % 3], **fields}


def thousand(page: Page) -> list[dict[str, list[str]]]:
    """Mock a list of a thousand documents; returns the queries that arrive."""
    queries: list[dict[str, list[str]]] = []
    everything = [item(n) for n in range(1000, 0, -1)]

    def listed(route: Any) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        queries.append(query)
        words = query.get("search", [""])[0].lower().split()
        found = [each for each in everything if all(word in each["name"] for word in words)]
        found = [each for each in found if query.get("tag", [""])[0] in ("", *each["tags"])]
        counts = {state: [each["state"] for each in found].count(state) for state in set(STATES)}
        wanted = [each for each in found if query.get("state", [each["state"]])[0] == each["state"]]
        if query.get("sort") == ["name"]:
            wanted.sort(key=lambda each: each["name"], reverse=query["order"] == ["desc"])
        start = int(query.get("cursor", ["0"])[0])
        end = start + int(query["limit"][0])
        more = str(end) if len(wanted) > end else None
        shown = counts | {"total": len(found)} if "counts" in query else None
        route.fulfill(json={"items": wanted[start:end], "next_cursor": more, "counts": shown})

    page.route("**/api/v1/knowledge-bases/*/documents?*", listed)
    counts = {"total": 1000, "ready": 667, "failed": 333}
    page.route(
        "**/api/v1/knowledge-bases/page-*",
        lambda route: route.fulfill(
            json={"name": "harbour", "title": "Harbour", "documents": counts, "role": "manager"}
        ),
    )
    page.reload()
    expect(page.locator(".doc")).to_have_count(50)
    return queries


@languages
def test_a_thousand_documents_are_paged_and_found(page: Page, platform: Platform, language: str) -> None:
    """Fifty at first; a name deep in the list, a state and a tag each select theirs; nothing is too wide."""
    enter(page, platform, language)
    queries = thousand(page)
    more = page.get_by_role("button", name="Show more documents" if language == "en" else "显示更多文档")
    more.click()
    expect(page.locator(".doc").nth(149)).to_be_attached()
    search = page.locator("#docs-search")
    search.fill("HARBOUR 0007")
    expect(page.locator(".doc")).to_have_count(1)
    expect(page.locator(".doc-name")).to_have_text("report 0007 of the harbour office.txt")
    what = "Read, but for: pictures" if language == "en" else "已读取，但有：pictures"
    expect(page.locator(".doc-reason")).to_contain_text(f"{what} without text: 7")
    search.fill("no such name")
    expect(page.locator("#docs-none")).to_be_visible()
    search.fill("")
    expect(page.locator(".doc")).to_have_count(50)
    failed = page.locator("#docs-states").get_by_role("button", name="Failed 333" if language == "en" else "失败 333")
    failed.click()
    expect(page.locator('.doc[data-state="failed"]')).to_have_count(50)
    expect(page.locator(".doc")).to_have_count(50)
    expect(failed).to_have_attribute("aria-pressed", "true")
    assert queries[-1]["state"] == ["failed"]
    page.locator("#docs-states button").first.click()
    page.locator("#docs-tag").select_option("policy")
    expect(page.locator(".doc").first).to_contain_text("policy")
    expect(page.locator(".doc").filter(has_not_text="policy")).to_have_count(0)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert overflow(page) <= 0


def test_the_filter_and_the_order_are_in_the_address(page: Page, platform: Platform) -> None:
    """Back and forward go through them, a reload keeps them, and a column is sorted both ways."""
    enter(page, platform)
    queries = thousand(page)
    first = page.locator(".doc-name").first
    page.locator("#docs-search").fill("report 00")
    expect(page.locator("#docs-states button").first).to_have_text("All 109")
    page.locator('#docs-states [data-state="failed"]').click()
    expect(page.locator("#docs-states button").nth(1)).to_have_attribute("aria-pressed", "true")
    name = page.locator('.docs-head [data-sort="name"]')
    name.click()
    expect(first).to_contain_text("report 0002")
    name.click()
    expect(first).to_contain_text("report 0800")
    expect(name).to_have_attribute("aria-label", "Name: sorted downwards")
    expect(page).to_have_url(re.compile(r"/documents\?state=failed&search=report\+00&sort=name&order=desc$"))
    page.reload()
    expect(first).to_contain_text("report 0800")
    assert (queries[-1]["order"], queries[-1]["state"]) == (["desc"], ["failed"])
    page.go_back()
    expect(first).to_contain_text("report 0002")
    page.go_back()
    page.go_back()
    expect(page.locator("#docs-states button").first).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#docs-search")).to_have_value("report 00")
    page.go_forward()
    expect(page.locator('.doc[data-state="failed"]').first).to_be_visible()
    page.get_by_role("link", name="New conversation").click()
    page.locator("#side-documents").click()
    expect(page.locator("#docs-search")).to_have_value("report 00")


def test_documents_are_selected_one_by_one_in_ranges_and_all(page: Page, platform: Platform) -> None:
    """Also those that are not loaded: they are named by the filter, with the number that was confirmed."""
    enter(page, platform)
    thousand(page)
    asked: list[dict[str, Any]] = []

    def bulk(route: Any) -> None:
        if route.request.method == "POST":
            asked.append(route.request.post_data_json)
            route.fulfill(status=409, json={"detail": "334 documents match by now.", "code": "selection-changed"},
                          content_type="application/problem+json")  # fmt: skip
        else:
            route.fulfill(json={"items": [], "next_cursor": None})

    page.route("**/api/v1/knowledge-bases/*/documents/bulk*", bulk)
    boxes, count = page.locator(".doc .doc-check"), page.locator("#docs-selected-count")
    boxes.nth(2).click()
    boxes.nth(6).click(modifiers=["Shift"])
    expect(count).to_have_text("5 selected")
    boxes.nth(4).uncheck()
    expect(count).to_have_text("4 selected")
    page.locator('#docs-states [data-state="failed"]').click()
    expect(count).to_be_hidden()
    page.get_by_label("Select all that are shown").first.check()
    expect(count).to_have_text(re.compile(r"(50|150) selected"))
    page.get_by_role("button", name="Select all 333").click()
    expect(count).to_have_text("All 333 that match selected")
    page.get_by_role("button", name="Delete 333 selected").click()
    expect(page.locator("#confirm")).to_contain_text("Delete 333 documents?")
    page.get_by_role("button", name="Keep them").click()
    assert asked == []
    page.get_by_role("button", name="Delete 333 selected").click()
    page.locator("#confirm").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("alert")).to_contain_text("334 documents match by now.")
    assert asked == [{"action": "delete", "filter": {"state": "failed"}, "expected": 333}]


def test_a_reader_changes_nothing(page: Page, platform: Platform) -> None:
    """Neither files, nor boxes to select, nor settings."""
    enter(page, platform)
    thousand(page)
    shown = {"name": "harbour", "title": "Harbour", "documents": {"total": 1000, "ready": 1000}, "role": "reader"}
    page.route("**/api/v1/knowledge-bases/page-*", lambda route: route.fulfill(json=shown))
    page.reload()
    expect(page.locator(".doc")).to_have_count(50)
    for hidden in ("#drop", "#side-settings", ".doc .doc-check >> nth=0", "#docs-check-all"):
        expect(page.locator(hidden)).to_be_hidden()
    page.get_by_role("button", name="Actions for report 1000").click()
    expect(page.get_by_role("menuitem")).to_have_text(["Show passages", "Open the original"])


def test_the_passages_of_a_document_are_read_from_its_row(page: Page, platform: Platform) -> None:
    """In order, more of them on demand, with the file itself; Escape returns to the row."""
    enter(page, platform)
    chapters = "\n\n".join(f"# Chapter {n}\n\n" + f"The keeper of light {n} sees ship {n}. " * 30 for n in range(30))
    add_document(page, "light-houses.md", chapters)
    name = page.get_by_role("button", name="light-houses.md", exact=True)
    name.click()
    panel = page.get_by_role("dialog", name="light-houses.md")
    expect(panel.locator(".passage").first).to_contain_text("keeper of light 0")
    expect(panel.locator(".passage")).to_have_count(20)
    panel.get_by_role("button", name="Later passages").click()
    expect(panel.locator(".passage").nth(20)).to_be_focused()
    assert panel.locator(".passage").count() > 20
    expect(panel.get_by_role("button", name="Open the original")).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(name).to_be_focused()


@languages
def test_a_document_is_deleted_from_its_menu_after_a_confirmation(
    page: Page, platform: Platform, language: str
) -> None:
    """The keyboard operates the menu; Keep leaves the document there, Delete removes it."""
    enter(page, platform, language)
    add_document(page, "short-lived.txt", "The lighthouse keeper counts the ships that pass at night.")
    menu = page.get_by_role("button", name=re.compile("Actions for short-lived.txt|“short-lived.txt”的操作"))
    delete, keep = ("Delete", "Keep it") if language == "en" else ("删除", "保留")
    for answer in (keep, delete):
        menu.focus()
        page.keyboard.press("Enter")
        page.keyboard.press("End")
        expect(page.get_by_role("menuitem", name=delete)).to_be_focused()
        page.keyboard.press("Enter")
        page.locator("#confirm").get_by_role("button", name=answer).click()
        expect(page.locator(".doc")).to_have_count(1 if answer == keep else 0)
    expect(page.locator("#docs-empty")).to_be_visible()
