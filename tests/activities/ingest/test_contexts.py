"""Contexts of chunks: name, headings and introductions, of which a text is a part without saying so."""

from __future__ import annotations

import random

import pytest

from activities.contracts.documents import Chunk, Chunking, Element, ParsedDocument
from activities.ingest.chunking import TokenizerInfo, chunk_document, chunking_fingerprint
from activities.ingest.contexts import context_tokens
from activities.ingest.document_names import name_words
from tests.activities.ingest.test_chunk import count, paragraph


def chunks(*elements: Element, name: str = "", max_tokens: int = 350) -> list[Chunk]:
    parsed = ParsedDocument(elements=list(elements), media_type="text/plain")
    return chunk_document(parsed, Chunking(max_tokens=max_tokens), count, name)


def title(text: str, level: int = 1) -> Element:
    return Element(text=text, kind="title", level=level)


def paragraphs(number: int, seed: int = 1) -> list[Element]:
    random_ = random.Random(seed)
    return [Element(text=paragraph(random_)) for _ in range(number)]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("travel-policy-2023.md", "travel policy 2023"),
        ("TravelPolicy2023.docx", "Travel Policy 2023"),
        ("norway/working_time.final.md", "norway working time final"),
        ("出差补贴标准2022年.md", "出差补贴标准2022年"),
        ("Annex 3.pdf", "Annex 3"),
        ("minutes-2024-03-15.md", "minutes 2024 03 15"),
        ("2024.xlsx", "2024"),
        ("Data retention 8f3a9c01d2e47b56.pdf", "Data retention"),
        ("scan_001.pdf", ""),
        ("paragraph-0017.txt", ""),
        ("IMG_20231101_1234.jpg", ""),
        ("新建文档 (2).docx", ""),
        ("8f3a9c01d2e47b56.pdf", ""),
        ("550e8400-e29b-41d4-a716-446655440000.docx", ""),
        ("a7Xk29Qp4Zt8.pdf", ""),
        ("", ""),
    ],
)
def test_a_name_is_words(name: str, words: str) -> None:
    """Words and years; what cameras, scanners and programs call a file says nothing."""
    assert name_words(name) == words


def test_every_chunk_of_a_section_knows_name_and_headings() -> None:
    """Headings that stand in the text itself are not said twice, and the text stays as it is."""
    found = chunks(
        title("House rules"), title("Graz", 2), *paragraphs(9), title("Porto", 2), *paragraphs(9, 2), name="site 2024"
    )
    first, *others = found
    assert first.context == "site 2024"
    assert first.text.startswith("House rules\nGraz\n")
    for chunk in others:
        opens = chunk.text.startswith("Porto\n")
        town = "Porto" if "Porto" in chunk.section else "Graz"
        assert chunk.context == "site 2024 › House rules" + f" › {town}" * (not opens)
        assert "House rules" not in chunk.text
        assert chunk.searched == f"{chunk.context}\n{chunk.text}"


def test_a_name_that_the_title_says_is_left_out() -> None:
    """Renaming such a file changes no vector."""
    (one,) = chunks(title("Travel policy"), Element(text="Hotels are paid."), name="travel policy")
    assert one.context == ""
    assert one.searched == one.text


def test_a_list_keeps_its_introduction() -> None:
    """In one chunk where it fits, whatever stands around it."""
    items = [Element(text=f"{n} metre cable with plugs", kind="list") for n in range(20)]
    intro = Element(text="Every van carries:")
    found = chunks(*paragraphs(6), intro, *items, *paragraphs(6, 2))
    (holder,) = [chunk for chunk in found if intro.text in chunk.text]
    assert all(item.text in holder.text for item in items)


@pytest.mark.parametrize("kind", ["list", "table"])
def test_a_long_list_or_table_repeats_its_introduction_as_context(kind: str) -> None:
    """In every further chunk of it, never in the text."""
    intro = Element(text="The depot in Bergen stocks the following:")
    entries = [f"item {n} | shelf {n} in the hall" for n in range(200)]
    if kind == "list":
        found = chunks(intro, *(Element(text=entry, kind="list") for entry in entries))
    else:
        found = chunks(intro, Element(text="\n".join(["name | place", *entries]), kind="table"))
    first, *others = found
    assert len(others) > 3
    assert first.text.startswith(intro.text)
    assert first.context == ""
    assert {chunk.context for chunk in others} == {intro.text}
    assert not any(intro.text in chunk.text for chunk in others)


def test_a_list_in_one_paragraph_repeats_its_first_line() -> None:
    """Plain text has no elements of lists."""
    lines = [f"- part {n} of the pump is checked for rust." for n in range(100)]
    first, *others = chunks(Element(text="\n".join(["Yearly checks:", *lines])))
    assert first.context == ""
    assert others
    assert {chunk.context for chunk in others} == {"Yearly checks:"}


def test_a_definition_keeps_its_term() -> None:
    """A term is never the last line of a chunk."""
    entries: list[Element] = []
    for n, meaning in enumerate(paragraphs(60)):
        entries += [Element(text=f"Term {n}"), Element(text=meaning.text, kind="list")]
    assert not any(chunk.text.split("\n")[-1].startswith("Term") for chunk in chunks(*entries))


@pytest.mark.parametrize("max_tokens", [40, 100, 350])
def test_a_context_is_short(max_tokens: int) -> None:
    """However deep and long the headings are: the middle ones are left out first."""
    headings = [title(f"Heading {n} " + "of a very long kind " * 3, n) for n in range(1, 7)]
    found = chunks(*headings, *paragraphs(20), name="short name", max_tokens=max_tokens)
    sizes = count([chunk.context for chunk in found])
    assert max(sizes) <= context_tokens(max_tokens)
    last = found[-1].context
    assert max_tokens < 350 or (last.startswith("short name › ") and "Heading 6" in last and "Heading 3" not in last)


@pytest.mark.parametrize("window", [30, 64, 128, 510])
def test_chunks_with_context_fit_the_window(window: int) -> None:
    """Also when a chunk is as long as it may be."""
    fitted = TokenizerInfo("t", 5).fitted(Chunking(max_tokens=10_000), window)
    assert fitted.max_tokens + context_tokens(fitted.max_tokens) + 5 <= window
    assert TokenizerInfo("t", 5).fitted(Chunking(), 512) == Chunking()


def test_an_edited_heading_touches_its_own_section_only() -> None:
    """All chunks of the other sections are embedded as before."""

    def long(heading: str) -> dict[str, str]:
        sections = [[title(f"Section {n}", 2), *paragraphs(12, n)] for n in range(30)]
        sections[7][0] = title(heading, 2)
        found = chunks(title("Rules"), *(entry for section in sections for entry in section), name="site 4")
        return {chunk.searched: chunk.section for chunk in found}

    before, after = long("Section 7"), long("Section seven")
    assert {section for searched, section in after.items() if searched not in before} == {"Rules › Section seven"}


def test_a_name_makes_chunks_of_its_own() -> None:
    """Equal contents of two names have chunks, and so vectors, of their own; a name that says nothing shares them."""
    info = TokenizerInfo("t", 5)
    names = ("norway.md", "sweden.md", "scan_1.md", "document.md")
    norway, sweden, scan, document = (chunking_fingerprint(Chunking(), info, name_words(name)) for name in names)
    assert len({norway, sweden, scan}) == 3
    assert scan == document
