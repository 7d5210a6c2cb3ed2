"""The quality gate: questions are searched and answered in the live generation and in the new one, and compared."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from temporalio import activity

from activities.answering.trial import TrialAnswer, Trials
from activities.contracts.gate import (
    MAX_QUESTIONS,
    MAX_WORSE,
    Gate,
    Item,
    JudgeInput,
    Measure,
    Measured,
    MeasureInput,
    MeasureName,
    Outcome,
    Pair,
    QuestionSet,
    Verdict,
    Worse,
)
from activities.contracts.reindex import ReindexInput
from activities.errors import GateRefused, ModelMismatch, ModelNotLoaded, QuestionsLost, Reason
from activities.phrases import Phrase
from activities.reindex.comparison import is_refused, measures
from activities.reindex.question_sets import save_questions
from activities.runtime.heartbeat import heartbeating, report
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Reindex
from activities.text.matching import alike, contains, rank_of

#: Hits of a search, as `holdfast eval` takes them.
HITS = 10

_NAMES: Final[dict[MeasureName, Phrase]] = {
    "recall_at_1": Phrase.GATE_RECALL,
    "answers": Phrase.GATE_ANSWERS,
    "search_p95": Phrase.GATE_P95,
}


class GateActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, blobs: Blobs, catalog: Catalog, trials: Trials) -> None:
        self._blobs, self._catalog, self._trials = blobs, catalog, trials

    @activity.defn(name="prepare_gate")
    @heartbeating
    async def prepare_gate(self, input: ReindexInput) -> QuestionSet:
        """Looks for the questions; recent ones are kept as they are now. Raises NotFound and QuestionsLost."""
        reindex = await self._catalog.reindexes.get(input.reindex_id)
        if reindex.questions == "recent" and reindex.questions_key is None:
            items = await self._catalog.gates.recent(reindex.knowledge_base_id, MAX_QUESTIONS)
            key = await save_questions(self._blobs, reindex.knowledge_base_id, items)
            await self._catalog.gates.use(reindex.id, key)
        else:
            items = await self._items(reindex)
        await self._catalog.gates.advance(reindex.id, 0, len(items))
        return QuestionSet(questions=len(items))

    @activity.defn(name="measure_gate")
    @heartbeating
    async def measure_gate(self, input: MeasureInput) -> Measured:
        """Asks the next questions in both generations, one after the other.

        Each question begins with the other generation than the one before, so that neither is always the warmer one.
        Raises NotFound and QuestionsLost.
        """
        reindex = await self._catalog.reindexes.get(input.reindex_id)
        items = await self._items(reindex)
        end = time.monotonic() + input.seconds
        pairs: list[Pair] = []
        for number, item in enumerate(items[input.first :], input.first):
            if pairs and time.monotonic() > end:
                break
            generations = [reindex.previous, reindex.generation]
            order = generations if number % 2 else generations[::-1]
            outcomes = {generation: await self._outcome(reindex, item, generation) for generation in order}
            pairs.append(Pair(live=outcomes[reindex.previous], new=outcomes[reindex.generation]))
            report(number + 1, input.total)
        await self._catalog.gates.advance(reindex.id, input.first + len(pairs), input.total)
        return Measured(pairs=pairs)

    @activity.defn(name="judge_gate")
    async def judge_gate(self, input: JudgeInput) -> Verdict:
        """Compares the outcomes, records the report, and says whether the switch is refused.

        Raises NotFound and QuestionsLost.
        """
        reindex = await self._catalog.reindexes.get(input.reindex_id)
        items = await self._items(reindex)
        found = measures(input.pairs)
        refused = [measure for measure in found if is_refused(measure)]
        worse = list(worse_questions(items, input.pairs))
        report = Gate(
            questions=len(items),
            done=len(input.pairs),
            measures=found,
            worse=worse[:MAX_WORSE],
            worse_count=len(worse),
            refused=bool(refused),
        )
        await self._catalog.gates.conclude(reindex.id, report)
        return Verdict(refused=_reason(refused, len(worse)) if refused else None)

    async def _items(self, reindex: Reindex) -> list[Item]:
        try:
            return await self._blobs.load(reindex.questions_key or "", list[Item])
        except KeyError as exc:
            raise QuestionsLost() from exc

    async def _outcome(self, reindex: Reindex, item: Item, generation: int) -> Outcome:
        """What a question measures; the index in use answers nothing if its model is not there any more."""
        id = reindex.knowledge_base_id
        begun = time.perf_counter()
        try:
            hits = await self._trials.search(id, item.question, generation, HITS)
            milliseconds = _since(begun)
            answer = await self._trials.answer(id, item.question, generation)
        except (ModelMismatch, ModelNotLoaded):
            if generation != reindex.previous:
                raise
            return Outcome(first=False if item.findable else None, answered=False, milliseconds=_since(begun))
        first = rank_of(item, hits) == 1 if item.findable else None
        return Outcome(first=first, answered=is_answered(item, answer), milliseconds=milliseconds)


def is_answered(item: Item, trial: TrialAnswer) -> bool:
    """Whether a question is answered as expected: with one of the answers, or from the right document or passage.

    A question that no document answers should be told so.
    """
    answered, cited = trial.answered, trial.cited
    if item.absent or not answered.found:
        return item.absent and not answered.found
    if item.answers:
        return contains(answered.answer, item.answers)
    if item.documents:
        return any({hit.document_id, hit.document_name} & set(item.documents) for hit in cited)
    return not item.passage or any(alike(hit.text, item.passage) for hit in cited)


def worse_questions(items: Sequence[Item], pairs: Sequence[Pair]) -> list[Worse]:
    """The questions whose right result is not first any more, or that are not answered any more."""
    worse = []
    for item, pair in zip(items, pairs, strict=True):
        lost: MeasureName | None = None
        if pair.live.first and not pair.new.first:
            lost = "recall_at_1"
        elif pair.live.answered and not pair.new.answered:
            lost = "answers"
        if lost is not None:
            question = "" if item.question_id else item.question
            worse.append(Worse(measure=lost, question=question, question_id=item.question_id))
    return worse


def _since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 1)


def _reason(refused: Sequence[Measure], worse: int) -> Reason:
    measure = min(refused, key=lambda each: each.difference if each.low is None else each.low)
    figures = {"live": measure.live, "new": measure.new, "difference": measure.difference}
    low, high = (measure.difference if each is None else each for each in (measure.low, measure.high))
    return GateRefused(
        measure=_NAMES[measure.name],
        questions=measure.n,
        worse=worse,
        **{name: f"{value:.3f}" for name, value in figures.items()},
        low=f"{low:+.3f}",
        high=f"{high:+.3f}",
    ).reason
