"""PDF: paragraphs with pages, in both languages, and files that cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from activities.errors import DamagedDocument, DocumentTooLarge, EncryptedDocument, NoText
from activities.readers.layout import Line
from activities.readers.running import without_running_lines
from activities.settings import ParseSettings
from tests.activities.readers.conftest import CHINESE, parsed, shape
from tests.documents import encrypted, page, pdf


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


class Watched(Line):
    """A line that counts how often its height is asked for."""

    def __getattribute__(self, name: str) -> Any:
        if name == "first":
            asked[0] += 1
        return super().__getattribute__(name)


asked = [0]


def printed(text: str, page: int, height: float) -> Line:
    return Watched(
        text=text, page=page, left=50, right=150, first=height, last=height, size=9, bold=False, page_height=842
    )


def test_running_lines_stand_at_one_height_of_many_pages() -> None:
    """A line that wanders from page to page runs as long as enough pages have it within a few points."""
    heights = {1: 800, 2: 803, 3: 806, 4: 809, 5: 812, 6: 806, 7: 820, 8: 823, 9: 826, 10: 829}
    pages = [[printed("Handbook", page, height), printed("Text.", page, 400)] for page, height in heights.items()]
    kept = [lines[0].page for lines in without_running_lines(pages) if len(lines) == 2]
    assert kept == [1, 5, 7, 8, 9, 10]
    twice = [[printed("Twice", page, height) for height in (800, 801)] for page in (1, 2, 3)]
    assert without_running_lines(twice) == twice


def test_running_lines_are_found_in_one_pass() -> None:
    """The work does not grow with the square of the lines that have the same words."""
    work = []
    for count in (20, 80):
        asked[0] = 0
        pages = [[printed("Same words", page, 788 + row) for row in range(40)] for page in range(count)]
        without_running_lines([[*lines, printed("Text.", lines[0].page, 400)] for lines in pages])
        work.append(asked[0])
    assert work[1] < 5 * work[0]


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
