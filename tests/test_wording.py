"""Words of texts: what a question and a sentence share, and what a question asks for."""

from __future__ import annotations

import pytest

from activities.wording import (
    gives_what_is_asked,
    is_han,
    rare_shares,
    share,
    tells_what_it_answers,
    topic_words,
    words_of,
)


def test_words_are_words_or_pairs_of_characters() -> None:
    """Lower-case words of any alphabet, and neighbouring characters of Chinese; a lone character is a word."""
    assert words_of("The GPU-driver, v2!") == {"the", "gpu", "driver", "v2"}
    assert words_of("Größe und Мера") == {"größe", "und", "мера"}
    assert words_of("年假五天") == {"年假", "假五", "五天"}
    assert words_of("第 3 天") == {"第", "3", "天"}
    assert words_of("!? …") == set()


def test_topic_words_have_no_endings_and_say_something() -> None:
    """Plural and past are the same word; words without a meaning of their own are left out."""
    assert topic_words("What was the carried amount?") == topic_words("carry amounts; carrying, carries: an amount")
    assert topic_words("places placed place, bus") == topic_words("placing bus")
    assert topic_words("Is it this?") == set()


def test_rare_words_count_more() -> None:
    """Two texts have one word of the question each: the one that no other text has weighs more."""
    common, rare, none = rare_shares(topic_words("leave certificate"), ["leave here", "certificate leave", "lifts"])
    assert rare > common > none == 0.0
    assert share(topic_words("leave certificate"), "No certificate") == 0.5
    assert share(set(), "No certificate") == 0.0


@pytest.mark.parametrize(
    ("text", "han"),
    [
        ("年假五天", True),
        ("使用 GPU 部署模型", True),
        ("the 年假 policy of the company", False),
        ("", False),
        ("42", False),
    ],
)
def test_a_text_is_chinese_when_most_of_it_is(text: str, han: bool) -> None:
    """A Latin name in a Chinese sentence changes nothing, nor a Chinese word in an English one."""
    assert is_han(text) is han


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
    """A number that the question itself has is no answer to it."""
    assert gives_what_is_asked(question, text) is gives


@pytest.mark.parametrize(
    ("question", "text", "tells"),
    [
        ("Who runs the office in Paris?", "The office in Paris is run by Ann Smith.", True),
        ("Who runs the office in Paris?", "The answer is: Ann Smith.", True),
        ("Who runs the office in Paris?", "The offices are London and Rome.", False),
        ("Who runs the office in Paris?", "Bob Miller (London)", False),
        ("Which member of the board is a lawyer?", "The member of the board is Ann Smith.", True),
        ("Which member of the board is also a retired lawyer?", "The member of the board is Ann Smith.", False),
    ],
)
def test_an_answer_tells_what_it_answers(question: str, text: str, tells: bool) -> None:
    """What a question narrows down to is not left out, or the text calls itself the answer."""
    assert tells_what_it_answers(question, text) is tells
