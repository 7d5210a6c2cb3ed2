"""Office Math (m:oMath) as text in one line: ``C/(1+0.035)ⁿ``, ``√(a²+b²)``, ``Σ_(i=1)^(n) xᵢ``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from docx.oxml.ns import qn

from activities.text.raised import subscript, superscript

_SIMPLE = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|[^\W_][\u2070-\u209f¹²³]*", re.UNICODE)
_DEEPEST = 50  # nesting of expressions; an equation below is left out
_NARY = {"∑": "Σ", "∏": "Π"}


def linear(math: Any, depth: int = 0) -> str:
    """The text of an equation, or of a part of one."""
    if depth > _DEEPEST:
        return ""
    return "".join(_part(child, depth + 1) for child in math.iterchildren())


def _part(node: Any, depth: int) -> str:
    kind = node.tag.rpartition("}")[2] if isinstance(node.tag, str) else "Pr"
    if kind == "t":
        return node.text or ""
    if kind in _OF_PARTS:

        def of(tag: str) -> str:
            child = node.find(qn(f"m:{tag}"))
            return linear(child, depth).strip() if child is not None else ""

        return _OF_PARTS[kind](of)
    if kind in _OF_NODE:
        return _OF_NODE[kind](node, depth)
    return "" if kind.endswith("Pr") else linear(node, depth)


def _delimited(node: Any, depth: int) -> str:
    begin, end = _property(node, "dPr", "begChr", "("), _property(node, "dPr", "endChr", ")")
    between = _property(node, "dPr", "sepChr", "|")
    inner = between.join(linear(item, depth).strip() for item in node.iterchildren(qn("m:e")))
    return f"{begin}{inner}{end}"


def _summed(node: Any, depth: int) -> str:
    sign = _property(node, "naryPr", "chr", "∫")
    low, high, term = (
        linear(child, depth).strip() if (child := node.find(qn(f"m:{tag}"))) is not None else ""
        for tag in ("sub", "sup", "e")
    )
    return f"{_NARY.get(sign, sign)}{_lowered(low)}{_raised(high)} {term}"


def _accented(node: Any, depth: int) -> str:
    return linear(node, depth) + _property(node, "accPr", "chr", "\u0302")


def _matrix(node: Any, depth: int) -> str:
    rows = (_lines(row, depth) for row in node.iterchildren(qn("m:mr")))
    return f"[{'; '.join(', '.join(row) for row in rows)}]"


def _lines(node: Any, depth: int) -> list[str]:
    return [linear(line, depth).strip() for line in node.iterchildren(qn("m:e"))]


def _property(node: Any, group: str, name: str, default: str) -> str:
    found = node.find(f"{qn(f'm:{group}')}/{qn(f'm:{name}')}")
    return default if found is None else found.get(qn("m:val"), "")


def _bracketed(text: str) -> str:
    """The text in brackets, unless it is one number, one name, or already in one pair of brackets."""
    if not text or _SIMPLE.fullmatch(text) or _is_one_group(text):
        return text
    return f"({text})"


def _is_one_group(text: str) -> bool:
    """Whether a text is one pair of brackets, or one with an exponent or index behind it."""
    if not text.startswith("("):
        return False
    level = 0
    for place, character in enumerate(text):
        level += (character == "(") - (character == ")")
        if level == 0:
            return all(
                "\u2070" <= after <= "\u209f" or after in "¹²³ᵃᵇᶜᵈᵉᶠᵍʰʲᵏˡᵐᵒᵖʳˢᵗᵘᵛʷˣʸᶻ" for after in text[place + 1 :]
            )
    return False


def _raised(text: str) -> str:
    return superscript(text) if text else ""


def _lowered(text: str) -> str:
    return subscript(text) if text else ""


_OF_PARTS: dict[str, Callable[[Callable[[str], str]], str]] = {
    "f": lambda of: f"{_bracketed(of('num'))}/{_bracketed(of('den'))}",
    "sSup": lambda of: _bracketed(of("e")) + _raised(of("sup")),
    "sSub": lambda of: _bracketed(of("e")) + _lowered(of("sub")),
    "sSubSup": lambda of: _bracketed(of("e")) + _lowered(of("sub")) + _raised(of("sup")),
    "sPre": lambda of: _lowered(of("sub")) + _raised(of("sup")) + of("e"),
    "rad": lambda of: f"{_raised(of('deg'))}√{_bracketed(of('e'))}",
    "func": lambda of: f"{of('fName')} {of('e')}".replace(" (", "("),
    "limLow": lambda of: of("e") + _lowered(of("lim")),
    "limUpp": lambda of: of("e") + _raised(of("lim")),
}
"""How an expression is written, by the text of its parts."""

_OF_NODE: dict[str, Callable[[Any, int], str]] = {
    "d": _delimited,
    "nary": _summed,
    "acc": _accented,
    "m": _matrix,
    "eqArr": lambda node, depth: "; ".join(_lines(node, depth)),
}
