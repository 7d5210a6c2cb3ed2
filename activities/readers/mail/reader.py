"""Mails (.eml, .msg), mailboxes (.mbox) and attachments, which are read like any other document."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import olefile  # type: ignore[import-untyped]

from activities.contracts.documents import Element
from activities.errors import DocumentError, DocumentTooLarge, EmptyDocument, NoText
from activities.phrases import Phrase, RemarkText
from activities.readers import calendar, embedded, html, rtf, text
from activities.readers.embedded import demoted
from activities.readers.mail import eml, mbox, msg, tnef
from activities.readers.mail.message import Attachment, Body, Mail
from activities.readers.partition import Progress
from activities.readers.reading import Reading
from activities.settings import ParseSettings


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of a mail: subject, header fields, bodies, and every attachment under its name.

    Those of a mailbox are those of its mails, one after another.
    """
    if mbox.is_mailbox(path):
        return _mailbox(path, limits, progress)
    mail = _open(path)
    elements = _without_attachments(mail, limits)
    remarks: Counter[RemarkText] = Counter()
    with embedded.scope(path) as scope:
        for number, attachment in enumerate(mail.attachments, 1):
            elements += _attachment(attachment, limits, scope, remarks)
            progress(number, len(mail.attachments) + 1)
    progress(len(mail.attachments) + 1, len(mail.attachments) + 1)
    return Reading(elements, remarks=remarks)


def _open(path: Path) -> Mail:
    with path.open("rb") as file:
        head = file.read(len(olefile.MAGIC))
    if head == olefile.MAGIC:
        return msg.parse(path)
    content = path.read_bytes()
    return tnef.parse(content) if head.startswith(tnef.SIGNATURE) else eml.parse(content)


def _mailbox(path: Path, limits: ParseSettings, progress: Progress) -> Reading:
    """The mails of a mailbox, each under its subject, or under its sender when it has none."""
    elements: list[Element] = []
    remarks: Counter[RemarkText] = Counter()
    size = path.stat().st_size
    with embedded.scope(path) as scope:
        for number, (content, end) in enumerate(mbox.mails(path), 1):
            if number > mbox.MAX_MAILS:
                remarks[RemarkText.MAILS] += 1
                continue
            try:
                mail = eml.parse(content)
            except DocumentError as exc:
                elements.append(_unread(str(number), exc))
                continue
            heading = mail.subject or next((value for _, value in mail.fields), str(number))
            mail = msgspec.structs.replace(mail, subject=heading)
            if scope.depth == 1:  # a mailbox within another file takes from what that one has
                scope.files = embedded.MAX_FILES
            elements += _nested_mail(mail, limits, scope, remarks)
            progress(end, size)
    return Reading(elements, remarks=remarks)


def _without_attachments(mail: Mail, limits: ParseSettings) -> list[Element]:
    """Subject, header fields and bodies."""
    elements = [Element(text=mail.subject, kind="title", level=1)] if mail.subject else []
    if mail.fields:
        elements.append(Element(text=" | ".join(f"{name}: {value}" for name, value in mail.fields)))
    said: set[str] = set()
    for body in mail.bodies:
        found = demoted(_body(body, limits), 1)
        words = {"".join(element.text.split()) for element in found}
        if not words <= said:  # Outlook packs the text of a mail into an attachment once more
            elements += found
            said |= words
    return elements


def _body(body: Body, limits: ParseSettings) -> list[Element]:
    if not body.text.strip():
        return []
    match body.kind:
        case "plain":
            return text.elements_of(body.text)
        case "html":
            return html.elements_of(body.text, page_title=False)
        case "calendar":
            return calendar.elements_of(body.text)
        case "rtf":
            return rtf.elements_of(body.text.encode("latin-1"), limits)


def _attachment(
    attachment: Attachment, limits: ParseSettings, scope: embedded.Scope, remarks: Counter[RemarkText]
) -> list[Element]:
    """The elements of an attachment, or one element with the reason why it was not read."""
    try:
        if callable(attachment.content):
            if scope.depth >= embedded.MAX_DEPTH:
                raise DocumentTooLarge(detail=Phrase.NESTED_MAILS, limit=embedded.MAX_DEPTH)
            with scope.inner():
                return demoted(_nested_mail(attachment.content(), limits, scope, remarks), 1)
        reading = embedded.read_embedded(attachment.content, attachment.name, limits, scope)
    except (EmptyDocument, NoText) as exc:
        return [] if attachment.inline else [_unread(attachment.name, exc)]
    except DocumentError as exc:
        return [_unread(attachment.name, exc)]
    remarks.update(reading.remarks)
    return [Element(text=attachment.name, kind="title", level=2), *demoted(reading.elements, 2)]


def _nested_mail(
    mail: Mail, limits: ParseSettings, scope: embedded.Scope, remarks: Counter[RemarkText]
) -> list[Element]:
    """The elements of an attached mail and its attachments."""
    elements = _without_attachments(mail, limits)
    for attachment in mail.attachments:
        elements += _attachment(attachment, limits, scope, remarks)
    return elements


def _unread(name: str, exc: DocumentError) -> Element:
    reason = exc.reason.render().partition(". ")[0].rstrip(".")
    return Element(text=f"Attachment “{name}” was not read: {reason}.")
