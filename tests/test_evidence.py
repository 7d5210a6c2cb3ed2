"""Evidence: which sentences are weighed, when they are enough, and which of them are quoted."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest

from activities.contracts import Source
from activities.evidence import (
    CLOSE,
    PASSAGES,
    QUOTES,
    Sentence,
    choose,
    citation,
    embed_passages,
    is_answerable,
    sentences_of,
    split_sentences,
    weigh,
    words_of,
)
from activities.stores.triton import ModelCard, Triton

CARD = ModelCard(
    model="m", fingerprint="f", dimension=4, max_tokens=512, batch_size=8,
    found_threshold={"en": 1.7, "zh": 1.6, "*": 1.8},
)  # fmt: skip


@pytest.fixture
async def triton(triton_url: str) -> AsyncIterator[Triton]:
    """A client of the platform's Triton."""
    triton = Triton(triton_url)
    yield triton
    await triton.close()


def source(n: int, section: str = "", score: float = 0.5) -> Source:
    """A numbered passage."""
    return Source(
        n=n,
        document_id="a" * 32,
        document_name="a.pdf",
        version=1,
        chunk_id=f"c{n}",
        score=score,
        section=section,
        page=n,
    )


def weighed(*scores: float, cosine: float = 0.8) -> list[Sentence]:
    """Sentences of these scores, from the end of a passage to its beginning."""
    return [Sentence(f"Sentence {n}.", 0, len(scores) - n, cosine, score) for n, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One is here. Two is there! Three? Yes.", ["One is here.", "Two is there!", "Three?", "Yes."]),
        ("一句话。两句话！三句话？第四句；第五句", ["一句话。", "两句话！", "三句话？", "第四句；", "第五句"]),
        ("他说：“好的。”然后走了。", ["他说：“好的。”", "然后走了。"]),
        ("Dr. Smith pays 3.5 % to Acme Ltd. every year, e.g. in May. Then he rests.",
         ["Dr. Smith pays 3.5 % to Acme Ltd. every year, e.g. in May.", "Then he rests."]),
        ("A line\nanother line", ["A line", "another line"]),
        ("使用 GPU 部署。See the manual. 完毕。", ["使用 GPU 部署。", "See the manual.", "完毕。"]),
        ("  \n\n \t", []),
        ("", []),
    ],
)  # fmt: skip
def test_texts_are_cut_into_sentences(text: str, expected: list[str]) -> None:
    """English, Chinese and mixed text; abbreviations and numbers do not end one, a line's end does."""
    assert split_sentences(text) == expected


def test_headings_labels_and_repetitions_are_not_quoted() -> None:
    """What says something remains, in reading order, of the first passages only."""
    texts = [
        "Annual leave of staff members\nStaff members have twenty days of leave. See page 3.\n年假：",
        "Staff members have twenty days of leave. 员工每年有二十天的年假。",
        "A third passage says something else.",
        "A fourth passage is not weighed anymore.",
    ]
    sources = [source(1, "Handbook › Annual leave of staff members"), source(2), source(3), source(4)]
    found = sentences_of(texts, sources)
    assert [(sentence.text, sentence.source) for sentence in found] == [
        ("Staff members have twenty days of leave.", 0),
        ("员工每年有二十天的年假。", 1),
        ("A third passage says something else.", 2),
    ]
    assert PASSAGES == 3


def test_quotes_are_in_reading_order() -> None:
    """The best ones are chosen, and then read as they stand in the document."""
    best = [
        Sentence("Later.", 1, 0, 0.9, 0.9),
        Sentence("Early.", 0, 5, 0.85, 0.85),
        Sentence("First.", 0, 1, 0.84, 0.84),
    ]
    assert [sentence.text for sentence in choose(best)] == ["Early.", "Later."]
    assert [sentence.position for sentence in choose(weighed(0.9, 0.89))] == [1, 2]


def test_a_second_quote_must_come_close() -> None:
    """A sentence that is far behind the best is not quoted, and there are never more than a few."""
    assert len(choose(weighed(0.9, 0.9 - CLOSE - 0.01))) == 1
    assert len(choose(weighed(0.9, 0.9 - CLOSE + 0.01))) == 2
    assert len(choose(weighed(*[0.9] * 9))) == QUOTES
    assert choose([]) == []


