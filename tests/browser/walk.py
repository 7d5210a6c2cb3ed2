"""Steps that browser tests share, in both languages."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any, Protocol

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
Page, expect = sync_api.Page, sync_api.expect

READY_MS = 150_000

languages = pytest.mark.parametrize("language", ["en", pytest.param("zh", marks=pytest.mark.endurance)])


class Platform(Protocol):
    url: str
    key: str


def sign_in(page: Page, key: str) -> None:
    page.get_by_role("radio", name="Key", exact=True).check()
    page.get_by_label("API key", exact=True).fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Knowledge bases", exact=True)).to_be_visible()


def create_knowledge_base(page: Page) -> str:
    """Create a knowledge base; the page shows its documents, since there are none."""
    name = f"page-{uuid.uuid4().hex[:8]}"
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    page.get_by_role("button", name="Create knowledge base").click()
    expect(page).to_have_url(re.compile(rf"#/kb/{name}/documents$"))
    expect(page.get_by_role("button", name="Choose files")).to_be_visible()
    return name


def enter(page: Page, platform: Platform, language: str = "en") -> str:
    """Create a knowledge base and show it in a language; its name."""
    sign_in(page, platform.key)
    name = create_knowledge_base(page)
    if language == "zh":
        page.get_by_role("button", name="中文").click()
    return name


def file(name: str, text: str | bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "text/plain", "buffer": text if isinstance(text, bytes) else text.encode()}


def add_document(page: Page, name: str, text: str) -> None:
    """Upload in the documents view, and wait until the document is ready."""
    page.locator("#files").set_input_files(file(name, text))
    row = page.locator(".doc").filter(has_text=name)
    expect(row).to_have_count(1)
    expect(row).to_have_attribute("data-state", "ready", timeout=READY_MS)


def ask(page: Page, question: str) -> Any:
    """Ask in the visible conversation, and wait for the answer."""
    page.keyboard.press("Control+k")
    turns = page.locator(".turn").count()
    page.locator("#question").fill(question)
    page.locator("#question").press("Enter")
    answer = page.locator(".answer").nth(turns)
    expect(answer).to_have_attribute("data-how", "done", timeout=READY_MS)
    return answer


def overflow(page: Page) -> int:
    """The number of pixels by which the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def becomes_true(page: Page, expression: str, argument: Any = None, seconds: float = 30) -> None:
    """Wait until an expression is true in the page.

    Playwright's ``wait_for_function`` polls with ``eval``, which the page's security policy forbids.
    """
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression, argument):
        assert time.monotonic() < deadline, f"not within {seconds} s: {expression}"
        page.wait_for_timeout(50)
