"""Wire types of re-indexes (DESIGN §6)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from activities.contracts.gate import (
    GATE_SECONDS,
    MAX_EXPECTED,
    MAX_OVERRIDE,
    MAX_PASSAGE,
    MAX_QUESTIONS,
    MAX_TEXT,
    Item,
    MeasureName,
)
from activities.contracts.reindex import MAX_WINDOW
from activities.contracts.stages import JobStateName
from api.http.schemas import Request, Schema
from api.knowledge_bases.schemas import ChunkingSettings, EmbeddingModelName

Parallelism = Annotated[int, Meta(ge=1, le=64, description="Documents that are built at once.")]
Throttle = Annotated[float, Meta(gt=0, le=1, description="Share of the time in which each place works.")]
WindowText = Annotated[
    str, Meta(max_length=MAX_WINDOW, description="Hours in which documents are begun: `22:00-06:00 Europe/Berlin`.")
]


Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
Texts = Annotated[list[Text], Meta(max_length=MAX_EXPECTED)]


class GateQuestion(Request, frozen=True):
    """A question of a set, as `holdfast eval` reads it: names of documents, one of which should be found first, texts,
    one of which the answer should contain, a passage that should be found, or `absent` if no document answers it."""

    question: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT, pattern=r"\S")]
    document: Text | Texts = []
    answer: Text | Texts = []
    passage: Annotated[str, Meta(max_length=MAX_PASSAGE)] = ""
    absent: bool = False

    def to_item(self) -> Item:
        """The question as it is stored."""
        documents, answers = ([given] if isinstance(given, str) else given for given in (self.document, self.answer))
        return Item(self.question.strip(), tuple(documents), tuple(answers), self.passage, self.absent)


Questions = Annotated[list[GateQuestion], Meta(min_length=1, max_length=MAX_QUESTIONS)]


class ReindexRequest(Request, frozen=True):
    """What to build; ``chunking`` and ``embedding_model`` are by default those of the index in use.

    With ``approve`` another person than the one who starts it has to allow the switch. The index from before is kept
    for ``soak_seconds``: until then everything can be rolled back.

    With ``questions``, a set or the ``recent`` ones whose answers were rated helpful, both indexes are compared before
    the switch. If the new one is worse, it waits for ``gate_seconds`` for an override, and is then canceled.
    """

    chunking: ChunkingSettings | None = None
    embedding_model: EmbeddingModelName | None = None
    approve: bool = False
    parallelism: Parallelism = 8
    throttle: Throttle = 1.0
    window: WindowText = ""
    soak_seconds: Annotated[float, Meta(ge=5, le=30 * 86400)] = 3600.0
    questions: Literal["recent"] | Questions | None = None
    gate_seconds: Annotated[float, Meta(ge=5, le=90 * 86400)] = GATE_SECONDS


class OverrideRequest(Request, frozen=True):
    """Why the new index is to be used although it is worse; the reason stands in the audit trail."""

    reason: Annotated[str, Meta(min_length=1, max_length=MAX_OVERRIDE, pattern=r"\S")]


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
    their chunks, the others stay as they are. ``chunks`` are there now, ``new_chunks`` will be. ``settings_differ``
    tells that a knowledge base without documents gets other settings.
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
    settings_differ: bool


class VerifiedInfo(Schema, frozen=True):
    """What was counted in the new index, and sampled chunks that were searched by their own vectors.

    ``compared`` vectors were made again, ``differing`` are others. By as many searches for words, the index in use
    finds the document in ``found_live``, the new one in ``found_new``.
    """

    documents: int
    rows: int
    searched: int
    lost: int
    compared: int
    differing: int
    found_live: int
    found_new: int


class MeasureInfo(Schema, frozen=True):
    """Both indexes on ``n`` questions; the difference is new − live, with its 95 % interval from 2 questions on.

    Rates are from 0 to 1, ``search_p95`` is in milliseconds.
    """

    name: MeasureName
    live: float
    new: float
    difference: float
    low: float | None
    high: float | None
    n: int


class WorseInfo(Schema, frozen=True):
    """A question that is worse in the new index; of a recorded one only the id is told."""

    measure: MeasureName
    question: str | None
    question_id: str | None


class GateInfo(Schema, frozen=True):
    """The quality gate: ``done`` of ``questions`` were asked; ``worse`` names the first of ``worse_count``."""

    questions: int
    done: int
    measures: list[MeasureInfo]
    worse: list[WorseInfo]
    worse_count: int
    refused: bool
    overridden_by: str | None
    override_reason: str | None


class ReindexInfo(Schema, frozen=True):
    """A re-index; ``done`` and ``total`` count documents, ``rate_per_minute`` those built in a minute.

    In the stage ``gate`` they count questions. ``questions`` says where those of the gate come from, if there is one.
    ``waiting_for`` is what is down while the steps of a running one wait for it.
    """

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
    waiting_for: str | None
    reason: str | None
    chunking: ChunkingSettings
    embedding_model: str | None
    plan_only: bool
    plan: PlanInfo | None
    verified: VerifiedInfo | None
    questions: str | None
    gate: GateInfo | None
    gate_seconds: float
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
