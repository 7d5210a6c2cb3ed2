"""`holdfast schedule`: jobs that start by the clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from api.cli.output import Output, kb_option, talks_to_api, yes_option
from api.cli.texts.messages import say, say_or

if TYPE_CHECKING:
    from api.client.client import Api
    from api.schedules.schemas import ScheduleInfo, ScheduleRunInfo

F = TypeVar("F", bound=Callable[..., Any])


class Option(click.ParamType[Any]):
    """``NAME=VALUE``, of which the value is JSON where it can be, and a text otherwise."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        name, equals, text = str(value).partition("=")
        if not (name and equals):
            self.fail(say("option-form", value=value), param, ctx)
        try:
            return name, json.loads(text)
        except ValueError:
            return name, text


class Time(click.ParamType[Any]):
    """A time in ISO 8601, in UTC if it has no offset; a date is its first moment."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            at = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(say("not-a-time", value=value), param, ctx)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()


def timing_options(function: F) -> F:
    """The options that say when a schedule fires, and with what."""
    for option in (
        click.option("--option", "options", type=Option(), multiple=True, help=say("help.option")),
        click.option("--note", help=say("help.note")),
        click.option("--catch-up", type=int, metavar="MINUTES", help=say("help.catch_up")),
        click.option("--zone", help=say("help.zone")),
        click.option("--every", type=int, metavar="MINUTES", help=say("help.every")),
        click.option("--cron", help=say("help.cron")),
    ):
        function = option(function)
    return function


@click.group(name="schedule", help=say("help.schedule"))
def schedule_group() -> None:
    """Group of the commands on schedules."""


@schedule_group.command("create", help=say("help.schedule.create"))
@click.argument("name")
@click.option("--kind", required=True, metavar="KIND", help=say("help.kind"))
@kb_option
@timing_options
@click.option("--paused", is_flag=True, help=say("help.paused"))
@talks_to_api
async def schedule_create(
    api: Api, out: Output, name: str, kind: str, kb: str, paused: bool, options: list[tuple[str, Any]], **given: Any
) -> None:
    """POST /schedules."""
    settings = _timing(**given)
    made = await api.schedules.create(
        name, kind=kind, knowledge_base=kb, options=dict(options), paused=paused or None, **settings
    )
    out.document(made.json)
    out.text(say("schedule.created", name=name, when=made.value.when, next=_next(made.value)))


@schedule_group.command("list", help=say("help.schedule.list"))
@click.option("--kb", metavar="NAME", help=say("help.in_kb"))
@talks_to_api
async def schedule_list(api: Api, out: Output, kb: str | None) -> None:
    """GET /schedules."""
    found = await api.schedules.page(kb)
    out.document({"items": [schedule.json for schedule in found]})
    rows = [] if out.json else [_row(schedule.value, out.live) for schedule in found]
    out.table_or_nothing(("name", "kind", "kb", "when", "next", "last"), rows)


def _row(info: ScheduleInfo, live: bool) -> tuple[object, ...]:
    kind = say(f"kind.{info.kind}") if live else info.kind
    return (info.name, kind, info.knowledge_base, info.when, _next(info), _outcome(info.last, live))


def _next(info: ScheduleInfo) -> str:
    if info.paused:
        return say("schedule.paused")
    return _moment(info.next[0]) if info.next else say("schedule.unknown")


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}{at:%z}"


def _outcome(run: ScheduleRunInfo | None, live: bool) -> str:
    if run is None:
        return ""
    return f"{say_or(f'state.{run.state}', run.state) if live else run.state} {_moment(run.started_at)}"


@schedule_group.command("show", help=say("help.schedule.show"))
@click.argument("name")
@talks_to_api
async def schedule_show(api: Api, out: Output, name: str) -> None:
    """GET /schedules/{name}."""
    info = await api.schedules.get(name)
    out.document(info.json)
    for key, value in info.json.items():
        if key not in ("runs", "last"):
            out.text(f"{key}: {_plain(value)}")
    rows = [
        (
            run.occurrence,
            say_or(f"state.{run.state}", run.state) if out.live else run.state,
            _moment(run.started_at),
            " ".join(f"{count}={number}" for count, number in run.counts.items()),
            run.reason,
        )
        for run in info.value.runs
    ]
    if rows:
        out.text()
        out.table(("occurrence", "state", "started", "counts", "reason"), rows)


def _plain(value: object) -> str:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


@schedule_group.command("change", help=say("help.schedule.change"))
@click.argument("name")
@timing_options
@talks_to_api
async def schedule_change(api: Api, out: Output, name: str, options: list[tuple[str, Any]], **given: Any) -> None:
    """PATCH /schedules/{name}."""
    changed = await api.schedules.change(name, options=dict(options) or None, **_timing(**given))
    out.document(changed.json)
    out.text(say("schedule.changed", name=name, when=changed.value.when, next=_next(changed.value)))


@schedule_group.command("pause", help=say("help.schedule.pause"))
@click.argument("name")
@click.option("--note", default="", help=say("help.note"))
@talks_to_api
async def schedule_pause(api: Api, out: Output, name: str, note: str) -> None:
    """POST /schedules/{name}/pause."""
    out.document((await api.schedules.pause(name, note)).json)
    out.text(say("schedule.is_paused", name=name))


@schedule_group.command("resume", help=say("help.schedule.resume"))
@click.argument("name")
@talks_to_api
async def schedule_resume(api: Api, out: Output, name: str) -> None:
    """POST /schedules/{name}/resume."""
    resumed = await api.schedules.resume(name)
    out.document(resumed.json)
    out.text(say("schedule.resumed", name=name, next=_next(resumed.value)))


@schedule_group.command("run", help=say("help.schedule.run"))
@click.argument("name")
@talks_to_api
async def schedule_run(api: Api, out: Output, name: str) -> None:
    """POST /schedules/{name}/run."""
    out.document((await api.schedules.run(name)).json)
    out.text(say("schedule.started", name=name))


@schedule_group.command("backfill", help=say("help.schedule.backfill"))
@click.argument("name")
@click.option("--from", "start", type=Time(), required=True, help=say("help.from"))
@click.option("--to", "end", type=Time(), required=True, help=say("help.to"))
@talks_to_api
async def schedule_backfill(api: Api, out: Output, name: str, start: str, end: str) -> None:
    """POST /schedules/{name}/backfill."""
    answer = await api.schedules.backfill(name, start, end)
    out.document(answer.json)
    out.text(say("schedule.backfilled", name=name, runs=answer.value.runs))


@schedule_group.command("preview", help=say("help.schedule.preview"))
@click.argument("name")
@talks_to_api
async def schedule_preview(api: Api, out: Output, name: str) -> None:
    """POST /knowledge-bases/{kb}/retention-preview with the options of a schedule."""
    info = (await api.schedules.get(name)).value
    if info.kind != "retention" or info.knowledge_base is None:
        raise click.UsageError(say("schedule.no_retention", name=name))
    preview = await api.schedules.preview_retention(info.knowledge_base, info.options)
    out.document(preview.json)
    found = preview.value
    out.text(say("schedule.preview", expired=found.expired, documents=found.documents))
    if not found.allowed:
        out.text(say("schedule.would_wait"))
    if found.items:
        out.table(("name", "uploaded"), [(item.name, _moment(item.uploaded_at)) for item in found.items])


@schedule_group.command("confirm", help=say("help.schedule.confirm"))
@click.argument("name")
@click.option("--documents", type=click.IntRange(1), help=say("help.documents"))
@yes_option
@talks_to_api
async def schedule_confirm(api: Api, out: Output, name: str, documents: int | None, yes: bool) -> None:
    """POST /schedules/{name}/confirm."""
    last = (await api.schedules.get(name)).value.last
    out.confirm(say("schedule.sure_confirm", reason=(last.reason if last else None) or name), yes)
    out.document((await api.schedules.confirm(name, documents)).json)
    out.text(say("schedule.confirmed", name=name))


@schedule_group.command("cancel", help=say("help.schedule.cancel"))
@click.argument("name")
@yes_option
@talks_to_api
async def schedule_cancel(api: Api, out: Output, name: str, yes: bool) -> None:
    """POST /schedules/{name}/cancel."""
    out.confirm(say("schedule.sure_cancel", name=name), yes)
    out.document((await api.schedules.cancel(name)).json)
    out.text(say("schedule.canceled", name=name))


@schedule_group.command("delete", help=say("help.schedule.delete"))
@click.argument("name")
@yes_option
@talks_to_api
async def schedule_delete(api: Api, out: Output, name: str, yes: bool) -> None:
    """DELETE /schedules/{name}."""
    out.confirm(say("schedule.sure", name=name), yes)
    await api.schedules.delete(name)
    out.document({"name": name, "deleted": True})
    out.text(say("schedule.deleted", name=name))


def _timing(
    cron: str | None, every: int | None, zone: str | None, catch_up: int | None, note: str | None
) -> dict[str, Any]:
    return {"cron": cron, "every_minutes": every, "time_zone": zone, "catch_up_minutes": catch_up, "note": note}
