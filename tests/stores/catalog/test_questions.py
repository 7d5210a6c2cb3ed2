"""Questions in the catalogue: answers, failures, and the turns of a conversation."""

from __future__ import annotations

import pytest

from activities.contracts.answers import Citation, Source
from activities.contracts.questions import Answered, RecordAnswerInput, Retrieved, Turn
from activities.errors import Reason
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase
from tests.stores.catalog.conftest import MISSING


async def test_an_answer_is_recorded_once(catalog: Catalog, kb: KnowledgeBase) -> None:
    """A retry of the record, even with different content, changes nothing."""
    question = await catalog.questions.create(kb.id, "How long?", "generative", None, "ann")
    assert (question.state, question.answer, question.finished_at) == ("running", None, None)
    source = Source(n=1, document_id=MISSING, document_name="a.pdf", version=1, chunk_id="a", score=0.5, page=3)
    citation = Citation(n=1, document_id=MISSING, document_name="a.pdf", quote="Five days.")
    answered = Answered(
        answer="Five days. [1]", citations=[citation], mode="extractive", found=True, tokens=4, fallback="unsupported",
        withheld=2, model="m.gguf", prompt_version="2", milliseconds={"generate": 7},
    )  # fmt: skip
    retrieved = Retrieved(
        sources_key="k", sources=[source], similarity=0.9, standalone="How long is leave?", generation=3, model="e5",
        model_fingerprint="f", milliseconds={"retrieve": 5},
    )  # fmt: skip
    await catalog.questions.record(RecordAnswerInput(question_id=question.id, retrieved=retrieved, answered=answered))
    recorded = await catalog.questions.get(question.id)
    assert (recorded.state, recorded.answer, recorded.found) == ("ready", "Five days. [1]", True)
    assert (recorded.mode, recorded.sources, recorded.citations) == ("extractive", [source], [citation])
    assert (recorded.fallback, recorded.withheld) == ("unsupported", 2)
    made = recorded.made
    assert made is not None
    assert (made.standalone, made.similarity, made.generation) == ("How long is leave?", 0.9, 3)
    assert (made.embedding_model, made.embedding_fingerprint) == ("e5", "f")
    assert (made.language_model, made.prompt_version, made.tokens) == ("m.gguf", "2", 4)
    assert set(made.milliseconds) == {"retrieve", "generate", "total"}
    await catalog.questions.record(RecordAnswerInput(question_id=question.id, reason=Reason("internal")))
    assert await catalog.questions.get(question.id) == recorded


@pytest.mark.parametrize(("canceled", "state"), [(False, "failed"), (True, "canceled")])
async def test_a_failed_question_keeps_its_reason(
    catalog: Catalog, kb: KnowledgeBase, canceled: bool, state: str
) -> None:
    """A failed or canceled question is finished, without an answer."""
    question = await catalog.questions.create(kb.id, "How long?", "extractive", None, "ann")
    reason = Reason("triton-unavailable", {"detail": "gone"})
    await catalog.questions.record(RecordAnswerInput(question_id=question.id, reason=reason, canceled=canceled))
    recorded = await catalog.questions.get(question.id)
    assert (recorded.state, recorded.reason, recorded.answer) == (state, reason, None)
    assert recorded.finished_at is not None


async def test_the_turns_of_a_conversation_are_its_answered_questions(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The latest, oldest first, as they were searched for; not failed, later or foreign ones."""
    first = await catalog.questions.create(kb.id, "One?", "extractive", None, "ann")
    asked = [first] + [
        await catalog.questions.create(kb.id, f"{word}?", "extractive", first.conversation_id, "ann")
        for word in ("Two", "Three", "Four", "Five")
    ]
    await catalog.questions.create(kb.id, "Elsewhere?", "extractive", None, "ann")
    for question in (asked[0], asked[1], asked[2], asked[4]):
        retrieved = Retrieved(
            sources_key="k", sources=[], similarity=0.0, standalone=question.question.replace("?", " of leave?")
        )
        answered = Answered(answer=f"{question.question} Yes.", citations=[], mode="extractive", found=True)
        await catalog.questions.record(
            RecordAnswerInput(question_id=question.id, retrieved=retrieved, answered=answered)
        )
    turns = await catalog.questions.turns(asked[3].id, 2)
    assert turns == [
        Turn(question="Two of leave?", answer="Two? Yes."),
        Turn(question="Three of leave?", answer="Three? Yes."),
    ]
    assert await catalog.questions.turns(first.id, 4) == []
    assert await catalog.questions.turns(MISSING, 4) == []
