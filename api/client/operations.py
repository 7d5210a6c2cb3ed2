"""The operations of the platform as the command line sees them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from activities.contracts.addresses import PREFIX
from api.client.resources import Answer, Resource
from api.documents.bulk_schemas import BulkInfo
from api.operations.schemas import OperationsInfo, RetryAccepted

if TYPE_CHECKING:
    from api.client.client import Event


class Operations(Resource):
    async def cancel_change(self, id: str) -> Answer[BulkInfo]:
        """Cancel a change of many documents."""
        return await self._ask(BulkInfo, "POST", "bulk-changes", id, "cancel")

    async def get(self) -> Answer[OperationsInfo]:
        """The platform now."""
        return await self._ask(OperationsInfo, "GET", "operations")

    def events(self) -> AsyncGenerator[Event, None]:
        """Snapshots as they change, without an end; see ``Api.events``."""
        return self._api.events(f"{PREFIX}/operations/events")

    async def retry(self, code: str, kb: str | None) -> Answer[RetryAccepted]:
        """All documents that failed for this reason, in one knowledge base or in all."""
        body = {"reason_code": code} | ({"knowledge_base": kb} if kb else {})
        return await self._ask(RetryAccepted, "POST", "operations", "failures", "retry", json=body)
