"""Parsing: what comes out of each format, in both languages, and how files that cannot be read fail."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import docx
import pytest
from docx.oxml.ns import qn
from docx.oxml.parser import OxmlElement
from temporalio.testing import ActivityEnvironment

from activities.contracts.documents import Element, ParsedDocument
from activities.contracts.ingest import Chunked, ChunkInput, ParseInput
from activities.errors import DamagedDocument, DocumentTooLarge, EncryptedDocument, NoText, UnsupportedFormat
from activities.ingest.parse import PARSER_FINGERPRINT, ParseActivities, is_harmless, parse_file, parser_fingerprint
from activities.sandbox import runner
from activities.settings import ParseSettings
from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from tests.documents import encrypted, page, pdf, word

CHINESE = [
    "员工请假须提前三天向直属主管提出书面申请，经人力资源部批准后方可生效。",
    "差旅费用应在出差结束后十个工作日内报销；逾期不予受理！",
    "是",
    "年假天数：工作满一年不满十年的，年休假5天；已满十年不满二十年的，年休假10天。",
]
ENGLISH = [
    "Leave has to be requested three days ahead, in writing, from the direct manager.",
    "Travel costs are refunded within ten working days.",
    "x",
    "Temperatures below -40 °C (see 3.5) are rare: 090-1234-5678 is the number to call.",
]


def parsed(tmp_path: Path, content: bytes | str, name: str, limits: ParseSettings | None = None) -> ParsedDocument:
    path = tmp_path / "original"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return parse_file(path, name, limits or ParseSettings(), lambda done, total: None)


def shape(document: ParsedDocument) -> list[tuple[str, str]]:
    return [(element.kind, element.text) for element in document.elements]


def assert_all_there(document: ParsedDocument, source: list[str]) -> None:
    """Every run of visible characters of the source is in the joined text, in order."""
    text = "\n".join(element.text for element in document.elements)
    position = 0
    for run in " ".join(source).split():
        found = text.find(run, position)
        assert found >= 0, f"{run!r} is missing or out of order"
        position = found


# --- plain text ------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [CHINESE, ENGLISH])
@pytest.mark.parametrize("gap", ["\n", "\n\n", "\r\n\r\n"])
def test_text_keeps_every_paragraph(tmp_path: Path, source: list[str], gap: str) -> None:
    """Each paragraph of a text file is an element of its own, whatever separates them, and nothing is lost."""
    document = parsed(tmp_path, gap.join(source), "a.txt")
    assert [element.text for element in document.elements] == source
    assert {element.kind for element in document.elements} == {"text"}
    assert document.pages is None
    assert document.media_type == "text/plain"


def test_wrapped_lines_become_paragraphs(tmp_path: Path) -> None:
    """Lines that an editor wrapped are joined: with a space in English, without one in Chinese."""
    english = [" ".join(f"word{n}{m} and" for m in range(40)) + " the end." for n in range(6)]
    wrapped = "\n\n".join(re.sub(r"(.{50,66}) ", r"\1\n", item) for item in english)
    assert [element.text for element in parsed(tmp_path, wrapped, "a.txt").elements] == english
    numerals = "一二三四五六七八九十"
    chinese = ["".join(f"第{n}段的第{m}句讲的是请假规定，" for m in numerals) + "完。" for n in numerals]
    wrapped = "\n".join("　　" + item[:32] + "\n" + re.sub(r"(.{34})", r"\1\n", item[32:]) for item in chinese)
    assert [element.text for element in parsed(tmp_path, wrapped, "a.txt").elements] == chinese


def test_lines_that_are_not_wrapped_stay_apart(tmp_path: Path) -> None:
    """Logs, tables and addresses have lines of one length too; they are not run together."""
    log = [f"2026-01-{n:02} 12:00:00 INFO Worker number {n:04} finished batch {n * 7:05} in time" for n in range(1, 29)]
    assert [element.text for element in parsed(tmp_path, "\n".join(log), "a.log").elements] == log


def test_only_clear_headings_of_text_files_count(tmp_path: Path) -> None:
    """Chapter lines, Markdown marks and 1.2 numbers on a line of their own are headings; short lines are not."""
    source = (
        "CHAPTER I\n\nText one.\n\n第二章 请假\n\n规定如下。\n\n## Third\n\n"
        "Text.\n\n4.1 Scope\n\nMore text.\n\nShort line\n\nEnd."
    )
    titles = [(item.text, item.level) for item in parsed(tmp_path, source, "a.txt").elements if item.kind == "title"]
    assert titles == [("CHAPTER I", 2), ("第二章 请假", 2), ("Third", 2), ("4.1 Scope", 3)]
    assert not any(item.kind == "title" for item in parsed(tmp_path, "# comment\n\nx = 1\n", "a.py").elements)


def test_other_encodings_are_read(tmp_path: Path) -> None:
    """A GB18030 file reads as well as a UTF-8 one."""
    document = parsed(tmp_path, "\n".join(CHINESE).encode("gb18030"), "a.txt")
    assert [element.text for element in document.elements] == CHINESE


# --- Markdown and HTML -----------------------------------------------------------------------------

MARKDOWN = """---
title: 员工手册
---
# 员工手册

