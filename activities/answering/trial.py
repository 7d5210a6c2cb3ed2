"""Searches and answers in a given index generation, as a question would be: nothing is recorded or generated."""

from __future__ import annotations

import msgspec

from activities.answering.answer import respond
from activities.answering.context import AnswerContext
from activities.answering.courtesy import bare_question
from activities.answering.extraction import score_sentences
from activities.answering.retrieve import best_search, source, source_texts
from activities.answering.sentence_vectors import SentenceVectors
from activities.answering.streaming import StreamedText
from activities.contracts.questions import Answered, RetrieveInput
from activities.retrieval.passages import Passage
from activities.retrieval.retriever import Retriever
from activities.stores.triton import Triton
from activities.text.variants import plain_width


class TrialHit(msgspec.Struct, frozen=True):
    """A hit as a search shows it."""

    document_id: str
    document_name: str
    text: str


class TrialAnswer(msgspec.Struct, frozen=True):
    """An answer, and the passages that it cites."""

    answered: Answered
    cited: list[TrialHit]


class Trials:
    """The same functions as those of questions. Questions about documents themselves are searched like others."""

    def __init__(self, retriever: Retriever, triton: Triton) -> None:
        self._retriever, self._triton = retriever, triton
        self._vectors = SentenceVectors(triton)

    async def search(self, knowledge_base_id: str, question: str, generation: int, limit: int) -> list[TrialHit]:
        """The hits of a search with the question."""
        found = await self._retriever.search(knowledge_base_id, question, limit, generation=generation)
        return [_hit(passage) for passage in found.passages]

    async def answer(self, knowledge_base_id: str, question: str, generation: int) -> TrialAnswer:
        """The extractive answer, or that the documents hold none."""
        asked = bare_question(plain_width(question))
        input = RetrieveInput(question_id="", knowledge_base_id=knowledge_base_id, question=question)
        found, query = await best_search(self._retriever, input, asked, asked, generation=generation)
        passages = await self._retriever.complete(found)
        sources = [source(n, passage) for n, passage in enumerate(passages, 1)]
        card = await self._triton.card(found.generation.embedding)
        context = AnswerContext(source_texts(found, passages, query), sources, found.similarity, card)
        scored = await score_sentences(context, self._vectors)
        answered = respond(context, StreamedText(lambda event: None), scored)
        hits = {passage.row.id: _hit(passage) for passage in passages}
        return TrialAnswer(answered, [hits[citation.chunk_id] for citation in answered.citations])


def _hit(passage: Passage) -> TrialHit:
    return TrialHit(passage.row.document_id, passage.document_name, passage.row.text)
