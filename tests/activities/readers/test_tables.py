"""Sheets, csv and tsv: rows that can be quoted alone, with values as a spreadsheet shows them."""

from __future__ import annotations

import datetime
import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from activities.contracts.documents import Chunking
from activities.errors import DamagedDocument
from activities.ingest.chunking import chunk_document
from activities.readers.tables.cells import shown
from activities.readers.tables.rows import elements_of
from tests.activities.readers.conftest import parsed, shape
from tests.documents import replaced, simple_xlsx

FILES = Path(__file__).parents[2] / "data" / "files"
CUPS = ["Team: Blues | Location: STL | Stanley Cups: 1", "Team: Flyers | Location: PHI | Stanley Cups: 2"]


def lines(*rows: list[str]) -> list[str]:
    return [element.text for element in elements_of(rows)]


@pytest.mark.parametrize("name", ["stanley-cups.csv", "stanley-cups.xlsx"])
def test_a_row_names_its_columns(tmp_path: Path, name: str) -> None:
    """Every row can be quoted alone; text above the table is its heading."""
    document = parsed(tmp_path, (FILES / name).read_bytes(), name)
    assert shape(document)[:3] == [("title", "Stanley Cups"), *(("table", row) for row in CUPS)]
    assert len(document.elements) == (4 if name.endswith("csv") else 8)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("Team,Location\nBlues,STL\n", "a.csv"),
        ("Team;Location\nBlues;STL\n", "a.csv"),
        ("Team\tLocation\r\nBlues\tSTL\r\n", "a.tsv"),
        ("Team\tLocation\nBlues\tSTL\n", "a.csv"),
        ("Team|Location\nBlues|STL\n", "a.csv"),
        ('"Team","Location"\n"Blues","STL"\n', "a.csv"),
        ('Team, Location\n"Blues", "STL"\n', "a.csv"),
    ],
)
def test_every_delimiter_is_recognised(tmp_path: Path, content: str, name: str) -> None:
    """Commas, semicolons, tabs and bars, with and without quotation marks."""
    document = parsed(tmp_path, content, name)
    assert shape(document) == [("table", "Team: Blues | Location: STL")]
    assert document.media_type == ("text/tab-separated-values" if name == "a.tsv" else "text/csv")


@pytest.mark.parametrize(
    ("content", "row"),
    [
        ("Part;Stock;Price\nBolt M8;2.400;0,12\nNut M8;85;3,90\n", "Part: Bolt M8 | Stock: 2.400 | Price: 0,12"),
        ("Bolt;1,20;0,12\nNut;2,30;3,90\n", "Bolt | 1,20 | 0,12"),
        ("Part,Note\nBolt,a; b\nNut,c; d\n", "Part: Bolt | Note: a; b"),
        ("Year,Price\n2024,12\n2025,14\n", "Year: 2024 | Price: 12"),
    ],
)
def test_decimal_commas_part_no_cells(tmp_path: Path, content: str, row: str) -> None:
    """Nor do semicolons within cells."""
    assert shape(parsed(tmp_path, content, "a.csv"))[0][1] == row


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-32-le", "gb18030", "big5"])
def test_tables_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    """A Chinese table reads the same in all of them."""
    content = "姓名,部門,天數\n張三,人事,5\n李四,市場,10\n".encode(encoding)
    assert [text for _, text in shape(parsed(tmp_path, content, "a.csv"))] == [
        "姓名: 張三 | 部門: 人事 | 天數: 5",
        "姓名: 李四 | 部門: 市場 | 天數: 10",
    ]


def test_cells_keep_their_line_breaks_as_spaces(tmp_path: Path) -> None:
    """One row is one line, whatever its cells contain; quotation marks and commas inside stay."""
    content = 'Question,Answer\n"How much, ""really""?","Five\ndays"\n'
    assert shape(parsed(tmp_path, content, "a.csv")) == [("table", 'Question: How much, "really"? | Answer: Five days')]


def test_prose_named_csv_is_text(tmp_path: Path) -> None:
    """A name alone makes no table."""
    document = parsed(tmp_path, "Just a sentence.\n\nAnd one more.\n", "a.csv")
    assert document.media_type == "text/plain"
    assert len(document.elements) == 2


