"""What keeps a new index from being switched to: a verification that failed, or the quality gate's questions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any, Protocol, TypeVar

from temporalio import workflow
from temporalio.common import Priority

with workflow.unsafe.imports_passed_through():
    from activities.contracts import signatures
    from activities.contracts.gate import JudgeInput, MeasureInput, Pair
    from activities.contracts.queues import Queue
    from activities.contracts.reindex import ReindexInput, Verified
    from activities.errors import GenerationDiffers, Reason, SearchesDiffer, VectorsDiffer
    from workflows.policies import LONG_STEP

In = TypeVar("In")
T = TypeVar("T")

#: Seconds after which the questions give their place back: a pause or another throttle then takes effect.
SLICE_SECONDS = 5.0


class Interruptible(Protocol):
    """The result of an activity, which a cancel stops."""

    async def __call__(self, running: workflow.ActivityHandle[T], /) -> T: ...


class Gate:
    """The questions of a re-index; ``done`` of ``total`` were asked in both generations."""

    def __init__(self, reindex_id: str, priority: Priority) -> None:
        self._reindex_id, self._priority = reindex_id, priority
        self.done = self.total = 0

    async def compare(self, interruptible: Interruptible, rest: Callable[[datetime], Awaitable[None]]) -> Reason | None:
        """Why the switch is refused, None if it is not; after each slice ``rest`` is told when it had begun."""
        prepared = await interruptible(
            self._start(
                signatures.prepare_gate, ReindexInput(reindex_id=self._reindex_id), "Look for the questions to ask"
            )
        )
        self.total = prepared.questions
        pairs: list[Pair] = []
        while len(pairs) < self.total:
            begun = workflow.now()
            slice = MeasureInput(reindex_id=self._reindex_id, first=len(pairs), total=self.total, seconds=SLICE_SECONDS)
            summary = f"Ask question {len(pairs) + 1:,} of {self.total:,}, and the next, in both generations"
            pairs += (await interruptible(self._start(signatures.measure_gate, slice, summary))).pairs
            self.done = len(pairs)
            await rest(begun)
        judged = JudgeInput(reindex_id=self._reindex_id, pairs=pairs)
        verdict = await interruptible(
            self._start(signatures.judge_gate, judged, f"Compare both generations on {self.total:,} questions")
        )
        return verdict.refused

    def _start(
        self, activity: Callable[[In], Coroutine[Any, Any, T]], input: In, summary: str
    ) -> workflow.ActivityHandle[T]:
        return workflow.start_activity(
            activity, input, task_queue=Queue.STORE, priority=self._priority, summary=summary, **LONG_STEP
        )


def fault_of(verified: Verified) -> Reason | None:
    """Why a generation whose documents are all there must not be switched to nevertheless."""
    if verified.lost:
        return GenerationDiffers(lost=verified.lost, searched=verified.searched).reason
    if verified.differing:
        return VectorsDiffer(differing=verified.differing, compared=verified.compared).reason
    if 2 * verified.found_new < verified.found_live:
        return SearchesDiffer(searched=verified.searched, live=verified.found_live, new=verified.found_new).reason
    return None
