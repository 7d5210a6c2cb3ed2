"""Summaries: an honest extract by section, cited."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from activities.answering.summaries import CHARACTERS, UNSURE, extract, sections_of, summarised
from activities.contracts.documents import Chunk
from activities.stores.catalog.records import ShownDocument

DOCUMENT = ShownDocument(
    id="a" * 32, name="handbook.md", version=2, uploaded_at=datetime(2026, 3, 4, tzinfo=UTC), actor="ann"
)
TEXT = """Handbook
First day
New colleagues report to the reception at nine. They get a badge.
Parking
A space costs 58 euros a month."""


@pytest.mark.parametrize(
    ("question", "subject"),
    [
        ("Summarise the handbook.", "the handbook"),
        ("What is the handbook about?", "the handbook"),
        ("Give me a summary of travel-policy-2024.pdf", "travel-policy-2024.pdf"),
        ("总结一下员工手册", "员工手册"),
        ("员工手册的主要内容是什么？", "员工手册"),
        ("What is chapter three about?", f"{UNSURE}chapter three"),
        ("What does the handbook say about parking?", None),
        ("What is the handbook's price?", None),
        ("手册由谁负责？", None),
    ],
)
def test_questions_for_a_summary_are_told_apart(question: str, subject: str | None) -> None:
    """What is no document by its words has to be one by its name."""
    assert summarised(question) == subject


def test_each_section_gives_its_first_sentence() -> None:
    """Below headings in the text and those of chunks."""
    chunks = [Chunk(0, TEXT, 9), Chunk(1, "Dogs are welcome in the garden.", 9, section="Handbook › Pets › Dogs")]
    assert [(one.heading, one.sentence) for one in sections_of(chunks)] == [
        ("First day", "New colleagues report to the reception at nine."),
        ("Parking", "A space costs 58 euros a month."),
        ("Pets", "Dogs are welcome in the garden."),
    ]


def test_an_extract_says_what_it_is_and_cites_every_sentence() -> None:
    """In the question's language, not longer than its limit, with a word on the sections left out."""
    chunks = [
        Chunk(n, f"The rule number {n} is that nobody runs in the corridors of the house.", 9, section=f"S{n}")
        for n in range(40)
    ]
    extracted = extract("Summarise the handbook", DOCUMENT, chunks)
    assert extracted is not None
    answered, sources, texts = extracted
    assert answered.answer.startswith("An extract of handbook.md")
    assert "more sections" in answered.answer
    assert len(answered.answer) <= CHARACTERS + 30
    assert [source.n for source in sources] == [citation.n for citation in answered.citations]
    assert all(citation.quote in texts[citation.n - 1] for citation in answered.citations)
    assert extract("总结", DOCUMENT, chunks)[0].answer.startswith("以下是")  # type: ignore[index]


def test_a_document_without_sentences_has_no_extract() -> None:
    """It is searched like any other question."""
    assert extract("Summarise it", DOCUMENT, [Chunk(0, "1 | 2", 3)]) is None


def test_what_a_thing_does_not_cover_is_no_summary() -> None:
    """“What does the warranty not cover?” asks for a list."""
    assert summarised("What does the warranty of the printer not cover?") is None
    assert summarised("What does the handbook cover?") == "the handbook"
