"""Outages are waited for: the job names the missing dependency, loses nothing, and continues when it is back."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import httpx
import pytest

from tests.conftest import Platform, assert_eventually, events, finished, ready, upload
from tests.documents import long_text
from tests.workflows.test_control import embedding
from tests.workflows.test_reindex import SLOWLY, SMALLER, reaches, start


@contextmanager
def down(platform: Platform, part: str) -> Iterator[None]:
    """Kill a part and keep it from restarting until the end."""
    os.kill(platform.pid, signal.SIGSTOP)
    try:
        os.kill(platform.pid_of(part), signal.SIGKILL)
        yield
    finally:
        os.kill(platform.pid, signal.SIGCONT)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a process until the end, without its clients noticing: their connections stay open and silent."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def upload_until_refused(apis: Sequence[httpx.AsyncClient], kb: str, prefix: str) -> list[str]:
    """Upload small texts through each API in turn until one is refused with 503; the ids of those accepted."""
    accepted: list[str] = []
    for number, api in enumerate(cycle(apis)):
        text = f"Garage {prefix} {number} opens at {number % 12} o'clock.".encode()
        form = [("files", (f"{prefix}-{number}.txt", text, "text/plain"))]
        answer = await api.post(f"/knowledge-bases/{kb}/documents", files=form)
        if answer.status_code == 503:
            break
        assert answer.status_code == 202, answer.text
        accepted += [document["id"] for document in answer.json()["documents"]]
    return accepted


async def survive_freeze(apis: Sequence[httpx.AsyncClient], kb: str, pid: int, seconds: float) -> float:
    """Freeze Temporal's process while uploads are accepted; the seconds from its return until all are ready."""
    just_before = await upload(apis[0], kb, *((f"before-{n}.txt", f"Gate {n} is green.".encode()) for n in range(5)))
    (followed,) = await upload(apis[0], kb, ("followed.txt", long_text(3_003)))
    following = asyncio.create_task(events(apis[0], followed["events_url"]))
    with frozen(pid):
        begin = time.monotonic()
        ids = await upload_until_refused(apis, kb, "during")
        await asyncio.sleep(seconds - (time.monotonic() - begin))
    back = time.monotonic()
    ids += [document["id"] for document in (*just_before, followed)]
    for id in ids:
        document = await finished(apis[-1], id)
        assert document["state"] == "ready", document
    took = time.monotonic() - back
    assert (await asyncio.wait_for(following, 90))[-1][1]["state"] == "ready"
    print(f"{len(ids)} documents ready {took:.1f} s after Temporal went on")
    return took


@pytest.mark.long
@pytest.mark.endurance
async def test_what_is_accepted_while_temporal_stands_still_is_indexed(
    api: httpx.AsyncClient, kb: str, platform: Platform
) -> None:
    """A server that is frozen is one that is down: every loop goes on when it does, without a restart."""
    await survive_freeze([api], kb, platform.pid_of("temporal"), 40)
    health = (await api.get(f"{platform.url}/health/ready")).json()
    assert health["ready"], health
    assert health["overdue"] is None


