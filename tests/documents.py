"""Small documents of each format, made by the tests themselves."""

from __future__ import annotations

import io
import random
import struct
import tempfile
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pptx
import pypandoc
import pypdf


def word(build: docx.document.Document) -> bytes:
    """The bytes of a Word document."""
    target = io.BytesIO()
    build.save(target)
    return target.getvalue()


def pdf(pages: list[list[tuple[float, float, float, str, str]]]) -> bytes:
    """A PDF of (x, y, size, font, text) lines; fonts are R (regular), B (bold) and C (Chinese)."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b""]
    fonts = (
        b"<</R<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
        b"/B<</Type/Font/Subtype/Type1/BaseFont/Helvetica-Bold/Encoding/WinAnsiEncoding>>"
        b"/C<</Type/Font/Subtype/Type0/BaseFont/STSong-Light/Encoding/UniGB-UCS2-H/DescendantFonts[<</Type/Font"
        b"/Subtype/CIDFontType0/BaseFont/STSong-Light/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 2>>"
        b"/DW 1000>>]>>>>"
    )
    kids = []
    for page in pages:
        lines = []
        for x, y, size, font, text in page:
            raw = text.encode("utf-16-be") if font == "C" else text.encode("cp1252")
            lines.append(f"BT /{font} {size} Tf 1 0 0 1 {x} {y} Tm <{raw.hex()}> Tj ET".encode())
        stream = b"\n".join(lines)
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream))
        content = len(objects)
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Resources<</Font%s>>>>" % (content, fonts)
        )
        kids.append(len(objects))
    objects[1] = b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(kids), b" ".join(b"%d 0 R" % kid for kid in kids))
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return out + b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        size, table, size, len(out),
    )  # fmt: skip


def encrypted(whole: bytes) -> bytes:
    """The same PDF behind a password."""
    writer, target = pypdf.PdfWriter(clone_from=io.BytesIO(whole)), io.BytesIO()
    writer.encrypt("password", algorithm="RC4-128")
    writer.write(target)
    return target.getvalue()


def page(*lines: tuple[str, str, float], top: float = 760) -> list[tuple[float, float, float, str, str]]:
    """Lines (text, font, size) below one another; an empty text leaves a gap."""
    found, y = [], top
    for text, font, size in lines:
        if text:
            found.append((72.0, y, size, font, text))
        y -= size * 1.2 if text else 10
    return found


def simple_pdf(*pages: str) -> bytes:
    """A PDF with one paragraph on each page."""
    return pdf([page((text, "R", 11)) for text in pages])


def simple_docx(title: str, text: str) -> bytes:
    """A Word document of a heading and a paragraph."""
    document = docx.Document()
    document.add_heading(title, 1)
    document.add_paragraph(text)
    return word(document)


def simple_html(title: str, text: str) -> bytes:
    """A page of a heading and a paragraph."""
    return f"<!doctype html><html><body><h1>{title}</h1><p>{text}</p></body></html>".encode()


def long_text(characters: int) -> bytes:
    """Paragraphs of made-up prose, the same for the same length."""
    source = random.Random(characters)
    words = ["".join(source.choices("abcdefghilmnoprstu", k=source.randint(2, 9))) for _ in range(800)]
    paragraphs: list[str] = []
    length = 0
    while length < characters:
        sentences = [" ".join(source.choices(words, k=source.randint(6, 16))).capitalize() + "." for _ in range(5)]
        paragraphs.append(" ".join(sentences))
        length += len(paragraphs[-1]) + 2
    return "\n\n".join(paragraphs).encode()


def simple_pptx(title: str, text: str) -> bytes:
    """A presentation of two slides; the second has a title and a text."""
    slides = pptx.Presentation()
    slides.slides.add_slide(slides.slide_layouts[0]).shapes.title.text = "An unrelated first slide"
    slide = slides.slides.add_slide(slides.slide_layouts[1])
    slide.shapes.title.text, slide.placeholders[1].text = title, text
    target = io.BytesIO()
    slides.save(target)
    return target.getvalue()


def simple_xlsx(*rows: tuple[object, ...], sheet: str = "Sheet") -> bytes:
    """A workbook of one sheet."""
    book = openpyxl.Workbook()
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def by_pandoc(markdown: str, kind: str) -> bytes:
    """A Markdown text as pandoc writes it in another format."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "file"
        pypandoc.convert_text(markdown, kind, "md", outputfile=str(file), extra_args=["--standalone", "--quiet"])
        return file.read_bytes()


