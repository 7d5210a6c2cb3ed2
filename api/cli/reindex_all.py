"""`holdfast reindex all`: re-indexes of many knowledge bases, in order."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from api.cli.names import Choice, one_of
from api.cli.output import FINISHED, Output, at, follow, talks_to_api, yes_option
from api.cli.texts.messages import say, say_or

if TYPE_CHECKING:
    from api.client.client import Api
    from api.client.resources import Answer, ReindexAllAction
    from api.reindex_all.schemas import ReindexAllInfo, ReindexAllItemInfo


@click.group(name="all", help=say("help.reindex.all"))
def all_group() -> None:
    """Group of the commands on re-indexes of many knowledge bases."""


@all_group.command("start", help=say("help.reindex.all.start"))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--plan", is_flag=True, help=say("help.all_plan"))
@click.option("--limit", type=click.IntRange(1, 16), help=say("help.all_limit"))
@click.option("--go-on", is_flag=True, help=say("help.all_go_on"))
@click.option("--model", help=say("help.all_model"))
@click.option("--max-tokens", type=click.IntRange(32, 2048), help=say("help.max_tokens"))
@click.option("--overlap-tokens", type=click.IntRange(0, 512), help=say("help.overlap_tokens"))
@click.option("--parallelism", type=click.IntRange(1, 64), help=say("help.reindex_parallelism"))
@click.option("--throttle", type=click.FloatRange(0, 1, min_open=True), help=say("help.throttle"))
@click.option("--window", help=say("help.window"))
@click.option("--approve", is_flag=True, help=say("help.approval"))
@click.option("--questions", type=click.Choice(["recent"]), help=say("help.all_questions"))
@click.option("--soak", type=click.FloatRange(5, 30 * 86400), help=say("help.soak"))
@click.option("--watch", is_flag=True, help=say("help.watch"))
@talks_to_api
async def all_start(
    api: Api,
    out: Output,
    names: tuple[str, ...],
    max_tokens: int | None,
    overlap_tokens: int | None,
    watch: bool,
    **options: Any,
) -> None:
    """POST /reindex-all; a plan is waited for."""
    if (max_tokens is None) is not (overlap_tokens is None):
        raise click.UsageError(say("all.half_chunking"))
    chunking = None if max_tokens is None else {"max_tokens": max_tokens, "overlap_tokens": overlap_tokens}
    job = await api.reindex_all.start(
        knowledge_bases=list(names) or None,
        plan_only=options["plan"] or None,
        limit=options["limit"],
        go_on=options["go_on"] or None,
        embedding_model=options["model"],
        chunking=chunking,
        parallelism=options["parallelism"],
        throttle=options["throttle"],
        window=options["window"],
        approve=options["approve"] or None,
        questions=options["questions"],
        soak_seconds=options["soak"],
    )
    if watch or options["plan"]:
        await _watch(api, out, job.value.id)
        return
    out.document(job.json)
    total = (await api.reindex_all.get(job.value.id)).value.total
    out.text(say("asked.reindex.all.start", id=job.value.id, total=total))


@all_group.command("list", help=say("help.reindex.all.list"))
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help=say("help.limit"))
@talks_to_api
async def all_list(api: Api, out: Output, limit: int) -> None:
    """GET /reindex-all, the newest ones."""
    found = await api.reindex_all.page(limit)
    out.document({"items": [job.json for job in found]})
    rows = [] if out.json else [_line(out, job.value) for job in found]
    out.table_or_nothing(("id", "state", "done", "created"), rows)


@all_group.command("show", help=say("help.reindex.all.show"))
@click.argument("job")
@talks_to_api
async def all_show(api: Api, out: Output, job: str) -> None:
    """GET /reindex-all/{id}."""
    _show(out, await api.reindex_all.get(await _id(api, out, job)))


@all_group.command("watch", help=say("help.reindex.all.watch"))
@click.argument("job")
@talks_to_api
async def all_watch(api: Api, out: Output, job: str) -> None:
    """GET /reindex-all/{id}/events until it has ended; exit 1 unless all are ready."""
    await _watch(api, out, await _id(api, out, job))


async def _id(api: Api, out: Output, text: str) -> str:
    """The id of the job that the beginning of an id stands for, among the newest ones."""

    async def choices() -> AsyncIterator[Choice]:
        for job in await api.reindex_all.page(100):
            yield Choice(job.value.id)

    return await one_of(out, text, choices())


def _action(name: ReindexAllAction) -> None:
    @all_group.command(name, help=say(f"help.reindex.all.{name}"))
    @click.argument("job")
    @yes_option
    @talks_to_api
    async def act(api: Api, out: Output, job: str, yes: bool) -> None:
        job = await _id(api, out, job)
        if name == "cancel":
            out.confirm(say("confirm.reindex.all"), yes)
        answer = await api.reindex_all.control(job, name)
        out.document(answer.json)
        out.text(say(f"asked.reindex.all.{name}"))


for action in ("pause", "resume", "cancel"):
    _action(action)


async def _watch(api: Api, out: Output, id: str) -> None:
    shown: tuple[object, ...] = ()
    async for state in follow(api, at("reindex-all", id), {}):
        now = (state.get("state"), state.get("counts"))
        if now != shown and state.get("state") not in FINISHED:
            out.text(_summary(state))
            shown = now
    found = await api.reindex_all.get(id)
    _show(out, found)
    if found.value.state != "ready":
        sys.exit(1)


def _show(out: Output, found: Answer[ReindexAllInfo]) -> None:
    out.document(found.json)
    if not out.json:
        out.text(_summary(found.json))
        rows = [_row(out, item) for item in found.value.items or ()]
        out.table(("kb", "state", "progress", "plan", "gate", "reason"), rows)


def _summary(info: Mapping[str, Any]) -> str:
    state = say_or(f"state.{info['state']}", info["state"])
    return say("all.summary", done=info["done"], total=info["total"], state=state)


def _line(out: Output, info: ReindexAllInfo) -> tuple[object, ...]:
    return (info.id, _state(out, info.state), f"{info.done}/{info.total}", info.created_at.strftime("%Y-%m-%d %H:%M"))


def _row(out: Output, item: ReindexAllItemInfo) -> tuple[object, ...]:
    """Of the report; a person reads states in their language."""
    progress = "" if item.total is None else f"{item.stage or ''} {item.done}/{item.total}".strip()
    plan = say("all.plan", embedded=item.plan.embedded, seconds=round(item.plan.seconds)) if item.plan else ""
    answers = [measure for measure in item.gate.measures if measure.name == "answers"] if item.gate else []
    gate = say("all.gate", difference=f"{answers[0].difference:+.3f}") if answers else ""
    return (item.knowledge_base, _state(out, item.state), progress, plan, gate, item.reason)


def _state(out: Output, state: str) -> str:
    return say_or(f"state.{state}", state) if out.live else state
