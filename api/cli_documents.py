"""`holdfast kb`, `ls`, `status`, `events`, `rm`: knowledge bases and the documents in them."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from api.cli_output import FINISHED, Output, clean, describe, follow, kb_option, reason_of, talks_to_api
from api.cli_texts import say, say_or

if TYPE_CHECKING:
    from api.client import Api


def _at(kind: str, name: str) -> str:
    from api.client import segment

    return f"/{kind}/{segment(name)}"


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
    _table_or_nothing(out, ("name", "title", "documents"), rows)


@kb_group.command("show", help=say("help.kb.show"))
@click.argument("name")
@talks_to_api
async def kb_show(api: Api, out: Output, name: str) -> None:
    """GET /knowledge-bases/{kb}."""
    kb = await api.call("GET", _at("knowledge-bases", name))
    out.document(kb)
    for key, value in kb.items():
        out.text(f"{key}: {_documents(kb) if key == 'documents' else '' if value is None else value}")


@kb_group.command("delete", help=say("help.kb.delete"))
@click.argument("name")
@click.option("--yes", is_flag=True, help=say("help.yes"))
@talks_to_api
async def kb_delete(api: Api, out: Output, name: str, yes: bool) -> None:
    """DELETE /knowledge-bases/{kb}; asks first if a person is there to answer."""
    if not yes and not out.json and sys.stdin.isatty():
        click.confirm(say("kb.sure", name=clean(name)), abort=True)
    answer = await api.call("DELETE", _at("knowledge-bases", name))
    out.document(answer or {"name": name, "deleted": True})
    out.text(say("kb.deleted", name=name))


def _documents(kb: dict[str, Any]) -> str:
    """``3 ready, 1 failed``: a knowledge base's documents by state."""
    counts = kb.get("documents") or {}
    states = [(state, count) for state, count in counts.items() if state != "total" and count]
    return ", ".join(f"{count} {say_or(f'state.{state}', state)}" for state, count in states) or "0"


# --- documents -------------------------------------------------------------------------------------


@click.command("ls", help=say("help.ls"))
@kb_option
@click.option("--state", help=say("help.state"))
@talks_to_api
async def ls(api: Api, out: Output, kb: str, state: str | None) -> None:
    """GET /knowledge-bases/{kb}/documents, all pages."""
    path = _at("knowledge-bases", kb) + "/documents"
    found = [item async for item in api.pages(path, **({"state": state} if state else {}))]
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
            reason_of(doc),
        )
        for doc in found
    ]
    _table_or_nothing(out, ("id", "state", "name", "version", "chunks", "pages", "bytes", "reason"), rows)


def _table_or_nothing(out: Output, columns: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
    if rows or not out.live:
        out.table(columns, rows)
    else:
        out.text(say("nothing"))


@click.command("status", help=say("help.status"))
@click.argument("document_id")
@talks_to_api
async def status(api: Api, out: Output, document_id: str) -> None:
    """GET /documents/{id}/status."""
    state = await api.call("GET", _at("documents", document_id) + "/status")
    out.document(state)
    out.text(describe(state))


@click.command("events", help=say("help.events"))
@click.argument("document_id")
@talks_to_api
async def events(api: Api, out: Output, document_id: str) -> None:
    """GET /documents/{id}/events until the document is finished; exit 1 if it is not ready then."""
    state: dict[str, Any] = {}
    async for state in follow(api, document_id, {}):
        out.line(state)
        out.text(describe(state))
    if state.get("state") in FINISHED - {"ready"}:
        sys.exit(1)


@click.command("rm", help=say("help.rm"))
@click.argument("document_id")
@talks_to_api
async def rm(api: Api, out: Output, document_id: str) -> None:
    """DELETE /documents/{id}."""
    job = await api.call("DELETE", _at("documents", document_id)) or {}
    out.document(job or {"id": document_id})
    state = str(job.get("state", ""))
    out.text(say("deleting", id=document_id, state=say_or(f"state.{state}", state)))
