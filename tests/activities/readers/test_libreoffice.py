"""Old Office files, converted by LibreOffice."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import docx
import pytest

from activities.errors import DamagedDocument, EncryptedDocument
from activities.readers.installed import libreoffice
from activities.readers.libreoffice import read
from activities.settings import ParseSettings
from tests.activities.readers.conftest import parsed, shape
from tests.documents import ole, simple_pptx, simple_xlsx, word

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(libreoffice() is None and "CI" not in os.environ, reason="LibreOffice is not installed"),
]


def converted(folder: Path, content: bytes, source: str, target: str) -> bytes:
    """The same document in an old format, as LibreOffice saves it."""
    path = folder / f"made.{source}"
    path.write_bytes(content)
    command = ["soffice", "--headless", f"-env:UserInstallation={(folder / 'own').as_uri()}", "--convert-to", target]
    subprocess.run([*command, "--outdir", str(folder), str(path)], check=True, capture_output=True)
    return (folder / f"made.{target}").read_bytes()


def test_old_documents_tables_and_slides_are_read(tmp_path: Path) -> None:
    """What they say is what the same document says in its new format."""
    letter = docx.Document()
    letter.add_heading("Leave policy", 1)
    letter.add_paragraph("Leave is requested three days ahead. 年假须提前申请。")
    table = letter.add_table(2, 2)
    for cell, text in zip(table._cells, ("Tariff", "Price", "Basic", "19.90"), strict=True):
        cell.text = text
    letter.add_paragraph("It is granted in writing.")
    new = parsed(tmp_path, word(letter), "letter.docx")
    old = parsed(tmp_path, converted(tmp_path, word(letter), "docx", "doc"), "letter.doc")
    assert shape(old) == shape(new)
    assert old.media_type == "application/msword"
    sheet = simple_xlsx(("City", "Hours"), ("Köln", 7.5))
    for kind in ("xls", "ods"):
        old = parsed(tmp_path, converted(tmp_path, sheet, "xlsx", kind), f"book.{kind}")
        assert shape(old) == shape(parsed(tmp_path, sheet, "book.xlsx"))
    slides = simple_pptx("Safety", "Helmets are worn.")
    old = parsed(tmp_path, converted(tmp_path, slides, "pptx", "ppt"), "a.ppt")
    assert shape(old) == shape(parsed(tmp_path, slides, "a.pptx"))


def test_a_file_that_only_looks_old_is_damaged(tmp_path: Path) -> None:
    """LibreOffice makes nothing of it, which is said without a path or a word of its own."""
    with pytest.raises(DamagedDocument) as caught:
        parsed(tmp_path, ole({"PowerPoint Document": b"nothing", "Current User": b"nobody"}), "old.ppt")
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    ("streams", "name"),
    [
        ({"WordDocument": bytes(11) + b"\x01" + bytes(500)}, "old.doc"),
        ({"Workbook": b"\x09\x08\x02\0\0\0" + b"\x2f\0" + bytes(500)}, "old.xls"),
        ({"PowerPoint Document": bytes(512), "Current User": bytes(12) + b"\xdf\xc4\xd1\xf3"}, "old.ppt"),
    ],
)
def test_an_old_file_with_a_password_is_encrypted(tmp_path: Path, streams: dict[str, bytes], name: str) -> None:
    """It is told before LibreOffice is asked."""
    path = tmp_path / "original"
    path.write_bytes(ole(streams))
    with pytest.raises(EncryptedDocument):
        read(path, name, ParseSettings(), lambda done, total: None)
