"""Presentations: merged cells, charts of every kind, raised and struck-out text, comments, what is hidden or broken."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pptx
import pytest
from PIL import Image
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.util import Inches

from activities.contracts.documents import Element
from activities.phrases import RemarkText
from activities.readers.pptx.reader import read
from activities.readers.reading import Reading
from activities.settings import ParseSettings
from tests.documents import replaced, simple_pptx, simple_xlsx

BOX = (Inches(1), Inches(2), Inches(4), Inches(1))


def deck() -> Any:
    build = pptx.Presentation()
    build.slides.add_slide(build.slide_layouts[5]).shapes.title.text = "Title"
    return build


def saved(build: Any) -> bytes:
    target = io.BytesIO()
    build.save(target)
    return target.getvalue()


def reading(tmp_path: Path, content: bytes, **limits: Any) -> Reading:
    path = tmp_path / "a"
    path.write_bytes(content)
    return read(path, "a.pptx", ParseSettings(**limits), lambda done, total: None)


def texts(found: Reading) -> list[str]:
    return [item.text for item in found.elements]


def with_chart(old: bytes = b"", new: bytes = b"") -> bytes:
    """A deck with a pie chart, in whose XML a text is replaced."""
    build = deck()
    data = CategoryChartData(number_format="0%")
    data.categories = ["Rain", "Wind"]
    data.add_series("Share", (0.25, 0.75))
    chart = build.slides[0].shapes.add_chart(XL_CHART_TYPE.PIE, *BOX, data).chart
    return replaced(saved(build), str(chart.part.partname)[1:], old, new) if old else saved(build)


@pytest.mark.parametrize("kind", ["pieChart", "pie3DChart", "surface3DChart", "stockChart", "ofPieChart"])
def test_charts_of_every_kind_are_tables(tmp_path: Path, kind: str) -> None:
    """Also those that python-pptx does not know; values under their number format."""
    found = reading(tmp_path, with_chart(b"pieChart", kind.encode()))
    assert texts(found) == [
        "Title",
        " | Share\nRain | 25%\nWind | 75%",
    ]


def test_a_chart_without_data_is_counted(tmp_path: Path) -> None:
    """The other slides and shapes are read."""
    found = reading(tmp_path, with_chart(b"c:ser>", b"c:other>"))
    assert texts(found) == ["Title"]
    assert found.remarks == {RemarkText.CHARTS: 1}


def test_merged_cells_fill_their_places(tmp_path: Path) -> None:
    """Each row says what it belongs to."""
    build = deck()
    table = build.slides[0].shapes.add_table(3, 3, *BOX).table
    for at, text in enumerate(("Hall", "Day", "Open", "North", "Monday", "8-10", "", "Friday", "9-11")):
        table.cell(at // 3, at % 3).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    assert (
        texts(reading(tmp_path, saved(build)))[1] == "Hall | Day | Open\nNorth | Monday | 8-10\nNorth | Friday | 9-11"
    )


def test_raised_and_struck_out_text(tmp_path: Path) -> None:
    """Exponents and indices are Unicode, a note's text follows its mark's paragraph, struck-out text is none."""
    build = deck()

    def box(*runs: tuple[str, dict[str, str]]) -> None:
        paragraph = build.slides[0].shapes.add_textbox(*BOX).text_frame.paragraphs[0]
        for text, print_ in runs:
            run = paragraph.add_run()
            run.text = text
            for key, value in print_.items():
                run._r.get_or_add_rPr().set(key, value)

    raised, lowered, struck = {"baseline": "30000"}, {"baseline": "-25000"}, {"strike": "sngStrike"}
    box(("At most 85", {}), ("4", raised), (" dB on 20 m", {}), ("2", raised), (", CO", {}), ("2", lowered))
    box(("Fee: ", {}), ("70", struck), ("90 euros", {}))
    box(("4", raised), (" Measured at night.", {}))
    found = reading(tmp_path, saved(build))
    assert texts(found)[1:] == ["At most 85 dB on 20 m², CO₂ (note 4: Measured at night.)", "Fee: 90 euros"]
    assert found.remarks == {RemarkText.STRUCK_TEXT: 1}


def test_hidden_slides_are_left_out_and_counted(tmp_path: Path) -> None:
    """Unless the setting says to read them; the other slides keep their numbers."""
    build = deck()
    build.slides[0]._element.set("show", "0")
    build.slides.add_slide(build.slide_layouts[5]).shapes.title.text = "Second"
    found = reading(tmp_path, saved(build))
    assert [(item.page, item.text) for item in found.elements] == [(2, "Second")]
    assert (found.pages, found.remarks) == (2, {RemarkText.HIDDEN_SLIDES: 1})
    assert texts(reading(tmp_path, saved(build), hidden="read")) == ["Title", "Second"]


LEGACY = (
    "http://schemas.openxmlformats.org/presentationml/2006/main",
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    '<p:cmAuthorLst xmlns:p="{0}"><p:cmAuthor id="3" name="Ida Moe"/></p:cmAuthorLst>',
    '<p:cmLst xmlns:p="{0}"><p:cm authorId="3" idx="1"><p:pos x="1" y="1"/><p:text>Ask {1}.</p:text></p:cm></p:cmLst>',
)
MODERN = (
    "http://schemas.microsoft.com/office/powerpoint/2018/8/main",
    "http://schemas.microsoft.com/office/2018/10/relationships",
    '<p:authorLst xmlns:p="{0}"><p:author id="3" name="Ida Moe"/></p:authorLst>',
    '<p:cmLst xmlns:p="{0}" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><p:cm authorId="3">'
    "<p:replyLst><p:reply authorId='3'><p:txBody><a:p><a:r><a:t>Done.</a:t></a:r></a:p></p:txBody></p:reply>"
    "</p:replyLst><p:txBody><a:p><a:r><a:t>Ask {1}.</a:t></a:r></a:p></p:txBody></p:cm></p:cmLst>",
)


@pytest.mark.parametrize(("stored", "replies"), [(LEGACY, []), (MODERN, ["Comment by Ida Moe: Done."])])
def test_comments_have_their_author(tmp_path: Path, stored: tuple[str, ...], replies: list[str]) -> None:
    """Comments and replies follow the text of their slide."""
    namespace, relations, people, said = stored
    build = deck()
    package = build.part.package
    for owner, kind, name, xml in (
        (build.part, "commentAuthors" if stored is LEGACY else "authors", "/ppt/people.xml", people),
        (build.slides[0].part, "comments", "/ppt/comments/one.xml", said),
    ):
        part = Part(PackURI(name), "application/xml", package, xml.format(namespace, "the port").encode())
        owner.relate_to(part, f"{relations}/{kind}")
    assert texts(reading(tmp_path, saved(build))) == ["Title", "Comment by Ida Moe: Ask the port.", *replies]


def test_a_broken_shape_does_not_break_the_deck(tmp_path: Path) -> None:
    """It is counted, and the others are read."""
    build = deck()
    build.slides[0].shapes.add_table(1, 1, *BOX).table.cell(0, 0).text = "lost"
    build.slides[0].shapes.add_textbox(*BOX).text_frame.text = "kept"
    content = replaced(saved(build), "ppt/slides/slide1.xml", b"<a:tc>", b'<a:tc rowSpan="many">')
    found = reading(tmp_path, content)
    assert texts(found) == ["Title", "kept"]
    assert found.remarks == {RemarkText.SHAPES: 1}


def test_spans_of_a_million_meet_a_limit(tmp_path: Path) -> None:
    """A cell is no larger than its table."""
    build = deck()
    build.slides[0].shapes.add_table(1, 1, *BOX).table.cell(0, 0).text = "cell"
    content = replaced(saved(build), "ppt/slides/slide1.xml", b"<a:tc>", b'<a:tc rowSpan="1000000" gridSpan="1000000">')
    assert texts(reading(tmp_path, content)) == ["Title", "cell"]


@pytest.mark.parametrize(
    "kind",
    [
        "openxmlformats-officedocument.presentationml.slideshow.main+xml",
        "openxmlformats-officedocument.presentationml.template.main+xml",
        "ms-powerpoint.presentation.macroEnabled.main+xml",
        "ms-powerpoint.slideshow.macroEnabled.main+xml",
    ],
)
def test_shows_templates_and_macros_are_read(tmp_path: Path, kind: str) -> None:
    """Whatever the kind that the package declares."""
    usual = b"openxmlformats-officedocument.presentationml.presentation.main+xml"
    content = replaced(simple_pptx("Title", "Text"), "[Content_Types].xml", usual, kind.encode())
    assert texts(reading(tmp_path, content))[1:] == ["Title", "Text"]


def strict(content: bytes) -> bytes:
    """The package in the namespaces of Strict Open XML."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            usual = rb"http://schemas\.openxmlformats\.org/(officeDocument|\w+ml)/2006/"
            copy.writestr(name, re.sub(usual, rb"http://purl.oclc.org/ooxml/\1/", source.read(name)))
    return target.getvalue()


