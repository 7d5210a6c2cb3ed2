"""Compares catalogue, blobs, Milvus and Temporal, and repairs differences, on request."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Controller, Request, get, post
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus, WorkflowFailureError

from activities.contracts import addresses
from activities.contracts.ids import reconcile_id
from activities.contracts.search_attributes import STAGE
from activities.contracts.stages import FINAL_STATES, RECONCILE_STAGES, number_of
from activities.errors import Language, NotFound
from activities.runtime import temporal
from activities.runtime.failures import reason_of
from activities.stores.catalog.records import Principal
from activities.stores.catalog.tables import new_id
from api.http.access import needs
from api.http.language import language_of
from api.http.schemas import JobAccepted
from api.maintenance.schemas import ReconcileInfo, ReconcileRequest
from api.maintenance.views import reconcile_info
from workflows.client.jobs import Jobs
from workflows.contracts import JobState, ReconcileJob, ReconcileReport

AnyRequest = Request[Any, Any, Any]


class ReconcileController(Controller):
    path = "/api/v1/reconcile"
    tags = ["Operation"]

    @post(
        status_code=202,
        access=needs("operator"),
        summary="Compare all stores; repair differences unless `repair` is false",
    )
    async def start(self, jobs: Jobs, principal: Principal, data: ReconcileRequest | None = None) -> JobAccepted:
        data = data or ReconcileRequest()
        job = ReconcileJob(reconcile_id=new_id(), actor=principal.subject, repair=data.repair, all_files=data.all_files)
        workflow_id = await jobs.reconcile(job)
        return JobAccepted(
            id=job.reconcile_id,
            state="queued",
            workflow_id=workflow_id,
            status_url=addresses.reconciliation(job.reconcile_id),
        )

    @get(
        "/{id:str}",
        access=needs("operator"),
        summary="Get the progress of a comparison, and its report when it has finished",
    )
    async def show(self, id: str, request: AnyRequest, jobs: Jobs) -> ReconcileInfo:
        run = await temporal.describe(jobs.client, reconcile_id(id))
        if run is None:
            raise NotFound(kind="reconciliation", id=id)
        async with temporal.translated():
            return await _info(id, jobs, run, language_of(request))


async def _info(id: str, jobs: Jobs, run: WorkflowExecutionDescription, language: Language) -> ReconcileInfo:
    state, report = await _state(jobs, run, language)
    return reconcile_info(id, state, report, run.start_time, run.close_time)


async def _state(
    jobs: Jobs, run: WorkflowExecutionDescription, language: Language
) -> tuple[JobState, ReconcileReport | None]:
    stage = run.typed_search_attributes.get(STAGE, "")
    known = JobState(state="running", stage=stage, stage_number=number_of(stage, RECONCILE_STAGES))
    match run.status:
        case WorkflowExecutionStatus.RUNNING:
            state = await temporal.query(jobs.client, run.id, "state", JobState)
            if state is None:  # no worker answers: what the server knows
                return msgspec.structs.replace(known, state="waiting", waiting_for="worker"), None
            # its report comes with its end, which is a moment after its last word
            return (msgspec.structs.replace(state, state="running") if state.state in FINAL_STATES else state), None
        case WorkflowExecutionStatus.COMPLETED:
            report = msgspec.convert(await jobs.handle(run.id).result(), ReconcileReport)
            found = sum(each.count for each in report.findings)
            return msgspec.structs.replace(known, state="ready", stage="", done=found), report
        case WorkflowExecutionStatus.FAILED:
            try:
                await jobs.handle(run.id).result()
            except WorkflowFailureError as exc:
                reason = reason_of(exc.cause).render(language)
                return msgspec.structs.replace(known, state="failed", reason=reason), None
    return msgspec.structs.replace(known, state="canceled"), None