@pytest.mark.long
@pytest.mark.parametrize(("part", "characters"), [("triton", 101_111), ("milvus", 31_112)])
async def test_documents_and_questions_wait_for_what_is_down(
    api: httpx.AsyncClient, kb: str, platform: Platform, part: str, characters: int
) -> None:
    """Status, list and reason name it; nothing fails, however many attempts it takes; no new request is needed."""
    await ready(api, kb, ("parking.txt", b"The parking garage opens at seven in the morning and closes at ten."))
    (document,) = await upload(api, kb, ("long.txt", long_text(characters)))
    if part == "triton":
        await embedding(api, document["id"], 64)

    async def waits() -> dict[str, Any] | None:
        state = (await api.get(f"/documents/{document['id']}/status")).json()
        assert state["state"] not in ("failed", "ready"), state
        return state if state["state"] == "waiting" and state["attempt"] >= 3 else None

    with down(platform, part):
        accepted = await api.post(f"/knowledge-bases/{kb}/questions", json={"question": "When does the garage open?"})
        assert accepted.status_code == 202, accepted.text
        told: list[tuple[str, dict[str, Any]]] = []
        following = asyncio.create_task(events(api, accepted.json()["events_url"], so_far=told))

        async def asker_knows() -> bool:
            return (told[-1][0], told[-1][1].get("waiting_for")) == ("state", part) if told else False

        state = await assert_eventually(waits)
        assert state["waiting_for"] == part
        assert "Work waits and goes on" in state["reason"]
        chinese = await api.get(f"/documents/{document['id']}/status", headers={"Accept-Language": "zh"})
        assert "恢复后自动继续" in chinese.json()["reason"]
        await assert_eventually(asker_knows)
        await asyncio.sleep(1)
        listed = (await api.get(f"/knowledge-bases/{kb}/documents", params={"state": "waiting"})).json()["items"]
        assert [(item["id"], item["waiting_for"]) for item in listed] == [(document["id"], part)]
        assert not following.done()
        assert (await api.get(f"/questions/{accepted.json()['id']}")).json()["state"] == "running"
    back = time.monotonic()
    assert (await finished(api, document["id"]))["state"] == "ready"
    print(f"ready {time.monotonic() - back:.1f} s after {part} was let back")
    *_, (name, last) = await asyncio.wait_for(following, 90)
    assert (name, last["found"]) == ("done", True), last
    assert "at seven in the morning" in last["answer"]


@pytest.mark.long
@pytest.mark.parametrize("part", ["milvus", "triton"])
async def test_a_reindex_says_what_it_waits_for(api: httpx.AsyncClient, kb: str, platform: Platform, part: str) -> None:
    """Alone, in lists and in its stream, until it goes on by itself."""
    await ready(api, kb, *((f"{number}.txt", long_text(2_000 + number)) for number in range(4)))
    job = await start(api, kb, chunking=SMALLER, soak_seconds=5, **SLOWLY)
    await reaches(api, job, stage="build")
    told: list[tuple[str, dict[str, Any]]] = []
    following = asyncio.create_task(events(api, job["events_url"], so_far=told))
    with down(platform, part):
        await reaches(api, job, waiting_for=part, state="running")

        async def told_so() -> bool:
            return bool(told[-1][1]["waiting_for"] == part)

        (listed,) = (await api.get(f"/knowledge-bases/{kb}/reindexes")).json()["items"]
        current = (await api.get("/operations/jobs", params={"kind": "reindex"})).json()["items"]
        assert [each["waiting_for"] for each in (listed, *current) if each["id"] == job["id"]] == [part] * 2
        await assert_eventually(told_so)
    await api.post(f"/reindexes/{job['id']}/control", json={"throttle": 1})
    assert (await reaches(api, job, state="ready"))["waiting_for"] is None
    await asyncio.wait_for(following, 60)


@pytest.mark.long
async def test_without_temporal_the_lists_and_search_go_on(api: httpx.AsyncClient, kb: str, platform: Platform) -> None:
    """Reads succeed; requests that would start work get 503 and leave nothing behind."""
    with down(platform, "temporal"):
        await asyncio.sleep(1.5)  # cached states expire
        form = [("files", ("a.txt", b"Never accepted.", "text/plain"))]
        refused = await api.post(f"/knowledge-bases/{kb}/documents", files=form)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert (await api.get(f"/knowledge-bases/{kb}/documents")).json()["items"] == []
        assert (await api.post(f"/knowledge-bases/{kb}/search", json={"query": "x"})).status_code == 200

    async def accepted() -> bool:
        return (await api.post(f"/knowledge-bases/{kb}/documents", files=form)).status_code == 202

    await assert_eventually(accepted)
