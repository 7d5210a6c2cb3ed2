"""Schedules in the catalogue: revisions, runs, and what an undone change leaves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from activities.contracts.schedules import BeginScheduledInput, RecordScheduledInput, Timing
from activities.errors import Canceled, NotFound, ScheduleTaken, TooManySchedules
from activities.stores.catalog import schedules as module
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase
from activities.stores.catalog.schedule_records import NewSchedule, Schedule
from activities.stores.catalog.tables import now
from tests.stores.catalog.conftest import created


async def made(catalog: Catalog, kb: KnowledgeBase, name: str = "nightly") -> Schedule:
    """A new schedule."""
    timing = Timing(cron="0 2 * * *", time_zone="Europe/Berlin")
    return await catalog.schedules.create(
        NewSchedule(
            name=name, kind="retention", knowledge_base_id=kb.id, options={"days": 30}, timing=timing, paused=False,
            note="", actor="ann",
        )
    )  # fmt: skip


def begins(schedule: Schedule, occurrence: str = "nightly-1", run: str = "a") -> BeginScheduledInput:
    """The input with which a run begins."""
    return BeginScheduledInput(
        schedule_id=schedule.id, occurrence=occurrence, at=now(), workflow_id=f"schedule/{occurrence}", run_id=run
    )


async def actions(catalog: Catalog) -> list[tuple[str, str]]:
    """Actors and actions of the audit trail on schedules, oldest first."""
    return [(event.actor, event.action) for event in (await catalog.audit.page(None, 50, action="schedule"))[::-1]]


async def test_a_name_is_taken_once(catalog: Catalog, kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the schedule that a setting makes is taken too; there is a largest number of schedules."""
    await made(catalog, kb)
    for name in ("nightly", "reconcile"):
        with pytest.raises(ScheduleTaken):
            await made(catalog, kb, name)
    monkeypatch.setattr(module, "MAX_SCHEDULES", 1)
    with pytest.raises(TooManySchedules):
        await made(catalog, kb, "another")
    assert await actions(catalog) == [("ann", "schedule.create")]
    other = await created(catalog, "other")
    await made(catalog, other, "of-other")  # each knowledge base has a number of its own …
    monkeypatch.setattr(module, "MAX_ALL_SCHEDULES", 2)
    with pytest.raises(TooManySchedules):  # … and the platform one of all
        await made(catalog, await created(catalog, "third"), "of-third")


async def test_a_change_is_confirmed_by_its_revision(catalog: Catalog, kb: KnowledgeBase) -> None:
    """What Temporal has is only confirmed if nothing else was changed meanwhile; the changer starts its jobs."""
    first = await made(catalog, kb)
    second = await catalog.schedules.change(first.id, "bob", "change", cron="0 3 * * *")
    assert (second.timing.cron, second.actor) == ("0 3 * * *", "bob")
    assert not await catalog.schedules.applied(first.id, first.revision)
    assert [known[1] for known in await catalog.schedules.all_for_repair()] == [False]
    assert await catalog.schedules.applied(second.id, second.revision)
    assert [known[1] for known in await catalog.schedules.all_for_repair()] == [True]


async def test_an_undone_change_leaves_what_was_before(catalog: Catalog, kb: KnowledgeBase) -> None:
    """As another revision, which has to be handed on; a later change is not undone."""
    before = await made(catalog, kb)
    changed = await catalog.schedules.change(before.id, "bob", "change", every_minutes=5, cron="", options={"days": 1})
    await catalog.schedules.put_back(before, changed.revision, "bob")
    found = await catalog.schedules.get("nightly")
    assert (found.timing, found.options, found.actor) == (before.timing, before.options, "ann")
    assert found.revision > changed.revision
    later = await catalog.schedules.change(before.id, "bob", "pause", paused=True)
    await catalog.schedules.put_back(before, changed.revision, "bob")
    assert (await catalog.schedules.get("nightly")).revision == later.revision
    assert ("bob", "schedule.undo") in await actions(catalog)


async def test_a_run_is_recorded_once(catalog: Catalog, kb: KnowledgeBase) -> None:
    """However often it begins; its end is its last word, and an occurrence that ended well is known to be done."""
    schedule = await made(catalog, kb)
    _, run, done = await catalog.schedules.begin_run(begins(schedule))
    assert (await catalog.schedules.begin_run(begins(schedule)))[1] == run
    assert not done
    await catalog.schedules.started(run.id, "retention/x")
    waiting = RecordScheduledInput(record_id=run.id, state="waiting", counts={"expired": 3})
    await catalog.schedules.record_run(waiting)
    last = (await catalog.schedules.get("nightly")).last
    assert last is not None
    assert (last.state, last.counts, last.job_workflow_id) == ("waiting", {"expired": 3}, "retention/x")
    await catalog.schedules.record_run(RecordScheduledInput(record_id=run.id, state="ready"))
    late = RecordScheduledInput(record_id=run.id, state="canceled", reason=Canceled().reason)
    await catalog.schedules.record_run(late)
    (ended,) = await catalog.schedules.runs(schedule.id, 10)
    assert (ended.state, ended.counts, ended.finished_at is not None) == ("ready", {"expired": 3}, True)
    assert (await catalog.schedules.begin_run(begins(schedule, run="b")))[2]
    assert not (await catalog.schedules.begin_run(begins(schedule, "nightly-2", "c")))[2]
    assert ("ann", "schedule.ran") in await actions(catalog)


async def test_old_runs_are_forgotten(catalog: Catalog, kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for those that go on."""
    monkeypatch.setattr(module, "KEPT_RUNS", 2)
    schedule = await made(catalog, kb)
    for number in range(5):
        _, run, _ = await catalog.schedules.begin_run(begins(schedule, f"nightly-{number}", str(number)))
        if number:
            await catalog.schedules.record_run(RecordScheduledInput(record_id=run.id, state="skipped"))
    kept = [run.occurrence for run in await catalog.schedules.runs(schedule.id, 10)]
    assert kept == ["nightly-4", "nightly-3", "nightly-0"]
    assert [run.occurrence for run in await catalog.schedules.unfinished_runs(now() + timedelta(1))] == ["nightly-0"]


async def test_a_deleted_schedule_begins_nothing(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Nor one whose knowledge base is deleted, which Reconcile still sees."""
    one, two = await made(catalog, kb), await made(catalog, kb, "weekly")
    await catalog.schedules.change(one.id, "bob", "delete", is_deleting=True)
    with pytest.raises(NotFound):
        await catalog.schedules.begin_run(begins(one))
    await catalog.schedules.begin_run(begins(two))
    await catalog.schedules.remove(one.id)
    await catalog.knowledge_bases.delete(kb.name, "ann")
    with pytest.raises(NotFound):
        await catalog.schedules.begin_run(begins(two, run="again"))
    with pytest.raises(NotFound):
        await catalog.schedules.get("weekly")
    ((left, _, orphaned),) = await catalog.schedules.all_for_repair()
    assert (left.name, orphaned) == ("weekly", True)
    await catalog.schedules.remove(left.id)
    assert await catalog.schedules.all_for_repair() == []
