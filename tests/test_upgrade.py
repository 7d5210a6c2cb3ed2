"""Data of earlier code: a platform starts on it, finishes the work in flight, and answers.

``tests/data/upgrade`` holds data folders as earlier code left them in the middle of its work; files there are only
ever added (``python -m tests.save_data NAME``). The commit before leaves its work in flight while the test runs.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest

from activities.contracts.ids import ingest_id
from activities.contracts.ingest import Embedded
from activities.ingest.embed import GROUP
from activities.runtime.temporal import connect
from api.client import local_env
from tests.conftest import ROOT, Platform, ask, finished, ready, running_platform, upload
from tests.documents import long_text
from tests.save_data import (
    DATA,
    FOLDER,
    KB,
    LEAVE_QUESTION,
    SAVED,
    SCARVES,
    Saved,
    answered,
    items,
    signed_in,
)
from tests.workflows.test_batches import batch_is, notes, send
from tests.workflows.test_control import embedding
from tests.workflows.test_reindex import reaches
from tests.workflows.test_streams import asked

FOLDERS = sorted(FOLDER.glob("*.tar.xz"))
AT_ITS_END = ("ready", "failed", "canceled")
MEASURED = {"rate_per_minute"}
"""Values that cover the last minutes only."""


@dataclass(frozen=True)
class Upgraded:
    """A platform of the current code on data of earlier code, and its users."""

    platform: Platform
    saved: Saved
    users: dict[str, httpx.AsyncClient]

    @property
    def api(self) -> httpx.AsyncClient:
        """The administrator's client."""
        return self.users["admin"]

    @property
    def kb(self) -> str:
        """Path of the knowledge base."""
        return f"/knowledge-bases/{self.saved.knowledge_base}"


@pytest.mark.long
@pytest.mark.parametrize("archive", FOLDERS, ids=lambda path: path.name.removesuffix(".tar.xz"))
async def test_a_platform_starts_on_earlier_data(archive: Path, tmp_path: Path) -> None:
    """Keys, documents, answers and audit trail are unchanged, and all work in flight finishes."""
    saved, data = unpacked(archive, tmp_path)
    assert saved.at.timestamp() < time.time(), "the clock is before the data: Temporal would wait until then"
    assert local_env.read(data)["HOLDFAST_API_KEY"] == saved.keys["admin"]
    with running_platform(data) as platform:
        async with AsyncExitStack() as stack:
            users = {
                subject: await stack.enter_async_context(signed_in(platform, key))
                for subject, key in saved.keys.items()
            }
            upgraded = Upgraded(platform, saved, users)
            await finished_work_is_unchanged(upgraded)
            await ready_documents_are_found(upgraded)
            await work_in_flight_finishes(upgraded)
            await documents_can_be_changed(upgraded)
            stores_agree(upgraded)


def unpacked(archive: Path, folder: Path) -> tuple[Saved, Path]:
    """The saved records, and the data folder."""
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return msgspec.json.decode((folder / SAVED).read_bytes(), type=Saved), folder / DATA


