"""Workbooks: what is hidden, computed, noted, raised, struck out, drawn or embedded in their sheets."""

from __future__ import annotations

import datetime
import io
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from openpyxl.comments import Comment
from openpyxl.styles import Font

from activities.contracts.documents import Element
from activities.phrases import RemarkText
from activities.readers.reading import Reading
from activities.readers.tables.xlsx import read
from activities.settings import ParseSettings
from tests.activities.readers.test_pptx import picture, strict
from tests.documents import replaced, simple_xlsx

SHEET = "xl/worksheets/sheet1.xml"


def reading(tmp_path: Path, content: bytes, **limits: Any) -> Reading:
    path = tmp_path / "a"
    path.write_bytes(content)
    return read(path, "a.xlsx", ParseSettings(**limits), lambda done, total: None)


def texts(found: Reading) -> list[str]:
    return [item.text for item in found.elements]


def saved(book: Any) -> bytes:
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def workbook(*rows: tuple[Any, ...]) -> Any:
    return openpyxl.load_workbook(io.BytesIO(simple_xlsx(*rows)))


def test_hidden_sheets_rows_and_columns_are_left_out_and_counted(tmp_path: Path) -> None:
    """Unless the setting says to read them."""
    book = workbook(("Plan", "Price", "Margin"), ("Solo", 5, 3), ("Duo", 8, 4), ("Trio", 11, 6))
    book.create_sheet("Old").append(("a", "b"))
    book.create_sheet("Older").append(("a", "b"))
    book["Old"].sheet_state, book["Older"].sheet_state = "hidden", "veryHidden"
    book.active.column_dimensions["C"].hidden = True
    book.active.row_dimensions[3].hidden = True
    found = reading(tmp_path, saved(book))
    assert texts(found) == ["Sheet", "Plan: Solo | Price: 5", "Plan: Trio | Price: 11"]
    assert found.remarks == {
        RemarkText.HIDDEN_SHEETS: 2,
        RemarkText.HIDDEN_ROWS: 1,
        RemarkText.HIDDEN_COLUMNS: 1,
    }
    whole = reading(tmp_path, saved(book), hidden="read")
    assert texts(whole)[2] == "Plan: Duo | Price: 8 | Margin: 4"
    assert not whole.remarks


def test_a_title_over_a_hidden_column_is_seen(tmp_path: Path) -> None:
    """Merged cells show the text of their first one."""
    book = workbook(("Prices of spring", None, None), ("Id", "Plan", "Price"), (77, "Solo", 5))
    book.active.merge_cells("A1:C1")
    book.active.column_dimensions["A"].hidden = True
    assert texts(reading(tmp_path, saved(book))) == ["Sheet", "Prices of spring", "Plan: Solo | Price: 5"]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("=A2*B2", "12"),
        ("=A2+B2*2-1", "9"),
        ("=(A2+B2)/2", "3.5"),
        ("=-A2^2", "16"),
        ("=B2*50%", "1.5"),
        ("=SUM(A2:B2, 10)", "17"),
        ("=sum(A2:B3)", "7"),
        ("=AVERAGE(A2:B2)", "3.5"),
        ("=MIN(A2:B2)+MAX(A2:B2)+COUNT(A2:B3)", "9"),
        ("=ROUND(B2/A2, 1)", "0.8"),
        ("=Other!A1+'Other'!$A$1", "14"),
        ("=D2", "6"),
    ],
)
def test_plain_formulas_without_a_result_are_computed(tmp_path: Path, formula: str, expected: str) -> None:
    """As a spreadsheet computes them when it opens what a script wrote."""
    book = workbook(("a", "b", "c", "d"), (4, 3, formula, "=A2+2"), ("text",))
    book.create_sheet("Other").append((7,))
    found = reading(tmp_path, saved(book))
    assert f"c: {expected} | d: 6" in texts(found)[1]
    assert not found.remarks


@pytest.mark.parametrize(
    "formula",
    [
        "=IF(A2>1,1,2)",
        "=A2/0",
        "=C2+1",
        "=A3*2",
        "=VLOOKUP(A2,A1:B3,2)",
        "=Missing!A1",
        "=A2&B2",
        "=SUM(E2:E3)",
        "=" + "(" * 300 + "1" + ")" * 300,
        "=" + "1+" * 600 + "1",
        "=10^400",
    ],
)
def test_other_formulas_are_empty_and_counted(tmp_path: Path, formula: str) -> None:
    """What is not plain, goes in circles, has no end, or refers to what is no number."""
    book = workbook(("a", "b", "c", "d", "e"), (4, 3, formula, 1, datetime.date(2024, 1, 5)), ("text", 1))
    found = reading(tmp_path, saved(book))
    assert texts(found)[1] == "a: 4 | b: 3 | d: 1 | e: 2024-01-05"
    assert found.remarks == {RemarkText.FORMULAS: 1}


