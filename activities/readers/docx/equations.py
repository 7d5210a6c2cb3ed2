"""Office Math (m:oMath) as text in one line: ``C/(1+0.035)ⁿ``, ``√(a²+b²)``, ``Σ_(i=1)^(n) xᵢ``."""

from __future__ import annotations

import re
from typing import Any

from docx.oxml.ns import qn

from activities.text.raised import subscript, superscript

_SIMPLE = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|[^\W_][\u2070-\u209f¹²³]*", re.UNICODE)
_DEEPEST = 100  # nesting of expressions; an equation below is left out
_NARY = {"∑": "Σ", "∏": "Π"}


def linear(math: Any, depth: int = 0) -> str:
    """The text of an equation, or of a part of one."""
    if depth > _DEEPEST:
        return ""
    return "".join(_part(child, depth + 1) for child in math.iterchildren())


def _part(node: Any, depth: int) -> str:
    if not isinstance(node.tag, str):
        return ""
    kind = node.tag.rpartition("}")[2]

    def of(tag: str) -> str:
        child = node.find(qn(f"m:{tag}"))
        return linear(child, depth).strip() if child is not None else ""

    match kind:
        case "t":
            return node.text or ""
        case "f":
            return f"{_bracketed(of('num'))}/{_bracketed(of('den'))}"
        case "sSup":
            return _bracketed(of("e")) + _raised(of("sup"))
        case "sSub":
            return _bracketed(of("e")) + _lowered(of("sub"))
        case "sSubSup" | "sPre":
            return _bracketed(of("e")) + _lowered(of("sub")) + _raised(of("sup"))
        case "rad":
            return f"{_raised(of('deg'))}√{_bracketed(of('e'))}"
        case "nary":
            sign = _property(node, "naryPr", "chr", "∫")
            return f"{_NARY.get(sign, sign)}{_lowered(of('sub'))}{_raised(of('sup'))} {of('e')}"
        case "d":
            return _delimited(node, depth)
        case "func":
            return f"{of('fName')} {of('e')}".replace(" (", "(")
        case "limLow":
            return f"{of('e')}{_lowered(of('lim'))}"
        case "limUpp":
            return f"{of('e')}{_raised(of('lim'))}"
        case "m":
            rows = [[linear(cell, depth).strip() for cell in row.iterchildren(qn("m:e"))] for row in node.iterchildren(qn("m:mr"))]
            return "[" + "; ".join(", ".join(row) for row in rows) + "]"
        case "eqArr":
            return "; ".join(linear(line, depth).strip() for line in node.iterchildren(qn("m:e")))
        case "acc":
            return of("e") + _property(node, "accPr", "chr", "\u0302")
        case _ if kind.endswith("Pr"):
            return ""
        case _:
            return linear(node, depth)


def _delimited(node: Any, depth: int) -> str:
    begin, end = _property(node, "dPr", "begChr", "("), _property(node, "dPr", "endChr", ")")
    between = _property(node, "dPr", "sepChr", "|")
    inner = between.join(linear(item, depth).strip() for item in node.iterchildren(qn("m:e")))
    return f"{begin}{inner}{end}"


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
            return all("\u2070" <= after <= "\u209f" or after in "¹²³ᵃᵇᶜᵈᵉᶠᵍʰʲᵏˡᵐᵒᵖʳˢᵗᵘᵛʷˣʸᶻ" for after in text[place + 1 :])
    return False


def _raised(text: str) -> str:
    return superscript(text) if text else ""


def _lowered(text: str) -> str:
    return subscript(text) if text else ""
