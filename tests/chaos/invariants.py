"""What must hold when all work has finished, whatever was killed (DESIGN §7)."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter

import msgspec

from activities.contracts.documents import Chunk
from activities.contracts.stages import ACTIVE
from activities.ingest.embed import GROUP
from activities.runtime.temporal import connect
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Document
from activities.stores.milvus import Milvus
from tests.chaos.clients import KNOWLEDGE_BASE, Upload
from tests.chaos.run import Run
from tests.chaos.sites import Site


class Discrepancies(msgspec.Struct):
    """The results of a run; ``broken`` lists the invariants that do not hold."""

    documents: int
    states: dict[str, int]
    rows: int
    chunks_embedded: int
    chunks_needed: int
    broken: list[str] = []


async def audit(run: Run) -> Discrepancies:
    """Check every store."""
    settings = run.site.platforms[0].settings
    catalog, blobs = Catalog(settings.catalog_url), Blobs(settings.blobs_url)
    milvus = Milvus(settings.milvus)
    try:
        knowledge_base = await catalog.knowledge_bases.get(KNOWLEDGE_BASE)
        documents = {each.id: each for each in await catalog.documents.page(knowledge_base.id, None, None, 100_000)}
        findings = Discrepancies(len(documents), dict(Counter(d.state for d in documents.values())), 0, 0, 0)
        broken = findings.broken
        broken += run.people.broken
        broken += [f"{each}: nobody worked on it for minutes" for each in sorted(run.stranded.left)]
        for upload in run.people.accepted:
            broken += _fate(upload, documents.get(upload.document_id))
        broken += await _batches_left(catalog, run)
        broken += await runs_left(run.site)
        generation = await catalog.knowledge_bases.generation(knowledge_base.id)
        findings.rows = await milvus.count(generation.collection)
        live = sum(each.chunks for each in documents.values() if each.live_version is not None)
        for each in documents.values():
            rows = await milvus.count(generation.collection, each.id)
            wanted = await _live_chunks(catalog, blobs, each)
            if rows != wanted:
                broken.append(f"{each.name}: {rows} rows in Milvus, {wanted} chunks in the catalogue")
        if findings.rows != live and not broken:
            broken.append(f"{findings.rows} rows in Milvus, {live} chunks in the catalogue: rows of nobody")
        broken += await _orphans(catalog, blobs, documents)
        findings.chunks_needed = await chunks_made(blobs)
        findings.chunks_embedded = await asyncio.to_thread(embedded, run.site)
        broken += _work_done_again(run, findings)
        return findings
    finally:
        await milvus.close()
        await catalog.close()


def _fate(upload: Upload, document: Document | None) -> list[str]:
    """An accepted upload is not lost, and has the end that the last accepted control promised.

    It is ready, failed with a reason, canceled because someone asked for it, replaced by a newer version, or deleted.
    """
    name = upload.file.name
    if upload.deleted:
        return [] if document is None else [f"{name}: deleted, and still there ({document.state})"]
    if document is None:
        return [f"{name}: accepted, and not there any more"]
    if document.version > upload.version:
        return []
    if document.state == "failed" and document.reason is None:
        return [f"{name}: failed without a reason"]
    end = "ready" if upload.file.readable else "failed"
    ends = {end}
    if upload.batch_canceled:
        ends = {end, "canceled"}
    elif upload.canceled:
        ends = {"canceled"}
    if document.state not in ends:
        return [f"{name}: {document.state} ({document.reason and document.reason.render()}), not {' or '.join(ends)}"]
    if document.state == "ready" and document.live_version != document.version:
        return [f"{name}: ready, but version {document.live_version} is live"]
    return []


async def _batches_left(catalog: Catalog, run: Run) -> list[str]:
    """Batches that say that they go on although all their documents have finished; they get a moment to notice."""
    ids = {upload.batch_id for upload in run.people.accepted if upload.batch_id}
    deadline = time.monotonic() + 60
    while True:
        batches = [await catalog.batches.get(id) for id in ids]
        left = [batch for batch in batches if batch.state in ACTIVE]
        if not left or time.monotonic() > deadline:
            return [f"batch {batch.id}: {batch.state}, and all its documents have finished" for batch in left]
        await asyncio.sleep(1)


async def _live_chunks(catalog: Catalog, blobs: Blobs, document: Document) -> int:
    if document.live_version is None:
        return 0
    if document.live_version == document.version:
        return document.chunks
    older = (await catalog.documents.blobs(document.id))[document.live_version - 1]
    return len(await blobs.load(older.chunks_key or "", list[Chunk]))


async def runs_left(site: Site, *others: str) -> list[str]:
    """Runs that continue although nothing is pending, but for ids that begin with one of ``others``.

    Batches and deletions get a moment for their last step.
    """
    client = await connect(site.platforms[0].settings.temporal)
    deadline = time.monotonic() + 60
    while True:
        left = [
            each.id
            async for each in client.list_workflows("ExecutionStatus = 'Running'")
            if not each.id.startswith(("reconcile", "temporal-sys", *others))
        ]
        if not left or time.monotonic() > deadline:
            return [f"{id} still runs" for id in left]
        await asyncio.sleep(1)


async def _orphans(catalog: Catalog, blobs: Blobs, documents: dict[str, Document]) -> list[str]:
    """Uploaded bytes that no document refers to."""
    known = {version.sha256 for id in documents for version in await catalog.documents.blobs(id)}
    stored = {key.split("/")[1] for key in await blobs.list("originals")}
    return [f"blob {sha256} belongs to no document" for sha256 in stored - known]


async def chunks_made(blobs: Blobs) -> int:
    """Distinct texts that had to be embedded, per document; those of deleted ones are not counted."""
    total = 0
    for key in await blobs.list("chunks"):
        total += len({chunk.text for chunk in await blobs.load(key, list[Chunk])})
    return total


def embedded(site: Site) -> int:
    """Chunks that were sent to the model, according to the workers' logs (at level debug)."""
    total = 0
    folders = [platform.settings.data_dir / "logs" for platform in site.platforms]
    for path in sorted(path for folder in folders for path in folder.glob("worker-bulk.log*")):
        for line in path.read_text(errors="replace").splitlines():
            if '"embedding"' in line:
                total += int(json.loads(line)["chunks"])
    return total


def _work_done_again(run: Run, findings: Discrepancies) -> list[str]:
    """At most the work in flight at each kill, freeze and control, and the work of deleted documents."""
    settings = run.site.platforms[0].settings
    cuts = len(run.killed) + len(run.frozen) + sum(run.people.controls.values())
    in_flight = cuts * settings.worker.gpu_slots * 2 * GROUP
    deleted = sum(len(upload.file.content) // 200 + 8 for upload in run.people.accepted if upload.deleted)
    again = findings.chunks_embedded - findings.chunks_needed
    if again > in_flight + deleted:
        return [f"{again} chunks were embedded again, at most {in_flight} were in flight"]
    return []
