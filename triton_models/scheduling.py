"""Schedules the texts of many requests into batches: urgent ones first, the others in fair shares. Knows no model.

A request becomes a `Job` of texts. Threads `take` batches: of the urgent lane, of the bulk lane or of both, and give
back one result per text; a job ends with the last of its texts, whichever batches they were in.

* Shares: within a lane each job is a flow of self-clocked fair queueing (S. J. Golestani, 1994), at the cost of its
  tokens. Jobs that wait at the same time advance alike, so a short one is not behind all of a long one.
* Batches: `Limits` bounds their rows and their tokens with padding. Each contains the text whose turn it is, and those
  texts from the next `Limits.window` batches whose lengths are nearest to it.
* Lanes: a thread that serves both takes urgent texts first, and a bulk batch at least every `PATIENCE` seconds.
"""

import heapq
import threading
import time
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from itertools import count
from typing import Generic, TypeVar

PATIENCE = 0.2
"""Seconds after which a bulk batch is taken though urgent texts wait."""

PADDED_SHARE = 8
"""Padding is up to one part in so many of a batch, or `Limits.padding` tokens if these are more."""

Input = TypeVar("Input")
Output = TypeVar("Output")
Result = TypeVar("Result")


class Lane(Enum):
    """A queue with a priority; the value names it in metrics."""

    URGENT = "urgent"
    BULK = "bulk"


class CancelledJobError(RuntimeError):
    """The job was cancelled, or the scheduler closed, before its last text was done."""


@dataclass(frozen=True)
class Limits:
    """The size of batches. A text that is longer than `tokens` is a batch of its own."""

    rows: int = 1
    tokens: int = 1
    """Rows times the longest row."""
    window: int = 1
    """Batches whose texts are sorted by length together."""
    padding: int = 0
    """Tokens of padding that cost less than another batch."""


class Job(Generic[Input, Output]):
    """The texts of one request."""

    def __init__(self, texts: int, lane: Lane) -> None:
        self.lane = lane
        self._outputs: list[Output | None] = [None] * texts
        self._left = texts
        self._error: Exception | None = None
        self._ended = threading.Event()
        if not texts:
            self._ended.set()

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to do for it."""
        return self._ended.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits for the end; False after so many seconds without it."""
        return self._ended.wait(seconds)

    def cancel(self) -> None:
        """Ends the job. Texts of it that wait are skipped, and results of those in a batch ignored."""
        self._fail(CancelledJobError("the request was cancelled"))

    def outputs(self) -> list[Output]:
        """The results in the order of the texts. Waits for the end; raises the error that ended the job."""
        self._ended.wait()
        if self._error is not None:
            raise self._error
        return self._outputs  # type: ignore[return-value]  # all are there

    def _put(self, index: int, output: Output) -> None:
        self._outputs[index] = output
        self._left -= 1
        if not self._left:
            self._ended.set()

    def _fail(self, error: Exception) -> None:
        if not self.ended:
            self._error = error
            self._ended.set()


@dataclass(eq=False)
class Text(Generic[Input, Output]):
    """A text in a lane."""

    turn: float
    number: int
    job: Job[Input, Output]
    index: int
    input: Input
    length: int


@dataclass(frozen=True)
class Batch(Generic[Input, Output]):
    """Texts that are computed together, of any number of jobs of a lane; the longest first."""

    texts: Sequence[Text[Input, Output]]

    @property
    def inputs(self) -> list[Input]:
        """What was submitted, one per row."""
        return [text.input for text in self.texts]

    @property
    def tokens(self) -> int:
        """Tokens with padding."""
        return len(self.texts) * max(1, self.texts[0].length)

    def parts(self) -> list["Batch[Input, Output]"]:
        """A batch per job."""
        jobs = {id(text.job): text.job for text in self.texts}
        return [Batch([text for text in self.texts if text.job is job]) for job in jobs.values()]


@dataclass
class Totals:
    """What was computed so far."""

    batches: int = 0
    rows: int = 0
    tokens: int = 0
    """Without padding."""
    latest_rows: int = 0
    """Of the latest batch."""


