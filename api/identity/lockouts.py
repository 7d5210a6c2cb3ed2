"""Wrong passwords of one address for one name: after some, that address waits before it tries this name again.

Others who sign in under the name wait for nothing, so that nobody locks a user out by its name. The waits do not tell
known names from unknown ones. They are those of this process; ``Users.refused`` counts all wrong passwords of a name.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from activities.errors import TooManyPasswords

#: Wrong passwords after which an address waits, and for how many seconds: twice as long after each further such number.
WRONG_PASSWORDS: Final = 5
FIRST_WAIT, LONGEST_WAIT = 60.0, 900.0

#: Seconds without a wrong password after which earlier ones are forgotten.
FORGOTTEN_AFTER: Final = 3600.0

#: Pairs of name and address that are counted at once; those that were quiet longest are forgotten.
MOST_PAIRS: Final = 10_000


class Lockouts:
    """Wrong passwords by name and address."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[tuple[str, str], tuple[int, float, float]] = OrderedDict()

    def check(self, name: str, address: str) -> None:
        """Raises TooManyPasswords with the seconds for which the address has to wait."""
        _, _, until = self._wrong.get((name, address), (0, 0.0, 0.0))
        left = until - self._clock()
        if left > 0:
            raise TooManyPasswords(seconds=math.ceil(left))

    def count(self, name: str, address: str) -> bool:
        """Count a wrong password; whether the address waits from now on."""
        now = self._clock()
        count, last, until = self._wrong.pop((name, address), (0, now, 0.0))
        count = count + 1 if now - last < FORGOTTEN_AFTER else 1
        locks = count % WRONG_PASSWORDS == 0
        if locks:
            until = now + min(FIRST_WAIT * 2.0 ** min(count // WRONG_PASSWORDS - 1, 10), LONGEST_WAIT)
        self._wrong[name, address] = (count, now, until)
        if len(self._wrong) > MOST_PAIRS:
            self._wrong.popitem(last=False)
        return locks

    def forget(self, name: str, address: str) -> None:
        """The password was right."""
        self._wrong.pop((name, address), None)
