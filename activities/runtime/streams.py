"""The event stream of a question, kept in its workflow's history, so that a reader can resume by offset.

The one module that knows ``temporalio.contrib.workflow_streams`` (experimental). A workflow makes its
``WorkflowStream`` in ``@workflow.init``; activities publish; the API subscribes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import cast

from temporalio.client import Client
from temporalio.contrib.workflow_streams import (
    TopicHandle,
    WorkflowStream,
    WorkflowStreamClient,
    WorkflowStreamItem,
)

from activities.contracts.events import DoneEvent, ErrorEvent, QuestionEvent

__all__ = ["TOPIC", "Publisher", "WorkflowStream", "length", "subscribe"]

TOPIC = "events"

#: Pieces of text that come within this time travel together: a history event each, not one for each token.
BATCH_SECONDS = 0.1

#: How long a worker may take to say how long a stream is.
LENGTH_TIMEOUT = timedelta(seconds=2)

#: ``WorkflowStreamClient.get_offset`` asks this, without a timeout.
_LENGTH_QUERY = "__temporal_workflow_stream_offset"


class Publisher:
    """Publishes events to the stream of the activity's own workflow; the first one goes out at once.

    Sends by itself instead of entering the SDK's client: on Python 3.11 that client's exit can wait forever,
    because ``asyncio.wait_for`` may lose the cancellation of its flusher.
    """

    def __init__(self) -> None:
        self._client = WorkflowStreamClient.from_within_activity()
        self._topic: TopicHandle[QuestionEvent] = self._client.topic(TOPIC)
        self._unsent: list[QuestionEvent] = []
        self._news, self._closing = asyncio.Event(), asyncio.Event()

    async def __aenter__(self) -> Publisher:
        self._sender = asyncio.create_task(self._send())
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stop()
        await self._flush()

    def publish(self, event: QuestionEvent) -> None:
        """Add an event; sent within BATCH_SECONDS, in order, exactly once."""
        self._unsent.append(event)
        self._news.set()

    async def close(self) -> list[QuestionEvent]:
        """Send nothing more. The events that were not sent: the step's result can carry them, a signal less."""
        await self._stop()
        unsent, self._unsent = self._unsent, []
        return unsent

    async def _stop(self) -> None:
        self._closing.set()
        self._news.set()
        await self._sender

    async def _send(self) -> None:
        while True:
            await self._news.wait()
            if self._closing.is_set():
                return
            self._news.clear()
            await self._flush()
            with suppress(TimeoutError):
                async with asyncio.timeout(BATCH_SECONDS):
                    await self._closing.wait()

    async def _flush(self) -> None:
        for event in self._unsent:
            self._topic.publish(event)
        self._unsent.clear()
        await self._client.flush()


async def length(client: Client, workflow_id: str) -> int:
    """How many events a question's stream has now. Raises RPCError when there is no run, or no worker to ask."""
    handle = client.get_workflow_handle(workflow_id)
    return int(await handle.query(_LENGTH_QUERY, result_type=int, rpc_timeout=LENGTH_TIMEOUT))


async def subscribe(client: Client, workflow_id: str, offset: int = 0) -> AsyncIterator[tuple[int, QuestionEvent]]:
    """Events of a question from ``offset`` on, each with its offset; ends after the last event.

    Also serves workflows that have ended, as long as Temporal keeps their history.
    """
    stream = WorkflowStreamClient.create(client, workflow_id)
    items: AsyncIterator[WorkflowStreamItem[QuestionEvent]] = stream.subscribe(
        [TOPIC],
        offset,
        result_type=cast(type[QuestionEvent], QuestionEvent),  # a union of tagged Structs: msgspec knows which
        poll_cooldown=timedelta(milliseconds=1),
    )
    async for item in items:
        yield item.offset, item.data
        if isinstance(item.data, DoneEvent | ErrorEvent):
            return
