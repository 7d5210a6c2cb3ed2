"""Documents that failed, by the code of their reason, and their return to the queue."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Select, func, select

from activities.contracts.ingest import DocumentToIngest
from activities.errors import Reason
from activities.stores.catalog import transitions
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.intake import document_to_ingest
from activities.stores.catalog.mapping import by_index, lock_latest
from activities.stores.catalog.operations.records import FailureGroup
from activities.stores.catalog.operations.throughput import HAS_FAILED
from activities.stores.catalog.tables import DocumentRow, GenerationRow, KnowledgeBaseRow, VersionRow

#: Knowledge bases that are named of each group, those with most failures first.
NAMED = 10


class _Part(NamedTuple):
    """A group's documents in one knowledge base."""

    knowledge_base_id: str
    documents: int
    first: datetime
    last: datetime


@repeats_conflicts
class Failures:
    """Latest versions of documents that failed; what is being deleted is left out."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def groups(self) -> list[FailureGroup]:
        """By code, most documents first."""
        counted = (func.count(), func.min(VersionRow.updated_at), func.max(VersionRow.updated_at))
        query = _failed(_code().label("code"), VersionRow.knowledge_base_id, *counted)
        parts: dict[str, list[_Part]] = defaultdict(list)
        async with self._engine.read() as session:
            for code, *part in await session.execute(query.group_by("code", VersionRow.knowledge_base_id)):
                parts[code].append(_Part(*part))
            ids = {part.knowledge_base_id for group in parts.values() for part in group}
            names = select(KnowledgeBaseRow.id, KnowledgeBaseRow.name).where(KnowledgeBaseRow.id.in_(ids))
            names_by_id = {row[0]: row[1] for row in await session.execute(names)} if ids else {}
            found = []
            for code, group in parts.items():
                of_last = VersionRow.updated_at == max(part.last for part in group)
                sample = _failed(VersionRow.reason, DocumentRow.name).where(of_last, _code() == code).limit(1)
                reason, name = (await session.execute(sample)).one()
                found.append(_group(code, group, names_by_id, msgspec.convert(reason, Reason), name))
        return sorted(found, key=lambda group: (-group.documents, group.code))

    async def count(self, code: str, knowledge_base_id: str | None) -> int:
        """The number of documents that failed for this code."""
        async with self._engine.read() as session:
            return await session.scalar(_failed(func.count()).where(*_of(code, knowledge_base_id))) or 0

    async def note_retry(self, code: str, knowledge_base_id: str | None, documents: int, actor: str) -> None:
        """Records that ``actor`` asked to retry all documents that failed for this code."""
        async with self._engine.write() as session:
            session.audit(actor, "failures.retry", knowledge_base_id, None, code=code, documents=documents)

    async def requeue(
        self, code: str, knowledge_base_id: str | None, before: datetime, limit: int, actor: str
    ) -> list[DocumentToIngest]:
        """Puts at most ``limit`` documents that failed for this code until ``before`` back in line, oldest first."""
        chosen = _failed(VersionRow.document_id).where(*_of(code, knowledge_base_id), VersionRow.updated_at <= before)
        chosen = chosen.order_by(VersionRow.updated_at).limit(limit)
        requeued: list[DocumentToIngest] = []
        async with self._engine.write() as session:
            ids = list(await session.scalars(chosen))
            for document, row in await lock_latest(session, DocumentRow.id.in_(ids)) if ids else ():
                if row.state == "failed" and row.updated_at <= before and transitions.requeue(row, None):
                    detail = {"version": row.version, "failed_for": code}
                    session.audit(actor, "document.retry", document.knowledge_base_id, document.id, **detail)
                    knowledge_base = await session.get_one(KnowledgeBaseRow, document.knowledge_base_id)
                    key = (knowledge_base.id, knowledge_base.generation)
                    generation = await session.get_one(GenerationRow, key)
                    requeued.append(document_to_ingest(document, row, knowledge_base, generation))
        return requeued


def _group(code: str, group: list[_Part], names: dict[str, str], sample: Reason, name: str) -> FailureGroup:
    most = sorted(((names[part.knowledge_base_id], part.documents) for part in group), key=lambda each: -each[1])
    return FailureGroup(
        code=code,
        documents=sum(part.documents for part in group),
        knowledge_bases=most[:NAMED],
        first=min(part.first for part in group),
        last=max(part.last for part in group),
        sample=sample,
        sample_name=name,
    )


def _failed(*columns: Any) -> Select[Any]:
    """``columns`` of failed versions and their documents. Outer joins, so that SQLite starts from the versions."""
    query: Select[Any] = (
        select(*columns)
        .select_from(VersionRow)
        .outerjoin(DocumentRow, DocumentRow.id == VersionRow.document_id)
        .outerjoin(KnowledgeBaseRow, KnowledgeBaseRow.id == VersionRow.knowledge_base_id)
        .where(HAS_FAILED, DocumentRow.deleted_at.is_(None), KnowledgeBaseRow.deleted_at.is_(None))
    )
    return by_index(query, "ix_versions_failed")


def _code() -> ColumnElement[Any]:
    """The code of a version's reason."""
    code: ColumnElement[Any] = VersionRow.reason["code"].as_string()
    return code


def _of(code: str, knowledge_base_id: str | None) -> list[ColumnElement[bool]]:
    return [_code() == code, *([VersionRow.knowledge_base_id == knowledge_base_id] if knowledge_base_id else [])]
