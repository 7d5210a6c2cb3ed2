"""Ingestion: a document becomes retrievable, step by step, or fails with its reason."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, ApplicationError, TemporalError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.contracts import signatures
    from activities.contracts.deletion import PurgeInput
    from activities.contracts.ids import ingest_id
    from activities.contracts.ingest import (
        Chunked,
        ChunkInput,
        Embedded,
        EmbedInput,
        Indexed,
        IndexInput,
        Parsed,
        ParseInput,
        PauseInput,
        Published,
        PublishInput,
        RecordFailureInput,
    )
    from activities.contracts.queues import Priority as Urgency
    from activities.contracts.queues import Queue
    from activities.contracts.stages import INGEST_STAGES
    from activities.errors import Reason
    from activities.runtime.failures import reason_of
    from workflows.contracts import IngestJob, IngestResult, JobState
    from workflows.policies import BULK_SLICE_SECONDS, LONG_STEP, SHORT_STEP
    from workflows.stages import Progress, by, canceled_by, said

T = TypeVar("T")

#: Up to this many bytes a document is short: handing it from worker to worker costs more than the steps themselves.
SHORT_BYTES = 1 << 16

#: Patch: runs that began before did not notice a request to cancel that came while a pause was stopping their step.
HEED_CANCEL = "heed-cancel"


class _Again(Exception):
    """Somebody asked for a step that was done, or under way, to be made anew."""


@workflow.defn
class IngestDocument:
    """parse → chunk → embed → index → publish, and purge what the new version replaced.

    Short documents are cut by the parse step, and their rows written and published by the embed step.

    Can be paused, resumed, canceled and sent back to a step while it runs; what is done stays done.
    """

    @workflow.init
    def __init__(self, job: IngestJob) -> None:
        self._job = job
        self._progress = Progress(INGEST_STAGES, hide_stages=job.hide_stages)
        self._priority = Priority(priority_key=job.priority, fairness_key=job.knowledge_base_id)
        self._parsed: Parsed | None = None
        self._chunked: Chunked | None = None
        self._embedded: Embedded | None = None
        self._fresh = _from(job.retry_from)
        self._paused = self._canceled = self._again = self._finished = False
        self._paused_by = self._resumed_by = self._canceled_by = ""

    @workflow.query
    def state(self) -> JobState:
        """Stage and state; how far the stage is, its activity's heartbeats tell."""
        return self._progress.state()

    @workflow.signal
    def pause(self, actor: str = "") -> None:
        """Stop what is under way, and hold; finished steps and embedded batches are kept."""
        self._paused, self._paused_by = True, by(actor)

    @workflow.signal
    def resume(self, actor: str = "") -> None:
        """Go on where it was paused."""
        self._paused, self._resumed_by = False, by(actor)

    @workflow.signal
    def cancel(self, actor: str = "") -> None:
        """Stop for good; an earlier version of the document stays live."""
        self._canceled, self._canceled_by = True, by(actor)

    @workflow.update
    def retry(self, from_step: str | None, actor: str = "") -> JobState:
        """Try again now: the step under way, or everything from ``from_step`` on, made anew."""
        self._fresh |= _from(from_step)
        self._paused, self._again, self._resumed_by = False, True, by(actor)
        self._progress.note(f"sent back to {from_step}" if from_step else "tried again", by(actor))
        return self._progress.state()

    @retry.validator
    def _can_retry(self, from_step: str | None, actor: str = "") -> None:
        if from_step is not None and from_step not in INGEST_STAGES:
            raise ValueError(f"there is no step {from_step!r}")
        if self._finished or self._canceled:
            raise ValueError("the run is at its end")

    @workflow.run
    async def run(self, job: IngestJob) -> IngestResult:
        """Raises ApplicationError, typed by the reason's code, when the document cannot be used."""
        try:
            if job.supersedes is not None:
                await self._stop_superseded(job.supersedes)
            result = await self._ingest(job)
        except (ActivityError, asyncio.CancelledError) as exc:
            self._finished = True
            canceled, reason = is_cancelled_exception(exc), reason_of(exc)
            await self._give_up(reason, canceled=canceled)
            if canceled and not self._canceled:
                raise  # by Temporal's own request; after our signal the run has to fail, with this reason
            raise ApplicationError(reason.render(), reason, type=reason.code, non_retryable=True) from exc
        self._progress.finish("ready" if result.live else "canceled")
        return result

    async def _ingest(self, job: IngestJob) -> IngestResult:
        while True:
            try:
                return await self._steps(job)
            except _Again:
                self._forget()

    async def _steps(self, job: IngestJob) -> IngestResult:
        parsed = self._parsed = await self._step("parse", lambda: self._parse(job), self._parsed)
        chunked = self._chunked = await self._step("chunk", lambda: self._chunk(job, parsed), self._chunked)
        embedded = self._embedded = await self._step("embed", lambda: self._embed(job, parsed, chunked), self._embedded)
        index = _index_input(job, parsed, chunked).of(embedded)
        indexed = await self._step("index", lambda: self._index(job, index, chunked, embedded), embedded.indexed)
        publication = _publication(job, parsed, chunked, embedded.vectors_key)
        published = await self._step("publish", lambda: self._publish(job, publication), indexed.published)
        self._finished = True
        if published.retired:
            await self._purge(published.retired)
        return IngestResult(
            live=published.live,
            chunks=chunked.chunks,
            embedded=embedded.embedded,
            reused=embedded.reused,
            pages=parsed.pages,
        )

    async def _step(self, stage: str, start: Callable[[], Awaitable[T]], done: T | None = None) -> T:
        """Run a step, unless its output is there already; stop it when somebody interferes."""
        while done is None:
            await self._hold()
            self._progress.enter(stage)
            running = asyncio.ensure_future(start())
            interference = asyncio.ensure_future(workflow.wait_condition(self._interfered))
            try:
                await workflow.wait([running, interference], return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                await _stopped(running)
                raise
            finally:
                interference.cancel()
            if running.done() or await self._stop(running):
                self._fresh.discard(stage)
                return running.result()
        return done

    async def _stop(self, running: asyncio.Future[Any]) -> bool:
        """Stop a step that somebody interfered with; whether it came to its end nevertheless."""
        ended = await _stopped(running)
        self._heed_cancel()
        return ended

    def _heed_cancel(self) -> None:
        """Temporal's request to cancel ends only what is awaited just then: a step that was stopping hides it."""
        if workflow.cancellation_reason() is not None and workflow.patched(HEED_CANCEL):
            raise asyncio.CancelledError

    def _interfered(self) -> bool:
        return self._paused or self._canceled or self._again

    async def _hold(self) -> None:
        """Where a run stands still while it is paused, and ends when it is canceled."""
        if self._paused and not self._canceled:
            self._progress.pause(self._paused_by)
            await self._note_hold(paused=True)
            self._heed_cancel()
            await workflow.wait_condition(lambda: not self._paused or self._canceled)
            if not self._canceled:
                if not self._again:
                    self._progress.note("resumed", self._resumed_by)
                await self._note_hold(paused=False)
        if self._canceled:
            raise asyncio.CancelledError
        if self._again:
            self._again = False
            raise _Again

    def _forget(self) -> None:
        """Outputs that are to be made anew."""
        self._parsed = None if "parse" in self._fresh else self._parsed
        self._chunked = None if "chunk" in self._fresh else self._chunked
        self._embedded = None if "embed" in self._fresh else self._embedded

    async def _stop_superseded(self, version: int) -> None:
        """The run of an older version goes on for nothing: this one takes its place."""
        try:
            await workflow.get_external_workflow_handle(ingest_id(self._job.document_id, version)).cancel()
        except TemporalError:
            return  # it has ended

    async def _note_hold(self, *, paused: bool) -> None:
        await workflow.execute_activity(
            signatures.record_pause,
            PauseInput(document_id=self._job.document_id, version=self._job.version, paused=paused),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=said("Record the pause", self._paused_by)
            if paused
            else said("Record the resumption", self._resumed_by),
            **SHORT_STEP,
        )

    async def _parse(self, job: IngestJob) -> Parsed:
        parsed = await workflow.execute_activity(
            signatures.parse,
            ParseInput(
                sha256=job.sha256,
                document_name=job.document_name,
                bytes=job.bytes,
                force="parse" in self._fresh,
                chunking=job.chunking if self._in_one_go(job) else None,
            ),
            task_queue=Queue.CPU,
            priority=self._priority,
            summary=f"Read {job.document_name} ({job.bytes:,} bytes)",
            **LONG_STEP,
        )
        self._chunked = parsed.chunked or self._chunked
        return parsed

    def _in_one_go(self, job: IngestJob) -> bool:
        """A short document takes neighbouring steps together, unless one of them is to be made anew."""
        return job.bytes <= SHORT_BYTES and not self._fresh

    async def _chunk(self, job: IngestJob, parsed: Parsed) -> Chunked:
        return await workflow.execute_activity(
            signatures.chunk,
            ChunkInput(parsed_key=parsed.parsed_key, chunking=job.chunking, force="chunk" in self._fresh),
            task_queue=Queue.CPU,
            priority=self._priority,
            summary=f"Split {parsed.characters:,} characters into chunks",
            **LONG_STEP,
        )

    async def _embed(self, job: IngestJob, parsed: Parsed, chunked: Chunked) -> Embedded:
        """In slices when it is bulk work, so that a long document does not keep shorter ones waiting."""
        total = 0
        while True:
            embedded = await workflow.execute_activity(
                signatures.embed,
                EmbedInput(
                    document_id=job.document_id,
                    version=job.version,
                    chunks_key=chunked.chunks_key,
                    force="embed" in self._fresh,
                    slice_seconds=BULK_SLICE_SECONDS if job.priority >= Urgency.BATCH else None,
                    index=_index_input(job, parsed, chunked) if self._in_one_go(job) else None,
                    generation=job.generation,
                ),
                task_queue=Queue.GPU,
                priority=self._priority,
                summary=f"Embed {chunked.chunks - total:,} of {chunked.chunks:,} chunks",
                **LONG_STEP,
            )
            self._fresh.discard("embed")
            total += embedded.embedded
            if not embedded.remaining:
                return msgspec.structs.replace(embedded, embedded=total, reused=embedded.vectors - total)

    async def _index(self, job: IngestJob, index: IndexInput, chunked: Chunked, embedded: Embedded) -> Indexed:
        return await workflow.execute_activity(
            signatures.index,
            msgspec.structs.replace(index, publish=None),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Write {chunked.chunks:,} rows ({embedded.embedded:,} embedded, {embedded.reused:,} reused)",
            **LONG_STEP,
        )

    async def _publish(self, job: IngestJob, publication: PublishInput) -> Published:
        return await workflow.execute_activity(
            signatures.publish,
            publication,
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Publish v{job.version} of {job.document_name}",
            **SHORT_STEP,
        )

    async def _purge(self, versions: list[int]) -> None:
        await workflow.execute_activity(
            signatures.purge_rows,
            PurgeInput(
                knowledge_base_id=self._job.knowledge_base_id, document_id=self._job.document_id, versions=versions
            ),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Purge the rows of v{', v'.join(map(str, versions))}",
            **LONG_STEP,
        )

    async def _give_up(self, reason: Reason, *, canceled: bool) -> None:
        """Leave nothing half-done: record the reason, purge the version's rows. Runs to its end when canceled."""
        recorded = await workflow.execute_activity(
            signatures.record_failure,
            RecordFailureInput(
                document_id=self._job.document_id, version=self._job.version, reason=reason, canceled=canceled
            ),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Record {'cancellation' if canceled else 'failure'}: {reason.render()}",
            **SHORT_STEP,
        )
        if recorded.purge:
            await self._purge([self._job.version])
        if canceled:
            self._progress.finish("canceled", self._canceled_by or canceled_by())
        else:
            self._progress.finish("failed")


def _index_input(job: IngestJob, parsed: Parsed, chunked: Chunked) -> IndexInput:
    """What the last steps have to know, before there are vectors."""
    return IndexInput(
        knowledge_base_id=job.knowledge_base_id,
        document_id=job.document_id,
        version=job.version,
        chunks_key=chunked.chunks_key,
        publish=_publication(job, parsed, chunked),
        generation=job.generation,
    )


def _publication(job: IngestJob, parsed: Parsed, chunked: Chunked, vectors_key: str = "") -> PublishInput:
    """What the catalogue has to know of the finished version."""
    return PublishInput(
        document_id=job.document_id,
        version=job.version,
        chunks=chunked.chunks,
        media_type=parsed.media_type,
        pages=parsed.pages,
        parsed_key=parsed.parsed_key,
        chunks_key=chunked.chunks_key,
        vectors_key=vectors_key,
        generation=job.generation,
    )


def _from(stage: str | None) -> set[str]:
    """The step and all that follow it."""
    return set(INGEST_STAGES[INGEST_STAGES.index(stage) :]) if stage in INGEST_STAGES else set()


async def _stopped(running: asyncio.Future[Any]) -> bool:
    """Stop a step; whether it came to its end nevertheless."""
    running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        return False
    except ActivityError as exc:
        if is_cancelled_exception(exc):
            return False
        raise
    return True
