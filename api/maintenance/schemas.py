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


class LoopState(Schema, frozen=True):
    """A loop of the API process; without it the process is not ready."""

    name: str
    ready: bool
    detail: str | None = None


class LanguageModelInfo(Schema, frozen=True):
    """The model that writes generated answers; ``host`` is null for one that runs on the platform's own model server.

    ``detail`` says what to do about one that is not ready.
    """

    name: str
    host: str | None
    ready: bool
    detail: str | None


class OverdueInfo(Schema, frozen=True):
    """Uploads that were accepted and have no run for longer than a minute; the process itself may be ready."""

    count: int
    oldest_seconds: float
    detail: str


class Readiness(Schema, frozen=True):
    """``overdue`` is null if nothing is, or while the catalogue does not say; so is ``audit_log``.

    ``audit_log`` says that the log of audit events was tampered with; the process itself may be ready.
    """

    ready: bool
    dependencies: list[DependencyState]
    loops: list[LoopState]
    overdue: OverdueInfo | None
    audit_log: str | None = None
