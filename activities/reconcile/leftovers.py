"""Rows that ended generations left in shared collections, which cannot be dropped as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator

from activities.reconcile.slices import PAGE
from activities.runtime.heartbeat import report
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Generation
from activities.stores.milvus import Milvus


async def left_in_shared(catalog: Catalog, milvus: Milvus) -> AsyncIterator[Generation]:
    """Yields the generations that are retired, or of deleted knowledge bases, and still have rows."""
    after = ("", 0)
    while page := await catalog.references.ended_in_shared(after, PAGE):
        for done, generation in enumerate(page):
            report(done, len(page))
            after = (generation.knowledge_base_id, generation.generation)
            try:
                rows = await milvus.count(generation.collection)
            except KeyError:
                continue  # nothing was ever indexed with its model
            if rows:
                yield generation
