"""Plain text: paragraphs, wrapped lines, headings and encodings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from activities.contracts.documents import Element
from activities.readers import partition
from activities.readers.text import elements_of
from tests.activities.readers.conftest import CHINESE, ENGLISH, growth, parsed


@pytest.mark.parametrize("source", [CHINESE, ENGLISH])
@pytest.mark.parametrize("gap", ["\n", "\n\n", "\r\n\r\n"])
def test_text_keeps_every_paragraph(tmp_path: Path, source: list[str], gap: str) -> None:
    """Each paragraph of a text file is an element, whatever separates them, and nothing is lost."""
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
    """Logs, tables and addresses have lines of one length too; they are not joined."""
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


def test_long_paragraphs_take_no_longer_than_short_ones() -> None:
    """Time grows with the length of a wrapped paragraph, and of a run of blanks of any kind, not with its square."""
    line = "lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor\n"
    assert growth(lambda size: elements_of(line * size), 2000) < 9
    for blank in " \u00a0\u3000":
        assert growth(lambda size, blank=blank: elements_of(f"a{blank * size}b"), 8000) < 9  # type: ignore[misc]
    assert [item.text for item in elements_of("a" + " " * 9000 + "b")] == ["a b"]


def test_code_keeps_its_indentation(tmp_path: Path) -> None:
    """Parts with indented lines stay as they are; other lines are paragraphs, as in a log."""
    source = "import os\nN = 5  # at most\n\n\ndef size(path):\n\tif path:\n\t    return stat(path)\n\n    # twice\n"
    document = parsed(tmp_path, source, "a.py")
    assert [(item.kind, item.text) for item in document.elements] == [
        ("text", "import os"),
        ("text", "N = 5 # at most"),
        ("code", "def size(path):\n\tif path:\n\t    return stat(path)"),
        ("code", "    # twice"),
    ]
    assert {item.kind for item in parsed(tmp_path, "a\n  at b\nc\n", "a.log").elements} == {"text"}


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("A  sentence\u00a0with blanks. ", "text", "A sentence with blanks."),
        ("• an item", "list", "an item"),
        ("- an item", "list", "an item"),
        ("-3 degrees", "text", "-3 degrees"),
        ("2) an item", "list", "2) an item"),
        ("2.5 litres", "text", "2.5 litres"),
    ],
)
def test_a_paragraph_is_told_from_an_item(text: str, kind: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what stands before it; whether it may be a title is not asked, which takes longer than all else."""
    monkeypatch.delattr(partition, "element_from_text")
    assert partition.paragraph(text) == Element(text=shown, kind=kind)  # type: ignore[arg-type]
