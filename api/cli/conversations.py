"""`holdfast conversation`: lists, shows, renames, exports and deletes conversations."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.output import Output, at, talks_to_api, write_file
from api.cli.questions import print_sources
from api.cli.texts.messages import say

if TYPE_CHECKING:
    from api.client.client import Api


@click.group(name="conversation", help=say("help.conversation"))
def conversation_group() -> None:
    """Group of the commands on conversations."""


@conversation_group.command("list", help=say("help.conversation.list"))
@click.option("--kb", metavar="NAME", help=say("help.in_kb"))
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help=say("help.limit"))
@talks_to_api
async def conversation_list(api: Api, out: Output, kb: str | None, limit: int) -> None:
    """GET /conversations, the newest ones."""
    params: dict[str, Any] = {"limit": limit} | ({"kb": kb} if kb else {})
    page = await api.call("GET", "/conversations", params=params)
    out.document({"items": page["items"]})
    rows = [
        (
            info["id"],
            info["updated_at"][:16].replace("T", " "),
            info["knowledge_base"],
            info["questions"],
            info["title"],
        )
        for info in page["items"]
    ]
    out.table_or_nothing(("id", "time", "kb", "questions", "title"), rows)


@conversation_group.command("show", help=say("help.conversation.show"))
@click.argument("conversation_id")
@talks_to_api
async def conversation_show(api: Api, out: Output, conversation_id: str) -> None:
    """GET /conversations/{id}."""
    whole = await api.call("GET", at("conversations", conversation_id))
    out.document(whole)
    out.text(f"{whole['title']}  ({whole['knowledge_base']})\n")
    for turn in whole["turns"]:
        out.text(f"> {turn['question']}\n")
        out.text(f"{turn['answer'] or turn['reason'] or turn['state']}\n")
        print_sources(out, turn["citations"])
        out.text()


@conversation_group.command("rename", help=say("help.conversation.rename"))
@click.argument("conversation_id")
@click.argument("title")
@talks_to_api
async def conversation_rename(api: Api, out: Output, conversation_id: str, title: str) -> None:
    """PATCH /conversations/{id}."""
    info = await api.call("PATCH", at("conversations", conversation_id), json={"title": title})
    out.document(info)
    out.text(say("conversation.renamed", title=info["title"]))


@conversation_group.command("delete", help=say("help.conversation.delete"))
@click.argument("conversation_id")
@click.option("--yes", "-y", is_flag=True, help=say("help.yes"))
@talks_to_api
async def conversation_delete(api: Api, out: Output, conversation_id: str, yes: bool) -> None:
    """DELETE /conversations/{id}; asks for confirmation on a terminal."""
    if not yes and not out.json and sys.stdin.isatty():
        click.confirm(say("conversation.sure"), abort=True)
    await api.call("DELETE", at("conversations", conversation_id))
    out.document({"deleted": conversation_id})
    out.text(say("conversation.deleted"))


@conversation_group.command("export", help=say("help.conversation.export"))
@click.argument("conversation_id")
@click.option(
    "--format", "kind", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True,
    help=say("help.conversation.format"),
)  # fmt: skip
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help=say("help.output"))
@talks_to_api
async def conversation_export(api: Api, out: Output, conversation_id: str, kind: str, output: Path | None) -> None:
    """GET /conversations/{id}/export, to a file or to stdout; --json overrides --format."""
    kind = "json" if out.json else kind
    content = await api.content(f"{at('conversations', conversation_id)}/export", params={"format": kind})
    if output is None:
        click.echo(content.decode())
        return
    write_file(output, content)
    out.text(say("written", path=output))
