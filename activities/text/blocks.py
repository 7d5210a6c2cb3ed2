"""Blocks: the lists and the tables of a passage, found in its lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise, takewhile

import msgspec

from activities.text.sentences import TABLE_ROW

#: Characters of a heading, and of an item without a mark, at most.
HEADING_CHARACTERS = 80
ITEM_CHARACTERS = 240

#: What an item of a nested list is indented by for each level; the lines around such a list are not indented.
INDENT = "  "

#: Lines between two marked items that continue the first one.
CONTINUED = 3

_NUMBERED = re.compile(
    r"(?:\(?(?P<number>\d{1,3})[.)、．]|[（(]?(?P<han>[一二三四五六七八九十]{1,3})[、.）)]|第(?P<step>[一二三四五六七八九十\d]{1,3})[步条项]"
    r"|(?P<circled>[①-⑳])|(?:Step|STEP|step) (?P<named>\d{1,3})\b)"
)
_BULLET = re.compile(r"[-–•·*▪◦‣●○■□☐☑☒✓](?=\s)|[a-zA-Z][.)](?=\s)")
_INTRODUCES = re.compile(r"[:：]\s*$|\bas follows\W*$|\bthe following\b[^:.]*$|(?:以下|如下)[^。]{0,12}[。:：]?$", re.I)
_SENTENCE_END = re.compile(r"[.!?。！？…][\"'”’」』）)\]》】]*\s*$")
_LIST_END = re.compile(r"[,;，；、]\s*$|[,;，；、]\s*(?:and|or|und|oder|和|及|以及|或)\s*$")
_LABELLED = re.compile(r"[^:：|]{1,80}(?:: |：)[^|]*(?:\||$)")
_HAN_NUMBERS = "一二三四五六七八九十"


class Line(msgspec.Struct, frozen=True):
    """A line of a passage without the white space around it; ``start`` and ``end`` are its offsets.

    An item of a nested list comprises the items ``below`` it; ``indent`` is the number of spaces before it.
    """

    text: str
    start: int
    end: int
    indent: int = 0
    below: tuple[Line, ...] = ()

    @property
    def own(self) -> Line:
        """The item without those below it."""
        text = self.text.partition("\n")[0]
        return Line(text, self.start, self.start + len(text), self.indent) if self.below else self


class Listing(msgspec.Struct, frozen=True):
    """A list: the line that introduces it (a sentence or a heading), the heading above, and its items.

    ``marked`` means that its items have numbers or bullets, or follow a colon. ``nested`` is a part of a nested list;
    when it is below an item, this is its introduction.
    """

    intro: Line | None
    heading: Line | None
    items: list[Line]
    marked: bool = True
    nested: bool = False

    @property
    def is_below(self) -> bool:
        """Whether the list is below an item of another one."""
        return self.nested and self.intro is not None and self.intro.indent > 0

    def numbered(self, number: int) -> Line | None:
        """The item with this number (its own, or its place); the last one for -1."""
        own = [item for item in self.items if item_number(item.text) == number]
        if own or any(item_number(item.text) for item in self.items):
            return own[0] if own else self.items[-1] if number == -1 else None
        return self.items[number - 1 if number > 0 else -1] if number <= len(self.items) else None


class Table(msgspec.Struct, frozen=True):
    """A table: its rows, and the header line above them; rows of ``Column: value`` have none."""

    header: Line | None
    rows: list[Line]


def lines_of(text: str) -> list[Line]:
    """The lines of a text that are not empty."""
    found: list[Line] = []
    at = 0
    for raw in text.splitlines(keepends=True):
        line = raw.strip()
        if line:
            start = at + raw.index(line[0])
            spaces = len(raw) - len(raw.lstrip(" "))
            found.append(Line(line, start, start + len(line), spaces))
        at += len(raw)
    return found


def item_number(text: str) -> int | None:
    """The number that an item begins with."""
    found = _NUMBERED.match(text)
    if found is None:
        return None
    written = found["number"] or found["named"] or found["han"] or found["step"]
    if found["circled"]:
        return ord(found["circled"]) - ord("①") + 1
    return int(written) if written.isdigit() else han_number(written)


def han_number(text: str) -> int:
    """The value of a Chinese number up to ninety-nine."""
    tens, ten, ones = text.rpartition("十")
    value = 10 * (_HAN_NUMBERS.find(tens) + 1 if tens else 1) if ten else 0
    return value + (_HAN_NUMBERS.find(ones) + 1 if ones else 0)


def introduces(text: str) -> bool:
    """Whether a sentence ends in a colon, or announces what follows."""
    return _INTRODUCES.search(text) is not None


def is_heading(line: Line, following: Line | None) -> bool:
    """Whether a line is a short title above text, and no sentence, item or row itself."""
    text = line.text
    return (
        following is not None
        and not line.indent
        and len(text) <= HEADING_CHARACTERS
        and not _SENTENCE_END.search(text)
        and not _LIST_END.search(text)
        and not _marked(text)
        and not introduces(text)
        and not TABLE_ROW.search(text)
        and not _LABELLED.match(text)
        and not text[0].islower()
        and (_SENTENCE_END.search(following.text) is not None or introduces(following.text))
        and len(following.text) > len(text) / 2
    )


def headings(text: str) -> list[Line]:
    """The titles inside a passage."""
    lines = lines_of(text)
    return [line for line, following in pairwise(lines) if is_heading(line, following)]


def continuation(text: str, items: Sequence[Line]) -> list[Line]:
    """The items at the beginning of a text that continue a list of the text before it."""
    lines = lines_of(text)
    if not lines or not items:
        return []
    if items[-1].indent or lines[0].indent:
        run = list(takewhile(lambda line: line.indent >= max(1, items[-1].indent), lines))
        return [line for line in _folded(text, run) if line.indent == items[-1].indent]
    mark = _marked(items[-1].text)
    if mark:
        follows = _marked(lines[0].text) == mark and _follows(items[-1].text, lines[0].text)
        return _marked_items(lines, 0, mark) if follows else []
    if not _LIST_END.search(items[-1].text):
        return []
    found: list[Line] = []
    for line in lines:
        found.append(line)
        if not _LIST_END.search(line.text):
            break
    return found if _SENTENCE_END.search(found[-1].text) else found[:-1]


def is_cut(text: str) -> bool:
    """Whether a text ends where a list goes on, or may go on: in its introduction, or in a marked item."""
    lines = lines_of(text)
    return bool(lines) and (introduces(lines[-1].text) or lines[-1].indent > 0 or _ends_in_item(lines))


def begins_in_list(text: str) -> bool:
    """Whether a text begins within a nested list, or with an item whose number is not the first."""
    if text.startswith(INDENT):
        return True
    number = item_number(text.lstrip())
    return number is not None and number > 1


def _ends_in_item(lines: Sequence[Line]) -> bool:
    last = lines[-1].text
    if _LIST_END.search(last):
        return True
    return bool(_marked(last)) and len(lines) > 1 and _marked(lines[-2].text) == _marked(last)


def tables(text: str) -> list[Table]:
    """The tables of a passage: lines of cells that follow one another."""
    found: list[Table] = []
    run: list[Line] = []
    for line in [*lines_of(text), Line("", 0, 0)]:
        if TABLE_ROW.search(line.text):
            run.append(line)
            continue
        if run:
            is_record = all(_LABELLED.match(cell) for cell in run[0].text.split(" | ")[1:])  # the corner has no name
            found.append(Table(None, run) if is_record or len(run) == 1 else Table(run[0], run[1:]))
        run = []
    return found


def listings(text: str) -> list[Listing]:
    """The lists of a passage, in reading order."""
    found: list[Listing] = []
    before: list[Line] = []
    for is_nested, run in groupby(lines_of(text), key=lambda line: line.indent > 0):
        lines = list(run)
        if is_nested:
            found += _nested(_folded(text, lines), before)
        else:
            found += _listings(lines)
        before = lines
    return found


def items_above(text: str) -> dict[int, str]:
    """For each item in a nested list that is below others, by its beginning: those others, outermost first."""
    found: dict[int, str] = {}
    path: list[Line] = []
    for line in lines_of(text):
        path = [item for item in path if item.indent < line.indent]
        if path:
            found[line.start] = ", ".join(item.text for item in path)
        path = [*path, line] if line.indent else []
    return found


def _nested(siblings: Sequence[Line], before: Sequence[Line]) -> Iterator[Listing]:
    """The lists of a run of indented lines, each followed by those below its items."""
    intro = before[-1] if before and not TABLE_ROW.search(before[-1].text) else None
    above = before[-2] if intro is not None and len(before) > 1 else None
    titled = above is not None and not _SENTENCE_END.search(above.text) and not _marked(above.text)
    heading = above if titled else None
    for _, same in groupby(siblings, key=lambda line: line.indent):
        yield from _below(list(same), intro, heading)
        intro = heading = None  # the next ones are on the higher level of a list that is cut


def _below(items: list[Line], intro: Line | None, heading: Line | None) -> Iterator[Listing]:
    if len(items) > 1 or intro is not None:
        yield Listing(intro, heading, items, nested=True)
    for item in items:
        for _, same in groupby(item.below, key=lambda line: line.indent):
            yield from _below(list(same), item.own, intro)


def _folded(text: str, lines: Sequence[Line]) -> list[Line]:
    """Lines with those of a greater indent that follow them as parts of them."""
    found: list[Line] = []
    at = 0
    while at < len(lines):
        line, first = lines[at], at + 1
        at = next((n for n in range(first, len(lines)) if lines[n].indent <= line.indent), len(lines))
        if at == first:
            found.append(line)
            continue
        end = lines[at - 1].end
        below = tuple(_folded(text, lines[first:at]))
        found.append(Line(text[line.start : end], line.start, end, line.indent, below))
    return found


def _listings(lines: Sequence[Line]) -> Iterator[Listing]:
    at = 0
    while at < len(lines):
        line = lines[at]
        if TABLE_ROW.search(line.text):
            at += 1
            continue
        intro = line if introduces(line.text) and not _marked(line.text) else None
        first = at + 1 if intro else at
        items = _items(lines, first, introduced=intro is not None)
        if not items or (len(items) < 2 and intro is None):
            at += 1
            continue
        before = lines[at - 1] if at else None
        if intro is None and not _marked(items[0].text):
            intro, items = items[0], items[1:]
            marked = False
        else:
            marked = True
            if intro is None and before is not None and not TABLE_ROW.search(before.text):
                intro, before = before, lines[at - 2] if at > 1 else None
        titled = before is not None and not _SENTENCE_END.search(before.text) and not _marked(before.text)
        if items:
            yield Listing(intro, before if titled else None, items, marked)
        at = max(at + 1, next((n for n in range(at, len(lines)) if lines[n].start >= items[-1].end), len(lines)))


def _items(lines: Sequence[Line], first: int, *, introduced: bool) -> list[Line]:
    """The items of a list that begins with this line."""
    if first >= len(lines):
        return []
    mark = _marked(lines[first].text)
    return _marked_items(lines, first, mark) if mark else _plain_items(lines, first, introduced=introduced)


def _marked_items(lines: Sequence[Line], first: int, mark: str) -> list[Line]:
    items = [lines[first]]
    at = first + 1
    while at < len(lines):
        ahead = next(
            (n for n in range(at, min(len(lines), at + CONTINUED + 1)) if _marked(lines[n].text) == mark), None
        )
        if ahead is None or not _follows(items[-1].text, lines[ahead].text):
            break
        if ahead > at:  # the lines between belong to the item before them
            last = items[-1]
            text = "\n".join([last.text, *(line.text for line in lines[at:ahead])])
            items[-1] = Line(text, last.start, lines[ahead - 1].end)
        items.append(lines[ahead])
        at = ahead + 1
    return items


def _follows(before: str, after: str) -> bool:
    one, two = item_number(before), item_number(after)
    return one is None or two is None or two == one + 1


def _plain_items(lines: Sequence[Line], first: int, *, introduced: bool) -> list[Line]:
    """Lines of one kind: fragments, or the parts of a sentence that commas divide."""
    items: list[Line] = []
    for n in range(first, len(lines)):
        line = lines[n]
        if (
            len(line.text) > ITEM_CHARACTERS
            or TABLE_ROW.search(line.text)
            or introduces(line.text)
            or _marked(line.text)
        ):
            break
        divided = bool(items) and _LIST_END.search(items[-1].text) is not None
        if items and not divided:
            ended, ends = (_SENTENCE_END.search(one.text) is not None for one in (items[-1], line))
            was_divided = len(items) > 1 and _LIST_END.search(items[-2].text) is not None
            if was_divided or ended is not ends or items[0].text[0].islower() is not line.text[0].islower():
                break
        elif not items and not introduced and _SENTENCE_END.search(line.text):
            break
        following = lines[n + 1] if n + 1 < len(lines) else None
        if items and not divided and is_heading(line, following) and not (following and introduces(following.text)):
            break
        items.append(line)
    return items


def _marked(text: str) -> str:
    """The kind of mark that an item begins with; empty for a line without one."""
    if (found := _NUMBERED.match(text)) is not None:
        return next(name for name, value in found.groupdict().items() if value)
    if (bullet := _BULLET.match(text)) is not None:
        return "letter" if bullet[0][0].isalpha() else bullet[0]
    return ""
