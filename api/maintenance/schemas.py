"""What the HTTP API takes and gives of comparisons of the stores."""

from __future__ import annotations

from datetime import datetime

from activities.contracts.stages import JobStateName
from api.http.schemas import Request, Schema


class ReconcileRequest(Request, frozen=True):
    """``repair`` false: only look. ``all_files`` looks for the files of every live version instead of a sample."""

    repair: bool = True
    all_files: bool = False


class FindingInfo(Schema, frozen=True):
    """``count`` things disagree; ``mended`` were put right, ``failed`` cannot be, the rest was only looked at."""

    kind: str
    count: int
    mended: int
    failed: int
    examples: list[str]


class ReconcileReportInfo(Schema, frozen=True):
    repair: bool
    findings: list[FindingInfo]


class ReconcileInfo(Schema, frozen=True):
    """A comparison of all stores; ``found`` counts what disagreed so far, ``report`` is there when it is ready."""

    id: str
    state: JobStateName
    stage: str
    stage_number: int
    stage_count: int
    found: int
    reason: str | None
    workflow_id: str
    status_url: str
    started_at: datetime
    finished_at: datetime | None
    report: ReconcileReportInfo | None


class DependencyState(Schema, frozen=True):
    name: str
    ready: bool
    detail: str | None = None


class Readiness(Schema, frozen=True):
    ready: bool
    dependencies: list[DependencyState]
