"""`holdfast batch`: documents added together, followed and controlled as a unit."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import click

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
    out.table_or_nothing(("id", "state", "name", "done", "failed", "eta", "reason"), rows)


def _row(batch: Answer[BatchInfo], live: bool) -> tuple[object, ...]:
    """Of the table of batches; a person reads state and time in their language."""
    info = batch.value
    return (
        info.id,
        say_or(f"state.{info.state}", info.state) if live else info.state,
        info.name,
        f"{info.done}/{info.total}",
        info.documents.get("failed", 0),
        time_left(batch.json) if live else batch.json["eta_seconds"],
        info.reason,
    )


@batch_group.command("show", help=say("help.batch.show"))
@click.argument("batch_id")
@talks_to_api
async def batch_show(api: Api, out: Output, batch_id: str) -> None:
    """GET /batches/{id}."""
    info = await api.batches.get(batch_id)
    out.document(info.json)
    for key, value in info.json.items():
        text = counted(value) if key == "documents" else ", ".join(value) if isinstance(value, list) else value
        out.text(f"{key}: {'' if text is None else text}")


@batch_group.command("watch", help=say("help.batch.watch"))
@click.argument("batch_id")
@talks_to_api
async def batch_watch(api: Api, out: Output, batch_id: str) -> None:
    """GET /batches/{id}/events until the batch is finished; exit 1 unless all documents are ready."""
    info: dict[str, Any] = {}
    with display(out) as shown:
        with shown.watch_batch() as show:
            async for info in follow(api, at("batches", batch_id), {}):
                out.line(info)
                show(info)
                if not out.live:
                    out.text(" · ".join(filter(None, (describe({"state": info["state"]}), describe_batch(info)))))
        if not out.json:
            async for document in failed_documents(api, info):
                shown.finished(document)
    if out.live:
        out.text(" · ".join(filter(None, (describe(info), describe_batch(info)))))
    elif reason_of(info):
        out.text(reason_of(info))
    if not all_ready(info):
        sys.exit(1)


@batch_group.command("pause", help=say("help.batch.pause"))
@click.argument("batch_id")
@talks_to_api
async def batch_pause(api: Api, out: Output, batch_id: str) -> None:
    """POST /batches/{id}/pause."""
    await _control(api, out, batch_id, "pause")


@batch_group.command("resume", help=say("help.batch.resume"))
@click.argument("batch_id")
@talks_to_api
async def batch_resume(api: Api, out: Output, batch_id: str) -> None:
    """POST /batches/{id}/resume."""
    await _control(api, out, batch_id, "resume")


@batch_group.command("cancel", help=say("help.batch.cancel"))
@click.argument("batch_id")
@talks_to_api
async def batch_cancel(api: Api, out: Output, batch_id: str) -> None:
    """POST /batches/{id}/cancel."""
    await _control(api, out, batch_id, "cancel")


@batch_group.command("retry-failed", help=say("help.batch.retry_failed"))
@click.argument("batch_id")
@talks_to_api
async def batch_retry_failed(api: Api, out: Output, batch_id: str) -> None:
    """POST /batches/{id}/retry-failed."""
    await _control(api, out, batch_id, "retry-failed")


@batch_group.command("set-parallelism", help=say("help.batch.set_parallelism"))
@click.argument("batch_id")
@click.argument("documents", type=click.IntRange(1, 64))
@talks_to_api
async def batch_set_parallelism(api: Api, out: Output, batch_id: str, documents: int) -> None:
    """POST /batches/{id}/set-parallelism."""
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
