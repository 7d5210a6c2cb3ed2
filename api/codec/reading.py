"""Decrypts payloads for an auditor, and records whose runs were read."""

from __future__ import annotations

from async_lru import alru_cache
from temporalio.api.common.v1 import Payload

from activities.errors import InvalidRequest
from activities.phrases import Phrase
from activities.runtime.encryption import PayloadUnreadable, is_encrypted, workflow_of
from activities.stores.catalog.catalog import Catalog
from workflows.client.jobs import Jobs

#: Seconds in which the same auditor's reading of the same run is one event: the UI asks for each value by itself.
ONE_READING = 60.0


class PayloadReader:
    """Reads payloads of runs for auditors; nothing is shown that is not recorded."""

    def __init__(self, catalog: Catalog, jobs: Jobs) -> None:
        self._catalog, self._jobs = catalog, jobs
        self._noted = alru_cache(maxsize=1024, ttl=ONE_READING)(self._note)

    @property
    def namespace(self) -> str:
        """The namespace whose payloads can be read."""
        return self._jobs.client.namespace

    async def decode(self, actor: str, payloads: list[Payload]) -> list[Payload]:
        """The payloads decrypted, those without encryption as they are.

        Raises InvalidRequest for one that cannot be read, and CatalogUnavailable when it cannot be recorded.
        """
        codec = self._jobs.client.data_converter.payload_codec
        if codec is None:
            return payloads
        try:
            found = await codec.decode(payloads)
        except PayloadUnreadable as exc:
            raise InvalidRequest(detail=Phrase.PAYLOAD_UNREADABLE, value=exc.key_id) from exc
        for workflow in dict.fromkeys(workflow_of(payload) for payload in payloads if is_encrypted(payload)):
            await self._noted(actor, workflow)
        return found

    async def _note(self, actor: str, workflow: str) -> None:
        await self._catalog.audit.note(actor, "run.read", None, workflow=workflow)
