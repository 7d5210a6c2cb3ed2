"""The stage and state of a workflow, for its ``state`` query, Temporal's UI and the search attributes."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.search_attributes import STAGE
    from activities.contracts.stages import JobStateName, number_of
    from workflows.contracts import JobState


class Progress:
    """The part of ``JobState`` that the workflow holds; attempts and counts come from its activities."""

    def __init__(self, stages: tuple[str, ...], *, hide_stages: bool = False) -> None:
        """``hide_stages`` limits the search attributes to waiting, paused and final states."""
        self._stages, self._hide_stages = stages, hide_stages
        self._state: JobStateName = "queued"
        self._stage = ""
        self._updated_at: datetime | None = None
        self._text = self._note = ""

    def enter(self, stage: str) -> None:
        """Begin a stage."""
        was_waiting = self._state == "waiting"
        self._set("running", stage)
        self._set_details(f"Stage {self._number()} of {len(self._stages)}: {stage}")
        if was_waiting or not self._hide_stages:
            workflow.upsert_search_attributes([STAGE.value_set(stage)])

    def wait(self, stage: str) -> None:
        """Begin a stage in which the workflow waits for other work."""
        self._set("waiting", stage)
        self._set_details(f"Waiting in stage {stage}")
        workflow.upsert_search_attributes([STAGE.value_set("waiting")])

    def finish(self, state: JobStateName, by: str = "") -> None:
        """End as ``state``; the last stage stays visible. ``by`` (``by ada``) names the actor that ended the run."""
        self._set(state, self._stage)
        self._note = ""
        self._set_details(f"{with_actor(state.capitalize(), by)} after stage {self._stage}")
        workflow.upsert_search_attributes([STAGE.value_set(state)])

    def pause(self, by: str = "") -> None:
        """Pause before or in the current stage. ``by`` (``by ada``) names the actor that paused the run."""
        self._set("paused", self._stage)
        self._note = ""
        where = f"in stage {self._stage}" if self._stage else "before the first stage"
        self._set_details(f"{with_actor('Paused', by)} {where}")
        workflow.upsert_search_attributes([STAGE.value_set("paused")])

    def annotate(self, action: str, by: str) -> None:
        """Show an actor's action in the details until the next action, a pause or the end of the run."""
        self._note = with_actor(action, by) if by else ""
        self._set_details(self._text)

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

    def _set_details(self, text: str) -> None:
        self._text = text
        workflow.set_current_details("; ".join(filter(None, (text, self._note))))

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