前言段落，
换行继续。
- 第一项
- 第二项
  - 嵌套项

1. Step one
2. Step two

## Leave `policy`

| 类型 | 天数 |
| --- | --- |
| 年假 | 5 |
| 病假 | 10 |

```python
def leave(days):
    return days
```

Use List<String> or <your name> here. 是
"""


def test_markdown_keeps_its_structure(tmp_path: Path) -> None:
    """Headings with levels, lists (numbered, nested, right after a paragraph), tables, code, odd brackets."""
    document = parsed(tmp_path, MARKDOWN, "a.md")
    assert shape(document) == [
        ("text", "title: 员工手册"),
        ("title", "员工手册"),
        ("text", "前言段落，换行继续。"),
        ("list", "第一项"),
        ("list", "第二项"),
        ("list", "嵌套项"),
        ("list", "1. Step one"),
        ("list", "2. Step two"),
        ("title", "Leave policy"),
        ("table", "类型 | 天数\n年假 | 5\n病假 | 10"),
        ("code", "def leave(days):\n    return days"),
        ("text", "Use List<String> or <your name> here. 是"),
    ]
    assert [element.level for element in document.elements if element.kind == "title"] == [1, 2]


@pytest.mark.parametrize("source", [CHINESE, ENGLISH])
def test_markdown_and_html_lose_nothing(tmp_path: Path, source: list[str]) -> None:
    """Every paragraph of a page is there, one-character ones too, in order and under its heading."""
    markdown = "# 标题 Title\n\n" + "\n\n".join(source)
    html = f"<html><body><h1>标题 Title</h1>{''.join(f'<p>{item}</p>' for item in source)}</body></html>"
    for content, name in ((markdown, "a.md"), (html, "a.html")):
        document = parsed(tmp_path, content, name)
        assert [element.text for element in document.elements] == ["标题 Title", *source]
        assert document.elements[0].kind == "title"


def test_html_shows_what_a_browser_shows(tmp_path: Path) -> None:
    """Details, figures, labels and captions are text; scripts and navigation are not; the title heads the page."""
    html = """<!DOCTYPE html><html><head><title>请假制度</title><script>var hidden = 1;</script></head><body>
    <nav>Home | Products</nav><details><summary>More</summary><p>Inside details.</p></details>
    <figure><img src="a.png" alt="Chart of leave"><figcaption>Figure 1</figcaption></figure>
    <ol start="3"><li>Third</li><li><p>Fourth</p></li></ol>
    <table><caption>Days</caption><tr><th>Kind</th><th>Days</th></tr><tr><td>Annual</td><td>5</td></tr></table>
    <table><tr><td><h2>Layout</h2><p>Cell text.</p></td></tr></table>
    <pre>a = 1
  b = 2</pre><p>第一行
    第二行</p></body></html>"""
    document = parsed(tmp_path, html, "a.html")
    assert shape(document) == [
        ("title", "请假制度"),
        ("text", "More"),
        ("text", "Inside details."),
        ("text", "Chart of leave"),
        ("text", "Figure 1"),
        ("list", "3. Third"),
        ("list", "4. Fourth"),
        ("text", "Days"),
        ("table", "Kind | Days\nAnnual | 5"),
        ("title", "Layout"),
        ("text", "Cell text."),
        ("code", "a = 1\n  b = 2"),
        ("text", "第一行第二行"),
    ]


# --- Word ------------------------------------------------------------------------------------------


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
    """Where nobody used heading styles, a short line all in bold is a heading."""
    build = docx.Document()
    build.add_paragraph().add_run("请假制度").bold = True
    build.add_paragraph(CHINESE[0])
    assert shape(parsed(tmp_path, word(build), "a.docx")) == [("title", "请假制度"), ("text", CHINESE[0])]


def test_broken_and_swollen_word_files_fail_with_their_reason(tmp_path: Path) -> None:
    """Nonsense inside the archive is damage; a bomb is too large before anything is unpacked."""
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


# --- PDF -------------------------------------------------------------------------------------------


def test_pdf_lines_become_paragraphs_with_pages(tmp_path: Path) -> None:
    """Wrapped lines are joined, headings found by size and weight, running headers and numbers dropped."""
    long = "The first line of this paragraph runs to the right edge of the page and"
    pages = []
    for number in range(1, 6):
        body = page(
            (f"{number} Section title", "B", 16), ("", "R", 0),
            (long, "R", 11),
            (f"goes on here until it ends on page {number}.", "R", 11),
            ("Another paragraph begins after the short line and it is as wide as the first", "R", 11),
            ("one was.", "R", 11), ("", "R", 0),
            ("1. A numbered item", "R", 11), ("2. Another numbered item", "R", 11),
        )  # fmt: skip
        pages.append([(72.0, 810.0, 9, "R", "Employee handbook"), *body, (290.0, 30.0, 9, "R", f"Page {number} of 5")])
    document = parsed(tmp_path, pdf(pages), "a.pdf")
    assert document.pages == 5
    second = [(item.kind, item.text) for item in document.elements if item.page == 2]
    assert second == [
        ("title", "2 Section title"),
        ("text", f"{long} goes on here until it ends on page 2."),
        ("text", "Another paragraph begins after the short line and it is as wide as the first one was."),
        ("list", "1. A numbered item"),
        ("list", "2. Another numbered item"),
    ]
    assert not any("handbook" in item.text or "Page" in item.text for item in document.elements)


def test_chinese_pdf_text_survives(tmp_path: Path) -> None:
    """Chinese paragraphs are joined without spaces, under their heading."""
    first = "员工请假须提前三天向直属主管提出书面申请经人力资源部批准后方可生"
    rest = "效，逾期不予受理。"
    gap = ("", "C", 0.0)
    lines = [(text, "C", 12.0) for text in (first, rest)]
    body = page(("第一章 请假制度", "C", 18), gap, *lines, gap, (CHINESE[1], "C", 12))
    document = parsed(tmp_path, pdf([body]), "a.pdf")
    assert shape(document) == [("title", "第一章 请假制度"), ("text", first + rest), ("text", CHINESE[1])]


def test_pdf_paragraphs_go_on_over_pages(tmp_path: Path) -> None:
    """A paragraph cut by a page break is one element, on the page where it begins."""
    line = "This paragraph is long and every line of it is filled to the right margin and"
    start = page(*[(line, "R", 11)] * 3, top=100)
    rest = page(("continues on the next page.", "R", 11), ("", "R", 0), ("", "R", 0), ("A new paragraph.", "R", 11))
    document = parsed(tmp_path, pdf([start, rest]), "a.pdf")
    assert len(document.elements) == 2
    assert document.elements[0].text.endswith("margin and continues on the next page.")
    assert [item.page for item in document.elements] == [1, 2]


def test_pdf_without_text_says_so(tmp_path: Path) -> None:
    """A scanned document is not an empty success."""
    with pytest.raises(NoText):
        parsed(tmp_path, pdf([[], []]), "scan.pdf")


def test_protected_broken_and_endless_pdfs_fail_with_their_reason(tmp_path: Path) -> None:
    """A password, a damaged file and too many pages each have their own error."""
    whole = pdf([page(("Secret", "R", 12))] * 3)
    with pytest.raises(EncryptedDocument):
        parsed(tmp_path, encrypted(whole), "a.pdf")
    with pytest.raises(DamagedDocument):
        parsed(tmp_path, whole[:40], "a.pdf")
    with pytest.raises(DocumentTooLarge):
        parsed(tmp_path, whole, "a.pdf", ParseSettings(max_pages=2))


# --- all formats -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "harmless"),
    [
        ("Plain text.\n\n纯文本。".encode(), True),
        (b"# Notes\n\n* an item", True),
        (b"a,b\n1,2\n", True),
        (b"<p>markup</p>", False),
        (b"text, and much later <svg>", False),
        (b"rubbish before\n%PDF-1.7", False),
        (b"{\\rtf1 text}", False),
        (b"From: a@b.c\nSubject: x\nContent-Type: multipart/mixed; boundary=x\n\n--x", False),
        ("文本".encode("gb18030"), False),
        (b"PK\x03\x04\x00", False),
    ],
)
def test_only_text_without_markup_or_parts_is_harmless(content: bytes, harmless: bool) -> None:
    """What a library that is not memory-safe would read has a process of its own."""
    assert is_harmless(content) is harmless


def test_progress_reaches_its_total(tmp_path: Path) -> None:
    """Progress grows up to the total it announces."""
    (tmp_path / "a").write_bytes(pdf([page(("Text on a page", "R", 12))] * 4))
    seen: list[tuple[int, int]] = []
    parse_file(tmp_path / "a", "a.pdf", ParseSettings(), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_text_that_turns_binary_later_is_refused(tmp_path: Path) -> None:
    """A file whose beginning alone looks like text does not get in as rubbish."""
    with pytest.raises(UnsupportedFormat):
        parsed(tmp_path, b"text " * 20 + bytes(range(1, 32)) * 2000, "a.txt")


def test_text_of_signs_only_is_no_text(tmp_path: Path) -> None:
    """A file without a letter or digit cannot be searched."""
    with pytest.raises(NoText):
        parsed(tmp_path, "---\n***\n", "a.txt")


# --- the activity ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fork_server() -> Iterator[None]:
    """The fork server that the activity starts is closed behind the module."""
    yield
    runner.close()


@pytest.mark.usefixtures("fork_server")
def test_the_activity_parses_once(tmp_path: Path) -> None:
    """The parsed document is stored under the hash and the parser; a second run loads it without the original."""

    async def run() -> None:
        blobs = Blobs(tmp_path.as_uri())
        content = "\n\n".join(CHINESE).encode()
        job = ParseInput(sha256=hashlib.sha256(content).hexdigest(), document_name="制度.txt", bytes=len(content))
        await blobs.put(original_key(job.sha256), content)
        activities = ParseActivities(blobs, ParseSettings(), never_asked)
        first = await ActivityEnvironment().run(activities.parse, job)
        assert first.parsed_key == f"parsed/{job.sha256}/{PARSER_FINGERPRINT}"
        assert first.elements == len(CHINESE)
        assert first.characters == sum(map(len, CHINESE))
        stored = await blobs.load(first.parsed_key, ParsedDocument)
        assert stored.elements[0] == Element(text=CHINESE[0])
        await blobs.delete(original_key(job.sha256))
        assert await ActivityEnvironment().run(activities.parse, job) == first

    asyncio.run(run())


async def never_asked(job: ChunkInput) -> Chunked:
    """The step that follows, where it is not to be taken in the same go."""
    raise AssertionError(job)


@pytest.mark.usefixtures("fork_server")
def test_a_failed_parse_stores_nothing(tmp_path: Path) -> None:
    """A document that cannot be read leaves no blob, and its error names the reason."""

    async def run() -> None:
        blobs = Blobs(tmp_path.as_uri())
        await blobs.put(original_key("0" * 64), b"%PDF-1.7 nothing more")
        job = ParseInput(sha256="0" * 64, document_name="a.pdf", bytes=21)
        with pytest.raises(DamagedDocument):
            await ActivityEnvironment().run(ParseActivities(blobs, ParseSettings(), never_asked).parse, job)
        assert await blobs.list("parsed") == []

    asyncio.run(run())


def test_the_name_counts_only_where_content_cannot_tell() -> None:
    """The same bytes as notes.txt and notes.md are two parsed documents; as a.pdf and b.pdf they are one."""
    assert parser_fingerprint("notes.txt") != parser_fingerprint("notes.md")
    assert parser_fingerprint("a.pdf") == parser_fingerprint("b.pdf")
