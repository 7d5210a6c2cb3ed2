"""The commands of `holdfast ops`."""

# ruff: noqa: PLC0415 - commands import slow modules themselves

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from api.cli.output import Output, json_option, talks_to_api, yes_option
from api.cli.texts.messages import say

if TYPE_CHECKING:
    from api.client.client import Api
    from api.operations.schemas import OperationsInfo


@talks_to_api
async def _show(api: Api, out: Output, watch: bool) -> None:
    """GET /operations, or its events."""
    from api.cli.operations.display import lines_of, print_snapshot

    if not watch:
        found = await api.operations.get()
        out.document(found.json)
        if out.live:
            print_snapshot(found.value)
        else:
            for line in [] if out.json else lines_of(found.value):
                out.text(line)
    elif out.live:
        await _watch_live(api)
    else:
        async for snapshot in _snapshots(api):
            out.line(snapshot)
            for line in [] if out.json else lines_of(_whole(snapshot)):
                out.text(line)


@click.group(name="ops", invoke_without_command=True, help=say("help.ops"))
@click.option("--watch", is_flag=True, help=say("help.ops.watch"))
@json_option
@click.pass_context
def ops_group(context: click.Context, watch: bool, as_json: bool) -> None:
    """Without a command: the platform now."""
    if context.invoked_subcommand is None:
        _show(watch=watch, as_json=as_json)


@ops_group.command("failures", help=say("help.ops.failures"))
@talks_to_api
async def ops_failures(api: Api, out: Output) -> None:
    """The failures of GET /operations."""
    from api.cli.operations.display import failures_of, print_part

    found = await api.operations.get()
    if found.value.failures is None:
        out.fail("unavailable", next(each.detail for each in found.value.problems if each.part == "failures"))
    out.document({"items": found.json["failures"]})
    part = failures_of(found.value)
    if out.live and part.rows:
        print_part(part)
    else:
        out.table_or_nothing(part.columns, part.rows)


@ops_group.command("retry", help=say("help.ops.retry"))
@click.argument("code")
@click.option("--kb", metavar="NAME", help=say("help.ops.kb"))
@yes_option
@talks_to_api
async def ops_retry(api: Api, out: Output, code: str, kb: str | None, yes: bool) -> None:
    """POST /operations/failures/retry."""
    out.confirm(say("confirm.ops.retry", code=code, kb=kb or say("ops.all_kbs")), yes)
    asked = await api.operations.retry(code, kb)
    out.document(asked.json)
    out.text(say("asked.ops.retry", code=code, documents=asked.value.documents, workflow_id=asked.value.workflow_id))


@ops_group.command("cancel", help=say("help.ops.cancel"))
@click.argument("id")
@yes_option
@talks_to_api
async def ops_cancel(api: Api, out: Output, id: str, yes: bool) -> None:
    """POST /bulk-changes/{id}/cancel."""
    out.confirm(say("confirm.ops.cancel", id=id), yes)
    change = await api.operations.cancel_change(id)
    out.document(change.json)
    out.text(say("asked.ops.cancel", changed=change.value.changed, total=change.value.total))


async def _snapshots(api: Api) -> AsyncIterator[dict[str, Any]]:
    """Each snapshot as it came; one that is unchanged is left out."""
    async with aclosing(api.operations.events()) as events:
        async for event in events:
            if event.name == "snapshot":
                yield event.data


async def _watch_live(api: Api) -> None:
    """The snapshot over the whole terminal."""
    from rich.console import Console
    from rich.live import Live

    from api.cli.operations.display import renderable

    shown: dict[str, Any] = {}
    with Live(console=Console(), screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        async with aclosing(api.operations.events()) as events:
            async for event in events:
                shown |= event.data  # the whole snapshot, or only the time of a look at which nothing has changed
                live.update(renderable(_whole(shown)), refresh=True)


def _whole(snapshot: dict[str, Any]) -> OperationsInfo:
    import msgspec

    from api.operations.schemas import OperationsInfo

    return msgspec.convert(snapshot, OperationsInfo)
