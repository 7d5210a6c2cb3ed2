"""Forms in PDFs: what was filled in follows its label."""

from __future__ import annotations

from pathlib import Path

from activities.phrases import RemarkText
from activities.readers.pdf import reader
from activities.readers.reading import Reading
from activities.settings import ParseSettings
from tests.documents import pdf

Lines = list[tuple[float, float, float, str, str]]
PRINTED: Lines = [
    (50, 800, 18, "B", "Visitor registration"),
    (50, 760, 11, "R", "Visitor"),
    (50, 730, 11, "R", "Host:"),
    (50, 700, 11, "R", "Remarks"),
    (70, 640, 11, "R", "Parking"),
    (170, 640, 11, "R", "Lunch"),
    (50, 610, 11, "R", "Hand this form in at the gate."),
]


BOX = "/AP<</N<</Yes null/Off null>>>>"


def read(tmp_path: Path, content: bytes) -> Reading:
    path = tmp_path / "form.pdf"
    path.write_bytes(content)
    return reader.read(path, path.name, ParseSettings(ocr="off"), lambda done, total: None)


def texts(tmp_path: Path, content: bytes) -> list[str]:
    """The texts of a PDF's elements."""
    return [item.text for item in read(tmp_path, content).elements]


def field(kind: str, name: str, value: str, box: tuple[int, int, int, int], more: str = "") -> str:
    """A form field with its widget."""
    place = " ".join(map(str, box))
    state = f"/AS{value}" if kind == "Btn" else ""
    return f"<</Type/Annot/Subtype/Widget/FT/{kind}/T({name})/V{value}{state}/Rect[{place}]{more}>>"


def form(*fields: str, printed: Lines = PRINTED, drawing: str = "") -> bytes:
    """The printed page with these fields."""
    content = pdf([printed], [drawing])
    numbers = range(30, 30 + len(fields))
    references = " ".join(f"{number} 0 R" for number in numbers)
    catalog = f"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[{references}]>>>>".encode()
    content = content.replace(b"<</Type/Catalog/Pages 2 0 R>>", catalog).replace(
        b"/Rotate 0", f"/Rotate 0/Annots[{references}]".encode()
    )
    objects = "".join(f"{number} 0 obj\n{one}\nendobj\n" for number, one in zip(numbers, fields, strict=True))
    return content.replace(b"xref\n", objects.encode("utf-8") + b"xref\n", 1)


def test_values_follow_their_labels(tmp_path: Path) -> None:
    """Beside the label or below it; boxes stand before theirs; empty fields, hidden ones and passwords are none."""
    content = form(
        field("Tx", "a", "(Ines Okafor)", (150, 756, 300, 772)),
        field("Ch", "b", "(Dr. Lindqvist)", (150, 726, 300, 742)),
        field("Tx", "c", "(Brings a drill)", (50, 670, 300, 690)),
        field("Btn", "d", "/Yes", (52, 638, 64, 650), BOX),
        field("Btn", "e", "/Off", (152, 638, 164, 650), BOX),
        field("Tx", "Badge", "(B-17)", (400, 500, 500, 516)),
        field("Tx", "f", "()", (400, 470, 500, 486)),
        field("Tx", "g", "(secret)", (400, 440, 500, 456), "/Ff 8192"),
        field("Tx", "h", "(hidden)", (400, 410, 500, 426), "/F 2"),
    )
    found = texts(tmp_path, content)
    assert found == [
        "Visitor registration", "Visitor: Ines Okafor", "Host: Dr. Lindqvist", "Remarks: Brings a drill",
        "☒ Parking ☐ Lunch", "Hand this form in at the gate.", "Badge: B-17",
    ]  # fmt: skip


def test_a_page_of_many_fields_is_read(tmp_path: Path) -> None:
    """A thousand fields in one place do no harm."""
    many = (field("Tx", f"n{number}", "(x)", (150, 756, 300, 772)) for number in range(1000))
    assert texts(tmp_path, form(*many))[1].startswith("Visitor: x x x")