def simple_eml(subject: str, text: str, *attachments: tuple[str, bytes]) -> bytes:
    """A mail with files attached."""
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, "Ada <ada@example.org>", "Bob <bob@example.org>"
    mail["Date"] = "Tue, 05 Mar 2024 09:30:00 +0100"
    mail["Message-ID"] = "<1@example.org>"
    mail.set_content(text)
    for name, content in attachments:
        mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return mail.as_bytes()


def simple_msg(subject: str, text: str, *attachments: tuple[str, bytes]) -> bytes:
    """The same as Outlook writes it."""
    wide = {"0037001F": subject, "1000001F": text, "0C1A001F": "Ada", "5D01001F": "ada@example.org", "0E04001F": "Bob"}
    root: dict[str, Any] = {f"__substg1.0_{name}": value.encode("utf-16-le") for name, value in wide.items()}
    sent = int((datetime(2024, 3, 5, 9, 30) - datetime(1601, 1, 1)).total_seconds()) * 10_000_000
    root["__properties_version1.0"] = bytes(32) + struct.pack("<HHIQ", 0x40, 0x39, 6, sent)
    for number, (name, content) in enumerate(attachments):
        root[f"__attach_version1.0_#{number:08X}"] = {
            "__properties_version1.0": bytes(8),
            "__substg1.0_3707001F": name.encode("utf-16-le"),
            "__substg1.0_37010102": content,
        }
    return ole(root)


def ole(root: dict[str, Any]) -> bytes:
    """An OLE container: folders are dicts, streams are bytes. Each stream has sectors of its own, none is small."""
    free, end, fat_sector, nothing = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF
    entries: list[list[Any]] = [["Root Entry", 5, nothing, nothing, root]]
    for entry in entries:  # grows while it is walked: the children of a folder hang on one another like a list
        if isinstance(entry[4], dict):
            first = len(entries)
            entries += [
                [name, 1 if isinstance(item, dict) else 2, nothing, nothing, item] for name, item in entry[4].items()
            ]
            entry[3] = first if entry[4] else nothing
            for at in range(first, len(entries) - 1):
                entries[at][2] = at + 1
    sectors: list[bytes] = []
    chain: list[int] = []

    def stored(data: bytes) -> int:
        start, count = len(sectors), max(1, -(-len(data) // 512))
        sectors.extend(data[at * 512 : at * 512 + 512].ljust(512, b"\0") for at in range(count))
        chain.extend([*range(start + 1, start + count), end])
        return start

    mini = b"".join(e[4].ljust(-(-len(e[4]) // 64) * 64, b"\0") for e in entries if _small(e[4]))
    mini_chain: list[int] = []
    places = []
    for _, _, _, _, item in entries:
        if _small(item):
            places.append(len(mini_chain))
            count = -(-len(item) // 64)
            mini_chain += [*range(len(mini_chain) + 1, len(mini_chain) + count), end]
        else:
            places.append(stored(item) if isinstance(item, bytes) and item else end)
    places[0] = stored(mini) if mini else end
    directory = b"".join(
        name.encode("utf-16-le").ljust(64, b"\0")
        + struct.pack("<HBBIII", 2 * len(name) + 2, kind, 1, nothing, right, child)
        + bytes(36)
        + struct.pack("<IQ", places[at], len(mini) if at == 0 else len(item) if isinstance(item, bytes) else 0)
        for at, (name, kind, right, child, item) in enumerate(entries)
    )
    unused = bytes(64) + struct.pack("<HBBIII", 0, 0, 0, nothing, nothing, nothing) + bytes(48)
    directory_at = stored(directory + unused * (-len(entries) % 4))
    mini_table = struct.pack(f"<{len(mini_chain)}I", *mini_chain)
    mini_at = stored(mini_table.ljust(-(-len(mini_table) // 512) * 512, b"\xff")) if mini_chain else end
    tables = 1
    while len(chain) + tables > tables * 128:
        tables += 1
    fat_at = len(sectors)
    chain += [fat_sector] * tables + [free] * (tables * 128 - len(chain) - tables)
    sectors.append(struct.pack(f"<{len(chain)}I", *chain))
    header = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack(
        "<IIIIIIIIII", 0, tables, directory_at, 0, 4096, mini_at, -(-len(mini_table) // 512), end, 0, fat_at
    )
    header += b"".join(struct.pack("<I", fat_at + at if at < tables else free) for at in range(1, 109))
    return header + b"".join(sectors)


def _small(item: Any) -> bool:
    return isinstance(item, bytes) and 0 < len(item) < 4096
