"""Courtesy: a question is taken out of its greetings and thanks, and keeps the context that it needs."""

from __future__ import annotations

import pytest

from activities.answering.courtesy import MAX_CHARACTERS, bare_question


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        (
            "Hi there! I hope you are well. Could you tell me how long the probation lasts? Thanks a lot!",
            "how long the probation lasts?",
        ),
        (
            "Hello team, quick question from my side: I would like to rent a space in the garage. What would that cost"
            " me? Best regards, Jo",
            "I would like to rent a space in the garage. What would that cost me?",
        ),
        (
            "Dear all, I've just joined and all is new to me. Could somebody please tell me how many hours I have to"
            " work in the workshop every year? Cheers, Ben",
            "how many hours I have to work in the workshop every year?",
        ),
        (
            "您好，不好意思打扰了，我是新来的，想请问一下电梯坏了应该打哪个电话维修？谢谢",
            "电梯坏了应该打哪个电话维修？",
        ),
        ("您好，我昨天把借书证弄丢了，请问补办要多少钱？麻烦您了！", "我昨天把借书证弄丢了，补办要多少钱？"),
    ],
)
def test_only_the_question_and_its_context_are_left(text: str, bare: str) -> None:
    """Greetings, small talk, thanks and names go; a sentence stays when the question refers to it."""
    assert bare_question(text) == bare


@pytest.mark.parametrize(
    "text",
    [
        "How long does the probation last?",
        "Who thanks the speakers?",
        "The lift is broken. Whom do I call?",
        "Who says hello, and when is the greeting?",
        "试用期多长？",
        "谁负责感谢信？",
        "Thanks!",
        "您好",
        "",
        "Hello! " * MAX_CHARACTERS,
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    """A plain question, a text that is nothing but courtesy, and a very long one."""
    assert bare_question(text) == text
