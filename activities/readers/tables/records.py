"""Nested records (JSON, XML) as elements: small records become rows, large ones sections.

``name: Ada | address.city: London`` is a row that can be quoted on its own. A list of such records yields one row
per record; a record that is too long for a row becomes a section under its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from activities.contracts.documents import Element
from activities.readers.text import paragraphs

MAX_DEPTH = 200
"""Maximum nesting of a value; recursion to this depth is safe."""

_MAX_ROW = 800  # characters
_MAX_PAIRS = 40
_LONG = 300  # characters above which a text is a paragraph, not a field
_MAX_NAME = 100
_DEEPEST = 9
_NAMING = ("title", "name", "subject", "heading", "label", "question", "key", "id", "标题", "名称")
_BINARY = re.compile(r"(?:data:[\w/.+-]*(?:;[\w=-]+)*;base64,)?[A-Za-z0-9+/_\s-]{1000,}+=*+\s*+")


class _TooLarge(Exception):
    """A value does not fit in a row."""


def elements_of(value: Any, level: int = 1) -> Iterator[Element]:
    """The elements of an object, a list or a single value."""
    match value:
        case dict():
            yield from _object(value, level)
        case list():
            yield from _list(value, level)
        case _:
            yield from _paragraphs("", _text(value))


def depth(value: Any) -> int:
    """The number of nested levels of objects and lists in a value."""
    levels, current = 0, [value] if isinstance(value, dict | list) else []
    while current:
        levels += 1
        children = (child for item in current for child in (item.values() if isinstance(item, dict) else item))
        current = [child for child in children if isinstance(child, dict | list)]
    return levels


def _object(record: dict[str, Any], level: int) -> Iterator[Element]:
    """Yields small fields first, in rows, so that none falls under the heading of a large field."""
    row: list[str] = []
    large: list[tuple[str, Any]] = []
    for key, value in record.items():
        try:
            if _is_table(value):
                raise _TooLarge
            pairs = list(_pairs(str(key), value, [0, 0]))
        except _TooLarge:
            large.append((str(key), value))
            continue
        if row and sum(map(len, row)) + sum(map(len, pairs)) > _MAX_ROW:
            yield _row(row)
            row = []
        row += pairs
    if row:
        yield _row(row)
    for key, value in large:
        if isinstance(value, str):
            yield from _paragraphs(key, value)
    for key, value in large:
        if not isinstance(value, str):
            yield Element(text=key[:_MAX_NAME], kind="title", level=min(level, _DEEPEST))
            yield from elements_of(value, level + 1)


def _is_table(value: Any) -> bool:
    """Whether a value is a list of records, which become rows of their own even if all would fit in one."""
    return isinstance(value, list) and len(value) > 1 and all(isinstance(item, dict) for item in value)


def _list(items: list[Any], level: int) -> Iterator[Element]:
    if all(not isinstance(item, dict | list) and len(_text(item)) <= _LONG for item in items):
        yield from _scalars(items)
        return
    rows = [_as_row(item) for item in items]
    titled = any(row is None and not isinstance(item, str) for row, item in zip(rows, items, strict=True))
    for number, (row, item) in enumerate(zip(rows, items, strict=True), 1):
        if titled:
            yield Element(text=_name(item) or str(number), kind="title", level=min(level, _DEEPEST))
        if row is None:
            yield from elements_of(item, level + 1)
        elif row:
            yield _row(row)


def _scalars(items: list[Any]) -> Iterator[Element]:
    """Packs small values into lines of at most ``_LONG`` characters."""
    line: list[str] = []
    for text in filter(None, (" ".join(_text(item).split()) for item in items)):
        if line and sum(map(len, line)) + len(text) > _LONG:
            yield Element(text=", ".join(line))
            line = []
        line.append(text)
    if line:
        yield Element(text=", ".join(line))


def _as_row(item: Any) -> list[str] | None:
    """The pairs of an item that fits in one row; None for a larger one."""
    try:
        return list(_pairs("", item, [0, 0]))
    except _TooLarge:
        return None


def _row(pairs: list[str]) -> Element:
    return Element(text=" | ".join(pairs), kind="table")


def _pairs(path: str, value: Any, spent: list[int]) -> Iterator[str]:
    """``path: text`` for every scalar in a value. Raises _TooLarge as soon as the pairs exceed one row.

    ``spent`` counts the characters and the pairs so far.
    """
    match value:
        case dict():
            for key, child in value.items():
                yield from _pairs(f"{path}.{key}" if path else str(key), child, spent)
        case list() if any(isinstance(child, dict | list) for child in value):
            for number, child in enumerate(value, 1):
                yield from _pairs(f"{path}.{number}" if path else str(number), child, spent)
        case _:
            text = ", ".join(map(_text, value[:_MAX_ROW])) if isinstance(value, list) else _text(value)
            if len(text) > _LONG or "\n" in text.strip():
                raise _TooLarge
            spent[0], spent[1] = spent[0] + len(path) + len(text), spent[1] + 1
            if spent[0] > _MAX_ROW or spent[1] > _MAX_PAIRS:
                raise _TooLarge
            if text.strip():
                yield f"{path}: {text.strip()}" if path else text.strip()


def _text(value: Any) -> str:
    """A scalar in JSON notation; empty for null and for base64-encoded binary data."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case str():
            return "" if len(value) > 1000 and _BINARY.fullmatch(value) and " " not in value[:200] else value
        case _:
            return str(value)


def _paragraphs(key: str, text: str) -> Iterator[Element]:
    for number, paragraph in enumerate(paragraphs(_text(text))):
        yield Element(text=f"{key}: {paragraph}" if key and not number else paragraph)


def _name(item: Any) -> str:
    """The value of the first field that names a record; empty when there is none."""
    if not isinstance(item, dict):
        return ""
    known = {str(key).lower().lstrip("@_"): value for key, value in item.items()}
    for key in _NAMING:
        value = known.get(key)
        if isinstance(value, str | int) and str(value).strip():
            return " ".join(str(value).split())[:_MAX_NAME]
    return ""
