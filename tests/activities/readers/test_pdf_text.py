"""PDF: the order of the text, raised characters, notes, running lines, and text that is not what it seems."""

from __future__ import annotations

from pathlib import Path

import pytest

from activities.phrases import RemarkText
from activities.readers.pdf import reader
from activities.readers.reading import Reading
from activities.settings import ParseSettings
from tests.documents import page, pdf, pdf_of, set_text

Placed = tuple[float, float, float, str, str]

FULL = "This paragraph is long and every line of it is filled to the right margin and"


def reading(tmp_path: Path, content: bytes, **settings: str) -> Reading:
    path = tmp_path / "a.pdf"
    path.write_bytes(content)
    limits = ParseSettings(ocr="off", **settings)  # type: ignore[arg-type]
    return reader.read(path, "a.pdf", limits, lambda done, total: None)


def texts(tmp_path: Path, content: bytes) -> list[str]:
    return [item.text for item in reading(tmp_path, content).elements]


WIDTHS = {" ": 278, ".": 278, ",": 278, "m": 833, "C": 722, "O": 778, "x": 500, "t": 278, "f": 278, "i": 222, "l": 222,
          "j": 222, "r": 333, "c": 500, "k": 500, "s": 500, "v": 500, "y": 500, "z": 500, "w": 722, "I": 278,
          "T": 611, "A": 667, "W": 944, "(": 333, ")": 333}  # fmt: skip


def run(x: float, y: float, size: float, *parts: str) -> list[Placed]:
    """A line of Helvetica in parts; a part that begins with ^ is raised, one that begins with _ lowered."""
    line: list[Placed] = []
    for part in parts:
        shift = {"^": 0.35, "_": -0.15}.get(part[0], 0.0)
        text, used = (part[1:], 0.7 * size) if shift else (part, size)
        line.append((x, y + shift * size, used, "R", text))
        x += sum(WIDTHS.get(character, 556) for character in text) * used / 1000
    return line


def test_exponents_and_indexes_are_no_digits_of_the_number(tmp_path: Path) -> None:
    """Raised and lowered characters become their Unicode forms; ordinals stay as they are."""
    lines = [
        *run(72, 760, 11, "The vessel holds 12 m", "^3", " at a load of 6 x 10", "^4", " pascal."),
        *run(72, 746, 11, "It leaks 3 x 10", "^-7", " litres, and the CO", "_2", " is let out on the 14", "^th", "."),
    ]
    assert texts(tmp_path, pdf([lines])) == [
        "The vessel holds 12 m³ at a load of 6 x 10⁴ pascal.",
        "It leaks 3 x 10⁻⁷ litres, and the CO₂ is let out on the 14th.",
    ]


def test_a_mark_leads_to_its_note(tmp_path: Path) -> None:
    """The mark leaves its number, and the note at the foot follows the paragraph; notes may share a line."""
    lines = [
        *run(72, 760, 11, "The basin holds 900 m", "^2", " of water, and a berth costs 85", "^2", " euros a"),
        *run(72, 746, 11, "year in the basin and 1,240", "^13", " euros outside of it."),
        *run(72, 80, 8, "^2", " Without electricity. ", "^13", " Members only."),
    ]
    assert texts(tmp_path, pdf([lines])) == [
        "The basin holds 900 m² of water, and a berth costs 85 euros a year in the basin and 1,240 euros outside of it."
        " (note 2: Without electricity.) (note 13: Members only.)"
    ]


def test_a_mark_without_a_note_stands_apart(tmp_path: Path) -> None:
    """A mark whose note is nowhere is kept, and touches no number."""
    lines = run(72, 760, 11, "The gate was rebuilt in 1894", "^7", " after the flood.")
    assert texts(tmp_path, pdf([lines])) == ["The gate was rebuilt in 1894 ⁷ after the flood."]


