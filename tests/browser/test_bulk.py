"""Many documents at once, and uploads in the background, in a real browser against the real platform."""

from __future__ import annotations

from typing import Any

from tests.browser.walk import READY_MS, Page, Platform, becomes_true, enter, expect, file, languages

WORDS = {
    "en": {
        "selected": "3 selected",
        "add": "Add a tag",
        "tagged": "3 tagged “sea”",
        "delete": "Delete 2 selected",
        "sure": "Delete 2 documents?",
        "deleted": "2 deleted",
        "unchanged": "Unchanged: v1 is already here.",
        "out": "Does not match the filter.",
    },
    "zh": {
        "selected": "已选 3 个",
        "add": "添加标签",
        "tagged": "已为 3 个添加“sea”",
        "delete": "删除所选 2 个",
        "sure": "删除 2 个文档？",
        "deleted": "已删除 2 个",
        "unchanged": "内容未变：第 1 版已在知识库中。",
        "out": "不符合当前筛选条件。",
    },
}


@languages
def test_selected_documents_are_tagged_and_deleted(page: Page, platform: Platform, language: str) -> None:
    """With the keyboard, too; what the change came to is said, and the list shows it."""
    enter(page, platform, language)
    words = WORDS[language]
    page.locator("#files").set_input_files([file(f"tide-{n}.txt", f"High water at {n}.") for n in range(3)])
    expect(page.locator('.doc[data-state="ready"]')).to_have_count(3, timeout=READY_MS)
    page.locator("#docs-check-all").press("Space")
    expect(page.locator("#docs-selected-count")).to_have_text(words["selected"])
    page.get_by_role("button", name=words["add"]).click()
    page.locator("#prompt-text").fill("Sea")
    page.keyboard.press("Enter")
    expect(page.locator("#bulk")).to_contain_text(words["tagged"], timeout=READY_MS)
    expect(page.locator(".doc-tags").filter(has_text="sea")).to_have_count(3)
    page.locator("#docs-search").fill("tide")
    expect(page).to_have_url(f"{page.url.split('?')[0]}?search=tide")
    for n in range(2):
        page.locator(".doc .doc-check").nth(n).check()
    page.get_by_role("button", name=words["delete"]).click()
    expect(page.locator("#confirm")).to_contain_text(words["sure"])
    page.locator("#confirm-yes").click()
    expect(page.locator("#bulk")).to_contain_text(words["deleted"], timeout=READY_MS)
    expect(page.locator(".doc")).to_have_count(1)
    expect(page.locator("#docs-states button").first).to_contain_text("1")

    page.locator("#files").set_input_files(file("tide-0.txt", "High water at 0."))
    expect(page.locator(".doc-reason").filter(has_text=words["unchanged"])).to_be_visible()
    page.locator("#files").set_input_files(file("moon.txt", "The moon."))
    expect(page.locator(".doc").filter(has_text="moon.txt")).to_contain_text(words["out"])


def test_uploads_go_on_while_something_else_is_shown(page: Page, platform: Platform) -> None:
    """The header says so and leads back; the files arrive in the knowledge base that they were given to."""
    name = enter(page, platform)
    held: list[Any] = []

    def hold(route: Any) -> None:
        if route.request.method == "POST":
            held.append(route)
        else:
            route.continue_()

    for address in ("documents", "documents?batch=*"):
        page.route(f"**/knowledge-bases/{name}/{address}", hold)
    page.locator("#files").set_input_files(file("alone.txt", "One file by itself."))
    page.locator("#files").set_input_files([file(f"many-{n}.txt", f"File {n} of many.") for n in range(2)])
    expect(page.locator('.doc[data-state="uploading"]')).to_have_count(1)
    expect(page.locator('.batch[data-state="uploading"]')).to_have_count(1)
    sending = page.locator("#sending")
    expect(sending).to_be_hidden()
    page.get_by_role("link", name="Holdfast, all knowledge bases").click()
    expect(sending).to_contain_text(f"3 files to {name}")
    assert page.evaluate("!window.dispatchEvent(new Event('beforeunload', {cancelable: true}))")
    sending.click()
    expect(page.locator(".doc").filter(has_text="alone.txt")).to_have_attribute("data-state", "uploading")
    expect(page.locator(".batch").filter(has_text="many-0.txt + 1")).to_be_visible()
    page.get_by_role("link", name="Holdfast, all knowledge bases").click()
    expect(sending).to_be_visible()
    while held:
        held.pop().continue_()
    expect(sending).to_be_hidden()
    becomes_true(page, "window.dispatchEvent(new Event('beforeunload', {cancelable: true}))")
    page.locator(f'a[href="#/kb/{name}"]').click()
    page.locator("#side-documents").click()
    expect(page.locator(".doc")).to_have_count(3)
