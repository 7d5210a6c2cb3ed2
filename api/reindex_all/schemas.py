"""Wire types of re-indexes of many knowledge bases."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from activities.contracts.gate import GATE_SECONDS
from activities.contracts.reindex_all import MAX_KNOWLEDGE_BASES, ItemState
from activities.contracts.stages import JobStateName
from api.http.schemas import Request, Schema
from api.knowledge_bases.schemas import ChunkingSettings
from api.reindexes.schemas import GateInfo, Parallelism, PlanInfo, Throttle, WindowText

Names = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=63)]], Meta(min_length=1, max_length=MAX_KNOWLEDGE_BASES)
]


class ReindexAllRequest(Request, frozen=True):
    """Which knowledge bases, in this order, or all by name; the rest as for one re-index.

    At most ``limit`` are built at once: the next one begins once one is switched, while its index from before is kept
    for ``soak_seconds``. After a failure none begins, unless ``go_on``. With ``plan_only`` each is only estimated.
    """

    knowledge_bases: Names | None = None
    limit: Annotated[int, Meta(ge=1, le=16)] = 1
    go_on: bool = False
    plan_only: bool = False
    embedding_model: Annotated[str, Meta(max_length=300)] | None = None
    chunking: ChunkingSettings | None = None
    approve: bool = False
    parallelism: Parallelism = 8
    throttle: Throttle = 1.0
    window: WindowText = ""
    soak_seconds: Annotated[float, Meta(ge=5, le=30 * 86400)] = 3600.0
    questions: Literal["recent"] | None = None
    gate_seconds: Annotated[float, Meta(ge=5, le=90 * 86400)] = GATE_SECONDS


class ReindexAllItemInfo(Schema, frozen=True):
    """A knowledge base of the job, with the figures of its re-index once there are some.

    ``skipped``: it was deleted before its end; ``waiting``: the reason says for what.
    """

    knowledge_base: str
    state: ItemState
    stage: str | None
    done: int | None
    total: int | None
    reason: str | None
    reindex_id: str | None
    status_url: str | None
    plan: PlanInfo | None
    gate: GateInfo | None


class ReindexAllInfo(Schema, frozen=True):
    """A re-index of many knowledge bases; ``done`` of ``total`` have ended. Lists leave ``items`` out."""

    id: str
    state: JobStateName
    done: int
    total: int
    counts: dict[str, int]
    limit: int
    go_on: bool
    plan_only: bool
    chunking: ChunkingSettings | None
    embedding_model: str | None
    approve: bool
    throttle: float
    window: str
    actor: str
    canceled_by: str | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    workflow_id: str
    status_url: str
    items: list[ReindexAllItemInfo] | None = None
