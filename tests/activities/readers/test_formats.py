"""Detection of formats by content, and of text encodings."""

from __future__ import annotations

import io
import struct
import zipfile
from importlib import import_module
from pathlib import Path

import docx
import pytest

from activities.errors import (
    DamagedDocument,
    EmptyDocument,
    EncryptedDocument,
    HoldfastError,
    NeedsLibreOffice,
    UnsupportedFormat,
)
from activities.readers import formats
from activities.readers.encoding import decode
from activities.readers.formats import CONVERTED, FORMATS, detect, hint
from activities.settings import ParseSettings

PDF_BYTES = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
PNG_BYTES = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00"


def archive(**members: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        for name, content in members.items():
            file.writestr(name.replace("__", "/").replace("_xml", ".xml").replace("_bin", ".bin"), content)
    return target.getvalue()


def word() -> bytes:
    target = io.BytesIO()
    docx.Document().save(target)
    return target.getvalue()


def ole(stream: str) -> bytes:
    """A minimal OLE container with one empty stream."""
    free, end, fat = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    header = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(16)
    header += struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<IIIIIIIIII", 0, 1, 1, 0, 4096, end, 0, end, 0, 0) + struct.pack("<I", free) * 108
    entries = b"".join(
        name.encode("utf-16-le").ljust(64, b"\0")
        + struct.pack("<HBBIII", 2 * len(name) + 2, kind, 1, free, free, child)
        + bytes(36)
        + struct.pack("<IQ", end, 0)
        for name, kind, child in (("Root Entry", 5, 1), (stream, 2, free))
    )
    table = struct.pack("<II", fat, end) + struct.pack("<I", free) * 126
    return header + table + entries.ljust(512, b"\0")


def found(tmp_path: Path, content: bytes, name: str) -> str:
    path = tmp_path / "original"
    path.write_bytes(content)
    return detect(path, name, ParseSettings()).name


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (b"Just text.", "notes.txt", "txt"),
        (b"# Title\n\nText", "notes.md", "md"),
        (b"# Title\n\nText", "notes.txt", "txt"),
        (b"a,b\n1,2\n", "table.csv", "csv"),
        (b"a,b\n1,2\n", "table.txt", "txt"),
        (b"a\tb\n1\t2\n", "table.tsv", "tsv"),
        (b"no table", "table.csv", "txt"),
        (b"Title\n=====\n", "notes.rst", "rst"),
        (b"* Title\n", "notes.org", "org"),
        (b"{\\rtf1\\ansi Hello}", "letter.doc", "rtf"),
        (b'{"a": [1, 2]}', "data.json", "json"),
        (b'{"a": [1, 2]}', "data", "json"),
        (b'{"a": [1, 2]}', "data.xml", "json"),
        ('{"a": "年假"}'.encode("utf-16"), "data.json", "json"),
        (b'{"a": 1}\n{"a": 2}\n', "data.ndjson", "json"),
        (b'{"a": 1, truncated', "data.json", "txt"),
        (b"[1] a footnote, not data", "notes.txt", "txt"),
        (b"<?xml version='1.0'?><a>x</a>", "data", "xml"),
        (b"<?xml version='1.0'?><a>x</a>", "data.json", "xml"),
        (b"<a>x</a>", "data.xml", "xml"),
        (b"a < b", "data.xml", "txt"),
        (b"<?xml version='1.0'?><html><body>x</body></html>", "page.xml", "html"),
        (archive(mimetype="application/epub+zip"), "book.zip", "epub"),
        (archive(mimetype="application/vnd.oasis.opendocument.text"), "letter.docx", "odt"),
        (archive(ppt__presentation_xml="<p/>"), "slides.docx", "pptx"),
        (archive(xl__workbook_xml="<w/>"), "table.csv", "xlsx"),
        (ole("__properties_version1.0"), "mail.eml", "msg"),
        (b"From a@example.org Fri Mar  6 10:00:00 2026\nSubject: x\n\nText", "archive.mbox", "mbox"),
        (b"From - Fri Mar  6 10:00:00 2026\nFrom: a\nTo: b\nMessage-ID: <1>\n\nText", "Inbox", "mbox"),
        (b"From - Fri Mar  6 10:00:00 2026\nFrom: a\n\nText", "water.eml", "eml"),
        (b"From Monday on, breakfast is served.\nFrom: the canteen\n", "notes.txt", "txt"),
        (b"X-Store-Info:abc\nFrom: a\nTo: b\nMIME-Version: 1.0\n\nText", "export", "eml"),
        (b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "event", "ics"),
        (b"No calendar at all", "event.ics", "txt"),
        (b"\x78\x9f\x3e\x22\x01\x00", "winmail.dat", "tnef"),
        (b"def f():\n    return 1\n", "code.py", "txt"),
        (b"2026-01-01 INFO started\n", "server.log", "txt"),
        (b"no extension at all", "README", "txt"),
        (b"<!DOCTYPE html>\n<html><body><p>x</p></body></html>", "page.html", "html"),
        (b"<!-- note --><html><body>x</body></html>", "page.txt", "html"),
        (b"<p>fragment</p>", "page.html", "html"),
        (b"<div align='center'>logo</div>\n\n# Title", "README.md", "md"),
        (PDF_BYTES, "scan.pdf", "pdf"),
        (PDF_BYTES, "scan.docx", "pdf"),
        (b"\n\n" + PDF_BYTES, "scan", "pdf"),
        (word(), "letter.docx", "docx"),
        (word(), "letter.txt", "docx"),
        (PNG_BYTES, "photo.txt", "png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "scan.png", "jpg"),
        (b"II*\0\x08\0\0\0", "fax", "tif"),
        (b"MM\0*\0\0\0\x08", "fax.jpg", "tif"),
        (b"BM" + bytes(12) + b"\x28\0\0\0", "old.bmp", "bmp"),
        (b"BMW builds cars.", "cars.txt", "txt"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "x.webp", "webp"),
        (b"GIF89a\x01\0\x01\0", "x.gif", "gif"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "IMG_1.HEIC", "heic"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic", "IMG_2.HEIC", "heic"),
    ],
)
def test_content_decides_and_extensions_choose_between_texts(
    tmp_path: Path, content: bytes, name: str, expected: str
) -> None:
    """The bytes determine the format; the extension only distinguishes text-like formats."""
    assert found(tmp_path, content, name) == expected


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        (b"RIFF\x24\0\0\0WAVEfmt " + bytes(40), "voice.txt", "wav"),
        (b"MZ\x90\x00\x03\x00\x00\x00" + bytes(range(256)), "setup.txt", "exe"),
        (archive(some__file="x"), "things.txt", "zip"),
        (bytes(range(256)) * 20, "data.txt", "binary"),
    ],
)
def test_other_formats_are_named_in_the_refusal(tmp_path: Path, content: bytes, name: str, kind: str) -> None:
    """The error for an unreadable file names its format and the formats that can be read."""
    with pytest.raises(UnsupportedFormat) as caught:
        found(tmp_path, content, name)
    assert caught.value.reason.params["found"] == kind
    assert caught.value.code == "unsupported-format"
    assert all(item.name in caught.value.reason.params["supported"] for item in FORMATS)