def test_fields_beside_one_another_have_labels_of_their_own(tmp_path: Path) -> None:
    """Labels before their fields, over blanks that are printed, and above them; an empty field leaves its label."""
    printed: Lines = [
        (50, 800, 18, "B", "Boat hire"),
        (50, 760, 11, "R", "Skipper:"), (300, 760, 11, "R", "Licence:"),
        (50, 730, 11, "R", "From:"), (300, 730, 11, "R", "To:"),
        (50, 700, 11, "R", "Boat: __________ Berth: ________"),
        (50, 670, 11, "R", "Deposit"), (300, 670, 11, "R", "Payment"),
        (50, 610, 11, "R", "Date of birth"),
    ]  # fmt: skip
    content = form(
        field("Tx", "a", "(Ana)", (110, 756, 280, 772)),
        field("Tx", "b", "(L-9)", (360, 756, 500, 772)),
        field("Tx", "c", "()", (110, 726, 280, 742)),
        field("Tx", "d", "(6 June)", (360, 726, 500, 742)),
        field("Tx", "e", "(Tern)", (80, 698, 140, 712)),
        field("Tx", "f", "(B4)", (180, 698, 230, 712)),
        field("Tx", "g", "(200 euros)", (50, 646, 280, 662)),
        field("Tx", "h", "(in cash)", (300, 646, 500, 662)),
        *(field("Tx", f"i{at}", f"({part})", (150 + at, 606, 170 + at, 622)) for at, part in ((0, 17), (30, 8))),
        printed=printed,
    )
    assert texts(tmp_path, content) == [
        "Boat hire", "Skipper: Ana", "Licence: L-9", "From:", "To: 6 June", "Boat: Tern", "Berth: B4",
        "Deposit: 200 euros", "Payment: in cash", "Date of birth: 17 8",
    ]  # fmt: skip


def test_rows_of_fields_are_rows(tmp_path: Path) -> None:
    """Each row under a row of labels is one line with the labels; between rules it is a row of the table."""
    printed: Lines = [
        (50, 800, 18, "B", "Stores"),
        *((60 + 100 * at, 760, 11, "R", label) for at, label in enumerate(("Item", "Pieces", "Shelf"))),
    ]
    fields = [
        field("Tx", f"t{row}{at}", f"({value})", (52 + 100 * at, 734 - 20 * row, 148 + 100 * at, 750 - 20 * row))
        for row, values in enumerate((("rope", 4, "A"), ("lamp", 9, "C")))
        for at, value in enumerate(values)
    ]
    assert texts(tmp_path, form(*fields, printed=printed)) == [
        "Stores", "Item: rope | Pieces: 4 | Shelf: A", "Item: lamp | Pieces: 9 | Shelf: C",
    ]  # fmt: skip
    rules = [f"50 {y} m 350 {y} l S" for y in (773, 753, 733, 713)]
    rules += [f"{x} 713 m {x} 773 l S" for x in (50, 150, 250, 350)]
    assert texts(tmp_path, form(*fields, printed=printed, drawing="\n".join(rules))) == [
        "Stores", "Item | Pieces | Shelf\nrope | 4 | A\nlamp | 9 | C",
    ]  # fmt: skip


