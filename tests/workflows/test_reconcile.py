"""Reconcile: discrepancies are created by hand on the running platform, then found, repaired, and not found again."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import numpy as np
import pytest
from temporalio.client import Client, ScheduleOverlapPolicy, WorkflowExecutionStatus

from activities.contracts.ids import batch_workflow_id, reconcile_id
from activities.contracts.queues import Queue
from activities.contracts.reconcile import Discrepancy
from activities.stores.blob_keys import digest, original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Accepted, Upload
from activities.stores.catalog.tables import new_id
from activities.stores.milvus import Milvus, Row
from activities.stores.triton import Triton
from tests.conftest import Platform, assert_eventually, events, finished, ready, upload
from tests.documents import long_text
from tests.s3 import date_back
from tests.stores.catalog.conftest import sql
from tests.workflows.test_reindex import share_collection
from tests.workflows.test_replay import replayer
from workflows.client.schedules import RECONCILE, schedule_reconcile
from workflows.contracts import ReconcileJob, ReconcileReport
from workflows.reconcile import Reconcile

LEAVE = "Employees may carry over five days of unused annual leave into the next year."
OLD = time.time() - 7200


@dataclass(frozen=True)
class Stores:
    """The platform's stores, in which tests create discrepancies, and its Temporal client."""

    platform: Platform
    catalog: Catalog
    milvus: Milvus
    blobs: Blobs
    temporal: Client
    dimension: int

    async def reconcile(self, *, repair: bool = True, grace: float = 0) -> dict[str, Discrepancy]:
        """Run it to its end; the discrepancies by kind."""
        id = new_id()
        report: ReconcileReport = await self.temporal.execute_workflow(
            Reconcile.run,
            ReconcileJob(reconcile_id=id, actor="test", repair=repair, grace_seconds=grace),
            id=reconcile_id(id),
            task_queue=Queue.WORKFLOWS,
        )
        assert report.repair == repair
        return {finding.kind: finding for finding in report.findings}

    async def settled(self) -> None:
        """Wait until no discrepancy is found, including results of repairs."""

        async def nothing() -> bool:
            return not await self.reconcile()

        await assert_eventually(nothing)

    async def sql(self, statement: str, **parameters: object) -> list[Any]:
        """Reads or changes the database directly, past the catalogue."""
        return await sql(self.platform.settings, statement, **parameters)

    async def collection(self, kb: str) -> str:
        """The collection of a knowledge base."""
        record = await self.catalog.knowledge_bases.get(kb)
        return (await self.catalog.knowledge_bases.generation(record.id)).collection

    async def insert(self, collection: str, document_id: str, version: int, ordinal: int = 0) -> None:
        """Write a row that no document refers to."""
        row = Row(
            id=f"{document_id}:{version}:{ordinal}", document_id=document_id, version=version, ordinal=ordinal,
            page=0, section="", text=LEAVE,
        )  # fmt: skip
        await self.milvus.upsert(collection, [row], np.ones((1, self.dimension), np.float32))

    async def put(self, key: str, data: bytes = b"stray", *, old: bool = True) -> str:
        """Write a blob that no document refers to."""
        await self.blobs.put(key, data)
        folder = self.platform.settings.files_dir
        if old and folder is None:
            date_back(urlsplit(self.platform.settings.blobs_url).netloc, key, OLD)
        elif old:
            os.utime(folder / key, (OLD, OLD))
        return key

    async def there(self, *keys: str) -> list[bool]:
        """Which of the blobs exist."""
        return [await self.blobs.exists(key) for key in keys]


@pytest.fixture
async def stores(platform: Platform, temporal: Client) -> AsyncIterator[Stores]:
    """Direct connections to all stores; discrepancies that earlier tests left are repaired first."""
    settings = platform.settings
    triton = Triton(settings.triton.address)
    dimension = (await triton.card()).dimension
    await triton.close()
    catalog, milvus = Catalog(settings.catalog_url), Milvus(settings.milvus)
    stores = Stores(platform, catalog, milvus, Blobs(settings.blobs_url), temporal, dimension)
    await stores.settled()
    yield stores
    await milvus.close()
    await catalog.close()


