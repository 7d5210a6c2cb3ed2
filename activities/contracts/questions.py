"""Inputs and results of a question's activities: wait for the index, retrieve, answer, record."""

from __future__ import annotations

from activities.contracts import Contract
from activities.contracts.answers import AnswerMode, Citation, Fallback, Source
from activities.contracts.embedding import EmbeddingModel, embedding_of
from activities.contracts.search import SearchFilter
from activities.errors import Reason


class AnswerSettings(Contract, frozen=True):
    """How questions on a knowledge base are answered; None means the default of the platform's settings.

    ``instructions`` are added to the built-in prompt; ``max_tokens`` limits the length of a generated answer.
    """

    mode: AnswerMode | None = None
    instructions: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None


class Turn(Contract, frozen=True):
    """An earlier question of a conversation, and its answer (``QuestionJob.history_key`` names a blob of a list)."""

    question: str
    answer: str


class WaitInput(Contract, frozen=True):
    """The documents to wait for: those that ``actor`` uploaded to the knowledge base before the question."""

    question_id: str
    knowledge_base_id: str
    actor: str


class Waited(Contract, frozen=True):
    """``attempts`` is the number of times that the backlog was polled."""

    attempts: int


class RetrieveInput(Contract, frozen=True):
    """A question to retrieve passages for.

    ``documents`` and ``filter`` restrict the search; without them the whole knowledge base is searched. In a
    conversation the question is first rewritten to stand alone: ``follows`` is True when the catalogue may hold
    earlier turns, ``history_key`` names a blob with them. ``mode`` is the mode of the answer that follows.
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

    ``standalone`` is the rewritten query, None if the question itself was searched for; ``generation``, ``model`` and
    ``model_fingerprint`` identify the index; ``milliseconds`` are durations by stage.
    """

    sources_key: str
    sources: list[Source]
    similarity: float
    standalone: str | None = None
    generation: int | None = None
    model: str | None = None
    model_fingerprint: str | None = None
    milliseconds: dict[str, int] = {}

    @property
    def embedding(self) -> EmbeddingModel | None:
        """The model of the index; None if none was searched."""
        return embedding_of(self.model, self.model_fingerprint)


class AnswerInput(Contract, frozen=True):
    """``question_id`` is empty in activities from before the field existed; ``embedding`` is the model of the index."""

    question: str
    mode: AnswerMode
    sources_key: str
    sources: list[Source]
    similarity: float
    question_id: str = ""
    embedding: EmbeddingModel | None = None


class Answered(Contract, frozen=True):
    """An answer; ``found`` is False when the documents do not contain it, and the text then says so.

    ``fallback`` is the reason why ``mode`` is not the requested one; ``withheld`` counts generated sentences that are
    not shown because no source supports them. ``model`` is the language model, if it was used, ``prompt_version`` the
    version of its prompt, ``tokens`` and ``prompt_tokens`` what it counted; ``milliseconds`` are durations by stage.
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
    prompt_tokens: int = 0


class RecordAnswerInput(Contract, frozen=True):
    question_id: str
    retrieved: Retrieved | None = None
    answered: Answered | None = None
    reason: Reason | None = None
    canceled: bool = False
    milliseconds: dict[str, int] = {}
