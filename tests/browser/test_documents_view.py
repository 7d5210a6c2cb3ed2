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

    def listed(route: Any) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        queries.append(query)
        limit, state, cursor = int(query["limit"][0]), query.get("state"), query.get("cursor")
        wanted = [each for each in map(item, range(1000, 0, -1)) if not state or each["state"] == state[0]]
        wanted = [each for each in wanted if not cursor or each["id"] < cursor[0]]
        more = wanted[limit - 1]["id"] if len(wanted) > limit else None
        route.fulfill(json={"items": wanted[:limit], "next_cursor": more})

    page.route("**/api/v1/knowledge-bases/*/documents?*", listed)
    counts = {"total": 1000, "ready": 667, "failed": 333}
    page.route(
        "**/api/v1/knowledge-bases/page-*",
        lambda route: route.fulfill(json={"name": "harbour", "title": "Harbour", "documents": counts}),
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
    expect(page.locator(".doc")).to_have_count(100)
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
    page.locator("#docs-state").select_option("failed")
    expect(page.locator('.doc[data-state="failed"]')).to_have_count(50)
    expect(page.locator(".doc")).to_have_count(50)
    assert queries[-1]["state"] == ["failed"]
    page.locator("#docs-state").select_option("")
    page.locator("#docs-tag").select_option("policy")
    expect(page.locator(".doc").first).to_contain_text("policy")
    expect(page.locator(".doc").filter(has_not_text="policy")).to_have_count(0)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert overflow(page) <= 0


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
