"""E-books (.epub): the chapters in reading order, each read as HTML."""

from __future__ import annotations

import posixpath
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
from lxml import etree

from activities.contracts.documents import Element
from activities.errors import DamagedDocument, EncryptedDocument, told
from activities.phrases import Phrase
from activities.readers import archive, html
from activities.readers.encoding import decode
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
            for number, chapter in enumerate(chapters, 1):
                if chapter in book.NameToInfo:
                    elements += _chapter(book.read(chapter), title)
                progress(number, len(chapters))
    except etree.LxmlError as exc:
        raise DamagedDocument(format="epub", detail=told(exc)) from exc
    return Reading(elements)


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


def _chapter(content: bytes, book_title: str) -> list[Element]:
    """A chapter's elements, one level below the book; drops the book's title, which many books repeat in each file."""
    text = decode(content)
    if not text or not text.strip():
        return []
    elements = html.elements_of(text, page_title=False)
    return [
        msgspec.structs.replace(item, level=min(_DEEPEST, (item.level or 1) + 1)) if item.kind == "title" else item
        for item in elements
        if not (item.kind == "title" and item.text == book_title)
    ]


def _xml(content: bytes) -> Any:
    return etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
