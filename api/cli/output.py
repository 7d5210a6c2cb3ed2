"""Output of commands: text for terminals, plain lines for pipes, JSON for programs; errors in one sentence."""

# ruff: noqa: PLC0415 - commands import slow modules themselves

from __future__ import annotations

import asyncio
import functools
import json
import sys
import unicodedata
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from api.cli.texts.messages import language, say, say_or, text_of
from api.client.problems import Problem

if TYPE_CHECKING:
    from api.client.client import Api

FINISHED = frozenset({"ready", "failed", "canceled"})
STATES = ("ready", "running", "waiting", "paused", "queued", "failed", "canceled")
UNAUTHORIZED = 401
json_option = click.option("--json", "as_json", is_flag=True, help=say("help.json"))
yes_option = click.option("--yes", "-y", is_flag=True, help=say("help.yes"))
kb_option = click.option("--kb", required=True, metavar="NAME", help=say("help.in_kb"))


class Output:
    """The output of one command, as text or as JSON."""

    def __init__(self, as_json: bool = False) -> None:
        self.json = as_json
        self.live = not as_json and sys.stdout.isatty()
        """Whether stdout is a terminal, which shows bars and colours."""

    def text(self, text: str = "", *, newline: bool = True) -> None:
        """Print text (nothing under --json)."""
        if not self.json:
            click.echo(clean(text), nl=newline)

    def document(self, value: Any) -> None:
        """Print the one JSON document of a command (nothing without --json)."""
        if self.json:
            click.echo(json.dumps(value, ensure_ascii=False, indent=2))

    def line(self, value: Any) -> None:
        """Print one line of JSON, for streamed results (nothing without --json)."""
        if self.json:
            click.echo(json.dumps(value, ensure_ascii=False))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]], whole: Sequence[str] = ("id",)) -> None:
        """Print a table; in a pipe, one tab-separated line per row without a heading (nothing under --json).

        A terminal shows the columns ``whole`` as they are, and the others as it has room for them.
        """
        cells = [["" if cell is None else clean(str(cell)) for cell in row] for row in rows]
        if self.json:
            return
        if not self.live:
            for row in cells:
                click.echo("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))
            return
        from api.cli.tables import print_table

        print_table(columns, cells, whole)

    def table_or_nothing(
        self, columns: Sequence[str], rows: Sequence[Sequence[object]], whole: Sequence[str] = ("id",)
    ) -> None:
        """Print a table; on a terminal, a sentence if it is empty."""
        if rows or not self.live:
            self.table(columns, rows, whole)
        else:
            self.text(say("nothing"))

    @contextmanager
    def problems(self) -> Iterator[None]:
        """Convert expected errors to one sentence on stderr (with --json also JSON on stdout) and exit code 1."""
        from activities.errors import HoldfastError
        from api.client.client import ApiError

        try:
            yield
        except Problem as exc:
            self.fail(exc.code, text_of(exc))
        except ApiError as exc:
            self.fail(exc.code, f"{exc} {say('login.hint')}" if exc.status == UNAUTHORIZED else str(exc))
        except HoldfastError as exc:
            self.fail(exc.code, exc.reason.render(language()))

    def fail(self, code: str, detail: str, status: int = 1, **more: object) -> NoReturn:
        """Print the error (``more`` under --json) and exit: with 1 for a failure, with 2 for wrong usage."""
        self.document({"error": {"code": code, "detail": detail, **more}})
        click.echo(clean(detail), err=True)
        sys.exit(status)

    def confirm(self, question: str, yes: bool) -> None:
        """Ask before something is taken away; without a terminal to ask on, exit with 2 unless ``yes``."""
        if yes:
            return
        if self.json or not sys.stdin.isatty():
            self.fail("needs-yes", say("needs-yes", question=question), 2)
        click.confirm(clean(question), abort=True, err=True)


def talks_to_api(function: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Make a command of ``async def f(api, out, **options)``: adds --json, the connection and error handling."""

    @json_option
    @functools.wraps(function)
    def command(*, as_json: bool, **options: Any) -> None:
        out = Output(as_json)
        runs_with_api(out, lambda api: function(api, out, **options))

    return command


def runs_with_api(out: Output, act: Callable[[Api], Awaitable[None]]) -> None:
    """Run ``act`` with a connection to the API, and handle errors."""
    with out.problems():
        from activities.settings import load
        from api.client.client import Api, Target

        async def talk() -> None:
            async with Api(Target.of(load()), language()) as api:
                await act(api)

        asyncio.run(talk())


def write_file(path: Path, content: bytes) -> None:
    """Write ``content`` to a file. Raises Problem."""
    try:
        path.write_bytes(content)
    except OSError as exc:
        raise Problem("unwritable", path=path, detail=exc.strerror or exc) from exc


def clean(text: str) -> str:
    """Text without control characters, with which a document's name could control the terminal."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")


def reason_of(state: dict[str, Any]) -> str:
    """Why a job failed or waits, as a sentence."""
    reason = state.get("reason") or ""
    if isinstance(reason, dict):
        reason = reason.get("detail") or reason.get("message") or reason.get("code") or ""
    return str(reason)


def stage_of(state: dict[str, Any]) -> str:
    """The stage of a running job, ``embedding 3/5, 120/400``; empty if it has none."""
    if not state.get("stage"):
        return ""
    text = say_or(f"stage.{state['stage']}", state["stage"])
    if state.get("stage_count"):
        text += f" {state.get('stage_number') or 1}/{state['stage_count']}"
    if state.get("total"):
        text += f", {state.get('done') or 0}/{state['total']}"
    return text


def describe(state: dict[str, Any]) -> str:
    """A job's state in one line."""
    name = str(state.get("state", "?"))
    return " · ".join(filter(None, (say_or(f"state.{name}", name), details(state))))


def details(state: dict[str, Any]) -> str:
    """The progress of an unfinished job, and the reason why it waits or failed."""
    parts = []
    if state.get("state") not in FINISHED:
        parts.append(stage_of(state))
        if state.get("waiting_for"):
            parts.append(say("waiting_for", dependency=state["waiting_for"]))
        if (state.get("attempt") or 1) > 1:
            parts.append(say("attempt", attempt=state["attempt"]))
        parts.append(time_left(state))
    parts.append(reason_of(state))
    if state.get("state") == "ready":
        parts += [remark["text"] for remark in state.get("remarks", ())]
    return " · ".join(filter(None, parts))


def time_left(state: dict[str, Any]) -> str:
    """The estimated time left; empty if there is no estimate."""
    seconds = float(state.get("eta_seconds") or 0)
    if seconds < 90:
        return say("eta", seconds=seconds) if seconds else ""
    return say("eta_minutes", minutes=seconds / 60) if seconds < 5400 else say("eta_hours", hours=seconds / 3600)


async def follow(
    api: Api, job: str, state: dict[str, Any], look: str | None = None
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the states of a job until it is finished.

    ``job`` is its path, ``state`` its last known state, ``look`` the path of its state if different from ``job``.
    """
    from activities.contracts.addresses import PREFIX

    while state.get("state") not in FINISHED:
        async with aclosing(api.events(f"{PREFIX}{job}/events")) as events:
            async for event in events:
                if event.name == "state":
                    state = event.data
                    yield state
                    if state.get("state") in FINISHED:
                        return
        state = await api.call("GET", look or job)  # the stream was closed early
        yield state
        await asyncio.sleep(0 if state.get("state") in FINISHED else 1)


def at(kind: str, name: str) -> str:
    """The path ``/kind/name`` with the name escaped."""
    from api.client import paths

    return paths.at(kind, name)


def follow_document(api: Api, document_id: str, state: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    """``follow`` for a document."""
    path = at("documents", document_id)
    return follow(api, path, state, f"{path}/status")


def counted(counts: dict[str, int]) -> str:
    """``3 ready, 1 failed``: documents by state."""
    known = [state for state in STATES if counts.get(state)]
    others = [state for state, count in counts.items() if count and state not in (*STATES, "total")]
    return ", ".join(f"{counts[state]} {say_or(f'state.{state}', state)}" for state in (*known, *others))
