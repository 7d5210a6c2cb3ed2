"""The audit trail as the API shows it."""

from __future__ import annotations

from typing import Any

import msgspec

from activities.contracts.answers import Citation, Source
from activities.stores.catalog.records import AuditEvent
from api.audit.schemas import AuditEventInfo
from api.questions.views import citation_info, source_info


def audit_event_info(event: AuditEvent) -> AuditEventInfo:
    """One event of the trail."""
    return AuditEventInfo(
        id=event.id,
        at=event.at,
        actor=event.actor,
        action=event.action,
        knowledge_base=event.knowledge_base,
        object_id=event.object_id,
        detail=event.detail,
    )


def question_record(row: dict[str, Any]) -> dict[str, Any]:
    """Every column of a question's row by its name, with all fields of its citations and sources."""
    citations = msgspec.convert(row["citations"] or [], list[Citation])
    sources = msgspec.convert(row["sources"] or [], list[Source])
    return row | {
        "citations": [citation_info(citation) for citation in citations],
        "sources": [source_info(source) for source in sources],
    }
