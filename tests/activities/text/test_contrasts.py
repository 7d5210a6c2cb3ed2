"""Contrasts: a text about the opposite does not answer."""

from __future__ import annotations

import pytest

from activities.text.contrasts import contradicts, denies_otherwise


@pytest.mark.parametrize(
    ("question", "sentence", "words"),
    [
        ("What do junior guides earn?", "Senior guides earn 40 euros.", {"junior"}),
        ("When does the pool open?", "The pool closes at nine.", {"open"}),
        ("When does the pool open?", "The pool opens at six and closes at nine.", set()),
        ("What is the lowest bid?", "The highest bid is 300 euros.", {"lowest"}),
        ("What is the biggest hall?", "The largest hall is hall 2.", set()),
        ("Which records are unofficial?", "The official records are kept in hall 2.", {"unofficial"}),
        ("最低价格是多少？", "最高价格为三百元。", {"最低"}),
        ("下午几点开门？", "上午九点开门，下午两点开门。", set()),
        ("What do guides earn?", "Senior guides earn 40 euros.", set()),
    ],
)
def test_one_of_a_kind_excludes_the_others(question: str, sentence: str, words: set[str]) -> None:
    """The question's word is missing where another of its kind stands; both together are no contrast."""
    assert contradicts(question, sentence, sentence) == words


def test_a_denial_wants_a_denial() -> None:
    """What was not done is no matter of a text that only says what was."""
    assert denies_otherwise("Which rooms are not heated?", "The halls are heated.")
    assert not denies_otherwise("Which rooms are not heated?", "The cellar is unheated.")
    assert not denies_otherwise("Which rooms are heated?", "The halls are heated.")
