"""Batches through the whole platform: many documents at once, watched and controlled together."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from tests.conftest import assert_eventually, events, finished, upload
from tests.documents import long_text

LEAVE = "Employees may carry over five days of unused annual leave into the next year."


def archive(*files: tuple[str, bytes]) -> bytes:
    """A zip archive of the files."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files:
            made.writestr(name, content)
    return target.getvalue()


def gbk_archive(name: str, content: bytes) -> bytes:
    """A zip archive as old Chinese tools write it: the name in GBK, without an encoding flag."""
    placeholder = "x" * len(name.encode("gbk"))
    return archive((placeholder, content)).replace(placeholder.encode(), name.encode("gbk"))


async def send(
    api: httpx.AsyncClient, kb: str, files: list[tuple[str, bytes]], headers: dict[str, str] | None = None, **query: str
) -> dict[str, Any]:
    """Upload files and return the complete response."""
    form = [("files", (name, content, "application/octet-stream")) for name, content in files]
    response = await api.post(f"/knowledge-bases/{kb}/documents", files=form, params=query, headers=headers)
    assert response.status_code == 202, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def batch_is(api: httpx.AsyncClient, batch_id: str, *states: str, seconds: float = 50) -> dict[str, Any]:
    """Wait until a batch is in one of the states."""

    async def check() -> dict[str, Any] | None:
        batch: dict[str, Any] = (await api.get(f"/batches/{batch_id}")).json()
        return batch if batch["state"] in states else None

    return await assert_eventually(check, seconds)


def notes(count: int, words: str = "") -> list[tuple[str, bytes]]:
    """Small documents, each with its own text."""
    return [(f"note-{n}.txt", f"Note {n}. {words} {LEAVE}".encode()) for n in range(count)]


async def test_several_files_are_a_batch(api: httpx.AsyncClient, kb: str) -> None:
    """It counts its documents by state, is ready when all have finished, and is listed."""
    answer = await send(api, kb, [*notes(3), ("empty.txt", b"")])
    assert len(answer["documents"]) == 4
    assert answer["batch"]["events_url"] == f"/api/v1/batches/{answer['batch_id']}/events"
    seen = [info for _, info in await events(api, answer["batch"]["events_url"])]
    assert seen[-1]["state"] == "ready"
    assert seen[-1]["documents"] == {"total": 4, "ready": 3, "failed": 1}
    assert (seen[-1]["done"], seen[-1]["total"], seen[-1]["eta_seconds"]) == (4, 4, None)
    assert [info["done"] for info in seen] == sorted(info["done"] for info in seen)
    listed = (await api.get(f"/knowledge-bases/{kb}/batches")).json()["items"]
    assert [item["id"] for item in listed] == [answer["batch_id"]]
    failed = await api.get(f"/knowledge-bases/{kb}/documents", params={"batch": answer["batch_id"], "state": "failed"})
    assert [item["name"] for item in failed.json()["items"]] == ["empty.txt"]


async def test_unchanged_files_are_no_batch(api: httpx.AsyncClient, kb: str) -> None:
    """Uploading unchanged files starts nothing."""
    first = await send(api, kb, notes(3))
    await batch_is(api, first["batch_id"], "ready")
    again = await send(api, kb, notes(3))
    assert again["batch_id"] is None
    assert [document["state"] for document in again["documents"]] == ["ready"] * 3
    assert len((await api.get(f"/knowledge-bases/{kb}/batches")).json()["items"]) == 1


async def test_an_archive_is_unpacked_into_its_documents(api: httpx.AsyncClient, kb: str) -> None:
    """Names keep their folders, clutter and unsafe names are left out; the documents can be found."""
    content = archive(
        ("rules/leave.txt", LEAVE.encode()),
        ("rules/fire.md", b"# Fire\n\nLeave by the stairs."),
        ("../../outside.txt", b"Stays inside: steps out of the archive are dropped."),
        ("__MACOSX/._leave.txt", b"litter"),
        (".hidden", b"litter"),
    )
    answer = await send(api, kb, [("rules.zip", content)])
    assert answer["documents"] == []
    batch = await batch_is(api, answer["batch_id"], "ready")
    assert batch["documents"] == {"total": 3, "ready": 3}
    assert sorted(batch["skipped"]) == [".hidden", "__MACOSX/._leave.txt"]
    found = (await api.get(f"/knowledge-bases/{kb}/documents")).json()["items"]
    assert {item["name"] for item in found} == {"rules/leave.txt", "rules/fire.md", "outside.txt"}


