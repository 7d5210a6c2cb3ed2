"""What the steps of a question say to each other (all of it is found in ``activities.contracts``)."""

from __future__ import annotations

from typing import Literal

from activities.contract import Contract
from activities.errors import Reason
from activities.filters import SearchFilter

AnswerMode = Literal["extractive", "generative"]

#: Why quotes stand where text was to be written: the model does not write the language, or wrote what no source says.
Fallback = Literal["language", "unsupported"]

SearchMode = Literal["hybrid", "dense", "keyword"]


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


class Source(Contract, frozen=True):
    """A passage that an answer may quote; its text is looked up, never carried."""

    n: int
    document_id: str
    document_name: str
    version: int
    chunk_id: str
    score: float
    page: int | None = None
    section: str = ""


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


class Citation(Contract, frozen=True):
    """One quote of an answer; ``n`` is the number that ``[n]`` in the answer refers to."""

    n: int
    document_id: str
    document_name: str
    quote: str
    version: int = 0
    chunk_id: str = ""
    page: int | None = None
    section: str = ""


class AnswerInput(Contract, frozen=True):
    question: str
    mode: AnswerMode
    sources_key: str
    sources: list[Source]
    similarity: float


class DeltaEvent(Contract, frozen=True, tag_field="event", tag="delta"):
    """The next piece of the answer's text."""

    text: str


class ResetEvent(Contract, frozen=True, tag_field="event", tag="reset"):
    """Forget the text so far: the answer starts over."""


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
