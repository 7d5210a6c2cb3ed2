"""The settings of a knowledge base, in a real browser against the real platform, in both languages."""

from __future__ import annotations

import re
from typing import Any

from tests.browser.walk import Page, Platform, enter, expect, languages

WORDS = {
    "en": {"saved": "The settings are saved.", "leave": "Leave without saving?", "deleted": "is deleted."},
    "zh": {"saved": "设置已保存。", "leave": "不保存就离开？", "deleted": "已删除。"},
}


@languages
def test_a_manager_changes_and_deletes_a_knowledge_base(page: Page, platform: Platform, language: str) -> None:
    """What is not saved is asked about; chunking leads to the form of a new index; deleting wants the name."""
    name = enter(page, platform, language)
    words = WORDS[language]
    page.locator("#side-settings").click()
    title = page.locator("#kb-title")
    title.fill("Harbour office")
    page.locator("#kb-mode").select_option("extractive")
    page.locator("#side-index").click()
    expect(page.locator("#confirm")).to_contain_text(words["leave"])
    page.locator("#confirm-no").click()
    expect(page).to_have_url(re.compile(r"/settings$"))
    expect(title).to_have_value("Harbour office")
    page.locator("#kb-save").click()
    expect(page.locator("#notices")).to_contain_text(words["saved"])
    expect(page.locator("#where-name")).to_have_text("Harbour office")
    expect(page.locator("#kb-save")).to_be_disabled()

    title.fill("Something else")
    page.locator("#side-index").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#index-title")).to_be_visible()
    page.go_back()
    expect(title).to_have_value("Harbour office")
    expect(page.locator("#kb-mode")).to_have_value("extractive")
    page.locator("#kb-max").fill("200")
    page.locator("#kb-index button").click()
    expect(page.locator("#reindex-max")).to_have_value("200")
    expect(page.locator("#reindex-plan")).to_be_focused()
    expect(page.locator(".reindex")).to_have_count(0)

    page.locator("#side-settings").click()
    page.locator("#kb-remove").click()
    typed, yes = page.locator("#kb-delete-name"), page.locator("#kb-delete-yes")
    expect(typed).to_be_focused()
    typed.fill("harbour office")
    expect(yes).to_be_disabled()
    typed.fill(name)
    typed.press("Enter")
    expect(page.locator("#notices")).to_contain_text(name)
    expect(page.locator("#notices")).to_contain_text(words["deleted"])
    expect(page.locator(f'a[href="#/kb/{name}"]')).to_have_count(0)


def test_what_the_server_refuses_is_said_at_its_field(page: Page, platform: Platform) -> None:
    """And what the browser refuses; going on to type takes it away. Other errors stand by the button."""
    enter(page, platform)
    page.locator("#side-settings").click()
    answers: list[dict[str, Any]] = []

    def patched(route: Any) -> None:
        if route.request.method != "PATCH":
            route.continue_()
            return
        route.fulfill(status=400, json=answers.pop(), content_type="application/problem+json")

    page.route("**/api/v1/knowledge-bases/page-*", patched)
    temperature = page.locator("#kb-temperature")
    temperature.fill("9")
    page.locator("#kb-save").click()
    expect(page.locator("#kb-temperature-problem")).to_have_text("“Temperature” must be a number from 0 to 2.")
    expect(temperature).to_have_attribute("aria-invalid", "true")
    temperature.fill("1")
    expect(page.locator("#kb-temperature-problem")).to_be_hidden()
    answers.append({"detail": "The request is not valid: `title`: too long; `instructions`: too long", "code": "x"})
    page.locator("#kb-save").click()
    expect(page.locator("#kb-title-problem")).to_have_text("too long")
    expect(page.locator("#kb-instructions-problem")).to_have_text("too long")
    expect(page.locator("#kb-title")).to_be_focused()
    expect(page.locator("#kb-settings-problem")).to_be_hidden()
    answers.append({"detail": "Something else is wrong.", "code": "x"})
    page.locator("#kb-save").click()
    expect(page.locator("#kb-settings-problem")).to_have_text("Something else is wrong.")
    page.locator("#kb-reset").click()
    expect(temperature).to_have_value("")
