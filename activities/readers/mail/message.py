"""The format-independent model of a mail: header fields, bodies and attachments."""

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
    """A part of the mail's own text; ``rtf`` holds bytes decoded as latin-1, ``calendar`` unfolded lines."""

    kind: Literal["plain", "html", "rtf", "calendar"]
    text: str


class Attachment(msgspec.Struct, frozen=True):
    """An attached file, or an attached mail that is parsed on demand. ``inline``: displayed within the body."""

    name: str
    content: bytes | Callable[[], Mail]
    inline: bool = False


class Mail(msgspec.Struct, frozen=True):
    """A mail. ``fields`` are the names and values of the displayed header fields."""

    subject: str
    fields: list[tuple[str, str]]
    bodies: list[Body]
    attachments: list[Attachment]


def preferred_body(plain: str, html: str) -> list[Body]:
    """One of two versions of the same body: plain text, unless it only refers to the HTML version.

    Markup of mails is layout more often than structure, but some programs write a single sentence as plain text.
    """
    if len("".join(plain.split())) * 2 >= len("".join(_visible(html).split())) and "<table" not in html.lower():
        return [Body("plain", plain)] if plain.strip() else []
    return [Body("html", html)]


def _visible(html: str) -> str:
    """The approximate visible text of an HTML page, in linear time for any input."""
    return _TAG.sub("", "".join(_HIDDEN_START.split(piece, maxsplit=1)[0] for piece in _HIDDEN_END.split(html)))
