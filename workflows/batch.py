"""A batch: ingests many documents, a limited number at a time, until the batch is closed and all have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import msgspec
from temporalio import workflow
from temporalio.common import Priority, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, TemporalError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.contracts import addresses, described, signatures
    from activities.contracts.batches import (
        BatchInput,
        CancelQueuedInput,
        DocumentVersion,
        FinishedInput,
        NextDocumentsInput,
        RecordBatchStateInput,
        UnpackInput,
    )
    from activities.contracts.ids import ingest_id
    from activities.contracts.ingest import DocumentToIngest
    from activities.contracts.queues import Priority as Urgency
    from activities.contracts.queues import Queue, fairness_key
    from activities.contracts.search_attributes import attributes
    from activities.contracts.stages import BATCH_STAGES, BatchState
    from activities.errors import Reason
    from activities.runtime.failures import final_failure, reason_of
    from workflows.contracts import BatchJob, BatchResult, IngestJob, IngestResult, JobState
    from workflows.ingest import IngestDocument
    from workflows.policies import LONG_STEP, SHORT_STEP
    from workflows.stages import Progress, by_actor, canceled_by
    from workflows.stopping import cancel_and_wait, to_the_end

#: Documents listed with one activity.
PAGE = 16

#: New documents start when 1/SHARE_TO_START of the window is free: starting several at once costs less than one by one.
SHARE_TO_START = 2

#: Patch: runs from before documents were started several at once still start them one by one.
START_SEVERAL = "start-several"

#: Patch: earlier runs could lose a control that came while the archive was unpacked, while the last state was recorded,
#: or, if it was Temporal's cancel request, while any activity ran.
HEED_CONTROLS = "heed-controls"

#: Number of started documents after which a run continues as new, so that its history stays small.
DOCUMENTS_OF_A_RUN = 50

#: How often the catalogue is checked for finished documents: soon if the previous run started some, because their
#: end is not reported to this run; otherwise seldom, in case the end of another one was missed.
CHECK_SOON, CHECK_AFTER = timedelta(seconds=2), timedelta(seconds=30)

#: How long an open batch waits for the next document before it closes itself.
OPEN_FOR = timedelta(minutes=15)


@workflow.defn
class IngestBatch:
    """(unpack →) a sliding window of ``IngestDocument`` runs → final state. Documents may join until it is closed."""

    @workflow.init
    def __init__(self, job: BatchJob) -> None:
        self._job = job
        self._progress = Progress(BATCH_STAGES)
        self._priority = Priority(
            priority_key=Urgency.BATCH, fairness_key=fairness_key(job.knowledge_base_id, job.actor)
        )
        self._in_flight = {ingest_id(version.document_id, version.version): version for version in job.in_flight}
        self._children: set[str] = set()  # ids in flight that are child runs of this run: their end is reported to it
        self._parallelism = job.parallelism
        self._recorded_parallelism = job.parallelism
        self._done, self._started, self._pages_listed = job.done, 0, 0
        self._paused, self._canceled, self._retry = job.paused, False, job.retry
        self._paused_by, self._resumed_by, self._canceled_by = job.paused_by, "", ""  # actors
        self._pauses_retry = False  # the pause came after a retry, and is meant for it
        self._may_have_more = True  # the catalogue may hold documents that were not listed yet
        self._elsewhere = 0  # pending documents that this run does not start, when last listed
        self._not_ended: dict[str, DocumentToIngest] = {}  # their earlier run has not ended: to be started after it
        self._closed = False
        self._listed = list(job.ahead)
        self._starts_several = workflow.patched(START_SEVERAL)
        self._heeds_controls = workflow.patched(HEED_CONTROLS)

    @workflow.query
    def state(self) -> JobState:
        """Stage and state; ``done`` counts finished documents. Counts by state are in the catalogue."""
        return msgspec.structs.replace(self._progress.state(), done=self._done)

    @workflow.signal
    def pause(self, actor: str = "") -> None:
        """Pause the documents in flight and start no more."""
        self._paused, self._paused_by = True, actor
        self._pauses_retry = self._retry

    @workflow.signal
    def resume(self, actor: str = "") -> None:
        """Resume the documents in flight and start more."""
        self._paused, self._resumed_by = False, actor

    @workflow.signal
    def cancel(self, actor: str = "") -> None:
        """Stop the documents in flight and cancel those not started; ready documents stay."""
        self._canceled, self._canceled_by, self._retry = True, by_actor(actor), False
        self._progress.annotate("cancel asked for", by_actor(actor))

    @workflow.signal
    def set_parallelism(self, documents: int, actor: str = "") -> None:
        """Set how many documents are in flight at once (at least 1)."""
        self._parallelism = max(1, documents)
        self._progress.annotate(f"{self._parallelism} at once, set", by_actor(actor))

    @workflow.signal
    def retry_failed(self, actor: str = "") -> None:
        """Start the failed and canceled documents again; outputs of their finished stages are kept."""
        self._retry = True
        self._progress.annotate("failed documents tried again", by_actor(actor))

    @workflow.signal
    def more(self) -> None:
        """Documents have joined the batch, or it was closed."""
        self._may_have_more = True

    @workflow.run
    async def run(self, job: BatchJob) -> BatchResult:
        """Raises ApplicationError if the archive is unusable; the failure of a document does not fail the batch."""
        try:
            await self._record_state("paused" if self._paused else "running")
            if job.archive_sha256 is not None:
                await self._unpack(job, job.archive_sha256)
            await self._ingest()
        except asyncio.CancelledError:
            self._canceled = True  # Temporal's own cancel request has the effect of the cancel signal
            self._canceled_by = self._canceled_by or canceled_by()
        await to_the_end(self._end("canceled" if self._canceled else "ready"))
        if self._canceled and self._was_canceled_by_temporal():
            raise asyncio.CancelledError
        return BatchResult(documents=self._done)

    async def _end(self, state: BatchState, reason: Reason | None = None) -> None:
        """Record the final state; a retry requested in the meantime begins a new run."""
        if state == "canceled":
            await self._cancel()
        await self._record_state(state, reason)
        if self._retry and self._heeds_controls:
            self._continue_as_new(retry=True)
        self._progress.finish(state, self._canceled_by if state == "canceled" else "")

    def _was_canceled_by_temporal(self) -> bool:
        return self._heeds_controls and workflow.cancellation_reason() is not None

    def _heed_cancel(self) -> None:
        """Notice a cancel request of Temporal that an awaited activity has consumed."""
        if self._was_canceled_by_temporal():
            raise asyncio.CancelledError

    async def _ingest(self) -> None:
        self._progress.enter("ingest")
        while not self._canceled:
            self._heed_cancel()
            if self._retry:
                await self._requeue()
            elif self._paused:
                await self._stay_paused()
            else:
                await self._fill()
                if self._is_over():
                    return
                if self._is_long() and not (self._retry or self._canceled):
                    self._heed_cancel()
                    self._continue_as_new()
                await self._wait()

    def _is_long(self) -> bool:
        return self._started >= DOCUMENTS_OF_A_RUN or workflow.info().is_continue_as_new_suggested()

    async def _unpack(self, job: BatchJob, sha256: str) -> None:
        self._progress.enter("unpack")
        try:
            while not (self._canceled and self._heeds_controls):
                if self._retry and self._heeds_controls:
                    await self._requeue()
                elif self._paused and self._heeds_controls:
                    await self._stay_paused()
                    self._progress.enter("unpack")
                elif await self._unpack_unless_interrupted(job, sha256):
                    return
        except ActivityError as exc:
            reason = reason_of(exc)
            await to_the_end(self._end("failed", reason))
            raise final_failure(reason) from exc

    async def _unpack_unless_interrupted(self, job: BatchJob, sha256: str) -> bool:
        """Unpack the archive; False when a pause or cancel stopped it. What is accepted by then stays accepted."""
        self._heed_cancel()
        unpacking = workflow.start_activity(
            signatures.unpack,
            UnpackInput(batch_id=job.batch_id, knowledge_base_id=job.knowledge_base_id, sha256=sha256, actor=job.actor),
            task_queue=Queue.CPU,
            priority=self._priority,
            summary=f"Unpack {job.name}",
            **LONG_STEP,
        )
        if not self._heeds_controls:
            await unpacking
            return True
        interruption = asyncio.ensure_future(workflow.wait_condition(self._is_interrupted))
        try:
            await workflow.wait([unpacking, interruption], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await cancel_and_wait(unpacking)
            raise
        finally:
            interruption.cancel()
        if not unpacking.done():
            return await cancel_and_wait(unpacking)
        unpacking.result()
        return True

    def _is_interrupted(self) -> bool:
        return self._paused or self._canceled

    async def _fill(self) -> None:
        """Start documents until the window is full or none are left."""
        if self._parallelism != self._recorded_parallelism:
            await self._record_state("running")
        while not self._paused and not self._canceled:
            room = max(0, self._parallelism - len(self._in_flight))
            starting, self._listed = self._listed[:room], self._listed[room:]
            await to_the_end(asyncio.gather(*(self._start(document) for document in starting)))
            self._heed_cancel()
            if not self._may_have_more or len(self._listed) or len(self._in_flight) >= self._parallelism:
                return
            await self._list_next()

    async def _list_next(self) -> None:
        """List the next documents, more than the window has room for, with one activity."""
        self._may_have_more = False
        self._pages_listed += 1
        found = await workflow.execute_activity(
            signatures.next_documents,
            NextDocumentsInput(
                batch_id=self._job.batch_id, page=f"{workflow.info().run_id}:{self._pages_listed}", limit=PAGE
            ),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"List up to {PAGE} documents to start",
            **SHORT_STEP,
        )
        self._may_have_more = self._may_have_more or len(found.documents) == PAGE
        self._closed, self._elsewhere = found.closed, found.elsewhere
        self._listed += found.documents
        self._heed_cancel()

    async def _start(self, document: DocumentToIngest) -> None:
        id = ingest_id(document.document_id, document.version)
        self._in_flight[id] = DocumentVersion(document_id=document.document_id, version=document.version)
        self._started += 1
        fields = {name: getattr(document, name) for name in DocumentToIngest.__struct_fields__}
        try:
            run = await workflow.start_child_workflow(
                IngestDocument.run,
                IngestJob(**fields, priority=Urgency.BATCH, hide_stages=True),
                id=id,
                parent_close_policy=ParentClosePolicy.ABANDON,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                static_summary=described.ingestion(document),
                static_details=described.details(addresses.document(document.document_id), document.actor),
                search_attributes=attributes(
                    document.knowledge_base, document.actor, document.document_id, document.document_name
                ),
            )
        except WorkflowAlreadyStartedError:
            self._children.discard(id)  # it runs already: the catalogue check finds its end, or that it did not begin
            self._not_ended[id] = document
            return
        self._follow(id, run)

    def _follow(self, id: str, run: asyncio.Future[Any]) -> None:
        """Free the place of a run in the window when it ends, whatever its outcome."""

        def ended(done: asyncio.Future[IngestResult]) -> None:
            failed = done.cancelled() or done.exception() is not None  # the catalogue holds the reason
            if not failed and not done.result().begun:
                self._may_have_more = True  # the document may wait for something else
            self._finish(id)

        self._children.add(id)
        run.add_done_callback(ended)

    def _finish(self, id: str) -> None:
        self._children.discard(id)
        self._not_ended.pop(id, None)
        if self._in_flight.pop(id, None) is not None:
            self._done += 1
            self._progress.count(self._done)

    def _is_over(self) -> bool:
        nothing_left = not (self._may_have_more or self._listed or self._in_flight or self._elsewhere or self._retry)
        return self._closed and nothing_left

    async def _wait(self) -> None:
        """Wait until there is something to do; checks the catalogue at intervals for missed ends of runs."""
        in_flight = bool(self._in_flight)
        interval = CHECK_SOON if self._in_flight.keys() - self._children else CHECK_AFTER
        try:
            timeout = interval if in_flight or self._elsewhere else OPEN_FOR
            await workflow.wait_condition(self._has_something_to_do, timeout=timeout)
        except TimeoutError:
            if in_flight:
                await self._check_finished()
            elif self._elsewhere:
                self._may_have_more = True
            else:
                await self._close()

    def _has_something_to_do(self) -> bool:
        if self._paused or self._canceled or self._retry or self._is_over():
            return True
        room = self._parallelism - len(self._in_flight)
        enough = room >= (max(1, self._parallelism // SHARE_TO_START) if self._starts_several else 1)
        return (enough and bool(self._may_have_more or self._listed)) or self._parallelism != self._recorded_parallelism

    async def _check_finished(self) -> None:
        """Remove documents from the window that are finished according to the catalogue.

        One whose earlier run was about to end is started again, unless a run has begun it by now.
        """
        found = await workflow.execute_activity(
            signatures.finished_documents,
            FinishedInput(versions=list(self._in_flight.values())),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Check {len(self._in_flight)} running documents",
            **SHORT_STEP,
        )
        for version in found.versions:
            self._finish(ingest_id(version.document_id, version.version))
        for version in found.not_begun:
            id = ingest_id(version.document_id, version.version)
            if id in self._not_ended:
                del self._in_flight[id]
                self._listed.append(self._not_ended.pop(id))
        self._may_have_more = True  # documents may have joined without a signal

    async def _close(self) -> None:
        await workflow.execute_activity(
            signatures.close_batch,
            BatchInput(batch_id=self._job.batch_id),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary="Close the batch: no document arrived for a while",
            **SHORT_STEP,
        )
        self._may_have_more = True

    async def _stay_paused(self) -> None:
        await self._signal_all("pause", self._in_flight, self._paused_by)
        self._progress.pause(by_actor(self._paused_by))
        await self._record_state("paused")
        self._heed_cancel()
        await workflow.wait_condition(self._leaves_pause)
        while self._heeds_controls and self._parallelism != self._recorded_parallelism:
            await self._record_state("paused")
            await workflow.wait_condition(self._leaves_pause)
        if not self._paused:
            await self._signal_all("resume", self._in_flight, self._resumed_by)
            self._progress.annotate("resumed", by_actor(self._resumed_by))
            await self._record_state("running")
            self._progress.enter("ingest")

    def _leaves_pause(self) -> bool:
        changed = self._heeds_controls and self._parallelism != self._recorded_parallelism
        return not self._paused or self._canceled or self._retry or changed

    async def _requeue(self) -> None:
        self._retry = False
        await workflow.execute_activity(
            signatures.requeue_failed,
            BatchInput(batch_id=self._job.batch_id),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary="Queue failed documents again",
            **SHORT_STEP,
        )
        self._may_have_more = True

    async def _cancel(self) -> None:
        """Cancel the documents not started, stop those in flight and wait for their end."""
        self._listed = []
        running = [version for id, version in self._in_flight.items() if id not in self._not_ended]
        left = await workflow.execute_activity(
            signatures.cancel_queued,
            CancelQueuedInput(batch_id=self._job.batch_id, running=running),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary="Cancel documents that have not started",
            **SHORT_STEP,
        )
        for version in left.running:  # also those that a user has started one by one
            self._in_flight[ingest_id(version.document_id, version.version)] = version
        while self._in_flight:
            for id in list(self._in_flight):
                try:
                    await workflow.get_external_workflow_handle(id).cancel(reason=self._canceled_by)
                except TemporalError:
                    continue  # the run has ended
            try:
                await workflow.wait_condition(lambda: not self._in_flight, timeout=CHECK_SOON)
            except TimeoutError:
                await self._check_finished()

    async def _signal_all(self, signal: str, ids: Iterable[str], actor: str) -> None:
        for id in list(ids):
            try:
                await workflow.get_external_workflow_handle(id).signal(signal, args=[actor] if actor else [])
            except TemporalError:
                continue  # the run has ended meanwhile

    async def _record_state(self, state: BatchState, reason: Reason | None = None) -> None:
        self._recorded_parallelism = self._parallelism
        await workflow.execute_activity(
            signatures.record_batch_state,
            RecordBatchStateInput(
                batch_id=self._job.batch_id, state=state, parallelism=self._parallelism, reason=reason
            ),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Record the batch as {state}",
            **SHORT_STEP,
        )

    def _continue_as_new(self, *, retry: bool = False) -> None:
        in_flight = [version for id, version in self._in_flight.items() if id not in self._not_ended]
        workflow.continue_as_new(
            msgspec.structs.replace(
                self._job,
                archive_sha256=self._job.archive_sha256 if retry else None,
                in_flight=in_flight,
                ahead=[*self._not_ended.values(), *self._listed],
                retry=retry,
                done=self._done,
                parallelism=self._parallelism,
                paused=self._paused and (self._pauses_retry or not retry),
                paused_by=self._paused_by,
            )
        )
