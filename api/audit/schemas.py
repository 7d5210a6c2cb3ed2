"""Wire types of the audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

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
