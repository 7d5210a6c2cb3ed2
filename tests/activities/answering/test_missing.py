"""Missing: what a question asks about must be there, under any form of its words."""

from __future__ import annotations

import msgspec
import pytest

from activities.answering.answer import respond
from activities.answering.extraction import sentences_of
from activities.answering.missing import missing, most_fitting
from activities.answering.streaming import StreamedText
from activities.stores.triton import ModelCard
from tests.activities.answering.test_extraction import context, source

RATES = "Tariff: Basic | Price: 20\nTariff: Premium | Price: 60"
UNKNOWN = ModelCard(model="m", fingerprint="f", dimension=4, max_tokens=512, batch_size=8)


def lacking(question: str, text: str, section: str = "") -> list[str] | None:
    """What a passage of one sentence or table lacks of a question; None when it may answer."""
    sources = [source(1, section)]
    found = missing(context(question, [text], sources), sentences_of([text], sources))
    return found.words if found else None


@pytest.mark.parametrize(
    ("question", "text", "words"),
    [
        ("How much is the Gold tariff?", RATES, ["Gold"]),
        ("How much is the Basic tariff?", RATES, None),
        ("How much is the basic tarif?", RATES, None),
        ("What is the length of the tunnel project?", "Project: Bridge | Length: 40", ["tunnel"]),
        ("What does Hannover pay?", "All sites pay nine euros for the water.", ["Hannover"]),
        ("What does Hanover pay?", "The site in Hannover pays nine euros for the water.", None),
        ("What was paid for the water in 2021?", "For the water nine euros were paid in 2022.", ["2021"]),
        ("Who approves orders of 18,000 euros?", "Orders from 1,000 to 25,000 euros are approved by the board.", None),
        ("What does part KX-700 weigh?", "The part KX-710 weighs nine kilograms.", ["KX-700"]),
        ("What do junior guides earn?", "Senior guides earn 40 euros for a day.", ["junior"]),
        ("When was the hall built?", "The hall was built of brick by masons.", []),
        ("When was the hall built?", "The hall was built of brick in 1910.", None),
        ("Which rooms are not heated?", "The halls are heated from October to May.", []),
        ("Are the rooms not heated?", "The halls are heated from October to May.", None),
        ("2021年的水费是多少？", "2022年的水费为九元，由行政部支付。", ["2021"]),
        ("最低水费是多少？", "最高水费为九元，由行政部支付。", ["最低"]),
        ("黄金套餐的价格是多少？", "套餐：基础 | 价格：20\n套餐：高级 | 价格：60", ["黄金"]),
        ("高级套餐的价格是多少？", "套餐：基础 | 价格：20\n套餐：高级 | 价格：60", None),
        ("水费由谁支付？", "最高水费为九元，由行政部支付。", None),
        ("Was kostet die Karte für Gäste?", "Eine Karte kostet neun Euro im Monat.", None),
    ],
)  # fmt: skip
def test_what_is_asked_about_must_be_there(question: str, text: str, words: list[str] | None) -> None:
    """Names, codes, years, keys and contrasts must; misspelt words, ranges and other forms are there."""
    assert lacking(question, text) == words


def test_what_a_passage_stands_under_counts() -> None:
    """A name in the heading is there."""
    assert lacking("When does the garage in Porto close?", "The garage closes at eleven.", "Rules › Porto") is None


@pytest.mark.parametrize(
    ("question", "text", "answer"),
    [
        ("How much is the Gold tariff?", RATES, "The documents have Basic, Premium, but not Gold."),
        ("What does Hannover pay?", "All sites pay nine euros for the water.", "The documents do not seem"),
        ("Gold套餐多少钱？", "套餐：基础 | 价格：20\n套餐：高级 | 价格：60", "文档中有基础、高级，但没有Gold。"),
    ],
)
def test_the_answer_says_what_is_there_instead(question: str, text: str, answer: str) -> None:
    """A table tells what it has of the kind, in the question's language; nothing is found."""
    sources = [source(1)]
    given = context(question, [text], sources, card=UNKNOWN)
    events: list[object] = []
    said = respond(given, StreamedText(events.append), [
        msgspec.structs.replace(one, score=1.0) for one in sentences_of([text], sources)
    ])  # fmt: skip
    assert said.answer.startswith(answer)
    assert not said.found


def test_a_sentence_that_has_what_is_asked_about_goes_first() -> None:
    """Where the best sentence lacks a name that a close one has, that one answers; a far one does not."""
    texts = [
        "The garage in Graz closes at nine in the evening.",
        "The garage in Porto closes at eleven in the evening.",
    ]
    sources = [source(1), msgspec.structs.replace(source(2), document_id="b" * 32)]
    given = context("When does the garage in Porto close?", texts, sources)
    best, other = sentences_of(texts, sources)
    assert most_fitting(given, [best, other])[0] == other
    far = [msgspec.structs.replace(best, score=0.9), other]
    assert most_fitting(given, far) == far
    assert missing(given, far) is not None


def test_questions_in_capitals_have_no_names() -> None:
    """Where every word begins with a capital, capitals tell no names."""
    assert lacking("What Is The Monthly Price Of Storage?", "Keeping a pallet costs nine euros.") is None


@pytest.mark.parametrize(
    ("question", "words"),
    [("车位的月租金是多少？", ["车位"]), ("房屋的月租金是多少？", None), ("服务器的月租金是多少？", None)],
)
def test_what_has_an_amount_must_be_there(question: str, words: list[str] | None) -> None:
    """Under any of its names: a server is 服务器 or 伺服器."""
    assert lacking(question, "房屋和伺服器的月租金为人民币4200元。") == words


def test_another_sentence_may_not_say_the_contrary() -> None:
    """The row of Thursday answers where the best sentence says when the pool is closed."""
    text = "The pool is closed from 22 December.\n"
    text += "Day | Hours | Use\nThursday | 10:00-18:00 | Public\nFriday | 10:00-23:00 | Public"
    sources = [source(1, "The pool")]
    scored = sentences_of([text], sources)
    turned = most_fitting(context("Until when is the pool open on Thursday?", [text], sources), scored)
    assert turned[0].text == "Thursday | 10:00-18:00 | Public"