async def running(api: httpx.AsyncClient, document_id: str, state: str = "running") -> dict[str, Any]:
    """Wait until a document's run is in this state."""

    async def check() -> dict[str, Any] | None:
        document: dict[str, Any] = (await api.get(f"/documents/{document_id}")).json()
        return document if document["state"] == state else None

    return await assert_eventually(check)


async def found(stores: Stores, kind: str) -> Discrepancy:
    """Run it until it finds a discrepancy of the kind: a terminated run's late progress may hide it at first."""

    async def check() -> Discrepancy | None:
        return (await stores.reconcile()).get(kind)

    return await assert_eventually(check, step=0.5)


def big() -> bytes:
    """A document that takes some seconds and resembles no other."""
    return uuid.uuid4().hex.encode() + b"\n\n" + long_text(30_000)


# --- catalogue and Temporal ------------------------------------------------------------------------


async def test_a_document_whose_run_was_terminated_becomes_ready(
    api: httpx.AsyncClient, stores: Stores, temporal: Client, kb: str
) -> None:
    """It is requeued, and the dispatcher starts it again."""
    (document,) = await upload(api, kb, ("big.txt", big()))
    await running(api, document["id"])
    await temporal.get_workflow_handle(document["workflow_id"]).terminate("by hand")
    finding = await found(stores, "documents_without_run")
    assert (finding.count, finding.mended, finding.failed) == (1, 1, 0)
    assert finding.examples == ["big.txt v1"]
    assert (await finished(api, document["id"]))["state"] == "ready"
    assert await stores.reconcile() == {}


async def test_a_paused_document_without_a_run_stays_paused(
    api: httpx.AsyncClient, stores: Stores, temporal: Client, kb: str
) -> None:
    """It is as if it had been paused before its start: `resume` starts it."""
    (document,) = await upload(api, kb, ("big.txt", big()))
    await running(api, document["id"])
    assert (await api.post(f"/documents/{document['id']}/pause")).status_code == 202
    await running(api, document["id"], "paused")
    await temporal.get_workflow_handle(document["workflow_id"]).terminate("by hand")
    assert (await found(stores, "documents_without_run")).mended == 1
    assert await stores.reconcile() == {}
    assert (await running(api, document["id"], "paused"))["state"] == "paused"
    assert (await api.post(f"/documents/{document['id']}/resume")).status_code == 202
    assert (await finished(api, document["id"]))["state"] == "ready"


async def test_a_terminated_document_of_a_running_batch_does_not_hold_it_up(
    api: httpx.AsyncClient, stores: Stores, temporal: Client, kb: str
) -> None:
    """The batch, which waits for its result, finishes."""
    documents = await upload(api, kb, ("one.txt", big()), ("two.txt", big()))
    (batch_id,) = {(await running(api, each["id"]))["batch_id"] for each in documents[:1]}
    await temporal.get_workflow_handle(documents[0]["workflow_id"]).terminate("by hand")
    assert (await found(stores, "documents_without_run")).mended == 1
    for each in documents:
        assert (await finished(api, each["id"]))["state"] == "ready"
    await temporal.get_workflow_handle(batch_workflow_id(batch_id)).result()
    assert await stores.reconcile() == {}


