"""Wire types of the audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from api.http.schemas import Schema


class AuditEventInfo(Schema, frozen=True, kw_only=True):
    """Who did what, when, to which object of which knowledge base, from where, and how it ended.

    ``object_name`` is the name at that time. ``key_id``, ``address`` and ``request_id`` are those of the request,
    ``workflow_id`` and ``run_id`` those of the run in which it happened.
    """

    id: str
    at: datetime
    actor: str
    action: str
    outcome: str = "done"
    code: str | None = None
    knowledge_base: str | None
    object_type: str | None = None
    object_id: str | None
    object_name: str | None = None
    version: int | None = None
    key_id: str | None = None
    address: str | None = None
    request_id: str | None = None
    workflow_id: str | None = None
    run_id: str | None = None
    detail: dict[str, Any]


class AnswerUseInfo(Schema, frozen=True):
    """An answer whose search had passages of a version of a document; ``cited`` if it quotes one.

    ``deleted`` if its asker deleted the conversation: its texts are erased then.
    """

    question_id: str
    version: int
    passages: int
    cited: bool
    state: str
    actor: str
    at: datetime
    knowledge_base: str
    deleted: bool
    url: str
