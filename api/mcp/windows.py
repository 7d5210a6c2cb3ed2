"""How much of a document one call shows: a passage with what stands around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from activities.contracts.documents import Chunk

#: Characters of a document that one call shows, unless a single passage is longer.
MOST_CHARACTERS: Final = 20_000


class Window(NamedTuple):
    """The passages ``first`` up to before ``end`` of a document."""

    first: int
    end: int


def around(chunks: Sequence[Chunk], place: int | None, limit: int = MOST_CHARACTERS) -> Window:
    """The passages around ``place`` that ``limit`` allows, as many before as behind; from the beginning without one.

    A passage is shown whole, whatever its length.
    """
    if not chunks:
        return Window(0, 0)
    first = end = place or 0
    left = limit
    sides = [True, False] if place is not None else [True]
    while sides:
        for forward in tuple(sides):
            at = end if forward else first - 1
            if not 0 <= at < len(chunks) or (left < len(chunks[at].text) and end > first):
                sides.remove(forward)
                continue
            left -= len(chunks[at].text)
            first, end = (first, end + 1) if forward else (first - 1, end)
    return Window(first, end)