async def test_a_batch_without_a_run_goes_on(api: httpx.AsyncClient, stores: Stores, temporal: Client, kb: str) -> None:
    """With the documents whose runs are gone too, and with those not started yet."""
    opened = (await api.post(f"/knowledge-bases/{kb}/batches", json={"name": "b", "parallelism": 1})).json()
    files = [("files", (f"{n}.txt", big(), "text/plain")) for n in range(3)]
    accepted = await api.post(f"/knowledge-bases/{kb}/documents", files=files, params={"batch": opened["id"]})
    documents = accepted.json()["documents"]

    async def begun() -> dict[str, Any] | None:
        page = (await api.get(f"/knowledge-bases/{kb}/documents", params={"state": "running"})).json()["items"]
        return page[0] if page else None

    document = await assert_eventually(begun)
    await temporal.get_workflow_handle(opened["workflow_id"]).terminate("by hand")
    await temporal.get_workflow_handle(document["workflow_id"]).terminate("by hand")
    finding = await found(stores, "batches_without_run")
    assert (finding.mended, finding.examples) == (1, ["b"])
    assert (await api.post(f"/batches/{opened['id']}/close")).status_code == 202
    for each in documents:
        assert (await finished(api, each["id"]))["state"] == "ready"
    await temporal.get_workflow_handle(opened["workflow_id"]).result()
    await stores.settled()


async def test_runs_without_rows_are_canceled(
    api: httpx.AsyncClient, stores: Stores, temporal: Client, kb: str
) -> None:
    """A document or a batch whose rows have vanished keeps no worker busy."""
    opened = (await api.post(f"/knowledge-bases/{kb}/batches", json={"name": "b"})).json()
    files = [("files", ("small.txt", LEAVE.encode(), "text/plain"))]
    accepted = await api.post(f"/knowledge-bases/{kb}/documents", files=files, params={"batch": opened["id"]})
    small = await finished(api, accepted.json()["documents"][0]["id"])
    (document,) = await upload(api, kb, ("big.txt", big()))
    await running(api, document["id"])
    await api.post(f"/documents/{document['id']}/pause")
    await running(api, document["id"], "paused")
    await stores.sql("DELETE FROM versions WHERE document_id IN (:big, :small)", big=document["id"], small=small["id"])
    await stores.sql("DELETE FROM documents WHERE id IN (:big, :small)", big=document["id"], small=small["id"])
    await stores.sql("DELETE FROM batches WHERE id = :id", id=opened["id"])
    looked = (await stores.reconcile(repair=False))["runs_without_document"]
    assert (looked.count, looked.mended) == (2, 0)
    finding = (await stores.reconcile())["runs_without_document"]
    assert (finding.count, finding.mended) == (2, 2)
    assert set(finding.examples) == {document["workflow_id"], opened["workflow_id"]}

    async def over() -> bool:
        runs = [await temporal.get_workflow_handle(id).describe() for id in finding.examples]
        return all(run.status is not WorkflowExecutionStatus.RUNNING for run in runs)

    await assert_eventually(over)
    await stores.settled()


async def test_unfinished_deletions_are_finished(
    api: httpx.AsyncClient, stores: Stores, temporal: Client, kb: str
) -> None:
    """A document and a knowledge base that were hidden but never purged leave nothing, in a shared collection too."""
    other = f"test-{uuid.uuid4().hex[:12]}"
    await api.post("/knowledge-bases", json={"name": other})
    await share_collection(stores.platform, other)
    (document,) = await ready(api, kb, ("leave.txt", LEAVE.encode()))
    await ready(api, other, ("leave.txt", LEAVE.encode()))
    collection, doomed = await stores.collection(kb), await stores.collection(other)
    assert ("@shared_" in doomed, await stores.milvus.count(doomed)) == (True, 1)
    await stores.catalog.documents.delete(document["id"], "ann")
    await stores.catalog.knowledge_bases.delete(other, "ann")
    assert "unfinished_deletions" not in await stores.reconcile(grace=600)
    finding = (await stores.reconcile())["unfinished_deletions"]
    assert (finding.count, finding.mended) == (2, 2)
    assert set(finding.examples) == {"leave.txt", other}

    async def gone() -> bool:
        rows = await stores.sql("SELECT id FROM documents WHERE id = :id", id=document["id"])
        return not rows and await stores.milvus.count(doomed) == 0

    await assert_eventually(gone)
    assert await stores.milvus.count(collection, document["id"]) == 0
    await stores.settled()


