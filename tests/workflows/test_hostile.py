"""Hostile files end with a reason, and hold up nobody. ``HOLDFAST_TEST_HOSTILE=all`` takes the whole list."""

from __future__ import annotations

import asyncio
import os
import time

import httpx
import pytest

from tests.conftest import Platform, assert_eventually, finished, upload
from tests.hostile import MILLION, QUICK, SLOW, archive_of_entries, one_line

ALL = os.environ.get("HOLDFAST_TEST_HOSTILE") == "all"
SOME = ("front_matter.md", "comments.txt", "newlines.json", "image.png")
HOLDING = ("attributes.xml", "macros.org", "references.epub")
ENDS = 600


def another_user(platform: Platform) -> httpx.AsyncClient:
    """A client with another user's key."""
    made = platform.holdfast("key", "create", "--subject", "hostile-test-bob", "--role", "admin")
    assert made.returncode == 0, made.stderr
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    return httpx.AsyncClient(base_url=f"{platform.url}/api/v1", headers=headers, timeout=60, trust_env=False)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_hostile_files_hold_up_nobody(platform: Platform, api: httpx.AsyncClient, kb: str) -> None:
    """Twice as many files as there are slots ask for hours: another user's texts are ready, and a cancel ends them."""
    made = QUICK | SLOW if ALL else {name: (QUICK | SLOW)[name] for name in (*SOME, *HOLDING)}
    files = [(name, make()) for name, make in made.items()]
    if ALL:
        files.append(("one_line.txt", one_line()))
    else:
        files += [(f"{number}-{name}", SLOW[name]() + b"\n" * number) for number in (1, 2) for name in HOLDING]
    documents = await upload(api, kb, *files)
    worker = platform.pid_of("worker-cpu")
    async with another_user(platform) as bob:
        for number in range(5):
            began = time.monotonic()
            (text,) = await upload(bob, kb, (f"short-{number}.txt", f"A short text, number {number:05}.".encode()))
            assert (await finished(bob, text["id"]))["state"] == "ready"
            print(f"short text: {time.monotonic() - began:.1f} s")
            await asyncio.sleep(2)
    if not ALL:
        for document in documents:
            assert (await api.post(f"/documents/{document['id']}/cancel")).status_code in (202, 409)
    ends = await asyncio.gather(*(finished(api, document["id"], ENDS) for document in documents))
    for end in ends:
        print(end["name"], end["state"], end.get("reason"))
    if ALL:
        assert all(end["state"] == "ready" or end["reason_code"] != "internal" for end in ends)
    else:
        held = {end["state"] for end in ends if end["name"].endswith(HOLDING)}
        assert "canceled" in held
        assert held <= {"canceled", "ready"}  # a busy machine may have read one before
    assert platform.pid_of("worker-cpu") == worker


async def test_an_archive_of_a_million_entries_is_refused(api: httpx.AsyncClient, kb: str) -> None:
    """By its directory; the files of another upload are indexed beside it."""
    form = [("files", ("entries.zip", archive_of_entries(MILLION), "application/zip"))]
    answer = (await api.post(f"/knowledge-bases/{kb}/documents", files=form)).json()
    documents = await upload(api, kb, *((f"{number}.txt", f"Text {number}.".encode()) for number in range(20)))
    for document in documents:
        assert (await finished(api, document["id"]))["state"] == "ready"

    async def ended() -> dict[str, object] | None:
        batch = (await api.get(f"/batches/{answer['batch_id']}")).json()
        return batch if batch["state"] in ("failed", "ready", "canceled") else None

    batch = await assert_eventually(ended)
    assert batch["state"] == "failed"
    assert "files" in str(batch["reason"])
