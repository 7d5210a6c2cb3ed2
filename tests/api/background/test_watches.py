"""Watches: one poll for all watchers, and nothing that is wrong with one job holds up the others."""

from __future__ import annotations

import asyncio

import pytest

from activities.errors import CatalogUnavailable
from activities.runtime import loops
from api.background.watches import Watches


class Jobs:
    """Counters by id that end at 3; reading raises the errors of ``errors``, one each, and always for a bad id."""

    def __init__(self, *errors: Exception) -> None:
        self.values: dict[str, int] = {}
        self._errors = list(errors)

    async def fetch(self, ids: list[str]) -> dict[str, int]:
        if self._errors:
            raise self._errors.pop(0)
        if "bad" in ids:
            raise ValueError("nobody foresaw this")
        for id in ids:
            self.values[id] = self.values.get(id, 0) + 1
        return {id: self.values[id] for id in ids if id != "gone"}

    def watched(self) -> Watches[int]:
        """Their watches."""
        return Watches("test", self.fetch, lambda value: value >= 3, 0.001)


@pytest.mark.parametrize("error", [CatalogUnavailable(detail="down"), ValueError("nobody foresaw this")])
async def test_watchers_are_told_after_an_error(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it was, and without a new watcher."""
    monkeypatch.setattr(loops, "BACKOFF_SECONDS", 0.001)
    watches = Jobs(error).watched()

    async def last(id: str) -> int:
        return [value async for value in watches.changes(id)][-1]

    async with watches.loop:
        assert list(await asyncio.gather(last("a"), last("b"))) == [3, 3]


async def test_a_job_that_cannot_be_read_holds_up_no_other() -> None:
    """Its own watchers get the error; the others see every change, and one that was deleted ends."""
    watches = Jobs().watched()

    async def values(id: str) -> list[int]:
        return [value async for value in watches.changes(id)]

    async with watches.loop:
        good, gone, bad = await asyncio.gather(values("good"), values("gone"), values("bad"), return_exceptions=True)
    assert good == [1, 2, 3]
    assert gone == []
    assert isinstance(bad, ValueError)
