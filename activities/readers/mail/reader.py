"""Mails (.eml, .msg) and their attachments, which are read like any other document."""

from __future__ import annotations

import tempfile
from importlib import import_module
from pathlib import Path

import msgspec
import olefile  # type: ignore[import-untyped]

from activities.contracts.documents import Element
from activities.errors import DocumentError, DocumentTooLarge, EmptyDocument, NoText, ParserCrashed, plain_line
from activities.phrases import Phrase
from activities.readers import html, rtf, text
from activities.readers.formats import EML, MSG, detect
from activities.readers.mail import eml, msg
from activities.readers.mail.message import Attachment, Body, Mail
from activities.readers.partition import Progress
from activities.readers.reading import Reading
from activities.settings import ParseSettings

MAX_DEPTH = 10
"""Maximum nesting of mails; deeper ones are mentioned but not read."""
MAX_ATTACHMENTS = 200
"""Maximum number of attachments of a mail that are read, including those of nested mails."""

_MAX_GROWTH = 16  # total size of attachments ÷ size of the mail: containers can repeat the same bytes many times
_DEEPEST = 9
# Exceptions of a reader that concern one attachment; MemoryError concerns the whole mail.
_CRASHES = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)


class _Budget(msgspec.Struct):
    """What remains of a mail's limits."""

    files: int
    bytes: int

    def spend(self, size: int) -> None:
        """Charges one attachment. Raises DocumentTooLarge when a limit is exceeded."""
        self.files, self.bytes = self.files - 1, self.bytes - size
        if self.files < 0:
            raise DocumentTooLarge(detail=Phrase.TOO_MANY_ATTACHMENTS, limit=MAX_ATTACHMENTS)
        if self.bytes < 0:
            raise DocumentTooLarge(detail=Phrase.ATTACHMENTS_TOO_LARGE)


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of a mail: subject, header fields, bodies, and every attachment under its name."""
    mail = _open(path)
    budget = _Budget(MAX_ATTACHMENTS, _MAX_GROWTH * path.stat().st_size)
    elements = _without_attachments(mail, limits)
    for number, attachment in enumerate(mail.attachments, 1):
        elements += _attachment(attachment, limits, budget, 1)
        progress(number, len(mail.attachments) + 1)
    progress(len(mail.attachments) + 1, len(mail.attachments) + 1)
    return Reading(elements)


def _open(path: Path) -> Mail:
    with path.open("rb") as file:
        outlook = file.read(len(olefile.MAGIC)) == olefile.MAGIC
    return msg.parse(path) if outlook else eml.parse(path.read_bytes())


def _without_attachments(mail: Mail, limits: ParseSettings) -> list[Element]:
    """Subject, header fields and bodies."""
    elements = [Element(text=mail.subject, kind="title", level=1)] if mail.subject else []
    if mail.fields:
        elements.append(Element(text=" | ".join(f"{name}: {value}" for name, value in mail.fields)))
    for body in mail.bodies:
        elements += _demoted(_body(body, limits), 1)
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


def _attachment(attachment: Attachment, limits: ParseSettings, budget: _Budget, depth: int) -> list[Element]:
    """The elements of an attachment, or one element with the reason why it was not read."""
    try:
        budget.spend(len(attachment.content) if isinstance(attachment.content, bytes) else 0)
        if callable(attachment.content):
            return _demoted(_nested_mail(attachment.content(), limits, budget, depth), 1)
        elements = _file(attachment.content, attachment.name, limits, budget, depth)
    except (EmptyDocument, NoText) as exc:
        return [] if attachment.inline else [_unread(attachment.name, exc)]
    except DocumentError as exc:
        return [_unread(attachment.name, exc)]
    except _CRASHES as exc:
        return [_unread(attachment.name, ParserCrashed(detail=plain_line(exc)))]
    return [Element(text=attachment.name, kind="title", level=2), *_demoted(elements, 2)]


def _nested_mail(mail: Mail, limits: ParseSettings, budget: _Budget, depth: int) -> list[Element]:
    """The elements of an attached mail and its attachments."""
    if depth >= MAX_DEPTH:
        raise DocumentTooLarge(detail=Phrase.NESTED_MAILS, limit=MAX_DEPTH)
    elements = _without_attachments(mail, limits)
    for attachment in mail.attachments:
        elements += _attachment(attachment, limits, budget, depth + 1)
    return elements


def _file(content: bytes, name: str, limits: ParseSettings, budget: _Budget, depth: int) -> list[Element]:
    with tempfile.TemporaryDirectory(prefix="holdfast-attachment-") as folder:
        path = Path(folder) / "attachment"
        path.write_bytes(content)
        kind = detect(path, name, limits)
        if kind in (EML, MSG):
            return _nested_mail(_open(path), limits, budget, depth)
        elements: list[Element] = import_module(kind.reader).read(path, name, limits, _ignore_progress).elements
    if not any(character.isalnum() for element in elements for character in element.text):
        raise NoText()
    return elements


def _ignore_progress(done: int, total: int) -> None:
    """Discards progress: that of an attachment is not the mail's."""


def _unread(name: str, exc: DocumentError) -> Element:
    reason = exc.reason.render().partition(". ")[0].rstrip(".")
    return Element(text=f"Attachment “{name}” was not read: {reason}.")


def _demoted(elements: list[Element], levels: int) -> list[Element]:
    """The same elements with their headings moved down by ``levels``."""
    return [
        msgspec.structs.replace(item, level=min(_DEEPEST, (item.level or 1) + levels)) if item.kind == "title" else item
        for item in elements
    ]
