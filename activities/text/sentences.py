"""Sentences and clauses of English, Chinese and other texts, without a model and without losing a character."""

from __future__ import annotations

import re

from activities.text.scripts import IDEOGRAPHIC

#: ``Team: Blues | Location: STL``: a row of a table, as readers write it.
TABLE_ROW = re.compile(r"\S \| \S")

#: Clauses that end in a semicolon are one sentence up to this many characters.
SENTENCE_CHARACTERS = 240

_CLOSERS = "\"'”’」』）)\\]》】"
# A full stop ends a sentence when white space and something like a beginning follow it.
_END = re.compile(
    rf"[。！？!?…]+[{_CLOSERS}]*\s*|[；;]\s*(?=[{IDEOGRAPHIC}])|\.[{_CLOSERS}]*\s+(?=[\"'“‘(\[（「『]*[^\Wa-z_])|\n+"
)
_CLAUSE = re.compile(rf"[，,、；;：:][{_CLOSERS}]*\s*|[—–]+\s*|\s+-\s+")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"“])(?:Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|Gen|Col|Capt|Lt|Rev|Gov|Sen|Mt|No|Nos|Fig|Figs|Eq|Sec|Art|vs?|al"
    r"|etc|e\.g|i\.e|cf|approx|Inc|Ltd|Co"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|[A-Z]|(?:[A-Z]\.)+[A-Z])\.\s+$"
)


def sentences(text: str) -> list[str]:
    """The sentences of ``text``, each with the white space after it: joined they are the text again."""
    pieces: list[str] = []
    start = 0
    for match in _END.finditer(text):
        piece = text[start : match.end()]
        if match[0].startswith(".") and _ABBREVIATION.search(piece[-24:]):
            continue
        pieces.append(piece)
        start = match.end()
    return [*pieces, text[start:]] if start < len(text) else pieces


def clauses(text: str) -> list[str]:
    """The clauses of a sentence, each with its comma and white space."""
    cuts = [match.end() for match in _CLAUSE.finditer(text) if match.end() < len(text)]
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def halves(text: str) -> list[str]:
    """Two pieces of a text without any punctuation, cut at white space near the middle, or anywhere."""
    middle = len(text) // 2
    if len(text) < 2:
        return [text]
    space = text.rfind(" ", middle // 2, middle + 1)
    cut = space + 1 if space >= 0 else middle
    return [text[:cut], text[cut:]]


def spans(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a passage are, without the space around them.

    A line never continues in the next; a table's row is one sentence, and so are clauses with semicolons.
    """
    found: list[tuple[int, int]] = []
    at = 0
    for line in text.splitlines(keepends=True):
        begin, joins = at, False
        for piece in [line] if TABLE_ROW.search(line) else sentences(line):
            start, end = begin + len(piece) - len(piece.lstrip()), begin + len(piece.rstrip())
            begin += len(piece)
            if start >= end:
                continue
            if joins and end - found[-1][0] <= SENTENCE_CHARACTERS:
                found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
            joins = text[end - 1] in "；;"
        at += len(line)
    return found
