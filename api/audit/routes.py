"""The audit trail: what was done, by whom, and the whole record of every question (DESIGN §8)."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, get
from litestar.di import Provide
from litestar.openapi import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream

from activities.errors import NotFound
from activities.stores.catalog.audit.answers import cursor_of
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import EventFilter, Principal
from api.audit.export.formats import FILES, Format, exported
from api.audit.filters import Version, event_filter
from api.audit.schemas import AnswerUseInfo, AuditEventInfo
from api.audit.views import answer_use_info, audit_event_info, question_record
from api.http.access import Access, has, needs
from api.http.described import AlsoCsv
from api.http.schemas import Page, page_of

Limit = Annotated[int, Parameter(ge=1, le=1000, description="Maximum number of items on a page.")]

LINES = ResponseSpec(str, generate_examples=False, description="An event in each line", media_type="application/jsonl")

#: What seeing one's own question takes; sources have texts of the knowledge base.
SEES = needs("reader", "knowledge_base")


class AuditController(Controller):
    path = "/api/v1/audit"
    tags = ["Audit"]
    dependencies = {"wanted": Provide(event_filter)}

    @get("/events", access=needs("auditor"), summary="List audit events, newest first")
    async def events(
        self, catalog: Catalog, wanted: EventFilter, cursor: str | None = None, limit: Limit = 100
    ) -> Page[AuditEventInfo]:
        return page_of(await catalog.audit.page(cursor, limit, **wanted), limit, audit_event_info)

    @get(
        "/export",
        access=needs("auditor"),
        summary="Export audit events as JSON Lines, CSV or OCSF events, oldest first",
        responses={200: LINES},
        operation_class=AlsoCsv,
    )
    async def export(
        self, catalog: Catalog, principal: Principal, wanted: EventFilter, format: Format = "jsonl"
    ) -> Stream:
        await catalog.audit.note(principal.subject, "audit.export", format=format)
        media_type, name = FILES[format]
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Stream(exported(catalog.audit.export(**wanted), format), media_type=media_type, headers=headers)

    @get(
        "/documents/{id:str}/answers",
        access=needs("auditor"),
        summary="List the answers that used a document, newest first; also when it was replaced or deleted since",
    )
    async def answers(
        self,
        id: str,
        catalog: Catalog,
        version: Version = None,
        cursor: Annotated[str | None, Parameter(max_length=64)] = None,
        limit: Limit = 100,
    ) -> Page[AnswerUseInfo]:
        found = await catalog.answer_uses.page(id, version, cursor, limit)
        following = cursor_of(found[-1]) if len(found) == limit else None
        return Page(items=[answer_use_info(each) for each in found], next_cursor=following)

    @get(
        "/questions/{id:str}",
        access=needs("reader"),
        summary="Get the full record of a question; auditors see those of other users",
    )
    async def question(self, id: str, catalog: Catalog, access: Access, principal: Principal) -> dict[str, Any]:
        """Every column of the question's row, by its name, with citations and sources whole."""
        record = await catalog.audit.question(id)
        mine = record["actor"] == principal.subject and record["deleted_at"] is None
        mine = mine and await access.may(principal, SEES, record["knowledge_base_id"])
        if not mine and not has(principal, "auditor"):
            raise NotFound(kind="question", id=id)
        if not mine:
            await catalog.audit.note(principal.subject, "audit.read", id)
        return question_record(record)
