"""Reconcile's scan for what was done around the API, to runs that run and to those that closed since the last one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec
from temporalio import activity
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecution
from temporalio.common import SearchAttributeKey

from activities.contracts.histories import Window
from activities.contracts.reconcile import ScanInput, ScanResult
from activities.histories import listing
from activities.histories.archive import AT_ONCE, OVERLAP
from activities.histories.outside import RESETTER, actions_in
from activities.reconcile.slices import TimeSlice
from activities.runtime import temporal
from activities.runtime.heartbeat import heartbeating, report
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.runs.records import OutsideAction, Run

#: Set by Temporal on runs that one of its schedules has started.
SCHEDULED_BY = SearchAttributeKey.for_keyword("TemporalScheduledById")


class OutsideActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, catalog: Catalog) -> None:
        self._archive, self._outside = catalog.run_archive, catalog.outside_actions

    @activity.defn
    @heartbeating
    async def tell_outside(self, input: ScanInput) -> ScanResult:
        """Records what was done to runs around the API, once each; nothing without ``repair``."""
        if not input.repair:
            return ScanResult(findings=[])
        client, end, seen = activity.client(), TimeSlice(), 0
        window = msgspec.json.decode(input.after, type=Window) if input.after else await self._window()
        began = await self._archive.mark("began")
        while True:
            page, token = await listing.page(client, listing.query_of(window), window.page)
            for start in range(0, len(page), AT_ONCE):
                found = await asyncio.gather(*(_actions(client, run) for run in page[start : start + AT_ONCE]))
                told = [action for actions in found for action in actions if began is None or action.at >= began]
                await self._outside.tell(told)
                seen += len(found)
                report(seen)
            if not (token or window.running):
                await self._archive.set_mark("outside", window.until)
                return ScanResult(findings=[])
            window = msgspec.structs.replace(window, page=token, running=window.running and bool(token))
            if end.is_over():
                return ScanResult(findings=[], next=msgspec.json.encode(window).decode())

    async def _window(self) -> Window:
        """Running runs first: one that ends meanwhile is among the closed ones of the next scan at the latest."""
        mark = await self._archive.mark("outside")
        since = mark - OVERLAP if mark else await self._archive.mark("began")
        return Window(until=datetime.now(UTC), since=since, running=True)


async def _actions(client: Client, execution: WorkflowExecution) -> list[OutsideAction]:
    run = listing.run_of(execution)
    events = await listing.history(client, run)
    if not events:
        return []
    return actions_in(
        run,
        events,
        scheduled=execution.typed_search_attributes.get(SCHEDULED_BY) is not None,
        was_reset=await _was_reset(client, run, events[-1]),
    )


async def _was_reset(client: Client, run: Run, last: HistoryEvent) -> bool:
    """Whether Temporal ended a run to reset it. Anybody can take the name under which it does."""
    if last.workflow_execution_terminated_event_attributes.identity != RESETTER:
        return False
    described = await temporal.describe(client, run.workflow_id, run.run_id)
    return described is not None and bool(described.raw_description.workflow_extended_info.reset_run_id)
