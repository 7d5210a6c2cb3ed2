"""`holdfast kb`, `ls`, `status`, `events`, `pause` …: knowledge bases and their documents."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from api.cli.output import (
    FINISHED,
    Output,
    at,
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
    from api.client.client import Api


# --- knowledge bases -------------------------------------------------------------------------------


@click.group(name="kb", help=say("help.kb"))
def kb_group() -> None:
    """Group of the commands on knowledge bases."""


@kb_group.command("create", help=say("help.kb.create"))
@click.argument("name")
@click.option("--title", help=say("help.title"))
@click.option("--description", help=say("help.description"))
@talks_to_api
async def kb_create(api: Api, out: Output, name: str, title: str | None, description: str | None) -> None:
    """POST /knowledge-bases."""
    fields = {"name": name, "title": title, "description": description}
    made = await api.call(
        "POST", "/knowledge-bases", json={key: value for key, value in fields.items() if value is not None}
    )
    out.document(made)
    out.text(say("kb.created", name=made["name"]))


@kb_group.command("list", help=say("help.kb.list"))
@talks_to_api
async def kb_list(api: Api, out: Output) -> None:
    """GET /knowledge-bases."""
    found = [item async for item in api.pages("/knowledge-bases")]
    out.document({"items": found})
    rows = [(kb["name"], kb.get("title"), _documents(kb)) for kb in found]
    out.table_or_nothing(("name", "title", "documents"), rows)


@kb_group.command("show", help=say("help.kb.show"))
@click.argument("name")
@talks_to_api
async def kb_show(api: Api, out: Output, name: str) -> None:
    """GET /knowledge-bases/{kb}."""
    kb = await api.call("GET", at("knowledge-bases", name))
    out.document(kb)
    for key, value in kb.items():
        out.text(f"{key}: {_documents(kb) if key == 'documents' else '' if value is None else value}")


@kb_group.command("delete", help=say("help.kb.delete"))
@click.argument("name")
@click.option("--yes", is_flag=True, help=say("help.yes"))
@talks_to_api
async def kb_delete(api: Api, out: Output, name: str, yes: bool) -> None:
    """DELETE /knowledge-bases/{kb}; asks for confirmation on a terminal."""
    if not yes and not out.json and sys.stdin.isatty():
        click.confirm(say("kb.sure", name=clean(name)), abort=True)
    answer = await api.call("DELETE", at("knowledge-bases", name))
    out.document(answer or {"name": name, "deleted": True})
    out.text(say("kb.deleted", name=name))


def _documents(kb: dict[str, Any]) -> str:
    """``3 ready, 1 failed``: a knowledge base's documents by state."""
    return counted(kb.get("documents") or {}) or "0"


# --- documents -------------------------------------------------------------------------------------


@click.command("ls", help=say("help.ls"))
@kb_option
@click.option("--state", help=say("help.state"))
@click.option("--batch", metavar="ID", help=say("help.of_batch"))
@talks_to_api
async def ls(api: Api, out: Output, kb: str, state: str | None, batch: str | None) -> None:
    """GET /knowledge-bases/{kb}/documents, all pages."""
    path = at("knowledge-bases", kb) + "/documents"
    only = {"state": state, "batch": batch}
    found = [item async for item in api.pages(path, **{key: value for key, value in only.items() if value})]
    out.document({"items": found})
    rows = [
        (
            doc["id"],
            say_or(f"state.{doc['state']}", doc["state"]) if out.live else doc["state"],
            doc["name"],
            doc["version"],
            doc.get("chunks"),
            doc.get("pages"),
            doc.get("bytes"),
            details(doc),
        )
        for doc in found
    ]
    out.table_or_nothing(("id", "state", "name", "version", "chunks", "pages", "bytes", "details"), rows)


@click.command("status", help=say("help.status"))
@click.argument("document_id")
@talks_to_api
async def status(api: Api, out: Output, document_id: str) -> None:
    """GET /documents/{id}/status."""
    state = await api.call("GET", at("documents", document_id) + "/status")
    out.document(state)
    out.text(describe(state))


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
    job = await api.call("DELETE", at("documents", document_id)) or {}
    out.document(job or {"id": document_id})
    state = str(job.get("state", ""))
    out.text(say("deleting", id=document_id, state=say_or(f"state.{state}", state)))


# --- control ---------------------------------------------------------------------------------------

STEPS = ("parse", "chunk", "embed", "index", "publish")


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
@click.option("--from-step", type=click.Choice(STEPS), help=say("help.from_step"))
@talks_to_api
async def retry(api: Api, out: Output, document_id: str, from_step: str | None) -> None:
    """POST /documents/{id}/retry."""
    await _control(api, out, document_id, "retry", json={"from_step": from_step} if from_step else {})


async def _control(api: Api, out: Output, document_id: str, action: str, **request: Any) -> None:
    job = await api.call("POST", f"{at('documents', document_id)}/{action}", **request)
    out.document(job)
    out.text(say(f"asked.{action}", name=job["name"]))