@pytest.mark.parametrize("content", [b"", b" \n\t\r\n ", b"\xef\xbb\xbf", b"\xff\xfe \x00\n\x00", "\u3000\n".encode()])
def test_nothing_but_white_space_is_empty(tmp_path: Path, content: bytes) -> None:
    """A file without a single visible character is empty, in any encoding."""
    with pytest.raises(EmptyDocument):
        found(tmp_path, content, "empty.txt")


def test_a_cut_off_archive_is_damaged(tmp_path: Path) -> None:
    """A Word file whose end is missing is reported as damaged, not as unsupported."""
    whole = word()
    with pytest.raises(DamagedDocument):
        found(tmp_path, whole[: len(whole) // 2], "letter.docx")


def test_a_broken_container_is_refused(tmp_path: Path) -> None:
    """An OLE container that is neither readable nor encrypted ends in one of Holdfast's errors."""
    with pytest.raises(HoldfastError):
        found(tmp_path, bytes.fromhex("D0CF11E0A1B11AE1") + b"\x00" * 1024, "old.doc")


def test_protected_office_files_are_told_from_old_ones(tmp_path: Path) -> None:
    """A Word file with a password is an OLE container too: it is reported as encrypted."""
    with pytest.raises(EncryptedDocument):
        found(tmp_path, ole("EncryptedPackage"), "secret.docx")


@pytest.mark.parametrize(
    ("content", "name", "kind", "target"),
    [
        (archive(mimetype="application/vnd.oasis.opendocument.spreadsheet"), "table.xlsx", "ods", "xlsx"),
        (archive(mimetype="application/vnd.oasis.opendocument.presentation"), "talk", "odp", "pptx"),
        (archive(xl__workbook_bin="x"), "table.xlsx", "xlsb", "xlsx"),
        (ole("Workbook"), "table.xlsx", "xls", "xlsx"),
        (ole("PowerPoint Document"), "slides.pptx", "ppt", "pptx"),
        (ole("WordDocument"), "old.doc", "doc", "docx"),
    ],
)
def test_old_office_files_need_libreoffice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, name: str, kind: str, target: str
) -> None:
    """Without LibreOffice the refusal names what to save the file as; with it, its reader gets the file."""
    monkeypatch.setattr(formats, "libreoffice", lambda: None)
    with pytest.raises(NeedsLibreOffice) as caught:
        found(tmp_path, content, name)
    assert caught.value.reason.params == {"found": kind, "target": target}
    monkeypatch.setattr(formats, "libreoffice", lambda: Path("/somewhere/soffice.bin"))
    assert found(tmp_path, content, name) == kind


def test_every_format_has_names_for_people() -> None:
    """Each has one name, a reader, extensions that no other format has, and a title in both languages."""
    every = (*FORMATS, *CONVERTED)
    assert len({item.name for item in every}) == len(every)
    extensions = [extension for item in every for extension in item.extensions]
    assert len(set(extensions)) == len(extensions)
    for item in every:
        assert callable(import_module(item.reader).read)
        assert item.title("en")
        assert item.title("zh")


def test_hint_holds_only_what_content_lacks() -> None:
    """Names that lead to the same reading of the same bytes have the same hint."""
    assert hint("a.txt") == hint("b") == hint("c.PDF") == ""
    assert (
        len({hint(f"a.{kind}") for kind in ("txt", "md", "html", "py", "csv", "tsv", "rst", "org", "json", "eml")})
        == 10
    )


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("你好，世界", "gb18030"),
        ("测试", "gb18030"),
        ("年假", "gb18030"),
        ("差旅报销", "gbk"),
        ("员工请假须提前三天申请。", "gb18030"),
        ("請假規定", "big5"),
        ("員工請假須提前三天申請。", "big5"),
        ("你好 world", "utf-8"),
        ("你好 world", "utf-8-sig"),
        ("hello 世界", "utf-16"),
        ("hello 世界", "utf-32"),
        ("hello 世界", "utf-32-be"),
        ("员工请假须提前三天申请。", "utf-16-le"),
        ("员工请假须提前三天申请。", "utf-16-be"),
        ("plain words", "utf-16-le"),
        ("café crème", "cp1252"),
        ("Müller wohnt in Köln – schön", "cp1252"),
        ("Größe", "cp1252"),
        ("naïve “quotes”", "cp1252"),
        ("Привет, как дела? Это русский текст.", "cp1251"),
        ("これは日本語のテキストです。会議は三時から始まります。", "shift_jis"),
        ("안녕하세요. 반갑습니다. 이것은 한국어 텍스트입니다.", "euc_kr"),
    ],
)
def test_encodings_are_recognised_even_in_short_texts(text: str, encoding: str) -> None:
    """Text is decoded as it was written, whatever its encoding."""
    assert decode(text.encode(encoding)) == text


def test_a_cut_at_any_byte_still_sniffs_as_text() -> None:
    """The head of a file may end within a character."""
    data = "报销制度与请假规定。".encode() * 50
    assert all(decode(data[:length], partial=True) is not None for length in range(300, 306))


def test_control_characters_are_not_text() -> None:
    """Bytes that decode but contain control characters are not text."""
    assert decode(bytes(range(32)) * 100) is None
