"""`holdfast sync`: a knowledge base follows a folder of the server or an S3 prefix."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import click

from api.cli.names import Choice, one_of
from api.cli.output import FINISHED, Output, at, describe, follow, kb_option, reason_of, talks_to_api, yes_option
from api.cli.texts.messages import say, say_or

if TYPE_CHECKING:
    from api.client.client import Api
    from api.client.sources import SyncAction
    from api.sources.schemas import SourceInfo, SyncInfo

#: Length of an id.
ID = 32


def of_source(function: Callable[..., None]) -> Callable[..., None]:
    """The parameters of a command on a source, which is named by its id, or by its name and --kb."""
    return click.argument("source")(click.option("--kb", metavar="NAME", help=say("help.in_kb"))(function))


@click.group(name="sync", help=say("help.sync"))
def sync_group() -> None:
    """Group of the commands on sources and syncs."""


@sync_group.command("add", help=say("help.sync.add"))
@click.argument("location")
@kb_option
@click.option("--name", help=say("help.sync.name"))
@click.option("--include", multiple=True, metavar="PATTERN", help=say("help.sync.include"))
@click.option("--exclude", multiple=True, metavar="PATTERN", help=say("help.sync.exclude"))
@click.option("--max-delete-share", type=click.FloatRange(0, 1), help=say("help.sync.share"))
@click.option("--tag", "tags", multiple=True, help=say("help.sync.tag"))
@talks_to_api
async def sync_add(
    api: Api,
    out: Output,
    location: str,
    kb: str,
    name: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    max_delete_share: float | None,
    tags: tuple[str, ...],
) -> None:
    """POST /knowledge-bases/{kb}/sources."""
    source = await api.sources.create(
        kb,
        location,
        name=name,
        include=list(include) or None,
        exclude=list(exclude) or None,
        max_delete_share=max_delete_share,
        tags=list(tags) or None,
    )
    out.document(source.json)
    out.text(say("sync.added", name=source.value.name, kb=kb))


@sync_group.command("change", help=say("help.sync.change"))
@of_source
@click.option("--name", help=say("help.sync.name"))
@click.option("--include", multiple=True, metavar="PATTERN", help=say("help.sync.include"))
@click.option("--exclude", multiple=True, metavar="PATTERN", help=say("help.sync.exclude"))
@click.option("--max-delete-share", type=click.FloatRange(0, 1), help=say("help.sync.share"))
@click.option("--tag", "tags", multiple=True, help=say("help.sync.tag"))
@talks_to_api
async def sync_change(
    api: Api,
    out: Output,
    source: str,
    kb: str | None,
    name: str | None,
    max_delete_share: float | None,
    **lists: tuple[str, ...],
) -> None:
    """PATCH /sources/{id}; an empty text empties a list."""
    changes: dict[str, Any] = {key: [value for value in values if value] for key, values in lists.items() if values}
    if not changes and name is None and max_delete_share is None:
        raise click.UsageError(say("kb.set_nothing"))
    info = await _found(api, out, source, kb)
    changed = await api.sources.change(info.id, name=name, max_delete_share=max_delete_share, **changes)
    out.document(changed.json)
    out.text(say("sync.changed", name=changed.value.name))


@sync_group.command("list", help=say("help.sync.list"))
@kb_option
@talks_to_api
async def sync_list(api: Api, out: Output, kb: str) -> None:
    """GET /knowledge-bases/{kb}/sources."""
    found = [source async for source in api.sources.all(kb)]
    out.document({"items": [source.json for source in found]})
    rows = [] if out.json else [_row(source.value, out.live) for source in found]
    out.table_or_nothing(("id", "source", "location", "documents", "last_sync"), rows)


def _row(source: SourceInfo, live: bool) -> tuple[object, ...]:
    """Of the table of sources; a person reads the state in their language."""
    last = source.last_sync
    state = "" if last is None else say_or(f"state.{last.state}", last.state) if live else last.state
    return (source.id, source.name, source.location, source.documents, state)


@sync_group.command("show", help=say("help.sync.show"))
@of_source
@talks_to_api
async def sync_show(api: Api, out: Output, source: str, kb: str | None) -> None:
    """GET /sources/{id}."""
    info = await _found(api, out, source, kb)
    if out.json:
        out.document((await api.sources.get(info.id)).json)
        return
    for name in ("id", "name", "kind", "location", "include", "exclude", "max_delete_share", "tags", "documents"):
        value = getattr(info, name)
        out.text(f"{name}: {' '.join(value) if isinstance(value, list) else '' if value is None else value}")
    if info.last_sync is not None:
        out.text(f"{say('col.last_sync')}: {info.last_sync.id} · {outcome(info.last_sync)}")


@sync_group.command("preview", help=say("help.sync.preview"))
@of_source
@talks_to_api
async def sync_preview(api: Api, out: Output, source: str, kb: str | None) -> None:
    """POST /sources/{id}/sync as a preview, and wait for what it says."""
    info = await _found(api, out, source, kb)
    job = await api.sources.sync(info.id, preview=True)
    last = await _end(api, out, job.value.id, quiet=True)
    out.document((await api.sources.get_sync(job.value.id)).json)
    out.text(outcome(last))
    for kind, names in (last.report.names if last.report else {}).items():
        for name in names:
            out.text(f"  {say_or(f'sync.names.{kind}', kind)}: {name}")
    _exit(last)


@sync_group.command("run", help=say("help.sync.run"))
@of_source
@click.option("--watch", is_flag=True, help=say("help.watch"))
@talks_to_api
async def sync_run(api: Api, out: Output, source: str, kb: str | None, watch: bool) -> None:
    """POST /sources/{id}/sync."""
    info = await _found(api, out, source, kb)
    job = await api.sources.sync(info.id)
    if watch:
        _exit(await _end(api, out, job.value.id))
        return
    out.document(job.json)
    out.text(say("sync.started", id=job.value.id, name=info.name))


@sync_group.command("watch", help=say("help.sync.watch"))
@of_source
@talks_to_api
async def sync_watch(api: Api, out: Output, source: str, kb: str | None) -> None:
    """GET /syncs/{id}/events until the sync has ended; exit 1 unless it is ready."""
    info = await _found(api, out, source, kb)
    _exit(await _end(api, out, _last(info).id))


def _action(name: SyncAction, *, asks: bool = False) -> None:
    @sync_group.command(name, help=say(f"help.sync.{name}"))
    @of_source
    @yes_option
    @talks_to_api
    async def act(api: Api, out: Output, source: str, kb: str | None, yes: bool) -> None:
        info = await _found(api, out, source, kb)
        last = _last(info)
        if asks:
            report = last.report
            numbers = {"deleted": report.deleted, "documents": report.documents} if report else {}
            asked = say(f"confirm.sync.{name}", name=info.name, **({"deleted": "?", "documents": "?"} | numbers))
            out.confirm(asked, yes)
        answer = await api.sources.control(last.id, name)
        out.document(answer.json)
        out.text(say(f"asked.sync.{name}"))


_action("pause")
_action("resume")
_action("cancel", asks=True)
_action("confirm", asks=True)


@sync_group.command("remove", help=say("help.sync.remove"))
@of_source
@yes_option
@talks_to_api
async def sync_remove(api: Api, out: Output, source: str, kb: str | None, yes: bool) -> None:
    """DELETE /sources/{id}."""
    info = await _found(api, out, source, kb)
    out.confirm(say("confirm.sync.remove", name=info.name), yes)
    await api.sources.delete(info.id)
    out.document({"id": info.id, "documents": info.documents})
    out.text(say("asked.sync.remove", name=info.name, documents=info.documents))


async def _end(api: Api, out: Output, id: str, *, quiet: bool = False) -> SyncInfo:
    """Follow a sync, line by line unless ``quiet``; returns its last state."""
    last = (await api.sources.get_sync(id)).value
    async for state in follow(api, at("syncs", id), {}):
        last = (await api.sources.get_sync(id)).value if state.get("state") in FINISHED else last
        if not quiet:
            out.line(state)
            why = "" if state.get("state") in FINISHED else reason_of(state)
            out.text(outcome(last) if state.get("state") in FINISHED else " · ".join(filter(None, (_of(state), why))))
    return last


def _of(state: dict[str, Any]) -> str:
    return describe({**state, "reason": None, "waiting_for": None})


def outcome(sync: SyncInfo) -> str:
    """A sync in one line: its state, what it does or did, and why it ended."""
    parts = [say_or(f"state.{sync.state}", sync.state)]
    report = sync.report
    if report is not None and (sync.preview or sync.state != "ready"):
        parts.append(
            say(
                "sync.report",
                added=report.added,
                updated=report.updated,
                deleted=report.deleted,
                unchanged=report.unchanged,
            )
        )
        parts += [say("sync.guarded")] if report.guarded and sync.preview else []
    elif sync.state == "ready":
        done = {name: sync.applied.get(name, 0) for name in ("added", "updated", "deleted")}
        parts.append(say("sync.applied", **done))
        parts += [say("sync.missed", count=sync.applied["missed"])] if sync.applied.get("missed") else []
    if report is not None:
        parts += [say("sync.conflicts", count=report.conflicts)] if report.conflicts else []
        for kind, count in report.left_out.items():
            parts.append(say(f"sync.left.{kind}", count=count))
    return " · ".join([*parts, *([sync.reason] if sync.reason else [])])


def _last(source: SourceInfo) -> SyncInfo:
    if source.last_sync is None:
        raise click.UsageError(say("sync.never", name=source.name, kb=source.knowledge_base))
    return source.last_sync


def _exit(sync: SyncInfo) -> None:
    if sync.state != "ready":
        sys.exit(1)


async def _found(api: Api, out: Output, source: str, kb: str | None) -> SourceInfo:
    """A source by its id, or in a knowledge base by its name, or by the beginning of one of both."""
    if kb is None:
        if len(source) != ID:
            raise click.UsageError(say("sync.needs-kb"))
        return (await api.sources.get(source)).value
    found = {each.value.id: each.value async for each in api.sources.all(kb)}

    async def choices() -> AsyncIterator[Choice]:
        for each in found.values():
            yield Choice(each.id, each.name, each.knowledge_base)

    id = await one_of(out, source, choices())
    if id not in found:
        raise click.UsageError(say("sync.none", name=source, kb=kb))
    return found[id]
