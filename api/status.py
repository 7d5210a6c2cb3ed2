"""The live state of a document's job, and watching it: however many watch, each job is asked about once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

import msgspec
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import DependencyError, HoldfastError, Language, Reason, TemporalUnavailable
from activities.heartbeat import Progress
from activities.stores.catalog import Catalog
from activities.stores.catalog.records import PENDING, Document, DocumentState
from workflows.connect import Jobs, translated
from workflows.contracts import FINAL_STATES, INGEST_STAGES, STAGE, JobState, ingest_id

#: Seconds between two looks at a job that is watched.
POLL_SECONDS = 0.5

#: How long a worker may take to answer a query before the state is taken from the server alone.
QUERY_TIMEOUT = timedelta(seconds=2)

_DEPENDENCIES = {kind.code: kind.dependency for kind in DependencyError.__subclasses__()}


class DocumentStatus:
    """Puts together what the catalogue, the run and its pending activity know of a document."""

    def __init__(self, catalog: Catalog, jobs: Jobs) -> None:
        self._catalog, self._jobs = catalog, jobs

    async def of(self, document_id: str, language: Language) -> JobState:
        """The state now. Raises NotFound and DependencyErrors."""
        document = await self._catalog.documents.get(document_id)
        if document.state not in PENDING:
            return _finished(document, language)
        handle = self._jobs.handle(ingest_id(document.id, document.version))
        try:
            async with translated():
                description = await handle.describe()
                if description.status is not WorkflowExecutionStatus.RUNNING:
                    return _finished(await self._catalog.documents.get(document_id), language)
                base = await self._queried(description)
        except RPCError as exc:
            if exc.status is not RPCStatusCode.NOT_FOUND:
                raise
            return _finished(document, language)  # accepted a moment ago, the run is about to start
        pending = description.raw_description.pending_activities
        return _with_activity(base, pending[0], language) if pending else base

    async def running(self, knowledge_base: str, documents: list[Document]) -> dict[str, DocumentState]:
        """Fresher states of those documents that are pending: all of them with one question to Temporal.

        The catalogue says ``queued`` until the end; without Temporal that is all that is known.
        """
        if not any(document.state in PENDING for document in documents):
            return {}
        query = (
            f"WorkflowType = 'IngestDocument' AND ExecutionStatus = 'Running' AND KnowledgeBase = '{knowledge_base}'"
        )
        pending = {ingest_id(d.id, d.version): d.id for d in documents if d.state in PENDING}
        found: dict[str, DocumentState] = {}
        try:
            async with translated():
                async for run in self._jobs.client.list_workflows(query, page_size=1000):
                    if run.id in pending and run.typed_search_attributes.get(STAGE) != "queued":
                        found[pending[run.id]] = "running"
        except TemporalUnavailable:
            return {}
        return found

    async def _queried(self, description: WorkflowExecutionDescription) -> JobState:
        """The workflow's own ``state``; what the server knows when no worker answers."""
        handle = self._jobs.handle(description.id)
        try:
            state: JobState = await handle.query("state", result_type=JobState, rpc_timeout=QUERY_TIMEOUT)
            return state
        except RPCError:
            stage = description.typed_search_attributes.get(STAGE, "queued")
            number = INGEST_STAGES.index(stage) + 1 if stage in INGEST_STAGES else 0
            return JobState(
                state="waiting",
                stage=stage,
                stage_number=number,
                stage_count=len(INGEST_STAGES),
                waiting_for="worker",
            )


def _finished(document: Document, language: Language) -> JobState:
    count = len(INGEST_STAGES)
    return JobState(
        state=document.state,
        stage=INGEST_STAGES[-1] if document.state == "ready" else "",
        stage_number=count if document.state == "ready" else 0,
        stage_count=count,
        done=document.chunks,
        total=document.chunks or None,
        reason=document.reason.render(language) if document.reason else None,
        updated_at=document.updated_at,
    )


