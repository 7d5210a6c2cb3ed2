"""`holdfast batch`: documents added together, followed and controlled as a unit."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import click

from api.cli.names import find, id_of, reference
from api.cli.output import (
    FINISHED,
    Output,
    at,
    counted,
    describe,
    follow,
    kb_option,
    reason_of,
    talks_to_api,
    time_left,
    yes_option,
)
from api.cli.progress import describe_batch, display
from api.cli.texts.messages import say, say_or

if TYPE_CHECKING:
    from api.batches.schemas import BatchInfo
    from api.client.client import Api
    from api.client.resources import Answer, BatchAction


@click.group(name="batch", help=say("help.batch"))
def batch_group() -> None:
    """Group of the commands on batches."""


@batch_group.command("list", help=say("help.batch.list"))
@kb_option
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help=say("help.limit"))
@talks_to_api
async def batch_list(api: Api, out: Output, kb: str, limit: int) -> None:
    """GET /knowledge-bases/{kb}/batches, the newest ones."""
    found = await api.batches.page(kb, limit)
    out.document({"items": [batch.json for batch in found]})
    rows = [] if out.json else [_row(batch, out.live) for batch in found]
    out.table_or_nothing(("id", "state", "name", "done", "eta", "reason"), rows)


def _row(batch: Answer[BatchInfo], live: bool) -> tuple[object, ...]:
    """Of the table of batches; a person reads state and time in their language."""
    info = batch.value
    return (
        info.id,
        describe_state(batch.json) if live else _state_in_a_pipe(batch.json),
        info.name,
        f"{info.done}/{info.total}",
        time_left(batch.json) if live else batch.json["eta_seconds"],
        info.reason,
    )


def describe_state(info: dict[str, Any]) -> str:
    """``ready, 3 failed``: the state of a batch with what went wrong in it, as a person reads it."""
    return ", ".join(filter(None, (say_or(f"state.{info['state']}", info["state"]), counted(_wrong(info)))))


def _state_in_a_pipe(info: dict[str, Any]) -> str:
    return ", ".join([info["state"], *(f"{count} {state}" for state, count in _wrong(info).items())])


def _wrong(info: dict[str, Any]) -> dict[str, int]:
    """How many documents failed or were canceled."""
    documents = info.get("documents") or {}
    return {state: documents[state] for state in ("failed", "canceled") if documents.get(state, 0) > 0}


def _describe(info: dict[str, Any]) -> str:
    """One line about a batch that is watched."""
    state = describe_state(info) if info["state"] in FINISHED else describe({"state": info["state"]})
    return " · ".join(filter(None, (state, describe_batch(info))))


@batch_group.command("show", help=say("help.batch.show"))
@reference("batch")
@talks_to_api
async def batch_show(api: Api, out: Output, batch: str, kb: str | None) -> None:
    """GET /batches/{id}."""
    info = await api.batches.get(await id_of(api, out, "batch", batch, kb))
    out.document(info.json)
    shown = info.json | {
        "state": describe_state(info.json) if out.live else _state_in_a_pipe(info.json),
        "documents": counted(info.json["documents"]),
        "skipped": ", ".join(info.json["skipped"]),
    }
    for key, value in shown.items():
        out.text(f"{key}: {'' if value is None else value}")


@batch_group.command("watch", help=say("help.batch.watch"))
@reference("batch")
@talks_to_api
async def batch_watch(api: Api, out: Output, batch: str, kb: str | None) -> None:
    """GET /batches/{id}/events until the batch is finished; exit 1 unless all documents are ready."""
    batch_id = await id_of(api, out, "batch", batch, kb)
    info: dict[str, Any] = {}
    with display(out) as shown:
        with shown.watch_batch() as show:
            async for info in follow(api, at("batches", batch_id), {}):
                out.line(info)
                show(info)
                if not out.live:
                    out.text(_describe(info))
        if not out.json:
            async for document in failed_documents(api, info):
                shown.finished(document)
    if out.live:
        out.text(" · ".join(filter(None, (_describe(info), reason_of(info)))))
    elif reason_of(info):
        out.text(reason_of(info))
    if not all_ready(info):
        sys.exit(1)


@batch_group.command("pause", help=say("help.batch.pause"))
@reference("batch")
@talks_to_api
async def batch_pause(api: Api, out: Output, batch: str, kb: str | None) -> None:
    """POST /batches/{id}/pause."""
    await _control(api, out, await id_of(api, out, "batch", batch, kb), "pause")


@batch_group.command("resume", help=say("help.batch.resume"))
@reference("batch")
@talks_to_api
async def batch_resume(api: Api, out: Output, batch: str, kb: str | None) -> None:
    """POST /batches/{id}/resume."""
    await _control(api, out, await id_of(api, out, "batch", batch, kb), "resume")


@batch_group.command("cancel", help=say("help.batch.cancel"))
@reference("batch")
@yes_option
@talks_to_api
async def batch_cancel(api: Api, out: Output, batch: str, kb: str | None, yes: bool) -> None:
    """POST /batches/{id}/cancel."""
    id = (await find(api, out, "batch", batch, kb, certain=yes)).id
    if not yes:
        info = (await api.batches.get(id)).value
        counts = {"count": info.total - info.done, "total": info.total}
        out.confirm(say("batch.sure", name=info.name or id, kb=info.knowledge_base, **counts), yes)
    await _control(api, out, id, "cancel")


@batch_group.command("retry-failed", help=say("help.batch.retry_failed"))
@reference("batch")
@talks_to_api
async def batch_retry_failed(api: Api, out: Output, batch: str, kb: str | None) -> None:
    """POST /batches/{id}/retry-failed."""
    await _control(api, out, await id_of(api, out, "batch", batch, kb), "retry-failed")


@batch_group.command("set-parallelism", help=say("help.batch.set_parallelism"))
@reference("batch")
@click.argument("documents", type=click.IntRange(1, 64))
@talks_to_api
async def batch_set_parallelism(api: Api, out: Output, batch: str, kb: str | None, documents: int) -> None:
    """POST /batches/{id}/set-parallelism."""
    batch_id = await id_of(api, out, "batch", batch, kb)
    job = await api.batches.set_parallelism(batch_id, documents)
    out.document(job.json)
    out.text(say("asked.batch.set-parallelism", id=batch_id, parallelism=documents))


async def _control(api: Api, out: Output, batch_id: str, action: BatchAction) -> None:
    job = await api.batches.control(batch_id, action)
    out.document(job.json)
    out.text(say(f"asked.batch.{action}", id=batch_id))


def all_ready(info: dict[str, Any]) -> bool:
    """Whether a batch is finished without failed or canceled documents."""
    documents = info.get("documents") or {}
    return info.get("state") == "ready" and not documents.get("failed") and not documents.get("canceled")


async def failed_documents(api: Api, info: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """The failed documents of a finished batch, read page by page."""
    if info.get("state") in FINISHED and (info.get("documents") or {}).get("failed"):
        found = api.documents.all(info["knowledge_base"], batch=info["id"], state="failed", limit=1000)
        async for document in found:
            yield document.json
