"""The passages of a document."""

from __future__ import annotations

from activities.contracts.documents import Chunk
from activities.errors import PassagesLost
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Document


async def live_chunks(document: Document, catalog: Catalog, blobs: Blobs) -> list[Chunk]:
    """The passages of its live version in their order; none without one. Raises PassagesLost."""
    version = document.live_version
    indexed = await catalog.documents.indexed(document.id, version) if version is not None else None
    if indexed is None:
        return []
    try:
        return await blobs.load(indexed.chunks_key, list[Chunk])
    except KeyError as exc:
        raise PassagesLost(name=document.name) from exc
