"""Wire types of the audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from activities.stores.catalog.records import AuditEvent
from api.http.schemas import Schema


class AuditEventInfo(Schema, frozen=True):
    """Who did what, when, to which object of which knowledge base."""

    id: str
    at: datetime
    actor: str
    action: str
    knowledge_base: str | None
    object_id: str | None
    detail: dict[str, Any]

    @classmethod
    def of(cls, event: AuditEvent) -> AuditEventInfo:
        """From the catalogue."""
        return cls(
            id=event.id,
            at=event.at,
            actor=event.actor,
            action=event.action,
            knowledge_base=event.knowledge_base,
            object_id=event.object_id,
            detail=event.detail,
        )
