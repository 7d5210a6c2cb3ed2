"""Inputs and results of the activities of a re-index, which builds an index generation beside the live one."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from activities.contracts import Contract
from activities.contracts.documents import Chunking
from activities.contracts.embedding import EmbeddingModel
from activities.contracts.gate import GATE_SECONDS, QuestionsFrom
from activities.contracts.stages import JobStateName
from activities.errors import Reason

#: Longest text of a window of hours.
MAX_WINDOW = 80

#: Whether search reads a generation, whether it is written with every publication, or gone.
GenerationPhase = Literal["building", "live", "soaking", "retired"]


class Target(Contract, frozen=True):
    """An index generation that a version must be in too before it is published, and how it is made."""

    generation: int
    chunking: Chunking
    embedding: EmbeddingModel | None = None


class ReindexToRun(Contract, frozen=True):
    """One re-index: ``generation`` is built beside ``previous``, the live one.

    ``embedding`` is its model; None is the default one.
    With ``plan_only`` it ends after its plan; with ``approve`` it waits for another person before the switch.
    ``parallelism`` is the number of documents at once, ``throttle`` (0 … 1] the share of time in which each place
    works, ``window`` (``22:00-06:00 Europe/Berlin``) the hours in which documents are begun, empty for all.
    The generation before is kept, and written, for ``soak_seconds`` after the switch. ``questions`` compare both
    generations before it (a given set in the blob ``questions_key``); where they refuse it, a person has
    ``gate_seconds`` to override that, which ``overridden_by`` has done. ``switched`` is True for a run
    that is started again after it, ``rolled_back`` for one that is started again after the way
    back, and ``canceled_by`` names who canceled it before.
    """

    reindex_id: str
    knowledge_base_id: str
    knowledge_base: str
    generation: int
    previous: int
    chunking: Chunking
    actor: str
    plan_only: bool = False
    approve: bool = False
    parallelism: int = 8
    throttle: float = 1.0
    window: str = ""
    soak_seconds: float = 3600.0
    questions: QuestionsFrom = ""
    questions_key: str | None = None
    gate_seconds: float = GATE_SECONDS
    overridden_by: str | None = None
    switched: bool = False
    rolled_back: bool = False
    canceled_by: str | None = None
    embedding: EmbeddingModel | None = None


class ReindexInput(Contract, frozen=True):
    reindex_id: str


class ReindexPlan(Contract, frozen=True):
    """What a re-index has to do. ``embedded`` and what follows are estimates from ``sampled`` documents.

    ``documents`` are the live ones: of ``parsed_again`` nothing fits any more, ``cut_again`` keep what was read of
    them, ``embedded_again`` keep their chunks too, and the rest is as it would be made today. ``bytes`` are those of
    the new vectors and texts, ``seconds`` the duration at full speed. ``settings_differ`` is True for other chunking or
    another model of an index without documents.
    """

    documents: int = 0
    parsed_again: int = 0
    cut_again: int = 0
    embedded_again: int = 0
    chunks: int = 0
    new_chunks: int = 0
    embedded: int = 0
    tokens: int = 0
    bytes: int = 0
    seconds: float = 0.0
    sampled: int = 0
    settings_differ: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether the new generation would be the same as the live one."""
        return not (self.settings_differ or self.parsed_again or self.cut_again or self.embedded_again)


class BuildListInput(Contract, frozen=True):
    """Live documents whose live version is not in the new generation, after the id ``after``; records ``done``."""

    reindex_id: str
    after: str
    limit: int
    done: int
    window: str = ""


class DocumentToBuild(Contract, frozen=True):
    document_id: str
    document_name: str
    version: int
    sha256: str
    bytes: int


class BuildList(Contract, frozen=True):
    """``closed_seconds`` is the time until the window opens; nothing is listed before."""

    documents: list[DocumentToBuild] = []
    closed_seconds: float = 0.0


class Verified(Contract, frozen=True):
    """``documents`` with ``rows`` were counted in the new generation; ``wrong`` ones are forgotten, to be built again.

    ``searched`` sampled chunks were looked for by their own vectors, ``lost`` were not found first. ``compared``
    vectors were made again, ``differing`` are others. Of as many searches with the chunks' words, the live generation
    found the document in ``found_live``, the new one in ``found_new``.
    """

    documents: int
    rows: int
    wrong: int = 0
    searched: int = 0
    lost: int = 0
    compared: int = 0
    differing: int = 0
    found_live: int = 0
    found_new: int = 0


class SwitchInput(Contract, frozen=True):
    """``back`` returns to the generation before."""

    reindex_id: str
    actor: str
    back: bool = False


class Switched(Contract, frozen=True):
    """``missing`` live documents are not in the generation to be switched to, so nothing was changed."""

    switched: bool
    missing: int = 0


class RetireInput(Contract, frozen=True):
    """With ``unfinished`` blobs of documents that were being built, and are not recorded, are looked for too."""

    reindex_id: str
    generation: int
    unfinished: bool = False


class Retired(Contract, frozen=True):
    """Receipt: rows that the generation had, rows left, and blobs that nothing else refers to, deleted."""

    rows: int
    left: int
    blobs: int


class RecordReindexInput(Contract, frozen=True):
    """The state to record; fields that are None stay as they are. ``note`` is the reason of an override."""

    reindex_id: str
    state: JobStateName
    stage: str
    done: int | None = None
    reason: Reason | None = None
    plan: ReindexPlan | None = None
    verified: Verified | None = None
    actor: str = ""
    action: str = ""
    note: str = ""


class ReindexControls(Contract, frozen=True):
    """How a re-index works; changed while it runs. Fields that are None stay as they are."""

    parallelism: int | None = None
    throttle: float | None = None
    window: str | None = None

    def given(self) -> dict[str, Any]:
        """The fields that are to change."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