def test_boxes_stand_before_their_labels(tmp_path: Path) -> None:
    """A row of choices stays together; the label may go on in the next line, or stand left of its box."""
    printed: Lines = [
        (50, 800, 18, "B", "Trip"),
        (50, 760, 11, "R", "Meal:"), (120, 760, 11, "R", "fish"), (190, 760, 11, "R", "no fish"),
        (300, 760, 11, "R", "Guests:"),
        (70, 730, 11, "R", "I agree that the club keeps my address for"), (70, 717, 11, "R", "as long as I stay."),
        (50, 690, 11, "R", "Insured:"),
    ]  # fmt: skip
    content = form(
        field("Btn", "m", "/Yes", (104, 758, 116, 770), BOX),
        field("Btn", "n", "/Off", (172, 758, 184, 770), BOX),
        field("Tx", "g", "(three)", (360, 756, 460, 772)),
        field("Btn", "o", "/Yes", (52, 728, 64, 740), BOX),
        field("Btn", "p", "/Yes", (150, 688, 162, 700), BOX),
        printed=printed,
    )
    assert texts(tmp_path, content) == [
        "Trip", "Meal: ☒ fish ☐ no fish", "Guests: three",
        "☒ I agree that the club keeps my address for as long as I stay.", "☒ Insured",
    ]  # fmt: skip


def test_lists_show_what_was_chosen(tmp_path: Path) -> None:
    """The choices as they are shown, not as they are stored; the lines of a value are joined; a title stays one."""
    printed: Lines = [
        (50, 800, 18, "B", "Cabins"), (50, 740, 11, "R", "Days"), (50, 690, 11, "R", "Cabin"),
        (50, 650, 11, "R", "Address"), (50, 580, 11, "R", "Thank you."),
    ]  # fmt: skip
    content = form(
        field("Tx", "x", "(Northern line)", (50, 775, 200, 797), "/TU(Ferry)"),
        field("Ch", "l", "[(m)(t)]", (120, 710, 200, 752), "/Ff 2097152/Opt[[(m)(Monday)][(t)(Tuesday)][(w)(Sunday)]]"),
        field("Ch", "k", "(2)", (120, 688, 200, 702), "/Ff 131072/Opt[[(1)(Forward)][(2)(Aft)]]"),
        field("Tx", "m", "(1 Mill Lane\\nLeeds)", (120, 620, 250, 662), "/Ff 4096"),
        printed=printed,
    )
    assert texts(tmp_path, content) == [
        "Cabins", "Ferry: Northern line", "Days: Monday, Tuesday", "Cabin: Aft", "Address: 1 Mill Lane Leeds",
        "Thank you.",
    ]  # fmt: skip


def test_comments_name_their_authors(tmp_path: Path) -> None:
    """Also where there is no form; what was typed on the page goes to its label; hidden notes are counted."""

    def note(kind: str, text: str, y: int, more: str = "") -> str:
        return f"<</Type/Annot/Subtype/{kind}/Contents({text})/Rect[150 {y} 250 {y + 16}]{more}>>"

    content = form(
        note("FreeText", "Ines Okafor", 756, "/IT/FreeTextTypewriter/DA(/R 10 Tf)"),
        note("Text", "Ask for her pass", 740, "/T(Ola Berg)"),
        note("FreeText", "Paid in cash", 560, "/DA(/R 10 Tf)"),
        note("Text", "Accepted", 560, "/StateModel(Review)/State(Accepted)"),
        note("Text", "nobody sees this", 560, "/F 2"),
    ).replace(b"/AcroForm", b"/Ignored")
    reading = read(tmp_path, content)
    assert [item.text for item in reading.elements] == [
        "Visitor registration", "Visitor: Ines Okafor", "Comment by Ola Berg: Ask for her pass", "Host: Remarks",
        "Parking Lunch Hand this form in at the gate.", "Comment: Paid in cash",
    ]  # fmt: skip
    assert reading.remarks == {RemarkText.HIDDEN_TEXT: 1}


def test_fields_beyond_the_limit_are_counted(tmp_path: Path) -> None:
    """So many fields are read, each by its name, and the others are left out; long values are cut."""
    one = field("Tx", "Note", f"({'x' * 20_000})", (150, 756, 300, 772))
    content = form(one, *[field("Tx", "n", "()", (150, 756, 300, 772))] * 10_004)
    reading = read(tmp_path, content)
    assert "Note: " + "x" * 10_000 in [item.text for item in reading.elements]
    assert reading.remarks == {RemarkText.FIELDS: 5}
