"""Cleaning and validation of document names and tags that come from clients and archives."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from activities.errors import InvalidName, InvalidRequest
from activities.phrases import Phrase

#: Longest name of a document, in characters.
MAX_NAME = 255

#: Longest tag of a document, in characters, and how many tags it may have.
MAX_TAG = 64
MAX_TAGS = 20

#: Longest search key of a name, in characters.
MAX_SEARCH_KEY = 400


def clean_name(name: str) -> str:
    """A normalized document name: relative, and never used as a path.

    Folders are kept (``reports/2024.pdf``); ``.``, ``..`` and empty parts are dropped. Raises InvalidName.
    """
    shown = name[:60]
    name = unicodedata.normalize("NFC", name).replace("\\", "/")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise InvalidName(name=shown, detail=Phrase.CONTROL_CHARACTERS)
    name = "/".join(part.strip() for part in name.split("/") if part.strip() not in ("", ".", ".."))
    if not name:
        raise InvalidName(name=shown, detail=Phrase.NAME_EMPTY)
    if len(name) > MAX_NAME:
        raise InvalidName(name=shown, detail=Phrase.NAME_TOO_LONG, limit=MAX_NAME)
    return name


def clean_tags(tags: Iterable[str]) -> list[str]:
    """Normalized tags: sorted, unique, lower-case, with single spaces. Raises InvalidRequest."""
    cleaned = {" ".join(unicodedata.normalize("NFC", tag).lower().split()) for tag in tags}
    for tag in cleaned:
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in tag):
            raise InvalidRequest(detail=Phrase.TAG_CONTROL_CHARACTERS)
        if not 1 <= len(tag) <= MAX_TAG:
            raise InvalidRequest(detail=Phrase.TAG_LENGTH, limit=MAX_TAG)
    if len(cleaned) > MAX_TAGS:
        raise InvalidRequest(detail=Phrase.TOO_MANY_TAGS, limit=MAX_TAGS)
    return sorted(cleaned)


def only_tag(tag: str) -> str:
    """One normalized tag. Raises InvalidRequest."""
    return clean_tags([tag])[0]


def search_key(text: str) -> str:
    """The form in which names are searched and sorted: without case and width, at most MAX_SEARCH_KEY characters."""
    return unicodedata.normalize("NFKC", text).lower()[:MAX_SEARCH_KEY]
