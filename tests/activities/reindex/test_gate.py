"""What counts as answered, which questions got worse, and the sentence of a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from activities.answering.trial import TrialAnswer, TrialHit, Trials
from activities.contracts.gate import Item, JudgeInput, MeasureInput, Outcome, Pair, Verdict
from activities.contracts.questions import Answered
from activities.contracts.reindex import ReindexInput, ReindexToRun
from activities.errors import ModelMismatch
from activities.reindex.gate import GateActivities, is_answered, worse_questions
from activities.reindex.question_sets import save_questions
from activities.settings import Settings
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Reindex
from tests.stores.catalog.conftest import created, sqlite_settings, sqlite_template

__all__ = ["sqlite_settings", "sqlite_template"]  # fixtures

LEAVE = "Employees may carry over five days of unused annual leave into the next calendar year."


def answer(text: str, *, found: bool = True, cited: bool = True) -> TrialAnswer:
    """An answer that cites one passage."""
    hits = [TrialHit("1" * 32, "leave.pdf", LEAVE)] if cited else []
    return TrialAnswer(Answered(answer=text, citations=[], mode="extractive", found=found), hits)


@pytest.mark.parametrize(
    ("item", "given", "right"),
    [
        (Item("?", answers=("five days",)), answer("They may carry over FIVE  days. [1]"), True),
        (Item("?", answers=("six days",)), answer("They may carry over five days. [1]"), False),
        (Item("?", answers=("five days",)), answer("five days", found=False), False),
        (Item("?", documents=("leave.pdf",)), answer("Five. [1]"), True),
        (Item("?", documents=("1" * 32,)), answer("Five. [1]"), True),
        (Item("?", documents=("travel.pdf",)), answer("Five. [1]"), False),
        (Item("?", passage=LEAVE[:60]), answer("Five. [1]"), True),
        (Item("?", passage="Travel costs are refunded within ten days."), answer("Five. [1]"), False),
        (Item("?"), answer("Five. [1]"), True),
        (Item("?", absent=True), answer("Not in the documents.", found=False), True),
        (Item("?", absent=True), answer("Five. [1]"), False),
    ],
)
def test_what_is_answered_as_expected(item: Item, given: TrialAnswer, right: bool) -> None:
    """By the answer, else by the documents or the passage; what is absent has to be told so."""
    assert is_answered(item, given) is right


def outcome(first: bool | None, answered: bool) -> Outcome:
    """An outcome of a question."""
    return Outcome(first=first, answered=answered, milliseconds=1.0)


def test_the_questions_that_got_worse_are_named() -> None:
    """With their text if it was given; a recorded question belongs to its asker, so only its id is told."""
    items = [Item("a"), Item("b"), Item("c", question_id="9" * 32), Item("d")]
    pairs = [
        Pair(live=outcome(True, True), new=outcome(False, False)),
        Pair(live=outcome(None, True), new=outcome(None, False)),
        Pair(live=outcome(True, True), new=outcome(False, True)),
        Pair(live=outcome(False, False), new=outcome(True, False)),
    ]
    found = [(each.measure, each.question, each.question_id) for each in worse_questions(items, pairs)]
    assert found == [("recall_at_1", "a", ""), ("answers", "b", ""), ("recall_at_1", "", "9" * 32)]


# --- the activities, with a played retrieval ---------------------------------------------------------


class PlayedTrials(Trials):
    """Finds and answers everything in the live generation; in the others, what is not ``lost``."""

    def __init__(self, lost: set[str], *, served: bool = True) -> None:
        self._lost, self._served = lost, served

    async def search(self, knowledge_base_id: str, question: str, generation: int, limit: int) -> list[TrialHit]:
        """The right document, or another one."""
        if generation == 1 and not self._served:
            raise ModelMismatch(indexed="old", serving="new")
        name = "other.pdf" if generation > 1 and question in self._lost else "leave.pdf"
        return [TrialHit("1" * 32, name, LEAVE)]

    async def answer(self, knowledge_base_id: str, question: str, generation: int) -> TrialAnswer:
        """An answer from it."""
        return answer("Five days. [1]", found=not (generation > 1 and question in self._lost))


async def judged(
    sqlite_settings: Settings, tmp_path: Path, lost: int, *, served: bool = True
) -> tuple[Verdict, list[int], Reindex]:
    """The verdict on 30 questions of which so many are lost, the sizes of the slices, and the record."""
    catalog, blobs = Catalog(sqlite_settings.catalog_url), Blobs(f"file://{tmp_path}/blobs")
    base = await created(catalog, "handbook")
    items = [Item(f"Question {n}?", documents=("leave.pdf",)) for n in range(30)]
    key = await save_questions(blobs, base.id, items)
    asked = ReindexToRun(
        reindex_id="", knowledge_base_id=base.id, knowledge_base=base.name, generation=0, previous=0,
        chunking=base.chunking, actor="ann", questions="given", questions_key=key,
    )  # fmt: skip
    id = (await catalog.reindexes.create(asked)).id
    trials = PlayedTrials({item.question for item in items[:lost]}, served=served)
    gate = GateActivities(blobs, catalog, trials)
    total = (await gate.prepare_gate(ReindexInput(reindex_id=id))).questions
    pairs: list[Pair] = []
    slices = []
    while len(pairs) < total:
        input = MeasureInput(reindex_id=id, first=len(pairs), total=total, seconds=0.0 if not pairs else 60.0)
        made = (await gate.measure_gate(input)).pairs
        slices.append(len(made))
        pairs += made
    verdict = await gate.judge_gate(JudgeInput(reindex_id=id, pairs=pairs))
    record = await catalog.reindexes.get(id)
    await catalog.close()
    return verdict, slices, record


async def test_a_worse_generation_is_refused_with_figures(sqlite_settings: Settings, tmp_path: Path) -> None:
    """The sentence says by how much, in both languages; the report names what got worse."""
    verdict, slices, record = await judged(sqlite_settings, tmp_path, lost=6)
    assert slices == [1, 29]
    assert verdict.refused is not None
    assert "1.000 now, 0.800 in the new index, difference -0.200" in verdict.refused.render()
    assert "首位命中率：现用索引 1.000" in verdict.refused.render("zh")
    assert record.gate is not None
    assert (record.gate.done, record.gate.worse_count, record.gate.refused) == (30, 6, True)
    assert [each.question for each in record.gate.worse] == [f"Question {n}?" for n in range(6)]


@pytest.mark.parametrize("served", [True, False])
async def test_an_equal_generation_passes(sqlite_settings: Settings, tmp_path: Path, served: bool) -> None:
    """Also beside one whose model is not served any more, which answers nothing."""
    verdict, _, record = await judged(sqlite_settings, tmp_path, lost=0, served=served)
    assert verdict.refused is None
    assert record.gate is not None
    recall = record.gate.measures[0]
    assert (recall.low, recall.high) == ((0.0, 0.0) if served else (1.0, 1.0))
