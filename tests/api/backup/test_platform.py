"""A backup of a platform that ingests; its data folder is destroyed and restored, and everything goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from activities.contracts.ids import ingest_id
from activities.contracts.version import VERSION
from activities.runtime.temporal import connect
from tests.conftest import Platform, ask, finished, ready, running_platform, steps_of, upload
from tests.documents import long_text
from tests.save_data import KB, LEAVE_QUESTION, items, leave, signed_in
from tests.workflows.test_batches import batch_is, notes, send
from tests.workflows.test_control import embedding


class Before(NamedTuple):
    """What a platform said before its backup, and the work that was under way."""

    answer: dict[str, Any]
    search: list[dict[str, Any]]
    events: list[dict[str, Any]]
    long: str
    batch: str


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_platform_that_works_is_restored(platform: Platform, tmp_path: Path) -> None:
    """The same answers and audit trail, whose log verifies; a document under way and a paused batch end.

    The model server is that of the other tests: it keeps nothing.
    """
    data, backup = tmp_path / "data", tmp_path / "backup.tar"
    data.mkdir()
    models = {"HOLDFAST_TRITON_ADDRESS": platform.settings.triton.address}
    with running_platform(data, "--without", "triton", **models) as first:
        async with signed_in(first, first.key) as api:
            before = await work(api)
            public_key = json.loads(first.holdfast("audit", "key", "--json").stdout)["public_key"]
            made = first.holdfast("backup", str(backup), "--with-keys", "--json")
            assert made.returncode == 0, made.stderr
    shutil.rmtree(data)
    restored = first.holdfast("restore", str(backup))
    assert restored.returncode == 0, restored.stderr
    with running_platform(data, "--without", "triton", **models) as second:
        assert second.key == first.key
        async with signed_in(second, second.key) as api:
            await says_the_same(api, before)
            await goes_on(second, api, before)
        doctor = second.holdfast("doctor", "--json")
        checks = {each["check"]: each for each in json.loads(doctor.stdout)["checks"]}
        assert doctor.returncode == 0, checks
        assert {"Temporal", "Triton", "SQLite", "clock of Temporal", "clock of API"} <= checks.keys()
        assert checks["workers"]["found"] == f"3 of version {VERSION}"
        log = tmp_path / "log"
        kept = shutil.copy(second.settings.checkpoints_file, tmp_path)  # before the export: one is signed each minute
        assert second.holdfast("audit", "export-log", "--output", str(log)).returncode == 0
        verified = second.holdfast("audit", "verify", str(log), "--key", public_key, "--checkpoints", kept, "--json")
        assert verified.returncode == 0, verified.stdout
        assert json.loads(second.holdfast("audit", "key", "--json").stdout)["problem"] is None


async def work(api: httpx.AsyncClient) -> Before:
    """Finished work, a document that is embedded, and a batch that is paused."""
    assert (await api.post("/knowledge-bases", json={"name": KB})).status_code == 201
    await ready(api, KB, ("leave.md", leave("six")))
    *_, (_, answer) = await ask(api, KB, LEAVE_QUESTION)
    hits = (await api.post(f"/knowledge-bases/{KB}/search", json={"query": LEAVE_QUESTION})).json()["hits"]
    batch: str = (await send(api, KB, notes(12)))["batch_id"]
    assert (await api.post(f"/batches/{batch}/pause")).status_code == 202
    await batch_is(api, batch, "paused")
    (long,) = await upload(api, KB, ("long.txt", long_text(60_000)))
    await embedding(api, long["id"], 16)
    return Before(answer, hits, await items(api, "/audit/events"), long["id"], batch)


async def says_the_same(api: httpx.AsyncClient, before: Before) -> None:
    """To the same questions, at once; whoever did what."""
    hits = (await api.post(f"/knowledge-bases/{KB}/search", json={"query": LEAVE_QUESTION})).json()["hits"]
    assert [hit["chunk_id"] for hit in hits[:1]] == [hit["chunk_id"] for hit in before.search[:1]]
    *_, (_, answer) = await ask(api, KB, LEAVE_QUESTION)
    assert (answer["answer"], answer["citations"]) == (before.answer["answer"], before.answer["citations"])
    events = {each["id"]: each for each in await items(api, "/audit/events")}
    assert all(events[each["id"]] == each for each in before.events)
    assert "backup.restore" in {each["action"] for each in events.values()}


async def goes_on(platform: Platform, api: httpx.AsyncClient, before: Before) -> None:
    """The run of a document continues where it was; the batch was paused, and ends once it is resumed."""
    long = await finished(api, before.long)
    assert long["state"] == "ready", long
    steps = await steps_of(await connect(platform.settings.temporal), ingest_id(before.long, 1))
    assert steps.count("parse") == 1, steps
    await batch_is(api, before.batch, "paused")
    assert (await api.post(f"/batches/{before.batch}/resume")).status_code == 202
    ended = await batch_is(api, before.batch, "ready")
    assert (ended["done"], ended["total"]) == (12, 12), ended
