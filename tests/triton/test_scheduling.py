"""Requests for vectors share batches: in fair shares, urgent ones first, and none lost or computed twice."""

from __future__ import annotations

import random
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "triton_models"))

from scheduling import (  # type: ignore[import-not-found]
    PADDED_SHARE,
    PATIENCE,
    CancelledJobError,
    Lane,
    Limits,
    Scheduler,
    serve,
)

GPU = Limits(rows=64, tokens=4096, window=4, padding=256)
REQUESTS = 10_000


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def submitted(scheduler: Scheduler, name: str, lengths: Sequence[int], lane: Lane = Lane.BULK) -> object:
    """A job whose inputs are (name, number of the text)."""
    return scheduler.submit([(name, number) for number in range(len(lengths))], lengths, lane)


def drained(scheduler: Scheduler) -> list[list[tuple[str, int]]]:
    """The inputs of all batches, which are finished with their inputs as results."""
    batches = []
    while batch := scheduler.take(block=False):
        batches.append(batch.inputs)
        scheduler.finish(batch, batch.inputs)
    return batches


def test_batches_are_filled_up_to_their_limits() -> None:
    """Rows, tokens with padding, and padding are bounded; a large request is cut and small ones share a batch."""
    lengths = {f"small {n}": [20 + n % 7] * 3 for n in range(20)} | {
        "large": [random.Random(1).randint(5, 500) for _ in range(600)]
    }
    scheduler = Scheduler(GPU)
    for name, each in lengths.items():
        submitted(scheduler, name, each)
    sizes, shared = [], 0
    while batch := scheduler.take(block=False):
        real = [lengths[name][number] for name, number in batch.inputs]
        assert len(real) <= GPU.rows
        assert batch.tokens == len(real) * max(real) <= GPU.tokens
        assert batch.tokens - sum(real) <= max(GPU.padding, batch.tokens / PADDED_SHARE)
        assert real == sorted(real, reverse=True)
        shared = max(shared, len({name for name, _ in batch.inputs}))
        sizes.append(batch.tokens)
        scheduler.finish(batch, batch.inputs)
    assert shared > 10
    total = sum(map(sum, lengths.values()))
    assert len(sizes) <= 1.3 * total / GPU.tokens + 1
    assert scheduler.totals.rows == sum(map(len, lengths.values()))
    assert (scheduler.totals.batches, scheduler.totals.tokens) == (len(sizes), total)


def test_a_text_longer_than_a_batch_is_one() -> None:
    """It is computed alone, and so is a text without tokens where a batch has one row."""
    scheduler = Scheduler(GPU)
    submitted(scheduler, "a", [5, 9000, 5])
    assert list(map(sorted, drained(scheduler))) == [[("a", 1)], [("a", 0), ("a", 2)]]
    one = Scheduler(Limits())
    submitted(one, "a", [0, 3, 0])
    assert drained(one) == [[("a", 1)], [("a", 0)], [("a", 2)]]


def test_results_come_in_the_order_of_the_texts_as_soon_as_all_are_there() -> None:
    """A job of one batch ends with it, whatever else waits; an empty job has ended."""
    scheduler = Scheduler(Limits(rows=4, tokens=400))
    first, second = submitted(scheduler, "a", [10, 30, 20, 40, 5]), submitted(scheduler, "b", [30, 90] * 9)
    while not first.ended:
        batch = scheduler.take()
        scheduler.finish(batch, batch.inputs)
    assert first.outputs() == [("a", n) for n in range(5)]
    assert not second.ended
    assert not second.wait(0)
    drained(scheduler)
    assert second.outputs() == [("b", n) for n in range(18)]
    assert submitted(scheduler, "c", []).outputs() == []


