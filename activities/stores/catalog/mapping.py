"""Queries that join documents and versions, and the conversion of their rows to records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVarTuple

import msgspec
from sqlalchemy import ColumnElement, Select, and_, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from activities.contracts.documents import Remark
from activities.contracts.ingest import PublishInput
from activities.contracts.stages import FINAL_STATES, PENDING, DocumentState
from activities.errors import NotFound, Reason
from activities.stores.catalog.records import Document
from activities.stores.catalog.tables import (
    DocumentRow,
    GenerationRow,
    IndexedVersionRow,
    KnowledgeBaseRow,
    Table,
    TagRow,
    VersionRow,
)
from activities.stores.catalog.transitions import BY_DISPATCHER

Ts = TypeVarTuple("Ts")


def stored_reason(stored: Mapping[str, Any] | None) -> Reason | None:
    """The reason that a column holds."""
    return msgspec.convert(stored, Reason) if stored else None


def fixed(value: str) -> ColumnElement[str]:
    """A value that stands in the statement itself: only then does SQLite see that a partial index applies."""
    return literal(value, literal_execute=True)


#: Conditions of the partial indexes of ``versions``.
IS_QUEUED: ColumnElement[bool] = VersionRow.state == fixed("queued")
IS_PENDING: ColumnElement[bool] = VersionRow.state.in_([fixed(state) for state in PENDING])
HAS_ENDED: ColumnElement[bool] = VersionRow.state.in_([fixed(state) for state in sorted(FINAL_STATES)])
FOR_DISPATCHER: ColumnElement[bool] = and_(
    VersionRow.dispatched_at.is_(None), VersionRow.batch_id.is_(None) | (VersionRow.batch_page == fixed(BY_DISPATCHER))
)

#: Join condition of a knowledge base and its live generation.
IS_LIVE_GENERATION: ColumnElement[bool] = and_(
    GenerationRow.knowledge_base_id == KnowledgeBaseRow.id, GenerationRow.generation == KnowledgeBaseRow.generation
)


def by_index(query: Select[*Ts], index: str, row: type[Table] = VersionRow) -> Select[*Ts]:
    """The query on the table of ``row`` through an index.

    SQLite's statistics say too little of partial indexes to choose it. SQLite raises an error if it cannot be used.
    """
    return query.with_hint(row, f"INDEXED BY {index}", "sqlite")


def latest() -> Select[DocumentRow, VersionRow]:
    """Query for documents that are not deleted, each with its latest version; loads tags."""
    return (
        select(DocumentRow, VersionRow)
        .join(
            VersionRow,
            (VersionRow.document_id == DocumentRow.id) & (VersionRow.version == DocumentRow.latest_version),
        )
        .where(DocumentRow.deleted_at.is_(None))
        .options(selectinload(DocumentRow.tags))
    )


async def lock_latest(session: AsyncSession, *conditions: ColumnElement[bool]) -> list[tuple[DocumentRow, VersionRow]]:
    """Locks documents that are not deleted, in the order of their ids; each with its latest version.

    The versions are read after the documents are locked: in one statement, PostgreSQL would drop a document whose
    latest version changed while its lock was waited for.
    """
    documents = select(DocumentRow).where(DocumentRow.deleted_at.is_(None), *conditions).order_by(DocumentRow.id)
    ids = [document.id for document in await session.scalars(documents.with_for_update())]
    rows = await session.execute(latest().where(DocumentRow.id.in_(ids))) if ids else ()
    return [(document, version) for document, version in rows]


def indexed_in(generation: int | None) -> ColumnElement[bool]:
    """Join condition of ``VersionRow`` and ``IndexedVersionRow``, for one index generation.

    None means the live generation of the document's knowledge base.
    """
    live = (
        select(KnowledgeBaseRow.generation)
        .join(DocumentRow, DocumentRow.knowledge_base_id == KnowledgeBaseRow.id)
        .where(DocumentRow.id == IndexedVersionRow.document_id)
        .correlate(IndexedVersionRow)
        .scalar_subquery()
    )
    return and_(
        IndexedVersionRow.document_id == VersionRow.document_id,
        IndexedVersionRow.version == VersionRow.version,
        IndexedVersionRow.generation == (live if generation is None else generation),
    )


def document_record(document: DocumentRow, version: VersionRow) -> Document:
    """The record of a document with its latest version; tags must be loaded."""
    return Document(
        id=document.id,
        knowledge_base_id=document.knowledge_base_id,
        name=document.name,
        live_version=document.live_version,
        version=version.version,
        state=msgspec.convert(version.state, DocumentState),
        sha256=version.sha256,
        bytes=version.bytes,
        media_type=version.media_type or "",
        pages=version.pages,
        chunks=version.chunks or 0,
        reason=stored_reason(version.reason),
        actor=version.actor,
        created_at=document.created_at,
        updated_at=version.updated_at,
        stage=version.stage or "",
        done=version.done or 0,
        total=version.total,
        attempt=version.attempt or 1,
        waiting_for=version.waiting_for,
        next_attempt_at=version.next_attempt_at,
        eta_seconds=version.eta_seconds,
        batch_id=version.batch_id,
        tags=[row.tag for row in document.tags],
        remarks=msgspec.convert(version.remarks or [], list[Remark]),
    )


def set_tags(document: DocumentRow, tags: Iterable[str]) -> None:
    """Replaces the tags of a document loaded by ``latest``."""
    existing = {row.tag: row for row in document.tags}
    document.tags = [existing.get(tag) or TagRow(tag=tag) for tag in sorted(set(tags))]


#: The columns of ``versions`` that say what a version's file was read as.
READING = ("parsed_key", "media_type", "pages", "remarks")


async def record_indexed(session: AsyncSession, version: VersionRow, generation: int, input: PublishInput) -> None:
    """Records that a version is in an index generation; the caller holds the document's lock."""
    row = await session.get(IndexedVersionRow, (input.document_id, input.version, generation))
    if row is None:
        row = IndexedVersionRow(document_id=input.document_id, version=input.version, generation=generation)
        session.add(row)
    row.chunks_key, row.vectors_key, row.rows = input.chunks_key, input.vectors_key, input.chunks
    reading = {
        "parsed_key": input.parsed_key,
        "media_type": input.media_type,
        "pages": input.pages,
        "remarks": msgspec.to_builtins(input.remarks),
    }
    row.reading = None if version.parsed_key == input.parsed_key else reading


async def lock_knowledge_base(session: AsyncSession, knowledge_base_id: str) -> KnowledgeBaseRow:
    """A knowledge base, locked against publications. Raises NotFound, also for a deleted one."""
    row = await session.get(KnowledgeBaseRow, knowledge_base_id, with_for_update=True)
    if row is None or row.deleted_at is not None:
        raise NotFound(kind="knowledge base", id=knowledge_base_id)
    return row
