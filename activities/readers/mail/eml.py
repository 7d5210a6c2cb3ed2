"""Internet mail (.eml, RFC 5322 with MIME), parsed leniently because real mails break most rules."""

from __future__ import annotations

import codecs
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import Compat32
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Literal

from activities.errors import DamagedDocument
from activities.phrases import Phrase
from activities.readers.calendar import unfolded
from activities.readers.encoding import declared, decode
from activities.readers.mail import tnef
from activities.readers.mail.message import Attachment, Body, Mail, preferred_body

_FIELDS = ("From", "To", "Cc", "Date")
_SIGNATURES = ("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature")
_BODIES: dict[str, Literal["plain", "html", "calendar"]] = {
    "text/plain": "plain",
    "text/html": "html",
    "text/calendar": "calendar",
}
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# The standard library takes time that grows with the square of a field's parameters, and of a line of encoded words.
_LONGEST_PARAMETERS = 4096  # characters; enough for a file name of the greatest length, in any encoding
_LONGEST_LINE = 1 << 14  # characters; RFC 5322 allows 998


class _Lenient(Compat32):
    """Header fields as they are, except that what describes a part is cut after some thousand characters."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:_LONGEST_PARAMETERS] if name.lower().startswith("content-") else value


_POLICY = _Lenient()


def parse(data: bytes) -> Mail:
    """Parses a mail from the bytes of a file. Raises DamagedDocument."""
    if data.startswith(_WIDE_MARKS):
        data = (decode(data) or "").encode()
    try:
        return _mail(BytesParser(policy=_POLICY).parsebytes(data.removeprefix(codecs.BOM_UTF8).lstrip()))
    except RecursionError as exc:
        raise DamagedDocument(format="eml", detail=Phrase.NESTED_PARTS) from exc


def _mail(message: Message) -> Mail:
    bodies: list[Body] = []
    attachments: list[Attachment] = []
    _collect(message, bodies, attachments)
    invitations = {" ".join(body.text.split()) for body in bodies if body.kind == "calendar"}
    if invitations:
        attachments = [item for item in attachments if not _repeats(item, invitations)]
    fields = [(field, _field(message, field)) for field in _FIELDS]
    return Mail(
        _words(message.get("Subject")), [(field, value) for field, value in fields if value], bodies, attachments
    )


def _repeats(attachment: Attachment, invitations: set[str]) -> bool:
    """Whether the attachment is one of the invitations of the mail's text, which many programs attach once more."""
    content = attachment.content
    if not isinstance(content, bytes) or b"BEGIN:VCALENDAR" not in content[:64].upper():
        return False
    return " ".join(_decoded(unfolded(content), None).split()) in invitations


def _collect(part: Message, bodies: list[Body], attachments: list[Attachment]) -> None:
    """Adds the bodies and attachments of a part and its children."""
    kind = part.get_content_type()
    if kind == "message/rfc822" and part.is_multipart():
        for inner in _children(part):
            attachments.append(Attachment(_name(part) or _words(inner.get("Subject")) or kind, partial(_mail, inner)))
    elif kind == "multipart/alternative":
        _alternative(part, bodies, attachments)
    elif part.is_multipart():
        for child in _children(part):
            _collect(child, bodies, attachments)
    elif kind in _BODIES and not _name(part) and part.get_content_disposition() != "attachment":
        bodies.append(Body(_BODIES[kind], _text(part)))
    elif kind not in _SIGNATURES:
        content = part.get_payload(decode=True)
        if isinstance(content, bytes) and content.startswith(tnef.SIGNATURE):
            _outlook(_name(part) or kind, content, bodies, attachments)
        elif isinstance(content, bytes) and content:
            inline = "Content-ID" in part and part.get_content_disposition() != "attachment"
            attachments.append(Attachment(_name(part) or kind, content, inline))


def _outlook(name: str, content: bytes, bodies: list[Body], attachments: list[Attachment]) -> None:
    """Adds what Outlook packed into one attachment as if the mail had it itself."""
    try:
        packed = tnef.parse(content)
    except DamagedDocument:
        attachments.append(Attachment(name, content))
        return
    bodies += packed.bodies
    attachments += packed.attachments


def _alternative(part: Message, bodies: list[Body], attachments: list[Attachment]) -> None:
    """Adds the preferred one of several versions of the same text."""
    versions: list[Body] = []
    for child in _children(part):
        _collect(child, versions, attachments)
    plain = "\n\n".join(body.text for body in versions if body.kind == "plain")
    html = "\n".join(body.text for body in versions if body.kind == "html")
    bodies += preferred_body(plain, html)
    bodies += [body for body in versions if body.kind not in ("plain", "html")]


def _children(part: Message) -> list[Message]:
    payload = part.get_payload() if part.is_multipart() else []  # that of other parts would be decoded
    return [child for child in payload if isinstance(child, Message)] if isinstance(payload, list) else []


def _text(part: Message) -> str:
    """A text part in its declared character set, or in a detected one when the declaration is wrong."""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    if part.get_content_type() == "text/calendar":
        content = unfolded(content)
    return _decoded(content, part.get_content_charset())


def _decoded(content: bytes, charset: str | None) -> str:
    wider = {"gb2312": "gb18030", "gbk": "gb18030", "iso-8859-1": "cp1252", "us-ascii": None, "unknown-8bit": None}
    name = wider.get(charset or "", charset)
    text = declared(content, name) if name else None
    return (decode(content) or content.decode("utf-8", "replace")) if text is None else text


def _field(message: Message, name: str) -> str:
    text = _words(message.get(name))
    if name != "Date":
        return text
    try:
        sent: datetime = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return text
    return sent.isoformat(" ", "minutes")


def _name(part: Message) -> str:
    """The file name of a part, without folders; empty when it has none."""
    try:
        name = part.get_filename()
    except UnicodeError:  # in a character set of which Python has no more than the name
        name = None
    return _words(name).replace("\\", "/").rsplit("/", 1)[-1] if name else ""


def _words(value: object) -> str:
    """A header field's text: encoded words in any character set, or unencoded 8-bit text."""
    if not value:
        return ""
    if max(map(len, str(value).splitlines()), default=0) > _LONGEST_LINE:
        return " ".join(str(value).split())
    try:
        pieces = decode_header(value)  # type: ignore[arg-type]  # a Header, where the text is 8-bit
    except (HeaderParseError, ValueError):
        return " ".join(str(value).split())
    texts = [_decoded(text, charset) if isinstance(text, bytes) else text for text, charset in pieces]
    return " ".join("".join(texts).split())
