"""The audit trail: what was done, by whom, and the whole record of every question (DESIGN §8)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Controller, get
from litestar.openapi import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream

from activities.errors import NotFound
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import AuditEvent, Principal
from api.audit.schemas import AuditEventInfo
from api.audit.views import audit_event_info, question_record
from api.http.access import has, needs
from api.http.schemas import Page

Limit = Annotated[int, Parameter(ge=1, le=1000, description="Maximum number of items on a page.")]
Action = Annotated[
    str | None,
    Parameter(description="An action such as `document.upload`, or `document` for all actions on documents."),
]


LINES = ResponseSpec(str, generate_examples=False, description="An event in each line", media_type="application/jsonl")


class AuditController(Controller):
    path = "/api/v1/audit"
    tags = ["Audit"]

    @get("/events", access=needs("auditor"), summary="List audit events, newest first")
    async def events(
        self,
        catalog: Catalog,
        kb: str | None = None,
        actor: str | None = None,
        action: Action = None,
        since: datetime | None = None,
        cursor: str | None = None,
        limit: Limit = 100,
    ) -> Page[AuditEventInfo]:
        found = await catalog.audit.page(cursor, limit, knowledge_base=kb, actor=actor, action=action, since=since)
        return Page(
            items=[audit_event_info(event) for event in found],
            next_cursor=found[-1].id if len(found) == limit else None,
        )

    @get(
        "/export",
        access=needs("auditor"),
        summary="Export audit events as JSON Lines, oldest first",
        responses={200: LINES},
    )
    async def export(
        self,
        catalog: Catalog,
        principal: Principal,
        kb: str | None = None,
        actor: str | None = None,
        action: Action = None,
        since: datetime | None = None,
    ) -> Stream:
        await catalog.audit.note(principal.subject, "audit.export")
        pages = catalog.audit.export(knowledge_base=kb, actor=actor, action=action, since=since)
        headers = {"Content-Disposition": 'attachment; filename="audit.jsonl"', "Cache-Control": "no-store"}
        return Stream(_lines(pages), media_type="application/jsonl", headers=headers)

    @get(
        "/questions/{id:str}",
        access=needs("reader"),
        summary="Get the full record of a question; auditors see those of other users",
    )
    async def question(self, id: str, catalog: Catalog, principal: Principal) -> dict[str, Any]:
        """Every column of the question's row, by its name, with citations and sources whole."""
        record = await catalog.audit.question(id)
        mine = record["actor"] == principal.subject and record["deleted_at"] is None
        if not mine and not has(principal, "auditor"):
            raise NotFound(kind="question", id=id)
        if not mine:
            await catalog.audit.note(principal.subject, "audit.read", id)
        return question_record(record)


async def _lines(pages: AsyncIterator[list[AuditEvent]]) -> AsyncIterator[bytes]:
    encoder = msgspec.json.Encoder()
    async for page in pages:
        yield encoder.encode_lines([audit_event_info(event) for event in page])
