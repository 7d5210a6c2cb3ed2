"""The event stream of a question, stored in its workflow's history so that readers can resume by offset.

The only module that uses ``temporalio.contrib.workflow_streams`` (experimental). A workflow creates its
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

#: Interval at which events are sent: one history event for each interval instead of one for each token.
BATCH_SECONDS = 0.1

#: Timeout of the query for a stream's length.
LENGTH_TIMEOUT = timedelta(seconds=2)

#: Query name that ``WorkflowStreamClient.get_offset`` uses (without a timeout).
_LENGTH_QUERY = "__temporal_workflow_stream_offset"


class Publisher:
    """Publishes events to the stream of the activity's workflow; the first event is sent immediately.

    Runs its own sender task instead of entering the SDK client's context: on Python 3.11 that client's exit can hang,
    because ``asyncio.wait_for`` may lose the cancellation of its flusher.
    """

    def __init__(self) -> None:
        self._client = WorkflowStreamClient.from_within_activity()
        self._topic: TopicHandle[QuestionEvent] = self._client.topic(TOPIC)
        self._unsent: list[QuestionEvent] = []
        self._has_unsent, self._closing = asyncio.Event(), asyncio.Event()

    async def __aenter__(self) -> Publisher:
        self._sender = asyncio.create_task(self._send())
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stop()
        await self._flush()

    def publish(self, event: QuestionEvent) -> None:
        """Queues an event; it is sent within BATCH_SECONDS, in order, exactly once."""
        self._unsent.append(event)
        self._has_unsent.set()

    async def close(self) -> list[QuestionEvent]:
        """Stops sending and returns the unsent events.

        The activity can return them in its result, which saves a signal to the workflow.
        """
        await self._stop()
        unsent, self._unsent = self._unsent, []
        return unsent

    async def _stop(self) -> None:
        self._closing.set()
        self._has_unsent.set()
        await self._sender

    async def _send(self) -> None:
        while True:
            await self._has_unsent.wait()
            if self._closing.is_set():
                return
            self._has_unsent.clear()
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
    """The current number of events in a question's stream.

    Raises RPCError when the run does not exist, or no worker answers within LENGTH_TIMEOUT.
    """
    handle = client.get_workflow_handle(workflow_id)
    return int(await handle.query(_LENGTH_QUERY, result_type=int, rpc_timeout=LENGTH_TIMEOUT))


async def subscribe(client: Client, workflow_id: str, offset: int = 0) -> AsyncIterator[tuple[int, QuestionEvent]]:
    """Yields (offset, event) of a question's stream from ``offset`` on; ends after the last event.

    Also works for completed workflows, as long as Temporal retains their history.
    """
    stream = WorkflowStreamClient.create(client, workflow_id)
    items: AsyncIterator[WorkflowStreamItem[QuestionEvent]] = stream.subscribe(
        [TOPIC],
        offset,
        result_type=cast(type[QuestionEvent], QuestionEvent),  # a union of tagged Structs, decoded by tag
        poll_cooldown=timedelta(milliseconds=1),
    )
    async for item in items:
        yield item.offset, item.data
        if isinstance(item.data, DoneEvent | ErrorEvent):
            return
