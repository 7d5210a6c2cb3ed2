"""Re-indexes on the page, in a real browser against the real platform, in both languages."""

from __future__ import annotations

import json

from tests.browser.walk import READY_MS, Page, enter, expect, file, languages, overflow, sign_in
from tests.conftest import Platform

WORDS = {
    "en": {
        "index": "Index",
        "cut": "at most 350 tokens",
        "cut_again": "at most 64 tokens, without overlap",
        "plan": "Estimate",
        "nothing": "Nothing to do: all 4 documents are already as they would be made.",
        "start": "Start",
        "max": "Longest passage, in tokens",
        "model": "Embedding model",
        "wrong": "“Longest passage, in tokens” is a whole number from 32 to 2048.",
        "in_use": "In use",
        "verified": "Checked: 4 documents",
        "pause": "Pause",
        "paused": "Paused",
        "resume": "Resume",
        "rollback": "Roll back",
        "back": "Roll back to the old index?",
        "canceled": "Canceled",
        "rolled_back": "Rolled back",
        "went_back": "went back",
        "speed": "At work, in %",
        "approve": "Approve",
        "cancel": "Cancel",
        "cancel_yes": "Cancel it",
        "same": "Whoever started a re-index cannot approve it.",
    },
    "zh": {
        "index": "索引",
        "cut": "每段最多 350 个词元",
        "cut_again": "每段最多 64 个词元分段，相邻段落不重叠",
        "plan": "估算",
        "nothing": "无需重建：4 个文档均已符合这些设置。",
        "start": "开始重建",
        "max": "段落最大长度（词元）",
        "model": "向量模型",
        "wrong": "“段落最大长度（词元）”应为 32 至 2048 之间的整数。",
        "in_use": "已启用",
        "verified": "已校验：4 个文档",
        "pause": "暂停",
        "paused": "已暂停",
        "resume": "继续",
        "rollback": "恢复原索引",
        "back": "恢复到原索引？",
        "canceled": "已取消",
        "rolled_back": "已恢复原索引",
        "went_back": "恢复",
        "speed": "工作占比（%）",
        "approve": "批准",
        "cancel": "取消",
        "cancel_yes": "取消重建",
        "same": "重建索引的发起人不能批准该任务",
    },
}


def add_log_books(page: Page) -> None:
    """Four documents of several passages each."""
    text = "\n\n".join(f"The keeper of light {n} sees the ships that pass. " * 12 for n in range(6))
    page.locator("#files").set_input_files([file(f"log-{n}.txt", f"Log book {n}.\n\n{text}") for n in range(4)])
    expect(page.locator('.doc[data-state="ready"]')).to_have_count(4, timeout=READY_MS)


def fill(page: Page, label: str, value: str) -> None:
    page.get_by_label(label, exact=True).fill(value)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


@languages
def test_other_passages_are_planned_built_used_and_rolled_back(page: Page, platform: Platform, language: str) -> None:
    """The plan is estimated; the re-index is paused, sped up, goes live and is rolled back, across a reload."""
    words = WORDS[language]
    enter(page, platform, language)
    add_log_books(page)
    chunks = page.locator(".doc").first.locator(".doc-meta").text_content()
    page.get_by_role("link", name=words["index"], exact=True).click()
    expect(page.locator("#index-cut")).to_contain_text(words["cut"])
    press(page, words["plan"])
    expect(page.locator("#reindex-planned")).to_contain_text(words["nothing"], timeout=READY_MS)

    fill(page, words["max"], "31")
    press(page, words["plan"])
    expect(page.locator("#reindex-problem")).to_have_text(words["wrong"])
    expect(page.get_by_label(words["max"], exact=True)).to_be_focused()
    fill(page, words["max"], "64")
    model = page.locator("#panel-index").get_by_label(words["model"], exact=True)
    expect(model).to_have_value("multilingual-e5-small")
    model.select_option("tiny-96")
    press(page, words["plan"])
    planned = page.locator("#reindex-planned .facts")
    expect(planned.locator("div").nth(2).locator("dd")).to_have_text("4", timeout=READY_MS)
    expect(model).to_have_value("tiny-96")
    page.reload()
    expect(planned).to_be_visible()
    expect(model).to_have_value("multilingual-e5-small")

    fill(page, words["max"], "64")
    page.locator("#reindex-more summary").click()
    page.locator("#reindex-parallelism").fill("1")
    page.locator("#reindex-throttle").fill("5")
    press(page, words["start"])
    card = page.locator(".reindex")
    expect(card).to_have_attribute("data-stage", "build", timeout=READY_MS)
    press(page, words["pause"])
    expect(card.locator(".pill")).to_have_text(words["paused"], timeout=READY_MS)
    page.reload()
    expect(card.locator(".pill")).to_have_text(words["paused"])
    expect(page.locator("#reindex-form")).to_be_hidden()
    speed = card.get_by_label(words["speed"])
    speed.fill("100")
    speed.press("Enter")
    press(page, words["resume"])
    expect(card.locator(".pill")).to_have_text(words["in_use"], timeout=READY_MS)
    expect(card).to_contain_text(words["verified"])
    expect(page.locator("#index-cut")).to_contain_text(words["cut_again"])
    meta = page.locator(".doc").first.locator(".doc-meta")
    expect(meta).not_to_have_text(chunks or "")

    press(page, words["rollback"])
    expect(page.get_by_role("dialog", name=words["back"])).to_be_visible()
    page.locator("#confirm-yes").click()
    expect(card.locator(".pill")).to_have_text(words["rolled_back"], timeout=READY_MS)
    expect(card.locator(".doc-reason")).to_contain_text(words["went_back"])
    expect(page.locator("#index-cut")).to_contain_text(words["cut"])
    expect(meta).to_have_text(chunks or "")
    expect(page.locator("#reindex-form")).to_be_visible()
    expect(page.locator("#reindex-list .former")).to_have_count(2)


