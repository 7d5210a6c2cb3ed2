"""Contents of a document as blobs store them: elements and chunks."""

from __future__ import annotations

from typing import Literal

from activities.contracts import Contract


class Element(Contract, frozen=True):
    """One structural element of a document: a heading, paragraph, list item, block of table rows, or code.

    ``level`` is that of a heading, or of an item in nested lists; 1 is the highest, None unknown.
    """

    text: str
    kind: Literal["title", "text", "list", "table", "code"] = "text"
    page: int | None = None
    level: int | None = None


class Remark(Contract, frozen=True):
    """What a file holds and could not be read, or was left out: so many of one kind (a code of ``RemarkText``).

    ``text`` says it in a reader's language; it is not stored.
    """

    kind: str
    count: int
    text: str = ""


class ParsedDocument(Contract, frozen=True):
    """A document's elements in reading order. ``pages`` is None for formats without pages."""

    elements: list[Element]
    media_type: str
    pages: int | None = None
    remarks: list[Remark] = []


class Chunk(Contract, frozen=True):
    """One retrievable passage; ``section`` is the path of its headings, joined by `` › ``.

    ``context`` says where the passage stands, in words that its text lacks: of the file's name, the headings above it,
    the line that introduces its list or table. It is searched with the text, and never quoted. ``tokens`` are those of
    the text.
    """

    ordinal: int
    text: str
    tokens: int
    page: int | None = None
    section: str = ""
    context: str = ""

    @property
    def searched(self) -> str:
        """What is embedded: the text in its context."""
        return f"{self.context}\n{self.text}" if self.context else self.text


class Chunking(Contract, frozen=True):
    """Chunk size and overlap, in tokens of the embedding model."""

    max_tokens: int = 350
    overlap_tokens: int = 0
