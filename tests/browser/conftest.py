"""A real browser on the page of the real platform (fixture `platform`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.browser.walk import Platform

CHROMIUM = os.environ.get("HOLDFAST_TEST_CHROMIUM", "/usr/bin/chromium")
STEP_MS = 30_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; without it these tests are skipped, except in CI, where they fail."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is missing; the page cannot be tested")
        pytest.skip(f"{CHROMIUM} is missing")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


def is_error(kind: str, text: str) -> bool:
    """Whether a line of the console is a fault of the page."""
    return (kind == "error" and "Failed to load resource" not in text) or "Content Security Policy" in text


@pytest.fixture
def page(browser: Browser, platform: Platform) -> Iterator[Page]:
    """A fresh English desktop page; the test fails on any error in the console, including those of the security policy.

    Chromium's messages about error responses are no errors: such responses are part of some tests.
    """
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(STEP_MS)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "console",
        lambda message: errors.append(message.text) if is_error(message.type, message.text) else None,
    )
    opened.goto(platform.url)
    yield opened
    context.close()
    assert errors == []
