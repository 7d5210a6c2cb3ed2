"""Schedules on the page, in a real browser against the real platform, in both languages."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.browser.test_accessible import violations
from tests.browser.walk import READY_MS, Page, enter, expect, file, languages, overflow
from tests.conftest import Platform
from tests.stores.catalog.conftest import sql

WORDS = {
    "en": {
        "new": "New schedule",
        "name": "Name of the schedule",
        "name_wrong": "The name has lower-case letters, digits and hyphens only.",
        "kind": "What to start",
        "kb": "Knowledge base",
        "often": "How often",
        "days": "Delete what was uploaded more than so many days ago",
        "days_wrong": "ago” is a number from 1 to 36500.",
        "expression": "Expression",
        "never": "never comes",
        "preview": "What would go now?",
        "some": "1 of 2 documents would be deleted now",
        "create": "Create schedule",
        "when": "Monday to Friday at 02:00",
        "change": "Change",
        "save": "Save",
        "later": "Monday to Friday at 03:30",
        "pause": "Pause",
        "paused": "Paused",
        "resume": "Resume",
        "waits": "It would delete 1 of 2 documents",
        "confirm": "Delete 1 document",
        "deleted": "1 deleted",
        "delete": "Delete",
    },
    "zh": {
        "new": "新建计划",
        "name": "计划名称",
        "name_wrong": "名称只能包含小写字母、数字和连字符。",
        "kind": "启动的任务",
        "kb": "知识库",
        "often": "频率",
        "days": "删除上传超过以下天数的文档",
        "days_wrong": "应为 1 至 36500 之间的数。",
        "expression": "表达式",
        "never": "永远不会到来",
        "preview": "现在会删除哪些？",
        "some": "现在将删除 2 个文档中的 1 个",
        "create": "创建计划",
        "when": "周一至周五 02:00",
        "change": "更改",
        "save": "保存",
        "later": "周一至周五 03:30",
        "pause": "暂停",
        "paused": "已暂停",
        "resume": "恢复",
        "delete": "删除",
    },
}


def date_back(platform: Platform, kb: str, name: str) -> None:
    """Let a document of a knowledge base be an old one."""
    changing = sql(
        platform.settings,
        "UPDATE versions SET created_at = '2020-01-01 00:00:00.000000' WHERE document_id IN (SELECT documents.id"
        " FROM documents JOIN knowledge_bases ON knowledge_bases.id = knowledge_base_id"
        " WHERE knowledge_bases.name = :kb AND documents.name = :name) RETURNING document_id",
        kb=kb,
        name=name,
    )
    with ThreadPoolExecutor(1) as beside:  # Playwright has a loop in this thread
        changed = beside.submit(asyncio.run, changing).result()
    assert len(changed) == 1


def open_schedules(page: Page, platform: Platform, language: str) -> str:
    """A knowledge base with an old document and a new one, and the schedules; its name."""
    kb = enter(page, platform, language)
    page.locator("#files").set_input_files([file(name, f"This is {name}.") for name in ("old.txt", "new.txt")])
    expect(page.locator('.doc[data-state="ready"]')).to_have_count(2, timeout=READY_MS)
    date_back(platform, kb, "old.txt")
    page.goto(f"{platform.url}#/schedules")
    return kb


@languages
def test_a_retention_is_made_and_paused(page: Page, platform: Platform, language: str) -> None:
    """From the form with its faults and its preview to the list; Chinese on a phone."""
    words = WORDS[language]
    if language == "zh":
        page.set_viewport_size({"width": 390, "height": 800})
    kb = open_schedules(page, platform, language)
    form = page.locator(".schedule-form")
    page.get_by_role("button", name=words["new"]).click()
    form.get_by_label(words["kind"]).select_option("retention")
    form.get_by_label(words["kb"], exact=True).select_option(kb)
    form.get_by_label(words["name"]).fill("Bad Name")
    form.get_by_role("button", name=words["create"]).click()
    expect(form.locator(".problem")).to_have_text(words["name_wrong"])
    form.get_by_label(words["name"]).fill(f"clean-{kb}")
    form.get_by_label(words["days"]).fill("0")
    form.get_by_role("button", name=words["create"]).click()
    expect(form.locator(".problem")).to_contain_text(words["days_wrong"])
    form.get_by_label(words["days"]).fill("365")
    form.get_by_role("button", name=words["preview"]).click()
    expect(form.locator(".schedule-preview")).to_contain_text(words["some"])
    expect(form.locator(".schedule-preview li")).to_contain_text("old.txt")
    form.get_by_label(words["often"]).select_option("cron")
    form.get_by_label(words["expression"]).fill("0 0 31 2 *")
    form.get_by_role("button", name=words["create"]).click()
    expect(form.locator(".problem")).to_contain_text(words["never"])
    assert violations(page) == []
    assert not overflow(page)
    form.get_by_label(words["often"]).select_option("workdays")
    form.get_by_role("button", name=words["create"]).click()

    row = page.locator(f'.schedule[data-name="clean-{kb}"]')
    expect(row).to_contain_text(words["when"])
    row.get_by_role("button", name=words["change"], exact=True).click()
    expect(form.get_by_label(words["name"])).to_be_disabled()
    expect(form.get_by_label(words["days"])).to_have_value("365")
    expect(form.get_by_label(words["expression"])).to_have_value("0 2 * * 1-5")
    form.get_by_label(words["expression"]).fill("30 3 * * 1-5")
    form.get_by_label(words["days"]).fill("400")
    form.get_by_role("button", name=words["save"]).click()
    expect(row).to_contain_text(words["later"])
    row.get_by_role("button", name=words["pause"], exact=True).click()
    expect(row.locator(".doc-head .pill")).to_have_text(words["paused"])
    row.get_by_role("button", name=words["resume"], exact=True).click()
    expect(row.get_by_role("button", name=words["pause"], exact=True)).to_be_focused()
    row.get_by_role("button", name=words["delete"], exact=True).click()
    page.locator("#confirm-yes").click()
    expect(row).to_have_count(0)


@pytest.mark.endurance
def test_a_run_waits_to_be_confirmed(page: Page, platform: Platform) -> None:
    """The row says what it would delete, and what it has deleted."""
    words = WORDS["en"]
    kb = open_schedules(page, platform, "en")
    name = f"clean-{kb}"
    when = ["--cron", "0 2 1 1 *", "--option", "days=365"]
    made = platform.holdfast("schedule", "create", name, "--kind", "retention", "--kb", kb, *when)
    assert made.returncode == 0, made.stderr
    assert platform.holdfast("schedule", "run", name).returncode == 0
    page.reload()
    row = page.locator(f'.schedule[data-name="{name}"]')
    expect(row.locator(".doc-reason")).to_contain_text(words["waits"], timeout=READY_MS)
    assert violations(page) == []
    row.get_by_role("button", name=words["confirm"]).click()
    page.locator("#confirm-yes").click()
    row.locator("summary").click()
    expect(row.locator('.schedule-runs .pill[data-state="ready"]')).to_be_visible(timeout=READY_MS)
    expect(row.locator(".schedule-runs")).to_contain_text(words["deleted"])
