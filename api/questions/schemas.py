"""What the HTTP API takes and gives for searches and questions (DESIGN §6)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from activities.contracts.answers import AnswerMode, Citation, Fallback, Source
from activities.contracts.ids import question_id
from activities.contracts.search import SearchFilter, SearchMode
from activities.errors import Language
from activities.retrieval.passages import Passage
from activities.stores.catalog.records import Feedback, PendingDocuments, Question, Rating
from api.http.schemas import Request, Schema


class CitationInfo(Citation, frozen=True, omit_defaults=False):
    """A citation, with every field there."""

    @classmethod
    def whole(cls, citation: Citation) -> CitationInfo:
        """The same citation."""
        return cls(**msgspec.structs.asdict(citation))


class SourceInfo(Source, frozen=True, omit_defaults=False):
    """A source, with every field there."""

    @classmethod
    def whole(cls, source: Source) -> SourceInfo:
        """The same source."""
        return cls(**msgspec.structs.asdict(source))


class SearchRequest(Request, frozen=True):
    query: Annotated[str, Meta(min_length=1)]
    limit: Annotated[int, Meta(ge=1, le=100)] = 10
    mode: SearchMode = "hybrid"
    documents: Annotated[list[str], Meta(max_length=100)] = []
    filter: SearchFilter | None = None


class SearchHit(Schema, frozen=True):
    """A passage of a live document; ``score`` (0–1) orders the hits of one search.

    ``duplicates`` is how many other passages say the same, word for word or almost, and were left out for it.
    """

    document_id: str
    document_name: str
    version: int
    chunk_id: str
    page: int | None
    section: str
    text: str
    score: float
    duplicates: int

    @classmethod
    def of(cls, passage: Passage) -> SearchHit:
        """From retrieval."""
        row = passage.row
        return cls(
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


class IndexState(Schema, frozen=True):
    """``building`` while ``pending`` documents are accepted but not yet searchable."""

    state: Literal["ready", "building"]
    pending: int
    eta_seconds: float | None = None

    @classmethod
    def of(cls, pending: PendingDocuments) -> IndexState:
        """From the catalogue."""
        state: Literal["ready", "building"] = "building" if pending.documents else "ready"
        return cls(state=state, pending=pending.documents, eta_seconds=pending.eta_seconds)


class SearchResponse(Schema, frozen=True):
    hits: list[SearchHit]
    index: IndexState


class AskRequest(Request, frozen=True):
    """``listed`` is False for questions whose conversation nobody wants to see in a list (an evaluation's)."""

    question: Annotated[str, Meta(min_length=1)]
    conversation_id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")] | None = None
    mode: AnswerMode | None = None
    wait_for_index: bool = False
    documents: Annotated[list[str], Meta(max_length=100)] = []
    filter: SearchFilter | None = None
    listed: bool = True


class FeedbackRequest(Request, frozen=True):
    rating: Rating
    comment: Annotated[str, Meta(max_length=4000)] | None = None


class FeedbackInfo(Schema, frozen=True):
    """What the asker thought of the answer."""

    rating: Rating
    comment: str | None

    @classmethod
    def of(cls, feedback: Feedback | None) -> FeedbackInfo | None:
        """From the catalogue."""
        return cls(rating=feedback.rating, comment=feedback.comment) if feedback else None


class QuestionAccepted(Schema, frozen=True):
    id: str
    conversation_id: str
    state: str
    workflow_id: str
    status_url: str
    events_url: str
    index: IndexState

    @classmethod
    def of(cls, question: Question, index: IndexState) -> QuestionAccepted:
        """From the catalogue."""
        return cls(
            index=index,
            id=question.id,
            conversation_id=question.conversation_id,
            state=question.state,
            workflow_id=question_id(question.id),
            status_url=f"/api/v1/questions/{question.id}",
            events_url=f"/api/v1/questions/{question.id}/events",
        )


class QuestionInfo(Schema, frozen=True):
    """A question and what came of it."""

    id: str
    conversation_id: str
    question: str
    mode: AnswerMode
    state: str
    answer: str | None
    found: bool | None
    citations: list[CitationInfo]
    sources: list[SourceInfo]
    reason: str | None
    actor: str
    created_at: datetime
    finished_at: datetime | None
    workflow_id: str
    events_url: str
    fallback: Fallback | None
    withheld: int
    feedback: FeedbackInfo | None

    @classmethod
    def of(cls, question: Question, language: Language) -> QuestionInfo:
        """From the catalogue."""
        return cls(
            id=question.id,
            conversation_id=question.conversation_id,
            question=question.question,
            mode=question.mode,
            state=question.state,
            answer=question.answer,
            found=question.found,
            citations=[CitationInfo.whole(citation) for citation in question.citations],
            sources=[SourceInfo.whole(source) for source in question.sources],
            reason=question.reason.render(language) if question.reason else None,
            actor=question.actor,
            created_at=question.created_at,
            finished_at=question.finished_at,
            workflow_id=question_id(question.id),
            events_url=f"/api/v1/questions/{question.id}/events",
            fallback=question.fallback,
            withheld=question.withheld,
            feedback=FeedbackInfo.of(question.feedback),
        )
