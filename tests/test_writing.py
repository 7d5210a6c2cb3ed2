"""Generated answers: a sentence that a source supports stays and gets its number, any other is taken back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest

from activities.answering.context import AnswerContext
from activities.events import DeltaEvent, QuestionEvent, ResetEvent
from activities.passage_vectors import SentenceVectors
from activities.passages import SourceTexts
from activities.stores.triton import Triton
from activities.support import GroundingChecker
from activities.tokens import TokenStream
from activities.writing import GroundedStream, StreamedText

QUESTION = "How many days of unused leave can be carried over?"
USED = [
    "Travel costs are refunded within ten working days after the trip has ended. Interns are not insured.",
    "Employees may carry over five days of unused annual leave into the next calendar year. "
    "The rest is lost on 31 March.\n外籍员工的签证费用由公司承担，每年最多报销一次。",
]


async def checking(triton: Triton, question: str, used: list[str], *, rephrased: bool = True) -> GroundingChecker:
    """A checker of what is generated from these texts, with the platform's embedding model."""
    context = AnswerContext(SourceTexts(used, b"", question), [], 0.0, await triton.card())
    return GroundingChecker(context, SentenceVectors(triton), used, rephrased=rephrased)


@pytest.fixture
async def checker(triton: Triton) -> GroundingChecker:
    """Compares with the passages above."""
    return await checking(triton, QUESTION, USED)


def seen(events: list[QuestionEvent]) -> str:
    """What a reader of the stream has in the end."""
    text = ""
    for event in events:
        match event:
            case ResetEvent():
                text = ""
            case DeltaEvent():
                text += event.text
    return text


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("Employees may carry over five days of unused leave.", 1),
        ("Five days can be carried over into the next year [1].", 1),
        ("Up to five days of unused annual leave may be carried over, and the rest is lost on 31 March.", 1),
        ("Travel costs are refunded within ten working days.", 0),
        ("The company bears the visa costs of foreign employees, at most once a year.", 1),
        ("签证费用由公司承担。", 1),
        ("Unused leave carried over is lost on 31 March.", None),
        ("Travel costs of interns are insured.", None),
        ("Employees may carry over six days of unused leave.", None),
        ("J. Watson may carry over five days of unused annual leave into the next calendar year.", None),
        ("Employees may carry over 5 weeks of unused leave.", None),
        ("Employees may not carry over five days of unused leave.", None),
        ("Interns are insured.", None),
        ("Managers in Paris may carry over five days of unused leave.", None),
        ("The lifts are inspected every spring by a contractor.", None),
        ("How many days of unused leave can be carried over into the next calendar year?", None),
        ("The answer is that unused leave can be carried over.", None),
        ("签证费用由员工自己承担，不予报销。", None),
        ("", None),
    ],
)
async def test_a_sentence_is_supported_or_not(checker: GroundingChecker, written: str, place: int | None) -> None:
    """By the source that says the same, in either language; other numbers, names or a denial are inventions."""
    grounded = await checker.check(written)
    assert (grounded.place if grounded else None) == place
    if grounded:
        assert grounded.quote in USED[grounded.place]
        assert grounded.numbered.endswith(f" [{grounded.place + 1}]")


TEXT = (
    "Employees may carry over five days of unused leave. [2] Dr. Smith of Rome invented the wheel in 1822 [1]. "
    "The rest is lost on 31 March [2].\n\nTravel costs are refunded within ten working days."
)
KEPT = (
    "Employees may carry over five days of unused leave. [2] The rest is lost on 31 March. [2]\n\n"
    "Travel costs are refunded within ten working days. [1]"
)


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_shown_is_what_is_kept(checker: GroundingChecker, seed: int) -> None:
    """However the text is cut into pieces: numbers are the verified ones, and the invention is gone."""
    dice, events = Random(seed), list[QuestionEvent]()
    stream = GroundedStream(checker, StreamedText(events.append))
    at = 0
    while at < len(TEXT):
        step = dice.randint(1, 1 + 5 * seed)
        await stream.add(TEXT[at : at + step])
        at += step
    assert await stream.finish() == KEPT == seen(events)
    assert stream.ungrounded == 1
    assert [one.place for one in stream.grounded] == [1, 1, 0]
    assert sum(isinstance(event, ResetEvent) for event in events) == 1  # only the invention was taken back


async def test_words_are_shown_before_their_sentence_is_complete(checker: GroundingChecker) -> None:
    """Words are not held back until the full stop; numbers in brackets are not shown before they are checked."""
    events = list[QuestionEvent]()
    stream = GroundedStream(checker, StreamedText(events.append))
    for piece in ("Employees may", " carry over", " five days of unused leave. [", "1"):
        await stream.add(piece)
        assert "[" not in seen(events)
    assert seen(events) == "Employees may carry over five days of unused leave."
    await stream.finish()
    assert seen(events) == "Employees may carry over five days of unused leave. [2]"


async def test_nothing_supported_leaves_nothing(checker: GroundingChecker) -> None:
    """The text is empty in the end, and every sentence is counted."""
    events = list[QuestionEvent]()
    stream = GroundedStream(checker, StreamedText(events.append))
    await stream.add("The moon is made of cheese. Cows jump over it on Sundays.")
    assert await stream.finish() == seen(events) == ""
    assert stream.ungrounded == 2


async def test_tokens_are_buffered_and_stop_when_left() -> None:
    """What was generated meanwhile is there at once; leaving early closes the generator; its error is raised."""
    closed = []

    async def endless() -> AsyncIterator[str]:
        try:
            while True:
                yield "word "
                await asyncio.sleep(0)
        finally:
            closed.append(True)

    async def fails() -> AsyncIterator[str]:
        yield "word "
        raise ConnectionError

    async def few() -> AsyncIterator[str]:
        for word in ("a", "b"):
            yield word

    async with TokenStream(few()) as tokens:
        assert [piece async for piece in tokens] == ["a", "b"]
    assert tokens.count == 2
    async with TokenStream(fails()) as tokens:
        with pytest.raises(ConnectionError):
            _ = [piece async for piece in tokens]
    async with TokenStream(endless()) as tokens:
        async for _ in tokens:
            break
    assert closed


STREETS = "Between which two streets along Harbour Road did the first houses stand?"
LIGHT = "Which light does oxygen absorb?"
ODD = [
    "The first houses stood on the half mile of Harbour Road between Mill Street and Thorne Avenue.",
    "Oxygen absorbs light of 687 and 760 nm.",
    "Visitors would stay at an inn that was closed in 1950.",
]


@pytest.mark.parametrize(
    ("question", "written", "place"),
    [
        (STREETS, "The first houses stood between Mill Street and Thorne Avenue.", 0),
        (STREETS, "The answer is: Mill Street and Thorne Avenue.", 0),
        (STREETS, "The first houses stood between Harbour Road and Thorne Avenue.", None),
        (LIGHT, "Oxygen absorbs light of 687 and 760 nm.", 1),
        (LIGHT, "The answer is: 687 nm.", None),
        (LIGHT, "The answer would be:", None),
        (LIGHT, "Oxygen absorbs light of 687 and 760 nm and scatters violet.", None),
        (LIGHT, "Visitors would stay at an inn.", None),
    ],
)
async def test_what_must_be_copied_stands_so_in_a_source(
    triton: Triton, question: str, written: str, place: int | None
) -> None:
    """A small model's sentences are supported when the words that they add to the question are copied from a source."""
    checker = await checking(triton, question, ODD, rephrased=False)
    grounded = await checker.check(written)
    assert (grounded.place if grounded else None) == place
