"""The text of runs in slides and cells: exponents, indices, the marks of notes; struck-out runs are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from activities.text.raised import apart, lowered, mark_of, meaning, note_of_mark, superscript
from activities.text.scripts import is_han

_LONGEST_NOTE = 500  # characters of a note that is written at each of its marks


class Run(msgspec.Struct, frozen=True):
    """Text in one print."""

    text: str
    shift: Literal["", "raised", "lowered"] = ""
    struck: bool = False


def joined(runs: Iterable[Run], notes: Mapping[str, str]) -> tuple[str, list[str]]:
    """The text of a paragraph's runs, and the marks in it that have a note in ``notes``."""
    text = ""
    marks: list[str] = []
    kept = merged(runs)
    for run, after in zip(kept, [*(run.text for run in kept[1:]), ""], strict=False):
        if not run.shift:
            text += run.text
        elif run.shift == "lowered":
            text += lowered(run.text)
        elif not run.text.strip() or not text.strip():
            text += superscript(run.text) if mark_of(run.text).isalnum() else run.text
        else:
            found = [mark_of(part) for part in run.text.replace("，", ",").split(",")]
            noted = all(mark in notes for mark in found)
            match meaning(text, run.text, after, noted=noted):
                case "mark" if noted:
                    marks += found
                case "mark":
                    text += apart(text, run.text)
                case "power":
                    text += superscript(run.text.strip())
                case _:
                    text += run.text
    return " ".join(text.split()), marks


def merged(runs: Iterable[Run]) -> list[Run]:
    """The runs that are not struck out; neighbours in the same print are one."""
    kept: list[Run] = []
    for run in runs:
        if run.struck or not run.text:
            continue
        if kept and kept[-1].shift == run.shift:
            kept[-1] = Run(kept[-1].text + run.text, run.shift)
        else:
            kept.append(run)
    return kept


def note_of(runs: Sequence[Run]) -> tuple[str, str] | None:
    """The mark and the text of a paragraph that begins with a raised mark; None for a very long one."""
    kept = merged(runs)
    if len(kept) < 2 or kept[0].shift != "raised" or not (mark := mark_of(kept[0].text)):
        return None
    text, _ = joined(kept[1:], {})
    return (mark, text) if 0 < len(text) <= _LONGEST_NOTE else None


def with_notes(text: str, marks: Iterable[str], notes: Mapping[str, str]) -> str:
    """The text, followed by the notes of its marks."""
    for mark in dict.fromkeys(marks):
        text += note_of_mark(mark, notes[mark], chinese=is_han(notes[mark]))
    return text
