"""The catalogue's tables. They use only types common to SQLite and PostgreSQL; ids are time-ordered UUIDs in hex."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import uuid_utils
from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from activities.contracts.gate import GATE_SECONDS
from activities.contracts.names import MAX_SEARCH_KEY, search_key
from activities.telemetry.carried import MAX_CARRIED

#: The actor of changes that nobody asked for, or that the catalogue does not know who asked for.
SYSTEM = "system"


def new_id() -> str:
    """A new id: 32 hexadecimal digits of a UUID version 7, which sorts by creation time."""
    return str(uuid_utils.uuid7().hex)


def first_id(at: datetime) -> str:
    """A string that sorts before every id made from ``at`` on, and after all earlier ones."""
    return f"{int(at.timestamp() * 1000):012x}"  # a UUID version 7 begins with 48 bits of milliseconds


def now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """Timezone-aware UTC datetimes on every database (SQLite drops the zone); naive datetimes are treated as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Table(DeclarativeBase):
    """Base of all tables; constraints get stable names, which migrations refer to."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, list[Any]: JSON, int: BigInteger}  # noqa: RUF012


def _partial(name: str, *columns: str, where: str) -> Index:
    """An index of the rows for which ``where`` holds. Queries that use it contain the same condition."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


#: Text that both databases sort by code points, and in which PostgreSQL finds parts faster than by a language's rules.
BY_CODE_POINT = String(MAX_SEARCH_KEY).with_variant(String(MAX_SEARCH_KEY, collation="C"), "postgresql")


def _key_of_name(context: DefaultExecutionContext) -> str:
    return search_key(context.get_current_parameters()["name"])  # type: ignore[no-untyped-call]