def test_many_formulas_over_large_ranges_end(tmp_path: Path) -> None:
    """Each sums all rows before it: those beyond the limit are counted."""
    book = workbook(("a", "b"), *((1, f"=SUM(A$2:A{row})") for row in range(2, 1200)))
    found = reading(tmp_path, saved(book))
    assert texts(found)[100] == "a: 1 | b: 100"
    assert 0 < found.remarks[RemarkText.FORMULAS] < 1200


def test_a_library_s_zero_is_no_result(tmp_path: Path) -> None:
    """XlsxWriter stores 0 for a formula, and asks to compute it; other stored results are believed."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        sheet = book.add_worksheet("Trips")
        sheet.write_row(0, 0, ("Km", "Rate", "Paid", "Kind", "Fixed"))
        sheet.write_row(1, 0, (40, 0.5))
        sheet.write_formula("C2", "=A2*B2")
        sheet.write_formula("D2", "=NOW()")
        sheet.write_formula("E2", "=NOW()", None, 9)
    found = reading(tmp_path, target.getvalue())
    assert texts(found) == ["Trips", "Km: 40 | Rate: 0.5 | Paid: 20 | Fixed: 9"]
    assert found.remarks == {RemarkText.FORMULAS: 1}


def test_notes_name_their_cell_and_author(tmp_path: Path) -> None:
    """A note stands for itself: it names its column and its row; one on a hidden cell is left out with it."""
    book = workbook(("Van", "Km", "Cost"), ("Red", 410, 1), ("蓝", 520, 2))
    book.active["B2"].comment = Comment("Ida Moe:\nBrakes are worn.", "Ida Moe")
    book.active["B3"].comment = Comment("轮胎需要更换。", "王五")
    book.active["C2"].comment = Comment("secret", "Ida Moe")
    book.active.column_dimensions["C"].hidden = True
    assert texts(reading(tmp_path, saved(book)))[3:] == [
        "Note by Ida Moe on B2 (Km, Red): Brakes are worn.",
        "王五对B3（Km，蓝）的批注：轮胎需要更换。",
    ]


def test_threaded_comments_have_their_author(tmp_path: Path) -> None:
    """The note that stands in for one in older programs is left out."""
    book = workbook(("Van", "Km"), ("Red", 410))
    book.active["B2"].comment = Comment("[Threaded comment] Your version …", "tc={1}")
    content = io.BytesIO(saved(book))
    space = "http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments"
    relation = "http://schemas.microsoft.com/office/2017/10/relationships/threadedComment"
    with zipfile.ZipFile(content, "a") as package:
        package.writestr(
            "xl/threadedComments/t1.xml",
            f'<ThreadedComments xmlns="{space}"><threadedComment ref="B2" personId="p"><text>Sell it?</text>'
            "</threadedComment></ThreadedComments>",
        )
        package.writestr(
            "xl/persons/person.xml", f'<personList xmlns="{space}"><person displayName="Bo Li" id="p"/></personList>'
        )
    related = replaced(
        content.getvalue(),
        "xl/worksheets/_rels/sheet1.xml.rels",
        b"</Relationships>",
        f'<Relationship Id="t" Type="{relation}" Target="/xl/threadedComments/t1.xml"/></Relationships>'.encode(),
    )
    assert texts(reading(tmp_path, related))[2:] == ["Note by Bo Li on B2 (Km, Red): Sell it?"]


def test_raised_and_struck_out_text_in_cells(tmp_path: Path) -> None:
    """Exponents are Unicode, marks stand apart from numbers, struck-out text is none."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        sheet = book.add_worksheet("S")
        raised, struck = book.add_format({"font_script": 1}), book.add_format({"font_strikeout": True})
        sheet.write_row(0, 0, ("Room", "Size", "Load", "Fee", "Old"))
        sheet.write_string(1, 0, "Hall")
        sheet.write_rich_string(1, 1, "20 m", raised, "2")
        sheet.write_rich_string(1, 2, "at most 85", raised, "3", " kg")
        sheet.write_rich_string(1, 3, struck, "70", " 90 euros")
        sheet.write_number(1, 4, 60, struck)
    found = reading(tmp_path, target.getvalue())
    assert texts(found) == ["S", "Room: Hall | Size: 20 m² | Load: at most 85 ³ kg | Fee: 90 euros"]
    assert found.remarks == {RemarkText.STRUCK_TEXT: 2}


