"""The Temporal UI shows an auditor what a run holds, and others only that it ran."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from tests.browser.walk import READY_MS, expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.conftest import Platform

WORD = "snollygoster"
QUESTION = f"Who may keep a {WORD}?"


def _asked(platform: Platform) -> dict[str, Any]:
    """A question that has ended, in a knowledge base of its own."""
    headers = {"Authorization": f"Bearer {platform.key}"}
    with httpx.Client(base_url=f"{platform.url}/api/v1", headers=headers, timeout=60, trust_env=False) as api:
        api.post("/knowledge-bases", json={"name": "audited"})
        asked: dict[str, Any] = api.post("/knowledge-bases/audited/questions", json={"question": QUESTION}).json()
        api.get(asked["events_url"].removeprefix("/api/v1"))  # until it ends
    return asked


def test_the_temporal_ui_shows_runs_to_auditors_only(platform: Platform, browser: Browser) -> None:
    """The key is entered once on a page of the API; before, and after it is taken back, the UI shows no text."""
    key = platform.holdfast("key", "create", "--subject", "ui-auditor", "--role", "auditor", "--json")
    auditor = json.loads(key.stdout)["key"]
    ui, workflow = platform.settings.temporal.ui_url, _asked(platform)["workflow_id"]
    context = browser.new_context(locale="en-US")
    context.set_default_timeout(60_000)
    settings = {
        "endpoint": f"{platform.url}/codec",
        "includeCredentials": True,
        "overrideRemoteCodecConfiguration": True,
    }
    page = context.new_page()
    page.goto(ui)
    page.evaluate(
        "all => Object.entries(all).forEach(([k, v]) => localStorage.setItem(k, JSON.stringify(v)))", settings
    )
    run = f"{ui}/namespaces/{platform.settings.temporal.namespace}/workflows/{quote(workflow, safe='')}"

    def refused() -> None:
        with page.expect_response("**/codec/decode*") as answered:
            page.goto(run)
        assert answered.value.status == 401
        expect(page.get_by_text("Codec Server could not connect").first).to_be_visible(timeout=READY_MS)
        expect(page.get_by_text(WORD)).to_have_count(0)

    refused()
    consent = context.new_page()
    consent.goto(f"{platform.url}/web/codec/index.html")
    consent.get_by_label("API key").fill(auditor)
    consent.get_by_role("button", name="Allow").click()
    expect(consent.get_by_role("status")).to_have_text("✓", timeout=READY_MS)
    page.goto(run)
    expect(page.get_by_role("textbox", name="Input")).to_contain_text(WORD, timeout=READY_MS)
    consent.get_by_role("button", name="Take back").click()
    expect(consent.get_by_role("status")).to_have_text("✓", timeout=READY_MS)
    refused()
    context.close()
