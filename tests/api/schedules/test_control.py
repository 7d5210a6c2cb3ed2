"""Control of schedules while Temporal is down: nothing is half made, and nothing half changed."""

from __future__ import annotations

from datetime import datetime

import pytest

from activities.errors import InvalidRequest, TemporalUnavailable
from activities.runtime.temporal import connect
from activities.settings import TemporalSettings
from activities.stores.catalog.records import KnowledgeBase
from api.schedules.control import ScheduleControl
from api.schedules.schemas import BackfillRequest, ChangeSchedule, CreateSchedule
from tests.api.http.test_access import IsolatedApi, isolated_api
from workflows.client.jobs import Jobs

__all__ = ["isolated_api"]  # a fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]


class GoesDown(Jobs):
    """Temporal answers when it is asked, and not any more afterwards."""

    async def ping(self) -> None:
        return


@pytest.fixture
async def control(isolated_api: IsolatedApi) -> ScheduleControl:
    """Of a Temporal that goes down in the middle."""
    return ScheduleControl(
        isolated_api.catalog, GoesDown(await connect(TemporalSettings(address="127.0.0.1:1"), lazy=True))
    )


@pytest.fixture
async def kb(isolated_api: IsolatedApi) -> KnowledgeBase:
    return await isolated_api.catalog.knowledge_bases.get("handbook")


async def test_a_schedule_that_temporal_did_not_take_is_not_made(
    isolated_api: IsolatedApi, control: ScheduleControl, kb: KnowledgeBase
) -> None:
    """Its name is free again, and the trail says that it was undone."""
    asked = CreateSchedule(name="half", kind="reindex", knowledge_base=kb.name, every_minutes=5)
    for _ in range(2):
        with pytest.raises(TemporalUnavailable):
            await control.create(kb, asked, "bob")
    assert [schedule.name for schedule in await isolated_api.catalog.schedules.all()] == ["nightly"]
    events = await isolated_api.catalog.audit.page(None, 10, actor="bob", action="schedule")
    assert [event.action for event in events] == ["schedule.undo", "schedule.create"] * 2


async def test_a_change_that_temporal_did_not_take_is_undone(
    isolated_api: IsolatedApi, control: ScheduleControl, kb: KnowledgeBase
) -> None:
    """And so are a pause and a deletion; Reconcile hands the schedule on again."""
    before = await isolated_api.catalog.schedules.get("nightly")
    for change in (
        control.change(kb, before, ChangeSchedule(cron="0 3 * * *", note="Later"), "bob"),
        control.pause(before, "audit", "bob"),
        control.delete(before, "bob"),
    ):
        with pytest.raises(TemporalUnavailable):
            await change
        after = await isolated_api.catalog.schedules.get("nightly")
        kept = ("timing", "paused", "note", "is_deleting", "actor")
        assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    assert [applied for _, applied, _ in await isolated_api.catalog.schedules.all_for_repair()] == [False]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("0001-01-01T00:00:00+14:00", "0001-01-02T00:00:00+00:00"),
        ("0001-01-01T00:00:00", "0001-01-02T00:00:00"),
        ("2026-01-01T00:00:00", "9999-12-31T23:59:59-14:00"),
    ],
)
async def test_a_backfill_of_an_impossible_time_is_refused(
    isolated_api: IsolatedApi, control: ScheduleControl, start: str, end: str
) -> None:
    """Such as one that is in no other time zone; Temporal is not asked."""
    nightly = await isolated_api.catalog.schedules.get("nightly")
    asked = BackfillRequest(start=datetime.fromisoformat(start), end=datetime.fromisoformat(end))
    with pytest.raises(InvalidRequest):
        await control.backfill(nightly, asked, "bob")


async def test_a_list_is_there_while_temporal_is_down(isolated_api: IsolatedApi) -> None:
    """Without the next times."""
    answer = await isolated_api.call("reader", "GET /api/v1/schedules")
    (item,) = answer.json()["items"]
    assert (answer.status_code, item["name"], item["next"], item["when"]) == (200, "nightly", None, "every 5 minutes")
    refused = await isolated_api.call("manager", "POST /api/v1/schedules")
    assert (refused.status_code, refused.json()["code"]) == (503, "temporal-unavailable")
