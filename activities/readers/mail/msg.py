"""Outlook mail (.msg): properties stored in the streams of an OLE container ([MS-OXMSG])."""

from __future__ import annotations

import io
import struct
from collections import defaultdict
from functools import partial
from pathlib import Path

import msgspec
import olefile  # type: ignore[import-untyped]

from activities.errors import DamagedDocument, told
from activities.readers.mail.message import Attachment, Body, Mail, preferred_body
from activities.readers.mail.outlook import decoded, decompressed, moment

_SUBJECT, _BODY, _HTML, _RTF = "0037", "1000", "1013", "1009"
_SENDER_NAME, _SENDER_SMTP, _SENDER_ADDRESS = "0C1A", "5D01", "0C1F"
_DISPLAY_TO, _DISPLAY_CC = "0E04", "0E03"
_SENT, _DELIVERED = 0x0039, 0x0E06
_CODEPAGE, _HTML_CODEPAGE = 0x3FFD, 0x3FDE
_DATA, _LONG_NAME, _SHORT_NAME, _DISPLAY_NAME, _CONTENT_ID = "3701", "3707", "3704", "3001", "3712"
_HEADER, _INNER_HEADER = 32, 24  # bytes before the fixed-size properties, of the outer mail and of a nested one
_BROKEN = (OSError, ValueError, IndexError, TypeError, struct.error, OverflowError)


class _Store(msgspec.Struct):
    """The open container and the names of the entries in each of its folders."""

    container: olefile.OleFileIO
    folders: dict[tuple[str, ...], list[str]]


def parse(path: Path) -> Mail:
    """Parses the mail in a file. Raises DamagedDocument."""
    try:
        container = olefile.OleFileIO(io.BytesIO(path.read_bytes()))
        folders: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for entry in container.listdir(streams=True, storages=True):
            folders[tuple(entry[:-1])].append(entry[-1])
        return _mail(_Store(container, folders), ())
    except _BROKEN as exc:  # olefile does not validate its input
        raise DamagedDocument(format="msg", detail=told(exc)) from exc


def _mail(store: _Store, at: tuple[str, ...]) -> Mail:
    fixed = _fixed(store, at)
    codepage = fixed.get(_CODEPAGE, 0)
    smtp = _text(store, at, _SENDER_SMTP, codepage) or _text(store, at, _SENDER_ADDRESS, codepage)
    address = f"<{smtp}>" if "@" in smtp else ""
    sent = fixed.get(_SENT) or fixed.get(_DELIVERED)
    fields = [
        ("From", f"{_text(store, at, _SENDER_NAME, codepage)} {address}".strip()),
        ("To", _text(store, at, _DISPLAY_TO, codepage)),
        ("Cc", _text(store, at, _DISPLAY_CC, codepage)),
        ("Date", moment(sent) if sent else ""),
    ]
    return Mail(
        subject=_text(store, at, _SUBJECT, codepage),
        fields=[(name, value) for name, value in fields if value],
        bodies=_bodies(store, at, fixed),
        attachments=[_attachment(store, (*at, name), codepage) for name in _attachment_names(store, at)],
    )


def _bodies(store: _Store, at: tuple[str, ...], fixed: dict[int, int]) -> list[Body]:
    plain = _text(store, at, _BODY, fixed.get(_CODEPAGE, 0))
    html = _text(store, at, _HTML, fixed.get(_CODEPAGE, 0)) or decoded(
        _stream(store, at, f"{_HTML}0102"), fixed.get(_HTML_CODEPAGE, 0)
    )
    bodies = preferred_body(plain, html)
    compressed = _stream(store, at, f"{_RTF}0102")
    return bodies or ([Body("rtf", decompressed(compressed).decode("latin-1"))] if compressed else [])


def _attachment_names(store: _Store, at: tuple[str, ...]) -> list[str]:
    return sorted(name for name in store.folders[at] if name.startswith("__attach_version1.0_#"))


def _attachment(store: _Store, at: tuple[str, ...], codepage: int) -> Attachment:
    names = (_text(store, at, name, codepage) for name in (_LONG_NAME, _SHORT_NAME, _DISPLAY_NAME))
    name = next(filter(None, names), at[-1])
    inner = (*at, f"__substg1.0_{_DATA}000D")
    if "__properties_version1.0" in store.folders.get(inner, []):
        return Attachment(_text(store, inner, _SUBJECT, codepage) or name, partial(_mail, store, inner))
    inline = bool(_text(store, at, _CONTENT_ID, codepage))
    return Attachment(name, _stream(store, at, f"{_DATA}0102"), inline)


def _fixed(store: _Store, at: tuple[str, ...]) -> dict[int, int]:
    """The fixed-size properties by id, as unsigned integers."""
    data = _raw(store, (*at, "__properties_version1.0"))[_INNER_HEADER if at else _HEADER :]
    entries = struct.iter_unpack("<HHIQ", data[: len(data) // 16 * 16])
    narrow = 0xFFFFFFFF
    return {name: value if kind == 0x40 else value & narrow for kind, name, _, value in entries}


def _text(store: _Store, at: tuple[str, ...], name: str, codepage: int) -> str:
    wide = _stream(store, at, f"{name}001F")
    text = wide.decode("utf-16-le", "replace") if wide else decoded(_stream(store, at, f"{name}001E"), codepage)
    return text.rstrip("\x00")


def _stream(store: _Store, at: tuple[str, ...], name: str) -> bytes:
    entry = f"__substg1.0_{name}"
    return _raw(store, (*at, entry)) if entry in store.folders.get(at, []) else b""


def _raw(store: _Store, entry: tuple[str, ...]) -> bytes:
    return bytes(store.container.openstream(list(entry)).read())
