"""Splits English, Chinese and other texts into sentences and clauses, without a model and without loss."""

from __future__ import annotations

import re

from activities.text.scripts import IDEOGRAPHIC

#: A row of a table in the notation of the readers: ``Team: Blues | Location: STL``.
TABLE_ROW = re.compile(r"\S \| \S")

#: Clauses that end in a semicolon form one sentence of at most this many characters.
SENTENCE_CHARACTERS = 240

_CLOSERS = "\"'”’」』）)\\]》】"
# A full stop ends a sentence when white space and a possible beginning of a sentence follow.
_END = re.compile(
    rf"[。！？!?…]+[{_CLOSERS}]*\s*|[；;]\s*(?=[{IDEOGRAPHIC}])|\.[{_CLOSERS}]*\s+(?=[\"'“‘(\[（「『]*[^\Wa-z_])|\n+"
)
_CLAUSE = re.compile(rf"[，,、；;：:][{_CLOSERS}]*\s*|[—–]+\s*|(?<!\s)\s++-\s+")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"“])(?:Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|Gen|Col|Capt|Lt|Rev|Gov|Sen|Mt|No|Nos|Fig|Figs|Eq|Sec|Art|vs?|al"
    r"|etc|e\.g|i\.e|cf|approx|Inc|Ltd|Co"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|[A-Z]|(?:[A-Z]\.)+[A-Z])\.\s+$"
)


def sentences(text: str) -> list[str]:
    """The sentences of ``text``, each with the white space after it; their concatenation is ``text``."""
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
    """The clauses of a sentence, each with the punctuation and white space after it."""
    cuts = [match.end() for match in _CLAUSE.finditer(text) if match.end() < len(text)]
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def halves(text: str) -> list[str]:
    """Two parts of a text, cut at white space near the middle, or in the middle when there is none."""
    middle = len(text) // 2
    if len(text) < 2:
        return [text]
    space = text.rfind(" ", middle // 2, middle + 1)
    cut = space + 1 if space >= 0 else middle
    return [text[:cut], text[cut:]]


def spans(text: str) -> list[tuple[int, int]]:
    """Start and end offsets of the sentences of a passage, without surrounding white space.

    A sentence never spans lines. A table row is one sentence, and so are clauses joined by semicolons.
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
