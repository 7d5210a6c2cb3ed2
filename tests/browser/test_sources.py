"""Sources on the page, in a real browser against the real platform."""

from __future__ import annotations

import os
import uuid

import pytest

from tests.browser.test_accessible import violations
from tests.browser.walk import READY_MS, Page, enter, expect, overflow
from tests.conftest import Platform


@pytest.mark.long
def test_a_folder_is_followed_on_the_page(page: Page, platform: Platform) -> None:
    """Refused beside what may be followed; then previewed, synced, asked before all is deleted; also in Chinese."""
    folder = platform.settings.data_dir / "followed" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    for number in range(3):
        (folder / f"note-{number}.txt").write_text(f"This is note number {number}.")
        os.utime(folder / f"note-{number}.txt", (1e9, 1e9))
    enter(page, platform)
    page.get_by_role("link", name="Sources", exact=True).click()
    expect(page.locator("#sources-none")).to_have_text("This knowledge base follows nothing yet.")
    place = page.get_by_label("Folder or S3 prefix", exact=True)
    place.fill("/etc")
    page.get_by_role("button", name="Follow", exact=True).click()
    expect(page.locator("#source-problem")).to_contain_text("HOLDFAST_SYNC_FOLDERS")
    place.fill(str(folder))
    page.get_by_role("button", name="Follow", exact=True).click()
    card = page.locator(".origin")
    expect(card.locator(".origin-place")).to_have_text(str(folder))
    card.get_by_role("button", name="Change").click()
    page.get_by_label("Leave out (optional)").fill("drafts, *.tmp")
    page.get_by_label("Tags of new documents (optional)").fill("notes")
    page.get_by_label("Delete without a question, in percent").fill("10")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(card).to_contain_text("without drafts, *.tmp")
    expect(place).to_be_visible()
    card.get_by_role("button", name="Preview").click()
    expect(card.locator(".origin-planned")).to_contain_text(
        "A sync would add 3, update 0 and delete 0", timeout=READY_MS
    )
    expect(card.locator(".origin-planned")).to_contain_text("note-0.txt")
    card.get_by_role("button", name="Sync now").click()
    expect(card).to_contain_text("3 added, 0 updated, 0 deleted", timeout=READY_MS)
    expect(card).to_contain_text("3 documents")
    page.reload()
    page.get_by_role("button", name="中文").click()
    expect(card).to_contain_text("已添加 3，已更新 0，已删除 0")
    page.get_by_role("button", name="English").click()
    assert violations(page) == []
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 850})
        assert overflow(page) <= 0
    for path in folder.iterdir():
        path.unlink()
    card.get_by_role("button", name="Sync now").click()
    expect(card.locator(".doc-reason")).to_contain_text("3 of 3 documents are gone from the source", timeout=READY_MS)
    card.get_by_role("button", name="Delete them").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete them").click()
    expect(card).to_contain_text("0 added, 0 updated, 3 deleted", timeout=READY_MS)
    card.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.locator("#sources-none")).to_be_visible()
