"""The paired difference of two generations, and when it refuses a switch."""

from __future__ import annotations

import pytest

from activities.contracts.gate import Measure, Outcome, Pair
from activities.reindex.comparison import is_refused, measures


def pairs(*counts: tuple[bool, bool, int], findable: bool = True) -> list[Pair]:
    """So many questions (live, new, count) that were right or wrong in either generation."""
    return [
        Pair(
            live=Outcome(first=live if findable else None, answered=live, milliseconds=20.0 + number % 7),
            new=Outcome(first=new if findable else None, answered=new, milliseconds=22.0 + number % 7),
        )
        for live, new, count in counts
        for number in range(count)
    ]


def recall(*counts: tuple[bool, bool, int]) -> Measure:
    """The measure of R@1."""
    (found, *_) = measures(pairs(*counts))
    assert found.name == "recall_at_1"
    return found


@pytest.mark.parametrize("n", [2, 30, 1000])
def test_where_nothing_differs_the_interval_is_zero(n: int) -> None:
    """However few the questions, and also where some are wrong in both."""
    found = recall((True, True, n - 1), (False, False, 1))
    assert (found.difference, found.low, found.high) == (0.0, 0.0, 0.0)
    assert not is_refused(found)


def test_one_worse_question_among_few_refuses_and_among_many_does_not() -> None:
    """Thirty questions cannot show that it is one of a hundred; a thousand can."""
    few, many = recall((True, True, 29), (True, False, 1)), recall((True, True, 999), (True, False, 1))
    assert few.low is not None
    assert few.low < few.difference == -0.0333
    assert (is_refused(few), is_refused(many)) == (True, False)


def test_a_generation_that_is_only_better_is_never_refused() -> None:
    """Its interval begins at 0 or above."""
    found = recall((True, True, 20), (False, True, 3))
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low < found.difference < found.high
    assert not is_refused(found)


def test_what_got_worse_is_weighed_against_what_got_better() -> None:
    """A gain of the mean does not hide that it is uncertain."""
    assert is_refused(recall((True, True, 25), (True, False, 2), (False, True, 3)))
    assert not is_refused(recall((True, True, 25), (True, False, 2), (False, True, 30)))


def test_below_two_questions_there_is_no_interval() -> None:
    """The difference decides alone; without a question with an expected result there is no R@1."""
    (one, *_) = measures(pairs((True, False, 1)))
    assert (one.low, one.high, one.difference, is_refused(one)) == (None, None, -1.0, True)
    assert not is_refused(recall((False, True, 1)))
    assert [each.name for each in measures(pairs((True, True, 3), findable=False))] == ["answers", "search_p95"]
    assert measures([]) == []


def test_the_interval_of_times_is_told_and_refuses_nothing() -> None:
    """The same figures for the same outcomes: the seed is fixed."""
    asked = pairs((True, True, 40))
    time = measures(asked)[-1]
    assert (time.name, time.live, time.new, time.n) == ("search_p95", 26.0, 28.0, 40)
    assert time.low is not None
    assert not is_refused(time)
    assert measures(asked)[-1] == time


def test_the_interval_holds_the_true_difference_about_so_often() -> None:
    """Of a hundred samples of 300 questions with a true loss of .10, most intervals hold it."""
    numpy = pytest.importorskip("numpy")
    random = numpy.random.default_rng(1)
    held = 0
    for _ in range(100):
        worse, better = random.multinomial(300, [0.15, 0.05, 0.8])[:2]
        found = recall((True, False, int(worse)), (False, True, int(better)), (True, True, int(300 - worse - better)))
        assert found.low is not None
        assert found.high is not None
        held += found.low <= -0.1 <= found.high
    assert held >= 88
