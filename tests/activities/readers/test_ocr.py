"""Text recognition: the text of pictures and scanned pages, and how unreadable ones fail."""

from __future__ import annotations

import asyncio
import difflib
import io
import os
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pypdf
import pypdfium2
import pytest
from PIL import Image, ImageOps

from activities.contracts.documents import ParsedDocument
from activities.errors import DamagedDocument, DocumentTooLarge, NoText, UnsupportedFormat
from activities.ingest.parse import parse_file, parser_fingerprint
from activities.readers.ocr import engine
from activities.readers.ocr.boxes import boxes
from activities.sandbox import runner
from activities.sandbox.protocol import Limits
from activities.sandbox.runner import run_isolated
from activities.settings import ParseSettings
from tests.documents import page, pdf, pdf_of, set_text, simple_pdf
from tests.pictures import (
    NOTICE,
    blank_picture,
    drawn,
    encoded,
    joined_pdf,
    leave,
    mixed_pdf,
    notice,
    picture,
    scanned_page,
)

CARRY = "Employees may carry over five days of unused annual leave into the next year."


def parsed(tmp_path: Path, content: bytes, name: str, limits: ParseSettings | None = None) -> ParsedDocument:
    path = tmp_path / "original"
    path.write_bytes(content)
    return parse_file(path, name, limits or ParseSettings(), lambda done, total: None)


def text_of(document: ParsedDocument) -> str:
    return "\n".join(element.text for element in document.elements)


def recall(text: str, source: str) -> float:
    """The share of the source's characters that the text has, in order."""
    matcher = difflib.SequenceMatcher(None, source, text, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks()) / len(source)


# --- what is read ----------------------------------------------------------------------------------


def test_a_chinese_and_english_scan_is_read_in_paragraphs(tmp_path: Path) -> None:
    """Every paragraph of the notice is an element: Chinese without spaces, English with them, the heading a title."""
    document = parsed(tmp_path, encoded(notice(), "png"), "notice.png")
    assert [element.kind for element in document.elements] == ["title", *["text"] * 4]
    for element, source in zip(document.elements, NOTICE, strict=True):
        assert recall(element.text, source) >= 0.98
    assert recall(text_of(document), "\n".join(NOTICE)) >= 0.99
    assert "员 工" not in text_of(document)
    assert CARRY in text_of(document)


READ = """
import sys; from pathlib import Path
from activities.ingest.parse import parse_file; from activities.settings import ParseSettings
assert parse_file(Path(sys.argv[1]), "notice.png", ParseSettings(), lambda done, total: None).elements
"""


