"""What a question waits for: asked of Temporal while its events are silent."""

from __future__ import annotations

from temporalio.client import Client

from activities.contracts.events import QuestionEvent, StateEvent
from activities.contracts.ids import question_id
from activities.errors import DependencyError
from activities.runtime import temporal
from workflows.contracts import JobState


class Waits:
    """What one reader of a question's events was told."""

    def __init__(self, client: Client, id: str) -> None:
        self._client, self._id = client, question_id(id)
        self._stage = ""
        self._told: str | None = None

    def over(self, event: QuestionEvent) -> None:
        """Take note of an event of the question, after which it no longer waits."""
        self._told = None
        if isinstance(event, StateEvent):
            self._stage = event.stage

    async def changed(self) -> StateEvent | None:
        """What the question waits for, or that it goes on; None when the reader knows."""
        found = await self._found()
        if found == self._told:
            return None
        self._told = found
        return StateEvent(stage=self._stage, state="waiting" if found else "running", waiting_for=found)

    async def _found(self) -> str | None:
        try:
            run = await temporal.describe(self._client, self._id)
            if run is None:
                return None  # not started yet
            if pending := run.raw_description.pending_activities:
                return temporal.missing(pending[0])
            is_served = await temporal.query(self._client, self._id, "state", JobState) is not None
        except DependencyError as exc:
            return exc.dependency
        return None if is_served else "worker"
