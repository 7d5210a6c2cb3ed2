"""The stage and state of a workflow, for its ``state`` query, Temporal's UI and the search attributes.

The details that the UI shows of a running or ended workflow are a log: one line with its time for each stage, wait and
control. They are read by a query and cost no event, so that they may change without regard to histories.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.search_attributes import STAGE
    from activities.contracts.stages import JobStateName, number_of
    from workflows.contracts import JobState

#: The latest lines of the log that the details show.
LINES = 40


class Progress:
    """The part of ``JobState`` that the workflow holds; attempts and counts come from its activities."""

    def __init__(self, stages: tuple[str, ...], *, hide_stages: bool = False) -> None:
        """``hide_stages`` limits the search attributes to waiting, paused and final states."""
        self._stages, self._hide_stages = stages, hide_stages
        self._state: JobStateName = "queued"
        self._stage = ""
        self._updated_at: datetime | None = None
        self._log: deque[str] = deque(maxlen=LINES)
        self._count = ""

    def enter(self, stage: str) -> None:
        """Begin a stage."""
        was_waiting = self._state == "waiting"
        self._set("running", stage)
        self.note(f"Stage {self._number()} of {len(self._stages)}: {stage}")
        if was_waiting or not self._hide_stages:
            workflow.upsert_search_attributes([STAGE.value_set(stage)])

    def wait(self, stage: str) -> None:
        """Begin a stage in which the workflow waits for other work."""
        self._set("waiting", stage)
        self.note(f"Waiting in stage {stage}")
        workflow.upsert_search_attributes([STAGE.value_set("waiting")])

    def finish(self, state: JobStateName, by: str = "") -> None:
        """End as ``state``; the last stage stays visible. ``by`` (``by ada``) names the actor that ended the run."""
        self._set(state, self._stage)
        self.note(f"{with_actor(state.capitalize(), by)} after stage {self._stage}")
        workflow.upsert_search_attributes([STAGE.value_set(state)])

    def pause(self, by: str = "") -> None:
        """Pause before or in the current stage. ``by`` (``by ada``) names the actor that paused the run."""
        self._set("paused", self._stage)
        where = f"in stage {self._stage}" if self._stage else "before the first stage"
        self.note(f"{with_actor('Paused', by)} {where}")
        workflow.upsert_search_attributes([STAGE.value_set("paused")])

    def annotate(self, action: str, by: str) -> None:
        """Log an actor's action; without an actor there is none."""
        if by:
            self.note(f"{action[:1].upper()}{action[1:]} {by}")

    def note(self, text: str) -> None:
        """Add a line to the log. It is shown to auditors: no text of a document or a question belongs there."""
        self._count = ""
        self._log.append(f"- {workflow.now():%Y-%m-%d %H:%M:%S} {text}")
        self._show()

    def count(self, done: int, total: int | None = None) -> None:
        """Show behind the latest line how much of its work is done."""
        self._count = f" ({done:,} of {total:,})" if total is not None else f" ({done:,})"
        self._show()

    def state(self) -> JobState:
        """The result of the ``state`` query."""
        return JobState(
            state=self._state,
            stage=self._stage,
            stage_number=self._number(),
            stage_count=len(self._stages),
            updated_at=self._updated_at,
        )

    def _number(self) -> int:
        return number_of(self._stage, self._stages)

    def _show(self) -> None:
        workflow.set_current_details("\n".join(self._log) + self._count)

    def _set(self, state: JobStateName, stage: str) -> None:
        self._state, self._stage, self._updated_at = state, stage, workflow.now()


def by_actor(actor: str) -> str:
    """``by ada``, as details and summaries name an actor; empty if a signal named none."""
    return f"by {actor}" if actor else ""


def with_actor(text: str, by: str) -> str:
    """``text``, followed by ``by`` unless that is empty."""
    return f"{text} {by}" if by else text


def canceled_by() -> str:
    """The actor in the reason of Temporal's cancel request (``by ada``); any other reason in parentheses."""
    reason = (workflow.cancellation_reason() or "").rpartition(" with reason: ")[2]  # of another workflow's request
    return reason if not reason or reason.startswith("by ") else f"({reason})"
