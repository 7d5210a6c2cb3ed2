"""Asking: which questions want a list, a certain item, a yes or a comparison."""

from __future__ import annotations

import pytest

from activities.text.asking import asked_place, asks_for_items, asks_several, asks_yes_or_no, compares, subject


@pytest.mark.parametrize(
    ("question", "items"),
    [
        ("Which tools are lent out?", True), ("What are the duties of a warden?", True), ("List all depots.", True),
        ("What documents do I need?", True),
        ("申请护照需要哪些材料？", True), ("列出所有仓库", True), ("验收有哪六个步骤？", True),
        ("What does a bolt cost?", False), ("What is the address?", False),
        ("谁负责验收？", False),
    ],
)  # fmt: skip
def test_questions_for_items(question: str, items: bool) -> None:
    """Questions for several things, in both languages."""
    assert asks_for_items(question) is items


@pytest.mark.parametrize(
    ("question", "place"),
    [
        ("What is the third step?", 3), ("What is step 4 of the check?", 4), ("What happens in the last step?", -1),
        ("第二步是什么？", 2), ("第十一项规定是什么？", 11), ("最后一步做什么？", -1),
        ("What is the third floor used for?", None),
    ],
)  # fmt: skip
def test_questions_for_one_item(question: str, place: int | None) -> None:
    """An ordinal before a step, or a number behind it."""
    assert asked_place(question) == place


def test_other_kinds_of_questions() -> None:
    """Yes or no, several parts, and comparisons."""
    assert asks_yes_or_no("Can guests park here?")
    assert asks_yes_or_no("客人可以停车吗？")
    assert not asks_yes_or_no("Where can guests park?")
    assert asks_several("What do bolts and nuts cost?")
    assert not asks_several("What do bolts cost?")
    assert compares("What is the difference between both?")
    assert compares("两者有什么区别？")
    assert not compares("What do bolts cost?")


def test_the_subject_of_a_chinese_question() -> None:
    """What asks does not join the words beside it."""
    asked = ("响应模式有哪些？", "调度优化主要包括哪些方法？", "仓库分为哪三种？", "What is it?")
    assert [subject(one).split() for one in asked] == [
        ["响应模式", "？"],
        ["调度优化", "方法？"],
        ["仓库", "？"],
        ["What", "is", "it?"],
    ]
