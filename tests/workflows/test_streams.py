"""Streams of answers: whatever breaks in between, the reader's final text is the recorded answer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client

from activities.contracts.ids import question_id
from tests.conftest import Platform, assert_eventually, ready

RUNS = int(os.environ.get("STREAM_RUNS", "1"))
"""Number of repetitions, each with other cuts."""

CUTS = 10

HANDBOOK = "\n\n".join(
    f"{topic} of employees in the {place} office may be carried over for {n} days into the next calendar year. "
    f"The head of the {place} office decides about {topic.lower()} within {n + 2} weeks."
    for n, (topic, place) in enumerate(
        [(topic, place) for topic in ("Annual leave", "Flexible hours") for place in ("Vienna", "Lisbon", "Oslo")],
        start=3,
    )
)


@dataclass
class Reader:
    """A reader of a stream that keeps its position, as a browser does."""

    url: str
    seen: str = ""
    text: str = ""
    resets: int = 0
    events: int = 0
    last: tuple[str, dict[str, Any]] | None = None
    offsets: list[int] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether the last event has arrived."""
        return self.last is not None and self.last[0] in ("done", "error")

    async def read(self, api: httpx.AsyncClient, events: int) -> None:
        """Read at most this many events, then cut the connection."""
        headers = {"Last-Event-ID": self.seen} if self.seen else {}
        name = ""
        async with api.stream("GET", self.url.removeprefix("/api/v1"), headers=headers) as response:
            if response.status_code >= 500:
                raise httpx.RemoteProtocolError("not now")
            assert response.status_code == 200
            async for line in response.aiter_lines():
                key, _, value = line.partition(": ")
                if key == "id":
                    self.offsets.append(int(value))
                    self.seen = value
                elif key == "event":
                    name = value
                elif key == "data":
                    self._take(name, json.loads(value))
                    events -= 1
                    if self.done or events <= 0:
                        return

    def _take(self, name: str, data: dict[str, Any]) -> None:
        self.events += 1
        self.last = (name, data)
        if name == "reset":
            self.text, self.resets = "", self.resets + 1
        elif name == "delta":
            self.text += data["text"]


async def followed(api: httpx.AsyncClient, reader: Reader, dice: Random, cuts: int) -> None:
    """Read to the end, cutting the connection now and then; failed requests are repeated."""
    while not reader.done:
        try:
            await reader.read(api, dice.randint(1, 4) if cuts > 0 else 10_000)
        except httpx.TransportError:
            await asyncio.sleep(0.2)
        cuts -= 1


async def asked(api: httpx.AsyncClient, kb: str, question: str, **fields: Any) -> dict[str, Any]:
    """An accepted question."""
    answer = await api.post(f"/knowledge-bases/{kb}/questions", json={"question": question, **fields})
    assert answer.status_code == 202, answer.text
    accepted: dict[str, Any] = answer.json()
    return accepted


async def killed(platform: Platform, part: str) -> None:
    """Kill a part; its supervisor restarts it."""
    pid = platform.pid_of(part)
    os.kill(pid, signal.SIGKILL)

    async def another() -> bool:
        with suppress(ProcessLookupError):  # it is not running at the moment
            return platform.pid_of(part) != pid
        return False

    await assert_eventually(another)
    await assert_eventually(lambda: answers(platform))


async def answers(platform: Platform) -> bool:
    """Whether the API is ready again."""
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            return (await client.get(f"{platform.url}/health/ready")).status_code == 200
        except httpx.TransportError:
            return False


@pytest.mark.long
@pytest.mark.timeout(300 + 90 * RUNS)
@pytest.mark.parametrize("mode", ["generative", "extractive"])
async def test_a_cut_stream_ends_as_the_recorded_answer(
    api: httpx.AsyncClient, kb: str, platform: Platform, mode: str
) -> None:
    """Cut at ten random places, API and a worker killed in between: nothing is lost, and nothing repeats."""
    await ready(api, kb, ("handbook.txt", HANDBOOK.encode()))
    for run in range(RUNS):
        dice = Random(run)
        accepted = await asked(api, kb, "How long may annual leave of the Vienna office be carried over?", mode=mode)
        reader = Reader(accepted["events_url"])
        following = asyncio.create_task(followed(api, reader, dice, CUTS))
        for part in dice.sample(["api", "worker-interactive"], 2):
            await asyncio.sleep(dice.random())
            await killed(platform, part)
        await following
        assert reader.last is not None
        name, done = reader.last
        assert name == "done", done
        assert reader.text == done["answer"]
        assert reader.offsets == sorted(set(reader.offsets)), "an event was lost or came twice"
        record = await recorded(api, accepted["id"])
        assert (record["answer"], record["citations"]) == (done["answer"], done["citations"])


