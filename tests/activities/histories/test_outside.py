"""What is done to runs around the API is told once, and what Holdfast does itself never."""

from __future__ import annotations

from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    WorkflowHandle,
)

from activities.contracts.reconcile import ScanInput
from activities.histories.outside import RESETTER
from activities.histories.telling import OutsideActivities
from activities.stores.catalog.records import AuditEvent
from activities.stores.catalog.runs.archive import hex_of
from activities.stores.catalog.tables import new_id
from tests.activities.histories.conftest import EVE, Waits, World
from tests.conftest import assert_eventually


async def told(world: World, handle: WorkflowHandle[Any, Any], *, repair: bool = True) -> list[AuditEvent]:
    """The events of a workflow in the trail after a scan, oldest first."""
    after: str | None = ""
    while after is not None:
        scan = ScanInput(repair=repair, grace_seconds=0, after=after)
        after = (await world.call(OutsideActivities(world.catalog).tell_outside, scan)).next
    events = await world.catalog.audit.page(None, 1000, action="run")
    return [event for event in reversed(events) if event.detail["workflow"] == handle.id]


async def test_what_others_do_is_told_once(world: World) -> None:
    """A signal, an update, a cancel request and a termination, with who says to have done it, when and at which event.

    The same by a client of Holdfast is not told, but for a termination, which it never does.
    """
    ours, run = await world.started(), await world.started()
    theirs = world.eves.get_workflow_handle(run.id)
    await theirs.signal("pause", "ann")
    await theirs.execute_update("retry", "ann")
    await theirs.cancel(reason="no use")
    await ours.signal("pause", "bob")
    await ours.cancel(reason="by bob")
    await world.closed(ours, run)
    ended = await world.started()
    assert await told(world, ended) == []
    await world.eves.get_workflow_handle(ended.id).terminate(reason="too slow")
    await world.closed(ended)
    assert await told(world, run, repair=False) == await told(world, run)
    events = await told(world, run)
    assert [(event.action, event.actor, event.detail["identity"]) for event in events] == [
        (f"run.{kind}_outside", "temporal", EVE) for kind in ("signalled", "updated", "canceled")
    ]
    assert [event.detail.get("name") or event.detail.get("reason") for event in events] == ["pause", "retry", "no use"]
    assert len({event.detail["event"] for event in events}) == 3
    assert {event.object_id for event in events} == {hex_of(events[0].detail["run"])}
    (terminated,) = await told(world, ended)
    assert (terminated.action, terminated.detail["reason"]) == ("run.terminated_outside", "too slow")
    assert await told(world, ours) == []


async def test_a_termination_is_told_whoever_it_says_to_be_by(world: World) -> None:
    """Also by our own identity, and by the one under which Temporal ends runs that are reset."""
    for identity in (world.ours.identity, RESETTER):
        run = await world.started()
        client = await type(world.ours).connect(world.ours.service_client.config.target_host, identity=identity)
        await client.get_workflow_handle(run.id).terminate()
        await world.closed(run)
        assert [event.detail["identity"] for event in await told(world, run)] == [identity]


async def test_a_reset_is_told_of_the_run_that_follows(world: World) -> None:
    """Once; what was done before is not told again, although the history of the new run has it too."""
    run = await world.started()
    theirs = world.eves.get_workflow_handle(run.id)
    await theirs.signal("pause", "eve")
    request = ResetWorkflowExecutionRequest(
        namespace=world.eves.namespace, workflow_execution=WorkflowExecution(workflow_id=run.id), reason="again",
        workflow_task_finish_event_id=4, request_id=new_id(), identity=EVE,
    )  # fmt: skip
    followed = (await world.eves.workflow_service.reset_workflow_execution(request)).run_id
    await theirs.signal("end")
    await world.closed(run)

    async def both_are_told() -> list[AuditEvent] | None:
        events = await told(world, run)
        return events if len(events) >= 3 else None

    events = await assert_eventually(both_are_told)
    found = {(event.action, event.detail.get("name", ""), event.detail["run"] == followed) for event in events}
    assert found == {
        ("run.signalled_outside", "pause", False),
        ("run.reset_outside", "", True),
        ("run.signalled_outside", "end", True),
    }
    assert len(events) == 3


async def test_a_start_by_others_is_told(world: World) -> None:
    """Of a workflow of ours; one by a schedule is Temporal's own."""
    run = await world.started(world.eves)
    name = new_id()
    action = ScheduleActionStartWorkflow(Waits.run, id=f"bulk/{name}", task_queue=world.queue)
    schedule = await world.ours.create_schedule(name, Schedule(action=action, spec=ScheduleSpec()))
    await schedule.trigger()

    async def begun() -> str | None:
        actions = (await schedule.describe()).info.recent_actions
        return actions[0].action.workflow_id if actions else None  # type: ignore[attr-defined,no-any-return]

    scheduled = world.ours.get_workflow_handle(await assert_eventually(begun))
    assert [event.action for event in await told(world, run)] == ["run.started_outside"]
    assert await told(world, scheduled) == []
    await schedule.delete()


async def test_what_was_done_before_the_tables_were_there_is_not_told(world: World) -> None:
    """Processes of earlier versions did not name themselves, so that their doings look like those of others."""
    run = await world.started()
    await world.eves.get_workflow_handle(run.id).signal("end")
    await world.closed(run)
    began = await world.catalog.run_archive.mark("began")
    assert began is not None
    description = await run.describe()
    assert description.close_time is not None
    await world.catalog.run_archive.set_mark("began", description.close_time)
    assert await told(world, run) == []
