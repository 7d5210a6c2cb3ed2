"""XML: data as records, documents as headings and paragraphs. Never loads anything from outside the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from activities.contracts.documents import Element
from activities.errors import DamagedDocument, told
from activities.readers.encoding import declared, decode, without_controls
from activities.readers.partition import Progress, check_depth
from activities.readers.reading import Reading
from activities.readers.tables import records
from activities.readers.text import decode_file
from activities.settings import ParseSettings

_DECLARATION = re.compile(r"(?<!\s)\s*+<\?xml[^<>]*\?>")
_ENCODING = re.compile(rb"<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([A-Za-z][\w.-]*)[\"']")
_ENTITY = re.compile(r"<!ENTITY\s+(?:%\s*)?[^\s>]+\s+(?:SYSTEM|PUBLIC)\b")
_HEADS = frozenset(("title", "head", "heading", "caption", "h1", "h2", "h3", "标题"))
_PARAGRAPHS = frozenset(("p", "para", "paragraph", "simpara"))
_MIXED_SHARE = 0.05  # of elements with text also have child elements: then XML is a document, not data
_DEEPEST = 9


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of an XML file. External entities stay unexpanded."""
    text = _text(path)
    root = _root(text)
    progress(1, 2)
    check_depth(root, records.MAX_DEPTH)
    is_document = _is_document(root)
    elements = list(_document(root, 1)) if is_document else list(records.elements_of(_value(root)))
    progress(2, 2)
    return Reading(elements)


def _text(path: Path) -> str:
    """The text in its declared encoding, or in a detected one when the declaration is wrong."""
    data = path.read_bytes()
    encoding = _ENCODING.search(data[:200])
    if encoding and not encoding[1].lower().startswith((b"utf-8", b"utf8", b"utf-16", b"utf-32")):
        text = declared(data, encoding[1].decode("ascii"))
        if text is not None:
            return text
    return decode(data) or decode_file(path)


def _root(text: str) -> Any:
    external = _ENTITY.search(text[:100_000]) is not None
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False if external else "internal",
        no_network=True,
        load_dtd=False,
        huge_tree=True,  # permits long texts; entity expansion stays limited
        remove_comments=True,
        remove_pis=True,
        strip_cdata=True,
    )
    try:
        return etree.fromstring(
            without_controls(_DECLARATION.sub("", text, count=1)).encode("utf-8", "replace"), parser
        )
    except etree.XMLSyntaxError as exc:
        raise DamagedDocument(format="xml", detail=told(exc)) from exc


def _is_document(root: Any) -> bool:
    with_text = mixed = 0
    for node in root.iter(etree.Element):
        if _local(node) in _PARAGRAPHS:
            return True
        if _has_text(node):
            with_text, mixed = with_text + 1, mixed + (len(node) > 0)
    return mixed > _MIXED_SHARE * with_text


def _document(node: Any, level: int) -> Iterator[Element]:
    """Headings and paragraphs in document order."""
    if _has_text(node) or len(node) == 0:
        text = " ".join("".join(node.itertext()).split())
        if text and _local(node).lower() in _HEADS:
            yield Element(text=text, kind="title", level=min(level - 1 or 1, _DEEPEST))
        elif text:
            yield Element(text=text)
        return
    for child in node.iterchildren(etree.Element):
        yield from _document(child, level + 1)


def _value(node: Any) -> Any:
    """An element as a record: attributes and children by name, repeated children as a list."""
    children = list(node.iterchildren(etree.Element))
    text = "".join(node.itertext()).strip() if _has_text(node) or not children else ""
    if not node.attrib and (text or not children):
        return text
    record: dict[str, Any] = {etree.QName(name).localname: value for name, value in node.attrib.items()}
    if text:
        record["text" if record else _local(node)] = text
        return record
    for child in children:
        key, value = _local(child), _value(child)
        if key not in record:
            record[key] = value
        elif isinstance(record[key], list):
            record[key].append(value)
        else:
            record[key] = [record[key], value]
    return record


def _has_text(node: Any) -> bool:
    return bool((node.text or "").strip()) or any((child.tail or "").strip() for child in node)


def _local(node: Any) -> str:
    return str(etree.QName(node).localname)
