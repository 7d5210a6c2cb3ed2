"""E-books (.epub): the chapters in reading order, each read as HTML."""

from __future__ import annotations

import posixpath
import zipfile
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from lxml import etree

from activities.contracts.documents import Element
from activities.errors import DamagedDocument, EncryptedDocument, told
from activities.phrases import Phrase, RemarkText
from activities.readers import archive, html
from activities.readers.encoding import decode
from activities.readers.markup.notes import LONGEST, is_note_link
from activities.readers.markup.tables import INLINE, text_of
from activities.readers.partition import Progress
from activities.readers.reading import Reading
from activities.settings import ParseSettings

_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
_FONT_SCRAMBLING = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_DEEPEST = 9


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of all chapters, under the title of the book."""
    try:
        with archive.opened(path, limits, "epub") as book:
            _refuse_encrypted(book)
            folder, package = _package(book)
            chapters = _spine(package, folder)
            title = " ".join((package.findtext(".//{*}metadata/{*}title") or "").split())
            elements = [Element(text=title, kind="title", level=1)] if title else []
            remarks: Counter[RemarkText] = Counter()
            pages = _Pages(book)
            for number, chapter in enumerate(chapters, 1):
                if (page := pages.take(chapter)) is not None:
                    reading = html.reading_of_tree(page, limits, page_title=False)
                    elements += _below(reading.elements, title)
                    remarks.update(reading.remarks)
                progress(number, len(chapters))
    except etree.LxmlError as exc:
        raise DamagedDocument(format="epub", detail=told(exc)) from exc
    return Reading(elements, remarks=remarks)


def _refuse_encrypted(book: zipfile.ZipFile) -> None:
    """Raises EncryptedDocument when a part of the book is encrypted (copy protection); scrambled fonts are allowed."""
    if "META-INF/encryption.xml" not in book.NameToInfo:
        return
    for method in _xml(book.read("META-INF/encryption.xml")).iter("{*}EncryptedData"):
        algorithm = method.find("{*}EncryptionMethod")
        if algorithm is None or algorithm.get("Algorithm") not in _FONT_SCRAMBLING:
            raise EncryptedDocument()


def _package(book: zipfile.ZipFile) -> tuple[str, Any]:
    """The folder of the package document, and the document, which lists the parts of the book and their order."""
    rootfile = _xml(book.read("META-INF/container.xml")).find(".//{*}rootfile")
    if rootfile is None:
        raise DamagedDocument(format="epub", detail=Phrase.NO_FIRST_CHAPTER)
    place = unquote(rootfile.get("full-path", ""))
    return posixpath.dirname(place), _xml(book.read(place))


def _spine(package: Any, folder: str) -> list[str]:
    """The names of the chapters in the archive, without the table of contents."""
    items = {item.get("id"): item for item in package.iterfind(".//{*}manifest/{*}item")}
    chapters = []
    for reference in package.iterfind(".//{*}spine/{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is None or item.get("media-type") not in _PAGES or "nav" in item.get("properties", "").split():
            continue
        chapters.append(posixpath.normpath(posixpath.join(folder, unquote(item.get("href", "")))))
    if not chapters:
        raise DamagedDocument(format="epub", detail=Phrase.NO_CHAPTERS)
    return chapters


def _below(elements: list[Element], book_title: str) -> list[Element]:
    """A chapter's elements, one level below the book; drops the book's title, which many books repeat in each file."""
    return [
        msgspec.structs.replace(item, level=min(_DEEPEST, (item.level or 1) + 1)) if item.kind == "title" else item
        for item in elements
        if not (item.kind == "title" and item.text == book_title)
    ]


class _Pages:
    """The pages of a book as trees, each taken once; notes on other pages are brought to those that refer to them."""

    def __init__(self, book: zipfile.ZipFile) -> None:
        self._book = book
        self._open: dict[str, Any] = {}
        self._blocks: dict[str, dict[str, Any]] = {}  # of each page that others refer to

    def take(self, name: str) -> Any:
        """A page's tree; None for one that is missing or empty."""
        page = self._page(name)
        self._open[name] = None
        if page is not None:
            for link in [link for link in page.iter("a") if "#" in (link.get("href") or "") and is_note_link(link)]:
                self._bring(name, page, link)
        return page

    def _page(self, name: str) -> Any:
        if name not in self._open:
            text = decode(self._book.read(name)) if name in self._book.NameToInfo else None
            self._open[name] = html.tree_of(text) if text and text.strip() else None
        return self._open[name]

    def _bring(self, name: str, page: Any, link: Any) -> None:
        """Moves the note of a link from a later page to the end of the page with the link."""
        place, _, identity = link.get("href").partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(place)))
        other = self._page(target) if place and target != name else None
        moved = f"{target}#{unquote(identity)}"
        if other is not None and target not in self._blocks:
            self._blocks[target] = {node.get("id"): node for node in other.iter() if node.get("id")}
        note = _block(self._blocks.get(target, {}).pop(unquote(identity), None))
        if note is not None and (body := page.find("body")) is not None:
            holder = etree.SubElement(body, "aside", id=moved)
            copy = deepcopy(note)
            copy.tail = None
            holder.append(copy)
            note.drop_tree()
        elif not place or target == name:
            moved = unquote(identity)
        link.set("href", f"#{quote(moved)}")


def _block(node: Any) -> Any:
    """The block that is, or holds, a link's target; None for one that is too large to be a note."""
    while node is not None and node.tag in INLINE:
        node = node.getparent()
    if node is None or node.getparent() is None or node.tag == "body" or len(text_of(node)) > LONGEST:
        return None
    return node


def _xml(content: bytes) -> Any:
    return etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
