"""Batches and the control of documents, in a real browser against the real platform, in both languages."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from typing import Any

from tests.browser.walk import READY_MS, Page, Platform, expect, file, languages, overflow
from tests.browser.walk import enter as enter_knowledge_base

WORDS = {
    "en": {
        "ready": "Ready",
        "ready_failed": "Ready, 1 failed",
        "paused": "Paused",
        "canceled": "Canceled",
        "pause": "Pause {}",
        "resume": "Resume {}",
        "cancel": "Cancel {}",
        "retry": "Retry {}",
        "retry_failed": "Retry failed documents of the batch {}",
        "show_failed": "Failed 1: show these documents of {}",
        "show_all": "Show all documents",
        "done": "4 of 4 done",
        "at_once": "At once",
        "again": "Trying again in",
    },
    "zh": {
        "ready": "就绪",
        "ready_failed": "就绪，1 个失败",
        "paused": "已暂停",
        "canceled": "已取消",
        "pause": "暂停“{}”",
        "resume": "继续处理“{}”",
        "cancel": "取消处理“{}”",
        "retry": "重试“{}”",
        "retry_failed": "重试失败项：批次“{}”",
        "show_failed": "失败 1：查看“{}”的这些文档",
        "show_all": "显示全部文档",
        "done": "已完成 4/4",
        "at_once": "同时处理",
        "again": "后重试",
    },
}


def enter(page: Page, platform: Platform, language: str) -> dict[str, str]:
    """Create a knowledge base and show it in a language; the texts of that language."""
    enter_knowledge_base(page, platform, language)
    return WORDS[language]


def long_text() -> str:
    """A text long enough to be still in indexing when the test presses the button."""
    return "\n\n".join(
        f"Entry {n}. The lighthouse keeper of station {n} counts the ships that pass at night, and writes them down "
        f"beside the height of the tide, the wind, and what was found on the beach on day {n} of the year."
        for n in range(6000)
    )


@languages
def test_many_files_are_one_batch(page: Page, platform: Platform, language: str) -> None:
    """One card for all, to its end; failures are shown and can be retried; unchanged files are counted."""
    words = enter(page, platform, language)
    files = [file(f"tide-{n}.txt", f"Tide table {n}: high water at {n} o'clock in harbour {n}.") for n in range(3)]
    page.locator("#files").set_input_files([*files, file("cut-off.pdf", b"%PDF-1.7\n1 0 obj\n<< /Type /Cat")])
    card = page.locator(".batch")
    expect(card).to_have_count(1)
    expect(card.locator(".batch-name")).to_have_text("tide-0.txt + 3")
    expect(card.locator(".pill")).to_have_text(words["ready_failed"], timeout=READY_MS)
    expect(card).to_contain_text(words["done"])
    expect(card.locator('li[data-state="ready"] b')).to_have_text("3")
    expect(card.locator('li[data-state="failed"] b')).to_have_text("1")
    expect(page.locator('.doc[data-state="ready"]')).to_have_count(3)
    expect(page.locator('.doc[data-state="failed"]')).to_have_count(1)

    page.get_by_role("button", name=words["show_failed"].format("tide-0.txt + 3")).click()
    expect(page.locator(".doc")).to_have_count(1)
    page.get_by_role("button", name=words["show_all"]).click()
    expect(page.locator(".doc")).to_have_count(4)

    page.get_by_role("button", name=words["retry_failed"].format("tide-0.txt + 3")).click()
    expect(card.locator(".pill")).to_have_text(words["ready_failed"], timeout=READY_MS)
    expect(card.locator('li[data-state="failed"] b')).to_have_text("1", timeout=READY_MS)

    page.reload()
    expect(card.locator('li[data-state="ready"] b')).to_have_text("3")
    page.locator("#files").set_input_files(files)
    again = page.locator(".batch").first
    expect(again.locator(".batch-sending")).to_contain_text("3")
    expect(page.locator(".doc")).to_have_count(4)


@languages
def test_a_long_document_is_paused_resumed_and_canceled(page: Page, platform: Platform, language: str) -> None:
    """Each button names its document and is replaced by the next possible action."""
    words = enter(page, platform, language)
    page.locator("#files").set_input_files(file("log-book.txt", long_text()))
    row = page.locator(".doc").filter(has_text="log-book.txt")

    def press(action: str) -> None:
        page.get_by_role("button", name=words[action].format("log-book.txt"), exact=True).click()

    expect(row).to_have_attribute("data-state", "running")
    press("pause")
    expect(row.locator(".pill")).to_have_text(words["paused"])
    press("resume")
    expect(row).to_have_attribute("data-state", "running")
    expect(row.locator(".steps")).to_be_visible()
    press("cancel")
    expect(row.locator(".pill")).to_have_text(words["canceled"])
    press("retry")
    expect(row).to_have_attribute("data-state", re.compile("queued|running"))
    press("cancel")
    expect(row.locator(".pill")).to_have_text(words["canceled"])


@languages
def test_a_batch_is_paused_resumed_and_canceled(page: Page, platform: Platform, language: str) -> None:
    """On a phone: the card's buttons, the parallelism, and the final counts."""
    page.set_viewport_size({"width": 390, "height": 800})
    words = enter(page, platform, language)
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as entries:
        for n in range(3):
            entries.writestr(f"book-{n}.txt", f"Book {n}.\n\n{long_text()}")
    page.locator("#files").set_input_files(file("log-books.zip", archive.getvalue()))
    card = page.locator(".batch")
    expect(card.locator(".batch-name")).to_have_text("log-books.zip")
    expect(card.locator('li[data-state="running"]')).to_be_visible(timeout=READY_MS)
    at_once = card.get_by_label(words["at_once"])
    at_once.fill("2")
    at_once.press("Enter")
    card.locator(".doc-buttons button").first.click()  # pause
    expect(card.locator(".pill")).to_have_text(words["paused"], timeout=READY_MS)
    expect(at_once).to_have_value("2")
    assert overflow(page) <= 0
    card.locator(".doc-buttons button").first.click()  # resume
    expect(card).to_have_attribute("data-state", "running", timeout=READY_MS)
    card.locator(".doc-buttons button").nth(1).click()  # cancel
    expect(card.locator(".pill")).to_have_text(words["canceled"], timeout=READY_MS)
    expect(card.locator('li[data-state="canceled"] b')).to_have_text("3")
    expect(page.locator('.doc[data-state="canceled"]')).to_have_count(3)


