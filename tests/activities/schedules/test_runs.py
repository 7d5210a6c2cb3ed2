"""What a run of a schedule begins, and when it begins nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from activities.contracts.documents import Chunking
from activities.contracts.embedding import EmbeddingModel
from activities.contracts.reindex import RecordReindexInput, ReindexToRun
from activities.contracts.schedules import (
    BeginScheduledInput,
    RecordScheduledInput,
    ScheduledBegun,
    ScheduleKind,
    Timing,
    counts_of,
)
from activities.errors import InvalidRequest
from activities.schedules.kinds import KINDS, check_options
from activities.schedules.runs import ScheduledRunActivities
from activities.settings import load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import KnowledgeBase
from activities.stores.catalog.schedule_records import NewSchedule, Schedule

AT = datetime(2026, 6, 1, 2, tzinfo=UTC)


async def served(knowledge_base_id: str) -> EmbeddingModel:
    """The model of every knowledge base."""
    return EmbeddingModel(name="model", fingerprint="f" * 16)


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    """An empty catalogue."""
    settings = load({"HOLDFAST_DATA": str(tmp_path)})
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    yield catalog
    await catalog.close()


@pytest.fixture
async def kb(catalog: Catalog) -> KnowledgeBase:
    return await catalog.knowledge_bases.create("hr", "", "", Chunking(max_tokens=200, overlap_tokens=20), "ann")


async def made(catalog: Catalog, kb: KnowledgeBase, kind: ScheduleKind, name: str = "s", **options: Any) -> Schedule:
    """A schedule of a kind."""
    return await catalog.schedules.create(
        NewSchedule(
            name=name, kind=kind, knowledge_base_id=kb.id, options=options, timing=Timing(every_minutes=60),
            paused=False, note="", actor="ann",
        )
    )  # fmt: skip


async def begin(catalog: Catalog, schedule: Schedule, occurrence: str = "s-1", run: str = "r") -> ScheduledBegun:
    """Begin a run."""
    id = f"schedule/{occurrence}"
    input = BeginScheduledInput(schedule_id=schedule.id, occurrence=occurrence, at=AT, workflow_id=id, run_id=run)
    return await ScheduledRunActivities(catalog, served).begin_scheduled(input)


async def test_a_reindex_is_recorded_once(catalog: Catalog, kb: KnowledgeBase) -> None:
    """However often the run begins; another run is skipped until it has ended, and says why."""
    schedule = await made(catalog, kb, "reindex", max_tokens=64)
    first = await begin(catalog, schedule)
    assert first.job is not None
    second = await begin(catalog, schedule)
    assert second.job is not None
    assert (second.record_id, second.job.id) == (first.record_id, first.job.id)
    assert msgspec.convert(second.job.input, ReindexToRun) == msgspec.convert(first.job.input, ReindexToRun)
    (reindex,) = await catalog.reindexes.page(kb.id, None, 10)
    assert (reindex.chunking, reindex.actor) == (Chunking(max_tokens=64, overlap_tokens=20), "ann")
    assert (first.job.id, first.job.input["reindex_id"]) == (f"reindex/{kb.id}/{reindex.generation}", reindex.id)
    (recorded,) = await catalog.schedules.runs(schedule.id, 10)
    assert (recorded.job_workflow_id, recorded.job_id) == (first.job.id, reindex.id)
    second = await begin(catalog, schedule, "s-2", "other")
    assert (second.job, second.reason and second.reason.code) == (None, "reindex-runs")
    await catalog.reindexes.record(RecordReindexInput(reindex_id=reindex.id, state="ready", stage="retire"))
    assert (await begin(catalog, schedule, "s-3", "third")).job is not None


async def test_a_retention_looks_back_from_its_time(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Not from the time at which it happens to run; two schedules of one time have a job each."""
    jobs = []
    for name in ("one", "two"):
        schedule = await made(catalog, kb, "retention", name, days=30)
        begun = await begin(catalog, schedule, f"{name}-2026-06-01T02:00:00Z")
        assert begun.job is not None
        jobs.append(begun.job)
    assert jobs[0].input["cutoff"] == "2026-05-02T02:00:00Z"
    assert jobs[0].input["options"] == {"days": 30}
    assert [job.id for job in jobs] == [f"retention/{kb.id}/{name}-2026-06-01T02:00:00Z" for name in ("one", "two")]


async def test_what_was_done_is_not_done_again(catalog: Catalog, kb: KnowledgeBase) -> None:
    """An occurrence that failed is, and one of a deleted schedule is not."""
    schedule = await made(catalog, kb, "retention", days=30)
    failed = await begin(catalog, schedule)
    await catalog.schedules.record_run(RecordScheduledInput(record_id=failed.record_id, state="failed"))
    again = await begin(catalog, schedule, run="again")
    assert again.job is not None
    await catalog.schedules.record_run(RecordScheduledInput(record_id=again.record_id, state="ready"))
    third = await begin(catalog, schedule, run="third")
    assert (third.job, third.reason and third.reason.code) == (None, "occurrence-done")
    await catalog.schedules.remove(schedule.id)
    gone = await begin(catalog, schedule, "s-2")
    assert (gone.job, gone.record_id, gone.reason and gone.reason.code) == (None, "", "not-found")


@pytest.mark.parametrize(
    ("kind", "given", "stored"),
    [
        ("reindex", {}, {}),
        ("reindex", {"overlap_tokens": 0, "approve": True}, {"overlap_tokens": 0, "approve": True}),
        ("retention", {"days": 1, "tag": " Old  Minutes "}, {"days": 1, "tag": "old minutes"}),
        ("retention", {"days": 1, "names": " *.md ", "max_share": 0.5}, {"days": 1, "names": "*.md", "max_share": 0.5}),
    ],
)
async def test_options_are_stored_as_they_are_meant(
    catalog: Catalog, kb: KnowledgeBase, kind: ScheduleKind, given: dict[str, Any], stored: dict[str, Any]
) -> None:
    """What is left out is left to the defaults."""
    assert await check_options(catalog, kb, kind, given) == stored


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("reindex", {"days": 3}),
        ("reindex", {"max_tokens": 4}),
        ("reindex", {"window": "25:00-06:00"}),
        ("reindex", {"window": "22:00-06:00 Mars/Olympus"}),
        ("retention", {}),
        ("retention", {"days": 0}),
        ("retention", {"days": 3, "max_share": 0}),
        ("retention", {"days": 3, "max_share": 1.5}),
        ("retention", {"days": 3, "tag": "x" * 65}),
        ("retention", {"days": 3, "keep_at_least": -1}),
        ("retention", {"days": 3, "record_id": "1"}),
    ],
)
async def test_wrong_options_are_refused(
    catalog: Catalog, kb: KnowledgeBase, kind: ScheduleKind, given: dict[str, Any]
) -> None:
    """Those of another kind, and values that mean nothing."""
    with pytest.raises((InvalidRequest, msgspec.ValidationError)):
        await check_options(catalog, kb, kind, given)


def test_every_kind_has_options_of_its_own() -> None:
    """No two kinds share a Struct, and the numbers of a result are its counts."""
    assert len({kind.options for kind in KINDS.values()}) == len(KINDS)
    assert counts_of({"deleted": 3, "switched": True, "plan": {"documents": 1}, "share": 0.5}) == {"deleted": 3}
    assert counts_of(None) == {}
