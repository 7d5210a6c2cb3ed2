"""The audit trail: pages, export, the complete record of a question, and events without another change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Unpack

from sqlalchemy import ColumnElement, Select, select, text
from sqlalchemy.orm import InstrumentedAttribute

from activities.errors import InvalidRequest, NotFound
from activities.phrases import Phrase
from activities.stores.catalog.audit.actions import is_known, object_type_of
from activities.stores.catalog.audit.events import row_of
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.records import AuditEvent, EventFilter, NewEvent
from activities.stores.catalog.tables import SYSTEM, AuditRow, ConversationRow, KnowledgeBaseRow, QuestionRow, first_id

#: Events per query of an export.
PAGE = 1000

#: Between an event's time and the time in its id, by which the database finds it.
CLOCK_SLACK: Final = timedelta(minutes=1)

#: Times that a filter names before or after these are taken for them.
EARLIEST: Final = datetime(1970, 1, 2, tzinfo=UTC)
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)

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

    async def page(self, after: str | None, limit: int, **wanted: Unpack[EventFilter]) -> list[AuditEvent]:
        """At most ``limit`` events that are wanted, newest first, older than the event ``after``."""
        query = _matching(wanted)
        query = query.where(AuditRow.id < after) if after else query
        async with self._engine.read() as session:
            rows = await session.execute(query.order_by(AuditRow.id.desc()).limit(limit))
            return [_event(row, name) for row, name in rows]

    def export(self, **wanted: Unpack[EventFilter]) -> AsyncIterator[list[AuditEvent]]:
        """All events that are wanted, oldest first, up to PAGE at a time. Raises InvalidRequest, before the first."""
        return self._export(_matching(wanted).order_by(AuditRow.id))

    async def _export(self, query: Select[AuditRow, str | None]) -> AsyncIterator[list[AuditEvent]]:
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

    async def require_known(self, knowledge_base: str | None, action: str | None) -> None:
        """Raises NotFound for a knowledge base that never was, and InvalidRequest for an action that is none."""
        async with self._engine.read() as session:
            if knowledge_base is not None:
                query = select(KnowledgeBaseRow.id).where(KnowledgeBaseRow.name == knowledge_base).limit(1)
                if await session.scalar(query) is None:
                    raise NotFound(kind="knowledge base", id=knowledge_base)
            if action is not None and not is_known(action):
                recorded = select(AuditRow.id).where(_is_action(action)).limit(1)  # by another version of the code
                if await session.scalar(recorded) is None:
                    raise InvalidRequest(detail=Phrase.NO_SUCH_ACTION, value=action)

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

    async def append(self, events: Sequence[NewEvent]) -> None:
        """Writes events in one transaction, in their order."""
        async with self._engine.write() as session:
            session.record(*map(row_of, events))

    async def require_writable(self) -> None:
        """Raises an exception where an event could not be written now; writes none."""
        async with self._engine.write() as session:
            session.add(row_of(NewEvent(actor=SYSTEM, action="audit.read")))
            await session.flush()
            await session.rollback()

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


def _matching(wanted: EventFilter) -> Select[AuditRow, str]:
    query = select(AuditRow, KnowledgeBaseRow.name).outerjoin(
        KnowledgeBaseRow, KnowledgeBaseRow.id == AuditRow.knowledge_base_id
    )
    columns: dict[str, ColumnElement[Any] | InstrumentedAttribute[Any]] = {
        "knowledge_base": KnowledgeBaseRow.name,
        "actor": AuditRow.actor,
        "object_id": AuditRow.object_id,
        "object_name": AuditRow.object_name,
        "version": AuditRow.version,
        "outcome": AuditRow.outcome,
    }
    for name, column in columns.items():
        if (value := wanted.get(name)) is not None:
            query = query.where(column == value)
    if wanted.get("outcome") in ("refused", "failed"):
        query = query.where(text("audit_events.outcome <> 'done'"))  # the condition of the index
    if action := wanted.get("action"):
        query = query.where(_is_action(action))
    if since := wanted.get("since"):
        moment = _in_utc(since)
        query = query.where(AuditRow.at >= moment, AuditRow.id >= first_id(moment - CLOCK_SLACK))
    if until := wanted.get("until"):
        moment = _in_utc(until)
        query = query.where(AuditRow.at < moment, AuditRow.id <= first_id(moment + CLOCK_SLACK))
    return query


def _is_action(action: str) -> ColumnElement[bool]:
    return (AuditRow.action == action) | AuditRow.action.startswith(f"{action}.", autoescape=True)


def _in_utc(at: datetime) -> datetime:
    try:
        moment = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
        return min(max(moment, EARLIEST), LATEST)
    except OverflowError as exc:
        raise InvalidRequest(detail=Phrase.NOT_A_TIME, value=at.isoformat()) from exc


def _event(row: AuditRow, knowledge_base: str | None) -> AuditEvent:
    return AuditEvent(
        id=row.id,
        at=row.at,
        actor=row.actor,
        action=row.action,
        outcome=row.outcome,
        code=row.code,
        knowledge_base=knowledge_base,
        object_type=row.object_type or object_type_of(row.action),
        object_id=row.object_id,
        object_name=row.object_name,
        version=row.version,
        key_id=row.key_id,
        address=row.address,
        request_id=row.request_id,
        workflow_id=row.workflow_id,
        run_id=row.run_id,
        detail=row.detail or {},
    )
