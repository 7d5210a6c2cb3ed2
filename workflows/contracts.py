"""Inputs and results of the workflows, and the state of a job."""

from __future__ import annotations

from datetime import datetime

import msgspec

from activities.contracts import Contract
from activities.contracts.answers import AnswerMode
from activities.contracts.batches import BatchToIngest, DocumentVersion
from activities.contracts.documents import Remark
from activities.contracts.failures import FailuresToRetry
from activities.contracts.histories import Window
from activities.contracts.ingest import DocumentToIngest
from activities.contracts.queues import Priority
from activities.contracts.reconcile import Discrepancy
from activities.contracts.reindex import ReindexControls, ReindexPlan, ReindexToRun
from activities.contracts.reindex_all import ControlAllInput, ReindexAllToRun
from activities.contracts.retention import RetentionToRun
from activities.contracts.schedules import ScheduleRunState
from activities.contracts.search import SearchFilter
from activities.contracts.stages import JobStateName
from activities.contracts.sync import SyncReport, SyncToRun
from activities.contracts.webhooks import DeliveryToMake
from activities.errors import Reason


class JobState(Contract, frozen=True):
    """The state of a job (DESIGN §5). ``done`` and ``total`` count the current stage's work."""

    state: JobStateName
    stage: str = ""
    stage_number: int = 0
    stage_count: int = 0
    done: int = 0
    total: int | None = None
    attempt: int = 1
    waiting_for: str | None = None
    reason: str | None = None
    next_attempt_at: datetime | None = None
    eta_seconds: float | None = None
    updated_at: datetime | None = None
    remarks: list[Remark] = msgspec.field(default_factory=list)


class IngestJob(DocumentToIngest, frozen=True):
    """One document version to ingest, and the priority of its activities.

    ``hide_stages`` keeps the stages out of the search attributes: an update costs the server as much as an activity,
    and the thousands of documents of a batch are followed through their batch.
    """

    priority: int = Priority.UPLOAD
    hide_stages: bool = msgspec.field(default=False, name="quiet")


class IngestResult(Contract, frozen=True):
    """Counts of chunks. ``live`` is False if a newer version was published first or the document was deleted.

    ``begun`` is False if the version was not to be ingested, or not by this run: then nothing was done.
    """

    live: bool
    chunks: int
    embedded: int
    reused: int
    pages: int | None = None
    begun: bool = True


class BatchJob(BatchToIngest, frozen=True):
    """A batch to ingest. The other fields carry over when the run continues as new.

    With ``retry`` the run begins with the failed and canceled documents.
    """

    in_flight: list[DocumentVersion] = []  # noqa: RUF012 - msgspec copies it
    ahead: list[DocumentToIngest] = []  # noqa: RUF012
    done: int = 0
    paused: bool = False
    paused_by: str = ""
    retry: bool = False


class BatchResult(Contract, frozen=True):
    """The number of documents that finished, in any final state."""

    documents: int


class ReindexJob(ReindexToRun, frozen=True):
    """A re-index. The other fields carry over when the run continues as new.

    ``passed`` is the last document of the pass that was listed; ``failures`` are the documents that failed in it, by
    id, with name and reason, ``failed_before`` those of the pass before. ``gated``: it has passed the quality gate.
    """

    plan: ReindexPlan | None = None
    done: int = 0
    passed: str = ""
    seen: int = 0
    failures: dict[str, list[str]] = {}  # noqa: RUF012 - msgspec copies it
    failed_before: list[str] = []  # noqa: RUF012
    paused: bool = False
    paused_by: str = ""
    controls: ReindexControls = ReindexControls()
    gated: bool = False


class ReindexAllJob(ReindexAllToRun, frozen=True):
    """A re-index of many; ``asked`` are controls that carry over when the run continues as new."""

    asked: list[ControlAllInput] = []  # noqa: RUF012 - msgspec copies it


class ReindexResult(Contract, frozen=True):
    """``switched`` is False when the plan was asked for only, or found nothing to do."""

    plan: ReindexPlan
    switched: bool
    documents: int = 0