class Scheduler(Generic[Input, Output]):
    """The queues of one model. Thread-safe."""

    def __init__(self, limits: Limits, urgent: Limits | None = None, clock: Callable[[], float] = time.monotonic):
        self._queues: dict[Lane, _Queue[Input, Output]] = {
            Lane.URGENT: _Queue(urgent or limits),
            Lane.BULK: _Queue(limits),
        }
        self._clock = clock
        self._lock = threading.Lock()
        self._takers: dict[tuple[Lane, ...], threading.Condition] = {}
        self._bulk_since = clock()
        """When the last bulk batch was taken, or bulk texts began to wait."""
        self._closed = False
        self.totals = Totals()

    @property
    def closed(self) -> bool:
        """Whether nothing is taken any more."""
        return self._closed

    def submit(self, inputs: Sequence[Input], lengths: Sequence[int], lane: Lane) -> Job[Input, Output]:
        """Queues the texts of a request; `lengths` are their tokens."""
        job: Job[Input, Output] = Job(len(inputs), lane)
        with self._lock:
            if self._closed:
                job._fail(CancelledJobError("the model is being unloaded"))
                return job
            if lane is Lane.BULK and not self._queues[lane]:
                self._bulk_since = self._clock()
            self._queues[lane].add(job, inputs, lengths)
            for lanes, takers in self._takers.items():
                if lane in lanes:
                    takers.notify(len(inputs))
        return job

    def take(self, lanes: tuple[Lane, ...] = tuple(Lane), *, block: bool = True) -> Batch[Input, Output] | None:
        """The next batch of these lanes. None when there is none now (unless `block`), or no more."""
        with self._lock:
            takers = self._takers.setdefault(lanes, threading.Condition(self._lock))
            while not self._closed:
                for lane in self._order(lanes):
                    if batch := self._queues[lane].take():
                        if lane is Lane.BULK:
                            self._bulk_since = self._clock()
                        return batch
                if not block:
                    break
                takers.wait()
        return None

    def finish(self, batch: Batch[Input, Output], outputs: Iterable[Output]) -> None:
        """Hands each text's result to its job."""
        with self._lock:
            for text, output in zip(batch.texts, outputs, strict=True):
                if not text.job.ended:
                    text.job._put(text.index, output)
            rows = len(batch.texts)
            self.totals.batches += 1
            self.totals.rows += rows
            self.totals.tokens += sum(text.length for text in batch.texts)
            self.totals.latest_rows = rows

    def fail(self, batch: Batch[Input, Output], error: Exception) -> None:
        """Ends the jobs of a batch with an error."""
        with self._lock:
            for text in batch.texts:
                text.job._fail(error)

    def waiting(self, lane: Lane) -> int:
        """Texts in a lane that are in no batch yet."""
        with self._lock:
            return len(self._queues[lane])

    def shrink(self, tokens: int) -> None:
        """Makes later batches at most this large."""
        with self._lock:
            for queue in self._queues.values():
                queue.shrink(tokens)

    def close(self) -> None:
        """Ends all waiting jobs and the threads that take batches."""
        with self._lock:
            self._closed = True
            for queue in self._queues.values():
                queue.fail(CancelledJobError("the model is being unloaded"))
            for takers in self._takers.values():
                takers.notify_all()

    def _order(self, lanes: tuple[Lane, ...]) -> Iterable[Lane]:
        overdue = self._clock() - self._bulk_since >= PATIENCE
        return sorted(lanes, key=lambda lane: (lane is Lane.BULK) != overdue)


Finish = Callable[[], Iterable[Output]]
"""Waits for the results of a batch."""


def serve(
    scheduler: Scheduler[Input, Output],
    lanes: tuple[Lane, ...],
    start: Callable[[Sequence[Input]], Finish[Output]],
    ahead: int = 0,
) -> None:
    """Computes batches of these lanes until the scheduler is closed.

    `start` begins a batch, and returns what waits for its results; so many batches are begun `ahead` of the one that is
    waited for. When a batch of several jobs fails, each of them is computed alone, so that only its cause fails.
    If this ends in any other way, the scheduler is closed: no request waits for a thread that is gone.
    """
    taken: deque[Batch[Input, Output]] = deque()
    begun: deque[Finish[Output] | Exception] = deque()
    try:
        while not scheduler.closed or taken:
            batch = scheduler.take(lanes, block=not taken)
            if batch is not None:
                taken.append(batch)
                begun.append(_attempt(partial(start, batch.inputs)))
            if taken and (batch is None or len(taken) > ahead):
                _end(scheduler, taken[0], begun.popleft(), start)
                taken.popleft()
    finally:
        scheduler.close()
        for batch in taken:
            scheduler.fail(batch, CancelledJobError("the model's thread has ended"))


