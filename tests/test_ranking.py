"""Ranking: how two rankings are fused, and how the terms of a query order passages."""

from __future__ import annotations

import pytest

from activities.ranking import (
    DENSE_WEIGHT,
    SENTENCE_PASSAGES,
    dense_weight,
    fuse,
    keyword_trust,
    with_sentences,
)
from activities.stores.milvus import Hit, Row
from activities.stores.triton import ModelCard


def hit(id: str, score: float) -> Hit:
    """A row that a search found."""
    return Hit(row=Row(id=id, document_id=id, version=1, ordinal=0, page=0, section="", text=id), score=score)


def card(*languages: str) -> ModelCard:
    """A model of these languages."""
    return ModelCard(model="m", fingerprint="f", dimension=4, max_tokens=512, batch_size=8, languages=list(languages))


def fused(dense: list[Hit], keyword: list[Hit], weight: float) -> dict[str, float]:
    """Scores by id, in the order of the ranking."""
    return {row.id: round(score, 6) for row, score in fuse(dense, keyword, weight)}


def test_two_rankings_become_one() -> None:
    """Cosines by their range, BM25 by its best, weighted and added; best first."""
    dense, keyword = [hit("a", 0.9), hit("b", 0.8), hit("c", 0.5)], [hit("b", 8.0), hit("d", 2.0)]
    scores = fused(dense, keyword, 0.5)
    assert scores == {"b": 0.875, "a": 0.5, "d": 0.125, "c": 0.0}
    assert list(scores) == ["b", "a", "d", "c"]


@pytest.mark.parametrize(("weight", "first"), [(1.0, "a"), (0.0, "b")])
def test_the_weight_is_the_share_of_the_cosines(weight: float, first: str) -> None:
    """1 is the dense ranking, 0 that of the words; scores stay between 0 and 1."""
    scores = fused([hit("a", 0.9), hit("b", 0.1)], [hit("b", 8.0), hit("a", 2.0)], weight)
    assert next(iter(scores)) == first
    assert all(0 <= score <= 1 for score in scores.values())


def test_one_ranking_alone_is_kept() -> None:
    """Without the other, or with all scores equal, the order is that of the one."""
    assert fused([hit("a", 0.9), hit("b", 0.8)], [], 0.5) == {"a": 0.5, "b": 0.0}
    assert fused([], [hit("a", 4.0), hit("b", 1.0)], 0.5) == {"a": 0.5, "b": 0.125}
    assert fused([hit("a", 0.7)], [], 0.5) == {"a": 0.5}
    assert fused([hit("b", 0.7), hit("a", 0.7)], [], 0.5) == {"a": 0.5, "b": 0.5}
    assert fused([], [], 0.5) == {}


def test_equal_scores_have_one_order() -> None:
    """Whatever the order in which they came: the same question has the same answer."""
    assert list(fused([], [hit("b", 1.0), hit("c", 1.0), hit("a", 1.0)], 0.0)) == ["a", "b", "c"]


def test_cosines_have_no_weight_in_a_language_that_is_not_declared() -> None:
    """Then terms alone decide; a model that declares no language has weight in all."""
    assert dense_weight(card("en"), "annual leave") == DENSE_WEIGHT
    assert dense_weight(card("en"), "年假") == 0.0
    assert dense_weight(card("en", "zh"), "年假") == DENSE_WEIGHT
    assert dense_weight(card(), "年假") == DENSE_WEIGHT


def text_hit(id: str, score: float, text: str) -> Hit:
    """A row with a text."""
    return Hit(row=Row(id=id, document_id=id, version=1, ordinal=0, page=0, section="", text=text), score=score)


def test_bm25_is_weighted_by_the_terms_that_are_found() -> None:
    """A question in another language than the documents finds hardly any of its words: cosines then decide."""
    found = [text_hit("a", 9.0, "Unused annual leave is carried over."), text_hit("b", 2.0, "GPU")]
    assert keyword_trust("carry over unused leave", found) == 1.0
    assert 0 < keyword_trust("GPU 驱动程序怎么安装", found) < 0.5
    assert keyword_trust("年假可以结转吗", found) == 0.0
    assert keyword_trust("annual leave", []) == 0.0
    assert keyword_trust("?", found) == 1.0


@pytest.mark.parametrize(("trust", "first"), [(1.0, "words"), (0.2, "meaning")])
def test_trust_moves_the_weight_to_the_cosines(trust: float, first: str) -> None:
    """What the words say counts less the fewer of them were found; scores stay between 0 and 1."""
    dense, keyword = [hit("meaning", 0.9), hit("words", 0.84), hit("c", 0.5)], [hit("words", 9.0), hit("c", 1.0)]
    ranked = fuse(dense, keyword, 0.6, trust)
    assert ranked[0][0].id == first
    assert all(0 <= score <= 1 for _, score in ranked)


def test_without_belief_in_either_the_order_is_that_of_the_cosines() -> None:
    """No word found and a language that the model does not know: something is still better than by chance."""
    assert list(fused([hit("b", 0.9), hit("a", 0.8)], [], 0.0)) == ["b", "a"]


def test_words_that_stand_together_count_more() -> None:
    """Of two passages with the same words, the one with a sentence that holds them all comes first."""
    apart = text_hit("apart", 1.0, "Leave is annual. The office is closed. Nothing is carried over.").row
    together = text_hit("together", 1.0, "The office is closed. Annual leave is carried over.").row
    ranked = with_sentences("carried over annual leave", [(apart, 0.7), (together, 0.68)])
    assert [row.id for row, _ in ranked] == ["together", "apart"]
    assert all(0 <= score <= 1 for _, score in ranked)


def test_only_the_best_passages_are_looked_at_again() -> None:
    """The others stay behind them in their order; a query without a word changes no order at all."""
    rows = [
        (text_hit(f"{n:02}", 1.0, "Annual leave." if n % 2 else "").row, 1 - n / 100)
        for n in range(SENTENCE_PASSAGES + 3)
    ]
    ranked = with_sentences("annual leave", rows)
    assert [row.id for row, _ in ranked[SENTENCE_PASSAGES:]] == [row.id for row, _ in rows[SENTENCE_PASSAGES:]]
    assert {row.id for row, _ in ranked[: SENTENCE_PASSAGES // 2]} == {row.id for row, _ in rows[1:SENTENCE_PASSAGES:2]}
    assert [row.id for row, _ in with_sentences("?", rows)] == [row.id for row, _ in rows]
    assert with_sentences("annual leave", []) == []
