"""Quality gates in the catalogue: recent questions, progress and report, and which question sets are in use."""

from __future__ import annotations

import pytest

from activities.contracts.answers import Citation
from activities.contracts.gate import Gate, Item, Measure
from activities.contracts.questions import Answered, RecordAnswerInput, Retrieved
from activities.contracts.reindex import RecordReindexInput, ReindexToRun
from activities.contracts.reindex_all import AllSettings
from activities.errors import Canceled, NotFound
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Feedback, KnowledgeBase
from tests.stores.catalog.conftest import MISSING, TWO, accepted, created, publishing


async def rated(
    catalog: Catalog,
    kb: KnowledgeBase,
    question: str,
    cited: str,
    *,
    rating: str | None = "up",
    asked: str | None = None,
) -> str:
    """A recorded question with an answer that cites a document; its id."""
    id = (await catalog.questions.create(kb.id, question, "extractive", None, "bob")).id
    citation = Citation(n=1, document_id=cited, document_name="a.pdf", quote="Five days.")
    answered = Answered(answer="Five days. [1]", citations=[citation], mode="extractive", found=True)
    retrieved = Retrieved(sources_key="k", sources=[], similarity=0.9, standalone=asked)
    await catalog.questions.record(RecordAnswerInput(question_id=id, answered=answered, retrieved=retrieved))
    if rating is not None:
        await catalog.questions.rate(id, Feedback(rating=rating, comment=None), "bob")  # type: ignore[arg-type]
    return id


async def test_recent_questions_are_rated_helpful_and_their_documents_are_there(
    catalog: Catalog, kb: KnowledgeBase
) -> None:
    """Newest first, each once, as they were searched for, of this knowledge base."""
    document, gone = await accepted(catalog, kb), await accepted(catalog, kb, "b.pdf", TWO)
    for id in (document, gone):
        await catalog.documents.publish(publishing(id, 1))
    await catalog.documents.delete(gone, "ann")
    await rated(catalog, kb, "How long?", document)
    same = await rated(catalog, kb, "How long?", document)
    follow = await rated(catalog, kb, "And then?", document, asked="How long is leave then?")
    await rated(catalog, kb, "Bad?", document, rating="down")
    await rated(catalog, kb, "Unrated?", document, rating=None)
    await rated(catalog, kb, "Gone?", gone)
    await rated(catalog, await created(catalog, "other"), "Other?", document)
    found = await catalog.gates.recent(kb.id, 10)
    assert found == [
        Item("How long is leave then?", documents=(document,), question_id=follow),
        Item("How long?", documents=(document,), question_id=same),
    ]
    assert len(await catalog.gates.recent(kb.id, 1)) == 1


async def test_a_report_and_an_override_are_kept_and_the_set_is_let_go(catalog: Catalog, kb: KnowledgeBase) -> None:
    """A set is in use until its re-index has ended."""
    asked = ReindexToRun(
        reindex_id="", knowledge_base_id=kb.id, knowledge_base=kb.name, generation=0, previous=0,
        chunking=kb.chunking, actor="ann", questions="given", questions_key="gates/x/1", gate_seconds=60,
    )  # fmt: skip
    reindex = await catalog.reindexes.create(asked)
    await catalog.gates.advance(reindex.id, 3, 9)
    assert (await catalog.reindexes.get(reindex.id)).gate == Gate(questions=9, done=3)
    measure = Measure(name="answers", live=1.0, new=0.9, difference=-0.1, low=None, high=None, n=1)
    await catalog.gates.conclude(reindex.id, Gate(questions=9, done=9, measures=[measure], refused=True))
    assert await catalog.gates.known(["gates/x/1", "gates/x/2"]) == {"gates/x/1"}
    override = RecordReindexInput(
        reindex_id=reindex.id, state="running", stage="gate", actor="eve", action="override", note="known"
    )
    await catalog.reindexes.record(override)
    recorded = await catalog.reindexes.get(reindex.id)
    assert (recorded.overridden_by, recorded.override_reason) == ("eve", "known")
    assert recorded.gate is not None
    assert recorded.gate.measures == [measure]
    run = recorded.to_run()
    assert (run.questions, run.questions_key, run.gate_seconds, run.overridden_by) == ("given", "gates/x/1", 60, "eve")
    await catalog.reindexes.record(RecordReindexInput(reindex_id=reindex.id, state="canceled", stage=""))
    assert await catalog.gates.known(["gates/x/1"]) == set()


async def test_a_job_of_many_keeps_its_order_and_its_cancel(catalog: Catalog, kb: KnowledgeBase) -> None:
    """What was asked stays for a run that is started again; a cancel is not taken back."""
    other = await created(catalog, "a-later-one")
    job = await catalog.reindex_alls.create([kb, other], AllSettings(limit=2, chunking=kb.chunking), "ann")
    await catalog.reindex_alls.settle(job.id, 1, "canceled", Canceled().reason, MISSING)
    for action in ("pause", "cancel", "resume"):
        await catalog.reindex_alls.control(job.id, action, "bob")  # type: ignore[arg-type]
    found = await catalog.reindex_alls.get(job.id)
    assert [(item.knowledge_base, item.state) for item in found.items] == [
        (kb.name, "queued"), (other.name, "canceled"),
    ]  # fmt: skip
    assert (found.wanted, found.canceled_by, found.settings) == ("cancel", "bob", job.settings)
    assert found.items[1].reason == Canceled().reason
    await catalog.reindex_alls.record(job.id, "canceled")
    await catalog.reindex_alls.record(job.id, "running")
    assert [each.state for each in await catalog.reindex_alls.page(None, 5)] == ["canceled"]
    with pytest.raises(NotFound):
        await catalog.reindex_alls.control(MISSING, "pause", "bob")
