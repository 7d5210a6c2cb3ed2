"""What Outlook's files have in common: code pages, times, and compressed RTF."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

from activities.readers.encoding import declared, decode

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_RTF_DICTIONARY = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)


def moment(ticks: int) -> str:
    """A time in units of 100 ns since 1601. Raises OverflowError."""
    return (_EPOCH + timedelta(microseconds=ticks // 10)).isoformat(" ", "minutes")


def decoded(data: bytes, codepage: int) -> str:
    """Text in a code page of Windows, or in a detected encoding where it cannot be that."""
    if not data:
        return ""
    text = declared(data, {936: "gb18030", 65001: "utf-8", 20127: "ascii"}.get(codepage, f"cp{codepage}"))
    return (decode(data) or data.decode("utf-8", "replace")) if text is None else text


def decompressed(data: bytes) -> bytes:
    """Decompresses Outlook's RTF ([MS-OXRTFCP]): literal bytes and references into the last 4096 bytes.

    Raises struct.error for less than a header.
    """
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
