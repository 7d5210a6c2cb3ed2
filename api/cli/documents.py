"""`holdfast kb`, `ls`, `status`, `events`, `pause` …: knowledge bases and their documents."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from activities.contracts.stages import INGEST_STAGES
from api.cli.output import (
    FINISHED,
    Output,
    clean,
    counted,
    describe,
    details,
    follow_document,
    kb_option,
    talks_to_api,
)
from api.cli.texts.messages import say, say_or

if TYPE_CHECKING:
    from activities.contracts.stages import DocumentState
    from api.client.client import Api
    from api.client.resources import Answer, DocumentAction, Step
    from api.documents.schemas import DocumentInfo, DocumentJob


# --- knowledge bases -------------------------------------------------------------------------------


@click.group(name="kb", help=say("help.kb"))
def kb_group() -> None:
    """Group of the commands on knowledge bases."""


@kb_group.command("create", help=say("help.kb.create"))
@click.argument("name")
@click.option("--title", help=say("help.title"))
@click.option("--description", help=say("help.description"))
@click.option("--model", help=say("help.embedding_model"))
@talks_to_api
async def kb_create(
    api: Api, out: Output, name: str, title: str | None, description: str | None, model: str | None
) -> None:
    """POST /knowledge-bases."""
    made = await api.knowledge_bases.create(name, title, description, model)
    out.document(made.json)
    out.text(say("kb.created", name=name))


@kb_group.command("list", help=say("help.kb.list"))
@talks_to_api
async def kb_list(api: Api, out: Output) -> None:
    """GET /knowledge-bases."""
    found = [kb async for kb in api.knowledge_bases.all()]
    out.document({"items": [kb.json for kb in found]})
    rows = [] if out.json else [(kb.value.name, kb.value.title, _documents(kb.value.documents)) for kb in found]
    out.table_or_nothing(("name", "title", "documents"), rows)


@kb_group.command("show", help=say("help.kb.show"))
@click.argument("name")
@talks_to_api
async def kb_show(api: Api, out: Output, name: str) -> None:
    """GET /knowledge-bases/{kb}."""
    kb = await api.knowledge_bases.get(name)
    out.document(kb.json)
    for key, value in kb.json.items():
        out.text(f"{key}: {_documents(value) if key == 'documents' else '' if value is None else value}")


@kb_group.command("delete", help=say("help.kb.delete"))
@click.argument("name")
@click.option("--yes", is_flag=True, help=say("help.yes"))
@talks_to_api
async def kb_delete(api: Api, out: Output, name: str, yes: bool) -> None:
    """DELETE /knowledge-bases/{kb}; asks for confirmation on a terminal."""
    if not yes and not out.json and sys.stdin.isatty():
        click.confirm(say("kb.sure", name=clean(name)), abort=True)
    answer = await api.knowledge_bases.delete(name)
    out.document(answer.json or {"name": name, "deleted": True})
    out.text(say("kb.deleted", name=name))


def _documents(counts: dict[str, int]) -> str:
    """``3 ready, 1 failed``: a knowledge base's documents by state."""
    return counted(counts) or "0"


# --- documents -------------------------------------------------------------------------------------


@click.command("ls", help=say("help.ls"))
@kb_option
@click.option("--state", help=say("help.state"))
@click.option("--batch", metavar="ID", help=say("help.of_batch"))
@talks_to_api
async def ls(api: Api, out: Output, kb: str, state: DocumentState | None, batch: str | None) -> None:
    """GET /knowledge-bases/{kb}/documents, all pages."""
    found = [document async for document in api.documents.all(kb, state=state or None, batch=batch or None)]
    out.document({"items": [document.json for document in found]})
    rows = [] if out.json else [_row(document, out.live) for document in found]
    out.table_or_nothing(("id", "state", "name", "version", "chunks", "pages", "bytes", "details"), rows)


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
@click.argument("document_id")
@talks_to_api
async def status(api: Api, out: Output, document_id: str) -> None:
    """GET /documents/{id}/status."""
    state = await api.documents.status(document_id)
    out.document(state.json)
    out.text(describe(state.json))


@click.command("events", help=say("help.events"))
@click.argument("document_id")
@talks_to_api
async def events(api: Api, out: Output, document_id: str) -> None:
    """GET /documents/{id}/events until the document is finished; exit 1 if it failed or was canceled."""
    state: dict[str, Any] = {}
    async for state in follow_document(api, document_id, {}):
        out.line(state)
        out.text(describe(state))
    if state.get("state") in FINISHED - {"ready"}:
        sys.exit(1)


@click.command("rm", help=say("help.rm"))
@click.argument("document_id")
@talks_to_api
async def rm(api: Api, out: Output, document_id: str) -> None:
    """DELETE /documents/{id}."""
    job = await api.documents.delete(document_id)
    out.document(job.json or {"id": document_id})
    if not out.json:
        state = job.value.state if job.json else ""
        out.text(say("deleting", id=document_id, state=say_or(f"state.{state}", state)))


# --- control ---------------------------------------------------------------------------------------


@click.command("pause", help=say("help.pause"))
@click.argument("document_id")
@talks_to_api
async def pause(api: Api, out: Output, document_id: str) -> None:
    """POST /documents/{id}/pause."""
    await _control(api, out, document_id, "pause")


@click.command("resume", help=say("help.resume"))
@click.argument("document_id")
@talks_to_api
async def resume(api: Api, out: Output, document_id: str) -> None:
    """POST /documents/{id}/resume."""
    await _control(api, out, document_id, "resume")


@click.command("cancel", help=say("help.cancel"))
@click.argument("document_id")
@talks_to_api
async def cancel(api: Api, out: Output, document_id: str) -> None:
    """POST /documents/{id}/cancel."""
    await _control(api, out, document_id, "cancel")


@click.command("retry", help=say("help.retry"))
@click.argument("document_id")
@click.option("--from-step", type=click.Choice(INGEST_STAGES), help=say("help.from_step"))
@talks_to_api
async def retry(api: Api, out: Output, document_id: str, from_step: Step | None) -> None:
    """POST /documents/{id}/retry."""
    _asked(out, "retry", await api.documents.retry(document_id, from_step))


async def _control(api: Api, out: Output, document_id: str, action: DocumentAction) -> None:
    _asked(out, action, await api.documents.control(document_id, action))


def _asked(out: Output, action: str, job: Answer[DocumentJob]) -> None:
    out.document(job.json)
    if not out.json:
        out.text(say(f"asked.{action}", name=job.value.name))
