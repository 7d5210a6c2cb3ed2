"""A worker that dies while a batch is paused or canceled makes no document fail."""

from __future__ import annotations

import asyncio
import os
from random import Random
from typing import Any

import httpx
import pytest

from tests.conftest import Platform, assert_eventually
from tests.documents import long_text
from tests.workflows.test_batches import batch_is, notes, send
from tests.workflows.test_streams import killed

RUNS = int(os.environ.get("CONTROL_RUNS", "2"))
"""Number of batches; each is paused or canceled, and a worker killed, at another moment."""

FIRST = int(os.environ.get("CONTROL_FIRST", "0"))
"""Number of the first batch, to run many of them in parts."""


async def documents(api: httpx.AsyncClient, kb: str, batch_id: str) -> list[dict[str, Any]]:
    """The documents of a batch."""
    answer = await api.get(f"/knowledge-bases/{kb}/documents", params={"batch": batch_id, "limit": 1000})
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.mark.long
@pytest.mark.timeout(120 + 90 * RUNS)
@pytest.mark.parametrize("number", range(FIRST, FIRST + RUNS))
async def test_a_dying_worker_fails_no_document(
    api: httpx.AsyncClient, kb: str, platform: Platform, number: int
) -> None:
    """Resumed, all are ready; canceled, each is ready or canceled."""
    dice = Random(number)
    files = [*notes(3, f"Batch {number}."), *((f"long-{n}.txt", long_text(40_000 + 10 * number + n)) for n in range(4))]
    batch_id = (await send(api, kb, files))["batch_id"]

    async def works() -> bool:
        states = [each["state"] for each in await documents(api, kb, batch_id)]
        return "running" in states or "ready" in states

    await assert_eventually(works)
    await asyncio.sleep(dice.random() * 2)
    action = "pause" if number % 2 == 0 else "cancel"
    asked = await api.post(f"/batches/{batch_id}/{action}")
    assert asked.status_code == 202, asked.text
    await killed(platform, dice.choice(["worker-cpu", "worker-bulk"]))
    if action == "pause":
        await batch_is(api, batch_id, "paused", "ready", seconds=100)
        await api.post(f"/batches/{batch_id}/resume")
    ended = await batch_is(api, batch_id, "ready", "canceled", "failed", seconds=100)
    states = {each["name"]: (each["state"], each["reason"]) for each in await documents(api, kb, batch_id)}
    print(number, action, ended["state"], ended["documents"])
    allowed = {"ready"} if action == "pause" else {"ready", "canceled"}
    assert {state for state, _ in states.values()} <= allowed, states
