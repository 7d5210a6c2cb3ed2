"""Sources on the page, in a real browser against the real platform, in both languages."""

from __future__ import annotations

import os
import uuid

import pytest

from tests.browser.test_accessible import violations
from tests.browser.walk import READY_MS, Page, enter, expect, languages, overflow
from tests.conftest import Platform

WORDS = {
    "en": {
        "sources": "Sources", "location": "Folder or S3 prefix", "add": "Follow", "refused": "HOLDFAST_SYNC_FOLDERS",
        "preview": "Preview", "plan": "A sync would add 3, update 0 and delete 0", "run": "Sync now",
        "done": "3 added, 0 updated, 0 deleted", "gone": "3 of 3 documents are gone from the source",
        "confirm": "Delete them", "deleted": "0 added, 0 updated, 3 deleted", "remove": "Remove",
        "none": "This knowledge base follows nothing yet.", "documents": "3 documents",
    },
    "zh": {
        "sources": "同步来源", "location": "文件夹或 S3 前缀", "add": "跟随", "refused": "HOLDFAST_SYNC_FOLDERS",
        "preview": "预览", "plan": "同步将添加 3 个、更新 0 个、删除 0 个", "run": "立即同步",
        "done": "已添加 3，已更新 0，已删除 0", "gone": "3 个文档中有 3 个已不在同步来源中",
        "confirm": "确认删除", "deleted": "已添加 0，已更新 0，已删除 3", "remove": "移除",
        "none": "本知识库尚未跟随任何来源。", "documents": "3 个文档",
    },
}  # fmt: skip


@pytest.mark.long
@languages
def test_a_folder_is_followed_on_the_page(page: Page, platform: Platform, language: str) -> None:
    """Refused beside what may be followed; then previewed, synced, and asked before all of it is deleted."""
    words = WORDS[language]
    folder = platform.settings.data_dir / "followed" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    for number in range(3):
        (folder / f"note-{number}.txt").write_text(f"This is note number {number}.")
        os.utime(folder / f"note-{number}.txt", (1e9, 1e9))
    enter(page, platform, language)
    page.get_by_role("link", name=words["sources"], exact=True).click()
    expect(page.locator("#sources-none")).to_have_text(words["none"])
    place = page.get_by_label(words["location"], exact=True)
    place.fill("/etc")
    page.get_by_role("button", name=words["add"], exact=True).click()
    expect(page.locator("#source-problem")).to_contain_text(words["refused"])
    place.fill(str(folder))
    page.get_by_role("button", name=words["add"], exact=True).click()
    card = page.locator(".origin")
    expect(card.locator(".origin-place")).to_have_text(str(folder))
    card.get_by_role("button", name=words["preview"]).click()
    expect(card.locator(".origin-planned")).to_contain_text(words["plan"], timeout=READY_MS)
    expect(card.locator(".origin-planned")).to_contain_text("note-0.txt")
    card.get_by_role("button", name=words["run"]).click()
    expect(card).to_contain_text(words["done"], timeout=READY_MS)
    expect(card).to_contain_text(words["documents"])
    page.reload()
    expect(card).to_contain_text(words["done"])
    assert violations(page) == []
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 850})
        assert overflow(page) <= 0
    for path in folder.iterdir():
        path.unlink()
    card.get_by_role("button", name=words["run"]).click()
    expect(card.locator(".doc-reason")).to_contain_text(words["gone"], timeout=READY_MS)
    card.get_by_role("button", name=words["confirm"]).click()
    page.get_by_role("dialog").get_by_role("button", name=words["confirm"]).click()
    expect(card).to_contain_text(words["deleted"], timeout=READY_MS)
    card.get_by_role("button", name=words["remove"]).click()
    page.get_by_role("dialog").get_by_role("button", name=words["remove"]).click()
    expect(page.locator("#sources-none")).to_be_visible()