@languages
def test_a_switch_waits_for_another_person(page: Page, platform: Platform, language: str) -> None:
    """On a phone: whoever started it is refused with the server's sentence, and cancels it after a question."""
    page.set_viewport_size({"width": 390, "height": 800})
    words = WORDS[language]
    name = enter(page, platform, language)
    add_log_books(page)
    page.goto(f"{platform.url}#/kb/{name}/index")
    fill(page, words["max"], "64")
    page.locator("#reindex-approve").check()
    press(page, words["start"])
    card = page.locator(".reindex")
    expect(card).to_have_attribute("data-stage", "approve", timeout=READY_MS)
    press(page, words["approve"])
    expect(page.get_by_role("alert").filter(has_text=words["same"])).to_be_visible()
    assert overflow(page) <= 0
    press(page, words["cancel"])
    press(page, words["cancel_yes"])
    expect(card.locator(".pill")).to_have_text(words["canceled"], timeout=READY_MS)
    expect(page.locator("#index-cut")).to_contain_text(words["cut"])


def test_a_reader_is_told_why_nothing_can_be_started(page: Page, platform: Platform) -> None:
    """The server's sentence replaces the form."""
    name = enter(page, platform)
    made = platform.holdfast("key", "create", "--subject", "rita", "--role", "reader")
    page.evaluate("sessionStorage.clear()")
    page.goto(f"{platform.url}#/")
    page.reload()
    sign_in(page, made.stdout.strip())
    page.goto(f"{platform.url}#/kb/{name}/index")
    press(page, "Start")
    expect(page.locator("#reindex-denied")).to_contain_text("You can watch re-indexes here.")
    expect(page.locator("#reindex-form")).to_be_hidden()


def test_the_panel_follows_the_knowledge_base(page: Page, platform: Platform) -> None:
    """Another knowledge base has its own chunking; a failed request is shown as the others are."""
    name = enter(page, platform)

    made = page.request.post(
        f"{platform.url}/api/v1/knowledge-bases",
        headers={"Authorization": f"Bearer {platform.key}"},
        data={"name": "other", "chunking": {"max_tokens": 128, "overlap_tokens": 16}},
    )
    assert made.status == 201
    page.goto(f"{platform.url}#/kb/{name}/index")
    expect(page.locator("#index-cut")).to_contain_text("at most 350 tokens, without overlap")
    page.goto(f"{platform.url}#/kb/other/index")
    expect(page.locator("#index-cut")).to_contain_text("at most 128 tokens, overlapping by 16")
    expect(page.get_by_label("Longest passage, in tokens")).to_have_value("128")
    expect(page.locator("#index-title")).to_be_focused()
    page.route("**/reindex-plan", lambda route: route.abort())
    press(page, "Estimate")
    expect(page.locator("#reindex-problem")).to_contain_text("The server cannot be reached")


GATE = {
    "en": {"first": "Right result first", "worse": "2 questions got worse", "override": "Switch nevertheless",
           "reason": "Reason, for the audit trail", "by": "Switched nevertheless by"},
    "zh": {"first": "首位命中率", "worse": "2 个问题变差", "override": "仍然切换", "reason": "理由（记入审计记录）",
           "by": "强制切换"},
}  # fmt: skip


@languages
def test_a_refused_switch_is_overridden_with_a_reason(page: Page, platform: Platform, language: str) -> None:
    """On a phone, with a question set of a file: the card shows by how much it is worse, and asks for the reason."""
    page.set_viewport_size({"width": 390, "height": 800})
    words = GATE[language]
    name = enter(page, platform, language)
    add_log_books(page)
    answer = "The keeper of light 0 sees the ships that pass. " * 8
    questions = [{"question": f"Who sees the ships of light {n}?", "answer": answer} for n in range(2)]
    page.goto(f"{platform.url}#/kb/{name}/index")
    fill(page, WORDS[language]["max"], "32")
    page.locator("#reindex-overlap").fill("0")
    page.locator("#reindex-set").set_input_files(file("no set.json", "Who sees the ships?"))
    press(page, WORDS[language]["start"])
    expect(page.locator("#reindex-problem")).to_contain_text("no set.json")
    lines = "\n".join(json.dumps(question) for question in questions)
    page.locator("#reindex-set").set_input_files(file("lights.jsonl", lines))
    press(page, WORDS[language]["start"])
    card = page.locator(".reindex")
    expect(card.locator(".gate")).to_contain_text(words["first"], timeout=READY_MS)
    expect(card).to_contain_text(words["worse"])
    assert overflow(page) <= 0
    press(page, words["override"])
    page.get_by_label(words["reason"]).fill("The set is old.")
    page.keyboard.press("Enter")
    expect(card.locator(".pill")).to_have_text(WORDS[language]["in_use"], timeout=READY_MS)
    expect(card.locator(".gate-report")).to_contain_text(words["by"])
    expect(card.locator(".gate-report")).to_contain_text("The set is old.")
