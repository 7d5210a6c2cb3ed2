"""Comparisons of the stores as the API shows them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from activities.contracts import addresses
from activities.contracts.ids import reconcile_id
from activities.contracts.stages import RECONCILE_STAGES
from api.maintenance.schemas import FindingInfo, ReconcileInfo, ReconcileReportInfo
from workflows.contracts import JobState, ReconcileReport


def reconcile_info(
    id: str,
    state: JobState,
    report: ReconcileReport | None,
    started_at: datetime,
    finished_at: datetime | None,
) -> ReconcileInfo:
    """A comparison, how far it is, and its report when it has one."""
    return ReconcileInfo(
        id=id,
        state=state.state,
        stage=state.stage,
        stage_number=state.stage_number,
        stage_count=len(RECONCILE_STAGES),
        found=state.done,
        reason=state.reason,
        workflow_id=reconcile_id(id),
        status_url=addresses.reconciliation(id),
        started_at=started_at,
        finished_at=finished_at,
        report=_report_info(report) if report else None,
    )


def _report_info(report: ReconcileReport) -> ReconcileReportInfo:
    findings = [FindingInfo(**msgspec.structs.asdict(each)) for each in report.findings]
    return ReconcileReportInfo(repair=report.repair, findings=findings)