@pytest.mark.parametrize("mark", ["2 ", "2) ", "^2"])
def test_a_note_does_not_part_a_sentence(tmp_path: Path, mark: str) -> None:
    """A sentence goes on over the page, past the small print at its foot."""
    first = [
        *run(72, 130, 11, "A fee of 45", "^2", " euros is due for the boats that lie in the basin before the"),
        *[(72.0, 116.0 - 14 * row, 11.0, "R", FULL) for row in range(2)],
        *(
            run(72, 70, 8, "^2", "From the first of May.")
            if mark == "^2"
            else run(72, 70, 8, f"{mark}From the first of May.")
        ),
    ]
    found = texts(tmp_path, pdf([first, page(("is paid at the office.", "R", 11))]))
    assert len(found) == 1
    assert found[0].startswith("A fee of 45 euros is due")
    assert found[0].endswith("margin and is paid at the office. (note 2: From the first of May.)")


LEFT = [
    "The ferry to the island leaves",
    "every hour from the east pier,",
    "and in July also at night when",
    "the theatre has its season. In",
    "winter there is no crossing at",
    "all while the ice is too thin.",
]
RIGHT = [
    "Bread is baked in the old mill",
    "on the first Sunday of a month",
    "by the baker and his children.",
    "who want to help should bring",
    "an apron and be there at seven",
    "when the oven is being heated.",
]
THIRD = [
    "Lost things are kept by the",
    "warden in the tower for half",
    "a year and then given to the",
    "school, whose pupils sell at",
    "the fair what nobody came to",
    "fetch from the cupboard here.",
]


def beside(*columns: list[str], step: float) -> list[Placed]:
    rows = zip(*columns, strict=True)
    return [
        (60 + step * column, 700.0 - 13 * row, 10.0, "R", text)
        for row, texts in enumerate(rows)
        for column, text in enumerate(texts)
    ]


def test_columns_that_were_written_row_by_row(tmp_path: Path) -> None:
    """Two and three columns are read one after the other, below the heading that crosses them."""
    heading = (60.0, 740.0, 16.0, "B", "News of the harbour for everybody on the island")
    two = pdf([[heading, *beside(LEFT, RIGHT, step=180)]])
    assert texts(tmp_path, two) == [heading[4], " ".join(LEFT), " ".join(RIGHT)]
    three = pdf([[heading, *beside(LEFT, RIGHT, THIRD, step=170)]])
    assert texts(tmp_path, three) == [heading[4], " ".join(LEFT), " ".join(RIGHT), " ".join(THIRD)]


def test_columns_in_one_string_with_a_gap(tmp_path: Path) -> None:
    """A producer may set a whole row as one text with a wide gap in it."""
    rows = [
        b"BT /R 10 Tf 60 %d Td [(%s)-2600(%s)] TJ ET" % (700 - 13 * row, left.encode(), right.encode())
        for row, (left, right) in enumerate(zip(LEFT, RIGHT, strict=True))
    ]
    assert texts(tmp_path, pdf_of([b"\n".join(rows)])) == [" ".join(LEFT), " ".join(RIGHT)]


def test_chinese_columns(tmp_path: Path) -> None:
    """Chinese columns have no spaces but the gutter."""
    left = [
        "园区北门自三月起关闭施工期",
        "间请绕行南门施工预计六月底",
        "结束届时北门重新开放供车辆",
        "通行特此通知各位业主知悉。",
    ]
    right = [
        "食堂五月二日起停业检修期间",
        "在会议中心供餐供应时间为十",
        "一点至十四点价格保持不变请",
        "大家相互转告谢谢大家配合。",
    ]
    rows = [
        (60.0 + 240 * side, 700.0 - 14 * row, 11.0, "C", text)
        for row, pair in enumerate(zip(left, right, strict=True))
        for side, text in enumerate(pair)
    ]
    assert texts(tmp_path, pdf([rows])) == ["".join(left), "".join(right)]


