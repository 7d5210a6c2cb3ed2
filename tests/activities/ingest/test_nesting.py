"""Nested lists in chunks: their levels, what stands above a part of one, and the outline of one that is too long."""

from __future__ import annotations

from activities.contracts.documents import Chunk, Chunking, Element, ParsedDocument
from activities.ingest.chunking import chunk_document
from tests.activities.ingest.test_chunk import count

BRANCHES = [
    Element(text="Branches", kind="title", level=1),
    Element(text="Porto", kind="list", level=1),
    Element(text="Garage: closes at 21:30", kind="list", level=2),
    Element(text="Lisbon", kind="list", level=1),
    Element(text="Garage: closes at 23:00", kind="list", level=2),
    Element(text="for guests,\nnot for lorries", kind="list", level=3),
    Element(text="Open all year.", kind="text"),
]


def chunks(elements: list[Element], max_tokens: int = 200) -> list[Chunk]:
    """The chunks of a document of these elements."""
    return chunk_document(ParsedDocument(elements=elements, media_type="text/html"), Chunking(max_tokens), count)


def test_items_are_indented_by_their_level() -> None:
    """Those of a flat list, of any one level, are lines like any other."""
    (chunk,) = chunks(BRANCHES)
    assert chunk.text.splitlines() == [
        "Branches",
        "  Porto",
        "    Garage: closes at 21:30",
        "  Lisbon",
        "    Garage: closes at 23:00",
        "      for guests,",
        "      not for lorries",
        "Open all year.",
    ]
    flat = [Element(text=text, kind="list", level=2) for text in ("Faro", "Braga")]
    assert [chunk.text for chunk in chunks(flat)] == ["Faro\nBraga"]


def test_a_list_that_is_too_long_has_an_outline() -> None:
    """The outline is a chunk of its own below the heading, without paragraphs; each part knows what it is below."""
    prose = "The room is heated in winter and it is aired every day before the guests come. " * 4
    floors = [
        Element(text=f"Floor {floor}", kind="list", level=1) if room == 0 else
        Element(text=f"Room {floor}{room}" if part == 0 else f"In {floor}{room}: {prose}", kind="list", level=2 + part)
        for floor in (1, 2, 3) for room in (0, 1, 2) for part in ((0,) if room == 0 else (0, 1))
    ]  # fmt: skip
    first, *others = chunks([Element(text="House", kind="title", level=1), *floors], 100)
    assert first.text.splitlines() == [
        "House",
        *(f"{'  ' if room == 0 else '    '}{f'Room {floor}{room}' if room else f'Floor {floor}'}"
          for floor in (1, 2, 3) for room in (0, 1, 2)),
    ]  # fmt: skip
    assert "\n".join(chunk.text for chunk in others).split() == " ".join(item.text for item in floors).split()
    cut = next(chunk for chunk in others if chunk.text.startswith("    Room 12"))
    assert cut.context.splitlines() == ["House", "Floor 1"]


def test_an_outline_of_very_many_items_is_cut_into_chunks() -> None:
    """Only the outermost level is in it, and no chunk is longer than allowed."""
    items = [
        Element(text=f"{'Sub-item' if number % 3 else 'Item'} {number}", kind="list", level=2 if number % 3 else 1)
        for number in range(300)
    ]
    found = chunks(items, 60)
    assert max(chunk.tokens for chunk in found) <= 60
    outline = [line for chunk in found for line in chunk.text.splitlines() if line.startswith("  Item")]
    assert len(outline) == 200
