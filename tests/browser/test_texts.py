"""The page's texts: each in both languages, each used, none built from data as markup."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from activities.contracts.webhooks import EVENT_TYPES
from activities.stores.catalog.audit.actions import ACTIONS

WEB = Path(__file__).parents[2] / "api" / "web"
SCRIPTS = sorted(path for path in WEB.rglob("*.js") if "vendor" not in path.parts)
TEXTS = sorted((WEB / "texts").glob("*.js"))
CHINESE = re.compile(r"[\u4e00-\u9fff]")
STRING = r"'((?:[^'\\]|\\.)*)'"
ENTRY = re.compile(rf"^  '([\w.]+)': \[{STRING},\s*{STRING}\],$", re.MULTILINE)
SAME = {"app.title", "app.title_in_kb"}  # the product's name, the same in every language
SVG = "http://www.w3.org/2000/svg"  # an XML namespace that looks like a URL


def messages() -> dict[str, tuple[str, str]]:
    table = "".join(path.read_text().split("export default {", 1)[1].split("\n};", 1)[0] for path in TEXTS)
    found = {key: (english, chinese) for key, english, chinese in ENTRY.findall(table)}
    assert len(found) == len(re.findall(r"^  '", table, re.MULTILINE)), "an entry is not written as 'key': ['…', '…'],"
    return found


def used_in_scripts() -> set[str]:
    """Every quoted word in the scripts that has the form of a key of a known group."""
    groups = "|".join(sorted({key.split(".")[0] for key in messages()}))
    code = "".join(path.read_text() for path in SCRIPTS if path not in TEXTS)
    # A file name (`./answer.js`) does not match: the quote of a key opens right before its group.
    return set(re.findall(rf"'((?:{groups})\.\w+)'", code))


def used_in_page() -> set[str]:
    page = (WEB / "index.html").read_text()
    bound = re.findall(r'data-i18n-attr="([^"]+)"', page)
    return set(re.findall(r'data-i18n="([^"]+)"', page)) | {
        pair.split("=")[1].strip() for pairs in bound for pair in pairs.split(",")
    }


@pytest.mark.parametrize(("key", "texts"), messages().items())
def test_a_text_is_there_in_both_languages(key: str, texts: tuple[str, str]) -> None:
    """Each text exists in English and Chinese, with the same parameters."""
    english, chinese = texts
    assert english
    assert chinese
    assert not CHINESE.search(english)
    assert key in SAME or CHINESE.search(chinese) or not re.search(r"[A-Za-z]", re.sub(r"\{\w+\}", "", chinese))
    names = [set(re.findall(r"\{(\w+)", text)) for text in texts]
    assert names[0] == names[1]


def test_used_texts_exist_and_existing_texts_are_used() -> None:
    """No `data-i18n` and no call names a missing text; no text is unused."""
    used = (used_in_scripts() | used_in_page()) - set(EVENT_TYPES)
    assert used - messages().keys() == set()
    assert messages().keys() - used == set()


def test_the_page_holds_under_a_strict_content_security_policy() -> None:
    """No inline script or style, no URL of another host, no data that becomes markup."""
    page = (WEB / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    for path in [*SCRIPTS, WEB / "index.html", *WEB.rglob("*.css")]:
        text = path.read_text().replace(SVG, "")
        assert not re.search(r"(?:src|href)=\"(?!/web/|#)|@import|url\(|https?:", text), path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), path.name


def test_every_action_of_the_audit_trail_has_its_sentence() -> None:
    """In both languages, with the same parameters; none for an action that does not exist."""
    table = (WEB / "texts" / "audit.js").read_text().split("export const SENTENCES = {", 1)[1]
    found = re.findall(rf"^  '([\w.-]+)': \[{STRING},\s*{STRING}\],$", table, re.MULTILINE)
    assert len(found) == len({action for action, _, _ in found})
    assert {action for action, _, _ in found} == ACTIONS.keys()
    for action, english, chinese in found:
        assert CHINESE.search(chinese), action
        assert not CHINESE.search(english), action
        assert re.search(r"[A-Za-z]{3}", english), action
        used = [set(re.findall(r"\{(\w+)", text)) for text in (english, chinese)]
        assert used[0] == used[1] <= {"actor", "ok", "what"}, action
