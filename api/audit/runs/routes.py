"""Runs for auditors. Whoever reads or replays a history is in the audit trail."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Any

from litestar import Controller, Request, Response, get, post
from litestar.params import Parameter

from activities.errors import InvalidRequest
from activities.phrases import Phrase
from activities.settings import Settings
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Principal
from activities.stores.catalog.runs.archive import hex_of
from activities.stores.catalog.runs.records import RunFilter
from api.audit.runs.reader import RunReader
from api.audit.runs.schemas import ReplayInfo, RunDetail, RunInfo, ViewsInfo
from api.audit.runs.views import run_detail, run_info, views_info
from api.http.access import needs
from api.http.language import language_of
from api.http.schemas import Page
from workflows.client.jobs import Jobs
from workflows.client.replay import difference

AnyRequest = Request[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=200, description="Maximum number of items on a page.")]
WorkflowType = Annotated[str | None, Parameter(max_length=64, description="A workflow's type.")]
Name = Annotated[str | None, Parameter(max_length=200)]
WorkflowId = Annotated[str | None, Parameter(max_length=1000, description="The id of a workflow.")]
DocumentId = Annotated[str | None, Parameter(max_length=32)]
Cursor = Annotated[str | None, Parameter(max_length=4000)]

AUDITS = needs("auditor")


class AuditRunController(Controller):
    path = "/api/v1/audit/runs"
    tags = ["Audit"]

    @get(access=AUDITS, summary="List runs: those that are not archived yet, newest first, then archived ones")
    async def runs(
        self,
        catalog: Catalog,
        blobs: Blobs,
        jobs: Jobs,
        settings: Settings,
        kb: Name = None,
        actor: Name = None,
        type: WorkflowType = None,
        workflow: WorkflowId = None,
        document_id: DocumentId = None,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[RunInfo]:
        """A page can be short, or empty, while there is a cursor: what matches may be further back."""
        wanted = RunFilter(
            workflow_id=workflow,
            type=type,
            knowledge_base=kb,
            document_id=document_id,
            actor=actor,
            since=_utc(since),
            until=_utc(until),
        )
        found, following = await RunReader(catalog, blobs, jobs).page(wanted, cursor, limit)
        return Page(items=[run_info(each, settings.temporal) for each in found], next_cursor=following)

    @get("/{run_id:str}", access=AUDITS, summary="Get a run with the events of its history")
    async def run(
        self, run_id: str, catalog: Catalog, blobs: Blobs, jobs: Jobs, settings: Settings, principal: Principal
    ) -> RunDetail:
        reader = RunReader(catalog, blobs, jobs)
        found = await reader.find(run_id)
        await _note(catalog, principal, "run.read", found.run.run_id)
        return run_detail(found, await reader.events(found), await reader.sha256(found), settings.temporal)

    @get("/{run_id:str}/history", access=AUDITS, summary="Download a history (gzip of Temporal's export format)")
    async def history(
        self, run_id: str, catalog: Catalog, blobs: Blobs, jobs: Jobs, principal: Principal
    ) -> Response[bytes]:
        reader = RunReader(catalog, blobs, jobs)
        found = await reader.find(run_id)
        await _note(catalog, principal, "run.download", found.run.run_id)
        name = f"{found.run.run_id}.binpb.gz"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(await reader.file(found), media_type="application/octet-stream", headers=headers)

    @post(
        "/{run_id:str}/replay",
        status_code=200,
        access=AUDITS,
        summary="Replay a history with the workflow code of this version",
    )
    async def replay(self, run_id: str, catalog: Catalog, blobs: Blobs, jobs: Jobs, principal: Principal) -> ReplayInfo:
        reader = RunReader(catalog, blobs, jobs)
        found = await reader.find(run_id)
        events = await reader.events(found)
        differs = await difference(jobs.client, found.run.workflow_id, events)
        await _note(catalog, principal, "run.replay", found.run.run_id, replays=differs is None)
        return ReplayInfo(
            run_id=found.run.run_id,
            workflow_id=found.run.workflow_id,
            archived=found.archived is not None,
            events=len(events),
            version=version("holdfast"),
            replays=differs is None,
            difference=differs,
        )


class AuditViewController(Controller):
    path = "/api/v1/audit/views"
    tags = ["Audit"]

    @get(access=needs("auditor", also=("operator",)), summary="List views of Temporal's UI, with their addresses")
    async def views(self, request: AnyRequest, settings: Settings) -> ViewsInfo:
        return views_info(settings.temporal, language_of(request))


async def _note(catalog: Catalog, principal: Principal, action: str, run_id: str, **detail: object) -> None:
    await catalog.audit.note(principal.subject, action, hex_of(run_id), run=run_id, **detail)


def _utc(at: datetime | None) -> datetime | None:
    """A time without a zone is UTC. Raises InvalidRequest."""
    if at is None or at.tzinfo is None:
        return at.replace(tzinfo=UTC) if at else None
    try:
        return at.astimezone(UTC)
    except OverflowError as exc:
        raise InvalidRequest(detail=Phrase.NOT_A_TIME, value=at.isoformat()) from exc
