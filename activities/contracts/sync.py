"""Inputs and results of the activities of a sync, by which a knowledge base follows a folder or an S3 prefix."""

from __future__ import annotations

from typing import Literal

from activities.contracts import Contract
from activities.contracts.stages import JobStateName
from activities.errors import Reason

#: Where a source's files are: below a folder of the server, or below a prefix of an S3 bucket.
SourceKind = Literal["folder", "s3"]

#: What a sync waits for in the state ``waiting``: the source, a person, or room among the pending documents.
WaitsFor = Literal["source", "confirmation", "room"]

#: Longest location of a source, and longest name, in characters.
MAX_LOCATION, MAX_SOURCE_NAME = 1000, 100

#: Names of each kind that a report holds.
NAMES = 10


class SyncToRun(Contract, frozen=True):
    """One sync of a source: the run ``sync/<source_id>/<occurrence>``.

    With ``preview`` it ends after it has compared. ``canceled_by`` names who canceled it before the run was started
    again; what a person confirmed counts for the run that asked only, which listed the source.
    """

    sync_id: str
    source_id: str
    occurrence: str
    knowledge_base_id: str
    knowledge_base: str
    source: str
    actor: str
    preview: bool = False
    canceled_by: str | None = None


class SyncInput(Contract, frozen=True):
    sync_id: str


class SyncReport(Contract, frozen=True):
    """What the source has against what the knowledge base has of it.

    Of ``files``, ``conflicts`` have the name of a document that is not the source's. ``left_out`` counts what cannot be
    taken, by kind (``link``, ``special``, ``too_large`` …). ``names`` has the first ones of each kind. The deletions
    of a ``guarded`` report have to be confirmed.
    """

    files: int = 0
    documents: int = 0
    added: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    conflicts: int = 0
    left_out: dict[str, int] = {}
    names: dict[str, list[str]] = {}
    guarded: bool = False


class Listed(Contract, frozen=True):
    """The number of files; ``unavailable`` tells why the source could not be read, and nothing was listed."""

    files: int = 0
    unavailable: Reason | None = None


class Compared(Contract, frozen=True):
    """``changes`` are to be applied, once a person has confirmed them if they are ``guarded`` for a reason."""

    report: SyncReport = SyncReport()
    changes: int = 0
    guarded: Reason | None = None
    unavailable: Reason | None = None


class ApplyInput(Contract, frozen=True):
    """Apply changes from number ``offset`` on, for some seconds."""

    sync_id: str
    offset: int


class Applied(Contract, frozen=True):
    """Changes before number ``next`` are applied. ``counts`` are those of this slice, by outcome.

    ``full`` tells that too many documents are pending to add more now.
    """

    next: int
    counts: dict[str, int] = {}
    unavailable: Reason | None = None
    full: bool = False


class RecordSyncInput(Contract, frozen=True):
    """The state to record; fields that are None stay as they are. A final state also tidies up after the sync."""

    sync_id: str
    state: JobStateName
    stage: str = ""
    done: int | None = None
    total: int | None = None
    waiting_for: WaitsFor | None = None
    reason: Reason | None = None
    report: SyncReport | None = None
    applied: dict[str, int] | None = None
    actor: str = ""
