"""Notes and threaded comments on the cells of a sheet."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection, Iterator
from typing import Any

import msgspec
from lxml import etree
from openpyxl.utils import coordinate_to_tuple

from activities.text.scripts import is_han

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True)
_CELL = re.compile(r"[A-Z]{1,3}[1-9]\d{0,6}")
_THREADED = "tc="  # begins the author of the note that stands in for a threaded comment


class Note(msgspec.Struct, frozen=True):
    """What someone wrote on a cell."""

    cell: str
    author: str
    text: str

    @property
    def row(self) -> int:
        """Number of the cell's row."""
        return int(coordinate_to_tuple(self.cell)[0])

    @property
    def column(self) -> int:
        """Number of the cell's column."""
        return int(coordinate_to_tuple(self.cell)[1])

    def worded(self, about: Collection[str]) -> str:
        """The note as a text of its own; ``about`` names the cell's column and row."""
        if is_han(self.text):
            place = f"{self.cell}（{'，'.join(about)}）" if about else self.cell
            return f"{self.author}对{place}的批注：{self.text}" if self.author else f"{place}的批注：{self.text}"
        place = f"{self.cell} ({', '.join(about)})" if about else self.cell
        return f"Note by {self.author} on {place}: {self.text}" if self.author else f"Note on {place}: {self.text}"


def parse(package: zipfile.ZipFile, part: str) -> Any:
    """The root of a part's XML."""
    return etree.fromstring(package.read(part), _PARSER)


def people(package: zipfile.ZipFile) -> dict[str, str]:
    """The names of those who wrote threaded comments, by their ids."""
    parts = (name for name in package.namelist() if name.startswith("xl/persons/") and name.endswith(".xml"))
    return {
        person.get("id", ""): person.get("displayName", "")
        for part in parts
        for person in parse(package, part).iter("{*}person")
    }


def plain_notes(root: Any) -> Iterator[Note]:
    """The notes of a part ``comments``, without those that stand in for threaded comments."""
    authors = [(item.text or "").strip() for item in root.iter("{*}author")]
    for item in root.iter("{*}comment"):
        number = int(item.get("authorId", "0"))
        author = authors[number] if 0 <= number < len(authors) else ""
        holder = item.find("{*}text")
        runs = holder.iter("{*}t") if holder is not None else ()
        text = " ".join("".join(run.text or "" for run in runs).split())
        text = text.removeprefix(f"{author}:").strip() if author else text
        if text and _CELL.fullmatch(item.get("ref", "")) and not author.startswith(_THREADED):
            yield Note(item.get("ref", ""), author, text)


def threaded_notes(root: Any, names: dict[str, str]) -> Iterator[Note]:
    """The comments and replies of a part ``threadedComments``."""
    for item in root.iter("{*}threadedComment"):
        text = " ".join((item.findtext("{*}text") or "").split())
        if text and _CELL.fullmatch(item.get("ref", "")):
            yield Note(item.get("ref", ""), names.get(item.get("personId", ""), "").strip(), text)
