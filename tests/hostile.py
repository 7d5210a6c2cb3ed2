"""Makes hostile files: small or plain, and once more work than a worker could do. ``python -m tests.hostile FOLDER``.

Each is named by its extension. Nothing in them is secret or harmful but the time and memory that they ask for.
"""

from __future__ import annotations

import io
import json
import random
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

MILLION = 1_000_000


def _png(width: int, height: int) -> bytes:
    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"".join(b"\0" + b"\xff" * width for _ in range(height)), 9)
    header = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", rows) + part(b"IEND", b"")


def _tiff(pages: int) -> bytes:
    """Many pages of one pixel."""
    entries = [(256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, 1)]
    size = 2 + 12 * len(entries) + 4
    made = bytearray(b"II*\0" + struct.pack("<I", 12) + b"\xff\0\0\0")
    for page in range(pages):
        made += struct.pack("<H", len(entries))
        for tag, value in entries:
            made += struct.pack("<HHII", tag, 4, 1, value)
        made += struct.pack("<I", 0 if page + 1 == pages else 12 + (page + 1) * size)
    return bytes(made)


def _zip(*members: tuple[str, bytes | str]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return target.getvalue()


def _epub(references: int) -> bytes:
    """One chapter, many times in the reading order."""
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata/><manifest>'
        '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest><spine>'
        + '<itemref idref="a"/>' * references
        + "</spine></package>"
    )
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="a.opf"/></rootfiles></container>'
    )
    return _zip(
        ("mimetype", "application/epub+zip"),
        ("META-INF/container.xml", container),
        ("a.opf", package),
        ("a.xhtml", "<html><body><p>" + "words of a chapter " * 20 + "</p></body></html>"),
    )


def _xlsx(sheets: int) -> bytes:
    """Many sheets that are one part."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    names = "".join(f'<sheet name="s{n}" sheetId="{n}" r:id="r1"/>' for n in range(1, sheets + 1))
    return _zip(
        (
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
            f'<Override PartName="/xl/a.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        ),
        (
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships">'
            f'<Relationship Id="r" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        ),
        ("xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{names}</sheets></workbook>'),
        (
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships">'
            f'<Relationship Id="r1" Type="{office}/worksheet" Target="a.xml"/></Relationships>',
        ),
        (
            "xl/a.xml",
            f'<worksheet xmlns="{main}"><sheetData><row r="1"><c r="A1"><v>1</v></c></row></sheetData></worksheet>',
        ),
    )


def _words(count: int, separator: str = " ") -> str:
    chosen = random.Random(1)
    return separator.join(f"{chosen.choice('abcdefgh')}{chosen.randrange(10_000)}" for _ in range(count))


def archive_of_entries(entries: int) -> bytes:
    """A zip archive whose directory has so many entries, and of which nothing can be unpacked."""
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0)
    directory = b"".join(entry + f"{number:05x}"[-5:].encode() for number in range(entries))
    start = b"PK\3\4" + bytes(26)
    end_64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, len(directory), len(start))
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(start) + len(directory), 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return start + directory + end_64 + locator + end


def one_line() -> bytes:
    """A text of 38 MB without a line break."""
    return _words(6_500_000).encode()


def _lines(first: str, line: str, count: int, last: str = "") -> bytes:
    return (first + line * count + last).encode()


QUICK: dict[str, Callable[[], bytes]] = {
    "front_matter.md": lambda: _lines("---\r\n", "key: value\r\n", 400, "\r\nText.\r\n"),
    "front_matter_list.md": lambda: _lines("---\n", "  indented\n", 5000, "- item\n"),
    "comments.txt": lambda: _lines("", "<!-- a -->\n", 3000, "text"),
    "comments.xml": lambda: _lines("", "<!-- a -->\n", 3000, "text"),
    "newlines.json": lambda: json.dumps({"a": "\n" * 300_000 + "!"}).encode(),
    "spaces.json": lambda: json.dumps({"a": " " * 300_000 + "!"}).encode(),
    "bigint.json": lambda: b'{"a": ' + b"9" * 200_000 + b"}",
    "pairs.json": lambda: json.dumps([[n, str(n)] for n in range(20_000)]).encode(),
    "ordered_list.html": lambda: b'<ol start="' + b"9" * 5000 + b'"><li value="' + b"9" * 5000 + b'">text</li></ol>',
    "deep.xml": lambda: b"<a>" * 20_000 + b"text",
    "quotes.md": lambda: b">" * 20_000 + b" text",
    "quote.csv": lambda: b'a,b\n1,"' + b"x,y\n" * 100_000,
    "long_header.eml": lambda: b"From: a@b.c\nSubject: " + b"x " * 200_000 + b"\nMessage-ID: <a>\nTo: d\n\nText.",
    "headers.eml": lambda: b"From: a@b.c\nMessage-ID: <a>\nTo: d\n" + b"X-A: b\n" * 50_000 + b"\nText.",
    "newlines.txt": lambda: b"a" + b"\n" * MILLION + b"b",
    "image.png": lambda: b"\x89PNG\r\n\x1a\n" + b"nothing more",
}
"""Files that end, read or refused, within seconds."""

SLOW: dict[str, Callable[[], bytes]] = {
    "line.png": lambda: _png(1, MILLION),
    "deep_list.html": lambda: b"<ul><li>a" * 3000,
    "deep.html": lambda: b"<div>" * 50_000 + b"text",
    "pages.tif": lambda: _tiff(100_000),
    "references.epub": lambda: _epub(100_000),
    "sheets.xlsx": lambda: _xlsx(20_000),
    "attributes.xml": lambda: _lines("<a ", " ".join(f'a{n}="1"' for n in range(200_000)), 1, "/>"),
    "macros.org": lambda: _lines(
        "".join(f"#+MACRO: m{n} " + f"{{{{{{m{n + 1}}}}}}}" * 10 + "\n" for n in range(9)),
        "#+MACRO: m9 words words\n\n{{{m0}}}\n",
        1,
    ),
    "deep.org": lambda: "\n".join("  " * level + "- item" for level in range(2000)).encode(),
    "deep.rst": lambda: "\n\n".join("  " * level + "* item" for level in range(1000)).encode(),
    "cells.rtf": lambda: b"{\\rtf1 " + b"\\trowd\\cellx1 a\\cell\\row " * 50_000 + b"}",
    "keys.json": lambda: json.dumps({f"key{n}": n for n in range(60_000)}).encode(),
    "wide.csv": lambda: (",".join(f"c{n}" for n in range(50_000)) + "\n").encode() * 20,
    "cjk.txt": lambda: _lines("", "汉字", 1_500_000),
    "line.txt": lambda: _words(1_400_000).encode(),
    "no_spaces.txt": lambda: _words(1_400_000, "").encode(),
}
"""Files that take minutes or gigabytes without limits."""


def main() -> None:
    """Writes all files into the folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in (QUICK | SLOW).items():
        (folder / name).write_bytes(make())
    (folder / "entries.zip").write_bytes(archive_of_entries(MILLION))
    (folder / "one_line.txt").write_bytes(one_line())


if __name__ == "__main__":
    main()
