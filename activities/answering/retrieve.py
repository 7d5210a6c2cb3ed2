"""The retrieve step of a question: its passages, numbered and stored for the answer step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from temporalio import activity

from activities.answering.about_documents import about_documents, answer_about
from activities.answering.courtesy import bare_question
from activities.answering.document_names import named_document, names_only
from activities.answering.generation import GenerationPrefetch
from activities.answering.prompts import TURNS
from activities.answering.rewrite import Rewriter, goes_on, points_back, standalone
from activities.answering.summaries import UNSURE, extract, summarised
from activities.answering.topics import PASSAGES as PARAGRAPHS_OF
from activities.answering.topics import is_new_topic, new_words
from activities.contracts.answers import Source
from activities.contracts.documents import Chunk
from activities.contracts.events import StateEvent
from activities.contracts.questions import Retrieved, RetrieveInput, Turn
from activities.errors import QuestionTimedOut
from activities.retrieval.passages import Passage, SourceTexts
from activities.retrieval.retriever import PASSAGES, Found, Retriever
from activities.stores.blob_keys import sources_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import ShownDocument
from activities.stores.deadline import within
from activities.text.chinese import simplified
from activities.text.scripts import query_language
from activities.text.variants import plain_width

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

        In generative mode the language model starts at once. Raises the error of a service that does not answer.
        """
        attempt = activity.info().attempt
        news = [StateEvent(stage="retrieve")] if attempt == 1 else []
        try:
            async with within(SECONDS):
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
        asked = bare_question(plain_width(input.question))
        prepared = await self._about(input, asked)
        if prepared is not None:
            return prepared
        turns = await self._turns(input)
        query = await self._rewriter.rewrite(asked, turns, query_language(asked))
        rewritten = time.perf_counter()
        found, question = await best_search(self._retriever, input, asked, query, turns)
        prepared = await self._extract(input, asked, found)
        if prepared is not None:
            return prepared
        passages = await self._retriever.complete(found)
        key = sources_key(input.question_id)
        follows = question != asked and bool(turns)
        sources = source_texts(
            found, passages, question, asked=asked if follows else "", said=turns[-1].answer if follows else ""
        )
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

    async def _about(self, input: RetrieveInput, asked: str) -> Retrieved | None:
        """The answer to a question about the documents themselves, from the catalogue; None for any other question."""
        about = about_documents(asked)
        if about is None:
            return None
        count, documents = await self._shown(input)
        answered = answer_about(about, asked, count, documents)
        return None if answered is None else await self._prepared(input, SourceTexts([], b"", asked, prepared=answered))

    async def _extract(self, input: RetrieveInput, asked: str, found: Found) -> Retrieved | None:
        """The extract of the document that a question wants summarised: the named one, else the best that was found."""
        subject = summarised(asked)
        if subject is None:
            return None
        _, documents = await self._shown(input)
        document = named_document(subject, documents)
        if document is not None and subject.startswith(UNSURE) and not names_only(subject, document):
            return None
        if document is None and not subject.startswith(UNSURE):
            best = found.passages[0].row.document_id if found.passages else None
            document = next((one for one in documents if one.id == best), None)
        indexed = document and await self._catalog.documents.indexed(document.id, document.version)
        if document is None or not indexed:
            return None
        extracted = extract(asked, document, await self._blobs.load(indexed.chunks_key, list[Chunk]))
        if extracted is None:
            return None
        answered, sources, texts = extracted
        texts_of = SourceTexts(texts, b"", asked, found.knowledge_base.answers, prepared=answered)
        return await self._prepared(input, texts_of, sources)

    async def _shown(self, input: RetrieveInput) -> tuple[int, list[ShownDocument]]:
        return await self._catalog.search_scope.shown(input.knowledge_base_id, input.documents, input.filter)

    async def _prepared(self, input: RetrieveInput, texts: SourceTexts, sources: Sequence[Source] = ()) -> Retrieved:
        """An answer that is ready for the answer step."""
        key = sources_key(input.question_id)
        await self._blobs.save(key, texts)
        return Retrieved(sources_key=key, sources=list(sources), similarity=1.0 if sources else 0.0)

    async def _turns(self, input: RetrieveInput) -> list[Turn]:
        """The turns of the conversation before the question."""
        if input.history_key is not None:
            return await self._blobs.load(input.history_key, list[Turn])
        return await self._catalog.questions.turns(input.question_id, TURNS) if input.follows else []


async def best_search(
    retriever: Retriever,
    input: RetrieveInput,
    asked: str,
    query: str,
    turns: Sequence[Turn] = (),
    generation: int | None = None,
) -> tuple[Found, str]:
    """What was found, and the query that found it.

    A short question that may be about a new topic is searched with and without the words of earlier turns, one in
    traditional characters also in simplified ones.
    """
    queries = [query, asked] if _may_be_new(asked, query, turns) else [query]
    queries += [plain for plain in (simplified(query),) if plain not in queries]
    results = await asyncio.gather(
        *(
            retriever.search(
                input.knowledge_base_id,
                one,
                PASSAGES,
                document_ids=input.documents,
                filter=input.filter,
                generation=generation,
            )
            for one in queries
        )
    )
    found = dict(zip(queries, results, strict=True))
    texts = [passage.row.text for one in found.values() for passage in one.passages[:PARAGRAPHS_OF]]
    carried = query.removeprefix(asked)
    if asked in queries and asked != query and is_new_topic(asked, carried, texts, goes_on=goes_on(asked)):
        query = asked
    best = max((query, simplified(query)), key=lambda one: found[one].similarity if one in found else -1.0)
    return found[best], best


def source_texts(
    found: Found, passages: Sequence[Passage], question: str, asked: str = "", said: str = ""
) -> SourceTexts:
    """The passages as the answer step takes them."""
    return SourceTexts(
        [passage.row.text for passage in passages],
        found.vector,
        question,
        found.knowledge_base.answers,
        contexts=[passage.context for passage in passages],
        asked=asked,
        said=said,
    )


def _may_be_new(asked: str, query: str, turns: Sequence[Turn]) -> bool:
    """Whether words were added to a question that does not point at them."""
    return query != asked and query == standalone(asked, turns) and not points_back(asked) and bool(new_words(asked))


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
