"""A retention: deletes the documents of a knowledge base that were uploaded long ago."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
from temporalio import workflow
from temporalio.common import Priority, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.contracts import addresses, described, signatures
    from activities.contracts.deletion import DeleteJob
    from activities.contracts.ids import delete_id
    from activities.contracts.queues import Priority as Urgency
    from activities.contracts.queues import Queue
    from activities.contracts.retention import Expired, ExpiredDocument, ExpiredInput, UnpublishExpiredInput
    from activities.contracts.schedules import RecordScheduledInput, ScheduleRunState
    from activities.contracts.search_attributes import attributes
    from activities.contracts.stages import RETENTION_STAGES
    from activities.errors import Canceled, Reason, WouldDeleteTooMuch
    from activities.runtime.failures import final_failure, reason_of
    from workflows.contracts import JobState, RetentionJob, RetentionReceipt
    from workflows.deletion import DeleteDocument
    from workflows.policies import LONG_STEP, SHORT_STEP
    from workflows.stages import Progress, by_actor, canceled_by
    from workflows.stopping import to_the_end, was_canceled

#: Documents listed with one activity, and deleted at once.
PAGE, WINDOW = 96, 16

#: Number of documents after which a run continues as new, so that its history stays small.
DOCUMENTS_OF_A_RUN = 288

#: How long a run that would delete too much waits for somebody to confirm it.
CONFIRM_WITHIN = timedelta(days=7)


@workflow.defn
class ApplyRetention:
    """count → (confirm) → delete. What is to go is fixed by the time for which the run was started."""

    @workflow.init
    def __init__(self, job: RetentionJob) -> None:
        self._job = job
        self._progress = Progress(RETENTION_STAGES)
        self._priority = Priority(priority_key=Urgency.BATCH, fairness_key=job.knowledge_base_id)
        self._counted = Expired(documents=job.documents, matching=0, expired=job.expired or 0)
        self._deleted, self._rows, self._unfinished, self._begun = job.deleted, job.rows, job.unfinished, 0
        self._confirmed, self._confirmed_by = 0, job.confirmed_by
        self._canceled, self._canceled_by = False, ""

    @workflow.query
    def state(self) -> JobState:
        """Stage and state; ``done`` and ``total`` count documents to delete."""
        return msgspec.structs.replace(self._progress.state(), done=self._deleted, total=self._counted.expired)

    @workflow.signal
    def confirm(self, documents: int, actor: str = "") -> None:
        """Allow that up to so many documents are deleted."""
        self._confirmed, self._confirmed_by = documents, actor

    @workflow.signal
    def cancel(self, actor: str = "") -> None:
        """Delete no more."""
        self._canceled, self._canceled_by = True, by_actor(actor)

    @workflow.run
    async def run(self, job: RetentionJob) -> RetentionReceipt:
        """Raises ApplicationError, typed by the reason's code, when it was not confirmed, or failed."""
        try:
            if job.expired is None:
                await self._decide()
            await self._delete(job.after)
        except (ActivityError, ApplicationError, asyncio.CancelledError) as exc:
            canceled = was_canceled(exc)
            self._progress.finish("canceled" if canceled else "failed", self._canceled_by or canceled_by())
            if canceled and not self._canceled:
                raise
            raise final_failure(Reason(code=Canceled.code) if canceled else reason_of(exc)) from exc
        self._progress.finish("ready")
        return RetentionReceipt(
            documents=self._counted.documents,
            expired=self._counted.expired,
            deleted=self._deleted,
            rows=self._rows,
            unfinished=self._unfinished,
            confirmed_by=self._confirmed_by,
        )

    async def _decide(self) -> None:
        """Count, and wait while that is more than may go unasked. Raises ApplicationError, and CancelledError."""
        self._progress.enter("count")
        self._counted = await self._count()
        while self._counted.share() > self._job.options.max_share and self._counted.expired > self._confirmed:
            reason = self._too_much()
            self._progress.wait("confirm")
            await self._record("waiting", reason)
            try:
                await workflow.wait_condition(
                    lambda: self._confirmed >= self._counted.expired or self._is_to_end(), timeout=CONFIRM_WITHIN
                )
            except TimeoutError:
                raise final_failure(reason) from None
            self._raise_if_canceled()
            self._progress.enter("confirm")
            self._counted = await self._count()
        if self._confirmed:
            self._progress.annotate(f"confirmed {self._confirmed:,} documents", by_actor(self._confirmed_by))
            await self._record("running")

    def _too_much(self) -> Reason:
        percent = f"{self._job.options.max_share * 100:g}"
        return WouldDeleteTooMuch(
            expired=self._counted.expired,
            documents=self._counted.documents,
            percent=percent,
            name=self._job.schedule,
        ).reason

    async def _delete(self, after: str) -> None:
        self._progress.enter("delete")
        while (left := self._counted.expired - self._deleted - self._unfinished) > 0:
            self._raise_if_canceled()
            page = await workflow.execute_activity(
                signatures.list_expired,
                self._expired_input(after, min(PAGE, left)),
                task_queue=Queue.STORE,
                priority=self._priority,
                summary="List the next documents, oldest first",
                **LONG_STEP,
            )
            for start in range(0, len(page.documents), WINDOW):
                self._raise_if_canceled()
                await to_the_end(self._delete_some(page.documents[start : start + WINDOW]))
            if page.next is None:
                return
            after = page.next
            if self._begun >= DOCUMENTS_OF_A_RUN:
                self._raise_if_canceled()
                self._continue_as_new(after)

    async def _delete_some(self, documents: list[ExpiredDocument]) -> None:
        """Take documents out of search and purge them, as a deletion does; those that were replaced meanwhile stay."""
        self._begun += len(documents)
        unpublished = await workflow.execute_activity(
            signatures.unpublish_expired,
            UnpublishExpiredInput(
                knowledge_base_id=self._job.knowledge_base_id,
                knowledge_base=self._job.knowledge_base,
                cutoff=self._job.cutoff,
                options=self._job.options,
                document_ids=[document.document_id for document in documents],
                actor=self._job.actor,
            ),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Take {len(documents)} documents out of search",
            **SHORT_STEP,
        )
        await asyncio.gather(*(self._purge(deletion) for deletion in unpublished.deletions))
        self._progress.count(self._deleted, self._counted.expired)

    async def _purge(self, deletion: DeleteJob) -> None:
        try:
            receipt = await workflow.execute_child_workflow(
                DeleteDocument.run,
                deletion,
                id=delete_id(deletion.document_id),
                parent_close_policy=ParentClosePolicy.ABANDON,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                static_summary=described.deletion(deletion),
                static_details=described.details(addresses.document(deletion.document_id), deletion.actor),
                search_attributes=attributes(
                    deletion.knowledge_base, deletion.actor, deletion.document_id, deletion.document_name
                ),
            )
            self._rows += receipt.rows_before
        except WorkflowAlreadyStartedError:  # somebody deletes it already
            pass
        except ChildWorkflowError:
            self._unfinished += 1
            return
        self._deleted += 1

    async def _count(self) -> Expired:
        return await workflow.execute_activity(
            signatures.count_expired,
            self._expired_input(),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Count documents uploaded before {self._job.cutoff:%Y-%m-%d %H:%M}",
            **LONG_STEP,
        )

    def _expired_input(self, after: str = "", limit: int = 0) -> ExpiredInput:
        return ExpiredInput(
            knowledge_base_id=self._job.knowledge_base_id,
            cutoff=self._job.cutoff,
            options=self._job.options,
            after=after,
            limit=limit,
        )

    async def _record(self, state: ScheduleRunState, reason: Reason | None = None) -> None:
        await workflow.execute_activity(
            signatures.record_scheduled,
            RecordScheduledInput(
                record_id=self._job.record_id,
                state=state,
                reason=reason,
                counts={"documents": self._counted.documents, "expired": self._counted.expired},
            ),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Record: {state}",
            **SHORT_STEP,
        )

    def _is_to_end(self) -> bool:
        return self._canceled or workflow.cancellation_reason() is not None

    def _raise_if_canceled(self) -> None:
        if self._is_to_end():
            raise asyncio.CancelledError

    def _continue_as_new(self, after: str) -> None:
        workflow.continue_as_new(
            msgspec.structs.replace(
                self._job,
                documents=self._counted.documents,
                expired=self._counted.expired,
                deleted=self._deleted,
                rows=self._rows,
                unfinished=self._unfinished,
                after=after,
                confirmed_by=self._confirmed_by,
            )
        )
