"""The web page, walked through in a real browser against the real platform (fixture `platform`)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.browser.walk import READY_MS, Page, Platform, create_knowledge_base, expect, overflow, sign_in

HANDBOOK = """# Leave policy

## Carrying leave over

Employees may carry over up to five days of unused annual leave into the following calendar year.
Carried-over leave lapses on 31 March, unless the line manager has agreed otherwise in writing.

## Sick leave

A medical certificate is needed from the third day of absence.
"""
QUESTION = "How many days of unused annual leave may be carried over?"


def add_document(page: Page, name: str, text: str) -> None:
    page.locator("#files").set_input_files({"name": name, "mimeType": "text/markdown", "buffer": text.encode()})
    row = page.locator(".doc").filter(has_text=name)
    expect(row).to_have_count(1)
    expect(row.locator(".pill")).to_have_text("Ready", timeout=READY_MS)


def shown_texts(page: Page) -> list[str]:
    """The page's own texts that can be seen, and the names of its controls: no names, no documents' words."""
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


def test_a_person_signs_in_adds_a_document_and_asks_about_it(page: Page, platform: Platform) -> None:
    """From the API key to an answer with its source, in English, then the same page in Chinese."""
    sign_in(page, platform.key)
    create_knowledge_base(page)
    add_document(page, "leave-policy.md", HANDBOOK)

    page.get_by_label("Your question").fill(QUESTION)
    page.get_by_label("Your question").press("Enter")
    answer = page.locator(".answer")
    expect(answer).to_have_attribute("data-how", "done", timeout=READY_MS)
    expect(answer.locator(".answer-text")).to_contain_text(re.compile(r"\w{3,}"))
    source = answer.locator(".source").first
    expect(source).to_contain_text("leave-policy.md")
    marker = answer.locator(".marker").first
    if marker.count():
        marker.click()
        expect(answer.locator(".source.lit")).to_have_count(1)

    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.get_by_role("heading", name="文档")).to_be_visible()
    texts = shown_texts(page)
    assert len(texts) > 10
    dates_and_sizes = re.compile(r"^[\d\s.,:/-]*(?:[kMG]?B)?$")
    assert [text for text in texts if not re.search(r"[\u4e00-\u9fff]", text) and not dates_and_sizes.match(text)] == []
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_a_wrong_key_is_told_so_and_leads_nowhere(page: Page) -> None:
    """The server's sentence about the key stands on the sign-in form, which stays."""
    page.get_by_label("API key").fill("not-a-key")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#sign-in-problem")).to_contain_text("API key")
    expect(page.get_by_label("API key")).to_be_visible()


def test_a_document_that_cannot_be_read_says_why(page: Page, platform: Platform) -> None:
    """A cut-off PDF ends as failed, with a sentence, and in Chinese after the switch."""
    sign_in(page, platform.key)
    create_knowledge_base(page)
    cut_off = {"name": "cut-off.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7\n1 0 obj\n<< /Type /Cat"}
    page.locator("#files").set_input_files(cut_off)
    row = page.locator(".doc").filter(has_text="cut-off.pdf")
    expect(row).to_have_attribute("data-state", "failed", timeout=READY_MS)
    expect(row.locator(".doc-reason")).to_have_text(re.compile(r"^[A-Z][^\u4e00-\u9fff]{10,}$"))
    page.get_by_role("button", name="中文").click()
    expect(row.locator(".doc-reason")).to_have_text(re.compile(r"[\u4e00-\u9fff]{4,}"))


def test_a_document_is_deleted_after_a_confirmation(page: Page, platform: Platform) -> None:
    """Keep leaves it there; Delete takes it away, also after a reload."""
    sign_in(page, platform.key)
    create_knowledge_base(page)
    add_document(page, "short-lived.txt", "The lighthouse keeper counts the ships that pass at night.")
    delete = page.get_by_role("button", name="Delete short-lived.txt")
    delete.click()
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator(".doc")).to_have_count(1)
    delete.click()
    page.locator("#confirm").get_by_role("button", name="Delete").click()
    expect(page.locator(".doc")).to_have_count(0)
    expect(page.locator("#docs-empty")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390])
def test_nothing_is_wider_than_a_phone(page: Page, platform: Platform, width: int, tmp_path: Path) -> None:
    """Sign-in, choice, documents and questions each fit the screen, with a long file name too."""
    page.set_viewport_size({"width": width, "height": 800})
    assert overflow(page) <= 0
    sign_in(page, platform.key)
    assert overflow(page) <= 0
    create_knowledge_base(page)
    long_name = "a-very-long-file-name-" * 6 + ".txt"
    add_document(page, long_name, HANDBOOK)
    assert overflow(page) <= 0
    page.get_by_role("navigation").get_by_role("button", name="Ask").click()
    page.get_by_label("Your question").fill(QUESTION)
    page.get_by_role("button", name="Ask", exact=True).last.click()
    expect(page.locator(".answer")).to_have_attribute("data-how", "done", timeout=READY_MS)
    page.screenshot(path=str(tmp_path / f"phone-{width}.png"))
    assert overflow(page) <= 0
