"""Long-lived loops: they outlive every error, and tell when they do not do their work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from activities.errors import TemporalUnavailable
from activities.runtime import loops
from activities.runtime.loops import Loop


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backoff in milliseconds."""
    monkeypatch.setattr(loops, "BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(loops, "MAX_BACKOFF_SECONDS", 0.002)


class Turns:
    """Turns that raise the given errors, one each, and then succeed."""

    def __init__(self, *errors: BaseException) -> None:
        self._errors: Iterator[BaseException] = iter(errors)
        self.count = 0
        self.succeeded = asyncio.Event()

    async def __call__(self) -> None:
        self.count += 1
        for error in self._errors:
            raise error
        self.succeeded.set()


@pytest.mark.parametrize(
    "error",
    [
        ValueError("nobody foresaw this"),
        TemporalUnavailable(),
        ExceptionGroup("of a task group", [TemporalUnavailable(), ValueError("nobody foresaw this")]),
        TimeoutError(),
        asyncio.CancelledError(),  # of something that the turn awaited
    ],
)
async def test_an_error_ends_one_turn_only(error: BaseException) -> None:
    """The next turn follows, whatever was raised."""
    turns = Turns(error)
    async with Loop("test", turns, 3600) as loop:
        await turns.succeeded.wait()
        assert loop.healthy
    assert turns.count == 2


async def test_an_unforeseen_error_is_logged_with_its_traceback() -> None:
    """An outage is a warning with its reason; everything else has its exception."""
    turns = Turns(TemporalUnavailable(), ValueError("nobody foresaw this"))
    with capture_logs() as logged:
        async with Loop("test", turns, 3600):
            await turns.succeeded.wait()
    warning, error = logged
    assert (warning["log_level"], warning["dependency"]) == ("warning", "temporal")
    assert (error["log_level"], str(error["exc_info"])) == ("error", "nobody foresaw this")


async def test_a_turn_that_hangs_is_canceled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next turn does the work."""
    monkeypatch.setattr(loops, "TURN_SECONDS", 0.01)
    finished = asyncio.Event()
    hangs = iter([True, False])

    async def turn() -> None:
        if next(hangs, False):
            await asyncio.Event().wait()
        finished.set()

    async with Loop("test", turn, 3600):
        await finished.wait()


async def test_turns_follow_at_once_while_there_is_more() -> None:
    """True asks for another turn; then it waits until it is woken."""
    count, idle = 0, asyncio.Event()

    async def turn() -> bool:
        nonlocal count
        count += 1
        idle.set() if count >= 3 else idle.clear()
        return count < 3

    async with Loop("test", turn, 3600) as loop:
        await idle.wait()
        assert count == 3
        idle.clear()
        loop.wake()
        await idle.wait()
        assert count == 4


async def test_a_loop_tells_when_it_is_dead() -> None:
    """Before its start, and after its end."""
    loop = Loop("test", Turns(), 3600)
    assert not loop.healthy
    async with loop:
        assert loop.healthy
    assert not loop.healthy


async def test_a_loop_tells_when_it_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """No turn has ended for longer than its interval and the time that a turn may take."""
    async with Loop("test", asyncio.Event().wait, 0) as loop:
        assert loop.healthy
        monkeypatch.setattr(loops, "LATE_SECONDS", -1)
        assert not loop.healthy


async def test_a_loop_tells_when_its_turns_fail() -> None:
    """Errors that nobody foresaw, in a row; an outage of a dependency is told by the dependency's own state."""

    async def broken() -> None:
        raise ValueError

    async def down() -> None:
        raise TemporalUnavailable

    with capture_logs() as logged:
        async with Loop("broken", broken, 0) as failing, Loop("down", down, 0) as waiting:
            while len([each for each in logged if each["loop"] == "down"]) < 5 or failing.healthy:
                await asyncio.sleep(0.001)
            assert waiting.healthy
