"""Documents and their versions. Publishing, replacing and deleting are one transaction each (DESIGN §1)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import Select, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts import Published, PublishInput
from activities.errors import NotFound, Reason
from activities.stores.catalog.audit import audit
from activities.stores.catalog.contents import claim
from activities.stores.catalog.engine import Engine
from activities.stores.catalog.records import (
    PENDING,
    Accepted,
    Document,
    DocumentState,
    LiveDocument,
    VersionBlobs,
)
from activities.stores.catalog.tables import DocumentRow, KnowledgeBaseRow, VersionRow, new_id, now


class Documents:
    """What the catalogue knows of documents."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def accept(self, knowledge_base_id: str, name: str, sha256: str, bytes: int, actor: str) -> Accepted:
        """Take an upload in as the next version of the document of that name.

        Content that the latest version already has, and that did not fail, makes no new version.
        Raises NotFound when the knowledge base is gone, ContentBeingRemoved for some seconds after the last
        document with this content was deleted.
        """
        for _ in range(3):
            try:
                async with self._engine.write() as session:
                    return await _accept(session, knowledge_base_id, name, sha256, bytes, actor)
            except IntegrityError:
                continue  # somebody else created the same name in this moment; now it is there
        raise NotFound(kind="knowledge base", id=knowledge_base_id)

    async def withdraw(self, document_id: str, version: int) -> None:
        """Undo ``accept`` when no run could be started for it, so that nothing is left behind."""
        async with self._engine.write() as session:
            document = await session.get(DocumentRow, document_id, with_for_update=True)
            if document is None or document.latest_version != version:
                return
            await session.execute(
                delete(VersionRow).where(VersionRow.document_id == document_id, VersionRow.version == version)
            )
            if version == 1:
                await session.delete(document)
            else:
                document.latest_version = version - 1

    async def get(self, document_id: str) -> Document:
        """With its latest version. Raises NotFound, also for a deleted one."""
        async with self._engine.read() as session:
            pair = (await session.execute(_latest().where(DocumentRow.id == document_id))).first()
        if pair is None:
            raise NotFound(kind="document", id=document_id)
        return _record(pair[0], pair[1])

    async def page(
        self, knowledge_base_id: str, state: DocumentState | None, after: str | None, limit: int
    ) -> list[Document]:
        """At most ``limit`` documents, newest first, those created before the document ``after``."""
        query = _latest().where(DocumentRow.knowledge_base_id == knowledge_base_id)
        query = query.where(VersionRow.state == state) if state else query
        query = query.where(DocumentRow.id < after) if after else query
        async with self._engine.read() as session:
            rows = await session.execute(query.order_by(DocumentRow.id.desc()).limit(limit))
            return [_record(document, version) for document, version in rows]

    async def live(self, document_ids: Iterable[str]) -> dict[str, LiveDocument]:
        """Name and live version of those of the documents that search may show now."""
        query = select(DocumentRow.id, DocumentRow.name, DocumentRow.live_version).where(
            DocumentRow.id.in_(set(document_ids)),
            DocumentRow.live_version.is_not(None),
            DocumentRow.deleted_at.is_(None),
        )
        async with self._engine.read() as session:
            rows = await session.execute(query)
            return {id: LiveDocument(name=name, version=version) for id, name, version in rows if version is not None}

    async def any_live(self, knowledge_base_id: str) -> bool:
        """Whether search may show anything of a knowledge base."""
        query = select(DocumentRow.id).where(
            DocumentRow.knowledge_base_id == knowledge_base_id, DocumentRow.live_version.is_not(None)
        )
        async with self._engine.read() as session:
            return await session.scalar(query.limit(1)) is not None

    async def pending(self, knowledge_base_id: str) -> int:
        """How many documents are accepted and not yet ready, failed or canceled."""
        latest = _latest().where(DocumentRow.knowledge_base_id == knowledge_base_id, VersionRow.state.in_(PENDING))
        async with self._engine.read() as session:
            return int(await session.scalar(select(func.count()).select_from(latest.subquery())) or 0)

    async def blobs(self, document_id: str) -> list[VersionBlobs]:
        """The blobs of every version, also of a deleted document, oldest version first."""
        query = select(VersionRow).where(VersionRow.document_id == document_id).order_by(VersionRow.version)
        async with self._engine.read() as session:
            return [
                VersionBlobs(
                    sha256=row.sha256,
                    parsed_key=row.parsed_key,
                    chunks_key=row.chunks_key,
                    vectors_key=row.vectors_key,
                )
                for row in await session.scalars(query)
            ]

    async def publish(self, job: PublishInput) -> Published:
        """Make a version the live one, in one transaction; never goes back to an older version."""
        async with self._engine.write() as session:
            document = await session.get(DocumentRow, job.document_id, with_for_update=True)
            version = await session.get(VersionRow, (job.document_id, job.version))
            if document is None or version is None or document.deleted_at is not None or version.state == "canceled":
                return Published(live=False, retired=[job.version])
            version.chunks, version.pages, version.media_type = job.chunks, job.pages, job.media_type
            version.parsed_key, version.chunks_key = job.parsed_key, job.chunks_key
            version.vectors_key = job.vectors_key
            if document.live_version is not None and document.live_version > job.version:
                version.state, version.reason = "canceled", {"code": "superseded"}
                return Published(live=False, retired=[job.version])
            retired = document.live_version
            if version.published_at is None:
                version.published_at = now()
                audit(
                    session,
                    version.actor,
                    "document.publish",
                    document.knowledge_base_id,
                    document.id,
                    version=job.version,
                    chunks=job.chunks,
                )
            document.live_version, version.state, version.reason = job.version, "ready", None
        return Published(live=True, retired=[retired] if retired is not None and retired != job.version else [])

    async def finish(self, document_id: str, version: int, state: DocumentState, reason: Reason) -> bool:
        """Record that a version failed or was canceled; an earlier live version stays live.

        True when the version had been published before: then it stays ``ready``, and its rows must stay too.
        """
        async with self._engine.write() as session:
            row = await session.get(VersionRow, (document_id, version))
            if row is None:
                return False
            if row.published_at is not None:
                return True
            row.state, row.reason = state, msgspec.to_builtins(reason)
        return False

    async def delete(self, document_id: str, actor: str) -> Document:
        """Take a document out of every answer at once. Raises NotFound."""
        async with self._engine.write() as session:
            pair = (await session.execute(_latest().where(DocumentRow.id == document_id))).first()
            if pair is None:
                raise NotFound(kind="document", id=document_id)
            document: DocumentRow = pair[0]
            document.deleted_at, document.deleted_by, document.live_version = now(), actor, None
            audit(session, actor, "document.delete", document.knowledge_base_id, document.id, name=document.name)
        return _record(document, pair[1])

    async def deleted(self, knowledge_base_id: str) -> list[str]:
        """Ids of the documents of a knowledge base that are deleted but not yet removed."""
        query = select(DocumentRow.id).where(
            DocumentRow.knowledge_base_id == knowledge_base_id, DocumentRow.deleted_at.is_not(None)
        )
        async with self._engine.read() as session:
            return list(await session.scalars(query))

    async def remove(self, document_id: str) -> None:
        """Forget a deleted document and its versions; what was done to it stays in the audit trail."""
        async with self._engine.write() as session:
            document = await session.get(DocumentRow, document_id)
            if document is not None and document.deleted_at is not None:
                await session.execute(delete(VersionRow).where(VersionRow.document_id == document_id))
                await session.delete(document)


