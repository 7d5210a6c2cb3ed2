"""The board: how far each ingestion is, written to the catalogue for everybody who wants to look.

Lists, event streams and counts read one place that a thousand readers may ask, instead of asking Temporal of
each run. A worker notes what its activities tell; twice a second the latest notes are written, all in one
transaction. What a run has come to (ready, failed, canceled) is written by its steps, never from here.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from temporalio import activity

from activities.contracts.ids import parse_ingest_id
from activities.contracts.stages import INGEST_STAGES, DocumentState
from activities.errors import DependencyError, HoldfastError
from activities.runtime.heartbeat import Progress
from activities.runtime.interceptor import Listener
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import RunProgress

#: Seconds between two writes.
WRITE_SECONDS = 0.5

#: The longest pause between two attempts, in seconds (``workflows.policies``).
LONGEST_PAUSE = 5.0

#: Seconds that a stage has to go on before its speed says anything.
ETA_AFTER = 2.0

log = structlog.get_logger()

Version = tuple[str, int]


class ProgressRecorder(Listener):
    """Hears of a worker's activities; ``run`` writes until it is canceled."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._notes: dict[Version, RunProgress] = {}
        self._progress: dict[Version, Progress] = {}  # of the stages under way, over their attempts
        self._waiting: set[Version] = set()  # for something that was down at the last attempt
        self._speeds: dict[Version, tuple[str, float, int]] = {}  # stage, when and at what count it began

    def begun(self) -> None:
        """The running activity has begun a stage; after an outage it is still waiting until it shows progress."""
        if (version := _version()) is not None and version not in self._waiting:
            self._note(version, self._progress.get(version, Progress(0)))

    def progressed(self, progress: Progress) -> None:
        """How far the running activity is."""
        if (version := _version()) is not None:
            self._progress[version] = progress
            self._waiting.discard(version)
            self._note(version, progress, eta_seconds=self._eta(version, activity.info().activity_type, progress))

    def failed(self, error: Exception) -> None:
        """The running activity failed: it waits for what is down, or is tried again."""
        if (version := _version()) is None:
            return
        down = error.dependency if isinstance(error, DependencyError) else None
        (self._waiting.add if down else self._waiting.discard)(version)
        pause = timedelta(seconds=min(LONGEST_PAUSE, 2.0 ** (activity.info().attempt - 1)))
        self._note(
            version,
            self._progress.get(version, Progress(0)),
            state="waiting" if down else "running",
            waiting_for=down,
            reason=error.reason if isinstance(error, HoldfastError) else HoldfastError().reason,
            next_attempt_at=datetime.now(UTC) + pause,
        )

    def stopped(self) -> None:
        """The running activity was canceled: what it said is of no interest any more."""
        if (version := _version()) is not None:
            self._notes.pop(version, None)
            self._forget(version)

    def done(self) -> None:
        """The running activity has its result."""
        if (version := _version()) is not None:
            self._forget(version)

    async def run(self) -> None:
        """Write now and then; while the catalogue is down, the latest notes are kept."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            try:
                await self.write()
            except Exception:  # noqa: BLE001 - the edge of a task: what comes next must be written all the same
                await log.aexception("progress is not written")

    async def write(self) -> None:
        """Write what is new."""
        notes, self._notes = self._notes, {}
        if not notes:
            return
        try:
            await self._catalog.documents.record_progress(list(notes.values()))
        except DependencyError as exc:
            self._notes = notes | self._notes
            log.warning("progress is not written", reason=str(exc))

    def _note(self, version: Version, progress: Progress, state: DocumentState = "running", **more: Any) -> None:
        info = activity.info()
        self._notes[version] = RunProgress(
            document_id=version[0],
            version=version[1],
            at=datetime.now(UTC),
            state=state,
            stage=info.activity_type,
            attempt=info.attempt,
            done=progress.done,
            total=progress.total,
            **more,
        )

    def _forget(self, version: Version) -> None:
        self._speeds.pop(version, None)
        self._progress.pop(version, None)
        self._waiting.discard(version)

    def _eta(self, version: Version, stage: str, progress: Progress) -> float | None:
        """Seconds that are left of the stage at the speed seen in this attempt."""
        now = time.monotonic()
        known = self._speeds.get(version)
        if known is None or known[0] != stage or progress.done < known[2]:
            self._speeds[version] = known = (stage, now, progress.done)
        if progress.total is None or progress.done >= progress.total:
            self._speeds.pop(version, None)
            return None
        seconds, done = now - known[1], progress.done - known[2]
        return round((progress.total - progress.done) * seconds / done, 1) if seconds > ETA_AFTER and done else None


def _version() -> Version | None:
    """The (document, version) whose stage is running, if that is what is running."""
    info = activity.info()
    return parse_ingest_id(info.workflow_id or "") if info.activity_type in INGEST_STAGES else None
