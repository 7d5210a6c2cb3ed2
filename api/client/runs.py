"""Runs of Temporal over the API, for auditors."""

from __future__ import annotations

from api.audit.runs.schemas import ReplayInfo, RunDetail, RunInfo
from api.client.paths import at
from api.client.resources import Answer, Resource

#: Runs of a page at most.
PAGE = 200


class Runs(Resource):
    async def first(self, limit: int, **chosen: str) -> list[Answer[RunInfo]]:
        """The first ones of a list; ``chosen`` by kb, actor, type, document_id, workflow, since, until."""
        found: list[Answer[RunInfo]] = []
        async for run in self._all(RunInfo, "audit", "runs", limit=min(limit, PAGE), **chosen):
            found.append(run)
            if len(found) == limit:
                break
        return found

    async def get(self, id: str) -> Answer[RunDetail]:
        return await self._ask(RunDetail, "GET", "audit", "runs", id)

    async def history(self, id: str) -> bytes:
        """The file of its history."""
        return await self._api.content(at("audit", "runs", id, "history"))

    async def replay(self, id: str) -> Answer[ReplayInfo]:
        return await self._ask(ReplayInfo, "POST", "audit", "runs", id, "replay", timeout=300)
