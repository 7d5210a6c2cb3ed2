"""The page with the keyboard, with a screen reader, and with other colours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.test_page import HANDBOOK, QUESTION
from tests.browser.walk import READY_MS, Page, Platform, add_document, ask, enter, expect, file, sign_in

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
SERIOUS = ("serious", "critical")


def violations(page: Page) -> list[str]:
    """Serious problems that axe-core finds in the visible page: `rule: element`."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{each['id']}: {node['html']}" for each in found if each["impact"] in SERIOUS for node in each["nodes"]]


@pytest.mark.long
@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1280, "light"),
        (390, "dark"),
        pytest.param(1280, "dark", marks=pytest.mark.endurance),
        pytest.param(390, "light", marks=pytest.mark.endurance),
    ],
)
def test_axe_finds_nothing_serious_in_any_view(page: Page, platform: Platform, scheme: str, width: int) -> None:
    """Sign-in, choice, documents, a selection, menu, dialogs, settings, index, operations, answers, a passage."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 850})
    assert violations(page) == []
    sign_in(page, platform.key)
    assert violations(page) == []
    page.reload()
    name = page.get_by_role("textbox", name="Name", exact=True)
    name.fill(f"axe-{scheme}-{width}")
    name.press("Enter")
    expect(page.locator("#docs-empty")).to_be_visible()
    assert violations(page) == []
    add_document(page, "leave-policy.md", HANDBOOK["en"])
    page.locator("#files").set_input_files([file(f"cut-off-{n}.pdf", b"%PDF-1.7\n1 0 obj\n<< /Ty") for n in range(2)])
    expect(page.locator('.doc[data-state="failed"]')).to_have_count(2, timeout=READY_MS)
    assert violations(page) == []
    page.locator(".doc .doc-check").nth(1).check()
    page.locator('#docs-states [data-state="failed"]').click()
    page.locator(".doc .doc-check").nth(1).check()
    assert violations(page) == []
    page.locator("#docs-states button").first.click()
    page.get_by_role("button", name="Actions for leave-policy.md").click()
    assert violations(page) == []
    page.get_by_role("menuitem", name="Delete").click()
    assert violations(page) == []
    page.get_by_role("button", name="Keep it").click()
    page.get_by_role("button", name="Settings").click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.goto(f"{platform.url}#/kb/axe-{scheme}-{width}/settings")
    page.locator("#kb-temperature").fill("9")
    page.locator("#kb-save").click()
    expect(page.locator("#kb-temperature-problem")).to_be_visible()
    assert violations(page) == []
    page.locator("#kb-reset").click()
    page.locator("#kb-remove").click()
    expect(page.locator("#kb-delete-name")).to_be_focused()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.goto(f"{platform.url}#/kb/axe-{scheme}-{width}/index")
    page.locator("#reindex-more summary").click()
    page.get_by_role("button", name="Estimate").click()
    expect(page.locator("#reindex-planned")).to_contain_text("Nothing to do", timeout=READY_MS)
    page.get_by_role("button", name="Start").click()
    expect(page.locator(".reindex")).to_have_attribute("data-state", "ready", timeout=READY_MS)
    assert violations(page) == []
    page.locator("#operations-link").click()
    expect(page.locator("#ops-jobs, #ops-none").first).to_be_attached()
    expect(page.locator("#ops-failures li").first).to_be_visible()
    assert violations(page) == []
    page.go_back()
    expect(page.locator(".reindex")).to_have_attribute("data-state", "ready", timeout=READY_MS)
    page.keyboard.press("Control+k")
    expect(page.locator("#ask-empty")).to_be_visible()
    assert violations(page) == []
    answer = ask(page, QUESTION["en"])
    assert violations(page) == []
    answer.locator(".chip").first.click()
    expect(page.locator("#passages mark").first).to_be_visible()
    assert violations(page) == []
    if width == 390:
        page.get_by_role("button", name="Close the passage").click()
        page.get_by_role("button", name="Conversations and documents").click()
        expect(page.get_by_role("link", name="New conversation")).to_be_focused()
        assert violations(page) == []


def test_colours_follow_the_system_until_they_are_chosen(page: Page) -> None:
    """Dark stays dark after a reload; System returns to the system's setting."""
    ground = "getComputedStyle(document.body).backgroundColor"

    def choose(name: str) -> None:
        page.get_by_role("button", name="Settings").click()
        page.get_by_role("radio", name=name).check(force=True)
        page.keyboard.press("Escape")

    page.emulate_media(color_scheme="light")
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    assert dark != light
    choose("Light")
    page.reload()
    assert page.evaluate(ground) == light
    choose("System")
    assert page.evaluate(ground) == dark


def test_an_answer_is_reached_and_left_by_the_keyboard(page: Page, platform: Platform) -> None:
    """The shortcut focuses the question; Tab reaches a visible chip; Enter opens its passage, Escape returns."""
    enter(page, platform)
    add_document(page, "leave-policy.md", HANDBOOK["en"])
    ask(page, QUESTION["en"])
    expect(page.locator("#question")).to_be_focused()
    chip = page.locator(".chip").first
    page.locator("#thread").focus()
    page.keyboard.press("Tab")
    expect(chip).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#passages-name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(chip).to_be_focused()


def test_a_live_region_announces_events(page: Page, platform: Platform) -> None:
    """It gets the upload, the states, the sentences of the answer and the quote."""
    enter(page, platform)
    add_document(page, "leave-policy.md", HANDBOOK["en"])
    told = page.get_by_role("log")
    expect(told).to_contain_text("leave-policy.md: Ready")
    ask(page, QUESTION["en"])
    expect(told).to_contain_text("five days")
    page.locator(".chip").first.click()
    expect(told).to_contain_text("Cited passage: ")


def test_reduced_motion_stops_animations(page: Page, platform: Platform) -> None:
    """With `prefers-reduced-motion` nothing is animated."""
    page.emulate_media(reduced_motion="reduce")
    enter(page, platform)
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("getComputedStyle(document.getElementById('side')).transitionDuration") in ("0s", "")
    assert page.evaluate("document.getAnimations().length") == 0
