"""Follow-up questions: the topic that they depend on is carried over, and nothing else."""

from __future__ import annotations

import pytest

from activities.answering.rewrite import CARRIED, Rewriter, depends_on_context, standalone
from activities.contracts.questions import Turn
from activities.settings import GenerateSettings
from activities.stores.triton import Triton
from activities.text.terms import topic_words

LEAVE = Turn(question="How many days of unused leave can be carried over?", answer="“Five days are carried over.” [1]")
DICKENS = Turn(question="Who wrote the novel?", answer="The novel was written by Charles Dickens in 1838. [1]")
VISA = Turn(question="外籍员工的签证费用由谁承担？", answer="由公司承担。 [1]")


@pytest.mark.parametrize(
    ("question", "leaning"),
    [
        ("And for contractors?", True),
        ("What about managers and directors?", True),
        ("When does it have to be taken at the latest?", True),
        ("Who approves their requests in the personnel department?", True),
        ("Why?", True),
        ("Until when?", True),
        ("Is there a certificate for sick employees after three days?", False),
        ("From which day of absence is a medical certificate needed?", False),
        ("Who is the president of Mars?", False),
        ("who is the president of mars", False),
        ("What is Python?", False),
        ("How much is the fee?", True),
        ("Maximum amount?", True),
        ("Which departments?", True),
        ("火星的总统是谁？", False),
        ("Python是什么？", False),
        ("费用是多少？", True),
        ("它每年最多报销几次？", True),
        ("那临时工呢？", True),
        ("其中哪些费用可以报销？", True),
        ("为什么？", True),
        ("土耳其员工应该向哪个部门提交年度体检报告？", False),
        ("办公室的空调什么时候自动开启？", False),
    ],
)
def test_pronouns_ellipsis_and_very_short_questions_lean(question: str, leaning: bool) -> None:
    """In English and Chinese; a question that names its topic is self-contained."""
    assert depends_on_context(question) is leaning


@pytest.mark.parametrize(
    ("question", "turns", "carried"),
    [
        ("And for contractors?", [LEAVE], ["unused", "leave", "carried"]),
        ("When was he born?", [DICKENS], ["novel", "Charles Dickens"]),
        ("那每年最多几次呢？", [VISA], ["外籍员工", "签证费用", "承担"]),
    ],
)
def test_the_topic_is_carried_over(question: str, turns: list[Turn], carried: list[str]) -> None:
    """The question comes first, unchanged, then the words of the earlier question and the names in its answer."""
    alone = standalone(question, turns)
    assert alone.startswith(question)
    assert [word for word in carried if word in alone] == carried


def test_a_question_that_stands_alone_stays_as_it_is() -> None:
    """Also within a conversation: the words of the last topic must not enter a search about another one."""
    question = "From which day of absence is a medical certificate needed?"
    assert standalone(question, [LEAVE]) == question
    assert standalone("And why?", []) == "And why?"


def test_a_chain_of_follow_ups_keeps_its_topic() -> None:
    """Each follow-up passes on what it carried over; the carried words do not grow without end."""
    turns = [LEAVE]
    for question in ("And for contractors?", "And for managers?", "And for directors?", "Until when?"):
        alone = standalone(question, turns)
        assert "leave" in alone
        turns.append(Turn(question=alone, answer="It depends."))
    assert len(topic_words(turns[-1].question)) <= CARRIED + 2


def test_the_latest_topic_counts() -> None:
    """A self-contained question ends the topics before it."""
    travel = Turn(question="When are travel costs of interns refunded?", answer="Within ten days.")
    alone = standalone("And if it is late?", [LEAVE, travel])
    assert "travel" in alone
    assert "leave" not in alone


async def test_a_model_may_rewrite_but_not_invent(triton: Triton) -> None:
    """Words of a small model are used only if the conversation has them; the topic is there in any case."""
    rewriter = Rewriter(triton, GenerateSettings(model="named"))
    alone = await rewriter.rewrite("And for contractors?", [LEAVE], "en")
    said = topic_words(f"And for contractors? {LEAVE.question} {LEAVE.answer}")
    assert len(topic_words(alone) & said) >= 0.7 * len(topic_words(alone))
    assert topic_words(alone) & topic_words(LEAVE.question)


async def test_without_a_named_model_words_are_carried_over(triton: Triton) -> None:
    """The same holds in a language that the model does not write."""
    assert await Rewriter(triton, GenerateSettings()).rewrite("And why?", [LEAVE], "en") == standalone(
        "And why?", [LEAVE]
    )
    rewriter = Rewriter(triton, GenerateSettings(model="named"))
    assert await rewriter.rewrite("为什么？", [VISA], "zh") == standalone("为什么？", [VISA])
