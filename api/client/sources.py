"""Sources and their syncs, one method for each request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal

from api.client.resources import PAGE, Answer, Resource, _given
from api.http.schemas import JobAccepted
from api.sources.schemas import SourceInfo, SyncInfo

SyncAction = Literal["pause", "resume", "cancel", "confirm"]


class Sources(Resource):
    async def create(self, kb: str, location: str, **fields: Any) -> Answer[SourceInfo]:
        """``fields`` as the API takes them; those that are None are left to it."""
        body = _given(location=location, **fields)
        return await self._ask(SourceInfo, "POST", "knowledge-bases", kb, "sources", json=body)

    def all(self, kb: str) -> AsyncIterator[Answer[SourceInfo]]:
        """Those of a knowledge base, newest first."""
        return self._all(SourceInfo, "knowledge-bases", kb, "sources", limit=PAGE)

    async def get(self, id: str) -> Answer[SourceInfo]:
        return await self._ask(SourceInfo, "GET", "sources", id)

    async def change(self, id: str, **fields: Any) -> Answer[SourceInfo]:
        """``fields`` as the API takes them; those that are None stay as they are."""
        return await self._ask(SourceInfo, "PATCH", "sources", id, json=_given(**fields))

    async def delete(self, id: str) -> None:
        await self._ask(object, "DELETE", "sources", id)

    async def sync(self, id: str, *, preview: bool = False) -> Answer[JobAccepted]:
        return await self._ask(JobAccepted, "POST", "sources", id, "sync", json={"preview": preview})

    async def get_sync(self, id: str) -> Answer[SyncInfo]:
        return await self._ask(SyncInfo, "GET", "syncs", id)

    async def control(self, sync_id: str, action: SyncAction) -> Answer[JobAccepted]:
        return await self._ask(JobAccepted, "POST", "syncs", sync_id, action)