def test_tables_and_lists_are_no_columns(tmp_path: Path) -> None:
    """Cells that stand side by side stay on their row, and a list keeps its numbers."""
    people = [
        "Petra Lund, head of the north",
        "Jorma Kettu, the south region",
        "Dora Mancini, west and centre",
        "Enzo Galli, the new east side",
    ]
    calls = [
        "Calls are answered in 8 hours",
        "Calls are answered in 6 hours",
        "Calls are answered in 5 hours",
        "Calls are answered in 7 hours",
    ]
    table = texts(tmp_path, pdf([beside(people, calls, step=240)]))
    assert "Dora Mancini, west and centre Calls are answered in 5 hours" in " ".join(table)
    listed = texts(tmp_path, pdf([beside(["1.", "2.", "3.", "4."], LEFT[:4], step=30)]))
    assert "1. The ferry" in " ".join(listed)


@pytest.mark.parametrize("count", [2, 3])
def test_running_lines_of_few_pages(tmp_path: Path, count: int) -> None:
    """Headers and footers of two and three pages are dropped, and the sentence between the pages is whole."""
    pages = []
    for number in range(1, count + 1):
        body = page(*[(FULL, "R", 11)] * 3) if number < count else page(("goes on here until it ends.", "R", 11))
        header = [
            (72.0, 815.0, 9, "R", "Northern Waterworks - Procedure 7"),
            (72.0, 803.0, 9, "R", f"Page {number} of {count}"),
        ]
        pages.append([*header, *body, (72.0, 30.0, 9, "R", "Printed copies are not controlled")])
    found = texts(tmp_path, pdf(pages))
    assert not any("Waterworks" in text or "Printed" in text or "Page" in text for text in found)
    assert found[-1].endswith("margin and goes on here until it ends.")


@pytest.mark.parametrize("count", [4, 5, 7])
def test_running_lines_of_facing_pages(tmp_path: Path, count: int) -> None:
    """The book's title on the left pages and the chapter's on the right ones, on too few pages to count each."""
    pages = []
    for number in range(1, count + 1):
        body = page(*[(FULL, "R", 11)] * 3) if number < count else page(("goes on here until it ends.", "R", 11))
        side = (72.0, "The Northern Waterworks") if number % 2 == 0 else (420.0, "Rates and fees")
        pages.append([(side[0], 815.0, 9, "R", side[1]), *body])
    found = texts(tmp_path, pdf(pages))
    assert not any("Waterworks" in text or "fees" in text for text in found)
    assert found[-1].endswith("margin and goes on here until it ends.")


def test_text_that_comes_back_on_every_second_page_is_kept(tmp_path: Path) -> None:
    """At the top of a page, but neither apart from its text nor facing another such line."""
    pages = []
    for number in range(1, 7):
        said = "Ask at the counter first." if number % 2 else f"Page {number} says something of its own here."
        pages.append([(72.0, 790.0, 11, "R", said), (72.0, 776.0, 11, "R", f"It is line {number}.")])
    assert sum("Ask at the counter" in text for text in texts(tmp_path, pdf(pages))) == 3


def test_a_repeated_heading_is_no_running_line(tmp_path: Path) -> None:
    """A bold line of the text's size at the top of both pages heads what follows it."""
    pages = [
        [
            (72.0, 790.0, 11, "B", "Opening times"),
            *page((f"The pool number {number} is open all day, but not at noon.", "R", 11)),
        ]
        for number in (1, 2)
    ]
    assert texts(tmp_path, pdf(pages)).count("Opening times") == 2


def test_words_divided_at_the_end_of_a_page(tmp_path: Path) -> None:
    """The two parts of a word are joined, and so is its sentence."""
    first = page((FULL, "R", 11), ("and the sentence is about a long divi-", "R", 11), top=100)
    found = texts(tmp_path, pdf([first, page(("ded word and something else.", "R", 11))]))
    assert found == [f"{FULL} and the sentence is about a long divided word and something else."]


COLUMNS = ["館內不得飲食，亦不得高聲談話，", "違者由館員請其離館。每人一次", "至多可借五冊，為期三週。"]


def test_upright_columns_are_read_from_the_right(tmp_path: Path) -> None:
    """Whether set in an upright font or sign by sign, in whatever order: columns are joined without spaces."""
    whole = [set_text(500 - 22 * number, 780, 12, "V", column) for number, column in enumerate(COLUMNS)]
    signs = [
        set_text(500 - 22 * number, 780 - 12 * row, 12, "C", sign)
        for row in range(15)
        for number, column in enumerate(COLUMNS)
        for sign in column[row : row + 1]
    ]
    for stream in (whole, whole[::-1], signs):
        assert texts(tmp_path, pdf_of([b"\n".join(stream)])) == ["".join(COLUMNS)]


