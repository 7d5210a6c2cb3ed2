"""What counts as answered, which questions got worse, and the sentence of a refusal."""

from __future__ import annotations

import pytest

from activities.answering.trial import TrialAnswer, TrialHit
from activities.contracts.gate import Item, Outcome, Pair
from activities.contracts.questions import Answered
from activities.reindex.gate import is_answered, worse_questions

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
