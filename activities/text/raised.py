"""Raised and lowered characters in Unicode, and whether a raised text is an exponent or the mark of a note."""

from __future__ import annotations

import re
from typing import Literal

_SUPERSCRIPTS = dict(
    zip(
        "0123456789+-−=()abcdefghijklmnoprstuvwxyz",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ",
        strict=True,
    )
)
_SUBSCRIPTS = dict(zip("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))

_MARK = re.compile(r"[\[(（]?(?P<mark>\d{1,3}|[a-z]|[*†‡§#]{1,3})[\])）]?")
_POWER = re.compile(r"[-+−]?\d{1,3}|[-+−]|\d[-+−]|[-+−]?[a-z]{1,2}\d?")
_PLAIN = frozenset(
    ("st", "nd", "rd", "th", "er", "ère", "re", "e", "ème", "o", "os", "me", "mes", "lle", "TM", "SM", "®", "™")
)
"""Endings of ordinals and titles, and signs of trade marks: text that is raised only in print."""

_TIMES_TEN = re.compile(r"[·⋅×*x] ?10$")
_UNIT = re.compile(r"(?:(?<![^\W_])(?<!['’])(?:[kdcmµμn]?m|ft|yd)|(?<=[/·⋅\d])s|[厘毫千分]?米)$")
_UNIT_POWERS = frozenset(("2", "3", "-1", "-2", "-3", "−1", "−2", "−3"))
_BASE = re.compile(r"(?:(?<![^\W_])(?<![\d.,])|(?<=[·⋅×*/=(+−-]))(?:10|2|[^\W\d_])$")
_BRACKETED = re.compile(r"[(\[][^()\[\]]{1,40}[)\]]$")
_WORD = re.compile(r"[^\W\d_]{3}")
_LETTER = re.compile(r"[^\W\d_]")
_RELATION = re.compile(r" ?[=+<>≤≥±≈·×]")
_LONGEST = 12  # of an exponent or index; longer raised text is text

Meaning = Literal["power", "mark", "text"]


def superscript(text: str) -> str:
    """The text in superscript characters, or as ``^(…)`` where one has none: ``⁻⁵``, ``^(Q)``."""
    return _in(_SUPERSCRIPTS, text, "^")


def subscript(text: str) -> str:
    """The text in subscript characters, or as ``_(…)`` where one has none: ``₁``, ``_(Q)``."""
    return _in(_SUBSCRIPTS, text, "_")


def mark_of(text: str) -> str:
    """The mark of a note without its brackets: ``2`` of ``2)``; empty for other text."""
    found = _MARK.fullmatch(text.strip())
    return found["mark"] if found else ""


def meaning(before: str, raised: str, after: str, *, noted: bool) -> Meaning:
    """What a raised text between two others is. ``noted``: there are notes with all of its marks."""
    before, raised = before[-60:], raised.strip()
    if raised in _PLAIN and before[-1:].isalnum() and not noted:
        is_variable = len(raised) == 1 and not before[-1:].isdigit() and _BASE.search(before)
        return "power" if is_variable else "text"
    if _is_power(before, raised, after):
        return "power"
    if noted:
        return "mark"
    if len(raised) <= _LONGEST and (_BASE.search(before) or _is_sum(before)):
        return "power"
    return "mark" if mark_of(raised) or not _LETTER.search(raised) else "text"


def _is_power(before: str, raised: str, after: str) -> bool:
    """Whether a raised text is an exponent or a charge, whatever notes there are."""
    if not _POWER.fullmatch(raised):
        return False
    if _TIMES_TEN.search(before) or (raised in _UNIT_POWERS and _UNIT.search(before)):
        return True
    if _BASE.search(before) and not before[-1:].isdigit() and _RELATION.match(after):
        return True
    return len(raised) > 1 and not raised.isalnum() and before[-1:].isalnum()


def note_of_mark(mark: str, note: str, *, chinese: bool) -> str:
    """A note as it follows the text that its mark stands in."""
    return f"（注{mark}：{note}）" if chinese else f" (note {mark}: {note})"


def apart(before: str, mark: str) -> str:
    """A mark whose note is nowhere, so that it does not touch the text before it."""
    raised = superscript(mark.strip())
    shown = mark.strip() if raised.startswith("^") else raised
    return f" {shown}" if before and not before[-1].isspace() else shown


def lowered(text: str) -> str:
    """A lowered text: an index, unless it is too long for one."""
    return subscript(text) if len(text) <= _LONGEST and not any(map(str.isspace, text.strip())) else text


def _is_sum(before: str) -> bool:
    """Whether a text ends in brackets around numbers and variables, rather than words."""
    found = _BRACKETED.search(before)
    return found is not None and _WORD.search(found[0]) is None


def _in(characters: dict[str, str], text: str, sign: str) -> str:
    found = [characters.get(character, "") for character in text]
    return "".join(found) if all(found) else f"{sign}({text})"