def _end(
    scheduler: Scheduler[Input, Output],
    batch: Batch[Input, Output],
    begun: Finish[Output] | Exception,
    start: Callable[[Sequence[Input]], Finish[Output]],
) -> None:
    outputs = begun if isinstance(begun, Exception) else _attempt(partial(_finished, begun, len(batch.texts)))
    if not isinstance(outputs, Exception):
        scheduler.finish(batch, outputs)
    elif len(parts := batch.parts()) == 1:
        scheduler.fail(batch, outputs)
    else:
        for part in parts:
            _end(scheduler, part, _attempt(partial(start, part.inputs)), start)


def _finished(finish: Finish[Output], rows: int) -> list[Output]:
    outputs = list(finish())
    if len(outputs) != rows:
        raise ValueError(f"{len(outputs)} results for {rows} texts")
    return outputs


def _attempt(call: Callable[[], Result]) -> Result | Exception:
    """What the model returns or raises."""
    try:
        return call()
    except Exception as exc:  # noqa: BLE001 -- the error of the jobs, not of the thread
        return exc


class _Queue(Generic[Input, Output]):
    """A lane: texts in the order of their turns, of which the next ones are sorted by length."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._later: list[tuple[float, int, Text[Input, Output]]] = []
        """A heap by turn."""
        self._next: list[Text[Input, Output]] = []
        """The window, by length."""
        self._now = 0.0
        """The turn that was reached."""
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._later) + len(self._next)

    def add(self, job: Job[Input, Output], inputs: Sequence[Input], lengths: Sequence[int]) -> None:
        """Gives the texts of a job their turns, the longest first: no thread begins a long one at the end."""
        turn = self._now
        for index in sorted(range(len(inputs)), key=lambda i: -lengths[i]):
            turn += max(1, lengths[index])
            text = Text(turn, next(self._numbers), job, index, inputs[index], lengths[index])
            heapq.heappush(self._later, (turn, text.number, text))

    def take(self) -> Batch[Input, Output] | None:
        """A batch with the text whose turn it is; texts of jobs that have ended are dropped."""
        self._fill()
        if not self._next:
            return None
        first = min(range(len(self._next)), key=lambda at: (self._next[at].turn, self._next[at].number))
        self._now = max(self._now, self._next[first].turn)
        start, end = self._around(first)
        texts = self._next[start:end]
        del self._next[start:end]
        return Batch(texts[::-1])

    def shrink(self, tokens: int) -> None:
        """Makes later batches at most this large."""
        self._limits = replace(self._limits, tokens=min(self._limits.tokens, tokens))

    def fail(self, error: Exception) -> None:
        """Ends all jobs."""
        for text in (*self._next, *(text for _, _, text in self._later)):
            text.job._fail(error)
        self._later, self._next = [], []

    def _fill(self) -> None:
        """Moves texts into the window until it has enough for its batches."""
        limits = self._limits
        self._next = [text for text in self._next if not text.job.ended]
        tokens = sum(text.length for text in self._next)
        while self._later and tokens < limits.window * limits.tokens and len(self._next) < limits.window * limits.rows:
            _, _, text = heapq.heappop(self._later)
            if not text.job.ended:
                insort(self._next, text, key=lambda each: each.length)
                tokens += text.length

    def _around(self, first: int) -> tuple[int, int]:
        """Bounds of a batch within the window that contains this text: first shorter neighbours, then longer ones."""
        start, end, padding = first, first + 1, 0
        longest = self._next[first].length

        def fits(length: int, more_padding: int) -> bool:
            rows = end - start + 1
            allowed = max(self._limits.padding, rows * length // PADDED_SHARE)
            return (
                rows <= self._limits.rows and rows * length <= self._limits.tokens and padding + more_padding <= allowed
            )

        while start and fits(longest, gap := longest - self._next[start - 1].length):
            start, padding = start - 1, padding + gap
        while end < len(self._next) and fits(
            length := self._next[end].length, gap := (end - start) * (length - longest)
        ):
            end, padding, longest = end + 1, padding + gap, length
        return start, end
