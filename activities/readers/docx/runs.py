"""The print of runs: struck-out and hidden text is left out, raised and lowered text found; equations; form fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from docx.oxml.ns import qn

from activities.phrases import RemarkText
from activities.readers.docx.content import (
    PARAGRAPH,
    ROW,
    RUN,
    VALUE,
    clear,
    new_paragraph,
    new_run,
    number,
    on,
    text_of,
)
from activities.readers.docx.equations import linear

_STRIKE, _DSTRIKE, _VANISH = qn("w:strike"), qn("w:dstrike"), qn("w:vanish")
_ALIGN, _POSITION, _PROPERTIES = qn("w:vertAlign"), qn("w:position"), qn("w:rPr")
_PRINT = (_STRIKE, _DSTRIKE, _VANISH, _ALIGN, _POSITION)
_RUN_STYLE, _PARAGRAPH_STYLE = qn("w:rStyle"), qn("w:pStyle")
_MATH = (qn("m:oMathPara"), qn("m:oMath"))
_RAISED, _LONGEST_RAISED = 4, 6  # half-points and characters of text that is raised or lowered by its position alone
_SYMBOLS = {
    "Wingdings": dict(zip(["A8", "6F", "71", "FE", "FD", "FC", "FB", "E0", "A7", "D8"], "☐☐☐☒☒✓✗→▪➢", strict=True)),
    "Wingdings 2": dict(zip(["A3", "52", "54", "50", "4F"], "☐☑☒✓✗", strict=True)),
    "Symbol": dict(
        zip(
            [
                "A3",
                "B3",
                "B1",
                "B0",
                "B4",
                "B9",
                "BB",
                "A5",
                "D6",
                "AE",
                "B7",
                "44",
                "53",
                "57",
                "61",
                "62",
                "64",
                "67",
                "68",
                "6C",
                "6D",
                "70",
                "71",
                "72",
                "73",
                "74",
                "77",
                "66",
            ],
            "≤≥±°×≠≈∞√→•ΔΣΩαβδγηλµπθρστωφ",
            strict=True,
        )
    ),
}
"""Characters of fonts that have no Unicode, by their codes: check marks, arrows, signs and letters of formulas."""

Shift = Literal["", "superscript", "subscript"]


class Print(msgspec.Struct):
    """How a run is printed; None where a style or the run itself does not say."""

    struck: bool | None = None
    hidden: bool | None = None
    shift: Shift | None = None

    def over(self, below: Print) -> Print:
        """These properties, and those of ``below`` where these do not say."""
        return Print(
            below.struck if self.struck is None else self.struck,
            below.hidden if self.hidden is None else self.hidden,
            below.shift if self.shift is None else self.shift,
        )


class Styles:
    """The print of runs by their styles."""

    def __init__(self, styles: Any) -> None:
        self._own: dict[str, Print] = {}
        self._based: dict[str, str] = {}
        self.known: dict[str, Print] = {}
        """Styles that strike out, hide, raise or lower, themselves or by the one they are based on."""
        if next(styles.iter(*_PRINT), None) is None:
            return
        for style in styles.iterchildren(qn("w:style")):
            identifier, based = style.get(qn("w:styleId"), ""), style.find(qn("w:basedOn"))
            self._own[identifier] = _print(style.find(_PROPERTIES))
            if based is not None:
                self._based[identifier] = based.get(VALUE, "")
        for identifier in self._own:
            found = self._resolved(identifier)
            if found != Print():
                self.known[identifier] = found

    def _resolved(self, identifier: str) -> Print:
        found, seen = Print(), 0
        while identifier and seen < 20:
            found = found.over(self._own.get(identifier, Print()))
            identifier, seen = self._based.get(identifier, ""), seen + 1
        return found


def prints(root: Any, styles: Styles) -> dict[Any, Print]:
    """How the runs within ``root`` are printed that are printed in any special way, in document order."""
    marked: set[Any] = set()
    for node in root.iter(*_PRINT):
        run = node.getparent().getparent()
        if run is not None and run.tag == RUN:
            marked.add(run)
    if styles.known:
        for node in root.iter(_RUN_STYLE, _PARAGRAPH_STYLE):
            if node.get(VALUE) in styles.known:
                marked.update(_styled(node))
    if not marked:
        return {}
    return {run: found for run in root.iter(RUN) if run in marked and (found := _of_run(run, styles)) != Print()}


def _styled(style: Any) -> Iterator[Any]:
    """The runs to which a style applies."""
    holder = style.getparent().getparent()
    if holder is None:
        return
    if holder.tag == RUN:
        yield holder
    elif holder.tag == PARAGRAPH and style.tag == _PARAGRAPH_STYLE:
        yield from holder.iter(RUN)


def _of_run(run: Any, styles: Styles) -> Print:
    properties = run.find(_PROPERTIES)
    found = _print(properties, run)
    if not styles.known:
        return found
    if properties is not None and (style := properties.find(_RUN_STYLE)) is not None:
        found = found.over(styles.known.get(style.get(VALUE, ""), Print()))
    paragraph = next(run.iterancestors(PARAGRAPH), None)
    style = paragraph.find(f"{qn('w:pPr')}/{_PARAGRAPH_STYLE}") if paragraph is not None else None
    return found.over(styles.known.get(style.get(VALUE, ""), Print())) if style is not None else found


def _print(properties: Any, run: Any = None) -> Print:
    if properties is None:
        return Print()
    struck = [on(node) for node in properties.iterchildren(_STRIKE, _DSTRIKE)]
    hidden, align = properties.find(_VANISH), properties.find(_ALIGN)
    shift: Shift | None = None
    if align is not None:
        value = align.get(VALUE, "")
        shift = "superscript" if value == "superscript" else "subscript" if value == "subscript" else ""
    elif run is not None and (position := _position(properties.find(_POSITION))) and _is_short(run):
        shift = "superscript" if position > 0 else "subscript"
    return Print(any(struck) if struck else None, on(hidden) if hidden is not None else None, shift)


def _is_short(run: Any) -> bool:
    return len(text_of(run)) <= _LONGEST_RAISED


def _position(node: Any) -> float:
    """By how many half-points text is raised, if by so many that it is meant as an exponent or index."""
    value = node.get(VALUE, "") if node is not None else ""
    points = value.removesuffix("pt")
    if len(points) > 6 or not points.lstrip("-").replace(".", "", 1).isdecimal():
        return 0
    half_points = float(points) * (1 if points == value else 2)
    return half_points if abs(half_points) >= _RAISED else 0


def leave_out(found: dict[Any, Print], remarks: Counter[RemarkText], *, hidden: bool) -> None:
    """Removes struck-out text, and hidden text unless ``hidden`` is to be read; counts passages."""
    removed: dict[Any, RemarkText] = {}
    for run, printed in found.items():
        if printed.struck or (printed.hidden and not hidden):
            removed[run] = RemarkText.STRUCK_TEXT if printed.struck else RemarkText.HIDDEN_TEXT
    filled = {run: bool(text_of(run).strip()) for run in removed}
    for run, kind in removed.items():
        remarks[kind] += filled[run] and not filled.get(_previous(run), False)
    for run in removed:
        clear(run)
        found[run].shift = None


def _previous(run: Any) -> Any:
    """The run before a run, past a few marks such as bookmarks."""
    before = run.getprevious()
    for _ in range(4):
        if before is None or before.tag == RUN:
            return before
        before = before.getprevious()
    return None


def leave_out_rows(root: Any, remarks: Counter[RemarkText], *, hidden: bool) -> None:
    """Removes the hidden rows of tables, unless they are to be read."""
    for node in [] if hidden else list(root.iter(qn("w:hidden"))):
        row = node.getparent().getparent()
        if on(node) and row is not None and row.tag == ROW and row.getparent() is not None:
            remarks[RemarkText.HIDDEN_TEXT] += bool(text_of(row).strip())
            row.getparent().remove(row)


def write_equations(root: Any) -> None:
    """Replaces equations by their text."""
    for math in list(root.iter(*_MATH)):
        parent = math.getparent()
        if parent is None or any(above.tag in _MATH for above in math.iterancestors(*_MATH)):
            continue
        parts = list(math.iterchildren(_MATH[1])) if math.tag == _MATH[0] else [math]
        text = " ; ".join(filter(None, (" ".join(linear(part).split()) for part in parts)))
        outside = parent.tag != PARAGRAPH and next(math.iterancestors(PARAGRAPH), None) is None
        parent.replace(math, new_paragraph(math, text) if outside else new_run(math, text))


def write_fields(root: Any) -> None:
    """Writes the state of check boxes and the choice of drop-down lists of old forms, and symbols of fonts."""
    for data in list(root.iter(qn("w:ffData"))):
        box, choices = data.find(qn("w:checkBox")), data.find(qn("w:ddList"))
        run = next(data.iterancestors(RUN), None)
        if run is None:
            continue
        if box is not None:
            state = box.find(qn("w:checked"))
            run.addprevious(new_run(run, "☒" if on(state if state is not None else box.find(qn("w:default"))) else "☐"))
        elif choices is not None:
            entries = [entry.get(VALUE, "") for entry in choices.iterchildren(qn("w:listEntry"))]
            state = choices.find(qn("w:result"))
            chosen = number(state if state is not None else choices.find(qn("w:default")))
            if chosen < len(entries):
                run.addprevious(new_run(run, entries[chosen]))
    for symbol in list(root.iter(qn("w:sym"))):
        characters, code = _SYMBOLS.get(symbol.get(qn("w:font"), ""), {}), symbol.get(qn("w:char"), "").upper()
        if shown := characters.get(code[-2:]):
            text = symbol.makeelement(qn("w:t"))
            text.text = shown
            symbol.getparent().replace(symbol, text)
