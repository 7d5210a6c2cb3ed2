"""One ranking out of two: how scores are weighted, and how the words of a query change the order."""

from __future__ import annotations

import msgspec
import pytest

from activities.retrieval.ranking import (
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
    """A row that a search returned."""
    return Hit(row=Row(id=id, document_id=id, version=1, ordinal=0, page=0, section="", text=id), score=score)


def card(*languages: str) -> ModelCard:
    """A model of these languages."""
    return ModelCard(model="m", fingerprint="f", dimension=4, max_tokens=512, batch_size=8, languages=list(languages))


def fused(dense: list[Hit], keyword: list[Hit], weight: float) -> dict[str, float]:
    """Scores by id, in ranking order."""
    return {row.id: round(score, 6) for row, score in fuse(dense, keyword, weight)}


def test_two_rankings_become_one() -> None:
    """Cosines scaled by their range, BM25 by its best, weighted and added; best first."""
    dense, keyword = [hit("a", 0.9), hit("b", 0.8), hit("c", 0.5)], [hit("b", 8.0), hit("d", 2.0)]
    scores = fused(dense, keyword, 0.5)
    assert scores == {"b": 0.875, "a": 0.5, "d": 0.125, "c": 0.0}
    assert list(scores) == ["b", "a", "d", "c"]


@pytest.mark.parametrize(("weight", "first"), [(1.0, "a"), (0.0, "b")])
def test_the_weight_decides_which_ranking_counts(weight: float, first: str) -> None:
    """1 is the dense ranking, 0 the keyword ranking; scores stay between 0 and 1."""
    scores = fused([hit("a", 0.9), hit("b", 0.1)], [hit("b", 8.0), hit("a", 2.0)], weight)
    assert next(iter(scores)) == first
    assert all(0 <= score <= 1 for score in scores.values())


def test_one_ranking_alone_is_kept() -> None:
    """Without the other, or with equal scores, the order is that of the one."""
    assert fused([hit("a", 0.9), hit("b", 0.8)], [], 0.5) == {"a": 0.5, "b": 0.0}
    assert fused([], [hit("a", 4.0), hit("b", 1.0)], 0.5) == {"a": 0.5, "b": 0.125}
    assert fused([hit("a", 0.7)], [], 0.5) == {"a": 0.5}
    assert fused([hit("b", 0.7), hit("a", 0.7)], [], 0.5) == {"a": 0.5, "b": 0.5}
    assert fused([], [], 0.5) == {}


def test_equal_scores_have_one_order() -> None:
    """In whatever order hits arrive, the same question has the same answer."""
    assert list(fused([], [hit("b", 1.0), hit("c", 1.0), hit("a", 1.0)], 0.0)) == ["a", "b", "c"]


def test_a_model_has_no_weight_in_a_language_it_lacks() -> None:
    """Then words alone decide; a model that declares no languages counts in all."""
    assert dense_weight(card("en"), "annual leave") == DENSE_WEIGHT
    assert dense_weight(card("en"), "年假") == 0.0
    assert dense_weight(card("en", "zh"), "年假") == DENSE_WEIGHT
    assert dense_weight(card(), "年假") == DENSE_WEIGHT


def text_hit(id: str, score: float, text: str) -> Hit:
    """A row with a text."""
    return Hit(row=Row(id=id, document_id=id, version=1, ordinal=0, page=0, section="", text=text), score=score)


def test_keyword_weight_follows_the_share_of_words_found() -> None:
    """A question in another language than the documents has hardly any of its words in them: cosines decide."""
    found = [text_hit("a", 9.0, "Unused annual leave is carried over."), text_hit("b", 2.0, "GPU")]
    assert keyword_trust("carry over unused leave", found) == 1.0
    assert 0 < keyword_trust("GPU 驱动程序怎么安装", found) < 0.5
    assert keyword_trust("年假可以结转吗", found) == 0.0
    assert keyword_trust("annual leave", []) == 0.0
    assert keyword_trust("?", found) == 1.0


@pytest.mark.parametrize(("trust", "first"), [(1.0, "words"), (0.2, "meaning")])
def test_trust_moves_the_weight_to_the_cosines(trust: float, first: str) -> None:
    """The fewer words are found, the less keyword scores count; scores stay between 0 and 1."""
    dense, keyword = [hit("meaning", 0.9), hit("words", 0.84), hit("c", 0.5)], [hit("words", 9.0), hit("c", 1.0)]
    ranked = fuse(dense, keyword, 0.6, trust)
    assert ranked[0][0].id == first
    assert all(0 <= score <= 1 for _, score in ranked)


def test_without_weight_of_either_cosines_decide() -> None:
    """No word found, and a language that the model lacks: still better than a random order."""
    assert list(fused([hit("b", 0.9), hit("a", 0.8)], [], 0.0)) == ["b", "a"]


def test_words_that_stand_together_count_more() -> None:
    """Of two passages with the same words, the one with all of them in one sentence comes first."""
    apart = text_hit("apart", 1.0, "Leave is annual. The office is closed. Nothing is carried over.").row
    together = text_hit("together", 1.0, "The office is closed. Annual leave is carried over.").row
    ranked = with_sentences("carried over annual leave", [(apart, 0.7), (together, 0.68)])
    assert [row.id for row, _ in ranked] == ["together", "apart"]
    assert all(0 <= score <= 1 for _, score in ranked)


def test_only_the_best_passages_are_reordered() -> None:
    """The others stay behind them in their order; a query without words changes no order."""
    rows = [
        (text_hit(f"{n:02}", 1.0, "Annual leave." if n % 2 else "").row, 1 - n / 100)
        for n in range(SENTENCE_PASSAGES + 3)
    ]
    ranked = with_sentences("annual leave", rows)
    assert [row.id for row, _ in ranked[SENTENCE_PASSAGES:]] == [row.id for row, _ in rows[SENTENCE_PASSAGES:]]
    assert {row.id for row, _ in ranked[: SENTENCE_PASSAGES // 2]} == {row.id for row, _ in rows[1:SENTENCE_PASSAGES:2]}
    assert [row.id for row, _ in with_sentences("?", rows)] == [row.id for row, _ in rows]
    assert with_sentences("annual leave", []) == []


def test_words_of_the_context_count_for_its_sentences() -> None:
    """Of two passages with the same sentence, the one whose document or section is asked for comes first."""
    text = "The garage is closed at eleven."
    graz, porto = (
        msgspec.structs.replace(text_hit(town, 1.0, text).row, context=f"House rules › {town}")
        for town in ("Graz", "Porto")
    )
    ranked = with_sentences("When is the garage in Porto closed?", [(graz, 0.7), (porto, 0.68)])
    assert [row.id for row, _ in ranked] == ["Porto", "Graz"]
    assert keyword_trust("Porto rules", [Hit(row=porto, score=1.0)]) == 1.0
