"""Tables in PDFs: between rules and without, with wrapped and merged cells, over pages; and what is no table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from activities.contracts.documents import Element
from activities.readers.pdf import calls
from activities.settings import ParseSettings
from tests.activities.readers.conftest import growth, parsed, shape
from tests.documents import page, pdf, pdf_of, set_text

Lines = list[tuple[float, float, float, str, str]]


def at(rows: list[list[str]], columns: list[float], *, top: float = 700, step: float = 20, font: str = "R") -> Lines:
    """Texts at the left edges of columns, row by row; a text of several lines is printed so."""
    return [
        (columns[column], top - row * step - 12 * line, 10, font, part)
        for row, texts in enumerate(rows)
        for column, text in enumerate(texts)
        for line, part in enumerate(text.split("\n"))
        if part
    ]


def grid(columns: list[float], heights: list[float]) -> str:
    """Rules around all cells of a grid."""
    across = [f"{columns[0]} {y} m {columns[-1]} {y} l S" for y in heights]
    return "\n".join([*across, *(f"{x} {heights[0]} m {x} {heights[-1]} l S" for x in columns)])


def tables(elements: list[Element]) -> list[list[str]]:
    return [element.text.split("\n") for element in elements if element.kind == "table"]


BERTHS = [
    ["Berth", "Depth", "Crane"],
    ["A1", "9 metres", "none"],
    ["A2", "12 metres", "40 tonnes"],
    ["B1", "14 metres", "65 tonnes"],
]


def test_a_ruled_table_stands_between_its_caption_and_what_follows(tmp_path: Path) -> None:
    """Each row is one line; the text of cells is not read again."""
    lines = [
        *page(("Berths of the inner harbour", "R", 10), top=730),
        *at(BERTHS, [77, 177, 277]),
        *page(("The harbour master decides which ship lies where.", "R", 10), top=590),
    ]
    document = parsed(tmp_path, pdf([lines], [grid([72, 172, 272, 372], [714, 694, 674, 654, 634])]), "a.pdf")
    assert shape(document) == [
        ("text", "Berths of the inner harbour"),
        ("table", "\n".join(" | ".join(row) for row in BERTHS)),
        ("text", "The harbour master decides which ship lies where."),
    ]


def test_boxes_make_rules_too(tmp_path: Path) -> None:
    """Cells drawn as rectangles, inside a form, and rules drawn as thin filled ones are read alike."""
    boxes = "\n".join(f"{72 + 100 * x} {694 - 20 * y} 100 20 re S" for y in range(4) for x in range(3))
    thin = "\n".join(
        [*(f"72 {y} 300 0.6 re f" for y in range(634, 715, 20)), *(f"{x} 634 0.6 80 re f" for x in (72, 172, 272, 372))]
    )
    for drawing in (boxes, thin):
        document = parsed(tmp_path, pdf([at(BERTHS, [77, 177, 277])], [drawing]), "a.pdf")
        assert tables(document.elements) == [[" | ".join(row) for row in BERTHS]]


def test_wrapped_cells_are_joined_and_merged_ones_repeated(tmp_path: Path) -> None:
    """A label beside several rows stands in each; the lines of a cell are one text."""
    columns, heights = [72, 152, 302, 452], [714, 694, 654, 614, 594]
    drawing = "\n".join(
        [
            *(f"72 {y} m 452 {y} l S" for y in (714, 694, 614, 594)),
            "152 654 m 452 654 l S",
            *(f"{x} 594 m {x} 714 l S" for x in columns),
        ]
    )
    lines = [
        *at([["Duty", "Who", "Until"]], [77, 157, 307]),
        (77, 650, 10, "R", "Locks"),
        (157, 680, 10, "R", "The warden of the"), (157, 668, 10, "R", "east wing"), (307, 680, 10, "R", "22:00"),
        (157, 640, 10, "R", "Night porter"), (307, 640, 10, "R", "06:00"),
        *at([["Post", "Reception", "17:30"]], [77, 157, 307], top=600),
    ]  # fmt: skip
    assert heights
    document = parsed(tmp_path, pdf([lines], [drawing]), "a.pdf")
    assert tables(document.elements) == [
        [
            "Duty | Who | Until",
            "Locks | The warden of the east wing | 22:00",
            "Locks | Night porter | 06:00",
            "Post | Reception | 17:30",
        ]
    ]


def test_a_table_goes_on_over_pages(tmp_path: Path) -> None:
    """The header stands once, whether the next page repeats it or not; page numbers stand between the parts."""
    columns, heights = [72, 172, 272, 372], [100, 80, 60]
    first = at([["Valve", "Bore", "Price"], ["V1", "15 mm", "8.40"]], [77, 177, 277], top=86)
    for header in ([], [["Valve", "Bore", "Price"]]):
        rows = [*header, ["V2", "20 mm", "9.10"], ["V3", "25 mm", "11.75"]]
        second = at(rows, [77, 177, 277], top=760)
        grids = [grid(columns, heights), grid(columns, [774 - 20 * row for row in range(len(rows) + 1)])]
        numbers: list[Lines] = [[(290, 30, 9, "R", f"Page {number} of 2")] for number in (1, 2)]
        document = parsed(tmp_path, pdf([first + numbers[0], second + numbers[1]], grids), "a.pdf")
        found = tables(document.elements)
        assert found == [["Valve | Bore | Price", "V1 | 15 mm | 8.40", "V2 | 20 mm | 9.10", "V3 | 25 mm | 11.75"]]


def test_rows_without_rules_are_a_table_when_their_cells_are_short_values(tmp_path: Path) -> None:
    """A price list, the wrapped name of an article included."""
    rows = [
        ["Article", "Unit", "Price"],
        ["Hose, black", "metre", "3.20"],
        ["Clamp of stainless\nsteel", "piece", "0.95"],
        ["Elbow", "piece", "1.10"],
    ]
    lines = at(rows[:3], [72, 232, 332]) + at(rows[3:], [72, 232, 332], top=626)
    text = page(("All prices are in euros.", "R", 10), top=560)
    document = parsed(tmp_path, pdf([lines + text]), "a.pdf")
    assert shape(document) == [
        ("table", "Article | Unit | Price\nHose, black | metre | 3.20\n"
                  "Clamp of stainless steel | piece | 0.95\nElbow | piece | 1.10"),
        ("text", "All prices are in euros."),
    ]  # fmt: skip


def test_a_chinese_table(tmp_path: Path) -> None:
    """Wrapped Chinese cells are joined without a space."""
    rows = [["部门", "负责人", "办公地点"], ["采购部", "林清", "三号楼"], ["仓储部", "何卫\n东", "二号库"]]
    document = parsed(
        tmp_path,
        pdf([at(rows, [77, 177, 277], font="C", step=30)], [grid([72, 172, 272, 372], [714, 684, 654, 624])]),
        "a.pdf",
    )
    assert tables(document.elements) == [
        ["部门 | 负责人 | 办公地点", "采购部 | 林清 | 三号楼", "仓储部 | 何卫东 | 二号库"]
    ]
    assert len(document.elements) == 1


def test_labels_and_values_of_a_form(tmp_path: Path) -> None:
    """A label keeps its value, also where two pairs stand side by side."""
    rows = [
        ["Vessel:", "Aurora", "Flag:", "Malta"],
        ["Length:", "88 m", "Draught:", "5.4 m"],
        ["Agent:", "Voss", "Berth:", "B1"],
    ]
    document = parsed(tmp_path, pdf([at(rows, [72, 152, 302, 382])]), "a.pdf")
    assert tables(document.elements) == [
        ["Vessel: Aurora | Flag: Malta", "Length: 88 m | Draught: 5.4 m", "Agent: Voss | Berth: B1"]
    ]


def test_a_note_is_led_to_the_row_that_its_mark_stands_in(tmp_path: Path) -> None:
    """The mark touches no number; exponents stay."""
    rows = [["Substance", "Limit", "Area"], ["Zinc", "45", "20 m"], ["Lead", "12", "30 m"], ["Tin", "90", "10 m"]]
    lines: Lines = []
    for x, y, size, font, text in at(rows, [77, 177, 277]):
        lines.append((x, y, size, font, text))
        if text == "45":
            lines.append((x + 11.5, y + 4, 6, "R", "3"))
        if text == "20 m":
            lines.append((x + 22.5, y + 4, 6, "R", "2"))
    lines += [(72, 593, 5, "R", "3"), (76, 590, 8, "R", "In sea water, on a yearly average.")]
    drawing = grid([72, 172, 272, 372], [714, 694, 674, 654, 634])
    document = parsed(tmp_path, pdf([lines], [drawing]), "a.pdf")
    assert tables(document.elements)[0][1] == "Zinc | 45 | 20 m² (note 3: In sea water, on a yearly average.)"
    assert len(document.elements) == 1


def test_labels_without_rules_are_repeated(tmp_path: Path) -> None:
    """A label that stands at the first of its rows only is that of each; a sub-heading is a line of its own."""
    rows = [
        ["Region", "Month", "Rain"],
        ["North", "May", "61"],
        ["", "June", "70"],
        ["South", "May", "22"],
        ["", "June", "15"],
    ]
    document = parsed(tmp_path, pdf([at(rows, [72, 152, 232], step=15)]), "a.pdf")
    assert tables(document.elements) == [
        ["Region | Month | Rain", "North | May | 61", "North | June | 70", "South | May | 22", "South | June | 15"]
    ]
    rows = [["Fruit", "Origin", "Price"], ["Plum", "Spain", "3.40"], ["Citrus", "", ""], ["Lemon", "Malta", "2.80"]]
    document = parsed(tmp_path, pdf([at(rows, [72, 152, 232], step=15)]), "a.pdf")
    assert tables(document.elements) == [
        ["Fruit | Origin | Price", "Plum | Spain | 3.40", "Citrus", "Lemon | Malta | 2.80"]
    ]


def test_a_box_without_rules_between_its_rows(tmp_path: Path) -> None:
    """The values of a column tell the rows; other columns may be wrapped."""
    columns = [75.0, 110.0, 300.0, 380.0]
    lines = [
        *at([["Pos", "Description", "Qty", "Amount"]], columns),
        *at([["1", "Mooring line,\npolyamide", "2", "310.00"]], columns, top=680),
        *at([["2", "Fender", "6", "540.00"], ["3", "Shackle", "12", "96.00"]], columns, top=650, step=14),
    ]
    drawing = "\n".join(
        ["72 600 400 115 re S", "72 695 400 0.5 re f", *(f"{x} 600 0.5 115 re f" for x in (105, 295, 375))]
    )
    document = parsed(tmp_path, pdf([lines], [drawing]), "a.pdf")
    assert tables(document.elements) == [
        ["Pos | Description | Qty | Amount", "1 | Mooring line, polyamide | 2 | 310.00",
         "2 | Fender | 6 | 540.00", "3 | Shackle | 12 | 96.00"]
    ]  # fmt: skip


def test_what_is_no_table(tmp_path: Path) -> None:
    """Columns of prose, lists, contents, addresses side by side, equations and a frame around text."""
    prose = "the quay was built of granite from the island and"
    columns = at([[f"{prose} so", f"{prose} no"]] * 14, [60, 310], step=13)
    listed = at([[f"{n}.", f"Check pump {n} and write down what the gauge shows"] for n in range(1, 6)], [72, 100])
    contents = at(
        [["Safety rules of the yard", "3"], ["Cranes and hoists", "8"], ["Fire", "15"], ["Index", "21"]], [72, 400]
    )
    addresses = at(
        [["Harbour Office", "Voss Shipping"], ["Quay Street", "Mill Lane"], ["Rostock", "Bergen"]], [72, 320]
    )
    equations = at(
        [["p", "=", "q + r", "(1)"], ["s", "=", "t + u", "(2)"], ["v", "=", "w + x", "(3)"]], [72, 120, 150, 400]
    )
    framed = page(("The gate is closed at night.", "R", 10), ("Ring the bell at the lodge.", "R", 10), top=700)
    frame = "60 600 400 120 re S 60 690 m 460 690 l S"
    for lines, drawing in (
        (columns, ""),
        (listed, ""),
        (contents, ""),
        (addresses, ""),
        (equations, ""),
        (framed, frame),
    ):
        document = parsed(tmp_path, pdf([lines], [drawing]), "a.pdf")
        assert tables(document.elements) == []


def test_drawings_are_no_tables_and_take_no_time(tmp_path: Path) -> None:
    """A page of very many lines is read as text."""
    drawing = "\n".join(f"{x % 500} {x // 500} m {x % 500 + 9} {x // 500} l S" for x in range(6_000))
    document = parsed(tmp_path, pdf([at(BERTHS, [77, 177, 277])], [drawing]), "a.pdf")
    assert tables(document.elements) == []
    assert "14 metres" in " ".join(element.text for element in document.elements)


def test_what_is_printed_over_a_table_is_kept(tmp_path: Path) -> None:
    """A stamp across the cells is text of its own."""
    stamp = b"BT /R 30 Tf 0.7 0.7 -0.7 0.7 150 640 Tm (COPY) Tj ET"
    drawing = grid([72, 172, 272, 372], [714, 694, 674, 654, 634]).encode()
    texts = [set_text(*line) for line in at(BERTHS, [77, 177, 277])]
    document = parsed(tmp_path, pdf_of([b"\n".join([drawing, *texts, stamp])]), "a.pdf")
    assert tables(document.elements)[0] == [" | ".join(row) for row in BERTHS]
    assert sum("COPY" in element.text for element in document.elements) == 1


def test_pages_of_rows_take_linear_time(tmp_path: Path) -> None:
    """Pairs of numbers that stand now left and now right are no table, however many there are."""

    def read(rows: int) -> None:
        places = [(72 + row % 2 * 200 + 90 * cell, 9000 - 15 * row) for row in range(rows) for cell in (0, 1)]
        lines: Lines = [(x, y, 10, "R", "12") for x, y in places]
        parsed(tmp_path, pdf([lines]), "a.pdf", ParseSettings(ocr="off"))

    assert growth(read, 100) < 8


def test_a_table_costs_a_few_looks_at_each_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps that read a page share what one of them has found out about a character."""
    rows = [[f"Berth {number}", "two cranes", "nine metres", "open"] for number in range(30)]
    columns, heights = [72.0, 172.0, 272.0, 372.0, 472.0], [715.0 - 20 * row for row in range(31)]
    looked = dict.fromkeys(("char_origin", "char_box", "text_object"), 0)

    def counted(name: str) -> Any:
        call = getattr(calls, name)

        def counting(*arguments: Any) -> Any:
            looked[name] += 1
            return call(*arguments)

        return counting

    for name in looked:
        monkeypatch.setattr(calls, name, counted(name))
    document = parsed(tmp_path, pdf([at(rows, columns)], [grid(columns, heights)]), "a.pdf")
    assert tables(document.elements) == [[" | ".join(row) for row in rows]]
    words = sum(len(text.split()) for row in rows for text in row)
    assert words < sum(looked.values()) <= 9 * words
