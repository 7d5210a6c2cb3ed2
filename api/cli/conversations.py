"""`holdfast conversation`: lists, shows, renames, exports and deletes conversations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from api.cli.names import find, id_of
from api.cli.output import Output, talks_to_api, write_file, yes_option
from api.cli.questions import print_sources
from api.cli.texts.messages import say

if TYPE_CHECKING:
    from api.client.client import Api
    from api.conversations.schemas import ConversationInfo


@click.group(name="conversation", help=say("help.conversation"))
def conversation_group() -> None:
    """Group of the commands on conversations."""


@conversation_group.command("list", help=say("help.conversation.list"))
@click.option("--kb", metavar="NAME", help=say("help.in_kb"))
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help=say("help.limit"))
@talks_to_api
async def conversation_list(api: Api, out: Output, kb: str | None, limit: int) -> None:
    """GET /conversations, the newest ones."""
    found = await api.conversations.page(limit, kb or None)
    out.document({"items": [each.json for each in found]})
    rows = [] if out.json else [_row(each.value) for each in found]
    out.table_or_nothing(("id", "time", "kb", "questions", "title"), rows)


def _row(info: ConversationInfo) -> tuple[object, ...]:
    return info.id, f"{info.updated_at:%Y-%m-%d %H:%M}", info.knowledge_base, info.questions, info.title


@conversation_group.command("show", help=say("help.conversation.show"))
@click.argument("conversation")
@talks_to_api
async def conversation_show(api: Api, out: Output, conversation: str) -> None:
    """GET /conversations/{id}."""
    found = await api.conversations.get(await id_of(api, out, "conversation", conversation))
    if out.json:
        out.document(found.json)
        return
    shown = found.value
    out.text(f"{shown.title}  ({shown.knowledge_base})\n")
    for turn in shown.turns:
        out.text(f"> {turn.question}\n")
        out.text(f"{turn.answer or turn.reason or turn.state}\n")
        print_sources(out, msgspec.to_builtins(turn.citations))
        out.text()


@conversation_group.command("rename", help=say("help.conversation.rename"))
@click.argument("conversation")
@click.argument("title")
@talks_to_api
async def conversation_rename(api: Api, out: Output, conversation: str, title: str) -> None:
    """PATCH /conversations/{id}."""
    info = await api.conversations.rename(await id_of(api, out, "conversation", conversation), title)
    out.document(info.json)
    if not out.json:
        out.text(say("conversation.renamed", title=info.value.title))


@conversation_group.command("delete", help=say("help.conversation.delete"))
@click.argument("conversation")
@yes_option
@talks_to_api
async def conversation_delete(api: Api, out: Output, conversation: str, yes: bool) -> None:
    """DELETE /conversations/{id}."""
    id = (await find(api, out, "conversation", conversation, certain=yes)).id
    if not yes:
        shown = (await api.conversations.get(id)).value
        out.confirm(say("conversation.sure", title=shown.title, count=len(shown.turns)), yes)
    await api.conversations.delete(id)
    out.document({"deleted": id})
    out.text(say("conversation.deleted"))


@conversation_group.command("export", help=say("help.conversation.export"))
@click.argument("conversation")
@click.option(
    "--format", "kind", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True,
    help=say("help.conversation.format"),
)  # fmt: skip
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help=say("help.output"))
@talks_to_api
async def conversation_export(api: Api, out: Output, conversation: str, kind: str, output: Path | None) -> None:
    """GET /conversations/{id}/export, to a file or to stdout; --json overrides --format."""
    kind = "json" if out.json else kind
    content = await api.conversations.export(await id_of(api, out, "conversation", conversation), kind)
    if output is None:
        click.echo(content.decode())
        return
    write_file(output, content)
    out.text(say("written", path=output))
