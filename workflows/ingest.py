"""Ingestion of one document version: parse, chunk, embed, index, publish; or a failure with its reason."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, ApplicationError, TemporalError

with workflow.unsafe.imports_passed_through():
    from activities.contracts import signatures
    from activities.contracts.deletion import PurgeInput
    from activities.contracts.ids import ingest_id
    from activities.contracts.ingest import (
        Chunked,
        ChunkInput,
        Embedded,
        EmbedInput,
        EndRunInput,
        Indexed,
        IndexInput,
        Parsed,
        ParseInput,
        PauseInput,
        Published,
        PublishInput,
        RecordFailureInput,
        VersionRun,
    )
    from activities.contracts.queues import Priority as Urgency
    from activities.contracts.queues import Queue, fairness_key
    from activities.contracts.reindex import Target
    from activities.contracts.stages import INGEST_STAGES
    from activities.errors import Reason, WrongState
    from activities.runtime.failures import final_failure, reason_of
    from workflows.contracts import IngestJob, IngestResult, JobState
    from workflows.policies import BULK_SLICE_SECONDS, LONG_STEP, SHORT_BYTES, SHORT_STEP
    from workflows.stages import Progress, by_actor, canceled_by, with_actor
    from workflows.stopping import cancel_and_wait, to_the_end, was_canceled

T = TypeVar("T")

#: Patch: earlier runs missed a cancel request that arrived while a pause was stopping their activity.
HEED_CANCEL = "heed-cancel"

#: Patch: earlier runs recorded how they ended before they removed what they had written, and a retry could be accepted
#: by a run that was about to end.
END_LAST = "end-last"


class _Restart(Exception):
    """The ``retry`` update requires a stage that is done or running to run again."""


class _Unwanted(Exception):
    """The catalogue does not want the run: the version has ended, is paused without a run, or has a later run."""


@workflow.defn
class IngestDocument:
    """parse → chunk → embed → index → publish, then purge the rows of the replaced versions.

    For short documents the parse activity also chunks, and the embed activity also writes and publishes the rows.

    A run can be paused, resumed, canceled and sent back to a stage; outputs of finished stages are kept.
    """

    @workflow.init
    def __init__(self, job: IngestJob) -> None:
        self._job = job
        self._progress = Progress(INGEST_STAGES, hide_stages=job.hide_stages)
        self._priority = Priority(
            priority_key=job.priority, fairness_key=fairness_key(job.knowledge_base_id, job.actor)
        )
        self._parsed: Parsed | None = None
        self._chunked: Chunked | None = None
        self._embedded: Embedded | None = None
        self._redo = _from_stage(job.retry_from)
        self._paused = self._canceled = self._restart_requested = self._finished = False
        self._paused_by = self._resumed_by = self._canceled_by = ""
        self._generation = job.generation

    @workflow.query
    def state(self) -> JobState:
        """Stage and state; progress within a stage is in the heartbeats of its activity."""
        return self._progress.state()

    @workflow.signal
    def pause(self, actor: str = "") -> None:
        """Stop the running activity and wait; finished stages and embedded batches are kept."""
        self._paused, self._paused_by = True, by_actor(actor)

    @workflow.signal
    def resume(self, actor: str = "") -> None:
        """Resume at the stage in which the run was paused."""
        self._paused, self._resumed_by = False, by_actor(actor)

    @workflow.signal
    def cancel(self, actor: str = "") -> None:
        """Stop the run permanently; an earlier version of the document stays live."""
        self._canceled, self._canceled_by = True, by_actor(actor)

    @workflow.update
    async def retry(self, from_step: str | None, actor: str = "") -> JobState:
        """Retry now: the current stage, or all stages from ``from_step`` on without their stored outputs.

        Raises ApplicationError if the run reaches its end before it could be sent back.
        """
        self._redo |= _from_stage(from_step)
        self._paused, self._restart_requested, self._resumed_by = False, True, by_actor(actor)
        self._progress.annotate(f"sent back to {from_step}" if from_step else "tried again", by_actor(actor))
        if workflow.patched(END_LAST):
            await workflow.wait_condition(lambda: not self._restart_requested or self._finished)
            if self._restart_requested:
                raise ApplicationError("the run is at its end")
        return self._progress.state()

    @retry.validator
    def _can_retry(self, from_step: str | None, actor: str = "") -> None:
        if from_step is not None and from_step not in INGEST_STAGES:
            raise ValueError(f"there is no step {from_step!r}")
        if self._finished or self._canceled:
            raise ValueError("the run is at its end")

    @workflow.run
    async def run(self, job: IngestJob) -> IngestResult:
        """Ingest the version. Raises ApplicationError, typed by the reason's code, if the document is unusable."""
        try:
            if job.supersedes is not None:
                await self._stop_superseded(job.supersedes)
            result = await self._ingest(job)
        except _Unwanted:
            self._finished = True
            result = IngestResult(live=False, chunks=0, embedded=0, reused=0, begun=False)
        except (ActivityError, asyncio.CancelledError) as exc:
            self._finished = True
            canceled, reason = was_canceled(exc), reason_of(exc)
            await self._clean_up(reason, canceled=canceled)
            if canceled and not self._canceled:
                raise  # Temporal's own cancel request; after the cancel signal the run fails with this reason instead
            raise final_failure(reason) from exc
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._progress.finish("ready" if result.live else "canceled")
        return result

    async def _ingest(self, job: IngestJob) -> IngestResult:
        while True:
            try:
                return await self._run_stages(job)
            except _Restart:
                self._discard_outputs()

    async def _run_stages(self, job: IngestJob) -> IngestResult:
        parsed = self._parsed = await self._run_stage("parse", lambda: self._parse(job), self._parsed)
        chunked = self._chunked = await self._run_stage("chunk", lambda: self._chunk(job, parsed), self._chunked)
        embedded = self._embedded = await self._run_stage(
            "embed", lambda: self._embed(job, parsed, chunked), self._embedded
        )
        index = _index_input(job, parsed, chunked).of(embedded)
        indexed = await self._run_stage("index", lambda: self._index(job, index, chunked, embedded), embedded.indexed)
        publication = _publication(job, parsed, chunked, embedded.vectors_key)
        published = await self._run_stage("publish", lambda: self._publish(job, publication), indexed.published)
        if published.also:  # the knowledge base is being re-indexed
            return await self._run_stages(self._directed_to(published.also[0]))
        self._finished = True
        if published.retired:
            await to_the_end(self._purge(published.retired))
        return IngestResult(
            live=published.live,
            chunks=chunked.chunks,
            embedded=embedded.embedded,
            reused=embedded.reused,
            pages=parsed.pages,
        )

    def _directed_to(self, target: Target) -> IngestJob:
        """The job for another index generation; what was read of the document stays."""
        self._chunked = self._embedded = None
        self._generation = target.generation
        return msgspec.structs.replace(
            self._job, chunking=target.chunking, generation=target.generation, embedding=target.embedding
        )

    async def _run_stage(self, stage: str, start: Callable[[], Awaitable[T]], done: T | None = None) -> T:
        """Run a stage unless its output exists; a pause, cancel or retry request interrupts it."""
        while done is None:
            self._raise_if_canceled()
            await self._wait_while_paused()
            self._raise_if_canceled()
            self._progress.enter(stage)
            running = asyncio.ensure_future(start())
            interruption = asyncio.ensure_future(workflow.wait_condition(self._is_interrupted))
            try:
                await workflow.wait([running, interruption], return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                if not await cancel_and_wait(running) or not workflow.patched(END_LAST):
                    raise
            finally:
                interruption.cancel()
            if running.done() or await self._stop(running):
                self._redo.discard(stage)
                return running.result()
        return done

    async def _stop(self, running: asyncio.Future[Any]) -> bool:
        """Stop an interrupted activity; True if it completed nevertheless."""
        completed = await cancel_and_wait(running)
        if not completed or not workflow.patched(END_LAST):
            self._raise_if_canceled()
        return completed

    def _raise_if_canceled(self) -> None:
        """Raise CancelledError for a cancel request of Temporal that an awaited activity has consumed.

        Temporal's request cancels only the future awaited at that moment. An activity that completes nevertheless keeps
        its result: what is published stays so.
        """
        if workflow.cancellation_reason() is not None and workflow.patched(HEED_CANCEL):
            raise asyncio.CancelledError

    def _is_interrupted(self) -> bool:
        return self._paused or self._canceled or self._restart_requested

    async def _wait_while_paused(self) -> None:
        """Wait while the run is paused. Raises CancelledError when it is canceled, _Restart after a retry request."""
        if self._paused and not self._canceled:
            self._progress.pause(self._paused_by)
            await self._record_pause(paused=True)
            self._raise_if_canceled()
            await workflow.wait_condition(lambda: not self._paused or self._canceled)
            if not self._canceled:
                if not self._restart_requested:
                    self._progress.annotate("resumed", self._resumed_by)
                await self._record_pause(paused=False)
        if self._canceled:
            raise asyncio.CancelledError
        if self._restart_requested:
            self._restart_requested = False
            raise _Restart

    def _discard_outputs(self) -> None:
        """Discard the outputs of the stages that are to run again."""
        self._parsed = None if "parse" in self._redo else self._parsed
        self._chunked = None if "chunk" in self._redo else self._chunked
        self._embedded = None if "embed" in self._redo else self._embedded
        if self._generation != self._job.generation:  # they begin with the first generation again
            self._chunked = self._embedded = None
            self._generation = self._job.generation

    async def _stop_superseded(self, version: int) -> None:
        """Cancel the run of the version that this one supersedes: its result would not be used."""
        try:
            await workflow.get_external_workflow_handle(ingest_id(self._job.document_id, version)).cancel(
                reason=f"by {self._job.actor}, who uploaded version {self._job.version}"
            )
        except TemporalError:
            return  # the run has ended

    async def _record_pause(self, *, paused: bool) -> None:
        await workflow.execute_activity(
            signatures.record_pause,
            PauseInput(document_id=self._job.document_id, version=self._job.version, paused=paused),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=with_actor("Record the pause", self._paused_by)
            if paused
            else with_actor("Record the resumption", self._resumed_by),
            **SHORT_STEP,
        )

    async def _parse(self, job: IngestJob) -> Parsed:
        begins = VersionRun(document_id=job.document_id, version=job.version, run=job.run) if job.run else None
        try:
            parsed = await workflow.execute_activity(
                signatures.parse,
                ParseInput(
                    sha256=job.sha256,
                    document_name=job.document_name,
                    bytes=job.bytes,
                    force="parse" in self._redo,
                    chunking=job.chunking if self._combines_stages(job) else None,
                    begins=begins,
                    embedding=job.embedding,
                ),
                task_queue=Queue.CPU,
                priority=self._priority,
                summary=f"Read {job.document_name} ({job.bytes:,} bytes)",
                **LONG_STEP,
            )
        except ActivityError as exc:
            if reason_of(exc).code == WrongState.code:
                raise _Unwanted from exc
            raise
        self._chunked = parsed.chunked or self._chunked
        return parsed

    def _combines_stages(self, job: IngestJob) -> bool:
        """Whether one activity does neighbouring stages: short documents, unless a stage must run again."""
        return job.bytes <= SHORT_BYTES and not self._redo

    async def _chunk(self, job: IngestJob, parsed: Parsed) -> Chunked:
        return await workflow.execute_activity(
            signatures.chunk,
            ChunkInput(
                parsed_key=parsed.parsed_key,
                chunking=job.chunking,
                force="chunk" in self._redo,
                document_name=job.document_name,
                embedding=job.embedding,
            ),
            task_queue=Queue.CPU,
            priority=self._priority,
            summary=f"Split {parsed.characters:,} characters into chunks",
            **LONG_STEP,
        )

    async def _embed(self, job: IngestJob, parsed: Parsed, chunked: Chunked) -> Embedded:
        """Embed all chunks. Bulk work runs in time slices, so that long documents do not delay shorter ones."""
        total = 0
        while True:
            embedded = await workflow.execute_activity(
                signatures.embed,
                EmbedInput(
                    document_id=job.document_id,
                    version=job.version,
                    chunks_key=chunked.chunks_key,
                    force="embed" in self._redo,
                    slice_seconds=BULK_SLICE_SECONDS if job.priority >= Urgency.BATCH else None,
                    index=_index_input(job, parsed, chunked) if self._combines_stages(job) else None,
                    generation=job.generation,
                    embedding=job.embedding,
                ),
                task_queue=Queue.GPU,
                priority=self._priority,
                summary=f"Embed {chunked.chunks - total:,} of {chunked.chunks:,} chunks",
                **LONG_STEP,
            )
            self._redo.discard("embed")
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
            **LONG_STEP,
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

    async def _clean_up(self, reason: Reason, *, canceled: bool) -> None:
        """Purge the version's rows and record the reason; completes even if the run is canceled."""
        if workflow.patched(END_LAST):
            await to_the_end(self._end(reason, canceled=canceled))
            await workflow.wait_condition(workflow.all_handlers_finished)
        else:
            await self._record_failure(reason, canceled=canceled)
        if canceled:
            self._progress.finish("canceled", self._canceled_by or canceled_by())
        else:
            self._progress.finish("failed")

    async def _end(self, reason: Reason, *, canceled: bool) -> None:
        await workflow.execute_activity(
            signatures.end_run,
            EndRunInput(
                knowledge_base_id=self._job.knowledge_base_id,
                document_id=self._job.document_id,
                version=self._job.version,
                run=self._job.run,
                reason=reason,
                canceled=canceled,
            ),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Record {'cancellation' if canceled else 'failure'}: {reason.code}",
            **LONG_STEP,
        )

    async def _record_failure(self, reason: Reason, *, canceled: bool) -> None:
        recorded = await workflow.execute_activity(
            signatures.record_failure,
            RecordFailureInput(
                document_id=self._job.document_id, version=self._job.version, reason=reason, canceled=canceled
            ),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Record {'cancellation' if canceled else 'failure'}: {reason.code}",
            **SHORT_STEP,
        )
        if recorded.purge:
            await self._purge([self._job.version])


def _index_input(job: IngestJob, parsed: Parsed, chunked: Chunked) -> IndexInput:
    """The input of the index activity, without the key of the vectors in ``publish``."""
    return IndexInput(
        knowledge_base_id=job.knowledge_base_id,
        document_id=job.document_id,
        version=job.version,
        chunks_key=chunked.chunks_key,
        publish=_publication(job, parsed, chunked),
        generation=job.generation,
    )


def _publication(job: IngestJob, parsed: Parsed, chunked: Chunked, vectors_key: str = "") -> PublishInput:
    """The input of the publish activity: what the catalogue records of the finished version."""
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
        knowledge_base_id=job.knowledge_base_id,
        remarks=parsed.remarks,
    )


def _from_stage(stage: str | None) -> set[str]:
    """The stage and all that follow it; empty for an unknown stage."""
    return set(INGEST_STAGES[INGEST_STAGES.index(stage) :]) if stage in INGEST_STAGES else set()
