"""Answers and knowledge bases as a client of the OpenAI API reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from activities.contracts.answers import Citation
from activities.retrieval.passages import Passage
from activities.stores.catalog.records import KnowledgeBase, Question
from api.openai.schemas import AnswerExtension, FileCitation, Model, TextContent, Usage, VectorStoreResult
from api.questions.asking import Answer
from api.questions.views import citation_info, search_hit, source_info

#: The number of a source, after the sentence that stands on it.
MARKER = re.compile(r"\[(\d{1,6})\]")


def answer_extension(question: Question, answer: Answer) -> AnswerExtension:
    """What the answer to ``question`` stands on."""
    done = answer.done
    return AnswerExtension(
        question_id=question.id,
        conversation_id=question.conversation_id,
        answer=done.answer,
        found=done.found,
        mode=done.mode,
        fallback=done.fallback,
        withheld=done.withheld,
        citations=[citation_info(citation) for citation in done.citations],
        sources=[source_info(source) for source in answer.sources],
    )


def file_citations(content: str, begin: int, citations: Sequence[Citation]) -> list[FileCitation]:
    """Where in ``content``, from ``begin``, sources are cited by their numbers."""
    cited = {citation.n: citation for citation in citations}
    return [
        FileCitation(file_id=one.document_id, filename=one.document_name, index=mark.start())
        for mark in MARKER.finditer(content, begin)
        if (one := cited.get(int(mark[1]))) is not None
    ]


def result(passage: Passage) -> VectorStoreResult:
    """A passage that a search found."""
    hit = search_hit(passage)
    told: dict[str, str | int | None] = {"version": hit.version, "page": hit.page, "section": hit.section or None}
    return VectorStoreResult(
        file_id=hit.document_id,
        filename=hit.document_name,
        score=hit.score,
        attributes={name: value for name, value in told.items() if value is not None},
        content=[TextContent(text=hit.text)],
    )


def usage(prompt: int, completion: int) -> Usage:
    """Tokens with their sum."""
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def model(record: KnowledgeBase) -> Model:
    """A knowledge base, as something that answers."""
    return Model(id=record.name, created=int(record.created_at.timestamp()), owned_by=record.created_by)