async def recorded(api: httpx.AsyncClient, id: str) -> dict[str, Any]:
    """The question, once it has finished."""

    async def check() -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = (await api.get(f"/questions/{id}")).json()
        except httpx.TransportError:
            return None
        return found if found.get("finished_at") else None

    return await assert_eventually(check)


@pytest.mark.parametrize("broken", ["x", "-1", "1.5", "9999999999", "１", "1; DROP", "a" * 5000])
async def test_a_broken_last_event_id_is_refused(api: httpx.AsyncClient, kb: str, broken: str) -> None:
    """An invalid id gets a 400 with a reason that repeats only a short part of it."""
    accepted = await asked(api, kb, "What is said about leave?")
    path = accepted["events_url"].removeprefix("/api/v1")
    answer = await api.get(path, headers={"Last-Event-ID": broken.encode()})  # type: ignore[dict-item]
    assert answer.status_code == 400
    assert "Last-Event-ID" in answer.json()["detail"]
    assert len(answer.text) < 1000


async def test_a_reader_that_stops_reading_holds_nothing_up(
    api: httpx.AsyncClient, kb: str, platform: Platform
) -> None:
    """Its question is answered and recorded all the same, and so are others meanwhile."""
    await ready(api, kb, ("handbook.txt", HANDBOOK.encode()))
    accepted = await asked(api, kb, "How long may annual leave of the Oslo office be carried over?", mode="generative")
    host, port = platform.settings.api.host, platform.settings.api.port
    reader, writer = await asyncio.open_connection(host, port, limit=1)
    request = f"GET {accepted['events_url']} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {platform.key}\r\n\r\n"
    writer.write(request.encode())
    await reader.read(1)
    for question in ("Who decides about flexible hours in Lisbon?", "维也纳的年假可以结转几天？"):
        other = Reader((await asked(api, kb, question))["events_url"])
        await other.read(api, 10_000)
        assert other.done
    assert (await recorded(api, accepted["id"]))["state"] == "ready"
    writer.close()


async def test_a_stream_without_a_history_comes_from_the_record(
    api: httpx.AsyncClient, kb: str, temporal: Client
) -> None:
    """Also for a reader with a part of the answer: it starts over and is complete."""
    await ready(api, kb, ("handbook.txt", HANDBOOK.encode()))
    accepted = await asked(api, kb, "How long may annual leave of the Oslo office be carried over?")
    reader = Reader(accepted["events_url"])
    await reader.read(api, 4)
    await recorded(api, accepted["id"])
    await temporal.get_workflow_handle(accepted["workflow_id"]).result()
    await temporal.workflow_service.delete_workflow_execution(_deletion(temporal, accepted["id"]))

    async def forgotten() -> bool:
        reader.last = None
        await reader.read(api, 10_000)
        return reader.resets > 0

    await assert_eventually(forgotten)
    assert reader.last is not None
    assert reader.text == reader.last[1]["answer"]


def _deletion(temporal: Client, id: str) -> DeleteWorkflowExecutionRequest:
    return DeleteWorkflowExecutionRequest(
        namespace=temporal.namespace, workflow_execution=WorkflowExecution(workflow_id=question_id(id))
    )


async def test_cancel_stops_the_language_model(api: httpx.AsyncClient, kb: str, platform: Platform) -> None:
    """Triton stops generating for a canceled question; the stream and the record show the cancellation."""
    await ready(api, kb, ("handbook.txt", HANDBOOK.encode()))
    assert (await api.patch(f"/knowledge-bases/{kb}", json={"answers": {"max_tokens": 2000}})).status_code == 200
    accepted = await asked(
        api, kb, "How long may annual leave of the Vienna office be carried over, and who decides?", mode="generative"
    )
    reader = Reader(accepted["events_url"])
    while not reader.text and not reader.done:
        await reader.read(api, reader.events + 1)
    assert (await api.post(f"/questions/{accepted['id']}/cancel")).status_code == 202
    await reader.read(api, 10_000)
    assert reader.last is not None
    if reader.last[0] == "error":  # otherwise generation had already finished
        assert reader.last[1]["code"] == "canceled"
        record = await recorded(api, accepted["id"])
        assert record["state"] == "canceled"