async def _accept(
    session: AsyncSession, knowledge_base_id: str, name: str, sha256: str, bytes: int, actor: str
) -> Accepted:
    knowledge_base = await session.get(KnowledgeBaseRow, knowledge_base_id)
    if knowledge_base is None or knowledge_base.deleted_at is not None:
        raise NotFound(kind="knowledge base", id=knowledge_base_id)
    await claim(session, sha256)
    pair = (
        await session.execute(
            _latest()
            .where(DocumentRow.knowledge_base_id == knowledge_base_id, DocumentRow.name == name)
            .with_for_update(of=DocumentRow)
        )
    ).first()
    if pair is None:
        document = DocumentRow(
            id=new_id(), knowledge_base_id=knowledge_base_id, name=name, latest_version=1, created_by=actor
        )
        session.add(document)
        await session.flush()
    else:
        document, latest = pair
        if latest.sha256 == sha256 and latest.state not in ("failed", "canceled"):
            return Accepted(document=_record(document, latest), created=False)
        document.latest_version += 1
    version = VersionRow(
        document_id=document.id,
        version=document.latest_version,
        state="queued",
        sha256=sha256,
        bytes=bytes,
        actor=actor,
    )
    session.add(version)
    audit(
        session,
        actor,
        "document.upload",
        knowledge_base_id,
        document.id,
        name=name,
        version=version.version,
        sha256=sha256,
    )
    await session.flush()
    return Accepted(document=_record(document, version), created=True)


def _latest() -> Select[DocumentRow, VersionRow]:
    return (
        select(DocumentRow, VersionRow)
        .join(
            VersionRow,
            (VersionRow.document_id == DocumentRow.id) & (VersionRow.version == DocumentRow.latest_version),
        )
        .where(DocumentRow.deleted_at.is_(None))
    )


def _record(document: DocumentRow, version: VersionRow) -> Document:
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
        chunks_key=version.chunks_key,
        reason=msgspec.convert(version.reason, Reason) if version.reason else None,
        actor=version.actor,
        created_at=document.created_at,
        updated_at=version.updated_at,
    )
