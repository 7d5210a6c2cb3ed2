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
RESERVED = frozenset({"system", "anonymous", "unknown", "identity-provider"})

_USER = re.compile(r"\w[\w.@+-]*")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/]")


def user_name(name: str) -> str:
    """The name as it is stored: lower-case, in one form of Unicode. Raises InvalidName."""
    shown = unicodedata.normalize("NFKC", name).strip().lower()
    _check_length(shown, MAX_USER_NAME)
    if not _USER.fullmatch(shown):
        raise InvalidName(name=name[:60], detail=Phrase.USER_NAME)
    return shown


def group_name(name: str) -> str:
    """The name of a group as it is stored. Raises InvalidName."""
    shown = unicodedata.normalize("NFC", name).strip()
    _check_length(shown, MAX_GROUP_NAME)
    if _UNSAFE.search(shown):
        raise InvalidName(name=name[:60], detail=Phrase.GROUP_NAME)
    return shown


def _check_length(name: str, limit: int) -> None:
    if not 1 <= len(name) <= limit:
        raise InvalidName(name=name[:60], detail=Phrase.NAME_TOO_LONG if name else Phrase.NAME_EMPTY, limit=limit)
