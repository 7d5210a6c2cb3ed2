"""Slides, books and marked-up texts: structure, pages, and no content that a reader would miss."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pptx
import pytest
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from activities.errors import DocumentTooLarge, EncryptedDocument
from activities.settings import ParseSettings
from tests.activities.readers.conftest import CHINESE, ENGLISH, assert_all_there, parsed, shape
from tests.documents import by_pandoc, simple_pptx

FILES = Path(__file__).parents[2] / "data" / "files"

MARKDOWN = """# 第一章 Leave

{paragraphs}

- First item
- 第二项

## Days

| Kind | Days |
|------|------|
| 年假 | 5    |

A claim.[^1]

[^1]: The note behind it.
"""


@pytest.mark.parametrize("kind", ["odt", "rtf", "rst", "org", "epub"])
@pytest.mark.parametrize("source", [CHINESE, ENGLISH])
def test_marked_up_texts_keep_their_structure(tmp_path: Path, kind: str, source: list[str]) -> None:
    """Headings, paragraphs, lists, tables and notes come out of each format, in both languages."""
    paragraphs = "\n\n".join(source).replace("#", "\\#")
    document = parsed(tmp_path, by_pandoc(MARKDOWN.format(paragraphs=paragraphs), kind), f"a.{kind}")
    assert_all_there(
        document, ["第一章 Leave", *source, "First item 第二项 Days Kind | Days 年假 | 5 A claim. The note"]
    )
    assert ("title", "Days") in shape(document)
    assert ("table", "Kind | Days\n年假 | 5") in shape(document)
    assert "↩" not in "".join(element.text for element in document.elements)


NESTED = "# Branches\n\n- Porto\n\n    - Garage\n\n    - Desk\n\n- Lisbon\n\n    It is new.\n\n    1. Garage\n"
LEVELS = [("Porto", 1), ("Garage", 2), ("Desk", 2), ("Lisbon", 1), ("It is new.", 2), ("1. Garage", 2)]
RICH = "{\\rtf1\\ansi{\\*\\listtable{\\list{\\listlevel\\levelnfc23{\\leveltext\\'01\\u8226 ?;}}"
RICH += "{\\listlevel\\levelnfc23{\\leveltext\\'01\\u8226 ?;}}\\listid1}}"
RICH += "{\\*\\listoverridetable{\\listoverride\\listid1\\listoverridecount0\\ls1}}"
RICH += "\\pard\\ls1\\ilvl0 Porto\\par\\pard\\ls1\\ilvl1 Garage\\par\\pard\\ls1\\ilvl0 Lisbon\\par}"


@pytest.mark.parametrize("kind", ["md", "odt", "docx", "org", "epub", "html", "rtf"])
def test_items_have_the_level_of_their_list(tmp_path: Path, kind: str) -> None:
    """A paragraph of an item that is not its first one is below it."""
    content: bytes | str = RICH if kind == "rtf" else NESTED if kind == "md" else by_pandoc(NESTED, kind)
    found = [(item.text, item.level) for item in parsed(tmp_path, content, f"a.{kind}").elements if item.kind == "list"]
    expected = [("Porto", 1), ("Garage", 2), ("Lisbon", 1)] if kind == "rtf" else LEVELS
    if kind == "docx":  # Word knows no paragraph below an item
        expected = [(text, 1 if text == "It is new." else level) for text, level in LEVELS]
    assert found == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fake-doc.rtf", [("title", "My First Heading"), ("text", "My first paragraph."), ("text", "Table Example:"),
                          ("table", "Column 1 | Column 2\nRow 1, Cell 1 | Row 1, Cell 2\n"
                                    "Row 2, Cell 1 | Row 2, Cell 2")]),
        ("fake.odt", [("text", "Lorem ipsum dolor sit amet."),
                      ("table", "Header row | Mon | Wed | Fri\nColor | Blue | Red | Green\nTime | 1pm | 2pm | 3pm\n"
                                "Leader | Sarah | Mark | Ryan")]),
        ("fake-power-point.pptx", [("title", "Adding a Bullet Slide"), ("list", "Find the bullet slide layout"),
                                   ("list", "Use _TextFrame.text for first bullet"),
                                   ("list", "Use _TextFrame.add_paragraph() for subsequent bullets"),
                                   ("list", "Here is a lot of text!"), ("text", "Here is some text in a text box!")]),
    ],
)  # fmt: skip
def test_files_of_other_programs(tmp_path: Path, name: str, expected: list[tuple[str, str]]) -> None:
    """Real files have the elements that a person reads in them."""
    assert shape(parsed(tmp_path, (FILES / name).read_bytes(), name)) == expected


# --- slides ----------------------------------------------------------------------------------------


def test_slides_are_pages(tmp_path: Path) -> None:
    """Titles, bullets, notes, tables, charts and groups, each on the page of its slide, under its own title."""
    build = pptx.Presentation()
    first = build.slides.add_slide(build.slide_layouts[1])
    first.shapes.title.text, first.placeholders[1].text = "请假制度", "第一条\nSecond rule"
    first.notes_slide.notes_text_frame.text = "Say this."
    second = build.slides.add_slide(build.slide_layouts[5])
    second.shapes.title.text = "Numbers"
    data = CategoryChartData()
    data.categories = ["East", "West"]
    data.add_series("Q1", (1, 2.5))
    size = (Inches(4), Inches(1))
    second.shapes.add_chart(XL_CHART_TYPE.PIE, Inches(1), Inches(2), *size, data)
    table = second.shapes.add_table(2, 2, Inches(1), Inches(5), *size).table
    for at, text in enumerate(("Kind", "Days", "Annual", "5")):
        table.cell(at // 2, at % 2).text = text
    third = build.slides.add_slide(build.slide_layouts[6])
    group = third.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, *size).text_frame.text = "A sentence in a group that is far too long. " * 3
    build.slides.add_slide(build.slide_layouts[6])
    target = io.BytesIO()
    build.save(target)
    document = parsed(tmp_path, target.getvalue(), "a.pptx")
    assert [(item.page, item.kind, item.text) for item in document.elements[:4]] == [
        (1, "title", "请假制度"),
        (1, "list", "第一条"),
        (1, "list", "Second rule"),
        (1, "text", "Say this."),
    ]
    second_slide = [item.text for item in document.elements if item.page == 2]
    assert second_slide == ["Numbers", " | Q1\nEast | 1\nWest | 2.5", "Kind | Days\nAnnual | 5"]
    assert [item.kind for item in document.elements if item.page == 3] == ["title", "text"]
    assert document.pages == 4


def test_slides_are_limited_like_pages(tmp_path: Path) -> None:
    """A presentation of more slides than a document may have pages is refused."""
    with pytest.raises(DocumentTooLarge):
        parsed(tmp_path, simple_pptx("Title", "Text"), "a.pptx", ParseSettings(max_pages=1))


# --- OpenDocument and books ------------------------------------------------------------------------


def changed(whole: bytes, member: str, content: bytes) -> bytes:
    """The archive with one member replaced or added."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            if name != member:
                copy.writestr(name, source.read(name))
        copy.writestr(member, content)
    return target.getvalue()


