"""`holdfast ask` and `holdfast search`."""

# ruff: noqa: PLC0415 - commands import slow modules themselves

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from api.cli.names import id_of
from api.cli.output import Output, clean, kb_option, talks_to_api
from api.cli.texts.messages import say

if TYPE_CHECKING:
    from rich.live import Live

    from activities.contracts.answers import AnswerMode
    from activities.contracts.search import SearchMode
    from api.client.client import Api, Event


class Pages(click.ParamType[dict[str, int]]):
    """A range of pages: ``3``, ``3-5``, ``3-`` or ``-5``."""

    name = "pages"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, int]:
        """The range as ``{"from": …, "to": …}``."""
        if isinstance(value, dict):
            return value
        found = re.fullmatch(r"(\d*+)(-?+)(\d*+)", value)
        if not found or not (found[1] or found[3]):
            self.fail(say("no-pages", value=value), param, ctx)
        last = found[3] if found[2] else found[1]
        return {key: int(page) for key, page in (("from", found[1]), ("to", last)) if page}


Command = Callable[..., Any]


def filter_options(command: Command) -> Command:
    """Add the options of a search filter; ``filter_of`` converts their values for the API."""
    for option in reversed(
        [
            click.option("--name", metavar="PATTERN", help=say("help.filter_name")),
            click.option("--tag", "tags", multiple=True, help=say("help.filter_tag")),
            click.option("--pages", type=Pages(), help=say("help.filter_pages")),
            click.option("--since", metavar="DATE", help=say("help.filter_since")),
            click.option("--until", metavar="DATE", help=say("help.filter_until")),
        ]
    ):
        command = option(command)
    return command


def filter_of(
    name: str | None, tags: tuple[str, ...], pages: dict[str, int] | None, since: str | None, until: str | None
) -> dict[str, Any] | None:
    """``{"filter": …}``; empty without any filter option."""
    uploaded = {key: moment for key, moment in (("since", since), ("until", until)) if moment}
    fields = {"name": name, "tags": list(tags), "pages": pages, "uploaded": uploaded}
    return {key: value for key, value in fields.items() if value} or None


@click.command("ask", help=say("help.ask"))
@click.argument("question")
@click.option("--kb", metavar="NAME", help=say("help.in_kb"))
@click.option("--conversation", metavar="ID", help=say("help.ask_conversation"))
@click.option("--mode", type=click.Choice(["extractive", "generative"]), help=say("help.mode"))
@click.option("--stream/--no-stream", default=True, help=say("help.stream"))
@talks_to_api
async def ask(
    api: Api,
    out: Output,
    question: str,
    kb: str | None,
    conversation: str | None,
    mode: AnswerMode | None,
    stream: bool,
) -> None:
    """POST /knowledge-bases/{kb}/questions, then its events; exit 1 if there is no answer."""
    if kb is None and conversation is None:
        raise click.UsageError(say("kb-or-conversation"))
    if conversation:
        conversation = await id_of(api, out, "conversation", conversation)
    if kb is None:
        kb = (await api.conversations.get(str(conversation))).value.knowledge_base
    asked = (await api.questions.ask(kb, question, mode=mode, conversation_id=conversation or None)).value
    answer = Answer(out, stream)
    with answer.shown():
        async with aclosing(api.questions.events(asked.id)) as events:
            async for event in events:
                answer.take(event)
                if event.name in ("done", "error"):
                    break
    if not answer.finish():
        sys.exit(1)
    if out.live:
        command = f"holdfast ask --conversation {asked.conversation_id} …"
        out.text(f"\n{say('go-on', command=command)}")


class Answer:
    """Shows an answer as its events arrive, and prints it when it is complete.

    Streamed text is provisional: `reset` discards it, and `done` holds the answer that was checked against its sources.
    A terminal shows the streamed text dimmed until the answer replaces it; a pipe gets the final answer only.
    """

    def __init__(self, out: Output, stream: bool) -> None:
        self._out, self._stream = out, stream
        self._coming = ""
        self._live: Live | None = None
        self._done: dict[str, Any] | None = None
        self._error: dict[str, Any] | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Context in which a terminal shows the streamed text."""
        if not (self._stream and self._out.live):
            yield
            return
        from rich.live import Live

        with Live(transient=True) as self._live:
            yield

    def take(self, event: Event) -> None:
        """Handle one event."""
        if self._stream:
            self._out.line({"event": event.name, "id": event.id, "data": event.data})
        match event.name:
            case "state":
                self._tell(event.data.get("waiting_for"))
            case "delta":
                self._show(self._coming + event.data["text"])
            case "reset":
                self._show("")
            case "done":
                self._done = event.data
            case "error":
                self._error = event.data

    def finish(self) -> bool:
        """Print the answer with its sources, or the error; False if there is no answer."""
        if self._done is None:
            error = self._error or {"code": "interrupted", "message": "?"}
            if not self._stream:
                self._out.document({"error": error})
            self._out.text()
            click.echo(say("question-failed", message=error.get("message") or error.get("code")), err=True)
            return False
        if not self._stream:
            self._out.document(self._done)
        self._out.text(f"{self._done['answer']}\n")
        print_sources(self._out, self._done.get("citations") or [])
        return True

    def _tell(self, dependency: str | None) -> None:
        """Say what the question waits for; a terminal until it goes on."""
        text = say("waiting_for", dependency=dependency) if dependency else ""
        if self._live is not None:
            self._live.update(text)
        elif text and not self._out.json:
            click.echo(text, err=True)

    def _show(self, coming: str) -> None:
        self._coming = coming
        if self._live is not None:
            from rich.text import Text

            console = self._live.console
            lines = Text(clean(coming), style="dim").wrap(console, console.width)
            self._live.update(Text("\n").join(lines[-(console.height - 1) :]))  # the last lines that fit


def print_sources(out: Output, citations: list[dict[str, Any]]) -> None:
    """Print the document, page and section of each citation."""
    if not citations:
        return
    out.text(say("sources"))
    for citation in citations:
        where = _where(citation["document_name"], citation.get("page"), citation.get("section"))
        out.text(f"  [{citation['n']}] {where}")
        if citation.get("quote"):
            out.text(f"      “{_one_line(citation['quote'])}”")


@click.command("search", help=say("help.search"))
@click.argument("query")
@kb_option
@click.option("--mode", type=click.Choice(["hybrid", "dense", "keyword"]), help=say("help.search_mode"))
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True, help=say("help.limit"))
@filter_options
@talks_to_api
async def search(
    api: Api, out: Output, query: str, kb: str, mode: SearchMode | None, limit: int, **narrowed: Any
) -> None:
    """POST /knowledge-bases/{kb}/search."""
    answer = await api.questions.search(kb, query, limit=limit, mode=mode, filter=filter_of(**narrowed))
    if out.json:
        out.document(answer.json)
        return
    found = answer.value
    for number, hit in enumerate(found.hits, start=1):
        more = say("and-others", count=hit.duplicates) if hit.duplicates else ""
        where = _where(hit.document_name, hit.page, hit.section)
        out.text(f"{number}. {where}  ({say('col.score')} {hit.score:.3f}){more}")
        out.text(f"   {_one_line(hit.text)}\n")
    if not found.hits:
        out.text(say("no-hits"))
    if found.index.pending:
        out.text(say("index-building", pending=found.index.pending))


def _where(document_name: str, page: int | None, section: str | None) -> str:
    """``handbook.pdf · page 3 · Leave › Notice``."""
    return " · ".join(filter(None, (document_name, say("page", page=page) if page is not None else "", section)))


def _one_line(text: str) -> str:
    return " ".join(text.split())
