"""Retrieval: ranks dense and BM25 candidates of the documents that are live in the catalogue.

The same code answers ``/search`` in the API's process and runs the ``retrieve`` step of a question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from activities.contracts.embedding import EmbeddingModel
from activities.contracts.search import SearchFilter, SearchMode
from activities.errors import MilvusUnavailable
from activities.phrases import Phrase
from activities.retrieval.passages import Passage, deduplicate, missing_neighbours
from activities.retrieval.ranking import dense_weight, fuse, in_context, keyword_trust, with_sentences
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Generation, KnowledgeBase, LiveDocument
from activities.stores.milvus import LAG, Hit, Milvus, Row, Scope
from activities.stores.triton import ModelCard, Triton
from activities.stores.vectors import Vectors
from activities.text.blocks import begins_in_list, is_cut
from activities.text.variants import expanded

#: Candidates of each of the two searches; doubled while too few of them are live, wanted and different.
CANDIDATES = 50
MAX_CANDIDATES = 1600

#: Above ``NAMED`` documents, Milvus is not given their ids, which it parses slowly; hits are filtered afterwards. When
#: most of ``PICKED_CANDIDATES`` candidates are of other documents, the ids are given after all, up to ``MAX_NAMED``:
#: each 10,000 of them are two more calls.
NAMED = 500
PICKED_CANDIDATES = 400
MAX_NAMED = 100_000

#: Passages that a question is answered from, and the number of best ones whose missing neighbours are added.
PASSAGES = 8
COMPLETED = 3

#: Passages that the rerank model scores, where one is served.
RERANKED = 24

Ranking = list[tuple[Row, float, int]]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Passages, best first. ``similarity`` is the best cosine; 0 when there was no dense search.

    ``generation`` is the index of the ``knowledge_base`` that was searched.
    """

    passages: list[Passage]
    knowledge_base: KnowledgeBase
    generation: Generation
    similarity: float = 0.0
    vector: bytes = b""


class _Query(msgspec.Struct, frozen=True, kw_only=True):
    """A query and its scope; ``vector`` is None in keyword mode, ``weight`` is the share of the cosines.

    Passages of other documents than ``wanted`` are left out; None includes all. Without ``newest``, rows of the last
    seconds may be missing.
    """

    generation: Generation
    text: str
    mode: SearchMode
    vector: Vectors | None
    weight: float
    scope: Scope
    wanted: frozenset[str] | None
    newest: bool


