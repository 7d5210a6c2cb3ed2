"""Wire types of re-indexes (DESIGN §6)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from activities.contracts.reindex import MAX_WINDOW
from activities.contracts.stages import JobStateName
from api.http.schemas import Request, Schema
from api.knowledge_bases.schemas import ChunkingSettings, EmbeddingModelName

Parallelism = Annotated[int, Meta(ge=1, le=64, description="Documents that are built at once.")]
Throttle = Annotated[float, Meta(gt=0, le=1, description="Share of the time in which each place works.")]
WindowText = Annotated[
    str, Meta(max_length=MAX_WINDOW, description="Hours in which documents are begun: `22:00-06:00 Europe/Berlin`.")
]


class ReindexRequest(Request, frozen=True):
    """What to build; ``chunking`` and ``embedding_model`` are by default those of the index in use.

    With ``approve`` another person than the one who starts it has to allow the switch. The index from before is kept
    for ``soak_seconds``: until then everything can be rolled back.
    """

    chunking: ChunkingSettings | None = None
    embedding_model: EmbeddingModelName | None = None
    approve: bool = False
    parallelism: Parallelism = 8
    throttle: Throttle = 1.0
    window: WindowText = ""
    soak_seconds: Annotated[float, Meta(ge=5, le=30 * 86400)] = 3600.0


class PlanRequest(Request, frozen=True):
    chunking: ChunkingSettings | None = None
    embedding_model: EmbeddingModelName | None = None
    parallelism: Parallelism = 8


class ControlRequest(Request, frozen=True):
    """Fields that are left out stay as they are; an empty ``window`` means all hours."""

    parallelism: Parallelism | None = None
    throttle: Throttle | None = None
    window: WindowText | None = None


class PlanInfo(Schema, frozen=True):
    """What a re-index has to do; ``embedded``, ``tokens``, ``bytes`` and ``seconds`` are estimates by a sample.

    Live ``documents``: nothing of ``parsed_again`` fits, ``cut_again`` keep what was read, ``embedded_again`` keep
    their chunks, the others stay as they are. ``chunks`` are there now, ``new_chunks`` will be.
    """

    documents: int
    parsed_again: int
    cut_again: int
    embedded_again: int
    chunks: int
    new_chunks: int
    embedded: int
    tokens: int
    bytes: int
    seconds: float
    sampled: int


class VerifiedInfo(Schema, frozen=True):
    """What was counted in the new index, and sampled chunks that were searched by their own vectors."""

    documents: int
    rows: int
    searched: int
    lost: int


class ReindexInfo(Schema, frozen=True):
    """A re-index; ``done`` and ``total`` count documents, ``rate_per_minute`` those built in a minute."""

    id: str
    knowledge_base: str
    generation: int
    previous: int
    state: JobStateName
    stage: str
    stage_number: int
    stage_count: int
    done: int
    total: int | None
    rate_per_minute: float
    eta_seconds: float | None
    reason: str | None
    chunking: ChunkingSettings
    embedding_model: str | None
    plan_only: bool
    plan: PlanInfo | None
    verified: VerifiedInfo | None
    approve: bool
    approved_by: str | None
    parallelism: int
    throttle: float
    window: str
    soak_seconds: float
    actor: str
    created_at: datetime
    updated_at: datetime
    switched_at: datetime | None
    rolled_back_at: datetime | None
    finished_at: datetime | None
    workflow_id: str
    status_url: str
    events_url: str