def test_headers_are_found_or_not_invented() -> None:
    """Values are no header, years are; two rows of merged cells are one; a table continues after an empty row."""
    assert lines(["1", "2"], ["3", "4"]) == ["1 | 2", "3 | 4"]
    assert lines(["What is it?", "It is this."], ["Why?", "Because."]) == [
        "What is it? | It is this.",
        "Why? | Because.",
    ]
    assert lines(["Country", "2022"], ["Peru", "1.5"]) == ["Country: Peru | 2022: 1.5"]
    grouped = (["Region", "2023", "", "2024", ""], ["", "Q1", "Q2", "Q1", "Q2"], ["North", "1", "2", "3", "4"])
    assert lines(*grouped) == ["Region: North | 2023 Q1: 1 | 2023 Q2: 2 | 2024 Q1: 3 | 2024 Q2: 4"]
    assert lines(["a", "b"], ["x", "1"], ["", ""], ["y", "2"]) == ["a: x | b: 1", "a: y | b: 2"]
    assert lines(["a", "b"], ["x", "1"], ["", ""], ["c", "d"], ["y", "2"]) == ["a: x | b: 1", "c: y | d: 2"]
    assert lines(["a", "b"], ["x", "1", "beyond"]) == ["a: x | b: 1 | beyond"]
    assert lines(["Only one row", "of words"]) == ["Only one row | of words"]
    assert lines(["Note one"], ["Note two"]) == ["Note one", "Note two"]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (",2019,2020\nWages,52000,54100\nPower,310,325", "Power | 2019: 310 | 2020: 325"),
        (",,2019,2020\nWages,EUR,52000,54100", "Wages | EUR | 2019: 52000 | 2020: 54100"),
        ("Site,2024-01,2024-02\nOslo,5,7\nBergen,6,8", "Site: Bergen | 2024-01: 6 | 2024-02: 8"),
        (",2024-06-03,2024-06-04\nEarly,Mo,Li\nLate,Bo,Al", "Late | 2024-06-03: Bo | 2024-06-04: Al"),
        ("Nurse,1,2,3,4\nIda,F,S,N,\nOle,8,8,6,8", "Nurse: Ole | 1: 8 | 2: 8 | 3: 6 | 4: 8"),
        (",10,50,500\nBolt,0.5,0.4,0.3", "Bolt | 10: 0.5 | 50: 0.4 | 500: 0.3"),
        ("Room,08:00,10:00\nRed,free,Kim", "Room: Red | 08:00: free | 10:00: Kim"),
        ("Area,Sales,,Cost,\n,2023,2024,2023,2024\nWest,1,2,3,4",
         "Area: West | Sales 2023: 1 | Sales 2024: 2 | Cost 2023: 3 | Cost 2024: 4"),
        (",2023,,2024,\n,Q1,Q2,Q1,Q2\nWest,1,2,3,4", "West | 2023 Q1: 1 | 2023 Q2: 2 | 2024 Q1: 3 | 2024 Q2: 4"),
        ("Peru,1,2,3\nChile,4,5,6", "Chile | 4 | 5 | 6"),
        ("Peru,2022\nChile,2023", "Chile | 2023"),
        ("Party,2025-01-01\nTrip,2025-02-03", "Trip | 2025-02-03"),
        ("2025-01-01,login\n2025-01-02,logout", "2025-01-02 | logout"),
    ],
)  # fmt: skip
def test_years_dates_and_numbers_head_columns(table: str, expected: str) -> None:
    """Where the rows below do not go on like them; the last row of each table is compared."""
    assert lines(*(row.split(",") for row in table.split("\n")))[-1] == expected


def test_a_second_table_of_the_same_shape_has_years_of_its_own() -> None:
    """Years in the header of the table before are not those of this one."""
    rows = (",2021,2022", "Rent,1,2", ",,", ",2023,2024", "Rent,3,4")
    assert lines(*(row.split(",") for row in rows)) == ["Rent | 2021: 1 | 2022: 2", "Rent | 2023: 3 | 2024: 4"]


@pytest.mark.parametrize(
    ("value", "number_format", "expected"),
    [
        (0.125, "0.00%", "12.50%"),
        (-1234.5, "#,##0.00;[Red](#,##0.00)", "-1,234.50"),
        (0.1 + 0.2, "General", "0.3"),
        (3.0, "General", "3"),
        (5, "00000", "00005"),
        (1234.5, '"$"#,##0.00', "$1,234.50"),
        (1234.5, '_-* #,##0.00\\ "€"_-', "1,234.50 €"),
        (12, '0 "days"', "12 days"),
        (1.5, "0.0##", "1.5"),
        (12345.678, "#,##0,", "12"),
        (True, "General", "TRUE"),
        (datetime.datetime(2024, 3, 1), "mm-dd-yy", "2024-03-01"),
        (datetime.datetime(2024, 3, 1), "mmm-yy", "2024-03"),
        (datetime.datetime(2024, 3, 1, 9, 30), "m/d/yy h:mm", "2024-03-01 09:30"),
        (datetime.time(9, 30), "h:mm", "09:30"),
        (datetime.timedelta(hours=26, minutes=5), "[h]:mm", "26:05"),
    ],
)
def test_cells_are_read_as_they_are_shown(value: Any, number_format: str, expected: str) -> None:
    """Percentages, money, leading zeros, and dates in a format that is unambiguous everywhere."""
    assert shown(value, number_format) == expected


