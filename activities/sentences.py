"""Sentences and clauses of English, Chinese and other texts, without a model and without losing a character."""

from __future__ import annotations

import re

_CLOSERS = "\"'”’」』）)\\]》】"
# A full stop ends a sentence when white space and something like a beginning follow it.
_END = re.compile(
    rf"[。！？!?…]+[{_CLOSERS}]*\s*|[；;]\s*(?=[\u2e80-\u9fff])|\.[{_CLOSERS}]*\s+(?=[\"'“‘(\[（「『]*[^\Wa-z_])|\n+"
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
