r"""Rich text (.rtf), by way of pandoc, which knows neither code pages nor tables as old programs write them.

RTF is ASCII: other letters are bytes of the code page of their font (``\'c4\'ea``) or ``\u24180``. Here all of
them become the latter; every row of a table is told to be one; and embedded pictures are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from activities.contracts import Element
from activities.errors import DamagedDocument
from activities.readers.pandoc import markup
from activities.readers.partition import Progress
from activities.settings import ParseSettings

_TOKEN = re.compile(
    rb"\\'([0-9a-fA-F]{2})|\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\[^a-zA-Z]|([{}])|[\r\n]+|([^\\{}\r\n]+)", re.S
)
_CHARSETS = {
    0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250",
}  # fmt: skip
_CODEPAGES = {936: "gb18030", 950: "big5", 65001: "utf-8", 10000: "mac_roman"}
_DROPPED = (b"pict", b"objdata", b"themedata", b"colorschememapping", b"datastore", b"bin")
_MAX_DEPTH = 1000  # pandoc recurses


class _State(msgspec.Struct):
    """What a group inherits and ends with."""

    encoding: str
    fallbacks: int = 1  # bytes that stand behind a \u for readers without Unicode
    dropped: bool = False


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> tuple[list[Element], None]:
    """The elements of an RTF file."""
    elements = elements_of(path.read_bytes(), limits)
    progress(1, 1)
    return elements, None


def elements_of(data: bytes, limits: ParseSettings) -> list[Element]:
    """The elements of an RTF text."""
    return markup(b"".join(_plain(data)), "rtf", limits)


def _plain(data: bytes) -> Iterator[bytes]:
    r"""The same document with all its text in ``\u`` escapes, each with one fallback: a ``?``."""
    fonts: dict[int, str] = {}
    font = -1  # the one that the font table is describing
    states = [_State("cp1252")]
    default = "cp1252"
    skip, row_ended = 0, False
    pending = bytearray()
    for match in _TOKEN.finditer(data.removeprefix(b"\xef\xbb\xbf").rstrip(b"\x00")):
        escaped, word, number, brace, text = match.groups()
        state = states[-1]
        if escaped or text:
            raw = bytes.fromhex(escaped.decode()) if escaped else text
            raw, skip = raw[skip:], max(0, skip - len(raw))
            pending += raw
            continue
        if match[0].isspace():
            continue
        if pending:
            if not state.dropped:
                yield _escaped(bytes(pending), state.encoding)
            pending.clear()
        skip = 0
        if brace == b"{":
            if len(states) > _MAX_DEPTH:
                raise DamagedDocument(format="rtf", detail="its groups are nested too deeply")
            states.append(msgspec.structs.replace(state))
        elif brace == b"}":
            if len(states) > 1:
                states.pop()
        elif word:
            value = int(number or 0)
            skip = state.fallbacks if word == b"u" else 0
            default, font = _control(word, value, state, fonts, default, font)
        if not state.dropped or brace:
            if row_ended and word in (b"intbl", b"cell"):
                yield b"\\trowd "
            row_ended = word == b"row" or (row_ended and word not in (b"trowd", b"intbl", b"cell"))
            yield b"\\u%d ?" % value if word == b"u" else b"" if word == b"uc" else match[0]
    yield b"}" * (len(states) - 1)


def _control(word: bytes, value: int, state: _State, fonts: dict[int, str], default: str, font: int) -> tuple[str, int]:
    """What a control word changes; the default encoding and the font that is described, which it may change."""
    match word:
        case b"ansicpg":
            default = _known(_CODEPAGES.get(value, f"cp{value}"))
            state.encoding = default
        case b"f":
            state.encoding, font = fonts.get(value, default), value
        case b"plain":
            state.encoding = default
        case b"fcharset":
            fonts[font] = _CHARSETS.get(value, default) if value else default
            state.encoding = fonts[font]
        case b"uc":
            state.fallbacks = value
        case _ if word in _DROPPED:
            state.dropped = True
    return default, font


def _known(encoding: str) -> str:
    try:
        "".encode(encoding)
    except LookupError:
        return "cp1252"
    return encoding


def _escaped(raw: bytes, encoding: str) -> bytes:
    if raw.isascii():
        return raw
    found = []
    for character in raw.decode(encoding, "replace"):
        if character < "\x80":
            found.append(character)
        else:
            units = character.encode("utf-16-le")
            codes = (int.from_bytes(units[at : at + 2], "little", signed=True) for at in range(0, len(units), 2))
            found += [f"\\u{code} ?" for code in codes]
    return "".join(found).encode("ascii")