def within(before: Any, after: Any) -> bool:
    """Whether all earlier values are still returned; fields may have been added."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(key in MEASURED or (key in after and within(before[key], after[key])) for key in before)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(within, before, after))
    return bool(before == after)


async def finished_work_is_unchanged(upgraded: Upgraded) -> None:
    """Finished work is shown as before, to the same people."""
    api, saved = upgraded.api, upgraded.saved
    for kind in ("documents", "batches"):
        now = {each["id"]: each for each in await items(api, f"{upgraded.kb}/{kind}")}
        before: list[dict[str, Any]] = getattr(saved, kind)
        assert now.keys() == {each["id"] for each in before}
        for each in before:
            if each["state"] in AT_ITS_END:
                assert within(each, now[each["id"]]), (each, now[each["id"]])
    conversation = (await api.get(f"/conversations/{saved.conversation['id']}")).json()
    assert within(saved.conversation, conversation), conversation
    assert (await upgraded.users["bob"].get(f"/conversations/{saved.conversation['id']}")).status_code == 404
    events = {each["id"]: each for each in await items(upgraded.users["vera"], "/audit/events")}
    assert all(within(each, events[each["id"]]) for each in saved.events)
    assert (await upgraded.users["bob"].get("/audit/events")).status_code == 403


async def ready_documents_are_found(upgraded: Upgraded) -> None:
    """Search and new questions find the documents that were ready."""
    for question, words in upgraded.saved.answers.items():
        hits = (await upgraded.api.post(f"{upgraded.kb}/search", json={"query": question})).json()["hits"]
        assert words in hits[0]["text"]
        *_, (name, last) = await ask(upgraded.api, upgraded.saved.knowledge_base, question)
        assert (name, last["found"]) == ("done", True), last
        assert words in last["answer"]


async def work_in_flight_finishes(upgraded: Upgraded) -> None:
    """Documents, batches, questions and deletions: paused ones after a resume, the rest by themselves."""
    api, saved = upgraded.api, upgraded.saved
    for batch in saved.batches:
        if batch["state"] == "paused":
            assert (await api.post(f"/batches/{batch['id']}/resume")).status_code == 202
    for document in saved.documents:
        if document["state"] == "paused" and document["batch_id"] is None:
            assert (await api.get(f"/documents/{document['id']}")).json()["state"] == "paused"
            assert (await api.post(f"/documents/{document['id']}/resume")).status_code == 202
    for document in saved.documents:
        if document["state"] not in AT_ITS_END:
            ended = await finished(api, document["id"])
            assert (ended["state"], ended["live_version"]) == ("ready", document["version"]), ended
    for batch in saved.batches:
        ended = await batch_is(api, batch["id"], *AT_ITS_END)
        assert (ended["state"], ended["done"]) == ("ready", batch["total"]), ended
    for question in saved.questions:
        end = await answered(upgraded.users[question.actor], question.id)
        assert (end["state"], end["found"]) == ("ready", True), end
        assert question.words in end["answer"]
    for deletion in saved.deletions:
        assert (await receipt(upgraded.platform, deletion))["rows_before"] > 0


async def receipt(platform: Platform, workflow_id: str) -> dict[str, Any]:
    """Wait for the receipt of a deletion; no rows remain."""
    temporal = await connect(platform.settings.temporal)
    found: dict[str, Any] = await temporal.get_workflow_handle(workflow_id).result()
    assert found["rows_after"] == 0, found
    return found


async def documents_can_be_changed(upgraded: Upgraded) -> None:
    """The same content is recognised, a failed document is retried, and an old one can be deleted."""
    api, saved = upgraded.api, upgraded.saved
    documents = [each for each in saved.documents if each["state"] == "ready"]
    for document in documents:
        content = (await api.get(f"/documents/{document['id']}/content")).content
        (again,) = await upload(api, saved.knowledge_base, (document["name"], content))
        assert (again["id"], again["version"], again["unchanged"]) == (document["id"], document["version"], True)
    for document in saved.documents:
        if document["state"] == "failed":
            assert (await api.post(f"/documents/{document['id']}/retry")).status_code == 202
            failed = await finished(api, document["id"])
            assert (failed["state"], failed["reason_code"]) == ("failed", document["reason_code"])
    deleted = (await api.delete(f"/documents/{documents[0]['id']}")).json()
    assert (await receipt(upgraded.platform, deleted["workflow_id"]))["rows_before"] > 0


def stores_agree(upgraded: Upgraded) -> None:
    """All stores agree; only the unpacked archives are removed."""
    archives = [batch for batch in upgraded.saved.batches if batch["name"].endswith(".zip")]
    for finding in repaired(upgraded.platform):
        assert (finding["kind"], finding["count"]) == ("stray_blobs", len(archives)), finding
    assert repaired(upgraded.platform) == []


def repaired(platform: Platform) -> list[dict[str, Any]]:
    """The discrepancies that `holdfast doctor --repair` found and repaired."""
    ran = platform.holdfast("doctor", "--repair", "--json")
    assert ran.returncode == 0, ran.stderr
    findings: list[dict[str, Any]] = json.loads(ran.stdout)["report"]["findings"]
    return findings


# --- from the commit before ------------------------------------------------------------------------

#: Chunks that the model may embed when a worker ends: two groups.
IN_FLIGHT = 2 * GROUP

#: Small, so that a document of some seconds has many chunks.
CHUNKING = {"max_tokens": 64, "overlap_tokens": 0}


class Begun(NamedTuple):
    """Work that the code of the commit before has begun: ids, and chunks of the document that have a vector."""

    document: str
    embedded: int
    batch: str
    question: str
    reindex: dict[str, Any]


def git(*arguments: str, **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run git in this checkout."""
    return subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(ROOT), *arguments], capture_output=True, check=False, **options
    )