async def test_questions_whose_run_is_gone_are_ended(
    api: httpx.AsyncClient, stores: Stores, temporal: Client, kb: str
) -> None:
    """A run that was terminated, and one that never started; the question and its stream say the same."""
    record = await stores.catalog.knowledge_bases.get(kb)
    (document,) = await upload(api, kb, ("big.txt", big()))
    await api.post(f"/documents/{document['id']}/pause")
    body = {"question": "How many days?", "wait_for_index": True}
    waiting = (await api.post(f"/knowledge-bases/{kb}/questions", json=body)).json()
    assert "questions_without_run" not in await stores.reconcile()
    await temporal.get_workflow_handle(waiting["workflow_id"]).terminate("by hand")
    never = await stores.catalog.questions.create(record.id, "Never?", "extractive", None, "admin")
    assert (await stores.reconcile(repair=False))["questions_without_run"].count == 2
    finding = (await stores.reconcile())["questions_without_run"]
    assert (finding.count, finding.mended) == (2, 2)
    assert set(finding.examples) == {waiting["id"], never.id}
    seen = await stores.catalog.questions.create(record.id, "Seen?", "extractive", None, "admin")
    await stores.sql("UPDATE questions SET created_at = '2026-01-01 00:00:00.000000' WHERE id = :id", id=seen.id)
    for id in (waiting["id"], never.id, seen.id):
        name, last = (await events(api, f"/questions/{id}/events"))[-1]
        assert (name, last["code"]) == ("error", "interrupted")
        question = (await api.get(f"/questions/{id}")).json()
        assert (question["state"], question["reason"]) == ("failed", last["message"])
    await api.delete(f"/documents/{document['id']}")
    await stores.settled()


async def test_what_the_dispatcher_does_not_start_is_started(
    api: httpx.AsyncClient, platform: Platform, stores: Stores, kb: str
) -> None:
    """A document and a batch that were accepted while no API process is able to start them."""
    record = await stores.catalog.knowledge_bases.get(kb)
    content = LEAVE.encode()
    sha256 = hashlib.sha256(content).hexdigest()
    await stores.blobs.put(original_key(sha256), content)
    pid = platform.pid_of("api")
    os.kill(pid, signal.SIGSTOP)
    try:
        batch = await stores.catalog.batches.create(record.id, "b", 2, "ann", closed=True)
        alone = Upload(knowledge_base_id=record.id, name="single.txt", sha256=sha256, bytes=len(content), actor="ann")
        of_batch = msgspec.structs.replace(alone, name="member.txt", batch_id=batch.id)
        single, member = await stores.catalog.intake.accept([alone, of_batch])
        assert isinstance(single, Accepted)
        assert isinstance(member, Accepted)
        findings = await stores.reconcile()
        assert (findings["documents_without_run"].mended, findings["batches_without_run"].mended) == (1, 1)

        async def ready_without_the_api() -> bool:
            documents = await stores.catalog.documents.many([single.document.id, member.document.id])
            return [each.state for each in documents] == ["ready", "ready"]

        await assert_eventually(ready_without_the_api)
    finally:
        os.kill(pid, signal.SIGCONT)
    await stores.settled()


# --- catalogue and Milvus --------------------------------------------------------------------------


async def test_orphaned_rows_are_purged(api: httpx.AsyncClient, stores: Stores, kb: str) -> None:
    """Rows of an unknown document, and of a version that is not live; those of the live one stay."""
    (document,) = await ready(api, kb, ("leave.txt", LEAVE.encode()))
    collection = await stores.collection(kb)
    await stores.insert(collection, new_id(), 1)
    await stores.insert(collection, document["id"], 7)
    looked = (await stores.reconcile(repair=False))["rows_without_version"]
    assert (looked.count, looked.mended, await stores.milvus.count(collection)) == (2, 0, 3)
    finding = (await stores.reconcile())["rows_without_version"]
    assert (finding.count, finding.mended, finding.failed) == (2, 2, 0)
    assert await stores.milvus.count(collection) == 1
    assert await stores.reconcile() == {}


