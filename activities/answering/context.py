"""The context of one answer: a question with the passages that were retrieved for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from activities.contracts.answers import Citation, Source
from activities.retrieval.passages import SourceTexts
from activities.stores.triton import ModelCard
from activities.stores.vectors import Vectors
from activities.text.scripts import query_language


@dataclass(frozen=True)
class AnswerContext:
    """``sources`` are the references of the passages in ``found``, best first and in the same order.

    ``similarity`` is the best cosine of the retrieval, ``card`` the embedding model that is served now.
    """

    found: SourceTexts
    sources: Sequence[Source]
    similarity: float
    card: ModelCard

    @property
    def question(self) -> str:
        """The question as it was searched for: a follow-up with what it refers to."""
        return self.found.question

    @property
    def texts(self) -> Sequence[str]:
        """The passages' texts."""
        return self.found.texts

    @cached_property
    def language(self) -> str:
        """The question's language, by its script."""
        return query_language(self.question)

    @cached_property
    def vector(self) -> Vectors:
        """The question's embedding, shape (dimension,), float32; empty when there was no dense search."""
        return self.found.question_vector()

    def citation(self, place: int, quote: str) -> Citation:
        """A quote from the passage at this place in the list."""
        source = self.sources[place]
        return Citation(
            n=source.n,
            document_id=source.document_id,
            document_name=source.document_name,
            version=source.version,
            chunk_id=source.chunk_id,
            page=source.page,
            section=source.section,
            quote=quote,
        )
