"""The web page in a real browser against the real platform (fixture `platform`)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.browser.walk import (
    READY_MS,
    Page,
    Platform,
    add_document,
    ask,
    enter,
    expect,
    file,
    languages,
    overflow,
    sign_in,
)

HANDBOOK = {
    "en": """# Leave policy

## Carrying leave over

Employees may carry over up to five days of unused annual leave into the following calendar year.
Carried-over leave lapses on 31 March, unless the line manager has agreed otherwise in writing.

## Sick leave

A medical certificate is needed from the third day of absence.
""",
    "zh": """# 休假制度

## 年假结转

员工最多可将五天未休年假结转到下一个自然年度。
结转的年假在三月三十一日失效，除非直属经理另有书面同意。

## 病假

缺勤满三天起需要提供医生证明。
""",
}
QUESTION = {
    "en": "How many days of unused annual leave may be carried over?",
    "zh": "未休年假最多可以结转几天？",
}
WORDS = {
    "en": {"open": "Open the original", "close": "Close the passage", "sources": "Sources", "version": "version 1"},
    "zh": {"open": "打开原文件", "close": "关闭原文", "sources": "来源", "version": "第 1 版"},
}


def shown_texts(page: Page) -> list[str]:
    """The page's own visible texts and the names of its controls, without names and content of documents."""
    return [
        str(text)
        for text in page.evaluate(
            """() => [
              ...[...document.querySelectorAll('[data-i18n]')].filter((e) => e.checkVisibility())
                .map((e) => e.textContent),
              ...[...document.querySelectorAll('[data-i18n-attr]')].filter((e) => e.checkVisibility())
                .flatMap((e) => e.dataset.i18nAttr.split(', ').map((pair) => e.getAttribute(pair.split('=')[0]))),
            ]"""
        )
        if re.search(r"[^\W\d_]", str(text))
    ]


@languages
def test_a_person_adds_a_document_asks_about_it_and_reads_the_source(
    page: Page, platform: Platform, language: str
) -> None:
    """Upload, watch, ask, open the citation: its quote is marked in its passage, and the file itself opens."""
    words = WORDS[language]
    enter(page, platform, language)
    add_document(page, "leave-policy.md", HANDBOOK[language])
    answer = ask(page, QUESTION[language])
    expect(page).to_have_url(re.compile(r"/c/[0-9a-f]{32}$"))
    expect(answer.locator(".answer-text")).to_contain_text(re.compile("five days|五天"))
    expect(answer.get_by_role("heading", name=words["sources"])).to_be_visible()
    expect(answer.locator(".source").first).to_contain_text("leave-policy.md")

    chip = answer.locator(".chip").first
    chip.click()
    panel = page.get_by_role("dialog", name="leave-policy.md")
    expect(panel.locator("[data-cited] mark").first).to_contain_text(re.compile("five days|五天"))
    expect(panel).to_contain_text(words["version"])
    with page.context.expect_page() as opened:
        panel.get_by_role("button", name=words["open"]).click()
    expect(opened.value.locator("body")).to_contain_text(HANDBOOK[language].splitlines()[0])
    opened.value.close()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(chip).to_be_focused()


def test_a_citation_of_a_version_that_was_replaced_says_so(page: Page, platform: Platform) -> None:
    """It shows the words that the answer quoted, and which version is live now."""
    enter(page, platform)
    add_document(page, "leave-policy.md", HANDBOOK["en"])
    answer = ask(page, QUESTION["en"])
    quote = answer.locator(".answer-text p").first.inner_text().splitlines()[0][:40]
    page.get_by_role("link", name="Documents", exact=False).first.click()
    row = page.locator(".doc").filter(has_text="leave-policy.md")
    page.locator("#files").set_input_files(file("leave-policy.md", HANDBOOK["en"].replace("five", "seven")))
    expect(row.locator(".version")).to_have_text("v2", timeout=READY_MS)
    expect(row).to_have_attribute("data-state", "ready", timeout=READY_MS)
    page.go_back()
    answer.locator(".chip").first.click()
    expect(page.locator("#passages-note")).to_contain_text("cites version 1")
    expect(page.locator("#passages-note")).to_contain_text("version 2")
    expect(page.locator("#passages mark").first).to_contain_text(quote)


def test_every_text_of_a_view_is_chinese_after_the_switch(page: Page, platform: Platform) -> None:
    """In the documents and beside an answer; the choice persists."""
    enter(page, platform)
    add_document(page, "leave-policy.md", HANDBOOK["en"])
    page.locator("#files").set_input_files(file("cut-off.pdf", b"%PDF-1.7\n1 0 obj\n<< /Type /Cat"))
    row = page.locator(".doc").filter(has_text="cut-off.pdf")
    expect(row).to_have_attribute("data-state", "failed", timeout=READY_MS)
    expect(row.locator(".doc-reason")).to_have_text(re.compile(r"^[A-Z][^\u4e00-\u9fff]{10,}$"))
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.get_by_role("heading", name="文档")).to_be_visible()
    expect(row.locator(".doc-reason")).to_have_text(re.compile(r"[\u4e00-\u9fff]{4,}"))
    facts = re.compile(r"^[\d\s.,:/年月日-]*(?:[kMG]?B)?$|^leave-policy|^cut-off|^page-")
    for _ in ("documents", "answer"):
        texts = shown_texts(page)
        assert len(texts) > 10
        assert [text for text in texts if not re.search(r"[\u4e00-\u9fff]", text) and not facts.search(text)] == []
        ask(page, QUESTION["en"]).locator(".chip").first.click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_a_wrong_key_does_not_sign_in(page: Page) -> None:
    """The server's sentence about the key is shown on the sign-in form, which stays."""
    page.get_by_role("radio", name="Key", exact=True).check()
    page.get_by_label("API key", exact=True).fill("not-a-key")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#sign-in-problem")).to_contain_text("API key")
    expect(page.get_by_label("API key", exact=True)).to_be_visible()


def test_a_person_signs_out(page: Page, platform: Platform) -> None:
    """The button is under the name; the page deletes the key."""
    sign_in(page, platform.key)
    page.locator("#account-open").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key", exact=True)).to_be_focused()
    page.reload()
    expect(page.get_by_label("API key", exact=True)).to_be_visible()


@pytest.mark.parametrize("width", [320, 390])
def test_nothing_is_wider_than_a_phone(page: Page, platform: Platform, width: int, tmp_path: Path) -> None:
    """Sign-in, choice, documents, questions and passages each fit the screen, also with a long file name."""
    page.set_viewport_size({"width": width, "height": 800})
    assert overflow(page) <= 0
    enter(page, platform)
    assert overflow(page) <= 0
    add_document(page, "a-very-long-file-name-" * 6 + ".txt", HANDBOOK["en"])
    assert overflow(page) <= 0
    page.get_by_role("button", name="Conversations and documents").click()
    page.get_by_role("link", name="New conversation").click()
    expect(page.locator(".turn")).to_have_count(0)
    answer = ask(page, QUESTION["en"])
    page.screenshot(path=str(tmp_path / f"phone-{width}.png"))
    assert overflow(page) <= 0
    answer.locator(".chip").first.click()
    expect(page.locator("#passages mark").first).to_be_visible()
    assert overflow(page) <= 0
    page.get_by_role("button", name="Close the passage").click()
    expect(page.locator("#passages")).to_be_hidden()
