"""A re-index of many knowledge bases: its settings, its items, and the activities that advance it."""

from __future__ import annotations

from typing import Literal

from activities.contracts import Contract
from activities.contracts.documents import Chunking
from activities.contracts.embedding import EmbeddingModel
from activities.contracts.gate import GATE_SECONDS
from activities.contracts.stages import JobStateName

#: Most knowledge bases of one job.
MAX_KNOWLEDGE_BASES = 1000

#: A knowledge base that was deleted before its turn is skipped; one that waits is re-indexed by another job.
ItemState = Literal["queued", "waiting", "running", "ready", "failed", "canceled", "skipped"]

#: States of a knowledge base after which nothing more happens to it.
ENDED: frozenset[ItemState] = frozenset({"ready", "failed", "canceled", "skipped"})

ControlAction = Literal["pause", "resume", "cancel"]

#: The stages of the whole job.
REINDEX_ALL_STAGES = ("reindex",)


class AllSettings(Contract, frozen=True):
    """How each knowledge base is re-indexed (see ``ReindexToRun``), and how many at once.

    ``chunking`` None keeps that of each knowledge base. The next ones begin while the index before is kept: ``limit``
    counts those that are not switched yet. Unless ``go_on``, none begins after one has failed.
    """

    limit: int = 1
    go_on: bool = False
    plan_only: bool = False
    embedding_model: str | None = None
    embedding: EmbeddingModel | None = None
    chunking: Chunking | None = None
    approve: bool = False
    parallelism: int = 8
    throttle: float = 1.0
    window: str = ""
    soak_seconds: float = 3600.0
    recent_questions: bool = False
    gate_seconds: float = GATE_SECONDS


class ReindexAllToRun(Contract, frozen=True):
    """One job; what it does next is read from the catalogue."""

    id: str
    actor: str
    plan_only: bool = False


class ReindexAllInput(Contract, frozen=True):
    id: str


class ControlAllInput(Contract, frozen=True):
    """What ``actor`` asked of the whole job."""

    id: str
    action: ControlAction
    actor: str


class Advanced(Contract, frozen=True):
    """Where the job is: ``done`` of ``total`` knowledge bases have ended, ``state`` is final after the last one."""

    state: JobStateName
    done: int
    total: int
    changed: bool = False
