"""Extraction: which sentences are scored, when they suffice, and which of them are quoted."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from activities.answering.context import AnswerContext
from activities.answering.extraction import (
    AHEAD,
    CLOSE,
    PASSAGES,
    QUOTES,
    Sentence,
    _going_on,
    common_words,
    is_answerable,
    is_clearly_answerable,
    quotes,
    score_sentences,
    select_quotes,
    sentences_of,
)
from activities.answering.sentence_vectors import REQUEST, SentenceVectors
from activities.contracts.answers import Source
from activities.retrieval.passages import SourceTexts
from activities.stores.triton import ModelCard, Triton
from activities.stores.vectors import Vectors

CARD = ModelCard(
    model="m", fingerprint="f", dimension=4, max_tokens=512, batch_size=8,
    found_threshold={"en": 1.7, "zh": 1.6, "*": 1.8, "cross": 1.5},
)  # fmt: skip


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


def context(
    question: str = "",
    texts: Sequence[str] = (),
    sources: Sequence[Source] = (),
    similarity: float = 0.0,
    card: ModelCard = CARD,
    vector: Vectors | None = None,
) -> AnswerContext:
    """The context of a question with these passages."""
    found = SourceTexts(list(texts), vector.tobytes() if vector is not None else b"", question)
    return AnswerContext(found, sources, similarity, card)


def quoted(scored: Sequence[Sentence], texts: Sequence[str], question: str = "") -> list[str]:
    """The quotes of the scored sentences of these passages."""
    given = context(question, texts, [source(n) for n, _ in enumerate(texts, 1)])
    return [one.quote for one in quotes(given, scored)]


def scored(*scores: float, cosine: float = 0.8) -> list[Sentence]:
    """Sentences with these scores, in reverse reading order of a passage, no two of them adjacent."""
    words = ["apples", "bridges", "candles", "drums", "engines", "forests", "gardens", "hammers", "islands"]
    return [
        Sentence(f"These are {words[n]}.", 0, 2 * (len(scores) - n), cosine, score) for n, score in enumerate(scores)
    ]


def test_headings_labels_and_repetitions_are_not_quoted() -> None:
    """Only sentences with content remain, in reading order, from the first passages alone."""
    texts = [
        "Annual leave of staff members\nStaff members have twenty days of leave. See page 3.\n年假：",
        "Staff members have twenty days of leave. 员工每年有二十天的年假。",
        "A third passage says something else.",
        "A fourth passage is not scored anymore.",
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
    """The best sentences are selected by score and quoted in document order."""
    best = [
        Sentence("Later.", 1, 0, 0.9, 0.9),
        Sentence("Early.", 0, 5, 0.85, 0.85),
        Sentence("First.", 0, 1, 0.84, 0.84),
    ]
    assert [sentence.text for sentence in select_quotes(best)] == ["Early.", "Later."]
    assert [sentence.position for sentence in select_quotes(scored(0.9, 0.89))] == [2, 4]


def test_near_duplicates_are_quoted_once() -> None:
    """Of two passages with almost the same words, the better one is quoted, followed by a different one."""
    best = [
        Sentence("Unused leave may be carried over for five days.", 0, 0, 0.9, 0.9),
        Sentence("Unused leave may be carried over for five days!", 1, 3, 0.9, 0.89),
        Sentence("The rest of it is lost in April.", 2, 0, 0.85, 0.85),
    ]
    assert [sentence.source for sentence in select_quotes(best)] == [0, 2]


def test_neighbours_are_quoted_as_one() -> None:
    """Two adjacent sentences become one quote that occurs literally in the passage; others stay separate."""
    texts = ["Leave is short. Five days may be carried over.  The rest is lost. Nobody knows why."]
    first, *_ = found = sentences_of(texts, [source(1)])
    assert quoted(found[:2], texts) == ["Five days may be carried over.  The rest is lost."]
    apart = [found[0], msgspec.structs.replace(found[1], position=first.position + 2)]
    assert quoted(apart, texts) == ["Five days may be carried over.", "The rest is lost."]
    rows = ["Team: Blues | Wins: 3\nTeam: Reds | Wins: 4"]
    asked = "How many wins have the Blues and the Reds?"
    assert quoted(sentences_of(rows, [source(1)]), rows, asked) == rows[0].splitlines()


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("Or not. Ann Smith is head. She also wrote the rules.", "Ann Smith is head. She also wrote the rules."),
        ("没有。李雷负责办公室的工作。他还编写了全部规则。", "李雷负责办公室的工作。他还编写了全部规则。"),
        ("Ann Smith runs the office.\nShe also wrote the rules.", "She also wrote the rules."),
        ("She also wrote the rules.", "She also wrote the rules."),
        ("Ann Smith runs the office. Sheds are for the rules of old.", "Sheds are for the rules of old."),
    ],
)  # fmt: skip
def test_a_sentence_with_a_pronoun_is_quoted_with_its_antecedent(text: str, quote: str) -> None:
    """A leading “She” brings the sentence before it in its line, unless another sentence scores close to it."""
    found = sentences_of([text], [source(1)])
    best = msgspec.structs.replace(found[-1], score=1.0)
    assert quoted([best], [text]) == [quote]
    close = [best, msgspec.structs.replace(found[0], text="Something else.", position=9, score=1.0 - AHEAD / 2)]
    assert select_quotes(close)[0] == best


def test_a_short_row_of_a_table_is_quoted_whole() -> None:
    """A row has few words, but each value has a column name; a lone label is no quote."""
    texts = ["Team: Blues | Wins: 3\nTotal:\nPrice: 300"]
    assert [sentence.text for sentence in sentences_of(texts, [source(1)])] == [
        "Team: Blues | Wins: 3",
        "Price: 300",
    ]


def test_a_second_quote_must_come_close() -> None:
    """A sentence that scores far below the best is not quoted, and the number of quotes is limited."""
    assert len(select_quotes(scored(0.9, 0.9 - CLOSE - 0.01))) == 1
    assert len(select_quotes(scored(0.9, 0.9 - CLOSE + 0.01))) == 2
    assert len(select_quotes(scored(*[0.9] * 9))) == QUOTES
    assert select_quotes([]) == []


@pytest.mark.parametrize(
    ("language", "question", "similarity", "common", "answerable"),
    [
        ("en", "How many?", 0.91, 0.0, True),
        ("en", "How many?", 0.89, 0.0, False),
        ("en", "How many?", 0.81, 1.0, True),
        ("en", "How many?", 0.79, 1.0, False),
        ("ru", "Сколько?", 1.01, 0.0, True),
        ("ru", "Сколько?", 0.99, 0.0, False),
        ("zh", "有多少？", 0.71, 0.0, True),
        ("zh", "有多少？", 0.69, 1.0, False),
    ],
)
def test_the_threshold_belongs_to_the_language(
    language: str, question: str, similarity: float, common: float, answerable: bool
) -> None:
    """Best passage, best sentence and common words must reach it; a text in another script has a lower one."""
    best = scored(0.1, 0.9, cosine=0.8)
    texts = [question if common else "—"]
    assert common_words(context(question, texts)) == common
    assert is_answerable(context(question, texts, similarity=similarity), best) is answerable
    assert context(question).language == language


def test_the_best_passage_alone_may_be_clear() -> None:
    """It must reach its share of the threshold; a model without a threshold never has a clear passage."""
    unknown = ModelCard(model="m", fingerprint="f", dimension=4, max_tokens=512, batch_size=8)
    half, fifth = "Unused leave?", "Unused leave of six new managers?"
    texts = ["Leave."]
    assert (common_words(context(half, texts)), common_words(context(fifth, texts))) == (0.5, 0.2)
    assert is_clearly_answerable(context(half, texts, similarity=0.85))
    assert not is_clearly_answerable(context(fifth, texts, similarity=0.85))
    assert not is_clearly_answerable(context(half, texts, similarity=1.0, card=unknown))


def test_common_words_are_those_of_one_passage() -> None:
    """The best passage counts, whatever form its words have; a question without words has none in common."""
    texts = ["Unused days may be carried over.", "The lifts were inspected.", "", "Carrying over unused leave days."]
    assert common_words(context("Which unused leave days are carried over?", texts)) == pytest.approx(4 / 5)
    assert common_words(context("?", texts)) == common_words(context("Why leave?", [])) == 0.0


def test_without_a_threshold_the_model_is_trusted() -> None:
    """A card without thresholds, or without one for the language, accepts any sentence; no sentence is no answer."""
    unknown = ModelCard(model="m", fingerprint="f", dimension=4, max_tokens=512, batch_size=8)
    english = ModelCard(
        model="m", fingerprint="f", dimension=4, max_tokens=512, batch_size=8, found_threshold={"en": 1.9}
    )
    far = scored(0.1, cosine=0.0)
    assert is_answerable(context("Why?", card=unknown), far)
    assert is_answerable(context("Почему?", card=english), far)
    assert not is_answerable(context("Why?", card=english), far)
    for card in (CARD, unknown):
        assert not is_answerable(context("Why?", ["Why?"], similarity=2.0, card=card), [])


def test_a_citation_has_the_place_of_its_quote() -> None:
    """Number, document, version, chunk, page and section are those of the passage."""
    made = context("", ["", ""], [source(2), source(3, "A › B")]).citation(1, "The quote.")
    assert (made.n, made.document_name, made.version, made.chunk_id, made.page, made.section, made.quote) == (
        3, "a.pdf", 1, "c3", 3, "A › B", "The quote.",
    )  # fmt: skip


async def test_passages_are_embedded_in_their_order(triton: Triton) -> None:
    """With several requests, different lengths and some known vectors, each row is the vector of its own text."""
    card = await triton.card()
    texts = [f"Rule {n} is kept for {n} years. " * (1 + n % 3) for n in range(REQUEST + 3)]
    vectors = SentenceVectors(triton)
    await vectors.embed(card, texts[5:9])
    for _ in range(2):
        matrix = await vectors.embed(card, [*texts, texts[0]])
        assert matrix.shape == (len(texts) + 1, card.dimension)
        for n in (0, 1, 7, len(texts) - 1):
            (alone,) = await triton.embed([card.prompts.get("passage", "") + texts[n]])
            assert float(alone @ matrix[n]) > 0.999
    assert (await vectors.embed(card, [])).shape == (0, card.dimension)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many days of leave can be carried over?", "Five days of unused annual leave may be carried over."),
        ("签证费用由谁承担？", "外籍员工的签证费用由公司承担。"),
    ],
)
async def test_the_sentence_that_answers_is_scored_highest(triton: Triton, question: str, answer: str) -> None:
    """Among the other sentences of the passages it comes first, and the cosine is the real one."""
    card = await triton.card()
    vector = await triton.embed_query(question)
    texts = [
        "Fire drills are in spring. Five days of unused annual leave may be carried over. Lifts are inspected.",
        "外籍员工的签证费用由公司承担。消防演习每年春天举行一次。",
    ]
    given = context(question, texts, [source(1), source(2)], card=card, vector=vector)
    found = await score_sentences(given, SentenceVectors(triton))
    assert found[0].text == answer
    (alone,) = await triton.embed([card.prompts.get("passage", "") + answer])
    assert found[0].cosine == pytest.approx(float(alone @ vector), abs=1e-3)


async def test_passages_without_sentences_have_no_scores(triton: Triton) -> None:
    """Passages of headings and labels alone yield no sentences and cost no embedding."""
    card = await triton.card()
    zeros = np.zeros(card.dimension, np.float32)
    given = context("Why?", ["Title", ""], [source(1), source(2)], card=card, vector=zeros)
    assert await score_sentences(given, SentenceVectors(triton)) == []


def test_a_follow_up_moves_on_only_to_a_sentence_with_its_words() -> None:
    """What was quoted before steps back behind it; without such a sentence the order stays."""
    quoted, other = Sentence("The plan has a chief.", 0, 0, score=1.0), Sentence("Employees have PTO.", 0, 1, score=0.9)
    for asked, best in (("And employees?", other), ("Who owns it?", quoted), ("By whom?", quoted)):
        found = SourceTexts([], b"", asked, asked=asked, said=f"{quoted.text} [1]")
        assert _going_on(AnswerContext(found, [], 0.0, CARD), [quoted, other])[0].text == best.text


def test_equal_items_below_different_ones_are_different() -> None:
    """What an item is below stands before it."""
    text = "Hours\n  Porto\n    The desk closes at noon.\n  Lisbon\n    The desk closes at noon."
    found = sentences_of([text], [source(1)])
    assert [one.around for one in found] == ["Porto The desk closes at noon.", "Lisbon The desk closes at noon."]


@pytest.mark.parametrize(
    ("question", "answerable"),
    [("响应模式有哪些？", True), ("响应模式是谁选的？", False), ("响应时间有哪些？", False)],
)
def test_a_list_with_the_words_of_a_question_answers_it(question: str, answerable: bool) -> None:
    """However far its short items are from the question."""
    text = "请求\n  响应模式\n    长轮询是一种方法\n    推送"
    far = [msgspec.structs.replace(one, cosine=0.1) for one in sentences_of([text], [source(1)])]
    assert is_answerable(context(question, [text], similarity=0.1), far) is answerable