@pytest.mark.parametrize(
    ("language", "similarity", "answerable"),
    [
        ("en", 0.91, True),
        ("en", 0.89, False),
        ("zh", 0.81, True),
        ("zh", 0.79, False),
        ("ru", 1.01, True),
        ("ru", 0.99, False),
    ],
)
def test_the_threshold_belongs_to_the_language(language: str, similarity: float, answerable: bool) -> None:
    """Best passage plus best sentence must reach it; other languages have a threshold of their own."""
    assert is_answerable(CARD, language, similarity, weighed(0.1, 0.9, cosine=0.8)) is answerable


def test_without_a_threshold_the_model_is_believed() -> None:
    """A card without any, or none for the language, gives the benefit of the doubt; but no sentence, no answer."""
    unknown = ModelCard(model="m", fingerprint="f", dimension=4, max_tokens=512, batch_size=8)
    english = ModelCard(
        model="m", fingerprint="f", dimension=4, max_tokens=512, batch_size=8, found_threshold={"en": 1.9}
    )
    assert is_answerable(unknown, "en", 0.0, weighed(0.1, cosine=0.0))
    assert is_answerable(english, "zh", 0.0, weighed(0.1, cosine=0.0))
    assert not is_answerable(english, "en", 0.0, weighed(0.1, cosine=0.0))
    for card in (CARD, unknown):
        assert not is_answerable(card, "en", 2.0, [])


def test_words_are_words_or_pairs_of_characters() -> None:
    """Lower-case Latin words, and neighbouring characters of Chinese; a lone character is a word."""
    assert words_of("The GPU-driver, v2!") == {"the", "gpu", "driver", "v2"}
    assert words_of("年假五天") == {"年假", "假五", "五天"}
    assert words_of("第 3 天") == {"第", "3", "天"}
    assert words_of("!? …") == set()


def test_a_citation_has_the_place_of_its_quote() -> None:
    """Number, document, version, chunk, page and section are those of the passage."""
    made = citation(source(3, "A › B"), "The quote.")
    assert (made.n, made.document_name, made.version, made.chunk_id, made.page, made.section, made.quote) == (
        3, "a.pdf", 1, "c3", 3, "A › B", "The quote.",
    )  # fmt: skip


async def test_passages_are_embedded_in_their_order(triton: Triton) -> None:
    """More than one batch, of different lengths: each row is the vector of its own text, with the prompt."""
    card = await triton.card()
    texts = [f"Rule {n} is kept for {n} years. " * (1 + n % 3) for n in range(card.batch_size + 3)]
    matrix = await embed_passages(triton, card, texts)
    assert matrix.shape == (len(texts), card.dimension)
    for n in (0, 1, len(texts) - 1):
        (alone,) = await triton.embed([card.prompts.get("passage", "") + texts[n]])
        assert float(alone @ matrix[n]) > 0.999


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many days of leave can be carried over?", "Five days of unused annual leave may be carried over."),
        ("签证费用由谁承担？", "外籍员工的签证费用由公司承担。"),
    ],
)
async def test_the_sentence_that_answers_is_weighed_highest(triton: Triton, question: str, answer: str) -> None:
    """Among other sentences of the passages; the best come first, and the cosine is the real one."""
    card = await triton.card()
    vector = await triton.embed_query(question)
    texts = [
        "Fire drills are in spring. Five days of unused annual leave may be carried over. Lifts are inspected.",
        "外籍员工的签证费用由公司承担。消防演习每年春天举行一次。",
    ]
    found = await weigh(triton, card, question, vector, texts, [source(1), source(2)])
    assert found[0].text == answer
    assert [sentence.score for sentence in found] == sorted((sentence.score for sentence in found), reverse=True)
    (alone,) = await triton.embed([card.prompts.get("passage", "") + answer])
    assert found[0].cosine == pytest.approx(float(alone @ vector), abs=1e-3)


async def test_no_sentences_weigh_nothing(triton: Triton) -> None:
    """Passages of headings and labels only are no evidence, and cost no embedding."""
    card = await triton.card()
    assert (
        await weigh(triton, card, "Why?", np.zeros(card.dimension, np.float32), ["Title", ""], [source(1), source(2)])
        == []
    )
