"""`holdfast reindex`: a new index of a knowledge base beside the one in use."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from api.cli.gate import questions_of, show_gate
from api.cli.names import WHOLE_ID, find
from api.cli.output import FINISHED, Output, at, describe, follow, kb_option, reason_of, talks_to_api, yes_option
from api.cli.reindex_all import all_group
from api.cli.texts.messages import say, say_or

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.client.client import Api
    from api.client.resources import Answer, ReindexAction
    from api.reindexes.schemas import ReindexInfo

#: Actions that take something away.
DESTRUCTIVE = ("cancel", "finish", "rollback")


def chunking_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that a new index is built with."""
    for option in (
        click.option("--model", help=say("help.embedding_model")),
        click.option("--overlap-tokens", type=click.IntRange(0, 512), help=say("help.overlap_tokens")),
        click.option("--max-tokens", type=click.IntRange(32, 2048), help=say("help.max_tokens")),
    ):
        command = option(command)
    return command


@click.group(name="reindex", help=say("help.reindex"))
def reindex_group() -> None:
    """Group of the commands on re-indexes."""


reindex_group.add_command(all_group)


@reindex_group.command("plan", help=say("help.reindex.plan"))
@kb_option
@chunking_options
@talks_to_api
async def reindex_plan(
    api: Api,
    out: Output,
    kb: str,
    max_tokens: int | None,
    overlap_tokens: int | None,
    model: str | None,
) -> None:
    """POST /knowledge-bases/{kb}/reindex-plan, and wait for the plan."""
    chunking = await chunking_with(api, kb, max_tokens, overlap_tokens)
    info = await planned(api, out, kb, chunking=chunking, embedding_model=model)
    out.document(info)
    out.text(describe_plan(info["plan"]))


async def planned(api: Api, out: Output, kb: str, **settings: Any) -> dict[str, Any]:
    """The finished plan of a re-index; exits with 1 if there is none."""
    job = await api.reindexes.plan(kb, **settings)
    info = [state async for state in follow(api, at("reindexes", job.value.id), {})][-1]
    if info.get("state") != "ready":
        out.document(info)
        out.text(reason_of(info) or describe(info))
        sys.exit(1)
    return info


@reindex_group.command("start", help=say("help.reindex.start"))
@kb_option
@chunking_options
@click.option("--parallelism", type=click.IntRange(1, 64), help=say("help.reindex_parallelism"))
@click.option("--throttle", type=click.FloatRange(0, 1, min_open=True), help=say("help.throttle"))
@click.option("--window", help=say("help.window"))
@click.option("--approve", is_flag=True, help=say("help.approval"))
@click.option("--soak", type=click.FloatRange(5, 30 * 86400), help=say("help.soak"))
@click.option("--questions", metavar="FILE|recent", help=say("help.questions"))
@click.option("--gate-days", type=click.FloatRange(0, 90, min_open=True), help=say("help.gate_days"))
@click.option("--watch", is_flag=True, help=say("help.watch"))
@talks_to_api
async def reindex_start(
    api: Api,
    out: Output,
    kb: str,
    max_tokens: int | None,
    overlap_tokens: int | None,
    model: str | None,
    parallelism: int | None,
    throttle: float | None,
    window: str | None,
    approve: bool,
    soak: float | None,
    questions: str | None,
    gate_days: float | None,
    watch: bool,
) -> None:
    """POST /knowledge-bases/{kb}/reindex."""
    compared = questions_of(questions)
    job = await api.reindexes.start(
        kb,
        chunking=await chunking_with(api, kb, max_tokens, overlap_tokens),
        embedding_model=model,
        parallelism=parallelism,
        throttle=throttle,
        window=window,
        approve=approve or None,
        soak_seconds=soak,
        questions=compared,
        gate_seconds=gate_days and gate_days * 86400,
    )
    if watch:
        await _watch(api, out, job.value.id)
        return
    out.document(job.json)
    out.text(say("asked.reindex.start", id=job.value.id, kb=kb))


@reindex_group.command("list", help=say("help.reindex.list"))
@kb_option
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help=say("help.limit"))
@talks_to_api
async def reindex_list(api: Api, out: Output, kb: str, limit: int) -> None:
    """GET /knowledge-bases/{kb}/reindexes, the newest ones."""
    found = await api.reindexes.page(kb, limit)
    out.document({"items": [reindex.json for reindex in found]})
    rows = [] if out.json else [_row(reindex.value, out.live) for reindex in found]
    out.table_or_nothing(("id", "state", "stage", "done", "reason"), rows)


def _row(info: ReindexInfo, live: bool) -> tuple[object, ...]:
    """Of the table of re-indexes; a person reads state and stage in their language."""
    state = say_or(f"state.{info.state}", info.state) if live else info.state
    stage = say_or(f"stage.{info.stage}", info.stage) if live else info.stage
    return (info.id, state, stage, f"{info.done}/{'?' if info.total is None else info.total}", info.reason)


