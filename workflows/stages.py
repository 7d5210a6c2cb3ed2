"""Where a workflow is: the stages it goes through, for its ``state`` query, the UI and the search attributes."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.search_attributes import STAGE
    from activities.contracts.stages import JobStateName, number_of
    from workflows.contracts import JobState


class Progress:
    """The part of ``JobState`` that a workflow itself knows; attempts and counts come from its activities."""

    def __init__(self, stages: tuple[str, ...], *, hide_stages: bool = False) -> None:
        """``hide_stages``: only waiting and the end get into the search attributes."""
        self._stages, self._quiet = stages, hide_stages
        self._state: JobStateName = "queued"
        self._stage = ""
        self._updated_at: datetime | None = None
        self._text = self._deed = ""

    def enter(self, stage: str) -> None:
        """The workflow begins a stage."""
        waited = self._state == "waiting"
        self._set("running", stage)
        self._show(f"Stage {self._number()} of {len(self._stages)}: {stage}")
        if waited or not self._quiet:
            workflow.upsert_search_attributes([STAGE.value_set(stage)])

    def wait(self, stage: str) -> None:
        """The workflow begins a stage in which it waits for others."""
        self._set("waiting", stage)
        self._show(f"Waiting in stage {stage}")
        workflow.upsert_search_attributes([STAGE.value_set("waiting")])

    def finish(self, state: JobStateName, who: str = "") -> None:
        """The workflow ends as ``state``; the stage it was in stays visible, and ``who`` (``by ada``) ended it."""
        self._set(state, self._stage)
        self._deed = ""
        self._show(f"{said(state.capitalize(), who)} after stage {self._stage}")
        workflow.upsert_search_attributes([STAGE.value_set(state)])

    def pause(self, who: str = "") -> None:
        """The workflow holds before, or in the middle of, its stage, because of ``who`` (``by ada``)."""
        self._set("paused", self._stage)
        self._deed = ""
        where = f"in stage {self._stage}" if self._stage else "before the first stage"
        self._show(f"{said('Paused', who)} {where}")
        workflow.upsert_search_attributes([STAGE.value_set("paused")])

    def note(self, deed: str, who: str) -> None:
        """Somebody did something with the run: the details say so until it is paused, or ends, or more is done."""
        self._deed = said(deed, who) if who else ""
        self._show(self._text)

    def state(self) -> JobState:
        """What the ``state`` query answers."""
        return JobState(
            state=self._state,
            stage=self._stage,
            stage_number=self._number(),
            stage_count=len(self._stages),
            updated_at=self._updated_at,
        )

    def _number(self) -> int:
        return number_of(self._stage, self._stages)

    def _show(self, text: str) -> None:
        self._text = text
        workflow.set_current_details("; ".join(filter(None, (text, self._deed))))

    def _set(self, state: JobStateName, stage: str) -> None:
        self._state, self._stage, self._updated_at = state, stage, workflow.now()


def by(actor: str) -> str:
    """How details and summaries name a person; empty when a signal came without one."""
    return f"by {actor}" if actor else ""


def said(deed: str, who: str) -> str:
    """What was done, and ``by`` whom, if that is known."""
    return f"{deed} {who}" if who else deed


def canceled_by() -> str:
    """Who asked Temporal to cancel this run, as ``by`` says it; another reason stands in parentheses."""
    reason = workflow.cancellation_reason() or ""
    return reason if not reason or reason.startswith("by ") else f"({reason})"
