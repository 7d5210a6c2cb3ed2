"""Outlook's container for mails within other mails (winmail.dat, [MS-OXTNEF]): attributes and MAPI properties."""

from __future__ import annotations

import struct
from functools import partial

import msgspec

from activities.errors import DamagedDocument, told
from activities.readers.mail.message import Attachment, Body, Mail, preferred_body
from activities.readers.mail.outlook import decoded, decompressed, moment

SIGNATURE = b"\x78\x9f\x3e\x22"

# Attributes: those of the mail, and of the attachments that follow it.
_CODEPAGE, _SUBJECT, _BODY, _PROPERTIES = 0x00069007, 0x00018004, 0x0002800C, 0x00069003
_ATTACHMENT, _TITLE, _DATA, _ATTACHMENT_PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
# MAPI properties.
_P_SUBJECT, _P_BODY, _P_HTML, _P_RTF = 0x0037, 0x1000, 0x1013, 0x1009
_P_SENDER, _P_TO, _P_SENT = 0x0C1A, 0x0E04, 0x0039
_P_DATA, _P_LONG_NAME, _P_NAME, _P_CONTENT_ID = 0x3701, 0x3707, 0x3704, 0x3712
_SIZES = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0xA: 4, 0xB: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_STRING, _WIDE, _OBJECT, _BINARY, _TIME = 0x1E, 0x1F, 0x0D, 0x102, 0x40
_MULTIPLE, _NAMED = 0x1000, 0x8000
_GUID = 16  # bytes
_HEADER = 6  # bytes: the signature and a key
_BROKEN = (struct.error, ValueError, OverflowError, IndexError)

_Properties = dict[int, str | bytes | int]


class _File(msgspec.Struct):
    """What the attributes of an attachment say."""

    name: str = ""
    content: bytes = b""
    properties: _Properties = {}


def parse(data: bytes) -> Mail:
    """Parses a container, which begins with ``SIGNATURE``, as far as it goes. Raises DamagedDocument."""
    try:
        return _mail(data)
    except _BROKEN as exc:
        raise DamagedDocument(format="tnef", detail=told(exc)) from exc


def _mail(data: bytes) -> Mail:
    codepage, subject, body = 0, b"", b""
    properties: _Properties = {}
    files: list[_File] = []
    at = _HEADER
    while at + 9 <= len(data):
        _, attribute, size = struct.unpack_from("<BII", data, at)
        value = data[at + 9 : at + 9 + size]
        at += 9 + size + 2  # a checksum follows
        if attribute == _CODEPAGE and len(value) >= 4:
            codepage = int.from_bytes(value[:4], "little")
        elif attribute == _SUBJECT:
            subject = value
        elif attribute == _BODY:
            body = value
        elif attribute == _PROPERTIES:
            properties |= _properties(value, codepage)
        elif attribute == _ATTACHMENT:
            files.append(_File())
        elif files and attribute == _TITLE:
            files[-1].name = _text(value, codepage)
        elif files and attribute == _DATA:
            files[-1].content = value
        elif files and attribute == _ATTACHMENT_PROPERTIES:
            files[-1].properties = _properties(value, codepage)
    sent = properties.get(_P_SENT)
    fields = [
        ("From", _string(properties, _P_SENDER)),
        ("To", _string(properties, _P_TO)),
        ("Date", moment(sent) if isinstance(sent, int) and sent else ""),
    ]
    return Mail(
        subject=_string(properties, _P_SUBJECT) or _text(subject, codepage),
        fields=[(name, value) for name, value in fields if value],
        bodies=_bodies(properties, _text(body, codepage), codepage),
        attachments=[_attachment(file) for file in files],
    )


def _bodies(properties: _Properties, body: str, codepage: int) -> list[Body]:
    html = properties.get(_P_HTML, "")
    page = _text(html, codepage) if isinstance(html, bytes) else str(html)
    bodies = preferred_body(_string(properties, _P_BODY) or body, page)
    compressed = properties.get(_P_RTF)
    if not any(item.text.strip() for item in bodies) and isinstance(compressed, bytes) and compressed:
        return [Body("rtf", decompressed(compressed).decode("latin-1"))]
    return bodies


def _attachment(file: _File) -> Attachment:
    names = (_string(file.properties, name) for name in (_P_LONG_NAME, _P_NAME))
    name = next(filter(None, [*names, file.name]), "attachment")
    content = file.properties.get(_P_DATA)
    inner = content[_GUID:] if isinstance(content, bytes) else b""
    if inner.startswith(SIGNATURE):
        return Attachment(name, partial(parse, inner))
    return Attachment(name, file.content or inner, bool(_string(file.properties, _P_CONTENT_ID)))


def _properties(data: bytes, codepage: int) -> _Properties:
    """The first value of each property; those after a damaged or unknown one are left out."""
    found: _Properties = {}
    at = 4
    try:
        for _ in range(struct.unpack_from("<I", data)[0]):
            kind, name = struct.unpack_from("<HH", data, at)
            at = _after_name(data, at + 4 + _GUID) if name >= _NAMED else at + 4
            base = kind & ~_MULTIPLE
            if base in _SIZES:
                count = 1
                if kind & _MULTIPLE:
                    count, at = struct.unpack_from("<I", data, at)[0], at + 4
                if base == _TIME:
                    found[name] = struct.unpack_from("<Q", data, at)[0]
                at += count * _SIZES[base]
            elif base in (_STRING, _WIDE, _OBJECT, _BINARY):
                count, at = struct.unpack_from("<I", data, at)[0], at + 4
                for number in range(count):
                    size = struct.unpack_from("<I", data, at)[0]
                    if number == 0 and name < _NAMED:
                        found[name] = _value(base, data[at + 4 : at + 4 + size], codepage)
                    at += 4 + _padded(size)
            else:
                break
    except struct.error:
        pass
    return found


def _after_name(data: bytes, at: int) -> int:
    """Where the name of a named property ends: a number, or a text with its length."""
    kind, size = struct.unpack_from("<II", data, at)
    return at + 8 + (_padded(size) if kind else 0)


def _value(kind: int, data: bytes, codepage: int) -> str | bytes:
    if kind == _WIDE:
        return data.decode("utf-16-le", "replace").rstrip("\x00")
    return _text(data, codepage) if kind == _STRING else data


def _string(properties: _Properties, name: int) -> str:
    value = properties.get(name)
    return value if isinstance(value, str) else ""


def _text(data: bytes, codepage: int) -> str:
    return decoded(data.rstrip(b"\x00"), codepage)


def _padded(size: int) -> int:
    return size + -size % 4
