"""Tables of documents: merged cells fill their places, header rows become one line, sizes are bounded."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from activities.contracts.documents import Element
from activities.errors import DocumentTooLarge
from activities.readers.tables.grid import MAX_COLUMNS, Cell, table_elements


def row(*texts: str | Cell) -> list[Cell]:
    return [text if isinstance(text, Cell) else Cell(text) for text in texts]


def head(*texts: str | Cell) -> list[Cell]:
    return [Cell(cell.text, cell.rows, cell.columns, header=True) for cell in row(*texts)]


def lines(*rows: Sequence[Cell]) -> list[str]:
    [table] = table_elements(rows)
    assert table.kind == "table"
    return table.text.split("\n")


def test_a_plain_table_is_one_line_per_row() -> None:
    """Empty cells keep their places, rows without text are left out, short rows stay short."""
    assert lines(row("Pump", "Oil\n change"), row("", " "), row("P1", ""), row(), row("", "May"), row("P3")) == [
        "Pump | Oil change",
        "P1 | ",
        " | May",
        "P3",
    ]
    assert table_elements([]) == table_elements([row(""), row("", "")]) == []


def test_merged_cells_fill_their_places() -> None:
    """Down, across and both, with the labels of two levels; a row that merged cells take up wholly is no row."""
    assert lines(
        row("Harbour", "Quay", "Morning", "Evening"),
        row(Cell("North", rows=4), Cell("A", rows=2), "6-12", "12-20"),
        row(Cell("closed", columns=2)),
        row("B", Cell("on request", rows=2, columns=2)),
        row("C"),
        row(),
        row("South", Cell("-", columns=3)),
    ) == [
        "Harbour | Quay | Morning | Evening",
        "North | A | 6-12 | 12-20",
        "North | A | closed | closed",
        "North | B | on request | on request",
        "North | C | on request | on request",
        "South | - | - | -",
    ]


def test_columns_that_only_repeat_others_are_left_out() -> None:
    """Word processors divide columns that no row shows divided."""
    assert lines(
        row(Cell("Room", columns=3), Cell("Key", columns=2)),
        row(Cell("12", columns=3), Cell("red", columns=1_000_000)),
    ) == ["Room | Key", "12 | red"]


def test_a_row_of_one_cell_is_said_once() -> None:
    """At the top it is a title; below, it stays between the rows."""
    table = table_elements(
        [
            row(Cell("Ferries 2025", columns=3)),
            head("Line", "First", "Last"),
            head(Cell("Weekdays", columns=3)),
            row("F1", "5:40", "23:10"),
            row(Cell("Sundays", columns=3)),
            row("F1", "8:00", "21:00"),
        ],
        caption="Table 3:\nTimes",
        page=7,
    )
    assert table == [
        Element(text="Table 3: Times", page=7),
        Element(text="Ferries 2025", page=7),
        Element(
            text="Line | First | Last\nWeekdays\nF1 | 5:40 | 23:10\nSundays\nF1 | 8:00 | 21:00", kind="table", page=7
        ),
    ]


def test_marked_header_rows_become_one_line() -> None:
    """A group stands before its names; the same word is not repeated; the corner may be empty."""
    body = [row("Oslo", "1", "2", "3", "4"), row("Turku", "5", "6", "7", "8")]
    years = head("", Cell("2023", columns=2), Cell("2024", columns=2))
    assert lines(years, head("", "Plan", "Actual", "Plan", "Actual"), *body)[:2] == [
        " | 2023 Plan | 2023 Actual | 2024 Plan | 2024 Actual",
        "Oslo | 1 | 2 | 3 | 4",
    ]
    assert lines(head("Branch", "Visits", "", "", "Costs"), head("Branch", "1", "2", "3", "EUR"), *body)[0] == (
        "Branch | Visits 1 | 2 | 3 | Costs EUR"
    )
    assert lines([Cell(""), *head("2021", "2022", "03/2023", "4")], *body)[0] == " | 2021 | 2022 | 03/2023 | 4"
    assert lines(head("Branch", "a"), head("Oslo", "b")) == ["Branch | a", "Oslo | b"]
    assert lines(head("Branch", "a"), [*head("Oslo"), *row("")], row("x", "y"))[1:] == ["Oslo | ", "x | y"]


def test_groups_tell_header_rows_that_are_not_marked() -> None:
    """Names below merged cells are header rows; values below them are not."""
    months = row(Cell("Site", rows=2), Cell("January", columns=2), Cell("February", columns=2))
    assert lines(months, row("Gas", "Heat", "Gas", "Heat"), row("Ulm", "1", "2", "3", "4")) == [
        "Site | January Gas | January Heat | February Gas | February Heat",
        "Ulm | 1 | 2 | 3 | 4",
    ]
    assert lines(months, row("1", "2", "1", "2"), row("Ulm", "1", "2", "3", "4"))[0] == (
        "Site | January 1 | January 2 | February 1 | February 2"
    )
    assert lines(row("Site", Cell("Output", columns=2)), row("", "2023", "2024"), row("Ulm", "1", "2")) == [
        "Site | Output 2023 | Output 2024",
        "Ulm | 1 | 2",
    ]
    for second in (row("Bern", "1", "2"), row("", "7:30", "9:15"), row("", "yes", "yes"), row("", "", "no")):
        assert len(lines(row("Site", Cell("shut", columns=2)), second, row("Ulm", "1", "2"))) == 3


def test_labels_and_values_are_joined_as_such() -> None:
    """A form has no header: each row is a label with its value."""
    assert lines([*head("Floor area"), *row("310 m²")], [*head("Keeper:"), *row("Ines")]) == [
        "Floor area: 310 m²",
        "Keeper: Ines",
    ]
    assert lines(row("Name:", "Ines", "Date:", "3 May"), row("Reason：", "flu", "", "")) == [
        "Name: Ines | Date: 3 May",
        "Reason： flu |  | ",
    ]


def test_hostile_sizes_meet_a_limit() -> None:
    """Spans beyond the table are cut, cells beyond the last column and endless repetition are refused."""
    huge = Cell("x" * 1000, rows=10**9, columns=10**9)
    assert lines(row("a", huge), row("b"), row("c"))[2] == f"c | {huge.text}"
    with pytest.raises(DocumentTooLarge, match=str(MAX_COLUMNS)):
        table_elements([row(huge, "behind")])
    with pytest.raises(DocumentTooLarge, match="merged cells"):
        table_elements([row("a", Cell(huge.text, columns=MAX_COLUMNS)), row("b") * MAX_COLUMNS])
    with pytest.raises(DocumentTooLarge, match="merged cells"):
        table_elements([row("a", huge), *(row("b") for _ in range(20_000))])
