"""Splits a document's elements into segments that fit in a chunk, with the boundaries between them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import IntEnum

import msgspec

from activities.contracts.documents import Element
from activities.errors import DocumentTooLarge
from activities.ingest.nesting import CountTokens, Nested, nested, outline
from activities.phrases import Phrase
from activities.text.sentences import clauses, halves, sentences

__all__ = ["Boundary", "CountTokens", "Segment", "segments"]

_TINY_TOKENS = 40  # a section shorter than this may share a chunk with its neighbours
_MAX_HEADING = 120  # characters of a heading that go into the path, or of an introduction
_INTRODUCED = ("list", "table")  # kinds of elements that the line before them belongs to
_LONGEST_COUNTED = 8_000  # characters of a text that is tokenized whole, if it may fit
_CHARACTERS_PER_TOKEN = 16  # far above the average of any ordinary text
_FEWEST_PARTS = 8  # a segment of a table has at least this part of a chunk in rows, or its header is all there is
_LONGEST_SENTENCE = 1_000_000  # characters; what goes on for longer is data, in which nobody finds or cites anything


class Boundary(IntEnum):
    """The boundary between a segment and the previous one; weaker (lower) boundaries are merged first."""

    ATTACHED = 0  # between a heading and its text or subheading, an introduction and its list or table
    INNER = 1  # inside a paragraph, a list, a table or code
    PARAGRAPH = 2
    SECTION = 3  # between short sections
    FIXED = 4  # never merged


class Segment(msgspec.Struct):
    """A paragraph, or a part of a long one; ``separator`` joins it to the previous segment.

    ``lead`` is the line that introduces the list or table of which it is a part; ``depth`` is that of an item in a
    nested list.
    """

    text: str
    tokens: int
    boundary: Boundary
    key: bytes
    page: int | None
    section: tuple[str, ...]
    separator: str = "\n"
    is_heading: bool = False
    lead: str = ""
    depth: int = 0

    @property
    def order(self) -> tuple[Boundary, int, bytes]:
        """Where it comes among those that are merged with the segments before them: items with what they are below
        first.
        """
        return self.boundary, -self.depth, self.key


def segments(elements: list[Element], room: int, count_tokens: CountTokens) -> list[Segment]:
    """All segments of a document in reading order, none above ``room`` tokens. Raises DocumentTooLarge."""
    count_tokens = _bounded(count_tokens, room)
    non_empty = [element for element in elements if element.text.strip()]
    for element in non_empty:
        _check_sentences(element.text)
    groups = list(nested(non_empty))
    counts = iter(count_tokens([item.element.text for group in groups for item in group]))
    document = _Document(room, count_tokens)
    for group in groups:
        document.add([(item, next(counts)) for item in group])
    return _soften(document.segments)


class _Document:
    """The segments of a document so far."""

    def __init__(self, room: int, count_tokens: CountTokens) -> None:
        self._room, self._count_tokens = room, count_tokens
        self._path: list[tuple[int, str]] = []
        self._before: Element | None = None
        self._lead = ""
        self.segments: list[Segment] = []

    def add(self, group: list[tuple[Nested, int]]) -> None:
        """Adds an element, or all items of a nested list; before a list that no chunk holds, its outline."""
        first = group[0][0].element
        self._lead = _lead(self._lead, self._before, first)
        outlined = len(group) > 1 and self._outline(group)
        at = len(self.segments)
        for item, count in group:
            self._element(item, count)
        if outlined:
            self.segments[at].boundary = Boundary.FIXED

    def _outline(self, group: list[tuple[Nested, int]]) -> bool:
        """Adds the outline of a nested list that does not fit in a chunk, below what introduces it."""
        if sum(count + 1 for _, count in group) <= self._room:
            return False
        first, above = group[0][0].element, self.segments[-1] if self.segments else None
        room, boundary = self._room, Boundary.FIXED
        if above is not None and above.page == first.page and self._before and self._before.kind in ("title", "text"):
            boundary = Boundary.ATTACHED
            room -= above.tokens if above.tokens <= room // 3 else 0
        for text, tokens in outline([item for item, _ in group], room, self._count_tokens):
            self.segments.append(
                Segment(text, min(tokens, self._room), boundary, _key(text), first.page, self._section, lead=self._lead)
            )
            boundary = Boundary.INNER
        return boundary is Boundary.INNER

    @property
    def _section(self) -> tuple[str, ...]:
        return tuple(text for _, text in self._path)

    def _element(self, item: Nested, count: int) -> None:
        element, room = item.element, self._room
        heading = element.kind == "title" and count <= room // 2
        if heading:
            level = element.level or 1
            kept = (entry for entry in self._path if entry[0] < level)
            self._path = [*kept, (level, element.text[:_MAX_HEADING])]
        lead = " › ".join(filter(None, item.above)) or self._lead
        for text, size, separator in _fitting(element, count, room, self._count_tokens):
            boundary = _boundary(
                self.segments,
                element,
                self._before,
                self._section,
                heading,
                within=text is not element.text and separator != "\n\n",
            )
            self.segments.append(
                Segment(
                    text,
                    size + 1,
                    boundary,
                    _key(text),
                    element.page,
                    self._section,
                    separator[:1],
                    heading,
                    lead,
                    item.depth,
                )
            )
        self._before = element


def _lead(lead: str, before: Element | None, element: Element) -> str:
    """The line that introduces the list or table to which an element belongs; ``lead`` is that of the one ``before``.

    A paragraph of several lines, the first of which ends with a colon, is a list by itself.
    """
    if element.kind in _INTRODUCED and before is not None:
        if before.kind == element.kind:
            return lead
        *_, last = before.text.rstrip().rsplit("\n", 1) if before.kind == "text" else ("",)
        return last if len(last) <= _MAX_HEADING else ""
    first, _, others = element.text.partition("\n")
    announces = element.kind == "text" and others and first.rstrip().endswith((":", "："))
    return first.strip() if announces and len(first) <= _MAX_HEADING else ""


def _check_sentences(text: str) -> None:
    longest = max(map(len, sentences(text))) if len(text) > _LONGEST_SENTENCE else 0
    if longest > _LONGEST_SENTENCE:
        raise DocumentTooLarge(detail=Phrase.UNBROKEN, characters=longest, limit=_LONGEST_SENTENCE)


def _bounded(count_tokens: CountTokens, room: int) -> CountTokens:
    """``count_tokens``, but a text that cannot fit is not tokenized: it counts as one token a character.

    A tokenizer takes memory and time out of proportion for a single text of megabytes. It makes one token of any
    number of spaces or unknown characters; these count by their length, so that no chunk is longer than text is.
    """
    longest = max(_LONGEST_COUNTED, _CHARACTERS_PER_TOKEN * room)

    def count(texts: list[str]) -> list[int]:
        counts = iter(count_tokens([text for text in texts if len(text) <= longest]))
        return [
            max(next(counts), len(text) // _CHARACTERS_PER_TOKEN) if len(text) <= longest else len(text)
            for text in texts
        ]

    return count


def _fitting(element: Element, count: int, room: int, count_tokens: CountTokens) -> Iterable[tuple[str, int, str]]:
    """(text, tokens, separator) of an element's parts; several if it is too long. ``\\n\\n`` marks the first part."""
    fits = room - 1  # the separator may be one token
    if count <= room:
        return [(element.text, min(count, fits), "\n\n")]
    if element.kind == "table":
        parts = _table(element.text, fits, count_tokens)
    elif element.kind == "code":
        parts = [(text, size, "\n") for text, size in _split(element.text.split("\n"), fits, count_tokens)]
    else:
        parts = [(text, size, "") for text, size in _split(sentences(element.text), fits, count_tokens)]
    first, *rest = parts
    return [(first[0], first[1], "\n\n"), *rest]


