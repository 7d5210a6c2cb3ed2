"""Nested lists: how their items are written in chunks, and outlines of those that no chunk can hold.

Items are indented by their level, also the outermost, so that the text tells them from the paragraphs around. Items of
lists that are not nested are lines like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import msgspec

from activities.contracts.documents import Element
from activities.text.blocks import INDENT
from activities.text.sentences import sentences

#: Characters of an item in an outline, or of an item that leads to those below it.
HEAD_CHARACTERS = 80

CountTokens = Callable[[list[str]], list[int]]


class Nested(msgspec.Struct, frozen=True):
    """An element as a chunk holds it: its text, its depth in a nested list (0 outside), and the items above it."""

    element: Element
    depth: int = 0
    above: tuple[str, ...] = ()


def nested(elements: Sequence[Element]) -> Iterator[list[Nested]]:
    """The elements in reading order: each nested list together, each other element alone."""
    for is_item, run in groupby(elements, key=lambda element: element.kind == "list"):
        items = list(run)
        levels = [item.level or 1 for item in items]
        if is_item and max(levels) > min(levels):
            yield _indented(items, [level - min(levels) + 1 for level in levels])
        else:
            yield from ([Nested(item)] for item in items)


def _indented(items: list[Element], depths: list[int]) -> list[Nested]:
    found: list[Nested] = []
    path: list[tuple[int, str]] = []
    for item, depth in zip(items, depths, strict=True):
        path = [above for above in path if above[0] < depth]
        margin = INDENT * depth
        text = margin + item.text.replace("\n", f"\n{margin}")
        found.append(Nested(msgspec.structs.replace(item, text=text), depth, tuple(text for _, text in path)))
        path.append((depth, head(item.text)))
    return found


def head(text: str) -> str:
    """What an item is about: its first sentence, when that is short; else empty."""
    first = next(iter(sentences(text)), "").rstrip()
    return first if len(first) <= HEAD_CHARACTERS else ""


def outline(items: Sequence[Nested], room: int, count_tokens: CountTokens) -> list[tuple[str, int]]:
    """The heads of a nested list's items with their tokens, down to the deepest level that fits in ``room`` tokens.

    Empty when the whole list fits, or when it has only one outermost item.
    """
    if sum(item.depth == 1 for item in items) < 2:
        return []
    heads = [(item.depth, head(item.element.text.strip())) for item in items]
    lines = [(depth, f"{INDENT * depth}{text}") for depth, text in heads if text]
    counts = count_tokens([line for _, line in lines])
    sized = [(depth, line, count + 1) for (depth, line), count in zip(lines, counts, strict=True)]
    deepest = max((depth for depth, *_ in sized), default=0)
    for most in range(deepest, 0, -1):
        shown = [(line, count) for depth, line, count in sized if depth <= most]
        if most == 1 or sum(count for _, count in shown) <= room:
            return shown
    return []