def test_text_boxes_of_opendocument_are_read(tmp_path: Path) -> None:
    """Text in a frame is read; text that was deleted under change tracking is not."""
    whole = by_pandoc("Before.\n\nANCHOR\n", "odt")
    content = zipfile.ZipFile(io.BytesIO(whole)).read("content.xml").decode()
    box = (
        '<draw:frame xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"><draw:text-box>'
        "<text:p>In a box.</text:p></draw:text-box></draw:frame>After."
    )
    document = parsed(tmp_path, changed(whole, "content.xml", content.replace("ANCHOR", box).encode()), "a.odt")
    assert [text for _, text in shape(document)] == ["Before.", "After.", "In a box."]


def test_fields_of_opendocument_are_what_they_show(tmp_path: Path) -> None:
    """A placeholder, a reference and the value of a variable are text; a frame that is fixed on a page is read too."""
    whole = by_pandoc("Dear NAME, see FIELD.\n", "odt")
    content = zipfile.ZipFile(io.BytesIO(whole)).read("content.xml").decode()
    declared = (
        '<text:user-field-decls><text:user-field-decl text:name="fee" office:value-type="string" '
        'office:string-value="41 euros"/></text:user-field-decls>'
        '<draw:frame text:anchor-type="page"><draw:text-box><text:p>Important!</text:p></draw:text-box></draw:frame>'
    )
    content = content.replace("<office:text>", f"<office:text>{declared}")
    content = content.replace("NAME", '<text:placeholder text:placeholder-type="text">Ms Gray</text:placeholder>')
    content = content.replace(
        "FIELD", 'page <text:bookmark-ref>7</text:bookmark-ref>: <text:user-field-get text:name="fee"/>'
    )
    document = parsed(tmp_path, changed(whole, "content.xml", content.encode()), "a.odt")
    assert [text for _, text in shape(document)] == ["Important!", "Dear Ms Gray, see page 7: 41 euros."]


