"""Forms in PDFs: what was filled in follows its label."""

from __future__ import annotations

from pathlib import Path

from activities.readers.pdf import reader
from activities.settings import ParseSettings
from tests.documents import pdf

PRINTED = [
    (50, 800, 18, "B", "Visitor registration"),
    (50, 760, 11, "R", "Visitor"),
    (50, 730, 11, "R", "Host:"),
    (50, 700, 11, "R", "Remarks"),
    (70, 640, 11, "R", "Parking"),
    (170, 640, 11, "R", "Lunch"),
    (50, 610, 11, "R", "Hand this form in at the gate."),
]


def texts(tmp_path: Path, content: bytes) -> list[str]:
    """The texts of a PDF's elements."""
    path = tmp_path / "form.pdf"
    path.write_bytes(content)
    limits = ParseSettings(ocr="off")
    return [item.text for item in reader.read(path, path.name, limits, lambda done, total: None).elements]


def field(kind: str, name: str, value: str, box: tuple[int, int, int, int], more: str = "") -> str:
    """A form field with its widget."""
    place = " ".join(map(str, box))
    state = f"/AS{value}" if kind == "Btn" else ""
    return f"<</Type/Annot/Subtype/Widget/FT/{kind}/T({name})/V{value}{state}/Rect[{place}]{more}>>"


def form(*fields: str) -> bytes:
    """The printed page with these fields."""
    content = pdf([PRINTED])
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
        field("Btn", "d", "/Yes", (52, 638, 64, 650), "/AP<</N<</Yes null/Off null>>>>"),
        field("Btn", "e", "/Off", (152, 638, 164, 650), "/AP<</N<</Yes null/Off null>>>>"),
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