async def test_only_our_own_collections_are_dropped(api: httpx.AsyncClient, stores: Stores, kb: str) -> None:
    """One of an unknown generation is dropped, as is a retired one's part of a shared collection.

    One of a foreign knowledge base is only reported.
    """
    record = await stores.catalog.knowledge_bases.get(kb)
    ours, foreign, other = f"kb_{record.id}_g99", f"kb_{new_id()}_g1", "somebody_elses"
    retired = f"kb_{record.id}_g98@shared_ffffffffffffffff"
    await stores.sql(
        "INSERT INTO generations (knowledge_base_id, generation, collection, model_fingerprint, phase, created_at)"
        " VALUES (:kb, 98, :collection, :model, 'retired', '2026-01-01 00:00:00.000000')",
        kb=record.id,
        collection=retired.removesuffix("_ffffffffffffffff"),
        model="f" * 64,
    )
    await stores.milvus.create(retired, stores.dimension)
    await stores.insert(retired, new_id(), 1)
    for name in (ours, foreign, other):
        await stores.milvus.create(name, stores.dimension)
    try:
        findings = await stores.reconcile()
        assert findings["unknown_collections"] == Discrepancy(
            kind="unknown_collections", count=2, mended=2, examples=[ours, retired]
        )
        assert await stores.milvus.count(retired) == 0
        assert findings["foreign_collections"] == Discrepancy(kind="foreign_collections", count=1, examples=[foreign])
        there = await stores.milvus.collections()
        assert [name in there for name in (ours, foreign, other)] == [False, True, True]
        assert (await stores.reconcile()).keys() == {"foreign_collections"}
    finally:
        for name in (ours, foreign, other):
            await stores.milvus.drop(name)


async def test_missing_and_surplus_rows_are_written_anew(api: httpx.AsyncClient, stores: Stores, kb: str) -> None:
    """From the blobs, without the model; search finds the document again."""
    lacking, surplus = await ready(api, kb, ("leave.txt", LEAVE.encode()), ("long.txt", long_text(3000)))
    collection = await stores.collection(kb)
    await stores.milvus.delete(collection, lacking["id"], 1)
    await stores.insert(collection, surplus["id"], 1, ordinal=4711)
    finding = (await stores.reconcile())["wrong_counts"]
    assert (finding.count, finding.mended, finding.failed) == (2, 2, 0)
    for document in (lacking, surplus):
        assert await stores.milvus.count(collection, document["id"], 1) == document["chunks"]
    hits = (await api.post(f"/knowledge-bases/{kb}/search", json={"query": LEAVE})).json()["hits"]
    assert hits[0]["document_id"] == lacking["id"]
    assert await stores.reconcile() == {}


async def test_rows_whose_blobs_are_lost_are_made_from_the_original(
    api: httpx.AsyncClient, stores: Stores, kb: str
) -> None:
    """The document is ingested again; if its original is lost too, that is reported and nothing changes."""
    saved, lost = await ready(api, kb, ("saved.txt", big()), ("lost.txt", big()))
    collection = await stores.collection(kb)
    for document in (saved, lost):
        (version,) = await stores.catalog.documents.blobs(document["id"])
        await stores.milvus.delete(collection, document["id"])
        keys = [version.chunks_key, version.vectors_key]
        keys += [version.parsed_key, original_key(version.sha256)] if document is lost else []
        for key in keys:
            assert key is not None
            await stores.blobs.delete(key)
    finding = (await stores.reconcile())["wrong_counts"]
    assert (finding.count, finding.mended, finding.failed) == (2, 1, 1)

    async def whole() -> bool:
        return bool(await stores.milvus.count(collection, saved["id"], 1) == saved["chunks"])

    await assert_eventually(whole)
    assert (await finished(api, saved["id"]))["state"] == "ready"
    again = await stores.reconcile()
    assert (again["wrong_counts"].count, again["wrong_counts"].failed) == (1, 1)
    assert again["wrong_counts"].examples[0].startswith("lost.txt v1: 0 rows")
    result = stores.platform.holdfast("doctor", "--repair")
    assert result.returncode == 1, result.stderr
    await api.delete(f"/documents/{lost['id']}")
    await stores.settled()


