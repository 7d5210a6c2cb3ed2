"""Whether a text holds what a question set expects: answers, passages, and the rank of the first right hit."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Protocol

#: Length in characters of the shingles by which a passage is recognised in a hit, and the share that must match.
SHINGLE, ALIKE = 8, 0.5


class Expected(Protocol):
    """What a question's search should find."""

    @property
    def documents(self) -> Sequence[str]: ...
    @property
    def answers(self) -> Sequence[str]: ...
    @property
    def passage(self) -> str: ...


class Shown(Protocol):
    """A hit of a search."""

    @property
    def document_id(self) -> str: ...
    @property
    def document_name(self) -> str: ...
    @property
    def text(self) -> str: ...


def rank_of(item: Expected, hits: Sequence[Shown]) -> int:
    """Place of the first right hit, from 1; 0 if there is none.

    If documents are expected, all hits of one document share a rank; otherwise each hit has its own.
    """
    if item.documents:
        names = list(dict.fromkeys((hit.document_name, hit.document_id) for hit in hits))
        return next((n for n, pair in enumerate(names, 1) if set(pair) & set(item.documents)), 0)
    if item.passage:
        return next((n for n, hit in enumerate(hits, 1) if alike(hit.text, item.passage)), 0)
    return next((n for n, hit in enumerate(hits, 1) if contains(hit.text, item.answers)), 0)


def contains(text: str, answers: Sequence[str]) -> bool:
    """Whether the text contains one of the answers, ignoring case, width and white space."""
    return any(plain(answer) in plain(text) for answer in answers)


def alike(text: str, passage: str) -> bool:
    """Whether most of one text is in the other: indexing splits passages differently."""
    mine, theirs = _shingles(text), _shingles(passage)
    return bool(mine and theirs) and len(mine & theirs) >= ALIKE * min(len(mine), len(theirs))


def plain(text: str) -> str:
    """The text without differences of case, width and white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _shingles(text: str) -> set[str]:
    letters = "".join(plain(text).split())
    return {letters[at : at + SHINGLE] for at in range(max(1, len(letters) - SHINGLE + 1))} if letters else set()
