"""Tables on terminals: what identifies a row is whole, other columns are shortened or left out."""

# ruff: noqa: PLC0415 - commands import slow modules themselves

from __future__ import annotations

from collections.abc import Sequence

from api.cli.texts.messages import say

#: Columns of sentences, which are wrapped.
SENTENCES = frozenset({"details", "reason", "detail", "examples", "found", "do", "documents"})

#: Columns of names, which are shortened.
NAMES = frozenset({"name", "title", "subject", "actor", "kb"})

#: Columns that a narrow terminal leaves out, the first one first.
EXPENDABLE = (
    *("bytes", "pages", "chunks", "version", "eta", "created", "revoked", "questions", "kb", "time", "stage"),
    *("detail", "examples", "title", "reason"),
)

#: Cells that a sentence and a name keep, as long as other columns can be left out.
LEAST_SENTENCE, LEAST_NAME = 24, 16

#: What columns are shortened to, step by step, if even then there is no room: names and sentences, and all others.
FLOORS = ((8, 1000), (8, 16), (1, 1))

#: Cells between two columns.
GAP = 2


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], whole: Sequence[str]) -> None:
    """Print a table as wide as the terminal. The columns ``whole`` are neither wrapped nor cut nor left out."""
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    heads = {column: say(f"col.{column}") for column in columns}
    natural = {
        column: max(map(cell_len, [heads[column], *(line for row in rows for line in row[at].split("\n"))]))
        for at, column in enumerate(columns)
    }
    empty = {column for at, column in enumerate(columns) if not any(row[at] for row in rows)}
    room = Console().width
    widths = fit(natural, room, whole, empty)
    wide = max(room, sum(widths.values()) + GAP * (len(widths) - 1))  # rich itself would cut
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for column, width in widths.items():
        wraps = column in SENTENCES
        table.add_column(heads[column], width=width, no_wrap=not wraps, overflow="fold" if wraps else "ellipsis")
    shown = [at for at, column in enumerate(columns) if column in widths]
    for row in rows:
        table.add_row(*(Text(row[at]) for at in shown))
    Console(width=wide).print(table)


def fit(natural: dict[str, int], room: int, whole: Sequence[str], empty: set[str]) -> dict[str, int]:
    """The widths of the columns that are shown, in ``room`` cells; ``natural`` are those that they need."""

    def least(column: str) -> int:
        if column in whole or column not in SENTENCES | NAMES:
            return natural[column]
        return min(natural[column], LEAST_SENTENCE if column in SENTENCES else LEAST_NAME)

    def needed(columns: Sequence[str]) -> int:
        return sum(map(least, columns)) + GAP * (len(columns) - 1)

    shown = list(natural)
    for column in [*(each for each in natural if each in empty), *EXPENDABLE]:
        if column in shown and column not in whole and needed(shown) > room:
            shown.remove(column)
    widths = {column: least(column) for column in shown}
    spare = room - needed(shown)
    for column in sorted(shown, key=lambda each: natural[each] - widths[each]):  # what needs little gets it
        flexible = [each for each in shown if natural[each] > widths[each]]
        if spare <= 0 or column not in flexible:
            continue
        more = min(natural[column] - widths[column], max(1, spare // len(flexible)))
        widths[column] += more
        spare -= more
    for name, other in FLOORS:
        for column in sorted(shown, key=lambda each: -widths[each]):
            floor = name if column in SENTENCES | NAMES else other
            if spare < 0 and column not in whole and widths[column] > floor:
                less = min(-spare, widths[column] - floor)
                widths[column] -= less
                spare += less
    return widths
