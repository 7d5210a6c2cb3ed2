"""Measures search and answers with a question set, through the public API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from typing import Any

from activities.contracts.answers import AnswerMode
from activities.contracts.gate import Item
from activities.contracts.search import SearchMode
from activities.text.matching import alike, contains, plain, rank_of
from api.client.client import Api, ApiError

#: Hits requested from a search; a result below them counts as not found.
HITS = 10


@dataclass
class Outcome:
    """The outcome of one question; None for values that were not measured or cannot be determined.

    ``rank`` is the rank of the first correct hit, 0 if there is none. Times are in milliseconds.
    """

    question: str
    findable: bool = False
    rank: int | None = None
    search_ms: float | None = None
    answer: str | None = None
    mode: str | None = None
    found: bool | None = None
    contains: bool | None = None
    cites: bool | None = None
    citations: int = 0
    valid: int = 0
    fallback: str | None = None
    withheld: int = 0
    first_ms: float | None = None
    answer_ms: float | None = None
    error: str | None = None
    absent: bool = False


@dataclass
class Evaluation:
    """One evaluation of a knowledge base. ``mode`` applies to answers, ``search_mode`` to searches; None: default."""

    api: Api
    kb: str
    search_mode: SearchMode | None = None
    answers: bool = False
    mode: AnswerMode | None = None
    _chunks: dict[str, asyncio.Task[dict[str, str]]] = field(default_factory=dict)

    async def run(self, items: Sequence[Item], parallel: int, advance: Callable[[], None]) -> list[Outcome]:
        """The outcomes in the order of the items. Raises Problem if the platform is unreachable."""
        slots = asyncio.Semaphore(parallel)

        async def one(item: Item) -> Outcome:
            async with slots:
                outcome = await self._one(item)
            advance()
            return outcome

        tasks = [asyncio.create_task(one(item)) for item in items]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    async def _one(self, item: Item) -> Outcome:
        outcome = Outcome(item.question, item.findable, absent=item.absent)
        try:
            await self._search(item, outcome)
            if self.answers:
                await self._ask(item, outcome)
        except ApiError as exc:
            outcome.error = str(exc)
        return outcome

    async def _search(self, item: Item, outcome: Outcome) -> None:
        begun = time.perf_counter()
        found = await self.api.questions.search(self.kb, item.question, limit=HITS, mode=self.search_mode)
        outcome.search_ms = _since(begun)
        if item.findable:
            outcome.rank = rank_of(item, found.value.hits)

    async def _ask(self, item: Item, outcome: Outcome) -> None:
        outcome.contains = False if item.answers else None
        outcome.cites = False if item.documents or item.passage else None
        begun = time.perf_counter()
        asked = (await self.api.questions.ask(self.kb, item.question, mode=self.mode, listed=False)).value
        done: dict[str, Any] = {}
        async with aclosing(self.api.questions.events(asked.id)) as events:
            async for event in events:
                if event.name == "delta" and outcome.first_ms is None:
                    outcome.first_ms = _since(begun)
                elif event.name == "error":
                    outcome.error = str(event.data.get("message") or event.data.get("code"))
                    return
                elif event.name == "done":
                    done = event.data
                    break
        outcome.answer_ms = _since(begun)
        await self._look_at(item, outcome, done)

    async def _look_at(self, item: Item, outcome: Outcome, done: dict[str, Any]) -> None:
        outcome.answer, outcome.mode, outcome.found = done["answer"], done["mode"], done["found"]
        outcome.fallback, outcome.withheld = done.get("fallback"), done.get("withheld") or 0
        if item.answers:
            outcome.contains = bool(done["found"]) and contains(done["answer"], item.answers)
        citations: list[dict[str, Any]] = done["citations"]
        texts = [await self._text(citation["document_id"], citation["chunk_id"]) for citation in citations]
        outcome.citations = len(citations)
        outcome.valid = sum(
            bool(text) and plain(citation["quote"]) in plain(text)
            for citation, text in zip(citations, texts, strict=True)
        )
        if item.documents:
            outcome.cites = any(_is_one_of(citation, item.documents) for citation in citations)
        elif item.passage:
            outcome.cites = any(alike(text, item.passage) for text in texts)

    async def _text(self, document_id: str, chunk_id: str) -> str:
        """The text of a chunk from the API; empty if the document lacks it. Each document is read once."""
        if document_id not in self._chunks:
            self._chunks[document_id] = asyncio.create_task(self._read(document_id))
        return (await asyncio.shield(self._chunks[document_id])).get(chunk_id, "")

    async def _read(self, document_id: str) -> dict[str, str]:
        try:
            return {chunk.value.chunk_id: chunk.value.text async for chunk in self.api.documents.chunks(document_id)}
        except ApiError as exc:
            if exc.status == 404:
                return {}  # deleted meanwhile: its citations cannot be verified
            raise


def result(outcomes: Sequence[Outcome], **about: Any) -> dict[str, Any]:
    """The JSON result: metadata, summary, and the outcome of each question."""
    return {"holdfast_eval": 1, **about, "summary": summary(outcomes), "items": [asdict(each) for each in outcomes]}


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures by name, without those that have no data. Rates are from 0 to 1.

    A failed question counts as neither found nor answered.
    """
    ranks = [each.rank or 0 for each in outcomes if each.findable]
    figures = {
        "questions": len(outcomes),
        "failed": sum(each.error is not None for each in outcomes),
        **{f"search.recall_at_{k}": _rate([0 < rank <= k for rank in ranks]) for k in (1, 5, 10)},
        "search.mrr": _rate([1 / rank if rank else 0.0 for rank in ranks]),
        **_times("search.", [each.search_ms for each in outcomes]),
    }
    if any(each.answer_ms is not None for each in outcomes):
        figures |= _of_answers(outcomes)
    return {name: figure for name, figure in figures.items() if figure is not None}


def _of_answers(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    told = [each for each in outcomes if each.found is not None]
    citations = sum(each.citations for each in told)
    return {
        "answers.contain_expected": _rate([each.contains for each in outcomes if each.contains is not None]),
        "answers.cite_expected": _rate([each.cites for each in outcomes if each.cites is not None]),
        "answers.not_found": _rate([not each.found for each in told if not each.absent]),
        "answers.absent_told": _rate([not each.found for each in told if each.absent]),
        "answers.citations": citations,
        "answers.citations_valid": sum(each.valid for each in told) / citations if citations else None,
        "answers.fell_back": _rate([each.fallback is not None for each in told]),
        "answers.withheld": sum(each.withheld for each in told),
        **_times("answers.first_", [each.first_ms for each in told]),
        **_times("answers.", [each.answer_ms for each in told]),
    }


def _rate(values: Sequence[float | bool]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _times(prefix: str, values: Sequence[float | None]) -> dict[str, float]:
    times = sorted(each for each in values if each is not None)
    if not times:
        return {}
    return {
        f"{prefix}p{share}_ms": round(times[min(len(times) - 1, len(times) * share // 100)], 1) for share in (50, 95)
    }


def _since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 1)


def _is_one_of(citation: dict[str, Any], documents: Sequence[str]) -> bool:
    return citation["document_name"] in documents or citation["document_id"] in documents
