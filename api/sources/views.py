"""Sources and syncs as the API shows them."""

from __future__ import annotations

from activities.contracts import addresses
from activities.contracts.ids import sync_workflow_id
from activities.contracts.stages import SYNC_STAGES, number_of
from activities.errors import Language
from activities.stores.catalog.source_records import Source, Sync
from api.http.schemas import JobAccepted
from api.sources.schemas import ReportInfo, SourceInfo, SyncInfo


def source_info(source: Source, language: Language, *, manages: bool) -> SourceInfo:
    """A source; who does not manage it learns nothing of the server's folders."""
    return SourceInfo(
        id=source.id,
        knowledge_base=source.knowledge_base,
        name=source.name,
        kind=source.kind,
        location=source.location if manages else None,
        include=source.include if manages else [],
        exclude=source.exclude if manages else [],
        max_delete_share=source.max_delete_share,
        tags=source.tags,
        documents=source.documents,
        last_sync=sync_info(source.last_sync, language, manages=manages) if source.last_sync else None,
        created_by=source.created_by,
        created_at=source.created_at,
        updated_at=source.updated_at,
    )


def sync_info(sync: Sync, language: Language, *, manages: bool) -> SyncInfo:
    """A sync with its report."""
    report = sync.report
    return SyncInfo(
        id=sync.id,
        source_id=sync.source_id,
        source=sync.source,
        knowledge_base=sync.knowledge_base,
        occurrence=sync.occurrence,
        preview=sync.preview,
        state=sync.state,
        stage=sync.stage,
        stage_number=number_of(sync.stage, SYNC_STAGES),
        stage_count=len(SYNC_STAGES),
        done=sync.done,
        total=sync.total,
        waiting_for=sync.waiting_for,
        reason=sync.reason.render(language) if sync.reason else None,
        report=ReportInfo(
            files=report.files,
            documents=report.documents,
            added=report.added,
            updated=report.updated,
            deleted=report.deleted,
            unchanged=report.unchanged,
            conflicts=report.conflicts,
            left_out=report.left_out,
            guarded=report.guarded,
            names=report.names if manages else {},
        )
        if report
        else None,
        applied=sync.applied,
        batch_id=sync.batch_id,
        actor=sync.actor,
        confirmed_by=sync.confirmed_by,
        created_at=sync.created_at,
        updated_at=sync.updated_at,
        finished_at=sync.finished_at,
        workflow_id=sync_workflow_id(sync.source_id, sync.occurrence),
        status_url=addresses.sync(sync.id),
        events_url=addresses.sync_events(sync.id),
    )


def sync_job(sync: Sync, state: str) -> JobAccepted:
    """Where to watch a sync."""
    return JobAccepted(
        id=sync.id,
        state=state,
        workflow_id=sync_workflow_id(sync.source_id, sync.occurrence),
        status_url=addresses.sync(sync.id),
        events_url=addresses.sync_events(sync.id),
    )
