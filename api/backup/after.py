"""What the first start after a restore does, which needs the other services: rows for Milvus, and a comparison.

Answers would be incomplete without the rows, so that they are written before the API starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from activities.reconcile.rows import rewrite, rows_in
from activities.runtime import temporal
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Generation, LiveVersion
from activities.stores.catalog.tables import new_id
from activities.stores.connections import Stores
from api.backup.marker import Restored, marker_of
from api.client.problems import Message
from workflows.client.jobs import Jobs
from workflows.contracts import ReconcileJob

#: Who compares the stores after a restore, in the audit trail.
ACTOR = "restore"

#: Knowledge bases of one look, and documents whose rows are written at once.
PAGE, AT_ONCE = 500, 4


async def write_rows(settings: Settings) -> Message:
    """Write the rows that Milvus lacks of every index that is in use, from the stored vectors; what came of it."""
    written, lost, slots = 0, 0, asyncio.Semaphore(AT_ONCE)
    async with Stores.open(settings) as stores:

        async def write(generation: Generation, live: LiveVersion) -> bool:
            async with slots:
                return await rewrite(stores.blobs, stores.milvus, stores.catalog, generation, live)

        async for generation in _generations(stores.catalog):
            rows = await rows_in(stores.milvus, generation.collection)
            async for page in stores.catalog.references.live_versions(generation):
                missing = [
                    each for each in page if each.chunks_key and rows[each.document_id, each.version] != each.chunks
                ]
                done = await asyncio.gather(*(write(generation, each) for each in missing))
                written, lost = written + sum(done), lost + done.count(False)
    return Message("restore.rows", written=written, lost=lost)


async def _generations(catalog: Catalog) -> AsyncIterator[Generation]:
    after = ""
    while page := await catalog.references.generations(after, PAGE):
        for _, generations in page:
            for generation in generations:
                if generation.phase != "retired":
                    yield generation
        after = page[-1][0]


async def compare(settings: Settings) -> None:
    """Have all stores compared, which repairs what the rows leave over; the next start is an ordinary one."""
    restored = msgspec.json.decode(marker_of(settings).read_bytes(), type=Restored)
    catalog = Catalog(settings.catalog_url)
    try:
        await catalog.audit.note(
            ACTOR, "backup.restore", at=restored.restored_at.isoformat(), of=restored.created_at.isoformat()
        )
    finally:
        await catalog.close()
    jobs = Jobs(await temporal.connect(settings.temporal))
    await jobs.reconcile(ReconcileJob(reconcile_id=new_id(), actor=ACTOR, all_files=True))
    marker_of(settings).unlink()
