"""Plain text: joins lines into paragraphs where an editor wrapped them."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby, pairwise
from pathlib import Path

from activities.contracts.documents import Element
from activities.errors import UnsupportedFormat
from activities.readers.encoding import decode
from activities.readers.formats import hint, supported
from activities.readers.headings import heading
from activities.readers.partition import Progress, paragraph
from activities.readers.reading import Reading
from activities.settings import ParseSettings
from activities.text.scripts import CJK, IDEOGRAPHIC

_WRAP_WIDTHS = range(40, 131)  # characters; CJK lines count double
_SLACK = 0.85  # a wrapped line plus the next line's first word fills at least this share of the width
CJK_END, CJK_START = re.compile(f"[{CJK}]$"), re.compile(f"^[{CJK}]")
_UNSPACED = re.compile(f"[{IDEOGRAPHIC}\uf900-\ufaff\uff00-\uffef]")
ITEM = re.compile(
    r"\s*(?:[-*+•·●○▪‣–]\s|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,4})[.)]\s"
    r"|[(（]?[0-9一二三四五六七八九十]{1,3}[）、.)](?!\d))"
)
_BREAK = re.compile(r"\r\n?|[\u0085\u2028\u2029\f\v]")
_TERMINATED = re.compile(r"[.!?:;。！？：；…][\"'”’」』）)\]]*$")
LONE_BULLET = re.compile(r"[^\w\s]|\u3164")  # unstructured drops these; U+3164 is a blank that counts as a letter


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The paragraphs of a text file, with headings only where the wording is unambiguous."""
    text = decode_file(path)
    progress(1, 2)
    kind = hint(name)
    elements = code_of(text) if kind == "code" else elements_of(text, prose=kind == "")
    progress(2, 2)
    return Reading(elements)


def elements_of(text: str, *, prose: bool = True) -> list[Element]:
    """The paragraphs of a text. In ``prose``, lines that stand alone may be headings; in code they are comments."""
    groups = paragraphs(text)
    elements = [item for group in groups if (item := paragraph(group)) is not None]
    if prose and len(elements) == len(groups):
        alone = isolated(text, groups)
        elements = [_with_heading(item, group, alone) for item, group in zip(elements, groups, strict=True)]
    return elements


def code_of(text: str) -> list[Element]:
    """The parts of a program or of settings between blank lines; those with indented lines are kept as they are."""
    elements: list[Element] = []
    for filled, lines in groupby(_BREAK.sub("\n", text).split("\n"), key=lambda line: bool(line.strip())):
        part = [line.rstrip() for line in lines]
        if filled and any(line[0].isspace() for line in part):
            elements.append(Element(text="\n".join(part), kind="code"))
        elif filled:
            elements += elements_of("\n".join(part), prose=False)
    return elements


def decode_file(path: Path) -> str:
    """The whole file as text. Raises UnsupportedFormat when it is not text."""
    text = decode(path.read_bytes())
    if text is None:
        raise UnsupportedFormat(found="binary", supported=supported())
    return text


def paragraphs(text: str) -> list[str]:
    """Paragraphs, each as one line: lines that an editor wrapped are joined, others stay separate."""
    lines = _BREAK.sub("\n", text).expandtabs(4).split("\n")
    width = wrap_width(lines)
    groups: list[list[str]] = []
    open_group = False
    for before, line in zip(["", *lines[:-1]], lines, strict=True):
        stripped = line.strip()
        if not stripped or (len(stripped) == 1 and LONE_BULLET.match(stripped)):
            open_group = open_group and bool(stripped)
            continue
        if open_group and width and continues(before, line, width):
            groups[-1].append(stripped)
        else:
            groups.append([stripped])
        open_group = True
    return list(map(join, groups))


def isolated(text: str, groups: list[str]) -> frozenset[str]:
    """The single-line paragraphs with an empty line, or the edge of the text, on both sides."""
    lines = [line.strip() for line in _BREAK.sub("\n", text).split("\n")]
    return frozenset(
        line
        for before, line, after in zip(["", *lines], lines, [*lines[1:], ""], strict=False)
        if line and not before and not after
    )


def wrap_width(lines: list[str]) -> int:
    """The column at which the text was wrapped, or 0 when it was not.

    In wrapped text many lines end just before one column, and most lines after such a line begin in the middle
    of a sentence. Tables and logs also have lines of equal length, but their lines begin new sentences.
    """
    lengths = [columns(line) for line in lines]
    counts = Counter(length for length in lengths if length in _WRAP_WIDTHS)
    used = sum(1 for length in lengths if length)
    if used < 4 or not counts:
        return 0
    ends = {width: sum(counts[near] for near in range(int(0.8 * width), width + 1)) for width in _WRAP_WIDTHS}
    width = next(candidate for candidate in _WRAP_WIDTHS if ends[candidate] >= 0.9 * max(ends.values()))
    after = [line.strip() for length, line in zip(lengths, lines[1:], strict=False) if 0.8 * width <= length <= width]
    inside = sum(1 for line in after if line and (line[0].islower() or CJK_START.match(line)))
    return width if ends[width] >= 0.3 * used and inside >= 0.4 * sum(1 for line in after if line) else 0


def continues(before: str, line: str, width: int) -> bool:
    """Whether ``line`` continues ``before``: its first word would not have fitted on that line."""
    if ITEM.match(line) or heading(line) or heading(before) or columns(before) > _WRAP_WIDTHS[-1]:
        return False
    if columns(before) > 1.15 * width and _TERMINATED.search(before.rstrip()):
        return False
    if indent(line) > indent(before) and not ITEM.match(before):
        return False
    start = line.strip()
    if CJK_START.match(start):
        return columns(before) >= width - 5
    return columns(before) + 1 + columns(start.split(maxsplit=1)[0]) >= _SLACK * width


def join(lines: list[str]) -> str:
    """Joins the lines of a paragraph: no space next to Chinese and Japanese, no soft hyphen inside a divided word."""
    parts = []
    for line, after in pairwise(lines):
        if _UNSPACED.match(line[-1:]) or _UNSPACED.match(after):
            parts.append(line)
        else:
            parts.append(line[:-1] if line.endswith("\u00ad") else f"{line} ")
    return "".join([*parts, *lines[-1:]])


def columns(line: str) -> int:
    """Width in columns; wide characters take two."""
    text = line.rstrip()
    return len(text) if text.isascii() else sum(2 if character >= "\u2e80" else 1 for character in text)


def indent(line: str) -> int:
    """Width of the leading white space in columns."""
    return columns(line) - columns(line.lstrip())


def _with_heading(paragraph: Element, group: str, alone: frozenset[str]) -> Element:
    title = heading(group) if group in alone else None
    return Element(text=title[0], kind="title", level=title[1]) if title else paragraph
