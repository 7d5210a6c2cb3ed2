"""Passages of a search result: removal of duplicate texts, and the neighbours of chunks cut inside a sentence."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec
import numpy as np

from activities.contracts.questions import Answered, AnswerSettings
from activities.stores.milvus import Row
from activities.stores.vectors import Vectors
from activities.text.blocks import begins_in_list, is_cut
from activities.text.lexicon import distinctions
from activities.text.terms import word_counts

#: Two texts are near-duplicates when they share this part of their words and all of their ``distinctions``.
ALIKE = 0.95

#: Passages shorter than this many bytes of UTF-8 have little meaning on their own.
#: (Neighbours of longer passages were measured: on XQuAD in small chunks they displace better passages.)
SHORT_BYTES = 60

_ENDS = re.compile(r"[.!?。！？…:：;；|)）\]】》”\"'’」』]\s*$")
_BEGINS_MIDWAY = re.compile(r"\s*[a-zß-öø-ÿ,;，；、。]")


class SourceTexts(msgspec.Struct, frozen=True):
    """The blob behind ``Retrieved.sources_key``: the passages' texts in order, and the question's vector.

    ``question`` is the query of the search, ``settings`` are those of the knowledge base for answers. ``contexts`` are
    those of the passages (see ``Chunk``), to be weighed and never quoted; none in blobs stored before there were any.
    For a question that goes on from earlier ones, ``asked`` is what it asks itself, and ``said`` is the answer before
    it. ``prepared`` is an answer that needs no search: from the catalogue, or the extract of a document.
    """

    texts: list[str]
    vector: bytes
    question: str
    settings: AnswerSettings = AnswerSettings()
    contexts: list[str] = []
    asked: str = ""
    said: str = ""
    prepared: Answered | None = None

    def question_vector(self) -> Vectors:
        """The vector, shape (dimension,), float32; empty when there was no dense search."""
        return np.frombuffer(self.vector, np.float32)


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """A retrieved chunk of a live document; ``score`` (0–1) orders the passages of one query.

    ``duplicates`` is the number of other candidates with the same text, or almost.
    """

    row: Row
    document_name: str
    score: float
    duplicates: int = 0

    @property
    def context(self) -> str:
        """Where the passage stands: the document's name, the headings above it (see ``Chunk``)."""
        return self.row.context


class _Fingerprint(msgspec.Struct, frozen=True):
    """The word counts of a text and their total."""

    words: Counter[str]
    total: int

    def is_like(self, other: _Fingerprint) -> bool:
        """Whether the texts share at least ``ALIKE`` of their words."""
        most = max(self.total, other.total)
        return min(self.total, other.total) >= ALIKE * most and (self.words & other.words).total() >= ALIKE * most


def deduplicate(ranked: Sequence[tuple[Row, float]], limit: int) -> list[tuple[Row, float, int]]:
    """The first ``limit`` different texts, best first, each with the number of its duplicates.

    Equal texts are counted among all candidates, near-duplicates only until ``limit`` texts are found.
    """
    kept: list[tuple[Row, float]] = []
    others: list[int] = []
    equal: dict[str, int] = {}
    alike: dict[tuple[str, ...], list[tuple[_Fingerprint, int]]] = defaultdict(list)
    for row, score in ranked:
        text = " ".join(row.text.split()).lower()
        place = equal.get(text)
        if place is None and len(kept) < limit:
            words = word_counts(text)
            found = _Fingerprint(words, words.total())
            group = alike[tuple(sorted(distinctions(text)))]
            place = next((at for known, at in group if known.is_like(found)), None)
            if place is None:
                group.append((found, len(kept)))
                equal[text] = len(kept)
                kept.append((row, score))
                others.append(0)
                continue
        if place is not None:
            equal[text] = place
            others[place] += 1
    return [(row, score, count) for (row, score), count in zip(kept, others, strict=True)]


def missing_neighbours(row: Row) -> list[int]:
    """Ordinals of the neighbouring chunks without which a passage cannot be understood; none for a complete one.

    A short passage needs both neighbours; one that begins or ends inside of a sentence or a list needs the rest of it.
    """
    short = len(row.text.encode()) < SHORT_BYTES
    before = row.ordinal > 0 and (short or _BEGINS_MIDWAY.match(row.text) is not None or begins_in_list(row.text))
    after = short or _ENDS.search(row.text) is None or is_cut(row.text)
    return [row.ordinal - 1] * before + [row.ordinal + 1] * after
