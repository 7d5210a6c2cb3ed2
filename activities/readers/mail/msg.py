"""Outlook mail (.msg): properties stored in the streams of an OLE container ([MS-OXMSG])."""

from __future__ import annotations

import io
import struct
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import olefile  # type: ignore[import-untyped]

from activities.errors import DamagedDocument, told
from activities.readers.encoding import declared, decode
from activities.readers.mail.message import Attachment, Body, Mail, preferred_body

_SUBJECT, _BODY, _HTML, _RTF = "0037", "1000", "1013", "1009"
_SENDER_NAME, _SENDER_SMTP, _SENDER_ADDRESS = "0C1A", "5D01", "0C1F"
_DISPLAY_TO, _DISPLAY_CC = "0E04", "0E03"
_SENT, _DELIVERED = 0x0039, 0x0E06
_CODEPAGE, _HTML_CODEPAGE = 0x3FFD, 0x3FDE
_DATA, _LONG_NAME, _SHORT_NAME, _DISPLAY_NAME, _CONTENT_ID = "3701", "3707", "3704", "3001", "3712"
_HEADER, _INNER_HEADER = 32, 24  # bytes before the fixed-size properties, of the outer mail and of a nested one
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_RTF_DICTIONARY = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
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
        ("Date", (_EPOCH + timedelta(microseconds=sent // 10)).isoformat(" ", "minutes") if sent else ""),
    ]
    return Mail(
        subject=_text(store, at, _SUBJECT, codepage),
        fields=[(name, value) for name, value in fields if value],
        bodies=_bodies(store, at, fixed),
        attachments=[_attachment(store, (*at, name), codepage) for name in _attachment_names(store, at)],
    )


def _bodies(store: _Store, at: tuple[str, ...], fixed: dict[int, int]) -> list[Body]:
    plain = _text(store, at, _BODY, fixed.get(_CODEPAGE, 0))
    html = _text(store, at, _HTML, fixed.get(_CODEPAGE, 0)) or _decoded(
        _stream(store, at, f"{_HTML}0102"), fixed.get(_HTML_CODEPAGE, 0)
    )
    bodies = preferred_body(plain, html)
    compressed = _stream(store, at, f"{_RTF}0102")
    return bodies or ([Body("rtf", _decompressed(compressed).decode("latin-1"))] if compressed else [])


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
    text = wide.decode("utf-16-le", "replace") if wide else _decoded(_stream(store, at, f"{name}001E"), codepage)
    return text.rstrip("\x00")


def _decoded(data: bytes, codepage: int) -> str:
    if not data:
        return ""
    text = declared(data, {936: "gb18030", 65001: "utf-8", 20127: "ascii"}.get(codepage, f"cp{codepage}"))
    return (decode(data) or data.decode("utf-8", "replace")) if text is None else text


def _stream(store: _Store, at: tuple[str, ...], name: str) -> bytes:
    entry = f"__substg1.0_{name}"
    return _raw(store, (*at, entry)) if entry in store.folders.get(at, []) else b""


def _raw(store: _Store, entry: tuple[str, ...]) -> bytes:
    return bytes(store.container.openstream(list(entry)).read())


def _decompressed(data: bytes) -> bytes:
    """Decompresses Outlook's RTF ([MS-OXRTFCP]): literal bytes and references into the last 4096 bytes."""
    _, size, magic, _ = struct.unpack_from("<IIII", data)
    if magic != int.from_bytes(b"LZFu", "little"):
        return data[16 : 16 + size]
    window, end = bytearray(_RTF_DICTIONARY.ljust(4096, b"\x00")), len(_RTF_DICTIONARY)
    output, at = bytearray(), 16
    while at < len(data):
        flags = data[at]
        at += 1
        for bit in range(8):
            if flags >> bit & 1:
                token = int.from_bytes(data[at : at + 2], "big")
                at, start = at + 2, token >> 4
                if start == end or at > len(data):
                    return bytes(output)
                run = [start + step for step in range((token & 15) + 2)]
            elif at < len(data):
                window[end], run = data[at], [end]
                at += 1
            else:
                return bytes(output)
            for place in run:
                window[end] = window[place % 4096]
                output.append(window[end])
                end = (end + 1) % 4096
    return bytes(output)