class SyncJob(SyncToRun, frozen=True):
    """A sync. The other fields carry over when the run continues as new, while ``changes`` are applied."""

    report: SyncReport | None = None
    changes: int = 0
    done: int = 0
    applied: dict[str, int] = {}  # noqa: RUF012 - msgspec copies it
    paused: bool = False
    paused_by: str = ""


class SyncResult(Contract, frozen=True):
    """What was found, and counts of what was done by outcome."""

    report: SyncReport
    applied: dict[str, int] = {}  # noqa: RUF012


class DeliveryJob(DeliveryToMake, frozen=True):
    """One event to deliver to one webhook endpoint."""


class DeleteReceipt(Contract, frozen=True):
    """Proof of a purge: rows before, rows after (0), and deleted blobs (those that no other document uses)."""

    rows_before: int
    rows_after: int
    blobs: int


class ScheduledResult(Contract, frozen=True):
    """How a scheduled run ended, and the workflow that it started; none if it was skipped, for ``reason``."""

    state: ScheduleRunState
    job: str = ""
    reason: Reason | None = None
    counts: dict[str, int] = {}  # noqa: RUF012 - msgspec copies it


class RetentionJob(RetentionToRun, frozen=True):
    """A retention. The other fields carry over when the run continues as new; ``expired`` documents are to go."""

    documents: int = 0
    expired: int | None = None
    deleted: int = 0
    rows: int = 0
    unfinished: int = 0
    after: str = ""
    confirmed_by: str = ""


class RetentionReceipt(Contract, frozen=True):
    """Of ``documents``, ``expired`` were to go and ``deleted`` went, with ``rows`` of the index.

    Nobody finds ``unfinished`` ones any more either, but they are not purged yet; Reconcile goes on with them.
    """

    documents: int
    expired: int
    deleted: int
    rows: int = 0
    unfinished: int = 0
    confirmed_by: str = ""


class QuestionJob(Contract, frozen=True):
    """One question to answer from a knowledge base, or from some of its documents.

    Earlier turns are in the catalogue (``conversation_id``) or in a blob with the list of ``Turn`` that the client sent
    (``history_key``, which takes precedence). ``hide_stages`` keeps stages of less than a second out of the search
    attributes. ``local_activities`` runs short activities as local ones, and with ``events_in_catalog`` the activities
    write the events that readers follow; both are False in runs from before the fields existed.
    """

    question_id: str
    knowledge_base_id: str
    knowledge_base: str
    question: str
    mode: AnswerMode
    actor: str
    conversation_id: str | None = None
    history_key: str | None = None
    wait_for_index: bool = False
    documents: list[str] = []  # noqa: RUF012 - msgspec copies it
    filter: SearchFilter | None = None
    hide_stages: bool = msgspec.field(default=False, name="quiet")
    local_activities: bool = msgspec.field(default=False, name="at_once")
    events_in_catalog: bool = False


class ReconcileJob(Contract, frozen=True):
    """Compare catalogue, blobs, Milvus and Temporal. Discrepancies are repaired with ``repair``, else only counted.

    Records and blobs younger than their grace period are skipped. ``reconcile_id`` is empty in scheduled runs.
    ``all_files`` looks for the files of all live versions instead of a sample.
    """

    reconcile_id: str = ""
    actor: str = "schedule"
    repair: bool = True
    grace_seconds: float = 300.0
    blob_grace_seconds: float = 3600.0
    all_files: bool = False


class ArchiveJob(Contract, frozen=True):
    """Export histories, then delete those kept for long enough. The other fields carry over as it continues as new."""

    window: Window | None = None
    archived: int = 0


class ArchiveReport(Contract, frozen=True):
    """The numbers of histories that were exported and deleted."""

    archived: int
    expired: int


class ReconcileReport(Contract, frozen=True):
    """Discrepancies by kind; kinds without any are left out."""

    repair: bool
    findings: list[Discrepancy] = []  # noqa: RUF012 - msgspec copies it


class RetryFailuresJob(FailuresToRetry, frozen=True):
    """Failed documents to retry. The other fields carry over when the run continues as new."""

    in_flight: list[DocumentVersion] = []  # noqa: RUF012
    done: int = 0


class RetriedFailures(Contract, frozen=True):
    """The number of documents that were put back in line."""

    documents: int
