"""Retrieval: dense and BM25 candidates, fused, and only of what the catalogue says is live.

The same code answers ``/search`` in the API's process and the ``retrieve`` step of a question.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from temporalio import activity

from activities.contracts import AnswerSettings, Retrieved, RetrieveInput, SearchMode, Source, Turn
from activities.errors import MilvusUnavailable, ModelMismatch
from activities.prompts import TURNS
from activities.rewrite import Rewriter
from activities.stores.blobs import Blobs
from activities.stores.catalog import Catalog
from activities.stores.catalog.records import Generation, LiveDocument
from activities.stores.milvus import Hit, Milvus, Row
from activities.stores.triton import ModelCard, Triton, Vectors

#: Candidates that each of the two searches brings; doubled while too few of them are live.
CANDIDATES = 50
MAX_CANDIDATES = 1600

#: Passages that a question is answered from.
PASSAGES = 8

#: Share of the dense score in the fused one, when the model knows the language of the query.
DENSE_WEIGHT = 0.5

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_KANA_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """A retrieved chunk of a live document; ``score`` 0–1 orders the passages of one query."""

    row: Row
    document_name: str
    score: float


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Passages, best first. ``similarity`` is the best cosine; 0 when there was no dense search."""

    passages: list[Passage]
    similarity: float = 0.0
    vector: bytes = b""


def query_language(text: str) -> str:
    """ISO 639-1 code of the query's language as far as its script tells; Latin script counts as English."""
    if _KANA_HANGUL.search(text):
        return "ja" if re.search(r"[\u3040-\u30ff]", text) else "ko"
    if _HAN.search(text):
        return "zh"
    return "ru" if _CYRILLIC.search(text) else "en"


def dense_weight(card: ModelCard, query: str) -> float:
    """How far the dense score is trusted: not at all in a language that the model does not declare."""
    known = not card.languages or query_language(query) in card.languages
    return DENSE_WEIGHT if known else 0.0


def fuse(dense: Sequence[Hit], keyword: Sequence[Hit], weight: float) -> list[tuple[Row, float]]:
    """One ranking out of two: min-max of the cosines, BM25 divided by its best, weighted and added."""
    rows = {hit.row.id: hit.row for hit in (*dense, *keyword)}
    scores = dict.fromkeys(rows, 0.0)
    if dense:
        low, high = dense[-1].score, dense[0].score
        for hit in dense:
            scores[hit.row.id] += weight * ((hit.score - low) / (high - low) if high > low else 1.0)
    if keyword and keyword[0].score > 0:
        for hit in keyword:
            scores[hit.row.id] += (1 - weight) * hit.score / keyword[0].score
    return sorted(((rows[id], score) for id, score in scores.items()), key=lambda pair: (-pair[1], pair[0].id))


class Retriever:
    """Finds passages. Raises DependencyErrors: an outage never reads as "nothing found"."""

    def __init__(self, milvus: Milvus, triton: Triton, catalog: Catalog) -> None:
        self._milvus, self._triton, self._catalog = milvus, triton, catalog

    async def search(
        self,
        knowledge_base_id: str,
        query: str,
        limit: int = 10,
        mode: SearchMode = "hybrid",
        document_ids: Sequence[str] = (),
    ) -> Found:
        """At most ``limit`` passages of live documents. Raises ModelMismatch and NotFound."""
        generation = await self._catalog.knowledge_bases.generation(knowledge_base_id)
        if generation.model_fingerprint is None:
            return Found(passages=[])  # nothing was ever indexed
        card, vector = await self._question(generation, query, mode)
        weight = {"dense": 1.0, "keyword": 0.0, "hybrid": dense_weight(card, query) if card else 0.0}[mode]
        candidates = max(CANDIDATES, 2 * limit)
        while True:
            dense, keyword = await self._candidates(generation, query, mode, vector, candidates, document_ids)
            live = await self._catalog.documents.live(hit.row.document_id for hit in (*dense, *keyword))
            dense_live, keyword_live = _only_live(dense, live), _only_live(keyword, live)
            ranked = fuse(dense_live, keyword_live, weight)[:limit]
            exhausted = max(len(dense), len(keyword)) < candidates
            if len(ranked) == limit or exhausted or candidates >= MAX_CANDIDATES:
                break
            candidates *= 2
        return Found(
            passages=[
                Passage(row=row, document_name=live[row.document_id].name, score=round(score, 6))
                for row, score in ranked
            ],
            similarity=dense_live[0].score if dense_live else 0.0,
            vector=vector.tobytes() if vector is not None else b"",
        )

    async def _question(
        self, generation: Generation, query: str, mode: SearchMode
    ) -> tuple[ModelCard | None, Vectors | None]:
        if mode == "keyword":
            return None, None
        card = await self._triton.card()
        if card.fingerprint != generation.model_fingerprint:
            raise ModelMismatch(indexed=generation.model, serving=card.model)
        return card, await self._triton.embed_query(query)

    async def _candidates(
        self,
        generation: Generation,
        query: str,
        mode: SearchMode,
        vector: Vectors | None,
        limit: int,
        document_ids: Sequence[str],
    ) -> tuple[list[Hit], list[Hit]]:
        async def dense() -> list[Hit]:
            if vector is None:
                return []
            return await self._milvus.search_dense(generation.collection, vector, limit, document_ids)

        async def keyword() -> list[Hit]:
            if mode == "dense":
                return []
            return await self._milvus.search_keyword(generation.collection, query, limit, document_ids)

        try:
            found = await asyncio.gather(dense(), keyword())
        except KeyError as exc:
            if not await self._catalog.documents.any_live(generation.knowledge_base_id):
                return [], []  # the first document is being indexed just now
            raise MilvusUnavailable(
                detail=f"the collection {exc.args[0]} is missing; re-index the knowledge base"
            ) from exc
        return found[0], found[1]


