"""What mails of all formats are to their reader: header, body, and what is attached."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import msgspec

_TAG = re.compile(r"<[^<>]*>")
_HIDDEN_START, _HIDDEN_END = (
    re.compile(r"<(?:style|script|head)\b", re.I),
    re.compile(r"</(?:style|script|head)>", re.I),
)


class Body(msgspec.Struct, frozen=True):
    """A part of what the sender wrote; ``rtf`` is bytes in latin-1."""

    kind: Literal["plain", "html", "rtf"]
    text: str


class Attached(msgspec.Struct, frozen=True):
    """A file, or a mail that is only taken apart when it is wanted. ``shown``: in the body, not beside it."""

    name: str
    content: bytes | Callable[[], Mail]
    shown: bool = False


class Mail(msgspec.Struct, frozen=True):
    """A mail. ``fields`` are the lines of its header that people look at."""

    subject: str
    fields: list[tuple[str, str]]
    bodies: list[Body]
    attached: list[Attached]


def best(plain: str, html: str) -> list[Body]:
    """One of two versions of the same body: plain text, unless it only says to look at the other one.

    Markup of mails is layout more often than structure; but some programs leave a single sentence as plain text.
    """
    if len("".join(plain.split())) * 2 >= len("".join(_visible(html).split())) and "<table" not in html.lower():
        return [Body("plain", plain)] if plain.strip() else []
    return [Body("html", html)]


def _visible(html: str) -> str:
    """About what a page shows; linear, whatever is in it."""
    return _TAG.sub("", "".join(_HIDDEN_START.split(piece, maxsplit=1)[0] for piece in _HIDDEN_END.split(html)))
