"""The event stream of a question, kept in its workflow's history, so that a reader can resume by offset.

The one module that knows ``temporalio.contrib.workflow_streams`` (experimental). A workflow makes its
``WorkflowStream`` in ``@workflow.init``; activities publish; the API subscribes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

from temporalio.client import Client
from temporalio.contrib.workflow_streams import TopicHandle, WorkflowStream, WorkflowStreamClient

from activities.contracts import DoneEvent, ErrorEvent, QuestionEvent

__all__ = ["TOPIC", "Publisher", "WorkflowStream", "subscribe"]

TOPIC = "events"

#: Pieces of text that come within this time travel together: a history event each, not one for each token.
BATCH_INTERVAL = timedelta(milliseconds=100)


class Publisher:
    """Publishes events to the stream of the activity's own workflow; the first one goes out at once."""

    def __init__(self) -> None:
        self._client = WorkflowStreamClient.from_within_activity(batch_interval=BATCH_INTERVAL)
        self._topic: TopicHandle[QuestionEvent] = self._client.topic(TOPIC)
        self._first = True

    async def __aenter__(self) -> Publisher:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.__aexit__(*exc)

    def publish(self, event: QuestionEvent) -> None:
        """Add an event; sent within BATCH_INTERVAL, in order, exactly once."""
        self._topic.publish(event, force_flush=self._first)
        self._first = False


async def subscribe(client: Client, workflow_id: str, offset: int = 0) -> AsyncIterator[tuple[int, QuestionEvent]]:
    """Events of a question from ``offset`` on, each with its offset; ends after the last event.

    Also serves workflows that have ended, as long as Temporal keeps their history.
    """
    stream = WorkflowStreamClient.create(client, workflow_id)
    items = stream.subscribe(
        [TOPIC],
        offset,
        result_type=QuestionEvent,  # type: ignore[arg-type]
        poll_cooldown=timedelta(milliseconds=10),
    )
    async for item in items:
        yield item.offset, item.data
        if isinstance(item.data, DoneEvent | ErrorEvent):
            return
