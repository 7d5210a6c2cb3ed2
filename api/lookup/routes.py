"""Lookup: what a name, or the beginning of a name or an id, stands for among all that the caller may read."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Controller, get
from litestar.params import Parameter

from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.lookup import Match
from activities.stores.catalog.records import KnowledgeBase, Principal
from api.http.access import Access, has, needs
from api.http.schemas import Page
from api.lookup.schemas import Kind, MatchInfo

Text = Annotated[str, Parameter(min_length=1, max_length=255, description="A name, or the beginning of a name or id.")]
Limit = Annotated[int, Parameter(ge=1, le=50, description="Maximum number of matches.")]

READS = needs("reader", "knowledge_base")

#: Knowledge bases read at once.
PAGE = 1000


class LookupController(Controller):
    path = "/api/v1/lookup"
    tags = ["Lookup"]

    @get(
        access=needs("reader"),
        summary="Find what a name, or the beginning of a name or an id, stands for; a whole id or name goes first",
    )
    async def find(
        self,
        catalog: Catalog,
        access: Access,
        principal: Principal,
        kind: Kind,
        text: Text,
        kb: str | None = None,
        limit: Limit = 10,
    ) -> Page[MatchInfo]:
        of = [await access.named(principal, READS, kb)] if kb else await _readable(catalog, access, principal)
        found = await _matches(catalog, principal, kind, [each.id for each in of], text, limit)
        return Page(items=[MatchInfo(kind=kind, **msgspec.structs.asdict(match)) for match in found])


async def _readable(catalog: Catalog, access: Access, principal: Principal) -> list[KnowledgeBase]:
    """All knowledge bases that the caller may read."""
    readable: list[KnowledgeBase] = []
    page = await catalog.knowledge_bases.page(None, PAGE)
    while page:
        readable += await access.readable(principal, page)
        page = await catalog.knowledge_bases.page(page[-1].name, PAGE) if len(page) == PAGE else []
    return readable


async def _matches(
    catalog: Catalog, principal: Principal, kind: Kind, scope: list[str], text: str, limit: int
) -> list[Match]:
    match kind:
        case "document":
            return await catalog.lookup.documents(scope, text, limit)
        case "batch":
            return await catalog.lookup.batches(scope, text, limit)
        case "reindex":
            return await catalog.lookup.reindexes(scope, text, limit)
        case "conversation":
            return await catalog.lookup.conversations(scope, text, limit, principal.subject)
        case "question":
            asker = None if has(principal, "auditor") else principal.subject
            return await catalog.lookup.questions(scope, text, limit, asker)
