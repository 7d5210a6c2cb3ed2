"""Knowledge bases and their index generations."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts.documents import Chunking
from activities.contracts.embedding import EmbeddingModel
from activities.contracts.questions import AnswerSettings
from activities.errors import NameTaken, NotFound, StillInUse
from activities.stores.catalog.audit_log.holds import require_not_held
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.generation_rows import generation_record, new_collection
from activities.stores.catalog.mapping import IS_LIVE_GENERATION
from activities.stores.catalog.people.tables import GrantRow
from activities.stores.catalog.records import Generation, KnowledgeBase
from activities.stores.catalog.tables import (
    DocumentRow,
    GenerationRow,
    KnowledgeBaseRow,
    VersionRow,
    WebhookEndpointRow,
    new_id,
    now,
)


@repeats_conflicts
class KnowledgeBases:
    """Knowledge bases and index generations in the catalogue."""

    def __init__(self, engine: Engine, collections: int) -> None:
        self._engine, self._collections = engine, collections

    async def create(
        self,
        name: str,
        title: str,
        description: str,
        chunking: Chunking,
        actor: str,
        embedding: EmbeddingModel | None = None,
        manager: str = "",
    ) -> KnowledgeBase:
        """Creates a knowledge base with its first index generation, of the model ``embedding``. Raises NameTaken.

        Without a model it gets the one that is the default when its first document is indexed. The user ``manager``
        (an id) is its first manager.
        """
        row = KnowledgeBaseRow(
            id=new_id(),
            name=name,
            title=title,
            description=description,
            max_tokens=chunking.max_tokens,
            overlap_tokens=chunking.overlap_tokens,
            created_by=actor,
        )
        try:
            async with self._engine.write() as session:
                session.add(row)
                await session.flush()
                collection = await new_collection(session, row.id, 1, self._collections)
                generation = GenerationRow(knowledge_base_id=row.id, generation=1, collection=collection)
                if embedding is not None:
                    generation.model, generation.model_fingerprint = embedding.name, embedding.fingerprint
                session.add(generation)
                session.audit(actor, "knowledge_base.create", row.id, row.id, name=name)
                if manager:
                    of_user = {"subject_kind": "user", "subject_id": manager, "role": "manager"}
                    session.add(GrantRow(knowledge_base_id=row.id, created_by=actor, **of_user))
                    detail = {"kind": "user", "name": actor, "before": None, "after": "manager"}
                    session.audit(actor, "grant.set", row.id, manager, **detail)
        except IntegrityError as exc:
            raise NameTaken(name=name) from exc
        return _record(row)

    async def get(self, name: str) -> KnowledgeBase:
        """A knowledge base by name. Raises NotFound."""
        async with self._engine.read() as session:
            return _record(await _live_row(session, name))

    async def by_id(self, id: str) -> KnowledgeBase:
        """A knowledge base by id, also a deleted one. Raises NotFound."""
        async with self._engine.read() as session:
            row = await session.get(KnowledgeBaseRow, id)
        if row is None:
            raise NotFound(kind="knowledge base", id=id)
        return _record(row)

    async def page(self, after: str | None, limit: int, only: Collection[str] | None = None) -> list[KnowledgeBase]:
        """At most ``limit`` knowledge bases, of those with the ids ``only``, by name, after the name ``after``."""
        query = select(KnowledgeBaseRow).where(KnowledgeBaseRow.deleted_at.is_(None))
        query = query.where(KnowledgeBaseRow.id.in_(only)) if only is not None else query
        query = query.where(KnowledgeBaseRow.name > after) if after else query
        async with self._engine.read() as session:
            rows = await session.scalars(query.order_by(KnowledgeBaseRow.name).limit(limit))
            return [_record(row) for row in rows]

    async def update(
        self, name: str, changes: dict[str, object], actor: str, answers: dict[str, object] | None = None
    ) -> KnowledgeBase:
        """Changes a knowledge base and returns it.

        ``changes`` may set ``title``, ``description``, ``max_tokens`` and ``overlap_tokens``; ``answers`` sets the
        given fields of the answer settings. Raises NotFound.
        """
        async with self._engine.write() as session:
            row = await _live_row(session, name, lock=True)
            for field, value in changes.items():
                setattr(row, field, value)
            if answers:
                row.answers = {**(row.answers or {}), **answers}
            fields = sorted([*changes, *(f"answers.{field}" for field in answers or ())])
            session.audit(actor, "knowledge_base.update", row.id, row.id, fields=fields)
        return _record(row)

    async def delete(self, name: str, actor: str) -> KnowledgeBase:
        """Marks a knowledge base and all its documents as deleted, which hides them immediately. Raises NotFound.

        Rows, blobs and collections are purged by the deletion workflow. Its webhooks and grants are removed.
        """
        async with self._engine.write() as session:
            row = await _live_row(session, name, lock=True)
            await require_not_held(session, row.id)
            row.deleted_at, row.deleted_by = now(), actor
            await session.execute(
                update(DocumentRow)
                .where(DocumentRow.knowledge_base_id == row.id, DocumentRow.deleted_at.is_(None))
                .values(deleted_at=row.deleted_at, deleted_by=actor, live_version=None)
            )
            of_it = WebhookEndpointRow.knowledge_base_id == row.id
            await session.execute(delete(WebhookEndpointRow).where(of_it))
            await session.execute(delete(GrantRow).where(GrantRow.knowledge_base_id == row.id))
            session.audit(actor, "knowledge_base.delete", row.id, row.id, name=name)
        return _record(row)

    async def require_deleted(self, id: str) -> None:
        """Raises StillInUse for a knowledge base that is not deleted; what does not exist may be purged."""
        async with self._engine.read() as session:
            row = await session.get(KnowledgeBaseRow, id)
        if row is not None and row.deleted_at is None:
            raise StillInUse(name=row.name)

    async def counts(self, ids: list[str]) -> dict[str, dict[str, int]]:
        """The number of documents by state of their latest version, for each knowledge base."""
        counted = (VersionRow.knowledge_base_id, VersionRow.state)
        versions = VersionRow.replaced_at.is_(None) & VersionRow.knowledge_base_id.in_(ids)
        documents = select(*counted, func.count()).where(versions).group_by(*counted)
        deleted = (  # subtracted, as they are few
            select(*counted, -func.count())
            .join(DocumentRow, DocumentRow.id == VersionRow.document_id)
            .where(DocumentRow.knowledge_base_id.in_(ids), DocumentRow.deleted_at.is_not(None), versions)
            .group_by(*counted)
        )
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        async with self._engine.read() as session:
            for knowledge_base, state, count in await session.execute(documents.union_all(deleted)):
                counts[knowledge_base][state] += count
        return {knowledge_base: dict(+states) for knowledge_base, states in counts.items() if +states}

    async def embedding_models(self, ids: list[str]) -> dict[str, str]:
        """The name of the embedding model of each knowledge base's live generation, if it has one yet."""
        query = select(KnowledgeBaseRow.id, GenerationRow.model).join(GenerationRow, IS_LIVE_GENERATION)
        async with self._engine.read() as session:
            rows = await session.execute(query.where(KnowledgeBaseRow.id.in_(ids), GenerationRow.model.is_not(None)))
            return {id: model for id, model in rows if model is not None}

    async def generation(self, knowledge_base_id: str, number: int | None = None) -> Generation:
        """An index generation by number; None means the live one.

        Raises NotFound when the generation or the knowledge base does not exist, or the knowledge base is deleted.
        """
        return (await self._with_generation(knowledge_base_id, number))[1]

    async def searched(self, knowledge_base_id: str, number: int | None = None) -> tuple[KnowledgeBase, Generation]:
        """A knowledge base and its live index generation, or the one with this number.

        Raises NotFound when it does not exist or is deleted.
        """
        return await self._with_generation(knowledge_base_id, number)

    async def _with_generation(self, knowledge_base_id: str, number: int | None) -> tuple[KnowledgeBase, Generation]:
        query = (
            select(KnowledgeBaseRow, GenerationRow)
            .join(GenerationRow, KnowledgeBaseRow.id == GenerationRow.knowledge_base_id)
            .where(
                KnowledgeBaseRow.id == knowledge_base_id,
                GenerationRow.generation == (KnowledgeBaseRow.generation if number is None else number),
                KnowledgeBaseRow.deleted_at.is_(None),
            )
        )
        async with self._engine.read() as session:
            row = (await session.execute(query)).first()
        if row is None:
            raise NotFound(kind="knowledge base", id=knowledge_base_id)
        return _record(row[0]), generation_record(row[1])

    async def generations(self, knowledge_base_id: str) -> list[Generation]:
        """All index generations of a knowledge base, also of a deleted one."""
        query = select(GenerationRow).where(GenerationRow.knowledge_base_id == knowledge_base_id)
        async with self._engine.read() as session:
            return [generation_record(row) for row in await session.scalars(query)]

    async def has_news(self, id: str, since: datetime) -> bool:
        """Whether a version was published since a moment, or the knowledge base switched to another generation."""
        published = select(VersionRow.document_id).where(
            VersionRow.knowledge_base_id == id, VersionRow.published_at > since
        )
        query = select(KnowledgeBaseRow.id).where(
            KnowledgeBaseRow.id == id, or_(KnowledgeBaseRow.updated_at > since, published.exists())
        )
        async with self._engine.read() as session:
            return await session.scalar(query) is not None

    async def claim_model(self, generation: Generation, model: str, fingerprint: str) -> Generation:
        """Binds a generation to an embedding model unless it is already bound; returns it with its model.

        Raises NotFound.
        """
        async with self._engine.write() as session:
            row = await session.get(
                GenerationRow, (generation.knowledge_base_id, generation.generation), with_for_update=True
            )
            if row is None:
                raise NotFound(kind="knowledge base", id=generation.knowledge_base_id)
            if row.model_fingerprint is None:
                row.model, row.model_fingerprint = model, fingerprint
        return generation_record(row)


async def _live_row(session: AsyncSession, name: str, *, lock: bool = False) -> KnowledgeBaseRow:
    query = select(KnowledgeBaseRow).where(KnowledgeBaseRow.name == name, KnowledgeBaseRow.deleted_at.is_(None))
    row = await session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound(kind="knowledge base", id=name)
    return row


def _record(row: KnowledgeBaseRow) -> KnowledgeBase:
    return KnowledgeBase(
        id=row.id,
        name=row.name,
        title=row.title,
        description=row.description,
        chunking=Chunking(max_tokens=row.max_tokens, overlap_tokens=row.overlap_tokens),
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        answers=msgspec.convert(row.answers or {}, AnswerSettings),
    )
