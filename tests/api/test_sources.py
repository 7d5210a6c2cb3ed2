"""A folder followed through the whole platform: what is found, counted, shown, and gone."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Platform, assert_eventually, events
from tests.workflows.test_batches import batch_is


@pytest.fixture
def folder(platform: Platform) -> Iterator[Path]:
    """A folder below the one that may be followed."""
    folder = platform.settings.data_dir / "followed" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    return folder


def write(folder: Path, name: str, text: str, at: float = 1e9) -> None:
    """Write a file that was last changed long ago."""
    (folder / name).write_text(text)
    os.utime(folder / name, (at, at))


async def synced(api: httpx.AsyncClient, source: str) -> dict[str, Any]:
    """Sync, follow it by its events, and return its last state."""
    job = (await api.post(f"/sources/{source}/sync")).json()
    *_, (name, last) = await events(api, job["events_url"])
    assert (name, last["state"]) == ("state", "ready")
    assert (await api.get(job["status_url"].removeprefix("/api/v1"))).json() == last
    if last["batch_id"]:
        await batch_is(api, last["batch_id"], "ready")
    return last


async def found(api: httpx.AsyncClient, kb: str, word: str) -> bool:
    """Whether a search finds a text with this word."""
    hits = (await api.post(f"/knowledge-bases/{kb}/search", json={"query": word})).json()["hits"]
    return any(word in hit["text"] for hit in hits)


async def test_a_folder_is_followed(platform: Platform, api: httpx.AsyncClient, kb: str, folder: Path) -> None:
    """Added, changed and removed files are found, found anew, and found no more; the command line says the same."""
    for number in range(5):
        write(folder, f"{number}.txt", f"zqw{number}a is the word of this text.")
    made = await api.post(f"/knowledge-bases/{kb}/sources", json={"location": str(folder), "name": "texts"})
    assert made.status_code == 201, made.text
    source = made.json()["id"]
    first = await synced(api, source)
    assert first["applied"] == {"added": 5}
    assert await found(api, kb, "zqw3a")

    write(folder, "3.txt", "zqw3b is the word of this text.", at=1.5e9)
    write(folder, "new.txt", "zqwnew is the word of this text.")
    (folder / "4.txt").unlink()
    preview = platform.holdfast("sync", "preview", "texts", "--kb", kb)
    assert "1 to add, 1 to update, 1 to delete, 3 unchanged" in preview.stdout, preview.stderr
    ran = platform.holdfast("sync", "run", "texts", "--kb", kb, "--watch")
    assert "1 added, 1 updated, 1 deleted" in ran.stdout, ran.stderr
    last = (await api.get(f"/sources/{source}")).json()
    assert (last["documents"], last["last_sync"]["state"]) == (5, "ready")
    await batch_is(api, last["last_sync"]["batch_id"], "ready")
    assert await found(api, kb, "zqw3b")
    assert await found(api, kb, "zqwnew")

    async def is_gone() -> bool:
        return not (await found(api, kb, "zqw4a") or await found(api, kb, "zqw3a"))

    await assert_eventually(is_gone)
    listed = (await api.get(f"/sources/{source}/syncs")).json()["items"]
    assert [sync["preview"] for sync in listed] == [False, True, False]
    assert (await api.delete(f"/sources/{source}")).status_code == 204
    assert (await api.get(f"/sources/{source}")).status_code == 404
    assert (await api.get(f"/knowledge-bases/{kb}")).json()["documents"]["total"] == 5


@pytest.mark.endurance
async def test_vanished_documents_are_asked_for(api: httpx.AsyncClient, kb: str, folder: Path) -> None:
    """A confirmation that nobody asked for is refused; one that was given is in the audit trail."""
    for number in range(3):
        write(folder, f"{number}.txt", f"This is text number {number}.")
    made = await api.post(f"/knowledge-bases/{kb}/sources", json={"location": str(folder)})
    source = made.json()["id"]
    done = await synced(api, source)
    assert (await api.post(f"/syncs/{done['id']}/confirm")).json()["code"] == "wrong-state"
    for file in folder.iterdir():
        file.unlink()
    job = (await api.post(f"/sources/{source}/sync")).json()
    assert (await api.post(f"/sources/{source}/sync")).json()["id"] == job["id"]

    async def state() -> dict[str, Any] | None:
        info: dict[str, Any] = (await api.get(f"/syncs/{job['id']}")).json()
        return info if info["waiting_for"] == "confirmation" or info["finished_at"] else None

    asks = await assert_eventually(state)
    assert asks["reason"].startswith("3 of 3 documents are gone")
    assert (await api.delete(f"/sources/{source}")).json()["code"] == "sync-runs"
    assert (await api.post(f"/syncs/{job['id']}/confirm")).status_code == 202
    *_, (_, last) = await events(api, f"/syncs/{job['id']}/events")
    assert (last["state"], last["applied"]) == ("ready", {"deleted": 3})
    assert last["confirmed_by"]
    actions = [
        event["action"] for event in (await api.get("/audit/events", params={"kb": kb, "limit": 1000})).json()["items"]
    ]
    assert {"sync.start", "sync.confirm", "sync.finish"} <= set(actions)
