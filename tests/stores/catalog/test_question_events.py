"""Events of questions: in order, from one writer at a time, and gone with what they tell about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from activities.contracts.events import DeltaEvent, DoneEvent, ErrorEvent, QuestionEvent, ResetEvent, StateEvent
from activities.contracts.questions import Answered, RecordAnswerInput
from activities.errors import Canceled, Reason
from activities.stores.catalog import question_events
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.question_events import PAGE
from activities.stores.catalog.records import KnowledgeBase
from activities.stores.catalog.tables import first_id, new_id
from tests.stores.catalog.conftest import MISSING


async def asked(catalog: Catalog, kb: KnowledgeBase, conversation: str | None = None) -> str:
    """The id of a new question."""
    return (await catalog.questions.create(kb.id, "How long?", "generative", conversation, "ann")).id


async def all_events(catalog: Catalog, question: str) -> list[QuestionEvent]:
    """All events of a question."""
    return (await catalog.question_events.after({question: 0})).get(question, [])


def words(*texts: str) -> list[QuestionEvent]:
    """Pieces of an answer."""
    return [DeltaEvent(text=text) for text in texts]


async def test_events_are_read_in_order_from_an_offset(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Each keeps its offset; a question without further events is left out."""
    question, log = await asked(catalog, kb), catalog.question_events
    assert await log.count(question) == 0
    state = StateEvent(stage="wait_for_index", state="waiting", pending=2, eta_seconds=1.5)
    assert await log.append(question, [state]) == 1
    assert await log.append(question, words("a", "b"), 1) == 3
    assert await log.append(question, [ResetEvent(), *words("c")]) == 5
    assert await all_events(catalog, question) == [state, *words("a", "b"), ResetEvent(), *words("c")]
    assert await log.after({question: 3}) == {question: [ResetEvent(), *words("c")]}
    assert await log.after({question: 5}) == {}
    assert await log.count(question) == 5


async def test_many_questions_are_read_at_once(catalog: Catalog, kb: KnowledgeBase) -> None:
    """More than fit in one statement, each from its own offset."""
    questions = [await asked(catalog, kb) for _ in range(PAGE + 3)]
    for question in questions:
        await catalog.question_events.append(question, words("one", question))
    found = await catalog.question_events.after(dict.fromkeys(questions, 1))
    assert found == {question: words(question) for question in questions}


async def test_an_attempt_that_was_taken_over_is_stopped(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Its next piece is refused, so that nothing of it comes between the pieces of the attempt after it."""
    question, log = await asked(catalog, kb), catalog.question_events
    first = await log.append(question, words("It is"))
    second = await log.append(question, [ResetEvent(), *words("It")])
    with pytest.raises(Canceled):
        await log.append(question, words(" five"), first)
    await log.append(question, words(" is six."), second)
    assert await all_events(catalog, question) == [*words("It is"), ResetEvent(), *words("It", " is six.")]


@pytest.mark.parametrize("answered", [True, False])
async def test_the_record_is_the_last_event(catalog: Catalog, kb: KnowledgeBase, answered: bool) -> None:
    """It comes with the record, once, and nothing follows it."""
    question = await asked(catalog, kb)
    await catalog.question_events.append(question, words("Five."))
    answer = Answered(answer="Five.", citations=[], mode="extractive", found=True, withheld=1)
    record = RecordAnswerInput(question_id=question, answered=answer)
    done: QuestionEvent = DoneEvent(answer="Five.", citations=[], mode="extractive", found=True, withheld=1)
    if not answered:
        record = RecordAnswerInput(question_id=question, reason=Reason("canceled"), canceled=True)
        done = ErrorEvent(reason=Reason("canceled"))
    for _ in range(2):
        await catalog.questions.record(record)
    assert await all_events(catalog, question) == [*words("Five."), done]
    with pytest.raises(Canceled):
        await catalog.question_events.append(question, words("More."))


async def test_a_question_that_is_gone_takes_no_events(catalog: Catalog, kb: KnowledgeBase) -> None:
    """One that never was, was withdrawn, or was deleted with its conversation; its events are gone too."""
    withdrawn, deleted = await asked(catalog, kb), await asked(catalog, kb)
    conversation = (await catalog.questions.get(deleted)).conversation_id
    follow_up = await asked(catalog, kb, conversation)
    for question in (withdrawn, deleted, follow_up):
        await catalog.question_events.append(question, words("Secret."))
    await catalog.questions.withdraw(withdrawn)
    await catalog.conversations.delete(conversation, "ann")
    for question in (MISSING, withdrawn, deleted, follow_up):
        assert await all_events(catalog, question) == []
        with pytest.raises(Canceled):
            await catalog.question_events.append(question, words("Secret."))


async def test_old_events_are_dropped_when_their_question_is_finished(
    catalog: Catalog, kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a question that still waits are kept, and so are those of a young one."""
    finished, waiting = await asked(catalog, kb), await asked(catalog, kb)
    for question in (finished, waiting):
        await catalog.question_events.append(question, words("Five."))
    await catalog.questions.record(RecordAnswerInput(question_id=finished))
    young = await asked(catalog, kb)
    await catalog.questions.record(RecordAnswerInput(question_id=young))
    assert [await catalog.question_events.count(each) for each in (finished, waiting, young)] == [2, 1, 1]
    monkeypatch.setattr(question_events, "KEPT", timedelta(hours=-1))
    last = await asked(catalog, kb)
    await catalog.questions.record(RecordAnswerInput(question_id=last))
    assert [await catalog.question_events.count(each) for each in (finished, waiting, young)] == [0, 1, 0]


def test_ids_are_ordered_by_time() -> None:
    """A bound lies between the ids of before and after its time."""
    id, now = new_id(), datetime.now(UTC)
    assert first_id(now - timedelta(seconds=1)) < id < first_id(now + timedelta(seconds=1))
