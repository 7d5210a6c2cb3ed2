"""Questions about documents: told from questions on contents, and answered from the catalogue."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from activities.answering.about_documents import LISTED, about_documents, answer_about
from activities.answering.document_names import named_document
from activities.stores.catalog.records import ShownDocument


def shown(name: str, version: int = 1) -> ShownDocument:
    """A live document."""
    return ShownDocument(
        id="a" * 32, name=name, version=version, uploaded_at=datetime(2026, 3, 4, 5, 6, tzinfo=UTC), actor="ann"
    )


DOCUMENTS = [
    shown("员工手册.md", 3),
    shown("travel-policy-2024.pdf"),
    shown("travel-policy-2023.pdf"),
    shown("Onboarding handbook.md"),
]


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("How many documents are there?", ["4 documents", "catalogue"]),
        ("How many PDF files do you have?", ["2 documents", "PDF"]),
        ("Which documents are there?", ["4 documents", "- Onboarding handbook.md"]),
        ("When was the onboarding handbook uploaded, by whom?", ["2026-03-04", "ann"]),
        ("What is the latest version of the travel policy 2023?", ["travel-policy-2023.pdf", "version 1"]),
        ("Which document was uploaded last?", ["员工手册.md"]),
        ("有几个文件？", ["4 个"]),
        ("哪些文档？", ["员工手册.md"]),
        ("员工手册是谁上传的？", ["ann", "2026-03-04"]),
        ("员工手册的最新版本是哪个？", ["版本 3"]),
        ("最新上传的是哪个？", ["员工手册.md"]),
    ],
)  # fmt: skip
def test_the_catalogue_answers(question: str, parts: list[str]) -> None:
    """The answer says so, in the question's language, and cites no passage."""
    asked = about_documents(question)
    assert asked is not None
    answered = answer_about(asked, question, len(DOCUMENTS), DOCUMENTS)
    assert answered is not None
    assert [part for part in parts if part not in answered.answer] == []
    assert answered.found
    assert not answered.citations


@pytest.mark.parametrize(
    "question",
    [
        "How many documents must be signed?", "Which documents mention the BCP?",
        "Which documents are needed for a visa?",
        "What is the latest time for check-in?", "When was the insurance renewed?",
        "How many files fit in the cabinet?",
        "办理借书证需要哪些文件？", "有几个审批人？", "哪些文件提到了年假？", "需要签几份文件？",
    ],
)  # fmt: skip
def test_questions_on_contents_are_searched(question: str) -> None:
    """Precision before recall."""
    assert about_documents(question) is None


def test_a_document_that_is_not_there_is_searched_for() -> None:
    """A question about the upload of something else is one on contents."""
    asked = about_documents("When was the annual report uploaded?")
    assert asked is not None
    assert answer_about(asked, "When was the annual report uploaded?", 4, DOCUMENTS) is None


def test_a_long_list_is_cut() -> None:
    """It says how many there are besides."""
    asked = about_documents("List all documents")
    assert asked is not None
    many = answer_about(asked, "List all documents", LISTED + 5, [shown(f"{n}.md") for n in range(LISTED + 5)])
    assert many is not None
    assert "5 more" in many.answer


def test_names_that_are_alike_are_told_apart_or_left_open() -> None:
    """By their numbers; without one neither is meant."""
    found = named_document("travel policy 2023", DOCUMENTS)
    assert found is not None
    assert found.name == "travel-policy-2023.pdf"
    assert named_document("travel policy", DOCUMENTS) is None
