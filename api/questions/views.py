"""Passages, questions and answers as the API shows them; what a request narrows its search down by."""

from __future__ import annotations

import msgspec

from activities.contracts import addresses, search
from activities.contracts.answers import Citation, Source
from activities.contracts.ids import question_id
from activities.errors import Language
from activities.retrieval.passages import Passage
from activities.stores.catalog.records import Feedback, PendingDocuments, Question
from api.questions.schemas import (
    CitationInfo,
    FeedbackInfo,
    IndexState,
    QuestionAccepted,
    QuestionInfo,
    SearchFilter,
    SearchHit,
    SourceInfo,
)


def search_filter(given: SearchFilter | None) -> search.SearchFilter | None:
    """The filter of a request, as retrieval and workflows take it."""
    return None if given is None else msgspec.convert(msgspec.to_builtins(given), search.SearchFilter)


def citation_info(citation: Citation) -> CitationInfo:
    """The citation with every field."""
    return CitationInfo(**msgspec.structs.asdict(citation))


def source_info(source: Source) -> SourceInfo:
    """The source with every field."""
    return SourceInfo(**msgspec.structs.asdict(source))


def search_hit(passage: Passage) -> SearchHit:
    """A passage that retrieval found."""
    row = passage.row
    return SearchHit(
        document_id=row.document_id,
        document_name=passage.document_name,
        version=row.version,
        chunk_id=row.id,
        page=row.page or None,
        section=row.section,
        text=row.text,
        score=passage.score,
        duplicates=passage.duplicates,
    )


def index_state(pending: PendingDocuments) -> IndexState:
    """Whether documents are on their way into the index."""
    return IndexState(
        state="building" if pending.documents else "ready",
        pending=pending.documents,
        eta_seconds=pending.eta_seconds,
    )


def question_accepted(question: Question, pending: PendingDocuments) -> QuestionAccepted:
    """An accepted question and where to watch it."""
    return QuestionAccepted(
        index=index_state(pending),
        id=question.id,
        conversation_id=question.conversation_id,
        state=question.state,
        workflow_id=question_id(question.id),
        status_url=addresses.question(question.id),
        events_url=addresses.question_events(question.id),
    )


def question_info(question: Question, language: Language) -> QuestionInfo:
    """A question and what came of it."""
    return QuestionInfo(
        id=question.id,
        conversation_id=question.conversation_id,
        question=question.question,
        mode=question.mode,
        state=question.state,
        answer=question.answer,
        found=question.found,
        citations=[citation_info(citation) for citation in question.citations],
        sources=[source_info(source) for source in question.sources],
        reason=question.reason.render(language) if question.reason else None,
        actor=question.actor,
        created_at=question.created_at,
        finished_at=question.finished_at,
        workflow_id=question_id(question.id),
        events_url=addresses.question_events(question.id),
        fallback=question.fallback,
        withheld=question.withheld,
        feedback=_feedback_info(question.feedback),
    )


def _feedback_info(feedback: Feedback | None) -> FeedbackInfo | None:
    return FeedbackInfo(rating=feedback.rating, comment=feedback.comment) if feedback else None
