"""Filled-in forms of a PDF: each value follows the label that is printed beside or above its field."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, pairwise

from activities.readers.layout import Line, body_size
from activities.readers.pdf.fields import Field
from activities.readers.text import join

_ABOVE = 2.0  # heights of a label's print between it and a field below it
_NEAR = 3.0  # points between edges that are meant to be one
_LARGER = 1.15  # print of a heading, compared with that of the text
_LONGEST = 200  # characters of a label
_BLANK = " _.…"  # printed where somebody is to write
_PRINTED_BOX = re.compile(r"^[□☐❑❏○◯]\s?")
_COLON = (":", "：")


def filled(fields: list[Field], lines: list[Line], number: int, height: float, *, labels: bool) -> list[Line]:
    """The lines of a page with the values of its fields, each after its label, where ``labels`` are looked for."""
    open_fields = [field for field in fields if field.value and not field.placed]
    if not open_fields:
        return lines
    page = _Page(lines, number, height)
    if labels:
        boxes = [field for field in open_fields if field.kind == "box"]
        for row in _rows(boxes):
            page.tick(row, fields)
        page.label([field for field in open_fields if field.kind == "text"], fields)
    for field in open_fields:
        if not field.placed and not (field.kind == "box" and (field.value == "☐" or not field.name)):
            page.add([field], _named(field))
    return page.completed()


def _rows(fields: list[Field]) -> Iterator[list[Field]]:
    """The fields that stand beside one another, from left to right."""
    row: list[Field] = []
    for field in sorted(fields, key=lambda field: -(field.top + field.bottom)):
        if row and (field.top + field.bottom) / 2 < row[0].bottom:
            yield sorted(row, key=lambda field: field.left)
            row = []
        row.append(field)
    if row:
        yield sorted(row, key=lambda field: field.left)


def _named(field: Field) -> str:
    if field.kind == "box":
        return f"{field.value} {field.name}"
    return _valued(field.name, field.value) if field.name else field.value


def _valued(label: str, value: str) -> str:
    """``Name: value``."""
    label = label.rstrip(_BLANK)
    return f"{label} {value}" if label.endswith(_COLON) else f"{label}: {value}"


def _between(parts: list[Line], before: Field | None, after: Field | None) -> list[Line]:
    """The parts of a row that begin after one box and before the next."""
    low = before.left - _NEAR if before is not None else float("-inf")
    high = after.left - _NEAR if after is not None else float("inf")
    return [part for part in parts if low <= part.left < high]


def _has_field(fields: list[Field], line: Line, before: Field) -> bool:
    """Whether a field stands between a line and another field."""
    return any(line.left < field.left < before.left and field.is_beside(line.first, 0) for field in fields)


class _Page:
    """The lines of a page; those that get a value stand alone."""

    def __init__(self, lines: list[Line], number: int, height: float) -> None:
        self.lines, self.number, self.height = lines, number, height
        self._body = body_size(lines) if lines else 0.0
        self._added: list[Line] = []

    def tick(self, row: list[Field], fields: list[Field]) -> None:
        """Put each box of a row before its label: the text right of it, or left of it where that is nearer."""
        parts = sorted(self._beside(row[0]), key=lambda line: line.left)
        right = [_between(parts, box, after)[:1] for box, after in pairwise([*row, None])]
        left = [_between(parts, before, box)[-1:] for before, box in pairwise([None, *row])]
        after = sum(found[0].left - box.right if found else self.height for box, found in zip(row, right, strict=True))
        before = sum(box.left - found[0].right if found else self.height for box, found in zip(row, left, strict=True))
        labels = right if after <= before else left
        used = [part for found in labels for part in found]
        if not used:
            return
        group = left[0] if labels is right else []
        if group and _has_field(fields, group[0], row[0]):
            group = []
        texts = [part.text for part in group]
        for box, found in zip(row, labels, strict=True):
            label = _PRINTED_BOX.sub("", found[0].text) if found else box.name
            texts.append(f"{box.value} {label.rstrip(_BLANK + ':：')}".strip())
            box.placed = True
        if len(row) == 1 and labels is right:
            texts += self._wrapped(used[0])
        line, *others = [*group, *used]
        line.text, line.alone, line.bold = join(texts), True, False
        line.right = max(part.right for part in [line, *others])
        gone = {id(part) for part in others}
        self.lines = [part for part in self.lines if id(part) not in gone]

    def label(self, texts: list[Field], fields: list[Field]) -> None:
        """Put the values of text fields after their labels; the rows under a row of labels become a line each."""
        labelled: dict[int, tuple[Line, list[Field]]] = {}
        above: dict[int, Line] = {}  # the label over a field
        for field in texts:
            beside = max(
                (line for line in self._beside(field) if line.left < field.left),
                key=lambda line: (line.left, line.first),
                default=None,
            )
            is_next = beside is not None and _has_field(fields, beside, field)
            line = beside if beside is not None and not is_next else self._over(field, texts, above) or beside
            if line is None or len(line.text) > _LONGEST:
                continue
            if line is not beside:
                above[id(field)] = line
            labelled.setdefault(id(line), (line, []))[1].append(field)
        heads: set[int] = set()
        grid: list[tuple[Field, str]] = []
        for line, under in labelled.values():
            if len(list(_rows(under))) > 1 and all(id(field) in above for field in under):
                heads.add(id(line))
                grid += [(field, _valued(line.text, field.value)) for field in under]
                continue
            values = " ".join(field.value for row in _rows(under) for field in row)
            line.text, line.alone, line.bold = _valued(line.text, values), True, False
            line.right = max(line.right, *(field.right for field in under))
            for field in under:
                field.placed = True
        self.lines = [line for line in self.lines if id(line) not in heads]
        shown = {id(field): text for field, text in grid}
        for row in _rows([field for field, _ in grid]):
            self.add(row, " | ".join(shown[id(field)] for field in row))

    def add(self, row: list[Field], text: str) -> None:
        """A line of its own for values without a label beside them."""
        first, size = row[0], max(1.0, min(12.0, row[0].top - row[0].bottom, self._body or 12.0))
        line = Line(
            text=text,
            page=self.number,
            left=first.left,
            right=row[-1].right,
            first=first.bottom,
            last=first.bottom,
            size=size,
            bold=False,
            page_height=self.height,
            alone=True,
        )
        self._added.append(line)
        for field in row:
            field.placed = True

    def completed(self) -> list[Line]:
        """The lines with those that were added, each before the first line below it."""
        lowest = list(accumulate((-line.first for line in self.lines), max))
        added: dict[int, list[Line]] = {}
        for line in sorted(self._added, key=lambda line: (-line.first, line.left)):
            added.setdefault(bisect_right(lowest, -line.first), []).append(line)
        found: list[Line] = []
        for at, following in enumerate([*self.lines, None]):
            found += added.get(at, [])
            if following is not None:
                found.append(following)
        return found

    def _beside(self, field: Field) -> list[Line]:
        return [line for line in self.lines if line.table is None and field.is_beside(line.first, line.size)]

    def _wrapped(self, label: Line) -> list[str]:
        """The further lines of a label, which are taken away."""
        found: list[Line] = []
        last, at = label, self.lines.index(label) + 1
        for line in self.lines[at:]:
            drop = last.last - line.first
            if line.table is not None or line.alone or abs(line.left - label.left) > _NEAR:
                break
            if not 0 < drop < 1.5 * line.size or not line.text[0].islower():
                break
            found.append(line)
            last = line
        del self.lines[at : at + len(found)]
        return [line.text for line in found]

    def _over(self, field: Field, texts: list[Field], above: dict[int, Line]) -> Line | None:
        """The line right above a field, otherwise that above the field over it."""
        over = [
            line
            for line in self.lines
            if line.table is None
            and not line.alone
            and line.size <= _LARGER * self._body
            and -_NEAR <= line.first - field.top < _ABOVE * line.size
            and line.left < field.right
            and line.right > field.left
        ]
        if over:
            return min(over, key=lambda line: line.first)
        for other in texts:
            near = -_NEAR < other.bottom - field.top < field.top - field.bottom
            if near and abs(other.left - field.left) < _NEAR and id(other) in above:
                return above[id(other)]
        return None
