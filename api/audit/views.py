"""The audit trail as the API shows it."""

from __future__ import annotations

from typing import Any

import msgspec

from activities.contracts import addresses
from activities.contracts.answers import Citation, Source
from activities.stores.catalog.records import AnswerUse, AuditEvent
from api.audit.schemas import AnswerUseInfo, AuditEventInfo
from api.questions.views import citation_info, source_info


def audit_event_info(event: AuditEvent) -> AuditEventInfo:
    """One event of the trail."""
    return AuditEventInfo(**{name: getattr(event, name) for name in AuditEventInfo.__struct_fields__})


def answer_use_info(use: AnswerUse) -> AnswerUseInfo:
    """An answer that used a document, with the address of its record."""
    fields = {name: getattr(use, name) for name in AnswerUse.__struct_fields__}
    return AnswerUseInfo(**fields, url=addresses.question_record(use.question_id))


def question_record(row: dict[str, Any]) -> dict[str, Any]:
    """Every column of a question's row by its name, with all fields of its citations and sources."""
    citations = msgspec.convert(row["citations"] or [], list[Citation])
    sources = msgspec.convert(row["sources"] or [], list[Source])
    return row | {
        "citations": [citation_info(citation) for citation in citations],
        "sources": [source_info(source) for source in sources],
    }
