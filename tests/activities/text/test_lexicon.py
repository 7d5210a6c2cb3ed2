"""Lexicon: which words express a number or a time."""

from __future__ import annotations

import pytest

from activities.text.lexicon import gives_what_is_asked


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
