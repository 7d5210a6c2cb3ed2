"""What Word documents hold besides their text: headers, comments, pictures, charts, embedded files; Strict files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import docx
import pytest
from PIL import Image, ImageDraw, ImageFont

from activities.contracts.documents import ParsedDocument
from activities.ingest.parse import parse_file
from activities.readers.embedded import MAX_DEPTH
from activities.readers.formats import has_pages
from activities.settings import ParseSettings
from tests.activities.readers.conftest import parsed, shape
from tests.documents import simple_docx, simple_eml, simple_xlsx, word
from tests.word import paragraph, row, run, table, written


def texts(document: ParsedDocument) -> list[str]:
    return [item.text for item in document.elements]


def counts(document: ParsedDocument) -> dict[str, int]:
    return {remark.kind: remark.count for remark in document.remarks}


def field(instruction: str) -> str:
    """A complex field with a result."""
    kinds = {kind: f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end")}
    code = f"<w:r><w:instrText> {instruction} </w:instrText></w:r>"
    return kinds["begin"] + code + kinds["separate"] + run("9") + kinds["end"]


def section(**kinds: str) -> str:
    """The last section of a body; its headers and footers by the names of their files."""
    references = "".join(
        f'<w:{name.split("_")[0]}Reference w:type="{kind}" r:id="{name}.xml"/>' for name, kind in kinds.items()
    )
    return f"<w:sectPr>{references}</w:sectPr>"


def test_headers_and_footers_are_facts_behind_the_title(tmp_path: Path) -> None:
    """Each once, without page numbers and title; those of a first page that has none of its own are not shown."""
    header = paragraph("Document no. QP-0417", "<w:r><w:tab/></w:r>", "Effective 14 October 2025") + paragraph("Safety")
    footer = paragraph(
        "Approved by Dr. Halloran", "<w:r><w:tab/></w:r>", "Page ", field("PAGE"), " of ", field("NUMPAGES")
    )
    chinese = paragraph("编号：QP-0417") + paragraph(
        "第", field("PAGE \\* MERGEFORMAT"), "页 共", field("NUMPAGES"), "页"
    )
    body = paragraph("Safety", style="Heading1") + paragraph("Wear a helmet.")
    document = parsed(
        tmp_path,
        written(
            body + section(header_1="default", header_2="first", footer_1="default", footer_2="default"),
            {
                "header_1.xml": ("header", f"<w:hdr>{header}</w:hdr>"),
                "header_2.xml": ("header", f"<w:hdr>{paragraph('Never shown')}</w:hdr>"),
                "footer_1.xml": ("footer", f"<w:ftr>{footer}</w:ftr>"),
                "footer_2.xml": ("footer", f"<w:ftr>{chinese}{header}</w:ftr>"),
            },
        ),
        "a.docx",
    )
    assert shape(document) == [
        ("title", "Safety"),
        ("text", "Document no. QP-0417 | Effective 14 October 2025"),
        ("text", "Approved by Dr. Halloran | 编号：QP-0417"),
        ("text", "Wear a helmet."),
    ]


@pytest.mark.parametrize(
    ("runs", "texts_left"),
    [
        (("Page ", field("PAGE")), []),
        (("Page 3-", field("PAGE")), []),
        (("Handbook of the yard  Page 5 of 7",), ["Handbook of the yard"]),
        (("- ", field("PAGE"), " -"), []),
        (("Rev. 3 – Seite ", field("PAGE"), " von ", field("NUMPAGES")), ["Rev. 3"]),
        (("Homepage 3",), ["Homepage 3"]),
        (("12",), []),
    ],
)
def test_page_numbers_are_no_facts(tmp_path: Path, runs: tuple[str, ...], texts_left: list[str]) -> None:
    """Neither those that Word counts nor typed ones, with the words around them."""
    footer = {"footer_1.xml": ("footer", f"<w:ftr>{paragraph(*runs)}</w:ftr>")}
    source = written(paragraph("Text.") + section(footer_1="default"), footer)
    assert texts(parsed(tmp_path, source, "a.docx")) == [*texts_left, "Text."]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ((("Doc. no.:", "QP-7"), ("Owner:", "Quality")), "Doc. no.: QP-7 | Owner: Quality"),
        ((("Number", "Revision"), ("QP-7", "3")), "Number: QP-7 | Revision: 3"),
        ((("Number", "QP-7", "Revision", "3"),), "Number: QP-7 | Revision: 3"),
        ((("Quality department", "Procedure QP-7", "Kiln"),), "Quality department | Procedure QP-7 | Kiln"),
    ],
)
def test_tables_in_headers_are_labels_with_values(tmp_path: Path, rows: tuple[tuple[str, ...], ...], text: str) -> None:
    """In columns, in rows, and side by side."""
    header = f"<w:hdr>{table(*(row(*cells) for cells in rows))}{paragraph('')}</w:hdr>"
    source = written(paragraph("Text.") + section(header_1="default"), {"header_1.xml": ("header", header)})
    assert texts(parsed(tmp_path, source, "a.docx")) == [text, "Text."]


def commented(text: str, *identifiers: int) -> str:
    start, end = (
        "".join(f'<w:commentRange{name} w:id="{number}"/>' for number in identifiers) for name in ("Start", "End")
    )
    marks = "".join(f'<w:r><w:commentReference w:id="{number}"/></w:r>' for number in identifiers)
    return start + run(text) + end + marks


def test_comments_follow_their_paragraph_with_their_author(tmp_path: Path) -> None:
    """They name what they are about; in tables they follow the table."""
    comments = (
        f'<w:comments><w:comment w:id="0" w:author="Legal (Jane Doe)">{paragraph("Too high.")}</w:comment>'
        f'<w:comment w:id="1" w:author="王芳">{paragraph("应为四个月。")}</w:comment>'
        f'<w:comment w:id="2">{paragraph("Check", run(" not", "strike"), ".")}</w:comment></w:comments>'
    )
    body = (
        paragraph("The ", commented("price per lunch", 0), " is 6.80 euros.")
        + table(row("Notice", commented_cell("通知期", 1, 2)))
        + paragraph("End.")
    )
    document = parsed(tmp_path, written(body, {"comments.xml": ("comments", comments)}), "a.docx")
    assert texts(document) == [
        "The price per lunch is 6.80 euros.",
        "Comment by Legal (Jane Doe) on “price per lunch”: Too high.",
        "Notice | 通知期",
        "王芳的批注（关于“通知期”）：应为四个月。",
        "Comment on “通知期”: Check.",
        "End.",
    ]


def commented_cell(text: str, *identifiers: int) -> str:
    return f"<w:tc><w:tcPr/>{paragraph(commented(text, *identifiers))}</w:tc>"


def picture(text: str = "", size: tuple[int, int] = (640, 120)) -> bytes:
    """A picture in PNG with a line of text."""
    image, target = Image.new("RGB", size, "white"), io.BytesIO()
    if text:
        ImageDraw.Draw(image).text((20, 40), text, fill="black", font=ImageFont.load_default(32))
    image.save(target, "PNG")
    return target.getvalue()


def with_pictures(*pictures: bytes) -> bytes:
    build = docx.Document()
    build.add_paragraph("Before.")
    for data in pictures:
        build.add_paragraph().add_run().add_picture(io.BytesIO(data))
    build.add_paragraph("After.")
    return word(build)


def test_text_in_pictures_is_read_where_they_stand(tmp_path: Path) -> None:
    """A repeated picture once; small ones are left aside, those without text are counted."""
    shown = picture("Turn the green wheel")
    document = parsed(tmp_path, with_pictures(shown, shown, picture(size=(640, 121)), picture(size=(40, 40))), "a.docx")
    assert texts(document) == ["Before.", "Turn the green wheel", "After."]
    assert counts(document) == {"pictures": 1}


def test_pictures_without_recognition_are_counted(tmp_path: Path) -> None:
    """The rest of the document is read."""
    document = parsed(tmp_path, with_pictures(picture("Wheel")), "a.docx", ParseSettings(ocr="off"))
    assert texts(document) == ["Before.", "After."]
    assert counts(document) == {"pictures": 1}


def test_a_picture_beyond_all_limits_costs_nothing_else(tmp_path: Path) -> None:
    """One that claims to be 30,000 pixels wide and high is counted, and not decoded; so is a broken one."""
    whole = picture(size=(100, 100))
    huge = whole[:16] + (30_000).to_bytes(4, "big") * 2 + whole[24:]
    body = paragraph("Before.") + "".join(blip(f"{name}.png") for name in ("huge", "broken")) + paragraph("After.")
    source = written(body, {"huge.png": ("image", huge), "broken.png": ("image", b"no picture")})
    document = parsed(tmp_path, source, "a.docx")
    assert texts(document) == ["Before.", "After."]
    assert counts(document) == {"pictures": 2}


def blip(name: str) -> str:
    return f'<w:p><w:r><w:drawing><a:blip r:embed="{name}"/></w:drawing></w:r></w:p>'


def chart(*series: tuple[str, list[str]], categories: list[str]) -> str:
    def points(values: list[str]) -> str:
        return "".join(f'<c:pt idx="{place}"><c:v>{value}</c:v></c:pt>' for place, value in enumerate(values))

    made = "".join(
        f"<c:ser><c:tx><c:strRef><c:strCache>{points([name])}</c:strCache></c:strRef></c:tx>"
        f"<c:cat><c:strRef><c:strCache>{points(categories)}</c:strCache></c:strRef></c:cat>"
        f"<c:val><c:numRef><c:numCache>{points(values)}</c:numCache></c:numRef></c:val></c:ser>"
        for name, values in series
    )
    title = "<c:title><a:p><a:r><a:t>Visitors</a:t></a:r></a:p></c:title>"
    return f"<c:chartSpace><c:chart>{title}<c:plotArea>{made}</c:plotArea></c:chart></c:chartSpace>"


def test_charts_are_tables_of_their_data(tmp_path: Path) -> None:
    """After their title; a chart without stored data is counted."""
    body = "".join(
        f'<w:p><w:r><w:drawing><c:chart r:id="{name}"/></w:drawing></w:r></w:p>' for name in ("one.xml", "two.xml")
    )
    source = written(
        paragraph("Before.") + body,
        {
            "one.xml": ("chart", chart(("2023", ["4", "7.50"]), ("2024", ["5", "8"]), categories=["North", "South"])),
            "two.xml": ("chart", chart(categories=[])),
        },
    )
    document = parsed(tmp_path, source, "a.docx")
    assert texts(document) == ["Before.", "Visitors", " | 2023 | 2024\nNorth | 4 | 5\nSouth | 7.5 | 8"]
    assert counts(document) == {"charts": 1}


def test_texts_of_diagrams_are_read(tmp_path: Path) -> None:
    """SmartArt: one item for each shape."""
    data = "<dgm:dataModel>" + "".join(
        f"<dgm:pt><dgm:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t></dgm:pt>" for text in ("Plan", "Do")
    ) + "</dgm:dataModel>"  # fmt: skip
    body = '<w:p><w:r><w:drawing><dgm:relIds r:dm="data.xml"/></w:drawing></w:r></w:p>'
    document = parsed(tmp_path, written(paragraph("Steps:") + body, {"data.xml": ("diagramData", data)}), "a.docx")
    assert shape(document) == [("text", "Steps:"), ("list", "Plan"), ("list", "Do")]


def holding(name: str, content: bytes) -> bytes:
    """A document with an embedded file."""
    body = paragraph("Outer.") + f'<w:p><w:r><w:object><o:OLEObject r:id="{name}"/></w:object></w:r></w:p>'
    return written(body + paragraph("End."), {name: ("package", content)})


def test_embedded_files_follow_the_document_under_their_names(tmp_path: Path) -> None:
    """With their headings below the name; what cannot be read is counted."""
    inner = simple_docx("Inner", "Inner text.")
    found = shape(parsed(tmp_path, holding("plan.docx", inner), "a.docx"))
    assert found == [
        ("text", "Outer."),
        ("text", "End."),
        ("title", "plan.docx"),
        ("title", "Inner"),
        ("text", "Inner text."),
    ]
    book = parsed(tmp_path, holding("sheet.xlsx", simple_xlsx(("Item", "Price"), ("Desk", 14))), "a.docx")
    assert texts(book)[-1] == "Item: Desk | Price: 14"
    broken = parsed(tmp_path, holding("object.bin", b"\x01\x02\x03\x00"), "a.docx")
    assert texts(broken) == ["Outer.", "End."]
    assert counts(broken) == {"embedded-files": 1}


def test_embedded_files_have_a_deepest_level(tmp_path: Path) -> None:
    """Of twenty documents in one another the outer ones are read, also in a mail, and the next one is counted."""
    source = simple_docx("Innermost", "Innermost text.")
    for _ in range(20):
        source = holding("a.docx", source)
    document = parsed(tmp_path, source, "a.docx")
    assert texts(document).count("Outer.") == MAX_DEPTH
    assert counts(document) == {"embedded-files": 1}
    mail = parsed(tmp_path, simple_eml("Subject", "Body.", ("a.docx", source)), "a.eml")
    assert texts(mail).count("Outer.") == MAX_DEPTH - 1
    assert counts(mail) == {"embedded-files": 1}


def test_imported_documents_are_read_in_their_place(tmp_path: Path) -> None:
    """What Word shows as a part of the text."""
    source = written(
        paragraph("Before.") + '<w:altChunk r:id="part.html"/>' + paragraph("After."),
        {"part.html": ("aFChunk", b"<!doctype html><html><body><p>Imported.</p></body></html>")},
    )
    assert texts(parsed(tmp_path, source, "a.docx")) == ["Before.", "Imported.", "After."]


def test_strict_documents_are_read(tmp_path: Path) -> None:
    """Word saves them with other namespaces; their measures have units."""
    target = io.BytesIO()
    source = written(paragraph("Title", style="Heading1") + paragraph("Costs 14", run("2", "vertAlign=superscript")))
    with zipfile.ZipFile(io.BytesIO(source)) as usual, zipfile.ZipFile(target, "w") as strict:
        for name in usual.namelist():
            content = usual.read(name)
            for room in (b"wordprocessingml", b"officeDocument", b"drawingml"):
                old = b"http://schemas.openxmlformats.org/%s/2006/" % room
                content = content.replace(old, b"http://purl.oclc.org/ooxml/%s/" % room)
            strict.writestr(name, content)
    assert shape(parsed(tmp_path, target.getvalue(), "a.docx")) == [("title", "Title"), ("text", "Costs 14 ²")]


def test_private_characters_in_a_text_stand_for_nothing(tmp_path: Path) -> None:
    """A document cannot have elements repeated that way."""
    source = written(paragraph("\ue0000\ue001") + blip("none.png") + paragraph("Text."))
    assert texts(parsed(tmp_path, source, "a.docx")) == ["\ue0000\ue001", "Text."]


def test_pictures_in_documents_are_units_of_progress(tmp_path: Path) -> None:
    """They may take seconds each, which adds to the time of the document that holds any."""
    path, seen = tmp_path / "a.docx", list[tuple[int, int]]()
    path.write_bytes(with_pictures(picture(size=(70, 70)), picture(size=(71, 70))))
    assert has_pages(path)
    parse_file(path, "a.docx", ParseSettings(), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    path.write_bytes(simple_docx("Title", "Text."))
    assert not has_pages(path)