def _only_live(hits: Sequence[Hit], live: Mapping[str, LiveDocument]) -> list[Hit]:
    return [hit for hit in hits if hit.row.document_id in live and live[hit.row.document_id].version == hit.row.version]


class SourceTexts(msgspec.Struct, frozen=True):
    """The blob behind ``Retrieved.sources_key``: the passages' texts in order, and the question's vector.

    ``question`` is the one that was searched for, ``settings`` how the knowledge base wants its answers.
    """

    texts: list[str]
    vector: bytes
    question: str = ""
    settings: AnswerSettings = AnswerSettings()

    def question_vector(self) -> Vectors:
        """Shape (dimension,), float32; empty when there was no dense search."""
        return np.frombuffer(self.vector, np.float32)


class RetrieveActivities:
    """Runs on the ``answer`` queue."""

    def __init__(self, retriever: Retriever, blobs: Blobs, catalog: Catalog, rewriter: Rewriter) -> None:
        self._retriever, self._blobs, self._catalog, self._rewriter = retriever, blobs, catalog, rewriter

    @activity.defn(name="retrieve")
    async def retrieve(self, job: RetrieveInput) -> Retrieved:
        """Find the passages that may answer, and keep their texts beside the question."""
        began = time.perf_counter()
        question = await self._standalone(job)
        rewritten = time.perf_counter()
        found, knowledge_base, generation = await asyncio.gather(
            self._retriever.search(job.knowledge_base_id, question, PASSAGES, document_ids=job.documents),
            self._catalog.knowledge_bases.by_id(job.knowledge_base_id),
            self._catalog.knowledge_bases.generation(job.knowledge_base_id),
        )
        key = f"questions/{job.question_id}/sources"
        texts = [passage.row.text for passage in found.passages]
        await self._blobs.save(key, SourceTexts(texts, found.vector, question, knowledge_base.answers))
        ended = time.perf_counter()
        return Retrieved(
            sources_key=key,
            similarity=round(found.similarity, 6),
            sources=[source(n, passage) for n, passage in enumerate(found.passages, 1)],
            standalone=question if question != job.question else None,
            generation=generation.generation,
            model=generation.model,
            model_fingerprint=generation.model_fingerprint,
            milliseconds={
                "rewrite": round((rewritten - began) * 1000),
                "retrieve": round((ended - rewritten) * 1000),
            },
        )

    async def _standalone(self, job: RetrieveInput) -> str:
        """The question as it is searched for: in a conversation with what it leans on."""
        if job.history_key is not None:
            turns = await self._blobs.load(job.history_key, list[Turn])
        elif job.follows:
            turns = await self._catalog.questions.turns(job.question_id, TURNS)
        else:
            return job.question
        return await self._rewriter.rewrite(job.question, turns, query_language(job.question))


def source(n: int, passage: Passage) -> Source:
    """A passage as a numbered reference."""
    return Source(
        n=n,
        document_id=passage.row.document_id,
        document_name=passage.document_name,
        version=passage.row.version,
        chunk_id=passage.row.id,
        page=passage.row.page or None,
        section=passage.row.section,
        score=passage.score,
    )
