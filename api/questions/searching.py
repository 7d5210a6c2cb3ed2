"""Searches for passages: one way for every face that offers them."""

from __future__ import annotations

from collections.abc import Sequence

from litestar.types import Scope

from activities.contracts.search import SearchMode
from activities.retrieval.passages import Passage
from activities.retrieval.retriever import Retriever
from activities.stores.catalog.records import KnowledgeBase
from api.http.recording.edge import note_text
from api.questions.asking import Asking
from api.questions.schemas import SearchFilter
from api.questions.views import search_filter


class Searching:
    """Checks a query as a question is checked, has it recorded without its text, and finds passages."""

    def __init__(self, asking: Asking, retriever: Retriever) -> None:
        self._asking, self._retriever = asking, retriever

    async def passages(
        self,
        scope: Scope,
        knowledge_base: KnowledgeBase,
        text: str,
        limit: int,
        *,
        mode: SearchMode = "hybrid",
        documents: Sequence[str] = (),
        filter: SearchFilter | None = None,
        least_score: float = 0.0,
    ) -> list[Passage]:
        """At most ``limit`` passages with a score of ``least_score`` (0–1) or more, the best first.

        ``scope`` is that of the request. Raises what ``Asking.check`` and ``Retriever.search`` raise.
        """
        note_text(scope, text)
        query = await self._asking.check(knowledge_base, text, documents, search_filter(filter))
        found = await self._retriever.search(knowledge_base.id, query.text, limit, mode, query.documents, query.filter)
        return [passage for passage in found.passages if passage.score >= least_score]
