"""The measured quantities and their table."""

from __future__ import annotations

import os
import platform
import re
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

_TARGET = re.compile(r"([≥≤]?)\s*([\d.,]+)")


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Values of one quantity, one for each round.

    ``target`` is DESIGN §9's (``≥ 0.9``, ``≤ 80 ms``, ``0``), empty if it has none; the median is compared with it.
    """

    name: str
    values: list[float]
    unit: str = ""
    target: str = ""
    note: str = ""
    bench: str = ""

    @property
    def median(self) -> float:
        """The value in the table."""
        return statistics.median(self.values)

    @property
    def ok(self) -> bool | None:
        """Whether the target is met; None without one."""
        found = _TARGET.match(self.target)
        if not found:
            return None
        limit = float(found[2].replace(",", ""))
        return self.median >= limit if found[1] == "≥" else self.median <= limit if found[1] else self.median == limit

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        summary = {"median": self.median, "min": min(self.values), "max": max(self.values), "n": len(self.values)}
        return {**asdict(self), **summary, "ok": self.ok}

    def cells(self) -> tuple[str, str, str, str, str, str]:
        """Its row of the table."""
        spread = f"n={len(self.values)}, {number(min(self.values))}–{number(max(self.values))}"
        return (
            self.bench,
            self.name,
            f"{number(self.median)} {self.unit}".strip(),
            self.target,
            {True: "ok", False: "NOT", None: ""}[self.ok],
            "; ".join(filter(None, [spread if len(self.values) > 1 else "", self.note])),
        )


@dataclass
class Spent:
    """Seconds by the name of a step, added up."""

    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, step: str, seconds: float) -> None:
        """Add ``seconds`` to ``step``."""
        self.seconds[step] = self.seconds.get(step, 0.0) + seconds

    def __str__(self) -> str:
        return ", ".join(f"{step} {seconds:.2f}" for step, seconds in self.seconds.items())


def number(value: float) -> str:
    """Three significant digits, with thousands separators."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def quantile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def milliseconds(values: Sequence[float]) -> list[float]:
    """Seconds as milliseconds."""
    return [value * 1000 for value in values]


def table(measures: Sequence[Measure]) -> str:
    """One line for each measure, in columns."""
    rows = [("bench", "what", "measured", "target", "ok?", "rounds and notes"), *(each.cells() for each in measures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = 2  # the figures' column
    return "\n".join(
        "  ".join(f"{cell:{'>' if at == right else '<'}{widths[at]}}" for at, cell in enumerate(row)).rstrip()
        for row in rows
    )


def machine() -> str:
    """The facts about the machine that a comparison of figures needs."""
    cores, load = os.cpu_count(), os.getloadavg()[0]
    return f"{cores} cores, load {load:.1f}, {platform.machine()}, Python {platform.python_version()}"


def say(line: str) -> None:
    """Print progress to stderr; stdout has only the result."""
    print(line, file=sys.stderr, flush=True)