@pytest.mark.parametrize("limits", [Limits(), Limits(rows=8, tokens=800, window=2)], ids=["CPU", "GPU"])
def test_two_requests_share(limits: Limits) -> None:
    """Half each by tokens, though one came first with everything, and a short one is not behind all of a long one."""
    scheduler = Scheduler(limits)
    submitted(scheduler, "long", [100] * 400)
    taken = [scheduler.take() for _ in range(20)]
    submitted(scheduler, "other", [50] * 400)
    submitted(scheduler, "short", [100])
    assert sum(len(batch.inputs) for batch in taken) == 20 * limits.rows
    tokens: Counter[str] = Counter()
    window = limits.window * limits.rows
    for number, batch in enumerate(drained(scheduler)):
        for name, _ in batch:
            tokens[name] += 50 if name == "other" else 100
        if number * limits.rows >= 3 + 2 * window:
            assert tokens["short"]
        if "other" in tokens and tokens["other"] < 400 * 50:
            assert abs(tokens["long"] - tokens["other"]) <= 100 * (2 * window + 2)
    assert tokens == {"long": 38_000 - (limits.rows - 1) * 2000, "other": 20_000, "short": 100}


def test_urgent_texts_come_first_and_bulk_texts_still_come() -> None:
    """A question passes everything that waits; under ever more questions a bulk batch follows every `PATIENCE`."""
    clock = Clock()
    scheduler = Scheduler(Limits(), clock=clock)
    submitted(scheduler, "bulk", [10] * 50)
    times = []
    while scheduler.waiting(Lane.BULK):
        submitted(scheduler, "question", [8], Lane.URGENT)
        clock.now += 0.01
        if (batch := scheduler.take()).inputs[0][0] == "bulk":
            times.append(clock.now)
        assert {name for name, _ in batch.inputs} in ({"bulk"}, {"question"})
    assert len(times) == 50
    gaps = [after - before for before, after in pairwise(times)]
    assert max(gaps) <= PATIENCE + 0.02
    assert min(gaps) >= PATIENCE - 0.01
    assert scheduler.take((Lane.BULK,), block=False) is None
    assert scheduler.take((Lane.URGENT,), block=False).inputs == [("question", 0)]


def test_bulk_texts_wait_their_time_from_when_they_came() -> None:
    """After a pause without any, the first of them does not pass a question."""
    clock = Clock()
    scheduler = Scheduler(Limits(), clock=clock)
    clock.now = 100.0
    submitted(scheduler, "bulk", [10])
    submitted(scheduler, "question", [8], Lane.URGENT)
    assert [batch[0][0] for batch in drained(scheduler)] == ["question", "bulk"]


def test_a_cancelled_request_is_not_computed() -> None:
    """Its texts give their places in batches to the others; results that come too late are ignored."""
    scheduler = Scheduler(GPU)
    cancelled, kept = (submitted(scheduler, name, [100] * 40) for name in "ab")
    batch = scheduler.take()
    assert {name for name, _ in batch.inputs} == {"a", "b"}
    cancelled.cancel()
    scheduler.finish(batch, batch.inputs)
    assert {name for each in drained(scheduler) for name, _ in each} == {"b"}
    assert kept.outputs() == [("b", n) for n in range(40)]
    with pytest.raises(CancelledJobError):
        cancelled.outputs()


def test_a_failed_batch_fails_only_what_it_cannot_compute() -> None:
    """The requests of the batch are computed one by one; later batches are as if nothing had been."""
    scheduler, attempts = Scheduler(GPU), []
    jobs = {name: submitted(scheduler, name, [100] * 5) for name in ("good", "bad", "fine", "broken", "short")}

    def start(inputs: list[tuple[str, int]]) -> object:
        names = {name for name, _ in inputs}
        attempts.append(names)
        if "broken" in names:
            raise ValueError("broken")

        def finish() -> list[tuple[str, int]]:
            if "bad" in names:
                raise ValueError("bad")
            return inputs[1:] if "short" in names else inputs

        return finish

    thread = threading.Thread(target=serve, args=(scheduler, tuple(Lane), start, 1), daemon=True)
    thread.start()
    for name, job in jobs.items():
        if name in ("bad", "broken", "short"):
            with pytest.raises(ValueError, match="4 results for 5" if name == "short" else name):
                job.outputs()
        else:
            assert job.outputs() == [(name, n) for n in range(5)]
    assert attempts[0] == set(jobs)
    assert sorted(map(sorted, attempts[1:])) == [["bad"], ["broken"], ["fine"], ["good"], ["short"]]
    assert submitted(scheduler, "next", [7]).outputs() == [("next", 0)]
    scheduler.close()
    thread.join(5)
    assert not thread.is_alive()