def test_the_library_of_the_models_reports_to_nobody(tmp_path: Path) -> None:
    """It counts its uses and sends them to its makers; the queue of what is to be sent lies in the home folder."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "notice.png").write_bytes(picture("png"))
    environment = {"PATH": os.defpath, "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", READ, str(tmp_path / "notice.png")], env=environment, check=True)
    assert [path for path in home.rglob("*") if "microsoft" in str(path.relative_to(home)).lower()] == []


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [
        ("png", "image/png"),
        ("jpeg", "image/jpeg"),
        ("tiff", "image/tiff"),
        ("bmp", "image/bmp"),
        ("webp", "image/webp"),
        ("gif", "image/gif"),
        ("heic", "image/heic"),
    ],
)
def test_each_kind_of_picture_is_read(tmp_path: Path, kind: str, media_type: str) -> None:
    """The content identifies it; it has its own media type, no pages, and its sentence word by word."""
    document = parsed(tmp_path, picture(kind), "picture.txt")
    assert (document.media_type, document.pages) == (media_type, None)
    assert {element.page for element in document.elements} == {None}
    assert CARRY in text_of(document)


@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270])
def test_pages_on_their_side_or_upside_down_are_turned(tmp_path: Path, turn: Image.Transpose) -> None:
    """A page that was scanned at a wrong angle reads as well as another, in order."""
    document = parsed(tmp_path, encoded(notice().transpose(turn), "png"), "notice.png")
    assert recall(text_of(document), "\n".join(NOTICE)) >= 0.97


@pytest.mark.parametrize("degrees", [3, -8])
def test_crooked_scans_are_read(tmp_path: Path, degrees: int) -> None:
    """A page that was scanned askew has the same paragraphs."""
    askew = notice().rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=(255, 255, 255))
    document = parsed(tmp_path, encoded(askew, "png"), "notice.png")
    assert len(document.elements) == len(NOTICE)
    assert recall(text_of(document), "\n".join(NOTICE)) >= 0.97


def test_exif_orientation_of_a_photograph_is_applied(tmp_path: Path) -> None:
    """A mirrored picture, which is unreadable as it is, is mirrored back."""
    exif = Image.Exif()
    exif[0x0112] = 2
    assert CARRY in text_of(parsed(tmp_path, encoded(ImageOps.mirror(leave()), "jpeg", exif=exif), "photo.jpg"))


@pytest.mark.parametrize("ink", [0, 255])
def test_transparent_pictures_have_a_background(tmp_path: Path, ink: int) -> None:
    """Dark text without a background gets white, light text black."""
    shape = ImageOps.invert(leave().convert("L"))
    layered = Image.merge("LA", (Image.new("L", shape.size, ink), shape))
    assert CARRY in text_of(parsed(tmp_path, encoded(layered, "png"), "layer.png"))


def test_all_depths_of_colour_are_read(tmp_path: Path) -> None:
    """Fax (one bit), 16 bits of grey, and the colours of printers."""
    grey = np.asarray(leave().convert("L"), dtype=np.uint16)
    for image, kind, options in (
        (leave().convert("1"), "tiff", {"compression": "group4"}),
        (Image.fromarray(grey * 16 + 300), "png", {}),
        (leave().convert("CMYK"), "jpeg", {}),
    ):
        assert "unused annual leave into the next year" in text_of(
            parsed(tmp_path, encoded(image, kind, **options), "x")
        )


def test_spaces_that_the_model_misses_come_from_the_picture(tmp_path: Path) -> None:
    """Words of headings and narrow words are separated; addresses are not."""
    lines = ["A Unified Toolkit for Deep Learning", "Every item was 3.50 at most", "Write to info@example.org soon"]
    image = drawn(*((40, 40 + 60 * row, line) for row, line in enumerate(lines)), size=(700, 240), font=32)
    text = text_of(parsed(tmp_path, encoded(image, "png"), "x.png"))
    assert all(line in text for line in lines)


def test_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    """Two columns below a title that spans them: title, left column, right column."""
    left = [f"Left line {word} of this page" for word in ("one", "two", "three", "four", "five", "six")]
    right = [f"Right line {word} of this page" for word in ("one", "two", "three", "four", "five", "six")]
    lines = [(60, 40, "The title of this page runs across both of its columns, as titles do")]
    lines += [(60, 120 + 34 * row, line) for row, line in enumerate(left)]
    lines += [(560, 120 + 34 * row, line) for row, line in enumerate(right)]
    text = text_of(parsed(tmp_path, encoded(drawn(*lines, size=(1050, 400)), "png"), "x.png"))
    places = [text.find(line) for line in (lines[0][2], *left, *right)]
    assert -1 not in places
    assert places == sorted(places)


def test_rows_of_tables_stay_together(tmp_path: Path) -> None:
    """Short cells are read row by row."""
    rows = [("Kind", "Days", "Paid"), ("Annual", "25", "yes"), ("Parental", "60", "partly"), ("Unpaid", "10", "no")]
    cells = [(60 + 260 * x, 40 + 60 * y, cell) for y, row in enumerate(rows) for x, cell in enumerate(row)]
    text = text_of(parsed(tmp_path, encoded(drawn(*cells, size=(800, 300), font=28), "png"), "x.png"))
    assert all(" ".join(row) in text for row in rows)


def test_long_screenshots_are_read_in_bands(tmp_path: Path) -> None:
    """A picture much higher than wide loses no line at the edges of its bands."""
    lines = [(30, 20 + 50 * row, f"Message number {row + 100} was sent") for row in range(50)]
    text = text_of(parsed(tmp_path, encoded(drawn(*lines, size=(480, 2540), font=22), "png"), "chat.png"))
    assert [row for row in range(50) if f"number {row + 100} was" not in text] == []


def test_the_highest_pictures_have_no_more_bands() -> None:
    """They have higher ones, which cover them without a gap."""
    bands = engine._bands(drawn(size=(2, 100_000)))
    assert len(bands) <= 100
    assert [top for top, _ in bands] == [0, *(bottom for _, bottom in bands[:-1])]
    assert bands[-1][1] == 100_000


# --- pages -----------------------------------------------------------------------------------------


def test_a_tiff_has_pages(tmp_path: Path) -> None:
    """Each picture of a TIFF is a page, with its number, and progress counts them."""
    pages = [drawn((40, 40, f"This is sheet {word}"), size=(500, 120), font=32) for word in ("one", "two", "three")]
    path = tmp_path / "fax.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    seen: list[tuple[int, int]] = []
    document = parse_file(path, "fax.tif", ParseSettings(), lambda done, total: seen.append((done, total)))
    assert document.pages == 3
    assert [(item.page, item.text) for item in document.elements] == [
        (1, "This is sheet one"),
        (2, "This is sheet two"),
        (3, "This is sheet three"),
    ]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(DocumentTooLarge):
        parsed(tmp_path, path.read_bytes(), "fax.tif", ParseSettings(max_pages=2))


def test_mixed_pdfs_are_read_page_by_page(tmp_path: Path) -> None:
    """Pages with text keep it exactly, a scanned page between them is recognised; page numbers are kept."""
    before, after = "The lst page has 0dd spellings.", "The 1ast page, t00."
    text_pages = pypdf.PdfReader(io.BytesIO(simple_pdf(before, after))).pages
    content = joined_pdf(text_pages[0], scanned_page(leave()), text_pages[1])
    seen: list[tuple[int, int]] = []
    (tmp_path / "mixed.pdf").write_bytes(content)
    document = parse_file(
        tmp_path / "mixed.pdf", "mixed.pdf", ParseSettings(), lambda done, total: seen.append((done, total))
    )
    assert document.pages == 3
    assert [item.text for item in document.elements if item.page == 1] == [before]
    assert CARRY in next(item.text for item in document.elements if item.page == 2)
    assert [item.text for item in document.elements if item.page == 3] == [after]
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_stamp_does_not_hide_a_scan(tmp_path: Path) -> None:
    """Page number and stamp of a scanned page are kept once, and the scan is recognised as well."""
    stamp = pdf([page(("Exhibit ABC-000123", "R", 9), top=20)])
    text = text_of(parsed(tmp_path, joined_pdf(scanned_page(leave(), stamp)), "scan.pdf"))
    assert CARRY in text
    assert text.count("ABC-000123") == 1


def test_a_garbage_text_layer_is_not_trusted(tmp_path: Path) -> None:
    """If fonts do not map to characters, the page is recognised from its picture."""
    rubbish = simple_pdf("x" * 400).replace(b"/WinAnsiEncoding", b"<</Differences[120/g0017]>>")
    text = text_of(parsed(tmp_path, joined_pdf(scanned_page(leave(), rubbish)), "scan.pdf"))
    assert CARRY in text


@pytest.mark.parametrize("character", ["n", "\ue017", "(cid:7)"])
def test_a_text_layer_that_says_nothing_is_not_trusted(tmp_path: Path, character: str) -> None:
    """Nor is one of private characters, of glyph numbers, or of one letter for all."""
    shown = "The pump is tested in the first week of every quarter"
    content = pdf_of([set_text(72, 700, 14, "U", shown)], dict.fromkeys(map(ord, shown), character))
    assert "first week of every quarter" in text_of(parsed(tmp_path, content, "a.pdf"))


def test_recognition_can_be_switched_off(tmp_path: Path) -> None:
    """Then a scan has no text, a picture is no format, and parsed documents are stored under a key of their own."""
    off = ParseSettings(ocr="off")
    assert parsed(tmp_path, mixed_pdf("Some text."), "a.pdf", off).elements[0].text == "Some text."
    with pytest.raises(NoText):
        parsed(tmp_path, mixed_pdf(), "a.pdf", off)
    with pytest.raises(UnsupportedFormat) as caught:
        parsed(tmp_path, picture("png"), "a.png", off)
    assert "png" not in caught.value.reason.params["supported"]
    assert parser_fingerprint("a.pdf", "off") != parser_fingerprint("a.pdf")


# --- what cannot be read ---------------------------------------------------------------------------


def png(width: int, height: int) -> bytes:
    """A PNG that declares its size and has next to no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def test_bombs_are_seen_before_they_are_unpacked(tmp_path: Path) -> None:
    """A picture that would fill the memory is refused by its declared size."""
    with pytest.raises(DocumentTooLarge):
        parsed(tmp_path, png(60_000, 60_000), "bomb.png")
    with pytest.raises(DocumentTooLarge):
        parsed(tmp_path, png(9000, 9000), "large.png", ParseSettings(max_memory_mb=512))


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "bmp", "webp", "gif", "heic"])
def test_cut_off_pictures_are_damaged(tmp_path: Path, kind: str) -> None:
    """Half of a picture is reported as damaged, not read as half of a text."""
    whole = picture(kind)
    with pytest.raises(DamagedDocument):
        parsed(tmp_path, whole[: len(whole) // 2], "half")


def test_a_picture_without_text_says_so(tmp_path: Path) -> None:
    """White paper, noise, and a blank scanned page have no text."""
    noise = np.random.default_rng(1).integers(0, 255, (400, 600, 3), dtype=np.uint8)
    for content, name in (
        (blank_picture(), "white.png"),
        (encoded(Image.fromarray(noise), "png"), "noise.png"),
        (joined_pdf(scanned_page(Image.new("RGB", (400, 600), "white"))), "blank.pdf"),
    ):
        with pytest.raises(NoText):
            parsed(tmp_path, content, name)


@pytest.mark.parametrize("box", ["0 0 0.01 14400", "0 0 1 1000000000", "0 0 1000000000 1", "0 0 10 14000", "0 0 2 2"])
def test_pages_too_narrow_for_text_are_not_even_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, box: str
) -> None:
    """Their pixels would be few or many, their bands many, and their text none."""
    drawings: list[object] = []
    monkeypatch.setattr(pypdfium2.PdfPage, "render", lambda self, **_: drawings.append(self))
    content = joined_pdf(scanned_page(drawn((1, 1, "text"), size=(400, 600))))
    whole = re.sub(rb"/MediaBox \[[^\]]*\]", b"/MediaBox [%s]" % box.encode(), content)
    with pytest.raises(NoText):
        parsed(tmp_path, whole, "narrow.pdf")
    assert not drawings


# --- where it runs ---------------------------------------------------------------------------------


@pytest.fixture
def fork_server() -> Iterator[None]:
    """Closes the fork server after the test."""
    yield
    runner.close()


@pytest.mark.usefixtures("fork_server")
def test_several_children_recognise_at_once(tmp_path: Path) -> None:
    """Each has its own models, within its limits; the fork server has none, since a fork would lose their threads."""
    path = tmp_path / "a.png"
    path.write_bytes(picture("png"))
    limits = Limits(seconds=50, memory_mb=1536)

    async def run() -> list[ParsedDocument]:
        return await asyncio.gather(
            *(run_isolated(parse_file, path, "a.png", ParseSettings(), limits=limits) for _ in range(2))
        )

    assert all(CARRY in text_of(document) for document in asyncio.run(run()))


def test_neither_the_fork_server_nor_recognition_imports_what_it_must_not() -> None:
    """No ONNX Runtime before the fork; never OpenCV, which does not load without a display library."""
    code = (
        "import sys; import activities.ingest.preload; assert 'onnxruntime' not in sys.modules; "
        "import activities.readers.ocr.engine as ocr; from PIL import Image; "
        "ocr.recognise(Image.new('RGB', (64, 64))); "
        "assert not {'cv2', 'rapidocr_onnxruntime', 'shapely'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


# --- the detector's map ----------------------------------------------------------------------------


def test_boxes_are_found_in_a_probability_map() -> None:
    """Each connected region is a box, a slanted one at its angle; faint or tiny ones are ignored."""
    map_ = np.zeros((200, 300), dtype=np.float32)
    map_[20:30, 20:220] = 0.9
    map_[100:102, 10:12] = 0.9
    map_[180:190, 20:220] = 0.35
    for x in range(20, 250):
        map_[(row := 90 + x // 5) : row + 9, x] = 0.8
    found = sorted(boxes(map_), key=lambda box: box.y)
    assert len(found) == 2
    level, slanted = found
    assert (round(level.x), round(level.y), round(level.angle, 2)) == (120, 25, 0)
    assert level.width > 200 > 40 > level.height > 10
    assert slanted.angle == pytest.approx(0.197, abs=0.02)
    assert slanted.height < 40
    assert boxes(np.zeros((64, 64), dtype=np.float32)) == []