@pytest.fixture
def code_before(tmp_path: Path) -> Path:
    """The code of the commit before: HEAD while something is changed in the checkout, else its first parent.

    Without history (no checkout, or a shallow one) the test is skipped.
    """
    is_clean = git("diff", "--quiet", "HEAD").returncode == 0
    packed = git("archive", "--format=tar", "HEAD~1" if is_clean else "HEAD")
    if packed.returncode:
        pytest.skip(f"the commit before is not in this checkout (shallow?): {packed.stderr.decode().strip()}")
    folder = tmp_path / "before"
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_runs_of_the_commit_before_finish_on_this_one(
    platform: Platform, code_before: Path, tmp_path: Path
) -> None:
    """A document, a batch, a question and a re-index; no text is embedded again but those in flight.

    The model server is that of the other tests: it keeps nothing.
    """
    data = tmp_path / "data"
    data.mkdir()
    models = {"HOLDFAST_TRITON_ADDRESS": platform.settings.triton.address}
    with running_platform(data, "--without", "triton", code=code_before, **models) as before:
        async with signed_in(before, before.key) as api:
            begun = await begin(api)
    ended = datetime.now(UTC)
    with running_platform(data, "--without", "triton", **models) as after:
        async with signed_in(after, after.key) as api:
            await end(after, api, begun, ended)


async def begin(api: httpx.AsyncClient) -> Begun:
    """Begin work of each kind; a document is embedded right now."""
    for name in (KB, "attic"):
        made = await api.post("/knowledge-bases", json={"name": name, "chunking": CHUNKING})
        assert made.status_code == 201, made.text
    await ready(api, "attic", ("scarves.txt", SCARVES))
    asked_for = {"chunking": {"max_tokens": 48, "overlap_tokens": 0}, "approve": True, "soak_seconds": 5}
    reindex = (await api.post("/knowledge-bases/attic/reindex", json=asked_for)).json()
    await reaches(api, reindex, stage="approve", state="waiting")
    batch: str = (await api.post(f"/knowledge-bases/{KB}/batches", json={"name": "notes"})).json()["id"]
    for note in (await send(api, KB, notes(4)[:2], batch=batch))["documents"]:
        await finished(api, note["id"])
    (long,) = await upload(api, KB, ("long.txt", long_text(40_000)))
    question = await asked(api, KB, LEAVE_QUESTION, wait_for_index=True)
    state = await embedding(api, long["id"], IN_FLIGHT)
    return Begun(long["id"], state["done"], batch, question["id"], reindex)


async def end(platform: Platform, api: httpx.AsyncClient, begun: Begun, since: datetime) -> None:
    """All of it ends as it should."""
    document = await finished(api, begun.document)
    assert document["state"] == "ready", document
    embedded = await embedded_since(platform, ingest_id(begun.document, 1), since)
    assert 0 < embedded <= document["chunks"] - begun.embedded + IN_FLIGHT, (embedded, document["chunks"], begun)
    question = await answered(api, begun.question)
    assert (question["state"], question["found"]) == ("ready", True), question
    await send(api, KB, notes(4)[2:], batch=begun.batch)
    assert (await api.post(f"/batches/{begun.batch}/close")).status_code == 202
    batch = await batch_is(api, begun.batch, *AT_ITS_END)
    assert (batch["state"], batch["done"]) == ("ready", 4), batch
    key = platform.holdfast("key", "create", "--subject", "eve", "--role", "admin").stdout.strip()
    async with signed_in(platform, key) as eve:  # whoever has started it may not approve it
        assert (await eve.post(f"/reindexes/{begun.reindex['id']}/approve")).status_code == 202
    await reaches(api, begun.reindex, state="ready")
    hits = (await api.post("/knowledge-bases/attic/search", json={"query": "lost scarves"})).json()["hits"]
    assert SCARVES.decode() in hits[0]["text"]


async def embedded_since(platform: Platform, workflow_id: str, since: datetime) -> int:
    """Chunks that the activities of a run which ended later have sent to the model."""
    temporal = await connect(platform.settings.temporal)
    history = await temporal.get_workflow_handle(workflow_id).fetch_history()
    found = 0
    for event in history.events:
        if event.HasField("activity_task_completed_event_attributes") and event.event_time.ToDatetime(UTC) > since:
            scheduled = history.events[event.activity_task_completed_event_attributes.scheduled_event_id - 1]
            if scheduled.activity_task_scheduled_event_attributes.activity_type.name == "embed":
                payloads = event.activity_task_completed_event_attributes.result.payloads
                (result,) = await temporal.data_converter.decode(payloads, [Embedded])
                found += result.embedded
    return found
