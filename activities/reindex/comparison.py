"""The paired difference of two generations on the same questions, with its 95 % interval.

The interval is the percentile bootstrap's: questions are drawn again and again, from a fixed seed. Each question counts
with its own difference, so where nothing differs the interval is 0 … 0, however few the questions; where nothing got
worse it begins at 0 or above. Every question that did get worse widens it: among few questions one is enough to refuse,
because they cannot show that it is one of a hundred. Below two questions there is no interval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from activities.contracts.gate import Measure, MeasureName, Pair

#: A switch is refused if the new generation may be worse by more than this share of the questions.
MARGIN = 0.01

#: Drawn samples: of rates, which are cheap, and of times, which are sorted for each.
SAMPLES, SAMPLES_OF_TIMES = 10_000, 1000

SEED = 14
INTERVAL = (2.5, 97.5)

Numbers = npt.NDArray[np.float64]


def measures(pairs: Sequence[Pair]) -> list[Measure]:
    """All measures that these questions allow."""
    findable = [pair for pair in pairs if pair.live.first is not None and pair.new.first is not None]
    found = [
        _rates("recall_at_1", [(bool(pair.live.first), bool(pair.new.first)) for pair in findable]),
        _rates("answers", [(pair.live.answered, pair.new.answered) for pair in pairs]),
        _times([(pair.live.milliseconds, pair.new.milliseconds) for pair in pairs]),
    ]
    return [measure for measure in found if measure.n]


def is_refused(measure: Measure) -> bool:
    """Whether the new generation may be worse than the margin allows; times never refuse a switch."""
    lowest = measure.difference if measure.low is None else measure.low
    return measure.name != "search_p95" and lowest < -MARGIN


def _rates(name: MeasureName, pairs: Sequence[tuple[bool, bool]]) -> Measure:
    values = np.array(pairs, np.float64).reshape(-1, 2)
    differences, counts = np.unique(values[:, 1] - values[:, 0], return_counts=True)
    n = len(values)

    def drawn(random: np.random.Generator) -> Numbers:
        means: Numbers = random.multinomial(n, counts / n, SAMPLES) @ differences / n
        return means

    return _measure(name, values, lambda columns: columns.mean(axis=0), drawn)


def _times(pairs: Sequence[tuple[float, float]]) -> Measure:
    values = np.array(pairs, np.float64).reshape(-1, 2)

    def drawn(random: np.random.Generator) -> Numbers:
        samples = np.stack(
            [_p95(values[random.integers(0, len(values), len(values))]) for _ in range(SAMPLES_OF_TIMES)]
        )
        difference: Numbers = samples[:, 1] - samples[:, 0]
        return difference

    return _measure("search_p95", values, _p95, drawn)


def _measure(
    name: MeasureName,
    values: Numbers,
    figure: Callable[[Numbers], Numbers],
    drawn: Callable[[np.random.Generator], Numbers],
) -> Measure:
    n = len(values)
    live, new = (round(float(each), 4) for each in figure(values)) if n else (0.0, 0.0)
    low = high = None
    if n > 1:
        low, high = (round(float(each), 4) for each in np.percentile(drawn(np.random.default_rng(SEED)), INTERVAL))
    return Measure(name=name, live=live, new=new, difference=round(new - live, 4), low=low, high=high, n=n)


def _p95(columns: Numbers) -> Numbers:
    ordered: Numbers = np.sort(columns, axis=0)[min(len(columns) - 1, len(columns) * 95 // 100)]
    return ordered
