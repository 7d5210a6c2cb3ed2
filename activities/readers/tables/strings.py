"""Texts of a workbook's cells: shared and inline strings, with exponents, indices and struck-out parts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Any

from openpyxl.xml.constants import SHEET_MAIN_NS
from openpyxl.xml.functions import iterparse

from activities.readers.runs import Run, joined

_ITEM, _TEXT, _RUN, _PRINT, _SHIFT, _STRIKE = (
    f"{{{SHEET_MAIN_NS}}}{name}" for name in ("si", "t", "r", "rPr", "vertAlign", "strike")
)
_SHIFTS = {"superscript": "raised", "subscript": "lowered"}
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_FALSE = ("0", "false")


class Strings:
    """Reads strings, and counts those with struck-out parts."""

    def __init__(self) -> None:
        self.struck = 0

    def table(self, source: IO[bytes]) -> list[str]:
        """The shared strings of a workbook."""
        strings: list[str] = []
        for _, node in iterparse(source):
            if node.tag == _ITEM:
                strings.append(self.text(node))
                node.clear()
        return strings

    def text(self, item: Any) -> str:
        """The text of one string; phonetic hints are left out."""
        if len(item) == 1 and item[0].tag == _TEXT:
            return _unescaped(item[0].text or "")
        runs = list(_runs(item))
        self.struck += any(run.struck and run.text.strip() for run in runs)
        if any(run.struck or run.shift for run in runs):
            return joined(runs, {})[0]
        return "".join(run.text for run in runs)


def _runs(item: Any) -> Iterator[Run]:
    for child in item:
        if child.tag == _TEXT:
            yield Run(_unescaped(child.text or ""))
        elif child.tag == _RUN:
            shift = child.find(f"{_PRINT}/{_SHIFT}")
            strike = child.find(f"{_PRINT}/{_STRIKE}")
            struck = strike is not None and strike.get("val") not in _FALSE
            raised = _SHIFTS.get(shift.get("val"), "") if shift is not None else ""
            yield Run(_unescaped(child.findtext(_TEXT) or ""), raised, struck)  # type: ignore[arg-type]


def _unescaped(text: str) -> str:
    """The text with characters in place of ``_x000D_``; control characters become spaces."""
    return _ESCAPED.sub(_character, text) if "_x" in text else text


def _character(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if character.isprintable() else " "