@languages
def test_a_busy_server_is_waited_for(page: Page, platform: Platform, language: str) -> None:
    """After a 429 the page shows the server's sentence and repeats the upload by itself, also in a batch."""
    words = enter(page, platform, language)
    refusals = [0, 0, 0]

    def busy(route: Any) -> None:
        if route.request.method != "POST" or not refusals:
            route.continue_()
            return
        refusals.pop()
        body = {"title": "Too Many Requests", "detail": "Too many uploads at once.", "code": "too-many-uploads"}
        route.fulfill(status=429, headers={"Retry-After": "1"}, json=body, content_type="application/problem+json")

    page.route("**/documents*", busy)
    page.locator("#files").set_input_files(file("pilot.txt", "The pilot boards at the outer buoy."))
    row = page.locator(".doc").filter(has_text="pilot.txt")
    expect(row.locator(".doc-reason")).to_contain_text("Too many uploads at once.")
    expect(row.locator(".doc-reason")).to_contain_text(words["again"])
    expect(row.locator(".pill")).to_have_text(words["ready"], timeout=READY_MS)

    refusals.append(0)
    page.locator("#files").set_input_files([file(f"buoy-{n}.txt", f"Buoy {n} is green.") for n in range(2)])
    card = page.locator(".batch")
    expect(card.locator(".batch-sending")).to_contain_text("Too many uploads at once.")
    expect(card.locator(".pill")).to_have_text(words["ready"], timeout=READY_MS)
