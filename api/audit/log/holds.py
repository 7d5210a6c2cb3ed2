"""Legal holds of knowledge bases, set and ended by auditors."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get, post
from msgspec import Meta

from activities.contracts.names import MAX_NAME
from activities.stores.catalog.audit_log.holds import Hold
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Principal
from api.audit.log.schemas import HoldInfo
from api.http.access import needs
from api.http.schemas import Page, Request

AUDITS = needs("auditor")

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Reason = Annotated[str, Meta(min_length=1, max_length=2000)]


class HoldRequest(Request, frozen=True):
    """The name of a knowledge base, and why it is held, or is held no longer."""

    knowledge_base: Name
    reason: Reason


class HoldController(Controller):
    path = "/api/v1/audit/holds"
    tags = ["Audit"]

    @get(access=AUDITS, summary="List the knowledge bases under a legal hold")
    async def holds(self, catalog: Catalog) -> Page[HoldInfo]:
        return Page(items=[_info(hold) for hold in await catalog.holds.all()], next_cursor=None)

    @post(access=AUDITS, summary="Put a knowledge base under a legal hold: nothing of it is deleted or erased")
    async def put(self, data: HoldRequest, catalog: Catalog, principal: Principal) -> HoldInfo:
        return _info(await catalog.holds.set(data.knowledge_base, data.reason, principal.subject))

    @post("/end", access=AUDITS, summary="End a legal hold", status_code=204)
    async def end(self, data: HoldRequest, catalog: Catalog, principal: Principal) -> None:
        await catalog.holds.remove(data.knowledge_base, data.reason, principal.subject)


def _info(hold: Hold) -> HoldInfo:
    return HoldInfo(knowledge_base=hold.knowledge_base, reason=hold.reason, actor=hold.actor, at=hold.at)
