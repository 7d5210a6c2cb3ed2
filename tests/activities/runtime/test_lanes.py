"""Long work leaves slots free, and users take turns."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from temporalio.common import Priority
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.runtime import lanes
from activities.runtime.lanes import Lane


async def as_user(user: str, work: Callable[[], Coroutine[Any, Any, str]]) -> str:
    """The result of work in an activity of this user."""
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(ActivityEnvironment.default_info(), priority=Priority(fairness_key=user))

    async def run() -> str:
        return await work()

    return await environment.run(run)


async def short() -> str:
    return "done"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All work that does not end by itself is long."""
    monkeypatch.setattr(lanes, "QUICK_SECONDS", 0.01)


class Long:
    """Work that ends when it is told to."""

    def __init__(self) -> None:
        self.end = asyncio.Event()
        self.started = self.canceled = 0

    async def __call__(self) -> str:
        self.started += 1
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.canceled += 1
            raise
        return "done"


async def holding(lane: Lane, work: str, long: Long, user: str = "ann") -> asyncio.Task[str]:
    """A task that has a place for long work."""
    task = asyncio.create_task(as_user(user, lambda: lane.run(work, long)))
    while not lane.is_running(work) and not task.done():
        await asyncio.sleep(0.001)
    return task


@pytest.mark.usefixtures("at_once")
async def test_long_work_without_a_place_gives_its_slot_back() -> None:
    """It is canceled and tried again later; the next attempt does not begin before there is a place."""
    lane, first, second = Lane(3), Long(), Long()
    task = await holding(lane, "a", first)
    for _ in range(2):
        with pytest.raises(ApplicationError) as raised:
            await as_user("ann", lambda: lane.run("b", second))
        assert raised.value.type == "awaits-turn"
        assert raised.value.next_retry_delay is not None
        assert not raised.value.non_retryable
    assert (second.started, second.canceled) == (1, 1)
    assert await as_user("bob", lambda: lane.run("c", short)) == "done"
    first.end.set()
    assert await task == "done"
    second.end.set()
    assert await as_user("ann", lambda: lane.run("b", second)) == "done"


@pytest.mark.usefixtures("at_once")
async def test_a_user_with_long_work_lets_another_go_first() -> None:
    """A free place goes to who has none, as long as such a user asks."""
    lane = Lane(4)  # two places
    ann, ann_too, bob = Long(), Long(), Long()
    tasks = [await holding(lane, "a", ann), await holding(lane, "b", ann_too)]
    with pytest.raises(ApplicationError):
        await as_user("bob", lambda: lane.run("c", bob))
    ann.end.set()
    await tasks[0]
    with pytest.raises(ApplicationError):
        await as_user("ann", lambda: lane.run("d", Long()))
    task = await holding(lane, "c", bob, "bob")
    for long in (ann_too, bob):
        long.end.set()
    await asyncio.gather(*tasks, task)


@pytest.mark.usefixtures("at_once")
async def test_canceling_the_activity_cancels_its_work() -> None:
    """Whether it has a place or is still short."""
    lane, long = Lane(4), Long()
    task = await holding(lane, "a", long)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert long.canceled == 1
    assert not lane.is_running("a")


async def test_failures_of_the_work_are_its_own() -> None:
    """They pass, and leave no place taken."""
    lane = Lane(1)

    async def fail() -> str:
        raise ValueError("by the work")

    for _ in range(2):
        with pytest.raises(ValueError, match="by the work"):
            await lane.run("a", fail)