def test_a_cell_struck_out_by_its_style_is_empty(tmp_path: Path) -> None:
    """Also in workbooks whose fonts have no names."""
    book = workbook(("a", "b"), ("x", 5))
    book.active["B2"].font = Font(strike=True)
    assert texts(reading(tmp_path, saved(book))) == ["Sheet", "a: x"]


def test_text_boxes_are_read(tmp_path: Path) -> None:
    """They follow the rows of their sheet."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        sheet = book.add_worksheet("S")
        sheet.write_row(0, 0, ("a", "b"))
        sheet.write_row(1, 0, (1, 2))
        sheet.insert_textbox(4, 1, "Keys are at the gate.")
    assert texts(reading(tmp_path, target.getvalue())) == ["S", "a: 1 | b: 2", "Keys are at the gate."]


def test_strict_workbooks_are_read(tmp_path: Path) -> None:
    """ISO 29500 Strict has other namespaces."""
    found = reading(tmp_path, strict(simple_xlsx(("Kind", "Days"), ("Annual", 5))))
    assert texts(found) == ["Sheet", "Kind: Annual | Days: 5"]


@pytest.mark.parametrize("kind", ["sheet.macroEnabled", "template", "template.macroEnabled"])
def test_templates_and_macros_are_read(tmp_path: Path, kind: str) -> None:
    """Whatever the kind that the package declares."""
    family = "openxmlformats-officedocument.spreadsheetml" if kind == "template" else "ms-excel"
    usual = b"openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    content = replaced(
        simple_xlsx(("a", "b"), (1, 2)), "[Content_Types].xml", usual, f"{family}.{kind}.main+xml".encode()
    )
    assert texts(reading(tmp_path, content)) == ["Sheet", "a: 1 | b: 2"]


def test_links_to_other_programs_do_not_matter(tmp_path: Path) -> None:
    """A workbook whose link leads nowhere is read."""
    content = replaced(
        simple_xlsx(("a", "b"), (1, 2)),
        "xl/workbook.xml",
        b"</sheets>",
        b'</sheets><externalReferences><externalReference xmlns:r="http://schemas.openxmlformats.org/officeDocument/'
        b'2006/relationships" r:id="rId99"/></externalReferences>',
    )
    assert texts(reading(tmp_path, content)) == ["Sheet", "a: 1 | b: 2"]


def test_escaped_characters_are_characters(tmp_path: Path) -> None:
    """Excel writes a carriage return as _x000D_."""
    content = simple_xlsx(("a", "b"), ("one_x000D_two", 2))
    assert texts(reading(tmp_path, content)) == ["Sheet", "a: one two | b: 2"]


def test_thousands_of_hidden_columns_are_no_work(tmp_path: Path) -> None:
    """Ranges of columns end where a sheet ends."""
    hidden = "".join(f'<col min="{at}" max="{10**12}" width="0"/>' for at in range(3, 3000))
    content = replaced(
        simple_xlsx(("a", "b", "c"), (1, 2, 3)), SHEET, b"<sheetData>", f"<cols>{hidden}</cols><sheetData>".encode()
    )
    assert texts(reading(tmp_path, content)) == ["Sheet", "a: 1 | b: 2"]


def test_sheets_that_are_charts_are_passed_over(tmp_path: Path) -> None:
    """Their data stands in the cells of other sheets."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        chart = book.add_chart({"type": "column"})
        book.add_chartsheet("Chart").set_chart(chart)
        sheet = book.add_worksheet("S")
        sheet.write_row(0, 0, ("a", "b"))
        sheet.write_row(1, 0, (1, 2))
        chart.add_series({"values": "=S!$A$2:$B$2"})
    assert texts(reading(tmp_path, target.getvalue())) == ["S", "a: 1 | b: 2"]


def test_a_broken_drawing_does_not_break_the_workbook(tmp_path: Path) -> None:
    """It is counted."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        sheet = book.add_worksheet("S")
        sheet.write_string(0, 0, "kept")
        sheet.insert_textbox(4, 1, "lost")
    content = replaced(target.getvalue(), "xl/drawings/drawing1.xml", b"<xdr:sp ", b"<xdr:sp <")
    found = reading(tmp_path, content)
    assert texts(found) == ["S", "kept"]
    assert found.remarks == {RemarkText.SHAPES: 1}


def test_pictures_in_sheets_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their text follows the rows."""
    monkeypatch.setattr("activities.readers.pictures.recognise_picture", lambda data, limits: [Element(text="Valve 3")])
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        book.add_worksheet("S").insert_image(0, 0, "plan.png", {"image_data": io.BytesIO(picture())})
    assert texts(reading(tmp_path, target.getvalue())) == ["S", "Valve 3"]
