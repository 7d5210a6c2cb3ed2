"""Conversations and feedback in the catalogue, on a real SQLite file."""

from __future__ import annotations

import pytest
from sqlalchemy import JSON, Text

from activities.contracts.answers import Citation, Source
from activities.contracts.documents import Chunking
from activities.contracts.questions import Answered, RecordAnswerInput, Retrieved
from activities.errors import InvalidRequest, NotFound
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.conversations import ERASED, cursor_after
from activities.stores.catalog.questions import title_of
from activities.stores.catalog.records import AuditEvent, Feedback, KnowledgeBase, Question
from activities.stores.catalog.tables import QuestionRow

MISSING = "0" * 32

#: Text and JSON columns of a question that stay when its conversation is deleted: references and scores, no words.
KEPT = {"sources", "reason", "milliseconds"}


@pytest.fixture
async def kb(catalog: Catalog) -> KnowledgeBase:
    """A knowledge base."""
    return await catalog.knowledge_bases.create("handbook", "", "", Chunking(), "root")


async def asked(
    catalog: Catalog, kb: KnowledgeBase, text: str, conversation: str | None = None, actor: str = "ann"
) -> Question:
    """A question, asked by ann by default."""
    return await catalog.questions.create(kb.id, text, "extractive", conversation, actor)


async def answered(catalog: Catalog, question: Question) -> None:
    """Record an answer with one citation."""
    source = Source(n=1, document_id=MISSING, document_name="a.pdf", version=1, chunk_id="a", score=0.5)
    citation = Citation(n=1, document_id=MISSING, document_name="a.pdf", quote="Five days.")
    await catalog.questions.record(
        RecordAnswerInput(
            question_id=question.id,
            retrieved=Retrieved(sources_key="k", sources=[source], similarity=0.9),
            answered=Answered(answer="Five days. [1]", citations=[citation], mode="extractive", found=True, tokens=4),
        )
    )


async def events(catalog: Catalog, **chosen: object) -> list[AuditEvent]:
    """The selected events of the trail, oldest first."""
    return [event async for page in catalog.audit.export(**chosen) for event in page]  # type: ignore[arg-type]


# --- conversations ---------------------------------------------------------------------------------


async def test_a_conversation_is_made_with_its_first_question(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Its title is the question's beginning, its time that of the last question."""
    first = await asked(catalog, kb, "  How many days\nof leave?  ")
    begun = await catalog.conversations.get(first.conversation_id, "ann")
    assert (begun.title, begun.questions, begun.knowledge_base) == ("How many days of leave?", 1, "handbook")
    second = await asked(catalog, kb, "And in May?", first.conversation_id)
    goes_on = await catalog.conversations.get(first.conversation_id, "ann")
    assert (goes_on.questions, goes_on.created_at) == (2, begun.created_at)
    assert goes_on.updated_at == second.created_at > begun.updated_at
    assert await catalog.conversations.turns(first.conversation_id, "ann") == [first, second]


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("Why?", "Why?"),
        ("a" * 80, "a" * 80),
        ("a" * 81, "a" * 79 + "…"),
        ("word " * 40, "word " * 14 + "word…"),
        ("请问年假怎么休" * 20, ("请问年假怎么休" * 20)[:79] + "…"),
    ],
)
def test_a_title_is_the_beginning_of_a_question(question: str, title: str) -> None:
    """One line of at most 80 characters, cut between words if the text has any."""
    assert title_of(question) == title
    assert len(title_of(question)) <= 80