def test_protected_books_and_texts_are_encrypted(tmp_path: Path) -> None:
    """Copy protection and passwords are encryption; obfuscated fonts are not."""
    odt = by_pandoc("Text.", "odt")
    manifest = b'<manifest:manifest xmlns:manifest="x"><manifest:encryption-data/></manifest:manifest>'
    with pytest.raises(EncryptedDocument):
        parsed(tmp_path, changed(odt, "META-INF/manifest.xml", manifest), "a.odt")
    book = by_pandoc("# Chapter\n\nText.", "epub")
    locked = b'<e xmlns="x"><EncryptedData><EncryptionMethod Algorithm="%s"/></EncryptedData></e>'
    with pytest.raises(EncryptedDocument):
        parsed(tmp_path, changed(book, "META-INF/encryption.xml", locked % b"http://aes"), "a.epub")
    fonts = changed(book, "META-INF/encryption.xml", locked % b"http://www.idpf.org/2008/embedding")
    assert ("text", "Text.") in shape(parsed(tmp_path, fonts, "a.epub"))


# --- rich text -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codepage", "charset", "encoding", "text"),
    [
        (936, 134, "gb18030", "年假规定"),
        (950, 136, "big5", "請假規定"),
        (1251, 204, "cp1251", "Привет"),
        (932, 128, "cp932", "日本語の"),
        (1252, 0, "cp1252", "café – “Größe”"),
    ],
)
def test_rich_text_in_any_code_page(tmp_path: Path, codepage: int, charset: int, encoding: str, text: str) -> None:
    """Bytes of old programs, by the document's code page or the font's, and Unicode with its fallbacks."""
    escaped = "".join(f"\\'{byte:02x}" for byte in text.encode(encoding))
    by_page = f"{{\\rtf1\\ansi\\ansicpg{codepage} {escaped}\\par}}"
    assert shape(parsed(tmp_path, by_page, "a.rtf")) == [("text", text)]
    by_font = f"{{\\rtf1\\ansi\\ansicpg1252{{\\fonttbl{{\\f3\\fnil\\fcharset{charset} F;}}}}\\f3 {escaped}\\par}}"
    assert shape(parsed(tmp_path, by_font, "a.rtf")) == [("text", text)]
    unicode = "".join(f"\\u{ord(letter)}\\'3f\\'3f" for letter in text)
    assert shape(parsed(tmp_path, f"{{\\rtf1\\uc2 {unicode} end\\par}}", "a.rtf")) == [("text", f"{text} end")]


# --- inclusion of other files -- ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.rst", "Title\n=====\n\n.. include:: {file}\n   :literal:\n\nText.\n\n.. literalinclude:: {file}\n"),
        ("a.rst", "Text.\n\n.. csv-table:: T\n   :file: {file}\n\n.. raw:: html\n   :file: {file}\n\nMore.\n"),
        (
            "a.rst",
            ".. |x| include:: {file}\n\nText.\n\n  .. include:: {file}\n\n.. code-block:: text\n   :file: {file}\n",
        ),
        ("a.org", '#+INCLUDE: "{file}"\n#+include: "{file}" src text\n  #+SETUPFILE: {file}\n\nText.\n'),
        ("a.rtf", '{{\\rtf1 Text.{{\\field{{\\*\\fldinst INCLUDETEXT "{file}"}}{{\\fldrslt }}}}\\par}}'),
    ],
)
def test_no_document_includes_a_file_of_this_machine(tmp_path: Path, name: str, content: str) -> None:
    """References to other files are left out; the rest is read."""
    secret = tmp_path / "secret.txt"
    secret.write_text("The secret of this machine,1\n")
    document = parsed(tmp_path, content.format(file=secret), name)
    texts = " ".join(element.text for element in document.elements)
    assert "Text." in texts
    assert "The secret of" not in texts


