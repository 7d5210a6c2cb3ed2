"""Records ingestion progress in the catalogue, so that readers never query Temporal.

Lists, event streams and counts read the catalogue, which scales to thousands of readers. A worker collects the
progress of its activities and writes the latest values twice a second, all in one transaction. The final state of a
run (ready, failed, canceled) is written by its activities, never by this module.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from temporalio import activity

from activities.contracts.ids import parse_ingest_id
from activities.contracts.stages import INGEST_STAGES, DocumentState
from activities.errors import DependencyError, HoldfastError
from activities.runtime.heartbeat import Progress
from activities.runtime.interceptor import Listener
from activities.runtime.loops import Loop
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import RunProgress

#: Seconds between two writes.
WRITE_SECONDS = 0.5

#: Maximum backoff between two attempts, in seconds (``workflows.policies``).
MAX_BACKOFF = 5.0

#: Seconds of a stage after which its speed is used for an estimate.
ETA_AFTER = 2.0

log = structlog.get_logger()

Version = tuple[str, int]


class ProgressRecorder(Listener):
    """Listener that collects the progress of a worker's activities; ``loop`` writes it every WRITE_SECONDS."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.loop = Loop("progress", self.write, WRITE_SECONDS)
        self._notes: dict[Version, RunProgress] = {}
        self._progress: dict[Version, Progress] = {}  # of stages in flight, kept across their attempts
        self._waiting: set[Version] = set()  # versions whose last attempt failed because a dependency was down
        self._speeds: dict[Version, tuple[str, float, int]] = {}  # stage, start time, ``done`` at the start

    def begun(self) -> None:
        """Records that a stage has begun; after an outage the version stays ``waiting`` until progress is reported."""
        if (version := _version()) is not None and version not in self._waiting:
            self._note(version, self._progress.get(version, Progress(0)))

    def progressed(self, progress: Progress) -> None:
        """Records the progress of the running activity."""
        if (version := _version()) is not None:
            self._progress[version] = progress
            self._waiting.discard(version)
            self._note(version, progress, eta_seconds=self._eta(version, activity.info().activity_type, progress))

    def failed(self, error: Exception) -> None:
        """Records a failed attempt: ``waiting`` while a dependency is down, otherwise ``running`` until the retry."""
        if (version := _version()) is None:
            return
        down = error.dependency if isinstance(error, DependencyError) else None
        (self._waiting.add if down else self._waiting.discard)(version)
        backoff = timedelta(seconds=min(MAX_BACKOFF, 2.0 ** (activity.info().attempt - 1)))
        self._note(
            version,
            self._progress.get(version, Progress(0)),
            state="waiting" if down else "running",
            waiting_for=down,
            reason=error.reason if isinstance(error, HoldfastError) else HoldfastError().reason,
            next_attempt_at=datetime.now(UTC) + backoff,
        )

    def stopped(self) -> None:
        """Discards the progress of a canceled activity."""
        if (version := _version()) is not None:
            self._notes.pop(version, None)
            self._discard(version)

    def done(self) -> None:
        """Discards the state of a completed activity; its last progress is still written."""
        if (version := _version()) is not None:
            self._discard(version)

    @asynccontextmanager
    async def recording(self) -> AsyncIterator[None]:
        """Runs the loop; at the end, writes what its last turn did not write."""
        try:
            async with self.loop:
                yield
        finally:
            with suppress(DependencyError):
                await self.write()

    async def write(self) -> None:
        """Writes the progress collected since the last write; while the catalogue is down, the latest is kept.

        Raises CatalogUnavailable.
        """
        notes, self._notes = self._notes, {}
        try:
            await self._write(notes)
        except DependencyError:
            self._notes = notes | self._notes
            raise

    async def _write(self, notes: dict[Version, RunProgress]) -> None:
        if not notes:
            return
        try:
            await self._catalog.documents.record_progress(list(notes.values()))
        except DependencyError:
            raise
        except Exception as exc:  # whatever is wrong with one, the others are written
            if len(notes) == 1:
                log.error("progress is not written", versions=list(notes), exc_info=exc)
                return
            for version, note in notes.items():
                await self._write({version: note})

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

    def _discard(self, version: Version) -> None:
        self._speeds.pop(version, None)
        self._progress.pop(version, None)
        self._waiting.discard(version)

    def _eta(self, version: Version, stage: str, progress: Progress) -> float | None:
        """Estimated seconds left of the stage, from the speed of this attempt; None while it cannot be estimated."""
        now = time.monotonic()
        start = self._speeds.get(version)
        if start is None or start[0] != stage or progress.done < start[2]:
            self._speeds[version] = start = (stage, now, progress.done)
        if progress.total is None or progress.done >= progress.total:
            self._speeds.pop(version, None)
            return None
        seconds, done = now - start[1], progress.done - start[2]
        return round((progress.total - progress.done) * seconds / done, 1) if seconds > ETA_AFTER and done else None


def _version() -> Version | None:
    """The (document, version) of the running activity; None if it is not a stage of an ingestion."""
    info = activity.info()
    return parse_ingest_id(info.workflow_id or "") if info.activity_type in INGEST_STAGES else None
