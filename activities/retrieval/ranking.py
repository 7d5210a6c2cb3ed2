"""Ranking: fuses dense and BM25 candidates into one order.

Cosines count by their range among the candidates, BM25 scores relative to the best of them. BM25 is weighted by how
many query terms the best passages contain: a question in another language than the documents finds few of its terms,
and cosines decide. Cosines have no weight in a language that the embedding model does not declare. BM25 does not know
whether terms stand together: of the best passages, those with one sentence that holds many of the terms come first.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from activities.stores.milvus import Hit, Row
from activities.stores.triton import ModelCard
from activities.text.scripts import query_language
from activities.text.sentences import sentences
from activities.text.terms import search_terms

#: Weight of the cosines when BM25 has full weight and the model declares the language of the query.
DENSE_WEIGHT = 0.6

#: Weight of the best sentence relative to the fused score, and the number of passages that are scored by sentence.
SENTENCE_WEIGHT = 0.5
SENTENCE_PASSAGES = 12

#: BM25 has full weight when one of the ``BEST`` best passages contains this share of the query's words.
BEST = 3
ENOUGH_TERMS = 0.5


def dense_weight(card: ModelCard, query: str) -> float:
    """Weight of the cosines; 0 in a language that the model does not declare."""
    known = not card.languages or query_language(query) in card.languages
    return DENSE_WEIGHT if known else 0.0


def keyword_trust(query: str, keyword: Sequence[Hit]) -> float:
    """Trust in BM25, 0–1, by the share of the query's words that the best hits contain."""
    wanted = search_terms(query)
    held = max((len(wanted & search_terms(in_context(hit.row))) for hit in keyword[:BEST]), default=0)
    return min(1.0, held / len(wanted) / ENOUGH_TERMS) if wanted else 1.0


def fuse(dense: Sequence[Hit], keyword: Sequence[Hit], weight: float, trust: float = 1.0) -> list[tuple[Row, float]]:
    """Fuses two rankings into one, best first, scores 0–1; ``weight`` is the share of the cosines at full ``trust``."""
    share = weight / (weight + (1 - weight) * trust) if weight else 0.0
    rows = {hit.row.id: hit.row for hit in (*dense, *keyword)}
    cosines = {hit.row.id: hit.score for hit in dense}
    scores = dict.fromkeys(rows, 0.0)
    if dense:
        low, high = dense[-1].score, dense[0].score
        for hit in dense:
            scores[hit.row.id] += share * ((hit.score - low) / (high - low) if high > low else 1.0)
    if keyword and keyword[0].score > 0:
        for hit in keyword:
            scores[hit.row.id] += (1 - share) * hit.score / keyword[0].score
    order = sorted(scores, key=lambda row: (-scores[row], -cosines.get(row, -1.0), row))
    return [(rows[id], scores[id]) for id in order]


def with_sentences(query: str, ranked: Sequence[tuple[Row, float]]) -> list[tuple[Row, float]]:
    """Re-ranks the first ``SENTENCE_PASSAGES`` by how much of the query their best sentence, in its context, holds."""
    first = ranked[:SENTENCE_PASSAGES]
    wanted = search_terms(query)
    parts = [_sentence_terms(row, wanted) for row, _ in first]
    frequency = Counter(term for sentence_terms in parts for term in set().union(*sentence_terms))
    weights = {term: math.log(1 + len(first) / (frequency[term] + 0.5)) for term in wanted}
    total = sum(weights.values()) or 1.0
    best = [max((sum(map(weights.__getitem__, held)) for held in found), default=0.0) / total for found in parts]
    best += [0.0] * (len(ranked) - len(first))
    scored = [
        (row, (score + SENTENCE_WEIGHT * sentence) / (1 + SENTENCE_WEIGHT))
        for (row, score), sentence in zip(ranked, best, strict=True)
    ]
    return sorted(scored, key=lambda pair: -pair[1])  # stable: equal scores keep their order


def in_context(row: Row) -> str:
    """A row's text with its context before it."""
    return f"{row.context}\n{row.text}" if row.context else row.text


def _sentence_terms(row: Row, wanted: set[str]) -> list[set[str]]:
    """The query's words in each sentence of a passage, or in its context."""
    around = wanted & search_terms(row.context)
    return [
        around | (wanted & search_terms(sentence)) for line in row.text.splitlines() for sentence in sentences(line)
    ]
