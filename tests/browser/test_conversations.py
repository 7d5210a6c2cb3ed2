"""Conversations of the server: listed, opened, renamed, exported, deleted; and feedback that persists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.browser.test_page import HANDBOOK, QUESTION
from tests.browser.walk import READY_MS, Page, Platform, add_document, ask, enter, expect, languages

WORDS = {
    "en": {
        "menu": "Actions for “{}”",
        "rename": "Rename",
        "title": "Title",
        "save": "Save",
        "export": "Export as Markdown",
        "delete": "Delete",
        "new": "New conversation",
        "helpful": "Helpful",
        "comment": "What was good",
        "send": "Send comment",
    },
    "zh": {
        "menu": "“{}”的操作",
        "rename": "重命名",
        "title": "标题",
        "save": "保存",
        "export": "导出为 Markdown",
        "delete": "删除",
        "new": "新对话",
        "helpful": "有帮助",
        "comment": "哪里有帮助",
        "send": "发送评论",
    },
}


@languages
def test_a_conversation_is_kept_renamed_exported_and_deleted(page: Page, platform: Platform, language: str) -> None:
    """Its title is the question, it is in the list after a reload, and gone after its deletion."""
    words = WORDS[language]
    enter(page, platform, language)
    add_document(page, "leave-policy.md", HANDBOOK[language])
    answer = ask(page, QUESTION[language])
    text = answer.locator(".answer-text").inner_text()
    item = page.locator("#conversations a")
    expect(item).to_have_text(QUESTION[language])
    page.reload()
    expect(page.locator(".answer")).to_have_attribute("data-how", "done")
    assert page.locator(".answer-text").inner_text() == text
    page.locator(".chip").first.click()
    expect(page.locator("#passages mark").first).to_be_visible()
    page.keyboard.press("Escape")

    def act(title: str, action: str) -> None:
        page.get_by_role("button", name=words["menu"].format(title)).click()
        page.get_by_role("menuitem", name=words[action]).click()

    act(QUESTION[language], "rename")
    page.get_by_label(words["title"], exact=True).fill("Leave 年假")
    page.get_by_label(words["title"], exact=True).press("Enter")
    expect(item).to_have_text("Leave 年假")
    expect(page.get_by_role("heading", name="Leave 年假")).to_be_visible()
    with page.expect_download() as download:
        act("Leave 年假", "export")
    assert download.value.suggested_filename == "Leave 年假.md"
    assert QUESTION[language] in Path(download.value.path()).read_text()
    act("Leave 年假", "delete")
    page.locator("#confirm").get_by_role("button", name=words["delete"]).click()
    expect(item).to_have_count(0)
    expect(page).to_have_url(re.compile("/ask$"))
    expect(page.locator(".turn")).to_have_count(0)


@languages
def test_feedback_is_there_again_after_a_reload(page: Page, platform: Platform, language: str) -> None:
    """The thumb is still pressed, and the comment can be read and changed."""
    words = WORDS[language]
    enter(page, platform, language)
    add_document(page, "leave-policy.md", HANDBOOK[language])
    ask(page, QUESTION[language]).get_by_role("button", name=words["helpful"], exact=True).click()
    page.get_by_label(words["comment"]).fill("Right to the point. 正中要点。")
    page.get_by_role("button", name=words["send"]).click()
    expect(page.locator(".comment")).to_be_hidden()
    page.reload()
    thumb = page.get_by_role("button", name=words["helpful"], exact=True)
    expect(thumb).to_have_attribute("aria-pressed", "true")
    thumb.click()
    expect(page.get_by_label(words["comment"])).to_have_value("Right to the point. 正中要点。")


def test_back_and_forward_follow_the_history(page: Page, platform: Platform) -> None:
    """Documents, two conversations and a new one each have a URL; the history leads through them."""
    enter(page, platform)
    add_document(page, "leave-policy.md", HANDBOOK["en"])
    ask(page, QUESTION["en"])
    page.get_by_role("link", name="New conversation").click()
    expect(page.locator(".turn")).to_have_count(0)
    ask(page, "When is a medical certificate needed?")
    expect(page.locator("#conversations a")).to_have_count(2)
    page.locator("#conversations a").filter(has_text=QUESTION["en"]).click()
    expect(page.locator("#ask-title")).to_have_text(QUESTION["en"])
    expect(page.locator(".turn")).to_have_count(1)
    page.go_back()
    expect(page.locator("#ask-title")).to_have_text("When is a medical certificate needed?")
    page.go_back()
    expect(page.locator("#ask-title")).to_have_text(QUESTION["en"])
    page.go_back()
    expect(page.get_by_role("heading", name="Documents")).to_be_visible()
    page.go_forward()
    expect(page.locator("#ask-title")).to_have_text(QUESTION["en"])
    expect(page.locator(".answer")).to_have_attribute("data-how", "done")


def test_a_question_under_way_is_picked_up_after_a_reload(page: Page, platform: Platform) -> None:
    """Its stream is followed from the start, to the same end (the mocked conversation is of a moment earlier)."""
    enter(page, platform)
    add_document(page, "leave-policy.md", HANDBOOK["en"])
    text = ask(page, QUESTION["en"]).locator(".answer-text").inner_text()

    def earlier(route: Any) -> None:
        response = route.fetch()
        conversation = response.json()
        conversation["turns"][-1] |= {"state": "running", "answer": None, "found": None, "citations": [], "sources": []}
        route.fulfill(response=response, json=conversation)

    page.route("**/api/v1/conversations/*", earlier)
    with page.expect_request("**/api/v1/questions/*/events") as listened:
        page.reload()
    assert "last-event-id" not in listened.value.headers
    expect(page.locator(".answer")).to_have_attribute("data-how", "done", timeout=READY_MS)
    expect(page.locator(".answer-text")).to_have_text(text, use_inner_text=True)
