"""Figures of an evaluation: ranks, text comparison, and sums over a question set."""

from __future__ import annotations

import msgspec
import pytest

from activities.contracts.gate import Item
from activities.text.matching import alike, contains, rank_of
from api.evaluation.runner import Outcome, summary
from api.questions.schemas import SearchHit
from tests.api.cli.fake_api import whole
from tests.api.evaluation.test_question_set import LEAVE, TRAVEL, VISA


def hit(name: str, text: str, document: str = "d") -> SearchHit:
    """A hit of a search."""
    found = whole(SearchHit, document_name=name, document_id=f"{document}-{name}", text=text)
    return msgspec.convert(found, SearchHit)


def test_the_rank_is_that_of_the_expected_document() -> None:
    """Several passages of one document count as one rank; names and ids both identify a document."""
    hits = [hit("a.pdf", "x"), hit("a.pdf", "y"), hit("b.pdf", "z")]
    assert rank_of(Item("?", documents=("b.pdf",)), hits) == 2
    assert rank_of(Item("?", documents=("d-a.pdf", "b.pdf")), hits) == 1
    assert rank_of(Item("?", documents=("c.pdf",)), hits) == 0


def test_without_a_document_the_passage_or_the_answer_ranks() -> None:
    """Then each hit is a rank; a passage is recognised when truncated or joined with its neighbours."""
    hits = [hit("a.pdf", TRAVEL), hit("a.pdf", f"{VISA}\n{LEAVE}  {TRAVEL}"), hit("a.pdf", LEAVE[10:70])]
    assert rank_of(Item("?", passage=LEAVE), hits) == 2
    assert rank_of(Item("?", passage=LEAVE), hits[2:]) == 1
    assert rank_of(Item("?", answers=("FIVE  days",)), hits) == 2
    assert rank_of(Item("?", answers=("six days",)), hits) == 0


def test_texts_are_compared_as_people_read_them() -> None:
    """Case, width and spaces make no difference; another text does."""
    assert contains("Within Ten\nworking days.", ["ten working"])
    assert contains("共１２天", ["12天"])
    assert not contains("Within ten working days.", ["eleven"])
    assert alike(LEAVE, LEAVE.upper())
    assert not alike(LEAVE, TRAVEL)
    assert not alike("", LEAVE)


def test_figures_equal_a_count_by_hand() -> None:
    """Failures count as misses, and figures without data are left out."""
    outcomes = [
        Outcome("a", True, rank=1, search_ms=10, found=True, contains=True, cites=True, citations=2, valid=2,
                first_ms=100, answer_ms=200),
        Outcome("b", True, rank=4, search_ms=20, found=False, contains=False, cites=False, citations=2, valid=1,
                first_ms=100, answer_ms=300),
        Outcome("c", True, rank=0, search_ms=30, found=True, contains=False, cites=True, fallback="language",
                withheld=2, first_ms=100, answer_ms=400),
        Outcome("d", True, contains=False, cites=False, error="down"),
        Outcome("e", search_ms=40, found=False, absent=True, answer_ms=500, first_ms=100),
    ]  # fmt: skip
    found = summary(outcomes)
    assert (found["questions"], found["failed"]) == (5, 1)
    assert [found[f"search.recall_at_{k}"] for k in (1, 5, 10)] == [0.25, 0.5, 0.5]
    assert found["search.mrr"] == pytest.approx(1.25 / 4, abs=1e-4)
    assert (found["search.p50_ms"], found["search.p95_ms"]) == (30, 40)
    assert (found["answers.contain_expected"], found["answers.cite_expected"]) == (0.25, 0.5)
    assert found["answers.not_found"] == pytest.approx(1 / 3, abs=1e-4)
    assert (found["answers.absent_told"], found["answers.citations"], found["answers.citations_valid"]) == (1, 4, 0.75)
    assert (found["answers.fell_back"], found["answers.withheld"]) == (0.25, 2)
    assert (found["answers.p50_ms"], found["answers.first_p95_ms"]) == (400, 100)
    searched = summary([Outcome("a", search_ms=10)])
    assert not [name for name in searched if name.startswith(("answers.", "search.recall", "search.mrr"))]
