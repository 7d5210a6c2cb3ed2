"""Mails (.eml, .msg) with their attachments, which are read like any other document."""

from __future__ import annotations

import tempfile
from importlib import import_module
from pathlib import Path

import msgspec
import olefile  # type: ignore[import-untyped]

from activities.contracts.documents import Element
from activities.errors import DocumentError, DocumentTooLarge, EmptyDocument, NoText, ParserCrashed, first_line
from activities.phrases import Phrase
from activities.readers import html, rtf, text
from activities.readers.formats import EML, MSG, detect
from activities.readers.mail import eml, msg
from activities.readers.mail.message import Attached, Body, Mail
from activities.readers.partition import Progress
from activities.settings import ParseSettings

MAX_DEPTH = 10
"""How many mails may stand in one another; what is deeper is mentioned."""
MAX_ATTACHMENTS = 200
"""How many attachments of a mail are read, with those of the mails in it."""

_MAX_GROWTH = 16  # attachments together ÷ size of the mail: containers can hold the same bytes many times
_DEEPEST = 9
# What a reader may fail with on a file that nobody expected; memory is the whole mail's.
_CRASHES = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)


class _Budget(msgspec.Struct):
    """What is left of a mail's limits."""

    files: int
    bytes: int

    def spend(self, size: int) -> None:
        self.files, self.bytes = self.files - 1, self.bytes - size
        if self.files < 0:
            raise DocumentTooLarge(detail=Phrase.TOO_MANY_ATTACHMENTS, limit=MAX_ATTACHMENTS)
        if self.bytes < 0:
            raise DocumentTooLarge(detail=Phrase.ATTACHMENTS_TOO_LARGE)


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> tuple[list[Element], None]:
    """The elements of a mail: subject, header, body, and every attachment under its name."""
    mail = _open(path)
    budget = _Budget(MAX_ATTACHMENTS, _MAX_GROWTH * path.stat().st_size)
    elements = _own(mail, limits)
    for number, attached in enumerate(mail.attached, 1):
        elements += _attached(attached, limits, budget, 1)
        progress(number, len(mail.attached) + 1)
    progress(len(mail.attached) + 1, len(mail.attached) + 1)
    return elements, None


def _open(path: Path) -> Mail:
    with path.open("rb") as file:
        outlook = file.read(len(olefile.MAGIC)) == olefile.MAGIC
    return msg.parse(path) if outlook else eml.parse(path.read_bytes())


def _own(mail: Mail, limits: ParseSettings) -> list[Element]:
    """Everything but the attachments."""
    elements = [Element(text=mail.subject, kind="title", level=1)] if mail.subject else []
    if mail.fields:
        elements.append(Element(text=" | ".join(f"{name}: {value}" for name, value in mail.fields)))
    for body in mail.bodies:
        elements += _deeper(_body(body, limits), 1)
    return elements


def _body(body: Body, limits: ParseSettings) -> list[Element]:
    if not body.text.strip():
        return []
    match body.kind:
        case "plain":
            return text.elements_of(body.text)
        case "html":
            return html.elements_of(body.text, page_title=False)
        case "rtf":
            return rtf.elements_of(body.text.encode("latin-1"), limits)


def _attached(attached: Attached, limits: ParseSettings, budget: _Budget, depth: int) -> list[Element]:
    """The elements of an attachment, or one that says why there are none."""
    try:
        budget.spend(len(attached.content) if isinstance(attached.content, bytes) else 0)
        if callable(attached.content):
            return _deeper(_inner(attached.content(), limits, budget, depth), 1)
        found = _file(attached.content, attached.name, limits, budget, depth)
    except (EmptyDocument, NoText) as exc:
        return [] if attached.shown else [_unread(attached.name, exc)]
    except DocumentError as exc:
        return [_unread(attached.name, exc)]
    except _CRASHES as exc:
        return [_unread(attached.name, ParserCrashed(detail=first_line(exc)))]
    return [Element(text=attached.name, kind="title", level=2), *_deeper(found, 2)]


def _inner(mail: Mail, limits: ParseSettings, budget: _Budget, depth: int) -> list[Element]:
    """A mail in a mail, with what is attached to it."""
    if depth >= MAX_DEPTH:
        raise DocumentTooLarge(detail=Phrase.NESTED_MAILS, limit=MAX_DEPTH)
    elements = _own(mail, limits)
    for attached in mail.attached:
        elements += _attached(attached, limits, budget, depth + 1)
    return elements


def _file(content: bytes, name: str, limits: ParseSettings, budget: _Budget, depth: int) -> list[Element]:
    with tempfile.TemporaryDirectory(prefix="holdfast-attachment-") as folder:
        path = Path(folder) / "attachment"
        path.write_bytes(content)
        kind = detect(path, name)
        if kind in (EML, MSG):
            return _inner(_open(path), limits, budget, depth)
        elements: list[Element] = import_module(kind.reader).read(path, name, limits, _nobody)[0]
    if not any(character.isalnum() for element in elements for character in element.text):
        raise NoText()
    return elements


def _nobody(done: int, total: int) -> None:
    """Progress of an attachment is not that of the mail."""


def _unread(name: str, exc: DocumentError) -> Element:
    reason = exc.reason.render().partition(". ")[0].rstrip(".")
    return Element(text=f"Attachment “{name}” was not read: {reason}.")


def _deeper(elements: list[Element], levels: int) -> list[Element]:
    """The same elements, their headings so many levels down."""
    return [
        msgspec.structs.replace(item, level=min(_DEEPEST, (item.level or 1) + levels)) if item.kind == "title" else item
        for item in elements
    ]
