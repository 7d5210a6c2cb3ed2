"""The retrieve step of a question: its passages, numbered and stored for the answer step."""

from __future__ import annotations

import asyncio
import time

from temporalio import activity

from activities.answering.generation import GenerationPrefetch
from activities.answering.prompts import TURNS
from activities.answering.rewrite import Rewriter
from activities.contracts.answers import Source
from activities.contracts.events import StateEvent
from activities.contracts.questions import Retrieved, RetrieveInput, Turn
from activities.errors import QuestionTimedOut
from activities.retrieval.passages import Passage, SourceTexts
from activities.retrieval.retriever import PASSAGES, Retriever
from activities.stores.blob_keys import sources_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.text.scripts import query_language

#: Seconds that an attempt may take, a little less than the step's timeout; from this attempt on, more is a failure.
SECONDS = 18.0
ATTEMPTS = 3


class RetrieveActivities:
    """Runs on the ``answer`` queue."""

    def __init__(
        self, retriever: Retriever, blobs: Blobs, catalog: Catalog, rewriter: Rewriter, prefetch: GenerationPrefetch
    ) -> None:
        self._retriever, self._blobs, self._catalog = retriever, blobs, catalog
        self._rewriter, self._prefetch = rewriter, prefetch

    @activity.defn(name="retrieve")
    async def retrieve(self, input: RetrieveInput) -> Retrieved:
        """Find the passages that may answer, and store their texts for the answer step.

        In generative mode the language model starts at once.
        """
        attempt = activity.info().attempt
        news = [StateEvent(stage="retrieve")] if attempt == 1 else []
        try:
            async with asyncio.timeout(SECONDS):
                _, retrieved = await asyncio.gather(
                    self._catalog.question_events.append(input.question_id, news), self._retrieve(input)
                )
        except TimeoutError as exc:
            if attempt < ATTEMPTS:
                raise
            raise QuestionTimedOut() from exc
        return retrieved

    async def _retrieve(self, input: RetrieveInput) -> Retrieved:
        began = time.perf_counter()
        question = await self._standalone(input)
        rewritten = time.perf_counter()
        found = await self._retriever.search(
            input.knowledge_base_id, question, PASSAGES, document_ids=input.documents, filter=input.filter
        )
        passages = await self._retriever.complete(found)
        key = sources_key(input.question_id)
        texts = [passage.row.text for passage in passages]
        contexts = [passage.context for passage in passages]
        sources = SourceTexts(texts, found.vector, question, found.knowledge_base.answers, contexts)
        if input.mode == "generative" and passages:
            await self._prefetch.start(key, sources)
        await self._blobs.save(key, sources)
        ended = time.perf_counter()
        return Retrieved(
            sources_key=key,
            similarity=round(found.similarity, 6),
            sources=[source(n, passage) for n, passage in enumerate(passages, 1)],
            standalone=question if question != input.question else None,
            generation=found.generation.generation,
            model=found.generation.model,
            model_fingerprint=found.generation.model_fingerprint,
            milliseconds={
                "rewrite": round((rewritten - began) * 1000),
                "retrieve": round((ended - rewritten) * 1000),
            },
        )

    async def _standalone(self, input: RetrieveInput) -> str:
        """The query of the search: in a conversation the question with what it refers to."""
        if input.history_key is not None:
            turns = await self._blobs.load(input.history_key, list[Turn])
        elif input.follows:
            turns = await self._catalog.questions.turns(input.question_id, TURNS)
        else:
            return input.question
        return await self._rewriter.rewrite(input.question, turns, query_language(input.question))


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
