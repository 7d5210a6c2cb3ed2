"""Compares the leaves that events have with those that the log signed, and names what differs.

Every leaf is unique, since it is salted. So each event is found at its place in the signed log, wherever it stands now:
what stands in order is as it was, what stands elsewhere was moved, what is in no place was changed or inserted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Literal

import msgspec

Kind = Literal[
    "changed", "missing", "inserted", "reordered", "cut", "rewritten", "old_backup", "erased_unrecorded", "forged",
    "range", "erased", "uncovered", "forked", "misdeclared", "lost",
]  # fmt: skip

#: Findings that are no tampering.
LAWFUL: frozenset[Kind] = frozenset({"erased", "lost"})


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What differs. ``index`` is the place in the signed log, ``end`` (exclusive) that of a range of events.

    ``line`` is the position among the events of the export. ``detail`` is the id of the event, or the reason.
    """

    kind: Kind
    index: int | None = None
    end: int | None = None
    line: int | None = None
    detail: str = ""

    @property
    def tampered(self) -> bool:
        """Whether it is an attack, rather than a lawful change."""
        return self.kind not in LAWFUL


def compare(events: Sequence[bytes], signed: Sequence[bytes], first: int = 0) -> list[Finding]:
    """What differs between the leaves of the events and the signed ones, of which the first has the index ``first``."""
    if events == signed:
        return []
    start, shorter = 0, min(len(events), len(signed))
    while start < shorter and events[start] == signed[start]:
        start += 1
    end = 0
    while end < shorter - start and events[-1 - end] == signed[-1 - end]:
        end += 1
    there, wanted = events[start : len(events) - end], signed[start : len(signed) - end]
    if start + end == 0 and len(wanted) > 1 and there and not set(there) & set(wanted):
        return [Finding("rewritten", first, first + len(signed), detail=str(len(events)))]
    return _aligned(there, wanted, start, first, open_end=end == 0)


def _aligned(
    events: Sequence[bytes], signed: Sequence[bytes], start: int, first: int, *, open_end: bool
) -> list[Finding]:
    place = {leaf: at for at, leaf in enumerate(signed)}
    known: list[tuple[int, int]] = []  # (line, place) of events that stand in the signed log, each once
    strange: list[int] = []
    seen: set[int] = set()
    for line, leaf in enumerate(events):
        at = place.get(leaf)
        if at is None or at in seen:
            strange.append(line)
        else:
            seen.add(at)
            known.append((line, at))
    stay = _increasing(known)
    offset = first + start
    found = [Finding("reordered", offset + at, line=start + line) for line, at in known if (line, at) not in stay]
    lost = [at for at in range(len(signed)) if at not in seen]
    anchors = [(-1, -1), *sorted(stay), (len(events), len(signed))]
    line = at = 0
    for end_line, end_place in anchors[1:]:
        inside = strange[line : bisect_left(strange, end_line)]
        gaps = lost[at : bisect_left(lost, end_place)]
        line, at = line + len(inside), at + len(gaps)
        last = open_end and end_place == len(signed)
        found += _gap(inside, gaps, start, offset, last=last)
    return found


def _gap(lines: list[int], gaps: list[int], start: int, offset: int, *, last: bool) -> list[Finding]:
    """What differs between two events that are in order."""
    found = [Finding("changed", offset + at, line=start + line) for line, at in zip(lines, gaps, strict=False)]
    found += [Finding("inserted", offset + (gaps[-1] + 1 if gaps else 0), line=start + at) for at in lines[len(gaps) :]]
    missing = gaps[len(lines) :]
    if missing and last and not lines:
        return [*found, Finding("cut", offset + missing[0], offset + missing[-1] + 1)]
    return found + [Finding("missing", offset + at) for at in missing]


def _increasing(pairs: list[tuple[int, int]]) -> set[tuple[int, int]]:
    """The longest part of the pairs whose places increase: what was moved is as little as possible."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for number, (_, place) in enumerate(pairs):
        at = bisect_left(tails, place)
        before.append(ends[at - 1] if at else -1)
        if at == len(tails):
            tails.append(place)
            ends.append(number)
        else:
            tails[at], ends[at] = place, number
    stay: set[tuple[int, int]] = set()
    number = ends[-1] if ends else -1
    while number >= 0:
        stay.add(pairs[number])
        number = before[number]
    return stay