async def test_only_the_owner_sees_a_conversation(catalog: Catalog, kb: KnowledgeBase) -> None:
    """For others it does not exist, whatever they call."""
    id = (await asked(catalog, kb, "Why?")).conversation_id
    for attempt in (
        catalog.conversations.get(id, "bob"),
        catalog.conversations.turns(id, "bob"),
        catalog.conversations.rename(id, "Mine", "bob"),
        catalog.conversations.delete(id, "bob"),
        asked(catalog, kb, "And then?", id, "bob"),
        asked(catalog, kb, "And then?", MISSING),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert await catalog.conversations.page("bob", None, None, 10) == []
    assert (await catalog.conversations.get(id, "ann")).questions == 1


async def test_a_conversation_stays_on_its_knowledge_base(catalog: Catalog, kb: KnowledgeBase) -> None:
    """A question on another one cannot continue it."""
    other = await catalog.knowledge_bases.create("other", "", "", Chunking(), "root")
    first = await asked(catalog, kb, "Why?")
    with pytest.raises(NotFound):
        await asked(catalog, other, "And then?", first.conversation_id)


async def test_pages_go_through_all_conversations_newest_first(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Each appears once; one with a new question comes first; a filter selects a knowledge base."""
    other = await catalog.knowledge_bases.create("other", "", "", Chunking(), "root")
    ids = [(await asked(catalog, kb, f"Question {n}?")).conversation_id for n in range(5)]
    elsewhere = (await asked(catalog, other, "Elsewhere?")).conversation_id
    await asked(catalog, kb, "And then?", ids[1])
    found: list[str] = []
    cursor = None
    while True:
        page = await catalog.conversations.page("ann", None, cursor, 2)
        found += [each.id for each in page]
        if len(page) < 2:
            break
        cursor = cursor_after(page[-1])
    assert found == [ids[1], elsewhere, ids[4], ids[3], ids[2], ids[0]]
    assert [each.id for each in await catalog.conversations.page("ann", "other", None, 10)] == [elsewhere]


@pytest.mark.parametrize("cursor", ["x", "1", "-", f"12-{'g' * 32}", f"1 OR 1=1-{MISSING}", f"{'9' * 30}-{MISSING}"])
async def test_a_cursor_of_another_list_is_refused(catalog: Catalog, kb: KnowledgeBase, cursor: str) -> None:
    """It is a client error and never reaches the database."""
    with pytest.raises(InvalidRequest):
        await catalog.conversations.page("ann", None, cursor, 2)


async def test_an_unlisted_conversation_is_found_by_its_id(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Clients with their own list ask in conversations that the list leaves out."""
    question = await catalog.questions.create(kb.id, "Why?", "extractive", None, "ann", listed=False)
    assert await catalog.conversations.page("ann", None, None, 10) == []
    assert (await catalog.conversations.get(question.conversation_id, "ann")).title == "Why?"


async def test_a_new_title_does_not_move_a_conversation(catalog: Catalog, kb: KnowledgeBase) -> None:
    """It keeps its place in the list; the trail records the actor, not the title."""
    first = await asked(catalog, kb, "One?")
    second = await asked(catalog, kb, "Two?")
    renamed = await catalog.conversations.rename(first.conversation_id, "Leave", "ann")
    listed = await catalog.conversations.page("ann", None, None, 10)
    assert [(each.id, each.title) for each in listed] == [
        (second.conversation_id, "Two?"),
        (first.conversation_id, "Leave"),
    ]
    assert renamed == listed[1]
    (event,) = await events(catalog, action="conversation.rename")
    assert (event.actor, event.object_id, event.detail) == ("ann", first.conversation_id, {})


async def test_a_withdrawn_question_leaves_nothing(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Neither itself nor the conversation that it would have begun; a conversation with other questions stays."""
    first = await asked(catalog, kb, "One?")
    second = await asked(catalog, kb, "Two?", first.conversation_id)
    await catalog.questions.withdraw(second.id)
    assert (await catalog.conversations.get(first.conversation_id, "ann")).questions == 1
    await catalog.questions.withdraw(first.id)
    with pytest.raises(NotFound):
        await catalog.questions.get(first.id)
    with pytest.raises(NotFound):
        await catalog.conversations.get(first.conversation_id, "ann")


# --- deleting --------------------------------------------------------------------------------------


async def test_a_deleted_conversation_is_gone_for_its_owner(catalog: Catalog, kb: KnowledgeBase) -> None:
    """It and its questions cannot be found, and it cannot continue."""
    first = await asked(catalog, kb, "One?")
    second = await asked(catalog, kb, "Two?", first.conversation_id)
    assert await catalog.conversations.delete(first.conversation_id, "ann") == [first.id, second.id]
    assert await catalog.conversations.page("ann", None, None, 10) == []
    for attempt in (
        catalog.conversations.get(first.conversation_id, "ann"),
        catalog.conversations.delete(first.conversation_id, "ann"),
        catalog.questions.get(second.id),
        catalog.questions.rate(second.id, Feedback(rating="up"), "ann"),
        asked(catalog, kb, "Three?", first.conversation_id),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert await catalog.references.questions([first.id, second.id]) == set()


async def test_a_deletion_erases_words_and_keeps_the_record(catalog: Catalog, kb: KnowledgeBase) -> None:
    """No question, answer, quote, comment or title remains; asker, time and chunk ids do."""
    question = await asked(catalog, kb, "A secret question?")
    await answered(catalog, question)
    await catalog.questions.rate(question.id, Feedback(rating="down", comment="A secret comment"), "ann")
    await catalog.conversations.delete(question.conversation_id, "ann")
    record = await catalog.audit.question(question.id)
    assert (record["question"], record["answer"], record["citations"], record["feedback_comment"]) == (
        "", None, None, None,
    )  # fmt: skip
    assert (record["actor"], record["knowledge_base"], record["deleted_by"]) == ("ann", "handbook", "ann")
    assert (record["tokens"], record["feedback_rating"], record["sources"][0]["chunk_id"]) == (4, "down", "a")
    assert record["deleted_at"] >= record["finished_at"] >= record["created_at"]
    (event,) = await events(catalog, action="conversation.delete")
    assert (event.actor, event.object_id, event.detail["questions"]) == ("ann", question.conversation_id, 1)
    assert "secret" not in str(await events(catalog)) + str(record)


async def test_an_answer_after_the_deletion_is_not_recorded(catalog: Catalog, kb: KnowledgeBase) -> None:
    """A question whose conversation is deleted while it is being answered ends as canceled."""
    question = await asked(catalog, kb, "Why?")
    await catalog.conversations.delete(question.conversation_id, "ann")
    await answered(catalog, question)
    record = await catalog.audit.question(question.id)
    assert (record["state"], record["answer"], record["sources"]) == ("canceled", None, None)


def test_every_text_of_a_question_is_erased_or_kept_on_purpose() -> None:
    """A new text or JSON column must be in one of the two lists."""
    texts = {column.name for column in QuestionRow.__table__.columns if isinstance(column.type, Text | JSON)}
    assert {"question", "answer"} < texts == ERASED.keys() | KEPT
    assert not ERASED.keys() & KEPT


# --- feedback --------------------------------------------------------------------------------------


async def test_feedback_is_kept_with_actor_and_time(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The later one replaces the earlier; each is in the trail, without its words."""
    question = await asked(catalog, kb, "Why?")
    assert question.feedback is None
    await catalog.questions.rate(question.id, Feedback(rating="down", comment="Wrong page"), "ann")
    rated = await catalog.questions.rate(question.id, Feedback(rating="up"), "ann")
    assert rated.feedback == Feedback(rating="up") == (await catalog.questions.get(question.id)).feedback
    record = await catalog.audit.question(question.id)
    assert (record["feedback_by"], record["feedback_comment"]) == ("ann", None)
    assert record["feedback_at"] > record["created_at"]
    rated_events = await events(catalog, action="question.feedback")
    assert [(each.actor, each.detail) for each in rated_events] == [
        ("ann", {"rating": "down"}), ("ann", {"rating": "up"}),
    ]  # fmt: skip
    with pytest.raises(NotFound):
        await catalog.questions.rate(MISSING, Feedback(rating="up"), "ann")
