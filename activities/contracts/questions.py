"""Inputs and results of a question's steps: wait for the index, retrieve, answer, record."""

from __future__ import annotations

from activities.contracts import Contract
from activities.contracts.answers import AnswerMode, Citation, Fallback, Source
from activities.contracts.events import DeltaEvent, ResetEvent
from activities.contracts.search import SearchFilter
from activities.errors import Reason


class AnswerSettings(Contract, frozen=True):
    """How questions on a knowledge base are answered; what is None is as the platform's settings say.

    ``instructions`` are added to the language model's own; ``max_tokens`` is the longest generated answer.
    """

    mode: AnswerMode | None = None
    instructions: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None


class Turn(Contract, frozen=True):
    """An earlier question of a conversation, and its answer (``QuestionJob.history_key`` is a blob with a list)."""

    question: str
    answer: str


class WaitInput(Contract, frozen=True):
    """Whose documents of a knowledge base are waited for: those that were accepted before the question."""

    question_id: str
    knowledge_base_id: str
    actor: str


class Waited(Contract, frozen=True):
    """``attempts`` is how often it was looked."""

    attempts: int


class RetrieveInput(Contract, frozen=True):
    """``documents`` and ``filter`` narrow down what is searched; without them it is the whole knowledge base.

    In a conversation the question is first made to stand alone: ``follows`` says that there may be earlier turns
    in the catalogue, ``history_key`` names a blob with them. An answer by ``mode`` will be asked for next.
    """

    question_id: str
    knowledge_base_id: str
    question: str
    documents: list[str] = []
    filter: SearchFilter | None = None
    follows: bool = False
    history_key: str | None = None
    mode: AnswerMode = "extractive"


class Retrieved(Contract, frozen=True):
    """``sources_key`` is the blob with the passages' texts, in the order of ``sources``.

    ``standalone`` is what was searched for, where that is not the question itself; ``generation``, ``model`` and
    ``model_fingerprint`` are those of the index; ``milliseconds`` by stage.
    """

    sources_key: str
    sources: list[Source]
    similarity: float
    standalone: str | None = None
    generation: int | None = None
    model: str | None = None
    model_fingerprint: str | None = None
    milliseconds: dict[str, int] = {}


class AnswerInput(Contract, frozen=True):
    question: str
    mode: AnswerMode
    sources_key: str
    sources: list[Source]
    similarity: float


class Answered(Contract, frozen=True):
    """``found`` is False when the documents do not hold the answer; the text then says so.

    ``fallback`` says why ``mode`` is not the one that was asked for; ``withheld`` counts written sentences that
    no source supports, which are not shown. ``model`` is the language model, if it was asked, and
    ``prompt_version`` how; ``milliseconds`` by stage. ``unsent`` are the last events of the text, which the step
    leaves to the workflow's stream.
    """

    answer: str
    citations: list[Citation]
    mode: AnswerMode
    found: bool
    tokens: int = 0
    fallback: Fallback | None = None
    withheld: int = 0
    model: str | None = None
    prompt_version: str | None = None
    milliseconds: dict[str, int] = {}
    unsent: list[DeltaEvent | ResetEvent] = []


class RecordAnswerInput(Contract, frozen=True):
    question_id: str
    retrieved: Retrieved | None = None
    answered: Answered | None = None
    reason: Reason | None = None
    canceled: bool = False
    milliseconds: dict[str, int] = {}
