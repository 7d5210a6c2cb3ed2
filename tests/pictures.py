"""Pictures of text, derived from a committed one (`data/files/notice.png`) or drawn with Pillow's own font."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pypdf
from PIL import Image, ImageDraw, ImageFont

from tests.documents import simple_pdf

FILES = Path(__file__).parent / "data" / "files"
NOTICE = (
    "员工请假与差旅报销规定",
    "员工请假须提前三天向直属主管提出书面申请，经人力资源部批准后方可生效。"
    "年假天数：工作满一年不满十年的，年休假5天；已满十年不满二十年的，年休假10天。",
    "差旅费用应在出差结束后十个工作日内报销，逾期不予受理。外籍员工的签证费用由公司承担，每年最多报销一次。",
    "Employees may carry over five days of unused annual leave into the next year. Travel costs are refunded "
    "within ten working days after the trip; see the handbook at https://example.org/leave.",
    "联系人：王小明 电话：010-62345678 2026年3月15日",
)
"""The text of the notice, paragraph by paragraph."""


def notice() -> Image.Image:
    """The whole notice, Chinese and English."""
    return Image.open(FILES / "notice.png").convert("RGB")


def leave() -> Image.Image:
    """The English paragraph of the notice."""
    return notice().crop((40, 450, 1100, 630))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a picture file."""
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def picture(kind: str) -> bytes:
    """The English paragraph as a picture of a kind; Pillow cannot write HEIC, so that one is committed."""
    return (FILES / "leave.heic").read_bytes() if kind == "heic" else encoded(leave(), kind)


def blank_picture() -> bytes:
    """White paper."""
    return encoded(Image.new("RGB", (400, 300), "white"), "png")


def drawn(*lines: tuple[int, int, str], size: tuple[int, int], font: int = 24) -> Image.Image:
    """Black (x, y, text) lines on white."""
    image = Image.new("L", size, 255)
    pen, face = ImageDraw.Draw(image), ImageFont.load_default(font)
    for x, y, text in lines:
        pen.text((x, y), text, fill=0, font=face)
    return image.convert("RGB")


def scanned_page(image: Image.Image, layer: bytes = b"") -> pypdf.PageObject:
    """A PDF page that is a picture, as scanners produce it, with the text of another PDF's first page on top."""
    page = pypdf.PdfWriter().add_page(pypdf.PdfReader(io.BytesIO(encoded(image, "pdf", resolution=130))).pages[0])
    if layer:
        page.merge_page(pypdf.PdfReader(io.BytesIO(layer)).pages[0])
    return page


def joined_pdf(*pages: pypdf.PageObject) -> bytes:
    """A PDF of these pages."""
    writer, target = pypdf.PdfWriter(), io.BytesIO()
    for page in pages:
        writer.add_page(page)
    writer.write(target)
    return target.getvalue()


def mixed_pdf(*texts: str) -> bytes:
    """A PDF of pages with text, followed by the scanned English paragraph."""
    return joined_pdf(*pypdf.PdfReader(io.BytesIO(simple_pdf(*texts))).pages, scanned_page(leave()))