async def test_a_live_version_that_cannot_be_made_again_stays_searchable(
    api: httpx.AsyncClient, stores: Stores, kb: str
) -> None:
    """Its run fails, with its reason; the rows that search finds are not purged."""
    (document,) = await ready(api, kb, ("leave.txt", f"{LEAVE} {uuid.uuid4().hex}".encode()))
    (version,) = await stores.catalog.documents.blobs(document["id"])
    for key in (version.parsed_key, version.chunks_key, version.vectors_key):
        assert key is not None
        await stores.blobs.delete(key)
    await stores.blobs.put(original_key(version.sha256), b"")
    finding = (await stores.reconcile())["lost_passages"]
    assert (finding.count, finding.mended) == (1, 1)
    assert finding.examples == [f"{kb}/leave.txt v1: chunks, vectors"]
    failed = await finished(api, document["id"])
    assert (failed["state"], failed["reason_code"], failed["live_version"]) == ("failed", "empty", 1)

    async def ended() -> bool:
        run = await stores.temporal.get_workflow_handle(document["workflow_id"]).describe()
        return run.status is WorkflowExecutionStatus.FAILED

    await assert_eventually(ended)
    hits = (await api.post(f"/knowledge-bases/{kb}/search", json={"query": LEAVE})).json()["hits"]
    assert hits[0]["document_id"] == document["id"]
    await api.delete(f"/documents/{document['id']}")
    await stores.settled()


# --- catalogue and blobs ---------------------------------------------------------------------------


async def test_old_orphaned_blobs_are_removed(api: httpx.AsyncClient, stores: Stores, kb: str) -> None:
    """Of every kind, with their derived blobs; young or used ones stay. Old stored upload responses go too."""
    (document,) = await ready(api, kb, ("leave.txt", big()))
    (version,) = await stores.catalog.documents.blobs(document["id"])
    used = [original_key(version.sha256), version.parsed_key, version.chunks_key, version.vectors_key]
    sha256 = hashlib.sha256(uuid.uuid4().bytes).hexdigest()
    parsed = f"parsed/{sha256}/v1"
    chunks = f"chunks/{digest(parsed)}/350-0"
    strays = [
        await stores.put(key)
        for key in (
            original_key(sha256), parsed, chunks, f"vectors/{digest(chunks)}/model/all",
            f"chunks/{'0' * 32}/350-0", f"vectors/{'0' * 32}/model/all", f"questions/{new_id()}/sources",
        )
    ]  # fmt: skip
    for key in used:
        assert key is not None
        await stores.put(key, await stores.blobs.get(key))  # as old as the others
    young = await stores.put(original_key("1" * 64), old=False)
    archive = hashlib.sha256(sha256.encode()).hexdigest()
    record = await stores.catalog.knowledge_bases.get(kb)
    batch = await stores.catalog.batches.create(record.id, "a.zip", 1, "ann", closed=True, archive_sha256=archive)
    await stores.sql(
        "UPDATE batches SET state = 'running', dispatched_at = '2100-01-01 00:00:00.000000',"
        " updated_at = '2100-01-01 00:00:00.000000' WHERE id = :id",
        id=batch.id,
    )
    kept = await stores.put(original_key(archive))
    for key, year in (("old", 2020), ("new", 2100)):
        await stores.sql(
            "INSERT INTO idempotency_keys (actor, key, fingerprint, answer, created_at)"
            f" VALUES ('ann', :key, 'f', 'null', '{year}-01-01 00:00:00.000000')",
            key=key,
        )

    looked = (await stores.reconcile(repair=False))["stray_blobs"]
    assert looked.mended == 0
    assert all(await stores.there(*strays))
    finding = (await stores.reconcile())["stray_blobs"]
    assert (finding.count, finding.mended) == (4, 4)  # an original is removed with all blobs derived from it
    assert not any(await stores.there(*strays))
    assert all(await stores.there(*[key for key in used if key], young, kept))
    assert await stores.sql("SELECT key FROM idempotency_keys WHERE actor = 'ann'") == [("new",)]
    assert await stores.reconcile() == {}

    await stores.sql("UPDATE batches SET state = 'ready' WHERE id = :id", id=batch.id)
    assert (await stores.reconcile())["stray_blobs"].examples == [kept]
    await stores.blobs.delete(young)


