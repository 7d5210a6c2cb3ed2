"""The stores of a process: one client for each external service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from activities.settings import Settings
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.milvus import Milvus
from activities.stores.triton import Triton


@dataclass(frozen=True)
class Stores:
    """One client for each external service."""

    blobs: Blobs
    catalog: Catalog
    milvus: Milvus
    triton: Triton

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, *, interactive: bool = False) -> AsyncIterator[Stores]:
        """Creates the clients, which connect on first use, and closes them at the end.

        ``interactive`` is for processes whose catalogue writes are latency-sensitive: they make no SQLite checkpoints.
        """
        stores = cls(
            blobs=Blobs(settings.blobs_url),
            catalog=Catalog(
                settings.catalog_url,
                checkpoints=not interactive,
                connections=settings.catalog.connections,
                collections=settings.milvus.collections,
            ),
            milvus=Milvus(settings.milvus),
            triton=Triton(settings.triton.address, reranks=bool(settings.rerank.model)),
        )
        try:
            yield stores
        finally:
            await stores.milvus.close()
            await stores.triton.close()
            await stores.catalog.close()
