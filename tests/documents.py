"""Small documents of each format, made by the tests themselves."""

from __future__ import annotations

import io
import random

import docx
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
