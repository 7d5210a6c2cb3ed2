"""Comparing catalogue, blobs, Milvus and Temporal, and mending what disagrees, on request."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from litestar import Controller, Request, get, post
from temporalio.client import (
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import Language, NotFound
from activities.interceptor import reason_of
from activities.stores.catalog.records import Principal
from activities.stores.catalog.tables import new_id
from api.errors import language_of
from api.schemas import JobAccepted
from api.schemas_reconcile import ReconcileInfo, ReconcileReportInfo, ReconcileRequest
from workflows.connect import Jobs, translated
from workflows.contracts import (
    FINAL_STATES,
    RECONCILE_STAGES,
    STAGE,
    JobState,
    ReconcileJob,
    ReconcileReport,
    reconcile_id,
)

AnyRequest = Request[Any, Any, Any]

#: How long a worker may take to answer a query before the state is taken from the server alone.
QUERY_TIMEOUT = timedelta(seconds=2)


class ReconcileController(Controller):
    path = "/api/v1/reconcile"
    tags = ["Operation"]

    @post(status_code=202, summary="Compare all stores; repair differences unless `repair` is false")
    async def start(self, jobs: Jobs, principal: Principal, data: ReconcileRequest | None = None) -> JobAccepted:
        job = ReconcileJob(reconcile_id=new_id(), actor=principal.subject, repair=data.repair if data else True)
        workflow_id = await jobs.reconcile(job)
        return JobAccepted(
            id=job.reconcile_id, state="queued", workflow_id=workflow_id, status_url=f"{self.path}/{job.reconcile_id}"
        )

    @get("/{id:str}", summary="Get the progress of a comparison, and its report when it has finished")
    async def show(self, id: str, request: AnyRequest, jobs: Jobs) -> ReconcileInfo:
        handle = jobs.handle(reconcile_id(id))
        try:
            async with translated():
                run = await handle.describe()
                return await _info(id, handle, run, language_of(request))
        except RPCError as exc:
            if exc.status is not RPCStatusCode.NOT_FOUND:
                raise
            raise NotFound(kind="reconciliation", id=id) from exc


async def _info(
    id: str, handle: WorkflowHandle[Any, Any], run: WorkflowExecutionDescription, language: Language
) -> ReconcileInfo:
    state, report = await _state(handle, run, language)
    return ReconcileInfo(
        id=id,
        state=state.state,
        stage=state.stage,
        stage_number=state.stage_number,
        stage_count=len(RECONCILE_STAGES),
        found=state.done,
        reason=state.reason,
        workflow_id=run.id,
        status_url=f"{ReconcileController.path}/{id}",
        started_at=run.start_time,
        finished_at=run.close_time,
        report=ReconcileReportInfo.of(report) if report else None,
    )


async def _state(
    handle: WorkflowHandle[Any, Any], run: WorkflowExecutionDescription, language: Language
) -> tuple[JobState, ReconcileReport | None]:
    stage = run.typed_search_attributes.get(STAGE, "")
    known = JobState(state="running", stage=stage, stage_number=_number(stage))
    match run.status:
        case WorkflowExecutionStatus.RUNNING:
            try:
                state: JobState = await handle.query("state", result_type=JobState, rpc_timeout=QUERY_TIMEOUT)
                # its report comes with its end, which is a moment after its last word
                return (msgspec.structs.replace(state, state="running") if state.state in FINAL_STATES else state), None
            except RPCError:  # no worker answers: what the server knows
                return msgspec.structs.replace(known, state="waiting", waiting_for="worker"), None
        case WorkflowExecutionStatus.COMPLETED:
            report = msgspec.convert(await handle.result(), ReconcileReport)
            found = sum(each.count for each in report.findings)
            return msgspec.structs.replace(known, state="ready", stage="", done=found), report
        case WorkflowExecutionStatus.FAILED:
            try:
                await handle.result()
            except WorkflowFailureError as exc:
                reason = reason_of(exc.cause).render(language)
                return msgspec.structs.replace(known, state="failed", reason=reason), None
    return msgspec.structs.replace(known, state="canceled"), None


def _number(stage: str) -> int:
    return RECONCILE_STAGES.index(stage) + 1 if stage in RECONCILE_STAGES else 0
