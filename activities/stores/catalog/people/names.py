"""Names of users and groups."""

from __future__ import annotations

import re
import unicodedata

from activities.errors import InvalidName
from activities.phrases import Phrase

MAX_USER_NAME = 100
MAX_GROUP_NAME = 200
MAX_DISPLAY_NAME = 200

#: Actors of the audit trail that are no users: nobody acts under their names.
RESERVED = frozenset({"system", "anonymous", "unknown", "identity-provider", "temporal", "schedule"})

#: Scripts with letters that look like those of another one: a name has letters of one of them at most.
ALIKE = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"})

_USER = re.compile(r"\w[\w.@+-]*")


def user_name(name: str) -> str:
    """The name as it is stored: lower-case, in one form of Unicode. Raises InvalidName."""
    shown = spelt(name)
    _check_length(shown, MAX_USER_NAME)
    if not _USER.fullmatch(shown):
        raise InvalidName(name=name[:60], detail=Phrase.USER_NAME)
    if len(_scripts(shown) & ALIKE) > 1:
        raise InvalidName(name=name[:60], detail=Phrase.MIXED_SCRIPTS)
    return shown


def group_name(name: str) -> str:
    """The name of a group as it is stored. Raises InvalidName."""
    shown = spelt_group(name)
    _check_length(shown, MAX_GROUP_NAME)
    if "/" in shown or not shown.isprintable():
        raise InvalidName(name=name[:60], detail=Phrase.GROUP_NAME)
    return shown


def spelt(name: str) -> str:
    """The one spelling of a user's name, by which it is stored and looked up."""
    return unicodedata.normalize("NFKC", name).strip().lower()


def spelt_group(name: str) -> str:
    """The same of a group's name, in which upper and lower case differ."""
    return unicodedata.normalize("NFC", name).strip()


def _scripts(name: str) -> set[str]:
    """The first words of the names of its letters, which are those of their scripts."""
    return {unicodedata.name(each, "").split(" ")[0] for each in name if each.isalpha()}


def _check_length(name: str, limit: int) -> None:
    if not 1 <= len(name) <= limit:
        raise InvalidName(name=name[:60], detail=Phrase.NAME_TOO_LONG if name else Phrase.NAME_EMPTY, limit=limit)
