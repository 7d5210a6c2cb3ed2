"""Waiting for the index: a question looks now and then whether its asker's documents are ready.

Each look is an attempt of one step, which fails as long as there is something to wait for and says when to look
again. Attempts leave nothing in the history, hold no slot between them, and outlive every restart.
"""

from __future__ import annotations

import time
from datetime import timedelta

import msgspec
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.contracts.events import StateEvent
from activities.contracts.questions import Waited, WaitInput
from activities.runtime.streams import Publisher
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import PendingDocuments

#: Seconds between two looks.
SOONEST, LATEST = 0.5, 10.0

#: Whoever listens is told of a change at once, then ever less often: each time costs the history some events.
TOLD_SECONDS = 2.0
TOLD_SHARE = 15


class Told(msgspec.Struct, frozen=True):
    """What was last said on the stream, and when (seconds since the epoch); kept between attempts."""

    pending: int = -1
    at: float = 0.0
    began: float = 0.0


class WaitActivities:
    """Runs on the ``answer`` queue."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    @activity.defn(name="wait_for_index")
    async def wait_for_index(self, input: WaitInput) -> Waited:
        """Return when what the asker had brought before the question is ready, failed, canceled or gone."""
        question = await self._catalog.questions.get(input.question_id)
        pending = await self._catalog.backlog.of_actor(input.knowledge_base_id, input.actor, question.created_at)
        attempt = activity.info().attempt
        if not pending.documents:
            return Waited(attempts=attempt)
        told = await _tell(pending, _told())
        activity.heartbeat(told)
        raise ApplicationError(
            f"{pending.documents} documents are not ready yet",
            type="index_building",
            category=ApplicationErrorCategory.BENIGN,
            next_retry_delay=_until_next_look(pending, time.time() - told.began),
        )


def _told() -> Told:
    details = activity.info().heartbeat_details
    return msgspec.convert(details[0], Told) if details else Told(began=time.time())


async def _tell(pending: PendingDocuments, told: Told) -> Told:
    """Say how many are pending, if that is news and not too soon after the last ones."""
    now = time.time()
    pause = max(TOLD_SECONDS, (now - told.began) / TOLD_SHARE)
    if pending.documents == told.pending or now - told.at < pause:
        return told
    async with Publisher() as stream:
        stream.publish(
            StateEvent(
                stage="wait_for_index", state="waiting", pending=pending.documents, eta_seconds=pending.eta_seconds
            )
        )
    return Told(pending=pending.documents, at=now, began=told.began)


def _until_next_look(pending: PendingDocuments, waited: float) -> timedelta:
    expected = pending.eta_seconds / 4 if pending.eta_seconds is not None else waited / 10
    return timedelta(seconds=min(LATEST, max(SOONEST, expected)))