def test_letters_of_one_arabic_glyph_keep_their_order(tmp_path: Path) -> None:
    """The line is stored from left to right; lam and alef are one glyph."""
    glyphs = ["ا", "لإ", "ن", "ت", "ا", "ج", " ", "ا", "لآ", "ن", " ", "2", "4"]
    codes = {glyph: 0x41 + number for number, glyph in enumerate(dict.fromkeys(glyphs))}
    shown = bytes(codes[glyph] for glyph in [*glyphs[-2:], *glyphs[-3::-1]])
    stream = b"BT /U 12 Tf 100 700 Td <%s> Tj ET" % shown.hex().encode()
    content = pdf_of([stream], {code: glyph for glyph, code in codes.items()})
    assert texts(tmp_path, content) == ["الإنتاج الآن 24"]


def test_korean_lines_are_joined_with_a_space(tmp_path: Path) -> None:
    """Korean is written with spaces, and so is a line break between words."""
    syllables = "직원은휴가사흘전에신청서를내야한다"
    codes = {syllable: 0x41 + number for number, syllable in enumerate(dict.fromkeys(syllables))}
    lines = ["직원은 휴가 사흘 전에", "신청서를 내야한다"]
    shown = [bytes(codes.get(sign, 0x20) for sign in line).hex().encode() for line in lines]
    stream = b"BT /U 12 Tf 100 700 Td <%s> Tj 0 -15 Td <%s> Tj ET" % (shown[0], shown[1])
    content = pdf_of([stream], {0x20: " ", **{code: syllable for syllable, code in codes.items()}})
    assert texts(tmp_path, content) == ["직원은 휴가 사흘 전에 신청서를 내야한다"]


def test_a_glyph_that_stands_for_a_line_feed(tmp_path: Path) -> None:
    """Control characters are spaces of a line, not its end."""
    content = pdf_of([set_text(72, 700, 11, "U", "Towels cost two euros.~Soap is free.")], {0x7E: "\n"})
    assert texts(tmp_path, content) == ["Towels cost two euros. Soap is free."]


@pytest.mark.parametrize("rotate", [False, True])
@pytest.mark.parametrize(
    ("turn", "matrix", "x", "y", "dx", "dy"),
    [(90, "0 1 -1 0", 100, 100, 14, 0), (180, "-1 0 0 -1", 500, 700, 0, 14), (270, "0 -1 1 0", 500, 700, -14, 0)],
)
def test_turned_text(tmp_path: Path, turn: int, matrix: str, x: int, y: int, dx: int, dy: int, rotate: bool) -> None:
    """A page whose text runs another way is read as if it were turned, whatever the page's own rotation is."""
    lines = [
        "The second gate is opened at seven, and",
        "the first one an hour before the ferries",
        "come back from the island.",
    ]
    stream = [set_text(x + dx * row, y + dy * row, 11, "R", line, matrix) for row, line in enumerate(lines)]
    content = pdf_of([b"\n".join(stream)], rotate=turn if rotate else 0)
    assert texts(tmp_path, content) == [" ".join(lines)]


def test_text_that_is_not_drawn_is_left_out(tmp_path: Path) -> None:
    """Invisible text over no image is hidden content: skipped and counted, or read on request."""
    hidden = b"BT 3 Tr /R 11 Tf 72 600 Td (The secret word is quicksilver) Tj ET"
    content = pdf_of([set_text(72, 700, 11, "R", "Everybody may read this line.") + b"\n" + hidden])
    skipped = reading(tmp_path, content)
    assert [item.text for item in skipped.elements] == ["Everybody may read this line."]
    assert skipped.remarks == {RemarkText.HIDDEN_TEXT: 1}
    assert len(reading(tmp_path, content, hidden="read").elements) == 2
