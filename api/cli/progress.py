"""Progress of uploads and jobs: lines in pipes, bars on terminals."""

# ruff: noqa: PLC0415 - commands import slow modules themselves

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from api.cli.output import FINISHED, Output, clean, counted, reason_of, stage_of, time_left
from api.cli.texts.messages import say, say_or

if TYPE_CHECKING:
    from rich.progress import Progress

Show = Callable[[dict[str, Any]], None]


class Display:
    """Progress in pipes and under --json: one line for each outcome."""

    def __init__(self, out: Output) -> None:
        self.out = out

    @contextmanager
    def upload(self) -> Iterator[Callable[[int], None]]:
        """Context of one upload request; the yielded function receives the number of bytes read."""
        yield lambda count: None

    @contextmanager
    def watch(self, name: str) -> Iterator[Show]:
        """Context of watching one document; the yielded function receives its states."""
        yield lambda state: None

    @contextmanager
    def watch_batch(self) -> Iterator[Show]:
        """Context of watching one batch; the yielded function receives its states."""
        yield lambda info: None

    def say(self, text: str, style: str = "") -> None:
        """Print a permanent line."""
        self.out.text(text)

    def busy(self, reason: str, seconds: float) -> None:
        """Report that the API requires a wait of ``seconds``."""
        self.say(say("busy", reason=reason, seconds=seconds), "yellow")

    def finished(self, document: dict[str, Any]) -> None:
        """Report the outcome of a document."""
        style = "green" if document["state"] == "ready" else "red" if document["state"] in FINISHED else ""
        self.say(outcome(document), style)


class Bars(Display):
    """Progress on a terminal: a bar for the upload, and one for each batch and single document in flight."""

    def __init__(self, out: Output, progress: Progress, size: int) -> None:
        super().__init__(out)
        self.progress = progress
        self.sent = progress.add_task(say("uploading"), total=size, note="") if size else None

    @contextmanager
    def upload(self) -> Iterator[Callable[[int], None]]:
        if self.sent is None:
            yield lambda count: None
            return
        task, read = self.sent, 0

        def count(length: int) -> None:
            nonlocal read
            read += length
            self.progress.advance(task, length)

        try:
            yield count
        except BaseException:
            self.progress.advance(task, -read)  # the files are sent again, or were refused
            raise

    @contextmanager
    def watch(self, name: str) -> Iterator[Show]:
        task = self.progress.add_task(_short(clean(name)), total=None, note="")

        def show(state: dict[str, Any]) -> None:
            waits = state.get("waiting_for")
            note = say("waiting_for", dependency=waits) if waits else stage_of(state)
            count = state.get("stage_count") or 0
            share = (state.get("done") or 0) / state["total"] if state.get("total") else 0
            completed = max(0, (state.get("stage_number") or 1) - 1) + share
            self.progress.update(task, total=count or None, completed=completed, note=note)

        try:
            yield show
        finally:
            self.progress.remove_task(task)

    @contextmanager
    def watch_batch(self) -> Iterator[Show]:
        task = self.progress.add_task(say("documents"), total=None, note="")
        waited = ""

        def show(info: dict[str, Any]) -> None:
            nonlocal waited
            self.progress.update(
                task, total=info.get("total") or None, completed=info.get("done") or 0, note=describe_batch(info)
            )
            waits = say("waiting_for", dependency=info["waiting_for"]) if info.get("waiting_for") else ""
            if waits and waits != waited:
                self.say(" · ".join(filter(None, (waits, reason_of(info)))), "yellow")
            waited = waits

        try:
            yield show
        finally:
            self.progress.remove_task(task)

    def say(self, text: str, style: str = "") -> None:
        from rich.text import Text

        self.progress.console.print(Text(clean(text), style=style))


@contextmanager
def display(out: Output, size: int = 0) -> Iterator[Display]:
    """Bars on a terminal, else lines; ``size`` is the number of bytes to upload."""
    if not out.live:
        yield Display(out)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[note]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, transient=True) as progress:
        yield Bars(out, progress, size)


def describe_batch(info: dict[str, Any]) -> str:
    """The progress of a batch in one line: ``12/40 · 4 running, 1 failed · 30/min · about 2 min left``.

    Of one that has ended only the count: its state says what failed.
    """
    parts = [f"{info.get('done') or 0}/{info.get('total') or 0}"]
    if info.get("state") not in FINISHED:
        counts = {state: n for state, n in (info.get("documents") or {}).items() if state not in ("total", "ready")}
        parts.append(counted(counts))
        if info.get("state") == "paused":
            parts.append(say("state.paused"))
        if info.get("rate_per_minute"):
            parts.append(say("rate", rate=float(info["rate_per_minute"])))
        parts.append(time_left(info))
        if info.get("waiting_for"):
            parts.append(say("waiting_for", dependency=info["waiting_for"]))
    return " · ".join(filter(None, parts))


def outcome(document: dict[str, Any]) -> str:
    """The outcome of a document in one line."""
    state = say_or(f"state.{document['state']}", document["state"])
    return "  ".join(filter(None, (state, document["name"], document.get("id", ""), reason_of(document))))


def _short(name: str, width: int = 32) -> str:
    return name if len(name) <= width else f"…{name[1 - width :]}"
