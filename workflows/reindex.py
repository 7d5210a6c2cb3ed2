"""A re-index: builds a new generation of a knowledge base's index beside the live one, and switches to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.contracts import signatures
    from activities.contracts.ingest import (
        Chunked,
        ChunkInput,
        Embedded,
        EmbedInput,
        IndexInput,
        Parsed,
        ParseInput,
        PublishInput,
    )
    from activities.contracts.queues import Priority as Urgency
    from activities.contracts.queues import Queue
    from activities.contracts.reindex import (
        BuildListInput,
        DocumentToBuild,
        RecordReindexInput,
        ReindexControls,
        ReindexInput,
        ReindexPlan,
        RetireInput,
        Switched,
        SwitchInput,
        Verified,
    )
    from activities.contracts.stages import REINDEX_STAGES, JobStateName
    from activities.errors import Canceled, DocumentsNotBuilt, GenerationDiffers, Reason, RolledBack
    from activities.runtime.failures import final_failure, reason_of
    from workflows.contracts import JobState, ReindexJob, ReindexResult
    from workflows.gate import Gate, fault_of
    from workflows.policies import BULK_SLICE_SECONDS, LONG_STEP, SHORT_BYTES, SHORT_STEP
    from workflows.stages import Progress, by_actor, canceled_by
    from workflows.stopping import cancel_and_wait, to_the_end, was_canceled

In = TypeVar("In")
T = TypeVar("T")

#: Documents listed with one activity.
PAGE = 32

#: Number of documents after which a run continues as new, so that its history stays small.
DOCUMENTS_OF_A_RUN = 300

#: Failed documents after which the job gives up. One that fails in a pass may have been deleted or replaced meanwhile:
#: it counts if the next pass finds it, and it fails again.
FAILURES = 200

#: How often a generation in which a document is missing at the switch, or wrong, is completed again.
COMPLETIONS = 20

#: Searches that began before a switch may read the generation before for so long.
DRAIN = timedelta(seconds=10)

#: Longest wait for a window; it may be changed meanwhile.
LOOK_AGAIN = timedelta(minutes=10)


#: Patch: earlier runs lost a cancel that came during the switch, which the API had accepted.
HEED_CANCEL_IN_SWITCH = "heed-cancel-in-switch"


class _RolledBack(Exception):
    """The ``rollback`` update returned to the generation before."""


@workflow.defn
class ReindexKnowledgeBase:
    """plan → build → verify → (gate) → (approve) → switch → soak → retire.

    From the begin of the build to the retirement, uploads go into both generations. It can be paused, resumed and
    canceled before the switch, and rolled back until the old generation is retired.
    """

    @workflow.init
    def __init__(self, job: ReindexJob) -> None:
        self._job = job
        self._progress = Progress(REINDEX_STAGES)
        self._priority = Priority(priority_key=Urgency.REINDEX, fairness_key=job.knowledge_base_id)
        self._controls = ReindexControls(parallelism=job.parallelism, throttle=job.throttle, window=job.window)
        self._change(job.controls)
        self._plan = job.plan
        self._done, self._passed, self._seen = job.done, job.passed, job.seen
        self._failures, self._failed_before, self._built = dict(job.failures), set(job.failed_before), 0
        self._listed: list[DocumentToBuild] = []
        self._begun = job.passed
        self._paused, self._paused_by = job.paused, job.paused_by
        self._canceled, self._canceled_by = job.canceled_by is not None, by_actor(job.canceled_by or "")
        self._approved_by = self._finish_by = self._rollback_by = self._canceled_in_switch = ""
        self._gate, self._gated = Gate(job.reindex_id, self._priority), job.gated
        self._gate_refusal: Reason | None = None
        self._overridden_by, self._override_reason = job.overridden_by or "", ""
        self._switched = self._soaks = self._rolled_back = self._refused = self._ended = self._gave_up = False

    @workflow.query
    def state(self) -> JobState:
        """Stage and state; ``done`` counts documents, and questions in the quality gate."""
        state = self._progress.state()
        total = self._plan.documents if self._plan is not None else None
        done, total = (self._gate.done, self._gate.total) if state.stage == "gate" else (self._done, total)
        return msgspec.structs.replace(state, done=done, total=total)

    @workflow.signal
    def pause(self, actor: str = "") -> None:
        """Stop what runs and wait; what was built is kept."""
        self._paused, self._paused_by = True, by_actor(actor)

    @workflow.signal
    def resume(self, actor: str = "") -> None:
        """Go on."""
        self._paused = False
        self._progress.annotate("resumed", by_actor(actor))

    @workflow.signal
    def cancel(self, actor: str = "") -> None:
        """Remove what was built and end. During the switch it is a rollback; later it has no effect: ``rollback``."""
        if not self._switched:
            self._canceled, self._canceled_by = True, by_actor(actor)
        elif not self._soaks:
            self._canceled_in_switch = actor or self._job.actor

    @workflow.signal
    def control(self, controls: ReindexControls, actor: str = "") -> None:
        """Change how many documents are built at once, how hard the work is, and in which hours."""
        self._change(controls)
        self._progress.annotate("speed changed", by_actor(actor))

    @workflow.signal
    def set_parallelism(self, documents: int, actor: str = "") -> None:
        """Change how many documents are built at once (at least 1)."""
        self.control(ReindexControls(parallelism=max(1, documents)), actor)

    @workflow.signal
    def approve(self, actor: str = "") -> None:
        """Allow the switch."""
        self._approved_by = actor

    @workflow.signal
    def override(self, reason: str, actor: str = "") -> None:
        """Switch although the quality gate refused it."""
        if self._gate_refusal is not None:
            self._overridden_by, self._override_reason = actor, reason

    @workflow.signal
    def finish(self, actor: str = "") -> None:
        """Retire the old generation now."""
        self._finish_by = actor

    @workflow.update
    async def rollback(self, actor: str) -> JobState:
        """Return to the generation before, in which all that was uploaded and deleted meanwhile is up to date."""
        self._rollback_by, self._refused = actor, False
        await workflow.wait_condition(lambda: self._rolled_back or self._refused or self._ended)
        if not self._rolled_back:
            raise ApplicationError("there is no generation to return to")
        return self._progress.state()

    @rollback.validator
    def _can_roll_back(self, actor: str) -> None:
        if not self._switched or self._ended or self._finish_by or self._rollback_by:
            raise ValueError("there is no generation to return to")

    @workflow.run
    async def run(self, job: ReindexJob) -> ReindexResult:
        """Re-index. Raises ApplicationError, typed by the reason's code, if the index in use was left as it is."""
        try:
            result = await self._reindex(job)
        except _RolledBack:
            return await to_the_end(self._end_rolled_back())
        except (ActivityError, ApplicationError, asyncio.CancelledError) as exc:
            canceled = was_canceled(exc)
            reason = Reason(code=Canceled.code) if canceled else reason_of(exc)
            reason = self._gate_refusal or reason if self._gave_up else reason
            await to_the_end(self._discard(reason, canceled=canceled))
            self._ended = True
            if canceled and not self._canceled:
                raise
            raise final_failure(reason) from exc
        self._ended = True
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._progress.finish("ready")
        return result

    async def _reindex(self, job: ReindexJob) -> ReindexResult:
        if job.rolled_back:
            raise _RolledBack
        if not job.switched:
            self._raise_if_canceled()
            if self._plan is None:
                self._plan = await self._make_plan()
            if job.plan_only or self._plan.is_empty:
                await self._record("ready", plan=self._plan, action="finish")
                return ReindexResult(plan=self._plan, switched=False)
            await self._build_and_verify()
            if job.questions and not self._gated:
                await self._pass_gate()
            if job.approve:
                await self._wait_for_approval()
            await self._switch()
        self._switched = True
        return await to_the_end(self._keep_and_retire())

    async def _keep_and_retire(self) -> ReindexResult:
        await self._soak()
        await workflow.sleep(DRAIN)
        await self._retire(self._job.previous)
        await self._record("ready", action="finish")
        return ReindexResult(plan=self._plan or ReindexPlan(), switched=True, documents=self._done)

    # --- plan ---------------------------------------------------------------------------------------------

    async def _make_plan(self) -> ReindexPlan:
        await self._enter("plan")
        plan = await self._interruptible(
            workflow.start_activity(
                signatures.plan_reindex,
                ReindexInput(reindex_id=self._job.reindex_id),
                task_queue=Queue.CPU,
                priority=self._priority,
                summary="Compare what is there with what it would be made of now",
                **LONG_STEP,
            )
        )
        await self._record("running", plan=plan)
        return plan

    # --- build --------------------------------------------------------------------------------------------

    async def _build_and_verify(self) -> None:
        for _ in range(COMPLETIONS):
            await self._build()
            await self._enter("verify")
            verified = await self._verify()
            if (fault := fault_of(verified)) is not None:
                raise final_failure(fault)
            if not verified.wrong:
                return
        raise final_failure(GenerationDiffers(lost=verified.wrong, searched=verified.documents).reason)

    async def _build(self) -> None:
        """Build every live document that is missing, in passes by document id, until a pass finds none.

        Raises ApplicationError when a document cannot be built.
        """
        await self._enter("build")
        await self._store(signatures.begin_generation, ReindexInput(reindex_id=self._job.reindex_id), "Begin")
        while True:
            await self._pass()
            if self._failures.keys() & self._failed_before or len(self._failures) > FAILURES:
                name, detail = next(iter(self._failures.values()))
                raise final_failure(DocumentsNotBuilt(count=len(self._failures), name=name, detail=detail).reason)
            if not self._seen:
                return
            self._failed_before, self._failures = set(self._failures), {}
            self._passed, self._begun, self._seen = "", "", 0

    async def _pass(self) -> None:
        """Build what is listed after ``passed``, some documents at once."""
        running: dict[asyncio.Task[None], DocumentToBuild] = {}
        may_have_more = True
        try:
            while True:
                await self._wait_while_paused(running)
                room = (self._controls.parallelism or 1) - len(running)
                leaves = self._built >= DOCUMENTS_OF_A_RUN or workflow.info().is_continue_as_new_suggested()
                while room > 0 and not leaves:
                    if not self._listed and may_have_more:
                        may_have_more = await self._list_next()
                    if not self._listed:
                        break
                    document = self._listed.pop(0)
                    self._begun = max(self._begun, document.document_id)
                    running[asyncio.create_task(self._build_in_its_share(document))] = document
                    room -= 1
                if not running:
                    if self._is_interrupted():
                        continue
                    if leaves:
                        self._continue_as_new()
                    return
                await workflow.wait_condition(lambda: self._is_interrupted() or any(task.done() for task in running))
                for task in [task for task in running if task.done()]:
                    self._settle(task, running.pop(task))
        finally:
            await self._stop(running)

    async def _list_next(self) -> bool:
        """List the next documents; False at the end of the pass. Waits for the window to open."""
        while True:
            found = await self._store(
                signatures.documents_to_build,
                BuildListInput(
                    reindex_id=self._job.reindex_id,
                    after=self._passed,
                    limit=PAGE,
                    done=self._done,
                    window=self._controls.window or "",
                ),
                "List the next documents",
            )
            if not found.closed_seconds:
                break
            self._progress.wait("build")
            await self._record("waiting", stage="build")
            await self._wait_for_window(found.closed_seconds)
            if self._is_interrupted():
                return True
            await self._enter("build")
        self._listed += found.documents
        self._seen += len(found.documents)
        if found.documents:
            self._passed = found.documents[-1].document_id
        return len(found.documents) == PAGE

    async def _wait_for_window(self, seconds: float) -> None:
        window = self._controls.window

        def has_reason_to_look() -> bool:
            return self._is_interrupted() or self._controls.window != window

        with suppress(TimeoutError):
            await workflow.wait_condition(has_reason_to_look, timeout=min(LOOK_AGAIN, timedelta(seconds=seconds + 1)))

    def _settle(self, task: asyncio.Task[None], document: DocumentToBuild) -> None:
        self._built += 1
        if task.cancelled():
            return
        if (error := task.exception()) is None:
            self._done += 1
            self._progress.count(self._done)
        elif isinstance(error, ActivityError) and not was_canceled(error):
            self._failures[document.document_id] = [document.document_name, reason_of(error).render()]
        else:
            raise error

    async def _stop(self, running: dict[asyncio.Task[None], DocumentToBuild]) -> None:
        """Stop what runs; it is listed again."""
        for task in running:
            task.cancel()
        for task, document in list(running.items()):
            try:
                await task
                self._done += 1
            except (asyncio.CancelledError, ActivityError):
                self._listed.insert(0, document)
        running.clear()

    async def _build_in_its_share(self, document: DocumentToBuild) -> None:
        """Build one document; its place rests afterwards, as the throttle says."""
        begun = workflow.now()
        await self._build_document(document)
        await self._rest(begun)

    async def _rest(self, begun: datetime) -> None:
        """Rest after work that began at ``begun``, as the throttle says."""
        throttle = self._controls.throttle or 1.0
        if throttle < 1:
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._is_interrupted() or self._controls.throttle != throttle,
                    timeout=(workflow.now() - begun) * (1 / throttle - 1),
                )

    async def _build_document(self, document: DocumentToBuild) -> None:
        """parse → chunk → embed → index of one document; stages whose output exists take a look only."""
        parsed = await self._parse(document)
        chunked = parsed.chunked or await self._chunk(document, parsed)
        while True:
            embedded = await self._embed(document, parsed, chunked)
            if not embedded.remaining:
                break
        if embedded.indexed is None:
            await self._index(document, parsed, chunked, embedded)

    async def _parse(self, document: DocumentToBuild) -> Parsed:
        return await workflow.execute_activity(
            signatures.parse,
            ParseInput(
                sha256=document.sha256,
                document_name=document.document_name,
                bytes=document.bytes,
                chunking=self._job.chunking if document.bytes <= SHORT_BYTES else None,
                embedding=self._job.embedding,
            ),
            task_queue=Queue.CPU,
            priority=self._priority,
            summary=f"Read {document.document_name}",
            **LONG_STEP,
        )

    async def _chunk(self, document: DocumentToBuild, parsed: Parsed) -> Chunked:
        return await workflow.execute_activity(
            signatures.chunk,
            ChunkInput(
                parsed_key=parsed.parsed_key,
                chunking=self._job.chunking,
                document_name=document.document_name,
                embedding=self._job.embedding,
            ),
            task_queue=Queue.CPU,
            priority=self._priority,
            summary=f"Split {document.document_name} into chunks",
            **LONG_STEP,
        )

    async def _embed(self, document: DocumentToBuild, parsed: Parsed, chunked: Chunked) -> Embedded:
        short = document.bytes <= SHORT_BYTES
        return await workflow.execute_activity(
            signatures.embed,
            EmbedInput(
                document_id=document.document_id,
                version=document.version,
                chunks_key=chunked.chunks_key,
                slice_seconds=BULK_SLICE_SECONDS,
                index=self._index_input(document, parsed, chunked) if short else None,
                generation=self._job.generation,
                embedding=self._job.embedding,
            ),
            task_queue=Queue.GPU,
            priority=self._priority,
            summary=f"Embed {chunked.chunks:,} chunks of {document.document_name}",
            **LONG_STEP,
        )

    async def _index(self, document: DocumentToBuild, parsed: Parsed, chunked: Chunked, embedded: Embedded) -> None:
        await workflow.execute_activity(
            signatures.index,
            self._index_input(document, parsed, chunked).of(embedded),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Write {chunked.chunks:,} rows of {document.document_name}",
            **LONG_STEP,
        )

    def _index_input(self, document: DocumentToBuild, parsed: Parsed, chunked: Chunked) -> IndexInput:
        return IndexInput(
            knowledge_base_id=self._job.knowledge_base_id,
            document_id=document.document_id,
            version=document.version,
            chunks_key=chunked.chunks_key,
            generation=self._job.generation,
            publish=PublishInput(
                document_id=document.document_id,
                version=document.version,
                chunks=chunked.chunks,
                media_type=parsed.media_type,
                pages=parsed.pages,
                parsed_key=parsed.parsed_key,
                chunks_key=chunked.chunks_key,
                generation=self._job.generation,
                knowledge_base_id=self._job.knowledge_base_id,
                remarks=parsed.remarks,
                record_only=True,
            ),
        )

    async def _verify(self) -> Verified:
        verified = await self._interruptible(
            workflow.start_activity(
                signatures.verify_generation,
                ReindexInput(reindex_id=self._job.reindex_id),
                task_queue=Queue.STORE,
                priority=self._priority,
                summary="Count the rows of every document, and look for some",
                **LONG_STEP,
            )
        )
        await self._record("running", verified=verified)
        return verified

    # --- quality gate -------------------------------------------------------------------------------------

    async def _pass_gate(self) -> None:
        """Compare both generations with the job's questions; a refused switch waits for a person."""
        if not self._overridden_by:
            await self._enter("gate")
            self._gate_refusal = await self._gate.compare(self._interruptible, self._rest_between)
            if self._gate_refusal is not None:
                await self._wait_for_override(self._gate_refusal)
        self._gated = True

    async def _rest_between(self, begun: datetime) -> None:
        await self._rest(begun)
        await self._wait_while_paused({})

    async def _wait_for_override(self, refused: Reason) -> None:
        """Raises CancelledError when it is canceled, or nobody decided in time."""
        self._progress.wait("gate")
        await self._record("waiting", stage="gate", reason=refused)
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: bool(self._overridden_by) or self._is_to_end(),
                timeout=timedelta(seconds=self._job.gate_seconds),
            )
        self._raise_if_canceled()
        if not self._overridden_by:
            self._gave_up = self._canceled = True
            raise asyncio.CancelledError
        await self._record(
            "running", stage="gate", action="override", actor=self._overridden_by, note=self._override_reason
        )

    # --- switch -------------------------------------------------------------------------------------------

    async def _wait_for_approval(self) -> None:
        if not self._approved_by:
            self._progress.wait("approve")
            await self._record("waiting", stage="approve")
        await workflow.wait_condition(lambda: bool(self._approved_by) or self._is_to_end())
        self._raise_if_canceled()
        await self._record("running", stage="approve", action="approve", actor=self._approved_by)

    async def _switch(self) -> None:
        for _ in range(COMPLETIONS):
            await self._wait_while_paused({})
            await self._enter("switch")
            self._raise_if_canceled()
            self._switched = True  # from now on a cancel is a rollback
            switched = await to_the_end(self._switch_to(back=False, actor=self._approved_by or self._job.actor))
            if switched.switched:
                return
            self._switched, self._approved_by = False, ""
            if self._canceled_in_switch and workflow.patched(HEED_CANCEL_IN_SWITCH):
                self.cancel(self._canceled_in_switch)
            await self._build_and_verify()
            if self._job.approve:
                await self._wait_for_approval()
        raise final_failure(GenerationDiffers(lost=switched.missing, searched=self._done).reason)

    async def _switch_to(self, *, back: bool, actor: str) -> Switched:
        return await workflow.execute_activity(
            signatures.switch_generation,
            SwitchInput(reindex_id=self._job.reindex_id, actor=actor, back=back),
            task_queue=Queue.STORE,
            priority=Priority(priority_key=Urgency.UPLOAD, fairness_key=self._job.knowledge_base_id),
            summary=f"Search generation {self._job.previous if back else self._job.generation} from now on",
            **LONG_STEP,
        )

    async def _soak(self) -> None:
        """Keep the generation before; return to it when that is asked for. Raises _RolledBack then."""
        await self._enter("soak")
        self._soaks = True
        if self._canceled_in_switch and workflow.patched(HEED_CANCEL_IN_SWITCH):
            self._rollback_by = self._canceled_in_switch
        end = workflow.now() + timedelta(seconds=self._job.soak_seconds)
        while not self._has_soaked() and workflow.now() < end:
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: bool(self._rollback_by) or self._has_soaked(), timeout=end - workflow.now()
                )
            if self._rollback_by and not self._finish_by:
                await self._roll_back()
        self._finish_by = self._finish_by or self._job.actor
        await self._enter("retire")

    def _has_soaked(self) -> bool:
        """Whether nobody wants to go back any more; Temporal's own cancel request can only end the wait."""
        return bool(self._finish_by) or workflow.cancellation_reason() is not None

    async def _roll_back(self) -> None:
        try:
            switched = await to_the_end(self._switch_to(back=True, actor=self._rollback_by))
        except ActivityError:  # it is gone, or is no longer written
            switched = Switched(switched=False)
        if switched.switched:
            self._rolled_back = True
            raise _RolledBack
        self._rollback_by, self._refused = "", True

    async def _end_rolled_back(self) -> ReindexResult:
        await workflow.sleep(DRAIN)
        await self._retire(self._job.generation)
        await self._record("canceled", reason=Reason(code=RolledBack.code))
        self._ended = True
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._progress.finish("canceled", by_actor(self._rollback_by))
        return ReindexResult(plan=self._plan or ReindexPlan(), switched=False, documents=self._done)

    async def _retire(self, generation: int, *, unfinished: bool = False) -> None:
        await workflow.execute_activity(
            signatures.retire_generation,
            RetireInput(reindex_id=self._job.reindex_id, generation=generation, unfinished=unfinished),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Remove generation {generation}",
            **LONG_STEP,
        )

    async def _discard(self, reason: Reason, *, canceled: bool) -> None:
        if not self._switched:
            await self._retire(self._job.generation, unfinished=True)
        state: JobStateName = "canceled" if canceled else "failed"
        actor = (self._canceled_by or canceled_by()).removeprefix("by ") if canceled else ""
        await self._record(state, reason=reason, action="cancel" if canceled else "fail", actor=actor)
        self._progress.finish(state, by_actor(actor))

    # --- controls -----------------------------------------------------------------------------------------

    def _change(self, controls: ReindexControls) -> None:
        self._controls = msgspec.structs.replace(self._controls, **controls.given())

    def _is_to_end(self) -> bool:
        """Whether it was canceled, also by a request of Temporal that an awaited activity has consumed."""
        return self._canceled or workflow.cancellation_reason() is not None

    def _is_interrupted(self) -> bool:
        return self._paused or self._is_to_end()

    def _raise_if_canceled(self) -> None:
        if self._is_to_end():
            raise asyncio.CancelledError

    async def _wait_while_paused(self, running: dict[asyncio.Task[None], DocumentToBuild]) -> None:
        """Stop what runs and wait while the re-index is paused. Raises CancelledError when it is canceled."""
        self._raise_if_canceled()
        if self._paused:
            await self._stop(running)
            self._progress.pause(self._paused_by)
            await self._record("paused")
            await workflow.wait_condition(lambda: not self._paused or self._is_to_end())
            self._raise_if_canceled()
            await self._enter(self._progress.state().stage or "plan")

    async def _interruptible(self, running: workflow.ActivityHandle[T]) -> T:
        """The result of an activity, which a cancel stops."""
        stop = asyncio.ensure_future(workflow.wait_condition(self._is_to_end))
        try:
            await workflow.wait([running, stop], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await cancel_and_wait(running)
            raise
        finally:
            stop.cancel()
        if not running.done():
            await cancel_and_wait(running)
            self._raise_if_canceled()
        return running.result()

    def _continue_as_new(self) -> None:
        workflow.continue_as_new(
            msgspec.structs.replace(
                self._job,
                plan=self._plan,
                done=self._done,
                passed=self._begun if self._listed else self._passed,
                seen=self._seen,
                failures=self._failures,
                failed_before=sorted(self._failed_before),
                paused=self._paused,
                paused_by=self._paused_by,
                controls=self._controls,
                gated=self._gated,
                overridden_by=self._overridden_by or None,
            )
        )

    async def _enter(self, stage: str) -> None:
        self._progress.enter(stage)
        await self._record("running", stage=stage)

    async def _store(self, activity: Callable[[In], Coroutine[Any, Any, T]], input: In, summary: str) -> T:
        return await workflow.execute_activity(
            activity, input, task_queue=Queue.STORE, priority=self._priority, summary=summary, **SHORT_STEP
        )

    async def _record(
        self,
        state: JobStateName,
        *,
        stage: str = "",
        reason: Reason | None = None,
        plan: ReindexPlan | None = None,
        verified: Verified | None = None,
        action: str = "",
        actor: str = "",
        note: str = "",
    ) -> None:
        await self._store(
            signatures.record_reindex,
            RecordReindexInput(
                reindex_id=self._job.reindex_id,
                state=state,
                stage=stage,
                done=self._done,
                reason=reason,
                plan=plan,
                verified=verified,
                actor=actor or self._job.actor,
                action=action,
                note=note,
            ),
            f"Record: {state} {stage}".strip(),
        )
