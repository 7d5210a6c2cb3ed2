"""Word documents: structure, tracked changes, headings without styles, and damaged files."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import docx
import pytest
from docx.oxml.ns import qn
from docx.oxml.parser import OxmlElement

from activities.errors import DamagedDocument, DocumentTooLarge
from activities.settings import ParseSettings
from tests.activities.readers.conftest import CHINESE, ENGLISH, assert_all_there, parsed, shape
from tests.documents import replaced, simple_docx, word


@pytest.mark.parametrize("source", [CHINESE, ENGLISH])
def test_word_keeps_its_structure(tmp_path: Path, source: list[str]) -> None:
    """Headings with levels, paragraphs, list items and tables come out of a Word file in order."""
    build = docx.Document()
    build.add_heading("第一章 Chapter", 1)
    build.add_heading("第一节 Section", 2)
    for item in source:
        build.add_paragraph(item)
    build.add_paragraph("List item", style="List Bullet")
    table = build.add_table(rows=2, cols=2)
    cells = [cell for row in table.rows for cell in row.cells]
    for cell, content in zip(cells, ("类型", "天数", "年假", "5"), strict=True):
        cell.text = content
    document = parsed(tmp_path, word(build), "a.docx")
    assert [(item.text, item.level) for item in document.elements if item.kind == "title"] == [
        ("第一章 Chapter", 1),
        ("第一节 Section", 2),
    ]
    assert [item.text for item in document.elements if item.kind == "text"] == source
    assert [item.text for item in document.elements if item.kind == "list"] == ["List item"]
    assert [item.text for item in document.elements if item.kind == "table"] == ["类型 | 天数\n年假 | 5"]
    assert_all_there(document, ["第一章 Chapter 第一节 Section", *source, "List item 类型 天数 年假 5"])


def test_word_hides_nothing(tmp_path: Path) -> None:
    """Content controls and tracked insertions are read, deletions are not, outline levels make headings."""
    build = docx.Document()
    build.add_paragraph("Plain.")
    inserted = build.add_paragraph("Before ")
    for tag, text in (("w:ins", "inserted"), ("w:del", "deleted")):
        wrapper, run = OxmlElement(tag), OxmlElement("w:r")
        content = OxmlElement("w:t" if tag == "w:ins" else "w:delText")
        content.text = text
        run.append(content)
        wrapper.append(run)
        inserted._p.append(wrapper)
    outlined = build.add_paragraph("Outlined heading")
    level = OxmlElement("w:outlineLvl")
    level.set(qn("w:val"), "1")
    outlined._p.get_or_add_pPr().append(level)
    control, content = OxmlElement("w:sdt"), OxmlElement("w:sdtContent")
    control.append(content)
    content.append(build.add_paragraph("In a control.")._p)
    outlined._p.addnext(control)
    document = parsed(tmp_path, word(build), "a.docx")
    assert shape(document) == [
        ("text", "Plain."),
        ("text", "Before inserted"),
        ("title", "Outlined heading"),
        ("text", "In a control."),
    ]
    assert document.elements[2].level == 2


def test_word_without_styles_has_bold_headings(tmp_path: Path) -> None:
    """In a document without heading styles, a short line entirely in bold is a heading."""
    build = docx.Document()
    build.add_paragraph().add_run("请假制度").bold = True
    build.add_paragraph(CHINESE[0])
    assert shape(parsed(tmp_path, word(build), "a.docx")) == [("title", "请假制度"), ("text", CHINESE[0])]


def test_broken_and_swollen_word_files_fail_with_their_reason(tmp_path: Path) -> None:
    """Garbage inside the archive is damage; a bomb is too large before anything is unpacked."""
    whole = zipfile.ZipFile(io.BytesIO(word(docx.Document())))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        for member in whole.namelist():
            file.writestr(member, b"<w:broken" if member == "word/document.xml" else whole.read(member))
    with pytest.raises(DamagedDocument):
        parsed(tmp_path, target.getvalue(), "a.docx")
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("word/media/bomb.bin", bytes(100 << 20))
    with pytest.raises(DocumentTooLarge):
        parsed(tmp_path, target.getvalue(), "a.docx", ParseSettings(max_expansion=1))


DOCUMENT = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.dotx", b"application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml"),
        ("a.docm", b"application/vnd.ms-word.document.macroEnabled.main+xml"),
        ("a.dotm", b"application/vnd.ms-word.template.macroEnabledTemplate.main+xml"),
        ("template.docx", b"application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml"),
    ],
)
@pytest.mark.parametrize("hidden", [False, True])
def test_templates_and_documents_with_macros_are_documents(
    tmp_path: Path, name: str, kind: bytes, hidden: bool
) -> None:
    """Also those that are rewritten because unstructured would skip a part of them."""
    source = replaced(simple_docx("Title", "Text."), "[Content_Types].xml", DOCUMENT, kind)
    if hidden:
        whole = (
            b"<w:body>",
            b"<w:body><w:sdt><w:sdtContent><w:p><w:r><w:t>More.</w:t></w:r></w:p></w:sdtContent></w:sdt>",
        )
        source = replaced(source, "word/document.xml", *whole)
    texts = [text for _, text in shape(parsed(tmp_path, source, name))]
    assert texts == (["More."] if hidden else []) + ["Title", "Text."]


def test_a_package_of_another_kind_is_no_document(tmp_path: Path) -> None:
    """The reason names no path and no object."""
    source = replaced(simple_docx("Title", "Text."), "[Content_Types].xml", DOCUMENT, b"application/xml")
    with pytest.raises(DamagedDocument) as caught:
        parsed(tmp_path, source, "a.docx")
    assert "is not a Word file" in str(caught.value)
    assert not re.search(r"_io|/original|Error", str(caught.value))