@reindex_group.command("show", help=say("help.reindex.show"))
@click.argument("job")
@talks_to_api
async def reindex_show(api: Api, out: Output, job: str) -> None:
    """GET /reindexes/{id}."""
    info = await _found(api, out, job)
    out.document(info.json)
    for key, value in info.json.items():
        if key != "gate":
            out.text(f"{key}: {'' if value is None else value}")
    if info.value.gate is not None:
        show_gate(out, info.value.gate)


@reindex_group.command("watch", help=say("help.reindex.watch"))
@click.argument("job")
@talks_to_api
async def reindex_watch(api: Api, out: Output, job: str) -> None:
    """GET /reindexes/{id}/events until the re-index has ended; exit 1 unless it is ready."""
    await _watch(api, out, (await _found(api, out, job)).value.id)


async def _watch(api: Api, out: Output, id: str) -> None:
    info: dict[str, Any] = {}
    async for info in follow(api, at("reindexes", id), {}):
        out.line(info)
        out.text(describe(info) + (f" · {reason_of(info)}" if reason_of(info) and not out.json else ""))
    if not out.json and (gate := (await api.reindexes.get(id)).value.gate) is not None:
        show_gate(out, gate)
    if info.get("state") in FINISHED and info["state"] != "ready":
        sys.exit(1)


def _action(name: ReindexAction) -> None:
    @reindex_group.command(name, help=say(f"help.reindex.{name}"))
    @click.argument("job")
    @yes_option
    @talks_to_api
    async def act(api: Api, out: Output, job: str, yes: bool) -> None:
        info = (await _found(api, out, job, certain=yes)).value
        if name in DESTRUCTIVE:
            total = "?" if info.total is None else info.total
            counts = {"done": info.done, "previous": info.previous, "generation": info.generation}
            out.confirm(say(f"reindex.sure.{name}", kb=info.knowledge_base, total=total, **counts), yes)
        answer = await api.reindexes.control(info.id, name)
        out.document(answer.json)
        out.text(say(f"asked.reindex.{name}"))


for action in ("pause", "resume", "cancel", "approve", "finish", "rollback"):
    _action(action)


@reindex_group.command("control", help=say("help.reindex.control"))
@click.argument("job")
@click.option("--parallelism", type=click.IntRange(1, 64), help=say("help.reindex_parallelism"))
@click.option("--throttle", type=click.FloatRange(0, 1, min_open=True), help=say("help.throttle"))
@click.option("--window", help=say("help.window"))
@talks_to_api
async def reindex_control(
    api: Api, out: Output, job: str, parallelism: int | None, throttle: float | None, window: str | None
) -> None:
    """POST /reindexes/{id}/control."""
    info = (await _found(api, out, job)).value
    settings = {"parallelism": parallelism, "throttle": throttle, "window": window}
    answer = await api.reindexes.control(info.id, "control", **settings)
    out.document(answer.json)
    out.text(say("asked.reindex.control"))


@reindex_group.command("override", help=say("help.reindex.override"))
@click.argument("job")
@click.option("--reason", required=True, help=say("help.override_reason"))
@talks_to_api
async def reindex_override(api: Api, out: Output, job: str, reason: str) -> None:
    """POST /reindexes/{id}/override."""
    info = (await _found(api, out, job)).value
    answer = await api.reindexes.control(info.id, "override", reason=reason)
    out.document(answer.json)
    out.text(say("asked.reindex.override"))


def describe_plan(plan: dict[str, Any]) -> str:
    """A plan as a sentence."""
    if not (plan["parsed_again"] or plan["cut_again"] or plan["embedded_again"]):
        return say("reindex.settings" if plan["settings_differ"] else "reindex.nothing", documents=plan["documents"])
    minutes, seconds = divmod(round(plan["seconds"]), 60)
    duration = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    return say("reindex.plan", **plan, megabytes=round(plan["bytes"] / 1e6, 1), duration=duration)


async def chunking_with(api: Api, kb: str, max_tokens: int | None, overlap_tokens: int | None) -> dict[str, int] | None:
    """The knowledge base's chunking with what is given; None if nothing is."""
    if max_tokens is None and overlap_tokens is None:
        return None
    now = (await api.knowledge_bases.get(kb)).value.chunking
    return {
        "max_tokens": now.max_tokens if max_tokens is None else max_tokens,
        "overlap_tokens": now.overlap_tokens if overlap_tokens is None else overlap_tokens,
    }


async def _found(api: Api, out: Output, job: str, *, certain: bool = False) -> Answer[ReindexInfo]:
    """A re-index by its id, or the newest one, but for plans, of the knowledge base with this name."""
    if WHOLE_ID.fullmatch(job):
        return await api.reindexes.get(job)
    found = await find(api, out, "reindex", job, certain=certain)
    if not found.is_known:
        raise click.UsageError(say("reindex.none", kb=job))
    return await api.reindexes.get(found.id)
