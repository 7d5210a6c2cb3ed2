"""Lexicon: which words express a number, a time, a name or a denial."""

from __future__ import annotations

import pytest

from activities.text.lexicon import (
    denies,
    distinctions,
    gives_what_is_asked,
    measures,
    name_words,
    names,
    numbers,
)


@pytest.mark.parametrize(
    ("question", "text", "gives"),
    [
        ("How many days are left?", "Some days are left.", False),
        ("How many days are left?", "Five days are left.", True),
        ("How many of the 12 days are left?", "Of 12 days some are left.", False),
        ("When was it built?", "It was built by Wren.", False),
        ("When was it built?", "It was built in 1675.", True),
        ("Who built it?", "It was built by Wren.", True),
        ("有多少天年假？", "年假归员工所有。", False),
        ("有多少天年假？", "年假为十二天。", True),
        ("什么时候建成？", "由雷恩建成。", False),
        ("什么时候建成？", "于1675年建成。", True),
    ],
)
def test_numbers_and_times_are_given_when_they_are_asked_for(question: str, text: str, gives: bool) -> None:
    """A number that already occurs in the question does not answer it."""
    assert gives_what_is_asked(question, text) is gives


def test_numbers_are_the_same_in_words_and_digits() -> None:
    """Small ones in English and Chinese; “one” and 一 are no numbers to compare, and units go with a number only."""
    assert numbers("Twelve of 1,300 in 3.5 weeks, one twice") == {"12", "1,300", "3.5", "twice"}
    assert numbers("五天，一般十二人") == {"5", "十二"}
    assert measures("five weeks") == measures("5 weeks") != measures("five days")
    assert measures("some weeks") == set()


def test_names_are_capitalised_inside_of_a_sentence() -> None:
    """The first word of a sentence is none; words one by one, or the whole name."""
    text = "Then came J. Watson with Charles Dickens. Nobody left."
    assert name_words(text) == ["Watson", "Charles", "Dickens"]
    assert names(text) == ["Charles Dickens"]


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("It isn't so.", True),
        ("Neither is.", True),
        ("没有年假", True),
        ("A note on knots", False),
        ("年假五天", False),
    ],
)
def test_a_denial_is_a_word_of_its_own(text: str, denied: bool) -> None:
    """In English a word or its ending, in Chinese a character."""
    assert denies(text) is denied


def test_distinctions_are_numbers_denials_and_exceptions() -> None:
    """Each as often as it occurs; Chinese ones by single characters."""
    assert distinctions("Except on 31 May, not before 9.") == ["Except", "31", "not", "9"]
    assert distinctions("十二天不含一天") == ["十", "二", "不", "一"]