async def test_chinese_names_of_old_archives_are_read(api: httpx.AsyncClient, kb: str) -> None:
    """GBK names, as Windows tools wrote them, are decoded correctly."""
    answer = await send(api, kb, [("制度.zip", gbk_archive("年假制度.txt", "员工每年有十天年假。".encode()))])
    await batch_is(api, answer["batch_id"], "ready")
    (document,) = (await api.get(f"/knowledge-bases/{kb}/documents")).json()["items"]
    assert document["name"] == "年假制度.txt"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (archive(("zeros.txt", bytes(50_000_000))), "document-too-large"),
        (archive(("a.txt", b"one " * 999))[:-30] + b"PK\x05\x06" + bytes(18), "damaged"),
    ],
    ids=["bomb", "damaged"],
)
async def test_an_archive_that_cannot_be_used_fails_with_its_reason(
    api: httpx.AsyncClient, kb: str, content: bytes, code: str
) -> None:
    """None of its files becomes an unfinished document."""
    answer = await send(api, kb, [("bad.zip", content)])
    if answer["batch_id"] is None:  # not an archive at all: a document that fails
        assert (await finished(api, answer["documents"][0]["id"]))["reason_code"] == code
        return
    batch = await batch_is(api, answer["batch_id"], "failed", "ready")
    if code == "damaged":
        assert batch["documents"].get("ready", 0) == 0
        return
    assert batch["state"] == "failed"
    assert "unpacks" in batch["reason"]


async def test_documents_join_an_open_batch_until_it_is_closed(api: httpx.AsyncClient, kb: str) -> None:
    """A folder of any size is one batch: opened, filled by several requests, closed."""
    batch = (await api.post(f"/knowledge-bases/{kb}/batches", json={"name": "folder", "parallelism": 2})).json()
    assert (batch["state"], batch["closed"], batch["parallelism"]) == ("queued", False, 2)
    files = notes(6)
    for at in (0, 2, 4):
        answer = await send(api, kb, files[at : at + 2], batch=batch["id"])
        assert answer["batch_id"] == batch["id"]
    assert (await api.post(f"/batches/{batch['id']}/close")).status_code == 202
    ended = await batch_is(api, batch["id"], "ready")
    assert ended["documents"] == {"total": 6, "ready": 6}
    form = [("files", ("late.txt", b"too late", "text/plain"))]
    late = await api.post(f"/knowledge-bases/{kb}/documents", files=form, params={"batch": batch["id"]})
    assert (late.status_code, late.json()["code"]) == (409, "wrong-state")


async def test_a_batch_is_paused_resumed_and_canceled(api: httpx.AsyncClient, kb: str) -> None:
    """While paused, no document progresses; canceling keeps ready documents and cancels the rest."""
    files = [*notes(2), *((f"long-{n}.txt", long_text(60_000 + n)) for n in range(4))]
    batch_id = (await send(api, kb, files))["batch_id"]

    async def two_ready() -> bool:
        return (await api.get(f"/batches/{batch_id}")).json()["documents"].get("ready", 0) >= 2

    await assert_eventually(two_ready)
    assert (await api.post(f"/batches/{batch_id}/pause")).status_code == 202
    await batch_is(api, batch_id, "paused")

    async def quiet() -> bool:
        counts = (await api.get(f"/batches/{batch_id}")).json()["documents"]
        return not counts.get("running")

    await assert_eventually(quiet)
    assert (await api.post(f"/batches/{batch_id}/resume")).status_code == 202
    await batch_is(api, batch_id, "running")
    assert (await api.post(f"/batches/{batch_id}/cancel")).status_code == 202
    ended = await batch_is(api, batch_id, "canceled")
    counts = ended["documents"]
    assert counts["ready"] >= 2
    assert counts["canceled"] == 6 - counts["ready"]
    refused = await api.post(f"/batches/{batch_id}/pause")
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong-state")


