"""Comments on slides, as PowerPoint stores them since 2021 and before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import etree

from activities.readers.drawing import DRAWING
from activities.text.scripts import is_han

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True)


def authors(presentation: Any) -> dict[str, str]:
    """The names of those who commented, by the ids that comments hold."""
    found: dict[str, str] = {}
    for kind in ("/commentAuthors", "/authors"):
        for root in _parts(presentation, kind):
            found |= {
                item.get("id", ""): item.get("name", "").strip() for item in root.iter("{*}cmAuthor", "{*}author")
            }
    return found


def comments(slide: Any, names: dict[str, str]) -> Iterator[str]:
    """The comments on a slide and the replies to them, each with its author."""
    for root in _parts(slide, "/comments"):
        for item in root.iter("{*}cm", "{*}reply"):
            text = " ".join(" ".join(_texts(item)).split())
            author = names.get(item.get("authorId", ""), "")
            if text and is_han(text):
                yield f"{author}的批注：{text}" if author else f"批注：{text}"
            elif text:
                yield f"Comment by {author}: {text}" if author else f"Comment: {text}"


def _texts(item: Any) -> Iterator[str]:
    for child in item.iterchildren("{*}text", "{*}txBody"):
        yield child.text or ""
        for paragraph in child.iter(f"{DRAWING}p"):
            yield "".join(text.text or "" for text in paragraph.iter(f"{DRAWING}t"))


def _parts(part: Any, kind: str) -> Iterator[Any]:
    for relation in part.rels.values():
        if not relation.is_external and relation.reltype.endswith(kind):
            yield etree.fromstring(relation.target_part.blob, _PARSER)
