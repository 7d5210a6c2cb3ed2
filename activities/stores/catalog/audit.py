"""The audit trail: pages, export, the complete record of a question, and events without another change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, select

from activities.errors import InvalidRequest, NotFound
from activities.phrases import Phrase
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.records import AuditEvent
from activities.stores.catalog.tables import AuditRow, ConversationRow, KnowledgeBaseRow, QuestionRow

#: Events per query of an export.
PAGE = 1000

#: Actions that change whether a document or a batch is ingested.
CONTROLS = (
    *("document.upload", "document.pause", "document.resume", "document.cancel", "document.retry"),
    *("batch.pause", "batch.resume", "batch.cancel", "batch.retry-failed"),
)


@repeats_conflicts
class AuditTrail:
    """The audit events of the catalogue: they can be read and appended, never changed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def page(
        self,
        after: str | None,
        limit: int,
        *,
        knowledge_base: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
    ) -> list[AuditEvent]:
        """At most ``limit`` events, newest first, older than the event ``after``.

        ``knowledge_base`` is a name; deleted knowledge bases of that name match too. ``action`` is an action or its
        first part (``document`` matches ``document.upload`` and others).
        """
        query = _matching(knowledge_base, actor, action, since)
        query = query.where(AuditRow.id < after) if after else query
        async with self._engine.read() as session:
            rows = await session.execute(query.order_by(AuditRow.id.desc()).limit(limit))
            return [_event(row, name) for row, name in rows]

    async def export(
        self,
        *,
        knowledge_base: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
    ) -> AsyncIterator[list[AuditEvent]]:
        """Yields all events that match, as in ``page``, oldest first, up to PAGE at a time."""
        query = _matching(knowledge_base, actor, action, since).order_by(AuditRow.id)
        after = ""
        while True:
            async with self._engine.read() as session:
                rows = await session.execute(query.where(AuditRow.id > after).limit(PAGE))
                events = [_event(row, name) for row, name in rows]
            if events:
                yield events
            if len(events) < PAGE:
                return
            after = events[-1].id

    async def question(self, id: str) -> dict[str, Any]:
        """All columns of a question's row by name, with its knowledge base and its conversation's deletion.

        Includes questions of deleted conversations, whose erased columns are empty (``conversations.ERASED``).
        Raises NotFound.
        """
        query = (
            select(QuestionRow, ConversationRow, KnowledgeBaseRow.name)
            .join(ConversationRow, ConversationRow.id == QuestionRow.conversation_id)
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == QuestionRow.knowledge_base_id)
            .where(QuestionRow.id == id)
        )
        async with self._engine.read() as session:
            result = (await session.execute(query)).first()
        if result is None:
            raise NotFound(kind="question", id=id)
        row, conversation, knowledge_base = result
        return {
            **{name: getattr(row, name) for name in QuestionRow.__mapper__.column_attrs.keys()},  # noqa: SIM118
            "knowledge_base": knowledge_base,
            "deleted_at": conversation.deleted_at,
            "deleted_by": conversation.deleted_by,
        }

    async def note(self, actor: str, action: str, object_id: str | None = None, **detail: object) -> None:
        """Records that ``actor`` read data of other users."""
        async with self._engine.write() as session:
            session.audit(actor, action, None, object_id, **detail)

    async def control(
        self,
        actor: str,
        action: str,
        knowledge_base_id: str,
        object_id: str,
        batch_id: str | None = None,
        /,
        **detail: object,
    ) -> None:
        """Records a signal or cancellation after it was sent to a run; the run itself changes the catalogue later.

        A pause, resume or cancel is not recorded when the latest of CONTROLS, of the object or of its batch, was the
        same: it changes nothing then.
        """
        async with self._engine.write() as session:
            if action in CONTROLS and action.endswith((".pause", ".resume", ".cancel")):
                query = select(AuditRow.object_id, AuditRow.action).where(
                    AuditRow.object_id.in_([object_id, batch_id]), AuditRow.action.in_(CONTROLS)
                )
                latest = (await session.execute(query.order_by(AuditRow.id.desc()).limit(1))).first()
                if latest is not None and tuple(latest) == (object_id, action):
                    return
            session.audit(actor, action, knowledge_base_id, object_id, **detail)


def _matching(
    knowledge_base: str | None, actor: str | None, action: str | None, since: datetime | None
) -> Select[AuditRow, str]:
    query = select(AuditRow, KnowledgeBaseRow.name).outerjoin(
        KnowledgeBaseRow, KnowledgeBaseRow.id == AuditRow.knowledge_base_id
    )
    query = query.where(KnowledgeBaseRow.name == knowledge_base) if knowledge_base else query
    query = query.where(AuditRow.actor == actor) if actor else query
    if action:
        has_prefix = AuditRow.action.startswith(f"{action}.", autoescape=True)
        query = query.where((AuditRow.action == action) | has_prefix)
    if since is None:
        return query
    try:
        moment = since.astimezone(UTC) if since.tzinfo else since
    except OverflowError as exc:
        raise InvalidRequest(detail=Phrase.NOT_A_TIME, value=since.isoformat()) from exc
    return query.where(AuditRow.at >= moment)


def _event(row: AuditRow, knowledge_base: str | None) -> AuditEvent:
    return AuditEvent(
        id=row.id,
        at=row.at,
        actor=row.actor,
        action=row.action,
        knowledge_base=knowledge_base,
        object_id=row.object_id,
        detail=row.detail or {},
    )