def test_a_closed_scheduler_ends_what_waits() -> None:
    """And takes nothing more; a model that is unloaded leaves no request without an answer."""
    scheduler = Scheduler(GPU)
    waiting = submitted(scheduler, "a", [10])
    scheduler.close()
    for job in (waiting, submitted(scheduler, "b", [10])):
        with pytest.raises(CancelledJobError, match="unloaded"):
            job.outputs()
    assert scheduler.take() is None


@pytest.mark.parametrize("at_once", [True, False], ids=["as it begins", "as it ends"])
def test_no_request_waits_for_a_thread_that_is_gone(at_once: bool) -> None:
    """One that ends in the middle of a batch leaves no request of it, nor any other, without an answer."""
    scheduler = Scheduler(Limits(rows=1, tokens=10))
    jobs = [submitted(scheduler, name, [10]) for name in ("a", "b", "c")]

    def finish() -> list[tuple[str, int]]:
        raise SystemExit

    def start(inputs: list[tuple[str, int]]) -> object:
        if at_once:
            raise SystemExit
        return finish

    with pytest.raises(SystemExit):
        serve(scheduler, tuple(Lane), start, 1)
    for job in (*jobs, submitted(scheduler, "later", [10])):
        assert job.ended
        with pytest.raises(CancelledJobError):
            job.outputs()


def test_smaller_batches_after_memory_ran_out() -> None:
    """Only later ones are smaller, and never larger again."""
    scheduler = Scheduler(GPU)
    submitted(scheduler, "a", [64] * 200)
    assert scheduler.take().tokens == 4096
    scheduler.shrink(1000)
    scheduler.shrink(2000)
    assert scheduler.take().tokens == 960


@pytest.mark.parametrize(("limits", "ahead", "workers"), [(GPU, 1, 1), (Limits(), 0, 4)], ids=["GPU", "CPU"])
def test_no_text_is_lost_or_computed_twice(limits: Limits, ahead: int, workers: int) -> None:
    """Thousands of requests from many threads, some of which are cancelled or fail."""
    dice = random.Random(limits.rows)
    scheduler = Scheduler(limits, clock=Clock())
    computed: Counter[tuple[int, int]] = Counter()
    counting = threading.Lock()
    poison = {n for n in range(REQUESTS) if dice.random() < 0.01}
    cancelled = {n for n in range(REQUESTS) if dice.random() < 0.02} - poison
    sizes = [[dice.randint(0, 500) for _ in range(int(dice.paretovariate(1.2)) % 90)] for _ in range(REQUESTS)]
    urgent = [dice.random() < 0.3 for _ in range(REQUESTS)]

    def start(inputs: list[tuple[int, int]]) -> object:
        if any(name in poison for name, _ in inputs):
            raise ValueError("poison")
        with counting:
            computed.update(inputs)
        return lambda: [(name, number, "done") for name, number in inputs]

    lanes = [(Lane.URGENT,), (Lane.BULK,)] * (workers // 2) if workers > 1 else [tuple(Lane)]
    threads = [threading.Thread(target=serve, args=(scheduler, lane, start, ahead), daemon=True) for lane in lanes]
    jobs: dict[int, object] = {}

    def client(first: int) -> None:
        for name in range(first, REQUESTS, 8):
            texts = [(name, number) for number in range(len(sizes[name]))]
            jobs[name] = job = scheduler.submit(texts, sizes[name], Lane.URGENT if urgent[name] else Lane.BULK)
            if name in cancelled:
                job.cancel()
            elif name % 5 == 0 and name not in poison:
                assert job.wait(60)

    clients = [threading.Thread(target=client, args=(first,), daemon=True) for first in range(8)]
    for thread in (*threads, *clients):
        thread.start()
    for thread in clients:
        thread.join(60)
    assert len(jobs) == REQUESTS
    for name, job in jobs.items():
        assert job.wait(60)
        expected = [(name, number, "done") for number in range(len(sizes[name]))]
        if name in poison and expected:
            with pytest.raises(ValueError, match="poison"):
                job.outputs()
        elif name not in cancelled:
            assert job.outputs() == expected
            assert all(computed[name, number] == 1 for number in range(len(expected)))
    assert not any(count > 1 for (name, _), count in computed.items() if name not in poison)
    assert not any(map(scheduler.waiting, Lane))
    scheduler.close()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
