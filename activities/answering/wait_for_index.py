"""Waits for the index: polls until the documents that the asker uploaded before the question are ready.

Each poll is an attempt of one activity, which fails while documents are pending and sets the delay of its retry.
Attempts leave nothing in the history, hold no slot between them, and survive every restart.
"""

from __future__ import annotations

import time
from datetime import timedelta

import msgspec
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.contracts.events import StateEvent
from activities.contracts.questions import Waited, WaitInput
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import PendingDocuments

#: Shortest and longest delay between two polls, in seconds.
SHORTEST, LONGEST = 0.5, 10.0

#: The pause between two announcements on the stream: this many seconds, or this part of the time waited so far.
ANNOUNCE_SECONDS = 2.0
ANNOUNCE_PART = 15


class Announced(msgspec.Struct, frozen=True):
    """The last announcement on the stream and its time (seconds since the epoch); kept between attempts.

    ``began`` is the time of the first attempt.
    """

    pending: int = -1
    at: float = 0.0
    began: float = 0.0


class WaitActivities:
    """Runs on the ``answer`` queue."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    @activity.defn(name="wait_for_index")
    async def wait_for_index(self, input: WaitInput) -> Waited:
        """Return when every document that the asker uploaded before the question is ready, failed, canceled or gone."""
        question = await self._catalog.questions.get(input.question_id)
        pending = await self._catalog.backlog.of_actor(input.knowledge_base_id, input.actor, question.created_at)
        attempt = activity.info().attempt
        if not pending.documents:
            return Waited(attempts=attempt)
        announced = await self._announce(input.question_id, pending, _last())
        activity.heartbeat(announced)
        raise ApplicationError(
            f"{pending.documents} documents are not ready yet",
            type="index_building",
            category=ApplicationErrorCategory.BENIGN,
            next_retry_delay=_until_next_poll(pending, time.time() - announced.began),
        )

    async def _announce(self, question_id: str, pending: PendingDocuments, last: Announced) -> Announced:
        """Publish how many documents are pending, if the number has changed and the pause is over."""
        now = time.time()
        pause = max(ANNOUNCE_SECONDS, (now - last.began) / ANNOUNCE_PART)
        if pending.documents == last.pending or now - last.at < pause:
            return last
        event = StateEvent(
            stage="wait_for_index", state="waiting", pending=pending.documents, eta_seconds=pending.eta_seconds
        )
        await self._catalog.question_events.append(question_id, [event])
        return Announced(pending=pending.documents, at=now, began=last.began)


def _last() -> Announced:
    details = activity.info().heartbeat_details
    return msgspec.convert(details[0], Announced) if details else Announced(began=time.time())


def _until_next_poll(pending: PendingDocuments, waited: float) -> timedelta:
    expected = pending.eta_seconds / 4 if pending.eta_seconds is not None else waited / 10
    return timedelta(seconds=min(LONGEST, max(SHORTEST, expected)))