def test_strict_presentations_are_read(tmp_path: Path) -> None:
    """ISO 29500 Strict has other namespaces."""
    assert texts(reading(tmp_path, strict(simple_pptx("Title", "Text"))))[1:] == ["Title", "Text"]


def test_files_within_a_deck_are_read(tmp_path: Path) -> None:
    """An embedded workbook follows the slides, under its name."""
    build = deck()
    content = io.BytesIO(simple_xlsx(("Crate", "Weight"), ("A", 12)))
    build.slides[0].shapes.add_ole_object(content, "Excel.Sheet.12", *BOX[:2])
    found = texts(reading(tmp_path, saved(build), ocr="off"))
    assert found[0] == "Title"
    assert found[-1] == "Crate: A | Weight: 12"


def picture() -> bytes:
    """A picture without text."""
    target = io.BytesIO()
    Image.new("RGB", (100, 80), "white").save(target, "PNG")
    return target.getvalue()


def test_pictures_on_slides_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture on several slides is read once; one without text is counted."""
    build = deck()
    for _ in range(2):
        build.slides[0].shapes.add_picture(io.BytesIO(picture()), *BOX[:2])
    content = saved(build)
    assert reading(tmp_path, content, ocr="off").remarks == {RemarkText.PICTURES: 1}
    monkeypatch.setattr("activities.readers.pictures.recognise_picture", lambda data, limits: [Element(text="Valve 3")])
    assert [(item.page, item.text) for item in reading(tmp_path, content).elements] == [(1, "Title"), (1, "Valve 3")]


def test_shapes_with_equations_are_read(tmp_path: Path) -> None:
    """PowerPoint stores them with an alternative for older programs, a picture without text."""
    build = deck()
    build.slides[0].shapes.add_textbox(*BOX).text_frame.text = "Area: "
    math = (
        b'<a:t>Area: </a:t></a:r><a14:m xmlns:a14="http://schemas.microsoft.com/office/drawing/2010/main">'
        b'<m:oMath xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"><m:sSup><m:e><m:r><m:t>r</m:t></m:r></m:e><m:sup>'
        b"<m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:oMath></a14:m>"
    )
    slide = "ppt/slides/slide1.xml"
    content = replaced(saved(build), slide, b"<a:t>Area: </a:t></a:r>", math)
    space = b'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    content = replaced(
        content, slide, b"</p:sp></p:spTree>", b"</p:sp></mc:Choice><mc:Fallback/></mc:AlternateContent></p:spTree>"
    )
    content = replaced(
        content,
        slide,
        b'<p:sp><p:nvSpPr><p:cNvPr id="3"',
        b"<mc:AlternateContent " + space + b'><mc:Choice Requires="a14"><p:sp><p:nvSpPr><p:cNvPr id="3"',
    )
    assert texts(reading(tmp_path, content)) == ["Title", "Area: r\u00b2"]


def test_items_have_the_level_of_their_paragraph(tmp_path: Path) -> None:
    """Paragraphs of a body that are indented are items below others."""
    presentation = deck()
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])
    slide.shapes.title.text = "Branches"
    frame = slide.placeholders[1].text_frame
    for at, (text, level) in enumerate([("Porto", 0), ("Garage", 1), ("Lisbon", 0)]):
        paragraph = frame.paragraphs[0] if at == 0 else frame.add_paragraph()
        paragraph.text, paragraph.level = text, level
    found = [(item.text, item.level) for item in reading(tmp_path, saved(presentation)).elements if item.kind == "list"]
    assert found == [("Porto", 1), ("Garage", 2), ("Lisbon", 1)]
