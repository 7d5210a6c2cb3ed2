"""Where a workflow is: the stages it goes through, for its ``state`` query, the UI and the search attributes."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.contracts import STAGE, JobState, JobStateName


class Progress:
    """The part of ``JobState`` that a workflow itself knows; attempts and counts come from its activities."""

    def __init__(self, stages: tuple[str, ...], *, quiet: bool = False) -> None:
        """``quiet``: only waiting and the end get into the search attributes."""
        self._stages, self._quiet = stages, quiet
        self._state: JobStateName = "queued"
        self._stage = ""
        self._updated_at: datetime | None = None

    def enter(self, stage: str) -> None:
        """The workflow begins a stage."""
        waited = self._state == "waiting"
        self._set("running", stage)
        workflow.set_current_details(f"Stage {self._number()} of {len(self._stages)}: {stage}")
        if waited or not self._quiet:
            workflow.upsert_search_attributes([STAGE.value_set(stage)])

    def wait(self, stage: str) -> None:
        """The workflow begins a stage in which it waits for others."""
        self._set("waiting", stage)
        workflow.set_current_details(f"Waiting in stage {stage}")
        workflow.upsert_search_attributes([STAGE.value_set("waiting")])

    def finish(self, state: JobStateName) -> None:
        """The workflow ends as ``state``; the stage it was in stays visible."""
        self._set(state, self._stage)
        workflow.set_current_details(f"{state.capitalize()} after stage {self._stage}")
        workflow.upsert_search_attributes([STAGE.value_set(state)])

    def pause(self) -> None:
        """The workflow holds before, or in the middle of, its stage."""
        self._set("paused", self._stage)
        where = f"in stage {self._stage}" if self._stage else "before the first stage"
        workflow.set_current_details(f"Paused {where}")
        workflow.upsert_search_attributes([STAGE.value_set("paused")])

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
        return self._stages.index(self._stage) + 1 if self._stage in self._stages else 0

    def _set(self, state: JobStateName, stage: str) -> None:
        self._state, self._stage, self._updated_at = state, stage, workflow.now()
