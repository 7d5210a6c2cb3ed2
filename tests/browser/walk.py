"""What every walk through the page begins with."""

from __future__ import annotations

import re
import uuid
from typing import Protocol

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
Page, expect = sync_api.Page, sync_api.expect

READY_MS = 50_000


class Platform(Protocol):
    url: str
    key: str


def sign_in(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Knowledge bases", exact=True)).to_be_visible()


def create_knowledge_base(page: Page) -> str:
    name = f"page-{uuid.uuid4().hex[:8]}"
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create knowledge base").click()
    expect(page).to_have_url(re.compile(rf"#/kb/{name}$"))
    expect(page.get_by_role("button", name="Choose files")).to_be_visible()
    return name


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
