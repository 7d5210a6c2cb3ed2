"""What the HTTP API takes and gives for searches and questions (DESIGN §6)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from activities.contracts import search
from activities.contracts.answers import AnswerMode, Citation, Fallback, Rating, Source
from activities.contracts.names import clean_tags
from activities.contracts.search import SearchMode
from api.http.schemas import Request, Schema


class CitationInfo(Citation, frozen=True, omit_defaults=False):
    """A citation, with every field there."""


class SourceInfo(Source, frozen=True, omit_defaults=False):
    """A source, with every field there."""


class PageRange(Request, frozen=True, omit_defaults=True):
    """Pages ``from`` … ``to``, both included; chunks of formats without pages are in no range."""

    first: Annotated[int, Meta(ge=1, le=1_000_000)] | None = msgspec.field(default=None, name="from")
    last: Annotated[int, Meta(ge=1, le=1_000_000)] | None = msgspec.field(default=None, name="to")


class TimeRange(Request, frozen=True, omit_defaults=True):
    """Moments from ``since`` to before ``until``, ISO 8601, in UTC unless they say otherwise.

    A date without a time stands for the whole day: ``until`` a date includes that day.
    """

    since: Annotated[str, Meta(max_length=40)] | None = None
    until: Annotated[str, Meta(max_length=40)] | None = None

    def __post_init__(self) -> None:
        """Raises InvalidRequest for what is no date."""
        search.TimeRange(since=self.since, until=self.until).bounds()


class SearchFilter(Request, frozen=True, omit_defaults=True):
    """What passages must come from; all that is given must hold.

    ``name`` is a pattern of the whole document name (``*`` any characters, ``?`` one; case does not count),
    ``uploaded`` when the live version was, ``tags`` names tags that the document has, all of them.
    """

    name: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    pages: PageRange | None = None
    uploaded: TimeRange | None = None
    tags: Annotated[list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(max_length=20)] = []

    def __post_init__(self) -> None:
        """Raises InvalidRequest for tags that no document can have."""
        clean_tags(self.tags)


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


class IndexState(Schema, frozen=True):
    """``building`` while ``pending`` documents are accepted but not yet searchable."""

    state: Literal["ready", "building"]
    pending: int
    eta_seconds: float | None = None


class SearchResponse(Schema, frozen=True):
    hits: list[SearchHit]
    index: IndexState


class AskRequest(Request, frozen=True):
    """``listed`` is False for questions whose conversation stays out of lists (an evaluation's)."""

    question: Annotated[str, Meta(min_length=1)]
    conversation_id: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$(?!\n)")] | None = None
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


class QuestionAccepted(Schema, frozen=True):
    id: str
    conversation_id: str
    state: str
    workflow_id: str
    status_url: str
    events_url: str
    index: IndexState


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