async def test_an_upload_of_a_content_that_is_being_removed_is_whole(
    api: httpx.AsyncClient, stores: Stores, kb: str
) -> None:
    """Whichever comes first: the uploaded bytes exist afterwards, and become ready."""
    contents = [f"{LEAVE} {uuid.uuid4().hex}".encode() for _ in range(12)]
    for content in contents:
        await stores.put(original_key(hashlib.sha256(content).hexdigest()), content)
    mending = asyncio.create_task(stores.reconcile(grace=60))
    documents = []
    for number, content in enumerate(contents):
        await asyncio.sleep(0.02)
        documents += await upload(api, kb, (f"{number}.txt", content))
    await mending
    for document, content in zip(documents, contents, strict=True):
        assert (await finished(api, document["id"]))["state"] == "ready"
        assert (await api.get(f"/documents/{document['id']}/content")).content == content
    await stores.settled()


async def test_a_removal_that_was_cut_off_is_finished(stores: Stores) -> None:
    """Content whose removal had begun when its run was terminated can be uploaded again."""
    sha256 = hashlib.sha256(uuid.uuid4().bytes).hexdigest()
    assert await stores.catalog.content_locks.begin_stray_removal(sha256, new_id())
    assert (await stores.reconcile())["stray_blobs"].mended == 1
    assert await stores.sql("SELECT removing_by FROM contents WHERE sha256 = :sha256", sha256=sha256) == []
    assert await stores.reconcile() == {}


# --- the whole run -------------------------------------------------------------------------------------


async def test_work_that_goes_on_is_not_disturbed(api: httpx.AsyncClient, stores: Stores, kb: str) -> None:
    """During uploads, a batch, new versions and deletions nothing is found, and all of them finish."""
    await ready(api, kb, ("a.txt", LEAVE.encode()), ("b.txt", LEAVE.encode()))
    documents = await upload(api, kb, *[(f"{n}.txt", f"{n} {LEAVE}".encode()) for n in range(8)])
    findings = [await stores.reconcile(grace=20)]
    documents += await upload(api, kb, ("a.txt", big()))
    documents += await upload(api, kb, ("single.txt", big()))
    (b,) = await upload(api, kb, ("b.txt", LEAVE.encode()))
    await api.delete(f"/documents/{b['id']}")
    for _ in range(4):
        findings.append(await stores.reconcile(grace=20))
    states = {(await finished(api, each["id"]))["state"] for each in documents}
    assert states == {"ready"}
    assert findings == [{}] * 5
    assert await stores.reconcile() == {}