def test_sheets_are_sections(tmp_path: Path) -> None:
    """Each sheet is headed by its name; merged cells apply to each row; plain formulas without a value are computed."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "假期"
    for row in (("部门", "姓名", "天数"), ("研发", "张三", 5), (None, "李四", 10), ("市场", "王五", "=SUM(C2:C3)")):
        sheet.append(row)
    sheet.merge_cells("A2:A3")
    book.create_sheet("Empty")
    other = book.create_sheet("Other")
    other.append(("Kind", "Share"))
    other.append(("Annual", 0.5))
    other["B2"].number_format = "0%"
    target = io.BytesIO()
    book.save(target)
    document = parsed(tmp_path, target.getvalue(), "a.xlsx")
    assert shape(document) == [
        ("title", "假期"),
        ("table", "部门: 研发 | 姓名: 张三 | 天数: 5"),
        ("table", "部门: 研发 | 姓名: 李四 | 天数: 10"),
        ("table", "部门: 市场 | 姓名: 王五 | 天数: 15"),
        ("title", "Other"),
        ("table", "Kind: Annual | Share: 50%"),
    ]


def test_a_sheet_that_claims_to_be_huge_is_not_padded(tmp_path: Path) -> None:
    """One cell at the far corner of a sheet costs neither time nor memory for the cells between."""
    book = openpyxl.Workbook()
    book.active["A1"], book.active["XFD9000"] = "first", "last"
    target = io.BytesIO()
    book.save(target)
    assert [text for _, text in shape(parsed(tmp_path, target.getvalue(), "a.xlsx"))] == ["Sheet", "first", "last"]


def test_a_large_table_is_cut_between_rows(tmp_path: Path) -> None:
    """100,000 rows are read well within a test's time; each passage has whole rows."""
    rows = "".join(f"{number},Name {number},Berlin,{number * 1.5}\n" for number in range(100_000))
    document = parsed(tmp_path, f"id,name,city,amount\n{rows}", "a.csv")
    chunks = chunk_document(document, Chunking(), lambda texts: [len(text) // 4 + 1 for text in texts])
    assert len(document.elements) == 100_000
    found = [line for chunk in chunks for line in chunk.text.split("\n")]
    assert len(found) == 100_000
    assert found[4711] == "id: 4711 | name: Name 4711 | city: Berlin | amount: 7066.5"


def test_an_open_quotation_mark_swallows_nothing(tmp_path: Path) -> None:
    """An unclosed quotation mark is a character; every row after it is still a row."""
    document = parsed(tmp_path, 'a,b\n1,"open\n' + "2,3\n" * 300_000, "a.csv")
    assert len(document.elements) == 300_001
    assert document.elements[-1].text == "a: 2 | b: 3"


def test_a_field_of_many_megabytes_is_read(tmp_path: Path) -> None:
    """A cell that holds a whole file neither crashes the reader nor loses the rows around it."""
    document = parsed(tmp_path, 'a,b\n1,"' + "word " * 2_000_000 + '"\n2,3\n', "a.csv")
    assert document.elements[-1].text == "a: 2 | b: 3"
    assert sum(len(element.text) for element in document.elements) > 9_000_000


def test_workbooks_made_by_hand_are_read(tmp_path: Path) -> None:
    """The reader reads the workbooks of the tests' own helper."""
    content = simple_xlsx(("Kind", "Days"), ("Annual", 5), sheet="Leave")
    assert [text for _, text in shape(parsed(tmp_path, content, "a.xlsx"))] == ["Leave", "Kind: Annual | Days: 5"]


@pytest.mark.parametrize(
    ("number_format", "expected"), [("0" + "," * 200, "0"), ("0." + "0" * 10_000, "5.5"), ("0" * 10_000, "5.5")]
)
def test_absurd_formats_end(number_format: str, expected: str) -> None:
    """Each comma at the end divides by a thousand; a format longer than any program's is none."""
    assert shown(5.5, number_format) == expected


@pytest.mark.parametrize("row", [b"1048577", b"104857600000", b"1" + b"0" * 30])
def test_a_row_beyond_the_last_one_is_damage(tmp_path: Path, row: bytes) -> None:
    """The rows before it are not filled in."""
    source = simple_xlsx(("a", "b"), (1, 2))
    with pytest.raises(DamagedDocument, match="1048576"):
        parsed(tmp_path, replaced(source, "xl/worksheets/sheet1.xml", b'row r="2"', b'row r="' + row + b'"'), "a.xlsx")


def test_numbers_that_no_computer_holds_are_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever overflows in a library."""

    def overflow(value: Any, number_format: str) -> str:
        raise OverflowError("int too large to convert to float")

    monkeypatch.setattr("activities.readers.tables.sheets.shown", overflow)
    with pytest.raises(DamagedDocument):
        parsed(tmp_path, simple_xlsx(("a", "b"), (1, 2)), "a.xlsx")
