"""A snapshot of the platform as tables on a terminal, and as lines in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, JustifyMethod, OverflowMethod, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from api.cli.output import clean
from api.cli.texts.messages import say, say_or
from api.operations.schemas import JobInfo, OperationsInfo, QueueInfo, ThroughputInfo

#: Columns that are cut where the terminal is narrow, and those of sentences, which are wrapped. All others are whole.
CUT, WRAPPED = frozenset({"name", "kb", "kbs", "model"}), frozenset({"detail"})

#: Columns that a narrow terminal leaves out, the first one first.
EXPENDABLE = ("rate", "eta", "stage", "since", "model", "tasks", "kbs", "kind")

#: Cells that a column keeps that is cut or wrapped, and cells between two columns.
LEAST, GAP = 12, 2

#: Columns of numbers.
RIGHT = frozenset(
    {"backlog", "age", "added", "dispatched", "workers", "total", "running", "waiting", "queued", "paused", "done",
     "rate", "documents", "rows", "generation", "answers"}
)  # fmt: skip

STYLES = {
    "not ready": "red",
    "behind": "yellow",
    "unattended": "red",
    "waiting": "yellow",
    "paused": "yellow",
    "building": "yellow",
}

BARS = " ▁▂▃▄▅▆▇█"

MINUTE, HOUR, DAY = 60, 3600, 86400


class Section(NamedTuple):
    """A table: its name, columns and rows, and the style of each row."""

    name: str
    columns: Sequence[str]
    rows: list[tuple[object, ...]]
    styles: list[str]


def print_snapshot(info: OperationsInfo) -> None:
    """On a terminal."""
    Console().print(renderable(info))


def print_part(section: Section) -> None:
    """One table on a terminal."""
    Console().print(_Fitted(section))


def renderable(info: OperationsInfo) -> RenderableType:
    """The tables one below the other; a table without rows is left out."""
    parts: list[RenderableType] = [
        Text(say("ops.taken", time=f"{info.taken_at.astimezone():%H:%M:%S}", url=info.temporal_url), style="dim")
    ]
    for problem in info.problems:
        text = say("ops.missing", part=say(f"ops.{problem.part}"), detail=clean(problem.detail))
        parts.append(Text(text, style="red"))
    for section in sections_of(info):
        if section.rows:
            parts += [Text(), Text(say(f"ops.{section.name}"), style="bold underline"), _Fitted(section)]
        parts += [Text(line) for line in _notes(section.name, info)]
    if info.throughput is not None:
        parts += [Text(), Text(say("ops.throughput"), style="bold underline")]
        parts += [Text(line) for line in throughput_of(info.throughput)]
    return Group(*parts)


def lines_of(info: OperationsInfo) -> Iterator[str]:
    """Tab-separated lines that begin with the name of their table."""
    for section in sections_of(info):
        for row in section.rows:
            cells = (section.name, *("" if cell is None else str(cell) for cell in row))
            yield "\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in cells)
    for line in throughput_of(info.throughput) if info.throughput is not None else ():
        yield f"throughput\t{line}"
    for problem in info.problems:
        yield f"missing\t{problem.part}\t{problem.detail}"


def sections_of(info: OperationsInfo) -> list[Section]:
    """The tables of a snapshot."""
    dependencies = [
        (
            each.name,
            say("ops.up" if each.ready else "ops.down"),
            None if each.latency_ms is None else say("ops.milliseconds", value=each.latency_ms),
            _moment(each.since),
            each.detail,
        )
        for each in info.dependencies
    ]
    counts = info.jobs.counts if info.jobs else []
    jobs = info.jobs.items if info.jobs else []
    generations = info.generations or []
    return [
        Section(
            "dependencies",
            ("dependency", "state", "answers", "since", "detail"),
            list(dependencies),
            [STYLES["not ready"] if not each.ready else "" for each in info.dependencies],
        ),
        Section(
            "queues",
            ("queue", "tasks", "state", "backlog", "age", "added", "dispatched", "workers"),
            [_queue(each) for each in info.queues or []],
            [STYLES.get(each.state, "") for each in info.queues or []],
        ),
        Section(
            "counts",
            ("kind", "total", "running", "waiting", "queued", "paused"),
            [
                (say(f"kind.{each.kind}"), each.total, each.running, each.waiting, each.queued, each.paused)
                for each in counts
            ],
            ["" if each.total else "dim" for each in counts],
        ),
        Section(
            "jobs",
            ("kind", "kb", "name", "state", "stage", "done", "rate", "eta", "id"),
            [_job(each) for each in jobs],
            [STYLES.get(each.state, "") for each in jobs],
        ),
        failures_of(info),
        Section(
            "generations",
            ("kb", "generation", "phase", "rows", "since", "model"),
            [
                (each.knowledge_base, each.generation, say(f"phase.{each.phase}"), each.rows, _moment(each.since),
                 each.model)
                for each in generations
            ],
            [STYLES.get(each.phase, "") for each in generations],
        ),
    ]  # fmt: skip


def failures_of(info: OperationsInfo) -> Section:
    """The table of failures."""
    rows = [
        (
            each.code,
            each.documents,
            ", ".join(f"{base.name} ({base.documents})" for base in each.knowledge_bases),
            _moment(each.last_at),
            each.text,
        )
        for each in info.failures or []
    ]
    return Section("failures", ("code", "documents", "kbs", "last", "detail"), list(rows), [""] * len(rows))


def throughput_of(found: ThroughputInfo) -> Iterator[str]:
    """The last hour in two lines, each with a bar for every minute."""
    yield f"{say('ops.indexed', ready=found.ready, chunks=found.chunks, failed=found.failed)}"
    yield bars([minute.ready for minute in found.minutes])
    asked = say(
        "ops.asked",
        asked=found.asked,
        answered=found.answered,
        refused=found.refused,
        unanswered=found.unanswered,
    )
    if found.p50_seconds is not None and found.p95_seconds is not None:
        asked += " · " + say("ops.percentiles", p50=found.p50_seconds, p95=found.p95_seconds)
    yield asked
    yield bars([minute.asked for minute in found.minutes])


def bars(values: Sequence[int]) -> str:
    """A bar for each value; a value that is not 0 has a bar."""
    most = max(values, default=0)
    return "".join(BARS[-(-value * (len(BARS) - 1) // most) if most else 0] for value in values)


def _notes(name: str, info: OperationsInfo) -> Iterator[str]:
    """What stands below a table."""
    if info.jobs is None:
        return
    if name == "counts" and info.jobs.not_started.documents:
        waits = info.jobs.not_started
        yield say("ops.not_started", documents=waits.documents, age=age(waits.oldest_seconds or 0))
    if name == "jobs" and info.jobs.next_cursor:
        yield say("ops.more")


def _queue(queue: QueueInfo) -> tuple[object, ...]:
    return (
        queue.queue,
        say(f"tasks.{queue.kind}"),
        say(f"queue.{queue.state}"),
        queue.backlog,
        age(queue.age_seconds) if queue.backlog else None,
        f"{queue.added_per_second:.1f}",
        f"{queue.dispatched_per_second:.1f}",
        len(queue.workers),
    )


def _job(job: JobInfo) -> tuple[object, ...]:
    waits = (
        say("waiting_for", dependency=say_or(f"waits.{job.waiting_for}", job.waiting_for)) if job.waiting_for else None
    )
    return (
        say(f"kind.{job.kind}"),
        job.knowledge_base,
        job.name,
        waits or say(f"state.{job.state}"),
        say_or(f"stage.{job.stage}", job.stage),
        None if job.total is None else f"{job.done}/{job.total}",
        job.rate_per_minute or None,
        age(job.eta_seconds) if job.eta_seconds else None,
        job.id,
    )


def age(seconds: float) -> str:
    """``40 s``, ``3 min``, ``2.5 h``, ``4 d``."""
    for limit, unit, name in ((90, 1, "seconds"), (90 * MINUTE, MINUTE, "minutes"), (2 * DAY, HOUR, "hours")):
        if seconds < limit:
            return say(f"age.{name}", n=seconds / unit)
    return say("age.days", n=seconds / DAY)


def _moment(at: datetime) -> str:
    local = at.astimezone()
    today = local.date() == datetime.now().astimezone().date()
    return f"{local:%H:%M:%S}" if today else f"{local:%Y-%m-%d %H:%M}"


class _Fitted:
    """A section as a table that fits the terminal: rich alone would cut ids."""

    def __init__(self, section: Section) -> None:
        self._section = section

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        section = self._section
        cells = [["" if cell is None else clean(str(cell)) for cell in row] for row in section.rows]
        natural = {
            column: max(cell_len(text) for text in [say(f"col.{column}"), *(row[at] for row in cells)])
            for at, column in enumerate(section.columns)
            if any(row[at] for row in cells)
        }
        widths = fit(natural, options.max_width)
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
        for column, width in widths.items():
            wraps = column in WRAPPED
            overflow: OverflowMethod = "fold" if wraps else "ellipsis"
            justify: JustifyMethod = "right" if column in RIGHT else "left"
            table.add_column(say(f"col.{column}"), width=width, no_wrap=not wraps, overflow=overflow, justify=justify)
        shown = [at for at, column in enumerate(section.columns) if column in widths]
        for row, style in zip(cells, section.styles, strict=True):
            table.add_row(*(Text(row[at]) for at in shown), style=style)
        yield table


def fit(natural: dict[str, int], room: int) -> dict[str, int]:
    """The widths of the columns that are shown; ``natural`` are those that they need. What is whole stays whole."""
    flexible = CUT | WRAPPED
    shown = dict(natural)

    def least() -> int:
        needed = sum(min(width, LEAST) if column in flexible else width for column, width in shown.items())
        return needed + GAP * len(shown)

    for column in EXPENDABLE:
        if least() > room:
            shown.pop(column, None)
    spare = room - GAP * len(shown) - sum(width for column, width in shown.items() if column not in flexible)
    narrow_first = sorted((column for column in shown if column in flexible), key=lambda column: shown[column])
    for at, column in enumerate(narrow_first):
        shown[column] = max(1, min(shown[column], spare // (len(narrow_first) - at)))
        spare -= shown[column]
    return shown
