"""The metrics endpoint: what this process counted, and the state of the platform at the moment of the scrape."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from typing import get_args

from litestar import Controller, Response, get
from prometheus_client import REGISTRY
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from activities.contracts.stages import DocumentState
from activities.runtime.loops import Loop
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.telemetry import metrics
from api.http.access import OPTION, SCRAPED, needs
from api.http.admission import Admission
from api.maintenance.health import overdue, seconds_overdue, tampering
from api.operations.monitor import Monitor, Vitals


class Metrics(Controller):
    """Prometheus metrics, for operators and for the holder of the token for metrics."""

    path = "/metrics"
    opt = {OPTION: needs("operator"), SCRAPED: True}
    include_in_schema = False

    @get()
    async def get(
        self, loops: list[Loop], catalog: Catalog, monitor: Monitor, admission: Admission, settings: Settings
    ) -> Response[bytes]:
        """The metrics of this process, and of what it shares with others."""
        vitals, late, tampered = await asyncio.gather(monitor.vitals(), overdue(catalog), tampering(catalog))
        for loop in loops:
            metrics.LOOP_UP.labels(loop.name).set(loop.healthy)
            metrics.LOOP_SUCCESS.labels(loop.name).set(loop.seconds_since_success)
        if late is not None:
            metrics.OVERDUE.set(late.count)
            metrics.OVERDUE_OLDEST.set(seconds_overdue(late))
        if tampered is not None:
            metrics.AUDIT_TAMPERED.set(bool(tampered))
        metrics.UPLOADS_IN_PROGRESS.set(admission.uploading)
        _show(vitals)
        await asyncio.to_thread(show_disks, settings)
        return Response(await asyncio.to_thread(generate_latest, REGISTRY), media_type=CONTENT_TYPE_LATEST)


def _show(vitals: Vitals) -> None:
    """Sets the gauges of the platform; those of a part that does not answer are absent, rather than old."""
    for dependency in vitals.dependencies:
        metrics.DEPENDENCY_UP.labels(dependency.name).set(dependency.ready)
        if dependency.milliseconds is not None:
            metrics.DEPENDENCY_SECONDS.labels(dependency.name).set(dependency.milliseconds / 1000)
    for gauge in (metrics.DOCUMENTS, metrics.JOBS, metrics.BACKLOG, metrics.BACKLOG_AGE, metrics.QUEUE_WORKERS):
        gauge.clear()
    if vitals.documents is not None:
        for state in get_args(DocumentState):
            metrics.DOCUMENTS.labels(state).set(vitals.documents.by_state.get(state, 0))
        metrics.PENDING_OLDEST.set(_seconds_since(vitals.documents.pending_since))
    if vitals.not_started is not None:
        metrics.UNDISPATCHED.set(vitals.not_started.documents)
        metrics.UNDISPATCHED_OLDEST.set(_seconds_since(vitals.not_started.since))
    for kind, states in (vitals.jobs or {}).items():
        for job_state in ("queued", "running", "waiting", "paused"):
            metrics.JOBS.labels(kind, job_state).set(states.get(job_state, 0))
    for queue in vitals.queues or ():
        metrics.BACKLOG.labels(queue.queue, queue.kind).set(queue.backlog)
        metrics.BACKLOG_AGE.labels(queue.queue, queue.kind).set(queue.age_seconds)
        metrics.QUEUE_WORKERS.labels(queue.queue, queue.kind).set(len(queue.workers))


def show_disks(settings: Settings) -> None:
    """Sets the gauges of the volumes that this process writes on: its data folder, and the files if they are local.

    Those of a volume that cannot be asked are absent. May block, as network file systems do.
    """
    volumes = {"data": settings.data_dir} | ({"files": settings.files_dir} if settings.files_dir else {})
    disks = {}
    for volume, folder in volumes.items():
        with suppress(OSError):  # nothing was written yet, or the volume is gone
            disks[volume] = shutil.disk_usage(folder)
    for gauge in (metrics.DISK_FREE, metrics.DISK_SIZE):
        gauge.clear()
    for volume, disk in disks.items():
        metrics.DISK_FREE.labels(volume).set(disk.free)
        metrics.DISK_SIZE.labels(volume).set(disk.total)


def _seconds_since(moment: datetime | None) -> float:
    return (datetime.now(UTC) - moment).total_seconds() if moment else 0.0
