"""Heartbeats: they last as long as the work, carry its progress, and end with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from temporalio.testing import ActivityEnvironment

from activities.runtime import heartbeat
from activities.runtime.heartbeat import Progress, _send_heartbeats, heartbeating, report


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats every few milliseconds."""
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.005)


class Beats:
    """An activity's environment that collects its heartbeats."""

    def __init__(self) -> None:
        self.environment = ActivityEnvironment()
        self.environment.on_heartbeat = self._beat
        self.seen: list[tuple[Progress, ...]] = []
        self._news = asyncio.Event()

    def _beat(self, *details: Progress) -> None:
        self.seen.append(details)
        self._news.set()

    async def more(self, count: int) -> None:
        """Wait for this many more heartbeats."""
        wanted = len(self.seen) + count
        while len(self.seen) < wanted:
            self._news.clear()
            await self._news.wait()

    async def run(self, function: Callable[[], Awaitable[object]]) -> object:
        """Run the function as an activity."""
        return await self.environment.run(function)


async def test_heartbeats_come_while_the_work_goes_on() -> None:
    """Without a progress report they are empty and show that the activity is alive."""
    beats = Beats()

    @heartbeating
    async def work() -> str:
        await beats.more(5)
        return "done"

    assert await beats.run(work) == "done"
    assert set(beats.seen) == {()}


async def test_heartbeats_carry_the_latest_report() -> None:
    """Each carries the report until the next one: a retry resumes from it."""
    beats = Beats()

    @heartbeating
    async def work() -> None:
        for done in (1, 2):
            report(done, 2)
            await beats.more(4)
        report(3)
        await beats.more(1)

    await beats.run(work)
    told = [details for details in beats.seen if details]
    assert told == sorted(told, key=lambda details: details[0].done)
    assert [told.count((Progress(done, 2),)) >= 4 for done in (1, 2)] == [True, True]
    assert told[-1] == (Progress(3, None),)


@pytest.mark.parametrize("error", [None, ValueError("no")])
async def test_heartbeats_end_with_the_work(error: ValueError | None) -> None:
    """However the work ends, no task is left running."""
    beats = Beats()

    @heartbeating
    async def work() -> None:
        await beats.more(2)
        if error is not None:
            raise error

    before = asyncio.all_tasks()
    if error is None:
        await beats.run(work)
    else:
        with pytest.raises(ValueError, match="no"):
            await beats.run(work)
    new = asyncio.all_tasks() - before  # clients of other tests on the same loop have tasks of their own
    left = [task for task in new if getattr(task.get_coro(), "__name__", "") == _send_heartbeats.__name__]
    await asyncio.gather(*left, return_exceptions=True)
    assert all(task.cancelled() for task in left)
    count = len(beats.seen)
    await asyncio.sleep(0)
    assert len(beats.seen) == count


async def test_a_canceled_activity_stops() -> None:
    """Cancellation reaches the work, and the heartbeats end with it."""
    beats = Beats()

    @heartbeating
    async def work() -> None:
        await beats.more(1_000_000)

    running = asyncio.create_task(_awaited(beats.run(work)))
    await beats.more(2)
    beats.environment.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def _awaited(work: Awaitable[object]) -> None:
    await work


async def test_two_activities_do_not_mix_their_reports() -> None:
    """Heartbeats of each carry its own progress."""

    async def one(number: int) -> set[tuple[Progress, ...]]:
        beats = Beats()

        @heartbeating
        async def work() -> None:
            report(number, number)
            await beats.more(3)

        await beats.run(work)
        return {details for details in beats.seen if details}

    found = await asyncio.gather(*(one(number) for number in range(4)))
    assert found == [{(Progress(number, number),)} for number in range(4)]


async def test_a_short_activity_sends_no_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each heartbeat costs the server a write, so work of milliseconds sends none."""
    monkeypatch.setattr(heartbeat, "INTERVAL", 5.0)
    beats = Beats()

    @heartbeating
    async def work() -> None:
        report(1, 1)

    await beats.run(work)
    assert beats.seen == []


async def test_outside_of_an_activity_there_is_no_heartbeat() -> None:
    """A benchmark or a test can call the same function; reports are discarded, the result is the same."""

    @heartbeating
    async def work(number: int) -> int:
        report(number)
        return number + 1

    report(1, 2)
    assert await work(1) == 2
    assert work.__name__ == "work"
