"""`holdfast ls`, `status`, `events`, `pause`, `rm` …: the documents of knowledge bases."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, get_args

import click

from activities.contracts.stages import INGEST_STAGES, DocumentState
from api.cli.names import Found, find, id_of, reference
from api.cli.output import (
    FINISHED,
    Output,
    describe,
    details,
    follow_document,
    kb_option,
    talks_to_api,
    yes_option,
)
from api.cli.texts.messages import say, say_or

if TYPE_CHECKING:
    from api.client.client import Api
    from api.client.resources import Answer, DocumentAction, Step
    from api.documents.schemas import DocumentInfo, DocumentJob

#: What a list is sorted by.
DocumentSort = Literal["created_at", "name", "updated_at", "bytes", "state"]

#: Names that a question about several documents shows.
SHOWN = 3

# --- documents -------------------------------------------------------------------------------------


@click.command("ls", help=say("help.ls"))
@kb_option
@click.option("--state", type=click.Choice(get_args(DocumentState)), help=say("help.state"))
@click.option("--batch", metavar="BATCH", help=say("help.of_batch"))
@click.option("--search", metavar="WORDS", help=say("help.ls.search"))
@click.option("--tag", help=say("help.ls.tag"))
@click.option("--source", metavar="SUBJECT", help=say("help.ls.source"))
@click.option("--sort", type=click.Choice(get_args(DocumentSort)), help=say("help.ls.sort"))
@click.option("--order", type=click.Choice(["asc", "desc"]), help=say("help.ls.order"))
@click.option("--limit", type=click.IntRange(1, 1000), help=say("help.ls.limit"))
@click.option("--cursor", help=say("help.ls.cursor"))
@talks_to_api
async def ls(
    api: Api, out: Output, kb: str, batch: str | None, limit: int | None, cursor: str | None, **chosen: Any
) -> None:
    """GET /knowledge-bases/{kb}/documents: all pages, or one with --limit or --cursor."""
    batch = await id_of(api, out, "batch", batch, kb) if batch else None
    more = None
    if limit is None and cursor is None:
        found = [document async for document in api.documents.all(kb, batch=batch, **chosen)]
    else:
        found, more = await api.documents.page(kb, batch=batch, limit=limit, cursor=cursor, **chosen)
    out.document({"items": [document.json for document in found], "next_cursor": more})
    rows = [] if out.json else [_row(document, out.live) for document in found]
    out.table_or_nothing(("id", "state", "name", "version", "chunks", "pages", "bytes", "details"), rows)
    if more and not out.json:
        click.echo(say("ls.more", cursor=more), err=True)


def _row(document: Answer[DocumentInfo], live: bool) -> tuple[object, ...]:
    """Of the table of documents; a person reads the state in their language."""
    info = document.value
    state = say_or(f"state.{info.state}", info.state) if live else info.state
    return (
        info.id,
        state,
        info.name,
        info.version,
        info.chunks,
        info.pages,
        info.bytes,
        details(document.json),
    )


@click.command("status", help=say("help.status"))
@reference("document")
@talks_to_api
async def status(api: Api, out: Output, document: str, kb: str | None) -> None:
    """GET /documents/{id}/status."""
    state = await api.documents.status(await id_of(api, out, "document", document, kb))
    out.document(state.json)
    out.text(describe(state.json))


@click.command("events", help=say("help.events"))
@reference("document")
@talks_to_api
async def events(api: Api, out: Output, document: str, kb: str | None) -> None:
    """GET /documents/{id}/events until the document is finished; exit 1 if it failed or was canceled."""
    state: dict[str, Any] = {}
    async for state in follow_document(api, await id_of(api, out, "document", document, kb), {}):
        out.line(state)
        out.text(describe(state))
    if state.get("state") in FINISHED - {"ready"}:
        sys.exit(1)


@click.command("rm", help=say("help.rm"))
@reference("document", many=True)
@yes_option
@talks_to_api
async def rm(api: Api, out: Output, document: tuple[str, ...], kb: str | None, yes: bool) -> None:
    """DELETE /documents/{id} of each; nothing is deleted before all are found and the deletion is confirmed."""
    found = {each.id: each for each in [await _to_delete(api, out, text, kb, yes) for text in document]}
    out.confirm(_question(list(found.values())), yes)
    jobs = []
    for each in found.values():
        job = await api.documents.delete(each.id)
        jobs.append(job.json or {"id": each.id})
        out.text(say("deleting", name=each.name))
    out.document({"items": jobs})


async def _to_delete(api: Api, out: Output, text: str, kb: str | None, yes: bool) -> Found:
    found = await find(api, out, "document", text, kb, certain=yes)
    if not found.is_known:
        await api.documents.get(found.id)  # says that there is none
    return found


def _question(found: list[Found]) -> str:
    knowledge_bases = ", ".join(sorted({each.knowledge_base for each in found}))
    if len(found) == 1:
        return say("rm.sure", name=found[0].name, kb=knowledge_bases)
    names = ", ".join([each.name for each in found[:SHOWN]] + ["…"] * (len(found) > SHOWN))
    return say("rm.sure_many", count=len(found), kb=knowledge_bases, names=names)


# --- control ---------------------------------------------------------------------------------------


@click.command("pause", help=say("help.pause"))
@reference("document")
@talks_to_api
async def pause(api: Api, out: Output, document: str, kb: str | None) -> None:
    """POST /documents/{id}/pause."""
    await _control(api, out, await id_of(api, out, "document", document, kb), "pause")


@click.command("resume", help=say("help.resume"))
@reference("document")
@talks_to_api
async def resume(api: Api, out: Output, document: str, kb: str | None) -> None:
    """POST /documents/{id}/resume."""
    await _control(api, out, await id_of(api, out, "document", document, kb), "resume")


@click.command("cancel", help=say("help.cancel"))
@reference("document")
@talks_to_api
async def cancel(api: Api, out: Output, document: str, kb: str | None) -> None:
    """POST /documents/{id}/cancel."""
    await _control(api, out, await id_of(api, out, "document", document, kb), "cancel")


@click.command("retry", help=say("help.retry"))
@reference("document")
@click.option("--from-step", type=click.Choice(INGEST_STAGES), help=say("help.from_step"))
@talks_to_api
async def retry(api: Api, out: Output, document: str, kb: str | None, from_step: Step | None) -> None:
    """POST /documents/{id}/retry."""
    id = await id_of(api, out, "document", document, kb)
    _asked(out, "retry", await api.documents.retry(id, from_step))


async def _control(api: Api, out: Output, document_id: str, action: DocumentAction) -> None:
    _asked(out, action, await api.documents.control(document_id, action))


def _asked(out: Output, action: str, job: Answer[DocumentJob]) -> None:
    out.document(job.json)
    if not out.json:
        out.text(say(f"asked.{action}", name=job.value.name))