async def test_it_is_started_watched_and_read_through_the_api(
    api: httpx.AsyncClient, stores: Stores, temporal: Client, kb: str
) -> None:
    """It is a job like any other; its end is in the audit trail."""
    collection = await stores.collection(kb)
    await ready(api, kb, ("leave.txt", LEAVE.encode()))
    await stores.insert(collection, new_id(), 1)
    accepted = await api.post("/reconcile", json={"repair": False})
    assert accepted.status_code == 202
    job = accepted.json()
    assert job["workflow_id"] == f"reconcile/{job['id']}"

    async def over() -> dict[str, Any] | None:
        state: dict[str, Any] = (await api.get(job["status_url"].removeprefix("/api/v1"))).json()
        return state if state["state"] == "ready" else None

    state = await assert_eventually(over)
    (finding,) = state["report"]["findings"]
    assert (finding["kind"], finding["count"], finding["mended"]) == ("rows_without_version", 1, 0)
    assert (state["found"], state["report"]["repair"], state["reason"]) == (1, False, None)
    history = await temporal.get_workflow_handle(job["workflow_id"]).fetch_history()
    assert len(history.events) < 120
    await replayer(temporal).replay_workflow(history)
    ((actor, detail),) = await stores.sql(
        "SELECT actor, CAST(detail AS TEXT) FROM audit_events WHERE action = 'reconcile.finish' AND object_id = :id",
        id=job["id"],
    )
    assert actor == "admin"
    assert json.loads(detail)["findings"] == {"rows_without_version": {"count": 1, "mended": 0}}
    result = stores.platform.holdfast("doctor", "--repair", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["report"]["findings"][0]["mended"] == 1
    assert stores.platform.holdfast("doctor", "--repair").stdout == "No differences were found.\n"
    missing = await api.get(f"/reconcile/{new_id()}")
    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")


async def test_it_is_scheduled(platform: Platform, temporal: Client) -> None:
    """Hourly unless a setting changes it, never twice at once; a paused schedule stays paused."""
    handle = temporal.get_schedule_handle(RECONCILE)
    schedule = (await handle.describe()).schedule
    assert platform.settings.reconcile.minutes == 60
    assert [interval.every.total_seconds() for interval in schedule.spec.intervals] == [3600]
    assert schedule.policy.overlap is ScheduleOverlapPolicy.SKIP
    await handle.pause()
    await schedule_reconcile(temporal, 30)
    schedule = (await handle.describe()).schedule
    assert [interval.every.total_seconds() for interval in schedule.spec.intervals] == [1800]
    assert schedule.state.paused
    for _ in range(2):
        await schedule_reconcile(temporal, 0)
    await schedule_reconcile(temporal, 60)
    await handle.trigger()

    async def ended() -> bool:
        runs = [run async for run in temporal.list_workflows("WorkflowType = 'Reconcile' AND Owner = 'schedule'")]
        return any(run.status is WorkflowExecutionStatus.COMPLETED for run in runs)

    await assert_eventually(ended)


async def test_an_event_that_differs_from_the_log_is_found_and_told(stores: Stores, api: httpx.AsyncClient) -> None:
    """In the report, in the trail and in readiness, until it is as it was; nothing changes it back."""

    async def logged() -> list[Any]:
        return await stores.sql("SELECT actor, log_index FROM audit_events WHERE log_index IS NOT NULL LIMIT 1")

    ((actor, index),) = await assert_eventually(logged)
    await stores.sql("UPDATE audit_events SET actor = 'mallory' WHERE log_index = :index", index=index)
    try:
        finding = (await stores.reconcile())["audit_log_differs"]
        ready = (await api.get(f"{stores.platform.url}/health/ready")).json()
    finally:
        await stores.sql("UPDATE audit_events SET actor = :actor WHERE log_index = :index", actor=actor, index=index)
    assert (finding.count, finding.mended) == (1, 0)
    assert finding.examples == [f"event {index} is not the one that entered the log"]
    assert f"event {index}" in ready["audit_log"]
    (told, *_) = (await api.get("/audit/events", params={"action": "audit.differ"})).json()["items"]
    assert (told["actor"], f"event {index}" in told["detail"]["difference"]) == ("system", True)
    assert "audit_log_differs" not in await stores.reconcile()
    assert (await api.get(f"{stores.platform.url}/health/ready")).json()["audit_log"] is None