def _split(parts: list[str], fits: int, count_tokens: CountTokens, level: int = 0) -> list[tuple[str, int]]:
    """The parts with their token counts; parts that do not fit are split into clauses, then into halves."""
    finer = (clauses, halves)[min(level, 1)]
    deeper = level + 1 if finer is clauses else level
    sized: list[tuple[str, int]] = []
    for text, size in zip(parts, count_tokens(parts), strict=True):
        if size <= fits or len(text) < 2:
            sized.append((text, min(size, fits)))
            continue
        subparts = finer(text)
        sized += _split(subparts if len(subparts) > 1 else halves(text), fits, count_tokens, deeper)
    return sized


def _table(text: str, fits: int, count_tokens: CountTokens) -> list[tuple[str, int, str]]:
    """Splits a long table into tables of whole rows, each with the header row on top."""
    header, *rows = text.split("\n")
    counts = count_tokens([header, *rows])
    head = counts[0] + 1
    if head > fits // 2:
        return [(part, size, "\n") for part, size in _split(text.split("\n"), fits, count_tokens)]
    tables: list[tuple[list[str], int]] = []
    for row, count in zip(rows, counts[1:], strict=True):
        for part, size in [(row, count)] if count <= fits - head else _split(sentences(row), fits - head, count_tokens):
            if (
                tables
                and head + tables[-1][1] + size + 1 <= fits
                and not (_starts_table(part) and tables[-1][1] * _FEWEST_PARTS >= fits)
            ):
                tables[-1] = ([*tables[-1][0], part], tables[-1][1] + size + 1)
            else:
                tables.append(([part], size))
    return [("\n".join([header, *part]), head + size, "\n") for part, size in tables]


def _starts_table(row: str) -> bool:
    """Whether a row may start a new segment: one in sixteen, by hash, so that an edit shifts only nearby rows."""
    return _key(row)[0] < 16


def _boundary(
    preceding: list[Segment],
    element: Element,
    previous: Element | None,
    section: tuple[str, ...],
    heading: bool,
    *,
    within: bool,
) -> Boundary:
    if not preceding:
        return Boundary.FIXED
    before = preceding[-1]
    if within:
        return Boundary.INNER
    if heading:
        stacked = before.is_heading and len(before.section) < len(section)
        return Boundary.ATTACHED if stacked else Boundary.FIXED
    if before.is_heading:
        return Boundary.ATTACHED
    if element.page != before.page:
        return Boundary.FIXED  # a chunk never spans pages: a quote of it is cited with its page
    return _between("" if previous is None else previous.kind, element.kind)


def _between(before: str, kind: str) -> Boundary:
    """The boundary between two elements of a page, by their kinds."""
    if before == "text" and kind in _INTRODUCED:
        return Boundary.ATTACHED
    return Boundary.INNER if before == kind == "list" else Boundary.PARAGRAPH


def _soften(segments: list[Segment]) -> list[Segment]:
    """Lets a very short section share a chunk with the adjacent section under the same heading.

    A nested list shares none with its outline.
    """
    starts = [at for at, segment in enumerate(segments) if segment.boundary is Boundary.FIXED]
    ends = [*starts[1:], len(segments)]
    sizes = [sum(segment.tokens for segment in segments[start:end]) for start, end in zip(starts, ends, strict=False)]
    for index in range(1, len(starts)):
        before, after = segments[starts[index] - 1], segments[starts[index]]
        short = min(sizes[index - 1], sizes[index]) < _TINY_TOKENS
        siblings = before.section[:-1] == after.section[:-1] or after.section[: len(before.section)] == before.section
        if short and siblings and before.page == after.page and not after.depth:
            after.boundary = Boundary.SECTION
    return segments


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