class KnowledgeBaseRow(Table):
    __tablename__ = "knowledge_bases"
    __table_args__ = (
        Index(
            "uq_knowledge_bases_name_live",
            "name",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(63))
    title: Mapped[str] = mapped_column(String(200), default="")
    description: Mapped[str] = mapped_column(Text, default="")
    max_tokens: Mapped[int]
    overlap_tokens: Mapped[int]
    generation: Mapped[int] = mapped_column(default=1)
    answers: Mapped[dict[str, Any] | None]
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    deleted_by: Mapped[str | None] = mapped_column(String(200))
    deleted_at: Mapped[datetime | None]


class GenerationRow(Table):
    """One index generation of a knowledge base: a Milvus collection built with one model and one chunking.

    Every publication goes into all generations that are not ``retired``. Those from before the columns existed have
    the chunking of their knowledge base.
    """

    __tablename__ = "generations"
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id"), primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True)
    collection: Mapped[str] = mapped_column(String(100), unique=True)
    model: Mapped[str | None] = mapped_column(String(300))
    model_fingerprint: Mapped[str | None] = mapped_column(String(64))
    phase: Mapped[str] = mapped_column(String(16), default="live", server_default="live")
    max_tokens: Mapped[int | None]
    overlap_tokens: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class ReindexRow(Table):
    """A re-index: ``generation`` is, or will be, built beside ``previous``. One at a time for each knowledge base."""

    __tablename__ = "reindexes"
    __table_args__ = (
        Index("ix_reindexes_knowledge_base_id_id", "knowledge_base_id", "id"),
        Index(
            "uq_reindexes_unfinished",
            "knowledge_base_id",
            unique=True,
            sqlite_where=text("finished_at IS NULL"),
            postgresql_where=text("finished_at IS NULL"),
        ),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id"))
    generation: Mapped[int]
    previous: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), default="queued")
    stage: Mapped[str] = mapped_column(String(16), default="")
    max_tokens: Mapped[int]
    overlap_tokens: Mapped[int]
    model: Mapped[str | None] = mapped_column(String(300))
    model_fingerprint: Mapped[str | None] = mapped_column(String(64))
    plan_only: Mapped[bool] = mapped_column(default=False)
    approve: Mapped[bool] = mapped_column(default=False)
    approved_by: Mapped[str | None] = mapped_column(String(200))
    canceled_by: Mapped[str | None] = mapped_column(String(200))
    parallelism: Mapped[int]
    throttle: Mapped[float]
    window: Mapped[str] = mapped_column(String(80), default="")
    soak_seconds: Mapped[float]
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    plan: Mapped[dict[str, Any] | None]
    verified: Mapped[dict[str, Any] | None]
    questions: Mapped[str] = mapped_column(String(16), default="")
    questions_key: Mapped[str | None] = mapped_column(String(200))
    gate: Mapped[dict[str, Any] | None]
    gate_seconds: Mapped[float] = mapped_column(default=GATE_SECONDS)
    overridden_by: Mapped[str | None] = mapped_column(String(200))
    override_reason: Mapped[str | None] = mapped_column(String(500))
    reason: Mapped[dict[str, Any] | None]
    actor: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    built_since: Mapped[datetime | None]
    switched_at: Mapped[datetime | None]
    rolled_back_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class ReindexAllRow(Table):
    """A re-index of many knowledge bases; ``wanted`` is what was asked of it last."""

    __tablename__ = "reindex_alls"
    __table_args__ = (_partial("ix_reindex_alls_unfinished", "id", where="finished_at IS NULL"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    state: Mapped[str] = mapped_column(String(16), default="queued")
    wanted: Mapped[str] = mapped_column(String(16), default="resume")
    settings: Mapped[dict[str, Any]]
    actor: Mapped[str] = mapped_column(String(200))
    canceled_by: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    finished_at: Mapped[datetime | None]


class ReindexAllItemRow(Table):
    """A knowledge base of a re-index of many, in the order of ``position``."""

    __tablename__ = "reindex_all_items"
    reindex_all_id: Mapped[str] = mapped_column(ForeignKey("reindex_alls.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id"))
    knowledge_base: Mapped[str] = mapped_column(String(63))
    state: Mapped[str] = mapped_column(String(16), default="queued")
    reason: Mapped[dict[str, Any] | None]
    reindex_id: Mapped[str | None] = mapped_column(String(32))


class DocumentRow(Table):
    """A document; ``live_version`` is the only version that search may show."""

    __tablename__ = "documents"
    __table_args__ = (
        Index(
            "uq_documents_name_live",
            "knowledge_base_id",
            "name",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_documents_knowledge_base_id_id", "knowledge_base_id", "id"),
        _partial("ix_documents_live", "knowledge_base_id", "id", where="live_version IS NOT NULL"),
        _partial("ix_documents_deleted", "knowledge_base_id", "id", where="deleted_at IS NOT NULL"),
        _partial("ix_documents_name_key", "knowledge_base_id", "name_key", "id", where="deleted_at IS NULL"),
        _partial("ix_documents_source", "source_id", "id", where="source_id IS NOT NULL"),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id"))
    name: Mapped[str] = mapped_column(String(255))
    name_key: Mapped[str] = mapped_column(BY_CODE_POINT, default=_key_of_name, server_default="")
    live_version: Mapped[int | None]
    latest_version: Mapped[int]
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    deleted_by: Mapped[str | None] = mapped_column(String(200))
    deleted_at: Mapped[datetime | None]
    # the source whose syncs own it, and the state of the source's file that its latest version was made from
    source_id: Mapped[str | None] = mapped_column(String(32))
    source_stamp: Mapped[str | None] = mapped_column(String(200))
    tags: Mapped[list[TagRow]] = relationship(
        lazy="raise", order_by="TagRow.tag", cascade="all, delete-orphan", passive_deletes=True
    )


class TagRow(Table):
    """A tag that a user gave to a document."""

    __tablename__ = "document_tags"
    document_id: Mapped[str] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)


class PlatformRow(Table):
    """The one row with the id of the platform whose catalogue this is (``platform``)."""

    __tablename__ = "platform"
    only: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(32))


class ContentRow(Table):
    """Uploaded bytes that documents share; ``removing_by`` is the id of the holder of a removal (``content_locks``)."""

    __tablename__ = "contents"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    removing_by: Mapped[str | None] = mapped_column(String(32))


class VersionRow(Table):
    """One uploaded version of a document, with the state of its ingestion."""

    __tablename__ = "versions"
    __table_args__ = (
        Index("ix_versions_batch_id_state", "batch_id", "state"),
        Index("ix_versions_knowledge_base_id_published_at", "knowledge_base_id", "published_at"),
        _partial(
            "ix_versions_pending",
            "knowledge_base_id",
            "actor",
            "state",
            "eta_seconds",
            where="state IN ('queued', 'running', 'waiting', 'paused')",
        ),
        _partial(
            "ix_versions_latest",
            "knowledge_base_id",
            "state",
            "document_id",
            "replaced_at",  # SQLite answers from the index alone if it has all columns
            where="replaced_at IS NULL",
        ),
        _partial(
            "ix_versions_updated_at", "knowledge_base_id", "updated_at", "document_id", where="replaced_at IS NULL"
        ),
        _partial("ix_versions_bytes", "knowledge_base_id", "bytes", "document_id", where="replaced_at IS NULL"),
        _partial(
            "ix_versions_created_at", "knowledge_base_id", "created_at", "document_id", where="replaced_at IS NULL"
        ),
        _partial(
            "ix_versions_outbox",
            "created_at",
            where="state = 'queued' AND dispatched_at IS NULL AND (batch_id IS NULL OR batch_page = 'alone')",
        ),
        _partial(
            "ix_versions_batch_queue",
            "batch_id",
            "created_at",
            "document_id",
            where="state = 'queued' AND batch_page IS NULL",
        ),
        _partial(
            "ix_versions_batch_page", "batch_id", "batch_page", where="state = 'queued' AND batch_page IS NOT NULL"
        ),
        _partial("ix_versions_batch_ended", "batch_id", "updated_at", where="state IN ('canceled', 'failed', 'ready')"),
        # what operators see: newest first, and by minute
        _partial(
            "ix_versions_started",
            "dispatched_at",
            "document_id",
            where="state IN ('queued', 'running', 'waiting', 'paused') AND dispatched_at IS NOT NULL",
        ),
        _partial(
            "ix_versions_not_started",
            "updated_at",
            "document_id",
            "state",
            where="state IN ('queued', 'running', 'waiting', 'paused') AND dispatched_at IS NULL",
        ),
        _partial("ix_versions_published", "published_at", "chunks", where="published_at IS NOT NULL"),
        _partial("ix_versions_failed", "updated_at", "document_id", where="state = 'failed' AND replaced_at IS NULL"),
    )
    document_id: Mapped[str] = mapped_column(ForeignKey("documents.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    knowledge_base_id: Mapped[str] = mapped_column(String(32))  # its document's
    state: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    bytes: Mapped[int]
    media_type: Mapped[str] = mapped_column(String(127), default="")
    pages: Mapped[int | None]
    chunks: Mapped[int] = mapped_column(default=0)
    parsed_key: Mapped[str | None] = mapped_column(String(300))
    remarks: Mapped[list[Any] | None]
    reason: Mapped[dict[str, Any] | None]
    actor: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    published_at: Mapped[datetime | None]
    replaced_at: Mapped[datetime | None]  # when a newer version was accepted
    # progress of its run, as workers last recorded it (activities.ingest.progress)
    stage: Mapped[str] = mapped_column(String(16), default="")
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    attempt: Mapped[int] = mapped_column(default=1)
    waiting_for: Mapped[str | None] = mapped_column(String(32))
    next_attempt_at: Mapped[datetime | None]
    eta_seconds: Mapped[float | None]
    # its run, and how it is started
    run: Mapped[int] = mapped_column(default=1, server_default="1")
    ending: Mapped[bool] = mapped_column(default=False, server_default=false())
    dispatched_at: Mapped[datetime | None]
    batch_id: Mapped[str | None] = mapped_column(ForeignKey("batches.id"))
    batch_page: Mapped[str | None] = mapped_column(String(80))
    retry_from: Mapped[str | None] = mapped_column(String(16))
    supersedes: Mapped[int | None]
    request: Mapped[str | None] = mapped_column(String(MAX_CARRIED))  # the one that asked for it (telemetry.carried)


class IndexedVersionRow(Table):
    """A version in one index generation: the blobs its rows were written from, and the number of rows.

    ``reading`` is set while the generation is not the live one and was made from another reading of the file than the
    version's: what ``versions`` holds of it when the generation is.
    """

    __tablename__ = "indexed_versions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["document_id", "version"], ["versions.document_id", "versions.version"], ondelete="CASCADE"
        ),
    )
    document_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True)
    chunks_key: Mapped[str] = mapped_column(String(300), index=True)
    vectors_key: Mapped[str] = mapped_column(String(300), index=True)
    rows: Mapped[int]
    reading: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(default=now)


class BatchRow(Table):
    """Documents that were added together; ``closed`` when no more can join. An archive is unpacked into its batch.

    ``unpacked_files`` of the archive, in its order, have been accepted; with ``unpacked`` all of them.
    """

    __tablename__ = "batches"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id"), index=True)
    name: Mapped[str] = mapped_column(String(255), default="")
    state: Mapped[str] = mapped_column(String(16), default="queued", index=True)
    closed: Mapped[bool] = mapped_column(default=False)
    parallelism: Mapped[int]
    archive_sha256: Mapped[str | None] = mapped_column(String(64))
    tags: Mapped[list[Any] | None]
    skipped: Mapped[list[Any] | None]
    unpacked_files: Mapped[int] = mapped_column(default=0, server_default="0")
    unpacked: Mapped[bool] = mapped_column(default=False, server_default=false())
    reason: Mapped[dict[str, Any] | None]
    actor: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    dispatched_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    request: Mapped[str | None] = mapped_column(String(MAX_CARRIED))


class BulkChangeRow(Table):
    """One change of many documents: of ``ids``, or of those that match ``filter`` and are not newer than ``until``.

    ``after`` is the last document that was looked at, in the order of ids.
    """

    __tablename__ = "bulk_changes"
    __table_args__ = (
        Index("ix_bulk_changes_knowledge_base_id_id", "knowledge_base_id", "id"),
        _partial("ix_bulk_changes_unfinished", "id", where="finished_at IS NULL"),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id"))
    action: Mapped[str] = mapped_column(String(16))
    tag: Mapped[str | None] = mapped_column(String(64))
    ids: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    filter: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    until: Mapped[str] = mapped_column(String(32))
    after: Mapped[str] = mapped_column(String(32), default="")
    state: Mapped[str] = mapped_column(String(16), default="queued")
    stage: Mapped[str] = mapped_column(String(16), default="")
    total: Mapped[int]
    changed: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    failures: Mapped[list[Any] | None]
    actor: Mapped[str] = mapped_column(String(200))
    canceled_by: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    dispatched_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class IdempotencyRow(Table):
    """The answer to an upload with an ``Idempotency-Key``, which is returned again for the same key."""

    __tablename__ = "idempotency_keys"
    actor: Mapped[str] = mapped_column(String(200), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)


class ConversationRow(Table):
    """A sequence of questions; not ``listed`` if the client keeps its own list (the OpenAI API)."""

    __tablename__ = "conversations"
    __table_args__ = (Index("ix_conversations_actor_updated_at", "actor", "updated_at"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    listed: Mapped[bool] = mapped_column(default=True)
    actor: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    deleted_by: Mapped[str | None] = mapped_column(String(200))
    deleted_at: Mapped[datetime | None]


class QuestionRow(Table):
    """A question with its sources and its answer."""

    __tablename__ = "questions"
    __table_args__ = (
        Index(
            "ix_questions_running",
            "id",
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id"), index=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"), index=True)
    question: Mapped[str] = mapped_column(Text)
    mode: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    answer: Mapped[str | None] = mapped_column(Text)
    found: Mapped[bool | None]
    citations: Mapped[list[Any] | None]
    sources: Mapped[list[Any] | None]
    similarity: Mapped[float | None]
    reason: Mapped[dict[str, Any] | None]
    tokens: Mapped[int] = mapped_column(default=0)
    actor: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]
    # provenance of the answer
    standalone: Mapped[str | None] = mapped_column(Text)
    generation: Mapped[int | None]
    embedding_model: Mapped[str | None] = mapped_column(String(300))
    embedding_fingerprint: Mapped[str | None] = mapped_column(String(64))
    language_model: Mapped[str | None] = mapped_column(String(300))
    prompt_version: Mapped[str | None] = mapped_column(String(16))
    milliseconds: Mapped[dict[str, Any] | None]
    fallback: Mapped[str | None] = mapped_column(String(16))
    withheld: Mapped[int] = mapped_column(default=0)
    # feedback on the answer
    feedback_rating: Mapped[str | None] = mapped_column(String(8))
    feedback_comment: Mapped[str | None] = mapped_column(Text)
    feedback_by: Mapped[str | None] = mapped_column(String(200))
    feedback_at: Mapped[datetime | None]


class AnswerSourceRow(Table):
    """A version of a document of which a question's search had passages; ``cited`` if its answer quotes one.

    It refers to no row of the document: it stays when the document is deleted.
    """

    __tablename__ = "answer_sources"
    document_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    question_id: Mapped[str] = mapped_column(
        ForeignKey("questions.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    version: Mapped[int] = mapped_column(primary_key=True)
    passages: Mapped[int]
    cited: Mapped[bool]


class QuestionEventRow(Table):
    """An event of a question, for its readers; ``offset`` counts from 0 without a gap (``question_events``)."""

    __tablename__ = "question_events"
    question_id: Mapped[str] = mapped_column(ForeignKey("questions.id", ondelete="CASCADE"), primary_key=True)
    offset: Mapped[int] = mapped_column(primary_key=True)
    event: Mapped[dict[str, Any]]


class WebhookEndpointRow(Table):
    """An address that is told of events of a knowledge base, or of all (None); ``events`` empty for every type.

    The secrets sign what is sent, so they are stored as they are. ``failing_since`` is the first failed attempt after
    the last one that succeeded.
    """

    __tablename__ = "webhook_endpoints"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    knowledge_base_id: Mapped[str | None] = mapped_column(ForeignKey("knowledge_bases.id"), index=True)
    url: Mapped[str] = mapped_column(String(2048))
    description: Mapped[str] = mapped_column(String(200), default="")
    events: Mapped[list[Any]]
    each_document: Mapped[bool] = mapped_column(default=False)
    secret: Mapped[str] = mapped_column(String(100))
    previous_secret: Mapped[str | None] = mapped_column(String(100))
    previous_until: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_cause: Mapped[str | None] = mapped_column(String(16))
    failing_since: Mapped[datetime | None]
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class WebhookEventRow(Table):
    """An event that at least one endpoint is to be told of."""

    __tablename__ = "webhook_events"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    type: Mapped[str] = mapped_column(String(40))
    knowledge_base_id: Mapped[str | None] = mapped_column(String(32))
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)


class WebhookDeliveryRow(Table):
    """An event for one endpoint. While it is pending, a run is started for it at ``due_at``, unless one goes on."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("ix_webhook_deliveries_endpoint_id_id", "endpoint_id", "id"),
        _partial("ix_webhook_deliveries_due", "due_at", where="state = 'pending'"),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    event_id: Mapped[str] = mapped_column(ForeignKey("webhook_events.id", ondelete="CASCADE"), index=True)
    endpoint_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(String(16), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    status: Mapped[int | None]
    reason: Mapped[dict[str, Any] | None]
    due_at: Mapped[datetime] = mapped_column(default=now)
    last_attempt_at: Mapped[datetime | None]
    next_attempt_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class AuditRow(Table):
    """An audit event, written in the same transaction as the change.

    ``object_name`` is the object's name at that time. ``key_id``, ``address`` and ``request_id`` are those of the
    request, ``workflow_id`` and ``run_id`` those of the run in which it happened.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_object_id_action", "object_id", "action"),
        Index("ix_audit_events_object_name", "object_name"),
        _partial("ix_audit_events_not_done", "id", where="outcome <> 'done'"),
        _partial("ix_audit_events_unlogged", "id", where="log_index IS NULL"),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(default=now, index=True)
    actor: Mapped[str] = mapped_column(String(200), index=True)
    action: Mapped[str] = mapped_column(String(64), index=True)
    knowledge_base_id: Mapped[str | None] = mapped_column(String(32), index=True)
    object_id: Mapped[str | None] = mapped_column(String(32))
    object_type: Mapped[str | None] = mapped_column(String(32))
    object_name: Mapped[str | None] = mapped_column(String(255))
    version: Mapped[int | None]
    outcome: Mapped[str] = mapped_column(String(8), default="done", server_default="done")
    code: Mapped[str | None] = mapped_column(String(64))
    key_id: Mapped[str | None] = mapped_column(String(64))
    address: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[str | None] = mapped_column(String(64))
    workflow_id: Mapped[str | None] = mapped_column(Text)
    run_id: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[dict[str, Any] | None]
    # What the tamper-evident log adds after the event was committed (``audit_log``):
    log_index: Mapped[int | None] = mapped_column(index=True, unique=True)
    salt: Mapped[str | None] = mapped_column(String(32))
    text_salt: Mapped[str | None] = mapped_column(String(32))
    text_hash: Mapped[str | None] = mapped_column(String(64))


class ScheduleRow(Table):
    """A schedule that Temporal holds too: in its present form once ``applied_revision`` is ``revision``."""

    __tablename__ = "schedules"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(63), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id"), index=True)
    options: Mapped[dict[str, Any]]
    cron: Mapped[str] = mapped_column(String(120), default="")
    every_minutes: Mapped[int] = mapped_column(default=0)
    time_zone: Mapped[str] = mapped_column(String(64))
    catch_up_minutes: Mapped[int]
    paused: Mapped[bool] = mapped_column(default=False)
    note: Mapped[str] = mapped_column(String(500), default="")
    revision: Mapped[int] = mapped_column(default=1)
    applied_revision: Mapped[int] = mapped_column(default=0)
    is_deleting: Mapped[bool] = mapped_column(default=False)
    actor: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class SourceRow(Table):
    """A folder or an S3 prefix that a knowledge base follows; its documents have its id."""

    __tablename__ = "sources"
    __table_args__ = (Index("uq_sources_name", "knowledge_base_id", "name", unique=True),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id"))
    name: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(16))
    location: Mapped[str] = mapped_column(String(1000))
    include: Mapped[list[Any]]
    exclude: Mapped[list[Any]]
    max_delete_share: Mapped[float]
    tags: Mapped[list[Any]]
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class ScheduleRunRow(Table):
    """A run of a schedule, and the job that it starts; ``run_id`` is Temporal's."""

    __tablename__ = "schedule_runs"
    __table_args__ = (UniqueConstraint("schedule_id", "run_id"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    schedule_id: Mapped[str] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"))
    run_id: Mapped[str] = mapped_column(String(64))
    occurrence: Mapped[str] = mapped_column(String(120))
    workflow_id: Mapped[str] = mapped_column(String(200))
    job_id: Mapped[str] = mapped_column(String(32), default=new_id)
    job_workflow_id: Mapped[str] = mapped_column(String(300), default="")
    state: Mapped[str] = mapped_column(String(16), default="running")
    reason: Mapped[dict[str, Any] | None]
    counts: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    finished_at: Mapped[datetime | None]


class SyncRow(Table):
    """A sync of a source. One at a time for each source, beside any number of previews."""

    __tablename__ = "syncs"
    __table_args__ = (
        Index("uq_syncs_occurrence", "source_id", "occurrence", unique=True),
        Index("ix_syncs_source_id_id", "source_id", "id"),
        Index(
            "uq_syncs_unfinished",
            "source_id",
            unique=True,
            sqlite_where=text("finished_at IS NULL AND NOT preview"),
            postgresql_where=text("finished_at IS NULL AND NOT preview"),
        ),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    source_id: Mapped[str] = mapped_column(ForeignKey("sources.id", ondelete="CASCADE"))
    knowledge_base_id: Mapped[str] = mapped_column(String(32))  # its source's
    occurrence: Mapped[str] = mapped_column(String(200))
    preview: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(String(16), default="queued")
    stage: Mapped[str] = mapped_column(String(16), default="")
    waiting_for: Mapped[str | None] = mapped_column(String(32))
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    report: Mapped[dict[str, Any] | None]
    applied: Mapped[dict[str, Any] | None]
    batch_id: Mapped[str | None] = mapped_column(String(32))
    reason: Mapped[dict[str, Any] | None]
    actor: Mapped[str] = mapped_column(String(200))
    confirmed_by: Mapped[str | None] = mapped_column(String(200))
    canceled_by: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    finished_at: Mapped[datetime | None]