class Retriever:
    """Finds passages. Raises DependencyErrors, so that an outage is never taken for an empty result."""

    def __init__(self, milvus: Milvus, triton: Triton, catalog: Catalog) -> None:
        self._milvus, self._triton, self._catalog = milvus, triton, catalog

    async def search(
        self,
        knowledge_base_id: str,
        query: str,
        limit: int = 10,
        mode: SearchMode = "hybrid",
        document_ids: Sequence[str] = (),
        filter: SearchFilter | None = None,
        generation: int | None = None,
    ) -> Found:
        """At most ``limit`` different passages of live documents that pass ``filter``.

        They come from the index that is in use, or from the ``generation`` with this number.

        Raises ModelMismatch, and NotFound when the knowledge base does not exist.
        """
        knowledge_base, index = await self._catalog.knowledge_bases.searched(knowledge_base_id, generation)
        if index.embedding is None:
            return Found(passages=[], knowledge_base=knowledge_base, generation=index)  # nothing was ever indexed
        (card, vector), scope, newest = await asyncio.gather(
            self._embedded(query, mode, index.embedding),
            self._scope(knowledge_base_id, document_ids, filter),
            self._needs_newest(knowledge_base_id, generation),
        )
        weight = {"dense": 1.0, "keyword": 0.0, "hybrid": dense_weight(card, query) if card else 0.0}[mode]
        wanted = frozenset(scope.document_ids) if scope.document_ids is not None else None
        if wanted is not None and len(wanted) > NAMED:
            scope = msgspec.structs.replace(scope, document_ids=None)
        asked = _Query(
            generation=index, text=query, mode=mode, vector=vector, weight=weight, scope=scope, wanted=wanted,
            newest=newest,
        )  # fmt: skip
        reranks = self._triton.reranks and mode == "hybrid"
        count = max(limit, RERANKED if reranks else 0)
        ranked, live, similarity = await self._ranked(asked, count)
        if not newest and await self._needs_newest(knowledge_base_id, generation):  # a publication overtook the search
            ranked, live, similarity = await self._ranked(msgspec.structs.replace(asked, newest=True), count)
        if reranks:
            ranked = await self._rerank(query, ranked)
        return Found(
            passages=[_passage(row, live, score, others) for row, score, others in ranked[:limit]],
            similarity=similarity,
            vector=vector.tobytes() if vector is not None else b"",
            knowledge_base=knowledge_base,
            generation=index,
        )

    async def complete(self, found: Found) -> list[Passage]:
        """The passages, and behind each of the best ones its ``missing_neighbours``.

        Each neighbour is a passage of its own, so that its chunk can be cited.
        """
        there = {passage.row.id for passage in found.passages}
        wanted = {passage.row.id: list(_missing_ids(passage.row, there)) for passage in found.passages[:COMPLETED]}
        try:
            rows = await self._milvus.rows(found.generation.collection, [id for ids in wanted.values() for id in ids])
        except KeyError:
            rows = {}  # the knowledge base was deleted concurrently
        passages: list[Passage] = []
        for passage in found.passages:
            passages.append(passage)
            for row in (rows.pop(id, None) for id in wanted.get(passage.row.id, ())):
                if row is not None and _belong_together(passage.row, row):
                    passages.append(msgspec.structs.replace(passage, row=row, duplicates=0))
        return passages

    # --- candidates ----------------------------------------------------------------------------------

    async def _embedded(
        self, query: str, mode: SearchMode, model: EmbeddingModel
    ) -> tuple[ModelCard | None, Vectors | None]:
        """The model's card and the query's vector; both None for keyword search, which needs no model."""
        if mode == "keyword":
            return None, None
        vector = await self._triton.embed_query(query, model)
        return await self._triton.card(model), vector

    async def _needs_newest(self, knowledge_base_id: str, generation: int | None) -> bool:
        """Whether a search that lags may miss rows of a live version: those that were published within ``LAG``."""
        if generation is not None or not await self._milvus.may_lag():
            return True
        return await self._catalog.knowledge_bases.has_news(
            knowledge_base_id, datetime.now(UTC) - timedelta(seconds=LAG)
        )

    async def _scope(self, knowledge_base_id: str, document_ids: Sequence[str], filter: SearchFilter | None) -> Scope:
        """The search scope. A filter that no document passes yields an empty list of ids, never all documents."""
        pages = filter.pages if filter is not None else None
        first = last = None
        if pages is not None and (pages.first or pages.last):
            first, last = pages.first or 1, pages.last
        ids: Sequence[str] | None = document_ids or None
        if filter is not None and (filter.name is not None or filter.uploaded is not None or filter.tags):
            ids = await self._catalog.search_scope.matching(knowledge_base_id, document_ids, filter)
        return Scope(document_ids=None if ids is None else tuple(ids), first_page=first, last_page=last)

    async def _ranked(self, query: _Query, limit: int) -> tuple[Ranking, dict[str, LiveDocument], float]:
        """The ranking, its documents and the best cosine; doubles candidates until they suffice or are exhausted."""
        candidates = max(CANDIDATES, 2 * limit)
        while True:
            dense, keyword = await self._candidates(query, candidates)
            exhausted = max(len(dense), len(keyword)) < candidates
            ids = {hit.row.document_id for hit in (*dense, *keyword)}
            live = await self._catalog.documents.live(ids if query.wanted is None else ids & query.wanted)
            found = len(dense) + len(keyword)
            dense, keyword = _only_live(dense, live), _only_live(keyword, live)
            mostly_others = 2 * (len(dense) + len(keyword)) < found  # else equal texts are the reason for too few
            trust = keyword_trust(query.text, keyword)
            fused = fuse(dense, keyword, query.weight, trust)
            ranked = deduplicate(with_sentences(query.text, fused) if query.mode == "hybrid" else fused, limit)
            if len(ranked) == limit or exhausted or candidates >= MAX_CANDIDATES:
                return ranked, live, dense[0].score if dense else 0.0
            if candidates >= PICKED_CANDIDATES and mostly_others and query.scope.document_ids is None:
                query = await self._named(query)
            candidates *= 2

    async def _named(self, query: _Query) -> _Query:
        """The same query with the ids of all wanted documents, or of all live ones, unless these are too many."""
        ids = query.wanted
        if ids is None:
            ids = frozenset(await self._catalog.search_scope.matching(query.generation.knowledge_base_id))
        if len(ids) > MAX_NAMED:
            return query
        scope = msgspec.structs.replace(query.scope, document_ids=tuple(sorted(ids)))
        return msgspec.structs.replace(query, scope=scope)

    async def _candidates(self, query: _Query, limit: int) -> tuple[list[Hit], list[Hit]]:
        collection = query.generation.collection

        async def dense() -> list[Hit]:
            if query.vector is None:
                return []
            return await self._milvus.search_dense(collection, query.vector, limit, query.scope, newest=query.newest)

        async def keyword() -> list[Hit]:
            if query.mode == "dense":
                return []
            text = expanded(query.text)
            return await self._milvus.search_keyword(collection, text, limit, query.scope, newest=query.newest)

        try:
            found = await asyncio.gather(dense(), keyword())
        except KeyError:
            if not await self._catalog.documents.any_live(query.generation.knowledge_base_id):
                return [], []  # the first document is still being indexed
            try:
                found = await asyncio.gather(dense(), keyword())  # the document may have become live in between
            except KeyError as exc:
                raise MilvusUnavailable(detail=Phrase.COLLECTION_INCOMPLETE, collection=exc.args[0]) from exc
        return found[0], found[1]

    async def _rerank(self, query: str, ranked: Ranking) -> Ranking:
        """The first ``RERANKED`` passages in the order of the rerank model, the others after them in fused order."""
        best, others = ranked[:RERANKED], ranked[RERANKED:]
        if not best:
            return []
        scores = await self._triton.rerank(query, [in_context(row) for row, _, _ in best])
        scored = sorted(zip(best, scores, strict=True), key=lambda pair: -pair[1])
        least = scored[-1][1]
        return [(row, score, count) for (row, _, count), score in scored] + [
            (row, score * least, count) for row, score, count in others
        ]


def _only_live(hits: Sequence[Hit], live: Mapping[str, LiveDocument]) -> list[Hit]:
    return [hit for hit in hits if hit.row.document_id in live and live[hit.row.document_id].version == hit.row.version]


def _belong_together(row: Row, neighbour: Row) -> bool:
    """Whether chunks are of one section, and of one page unless a list goes on from one to the other."""
    first, second = (row, neighbour) if row.ordinal < neighbour.ordinal else (neighbour, row)
    return row.section == neighbour.section and (
        row.page == neighbour.page or is_cut(first.text) or begins_in_list(second.text)
    )


def _passage(row: Row, live: Mapping[str, LiveDocument], score: float, duplicates: int) -> Passage:
    name = live[row.document_id].name
    return Passage(row=row, document_name=name, score=round(score, 6), duplicates=duplicates)


def _missing_ids(row: Row, there: set[str]) -> Iterator[str]:
    prefix = row.id.rpartition(":")[0]
    return (id for id in (f"{prefix}:{ordinal}" for ordinal in missing_neighbours(row)) if id not in there)