def test_rich_text_says_what_a_reader_sees(tmp_path: Path) -> None:
    """Merged cells fill their places; notes join their paragraph; struck and hidden text is counted."""
    row = r"\trowd%s\cellx1000%s\cellx2000\cellx3000\intbl %s\cell %s\cell %s\cell\row"
    rows = row % ("", r"\clmgf", "Hall", "Open", ""), row % (r"\clvmgf", "", "Elm", "7", "18")
    merged = rows[0].replace(r"\cellx3000", r"\clmrg\cellx3000"), rows[1], row % (r"\clvmrg", "", "", "8", "20")
    source = (
        r"{\rtf1\ansi Fee {\strike 40} 41 euros{\super 3}, CO{\sub 2}{\v secret} here{\super\chftn}"
        r"{\footnote\pard {\super\chftn} No tax.} now \v inner\v0  end.\par " + "".join(merged) + r"\pard After\par}"
    )
    document = parsed(tmp_path, source, "a.rtf")
    assert [item.text for item in document.elements] == [
        "Fee 41 euros ³, CO₂ here now end. (note 1: No tax.)",
        "Hall | Open | Open\nElm | 7 | 18\nElm | 8 | 20",
        "After",
    ]
    assert {remark.kind: remark.count for remark in document.remarks} == {"struck-text": 1, "hidden-text": 2}
    read = parsed(tmp_path, source, "a.rtf", ParseSettings(hidden="read"))
    assert "CO₂secret here now inner end." in read.elements[0].text


def test_hidden_text_of_an_opendocument_text_is_left_out(tmp_path: Path) -> None:
    """Hidden words and sections; struck-out words; a note joins its paragraph."""
    whole = by_pandoc("Fee ~~40~~ 41^3^, WORD shown^[No tax.] here.\n\nSECTION\n\nEnd.\n", "odt")
    with zipfile.ZipFile(io.BytesIO(whole)) as package:
        content = package.read("content.xml").decode()
    style = (
        '<style:style style:name="H1" style:family="text"><style:text-properties text:display="none"/></style:style>'
        "</office:automatic-styles>"
    )
    content = content.replace("</office:automatic-styles>", style, 1)
    content = content.replace("WORD", '<text:span text:style-name="H1">secret</text:span>')
    before, section, after = content.partition("SECTION")
    start, end = before.rindex("<text:p"), after.index("</text:p>") + len("</text:p>")
    hidden = f'<text:section text:display="none" text:name="s">{before[start:]}{section}{after[:end]}</text:section>'
    content = before[:start] + hidden + after[end:]
    document = parsed(tmp_path, changed(whole, "content.xml", content.encode()), "a.odt")
    assert [item.text for item in document.elements] == ["Fee 41 ³, shown here. (note 1: No tax.)", "End."]
    assert {remark.kind: remark.count for remark in document.remarks} == {"struck-text": 1, "hidden-text": 2}


def test_notes_on_other_pages_of_a_book_join_their_paragraphs(tmp_path: Path) -> None:
    """A book keeps its notes on a last page; struck-out text is left out and counted."""
    whole = by_pandoc("# One\n\nFIRST\n\n# Two\n\nSECOND\n", "epub")
    with zipfile.ZipFile(io.BytesIO(whole)) as package:
        names = [name for name in package.namelist() if name.endswith(".xhtml")]
        first, second = (next(name for name in names if word in package.read(name)) for word in (b"FIRST", b"SECOND"))
        notes = '<aside epub:type="footnote" id="n1"><p><a href="%s#r1">1</a>. Not on Sundays.</p></aside><p>Last.</p>'
        link = '<a epub:type="noteref" href="%s#n1"><sup>1</sup></a>'
        link, notes = link % second.rpartition("/")[2], notes % first.rpartition("/")[2]
        one = package.read(first).replace(b"FIRST", f"Open at 9{link} <s>10</s>.".encode())
        two = package.read(second).replace(b"<p>SECOND</p>", notes.encode())
    document = parsed(tmp_path, changed(changed(whole, first, one), second, two), "a.epub")
    texts = [item.text for item in document.elements]
    assert texts[-4:] == ["One", "Open at 9 . (note 1: Not on Sundays.)", "Two", "Last."]
    assert [(remark.kind, remark.count) for remark in document.remarks] == [("struck-text", 1)]
