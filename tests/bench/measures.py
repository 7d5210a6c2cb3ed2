"""What the benches measure, and the table in which they say it."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Values of one quantity, one for each round; ``target`` is DESIGN §9's, empty where it has none."""

    name: str
    values: list[float]
    unit: str = ""
    target: str = ""
    note: str = ""

    @property
    def median(self) -> float:
        """What the table shows."""
        return statistics.median(self.values)

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        summary = {"median": self.median, "min": min(self.values), "max": max(self.values), "n": len(self.values)}
        return {**asdict(self), **summary}

    def cells(self) -> tuple[str, str, str, str]:
        """Its row of the table."""
        spread = f"n={len(self.values)}"
        if len(self.values) > 1:
            spread += f", {number(min(self.values))}–{number(max(self.values))}"
        return (
            self.name,
            f"{number(self.median)} {self.unit}".strip(),
            self.target,
            "; ".join(filter(None, [spread, self.note])),
        )


@dataclass
class Spent:
    """Seconds by the name of a step, added up."""

    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, step: str, seconds: float) -> None:
        """Count ``seconds`` for ``step``."""
        self.seconds[step] = self.seconds.get(step, 0.0) + seconds

    def __str__(self) -> str:
        return ", ".join(f"{step} {seconds:.2f}" for step, seconds in self.seconds.items())


def number(value: float) -> str:
    """Three digits that count, thousands separated."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def quantile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of the values are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def milliseconds(values: Sequence[float]) -> list[float]:
    """Seconds as milliseconds."""
    return [value * 1000 for value in values]


def table(measures: Sequence[Measure]) -> str:
    """One line for each measure, in columns."""
    rows = [("measure", "median", "target", "rounds"), *(measure.cells() for measure in measures)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        f"{name:<{widths[0]}}  {value:>{widths[1]}}  {target:<{widths[2]}}  {note}".rstrip()
        for name, value, target, note in rows
    )


def machine() -> str:
    """What a reader has to know before comparing figures."""
    cores, load = os.cpu_count(), os.getloadavg()[0]
    return f"{cores} cores, load {load:.1f}, {platform.machine()}, Python {platform.python_version()}"


def say(line: str) -> None:
    """Progress; stdout belongs to the result."""
    print(line, file=sys.stderr, flush=True)