def _with_activity(base: JobState, pending: PendingActivityInfo, language: Language) -> JobState:
    """Add what only the server knows: attempt, progress, and what the step is waiting for."""
    changes: dict[str, object] = {"attempt": pending.attempt}
    if pending.heartbeat_details.payloads:
        progress = msgspec.json.decode(pending.heartbeat_details.payloads[0].data, type=Progress)
        changes |= {"done": progress.done, "total": progress.total}
    failure = pending.last_failure.application_failure_info
    if pending.attempt > 1 and failure.type and not pending.HasField("last_started_time"):
        changes["reason"] = _reason(failure.details.payloads, language)
    if pending.attempt > 1 and failure.type in _DEPENDENCIES:
        changes |= {
            "state": "waiting",
            "waiting_for": _DEPENDENCIES[failure.type],
            "reason": _reason(failure.details.payloads, language),
        }
        if pending.HasField("scheduled_time"):
            changes["next_attempt_at"] = pending.scheduled_time.ToDatetime()
    return msgspec.structs.replace(base, **changes)


def _reason(payloads: object, language: Language) -> str:
    try:
        return msgspec.json.decode(payloads[0].data, type=Reason).render(language)  # type: ignore[index]
    except (IndexError, msgspec.DecodeError):
        return HoldfastError().reason.render(language)


class Watch:
    """One job that somebody watches: a single poller, any number of readers."""

    def __init__(self, status: DocumentStatus, document_id: str, language: Language) -> None:
        self._status, self._document_id, self._language = status, document_id, language
        self._changed = asyncio.Condition()
        self._stage_started: tuple[str, float, int] = ("", 0.0, 0)
        self.state: JobState | None = None
        self.error: HoldfastError | None = None
        self.readers = 0

    async def poll(self) -> None:
        """Look until the job is over; an outage is shown as ``waiting``, never as an end."""
        while self.state is None or self.state.state not in FINAL_STATES:
            try:
                state = self._with_eta(await self._status.of(self._document_id, self._language))
            except DependencyError as exc:
                base = self.state or JobState(state="waiting")
                state = msgspec.structs.replace(
                    base, state="waiting", waiting_for=exc.dependency, reason=exc.reason.render(self._language)
                )
            except HoldfastError as exc:
                self.error = exc  # deleted while it was watched
                async with self._changed:
                    self._changed.notify_all()
                return
            if state != self.state:
                async with self._changed:
                    self.state = state
                    self._changed.notify_all()
            await asyncio.sleep(POLL_SECONDS)

    async def changes(self) -> AsyncIterator[JobState]:
        """The state now, and then each change up to the last one."""
        seen: JobState | None = None
        while True:
            async with self._changed:
                await self._changed.wait_for(partial(self._is_news, seen))
            if self.error is not None:
                return
            seen = self.state
            if seen is not None:
                yield seen
                if seen.state in FINAL_STATES:
                    return

    def _is_news(self, seen: JobState | None) -> bool:
        return self.error is not None or self.state is not seen

    def _with_eta(self, state: JobState) -> JobState:
        """What is left of the stage at the speed seen so far, in seconds."""
        now = time.monotonic()
        stage, started, done_then = self._stage_started
        if state.stage != stage or state.state != "running":
            self._stage_started = (state.stage, now, state.done)
            return state
        speed = (state.done - done_then) / (now - started) if now - started > 1 else 0.0
        if state.total is None or speed <= 0:
            return state
        return msgspec.structs.replace(state, eta_seconds=round((state.total - state.done) / speed))


class Watches:
    """All jobs that are being watched in this process."""

    def __init__(self, status: DocumentStatus) -> None:
        self._status = status
        self._watches: dict[tuple[str, Language], tuple[Watch, asyncio.Task[None]]] = {}

    async def changes(self, document_id: str, language: Language) -> AsyncIterator[JobState]:
        """Follow a job; the poller ends with its last reader."""
        key = (document_id, language)
        if key not in self._watches:
            watch = Watch(self._status, document_id, language)
            self._watches[key] = (watch, asyncio.create_task(watch.poll()))
        watch, task = self._watches[key]
        watch.readers += 1
        try:
            async for state in watch.changes():
                yield state
        finally:
            watch.readers -= 1
            if watch.readers == 0:
                task.cancel()
                self._watches.pop(key, None)
