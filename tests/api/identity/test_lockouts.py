"""Waits after wrong passwords: of one address for one name."""

from __future__ import annotations

import pytest

from activities.errors import TooManyPasswords
from api.identity.lockouts import FORGOTTEN_AFTER, MOST_PAIRS, WRONG_PASSWORDS, Lockouts


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def seconds(lockouts: Lockouts, name: str, address: str) -> int:
    """For how long an address waits for a name."""
    try:
        lockouts.check(name, address)
    except TooManyPasswords as refusal:
        return int(refusal.reason.params["seconds"])
    return 0


def test_only_who_was_wrong_waits() -> None:
    """Longer each time, up to a quarter of an hour; a right password, or an hour, ends it."""
    clock = Clock()
    lockouts = Lockouts(clock)
    waits = []
    for _ in range(6):
        assert [lockouts.count("rita", "192.0.2.1") for _ in range(WRONG_PASSWORDS)] == [False] * 4 + [True]
        waits.append(seconds(lockouts, "rita", "192.0.2.1"))
        clock.now += waits[-1]
        assert seconds(lockouts, "rita", "192.0.2.1") == 0
    assert waits == [60, 120, 240, 480, 900, 900]
    assert (seconds(lockouts, "rita", "192.0.2.2"), seconds(lockouts, "tim", "192.0.2.1")) == (0, 0)
    clock.now += FORGOTTEN_AFTER
    assert not any(lockouts.count("rita", "192.0.2.1") for _ in range(WRONG_PASSWORDS - 1))
    lockouts.forget("rita", "192.0.2.1")
    assert not lockouts.count("rita", "192.0.2.1")


def test_not_more_pairs_are_counted_than_there_is_room_for() -> None:
    """Those that were quiet longest go first."""
    lockouts = Lockouts(Clock())
    for name in ("first", "second"):
        for _ in range(WRONG_PASSWORDS):
            lockouts.count(name, "x")
    for number in range(MOST_PAIRS - 1):
        lockouts.count("x", str(number))
    with pytest.raises(TooManyPasswords):
        lockouts.check("second", "x")
    lockouts.check("first", "x")