async def test_failed_documents_of_a_batch_are_tried_again(api: httpx.AsyncClient, kb: str) -> None:
    """Only those, and also when the batch has finished."""
    answer = await send(api, kb, [*notes(2, "again"), ("empty.txt", b"")])
    await batch_is(api, answer["batch_id"], "ready")
    before = (await api.get(f"/documents/{answer['documents'][2]['id']}")).json()["updated_at"]
    assert (await api.post(f"/batches/{answer['batch_id']}/retry-failed")).status_code == 202

    async def tried() -> bool:
        document = (await api.get(f"/documents/{answer['documents'][2]['id']}")).json()
        return document["state"] == "failed" and document["updated_at"] > before

    await assert_eventually(tried)
    ended = await batch_is(api, answer["batch_id"], "ready")
    assert ended["documents"] == {"total": 3, "ready": 2, "failed": 1}


@pytest.mark.endurance
async def test_parallelism_is_set_while_it_runs(api: httpx.AsyncClient, kb: str, temporal: Client) -> None:
    """The window grows at once, and the batch shows it."""
    batch = (await api.post(f"/knowledge-bases/{kb}/batches", json={"parallelism": 1})).json()
    await send(api, kb, [(f"long-{n}.txt", long_text(30_000 + n)) for n in range(4)], batch=batch["id"])
    await batch_is(api, batch["id"], "running")
    assert (await api.post(f"/batches/{batch['id']}/set-parallelism", json={"parallelism": 4})).status_code == 202

    async def four() -> bool:
        return bool((await api.get(f"/batches/{batch['id']}")).json()["parallelism"] == 4)

    await assert_eventually(four)
    assert (await api.post(f"/batches/{batch['id']}/set-parallelism", json={"parallelism": 0})).status_code == 400
    await api.post(f"/batches/{batch['id']}/close")
    assert (await batch_is(api, batch["id"], "ready"))["documents"]["ready"] == 4


async def test_a_batch_does_not_hold_up_another_knowledge_base(api: httpx.AsyncClient, kb: str) -> None:
    """A single upload elsewhere is ready while most of the batch is still pending."""
    other = f"{kb}-other"
    await api.post("/knowledge-bases", json={"name": other})
    try:
        batch_id = (await send(api, kb, [(f"n-{n}.txt", long_text(20_000 + n)) for n in range(40)]))["batch_id"]
        await batch_is(api, batch_id, "running")
        (single,) = await upload(api, other, ("single.txt", f"A text of its own. {LEAVE}".encode()))
        assert (await finished(api, single["id"]))["state"] == "ready"
        batch = (await api.get(f"/batches/{batch_id}")).json()
        assert batch["done"] < 30, batch
        await api.post(f"/batches/{batch_id}/cancel")
        await batch_is(api, batch_id, "canceled")
    finally:
        await api.delete(f"/knowledge-bases/{other}")


@pytest.mark.long
async def test_a_long_batch_continues_as_new(api: httpx.AsyncClient, kb: str, temporal: Client) -> None:
    """After fifty documents the run continues as new; equal contents are many documents."""
    files = [(f"copy-{n}.txt", LEAVE.encode()) for n in range(60)]
    answer = await send(api, kb, files)
    ended = await batch_is(api, answer["batch_id"], "ready")
    assert ended["documents"] == {"total": 60, "ready": 60}
    handle = temporal.get_workflow_handle(f"batch/{answer['batch_id']}")
    first = (await handle.fetch_history()).events[0].workflow_execution_started_event_attributes
    assert first.continued_execution_run_id


async def test_deleting_a_knowledge_base_stops_its_batch(api: httpx.AsyncClient, temporal: Client) -> None:
    """The batch ends before anything is purged; it writes nothing afterwards."""
    name = "to-be-deleted-midway"
    await api.post("/knowledge-bases", json={"name": name})
    batch_id = (await send(api, name, [(f"x-{n}.txt", long_text(30_000 + n)) for n in range(12)]))["batch_id"]
    await batch_is(api, batch_id, "running")
    deleted = (await api.delete(f"/knowledge-bases/{name}")).json()
    receipt = await temporal.get_workflow_handle(deleted["workflow_id"]).result()
    assert receipt["rows_after"] == 0
    assert (await api.get(f"/batches/{batch_id}")).status_code == 404
    description = await temporal.get_workflow_handle(f"batch/{batch_id}").describe()
    assert description.status is not None
    assert description.status.name != "RUNNING"
