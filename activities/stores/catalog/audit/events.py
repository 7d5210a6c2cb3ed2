"""Audit events as they are written: the columns by which they are found are filled here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from activities.stores.catalog.audit.actions import object_type_of
from activities.stores.catalog.records import NewEvent
from activities.stores.catalog.tables import (
    SYSTEM,
    AuditRow,
    BatchRow,
    DocumentRow,
    KnowledgeBaseRow,
    ScheduleRow,
    SourceRow,
    new_id,
    now,
)
from activities.telemetry import origin

#: How an action ended: as asked; not, because it is not allowed or not possible; not, because something failed.
Outcome = Literal["done", "refused", "failed"]

#: Objects that have a name. The title of a conversation is text of a question, and stays out.
NAMED: Final = {
    "knowledge_base": KnowledgeBaseRow,
    "document": DocumentRow,
    "batch": BatchRow,
    "schedule": ScheduleRow,
    "source": SourceRow,
}


def audit_row(
    actor: str,
    action: str,
    knowledge_base_id: str | None,
    object_id: str | None,
    detail: Mapping[str, Any],
) -> AuditRow:
    """An event that happens now, with the request or run that it comes from.

    Name, version and error code of the object are those of ``detail``, in which they stay.
    """
    version = detail.get("version")
    return row_of(
        NewEvent(
            actor=actor,
            action=action,
            outcome="failed" if action.endswith(".fail") or detail.get("state") == "failed" else "done",
            code=detail.get("code"),
            knowledge_base_id=knowledge_base_id,
            object_id=object_id,
            object_name=detail.get("name"),
            version=version if isinstance(version, int) else None,
            detail=dict(detail),
            origin=origin.current(),
        )
    )


def row_of(event: NewEvent) -> AuditRow:
    """The row of an event that happens now; texts are cut to their columns."""
    comes_from = event.origin
    return AuditRow(
        id=new_id(),
        at=now(),
        actor=fitting("actor", event.actor) or SYSTEM,
        action=event.action,
        knowledge_base_id=event.knowledge_base_id,
        object_id=event.object_id,
        object_type=object_type_of(event.action),
        object_name=fitting("object_name", event.object_name),
        version=event.version,
        outcome=event.outcome,
        code=fitting("code", event.code),
        key_id=fitting("key_id", comes_from.key_id),
        address=fitting("address", comes_from.address),
        request_id=fitting("request_id", comes_from.request_id),
        workflow_id=comes_from.workflow_id,
        run_id=fitting("run_id", comes_from.run_id),
        detail=event.detail or None,
    )


async def name_objects(session: AsyncSession, rows: list[AuditRow]) -> None:
    """Gives events the names that their objects have now. These are mostly loaded already."""
    for row in rows:
        table = NAMED.get(row.object_type or "")
        if row.object_name is None and row.object_id is not None and table is not None:
            named: Any = await session.get(table, row.object_id)
            row.object_name = fitting("object_name", named.name) if named is not None else None


def fitting(column: str, value: object) -> str | None:
    """A text for a column, cut to its length; None if it is no text."""
    if not isinstance(value, str) or not value:
        return None
    return value.replace("\0", "")[: AuditRow.__table__.columns[column].type.length]  # type: ignore[attr-defined]
