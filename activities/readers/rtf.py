r"""Rich text (.rtf), read by pandoc after a rewrite: pandoc supports neither code pages nor tables of old programs.

RTF is ASCII: other letters are bytes in the code page of their font (``\'c4\'ea``) or escapes such as ``\u24180``.
The rewrite turns all of them into escapes, marks the beginning of every table row, and drops embedded pictures.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from activities.contracts.documents import Element
from activities.errors import DamagedDocument
from activities.phrases import Phrase, RemarkText
from activities.readers.markup.tables import MERGED_ABOVE, MERGED_LEFT
from activities.readers.pandoc import markup
from activities.readers.partition import Progress
from activities.readers.reading import Reading
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
_TABLE_END = b"\\u8288 ?\\par "  # an invisible paragraph, without which pandoc puts the table into the next footnote
_MERGES = {
    word: b"".join(b"\\u%d ?" % ord(character) for character in sign)
    for word, sign in ((b"clmrg", MERGED_LEFT), (b"clvmrg", MERGED_ABOVE))
}
_DESTINATIONS = (b"footnote", b"field", b"fldinst", b"fldrslt", b"listtext", b"pntext", b"shp", b"shptxt", b"pict")
_MAX_DEPTH = 1000  # of groups; pandoc is recursive


class _Group(msgspec.Struct):
    """The state of a group; a nested group inherits it."""

    encoding: str
    fallbacks: int = 1  # bytes after a \u escape for programs without Unicode
    dropped: bool = False
    starred: bool = False  # marked \*: programs that do not support the group ignore it
    kept: bool = True  # its braces are part of the output
    fresh: bool = False  # none of its content has been read
    hidden: bool = False


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of an RTF file."""
    reading = reading_of(path.read_bytes(), limits)
    progress(1, 1)
    return reading


def elements_of(data: bytes, limits: ParseSettings) -> list[Element]:
    """The elements of an RTF text."""
    return reading_of(data, limits).elements


def reading_of(data: bytes, limits: ParseSettings) -> Reading:
    """What an RTF text says."""
    writer = _Writer(hidden=limits.hidden == "read")
    reading = markup(b"".join(_plain(data, writer)), "rtf", limits)
    remarks = Counter(reading.remarks)
    remarks[RemarkText.HIDDEN_TEXT] += writer.hidden_passages
    return Reading(reading.elements, remarks=+remarks)


def _plain(data: bytes, writer: _Writer) -> Iterator[bytes]:
    r"""The document with all non-ASCII text as ``\u`` escapes, each with the fallback ``?``."""
    for match in _TOKEN.finditer(data.removeprefix(b"\xef\xbb\xbf").rstrip(b"\x00")):
        escaped, word, number, brace, text = match.groups()
        if escaped or text:
            writer.text(bytes.fromhex(escaped.decode()) if escaped else text)
        elif not match[0].isspace():
            yield writer.flushed()
            yield writer.word(match[0], word, int(number or 0)) if word else writer.sign(match[0], brace)
    yield writer.flushed() + writer.closed()


class _Writer:
    """Rewrites a document token by token; holds the state between tokens."""

    def __init__(self, *, hidden: bool) -> None:
        self.hidden_passages = 0
        self._reads_hidden = hidden
        self._groups = [_Group("cp1252")]
        self._default = "cp1252"
        self._fonts: dict[int, str] = {}
        self._font = -1  # the font that the font table describes
        self._skip = 0  # bytes of a fallback still to be skipped
        self._pending = bytearray()  # a letter may consist of several bytes, each escaped separately
        self._row_ended = self._in_table = False
        self._merged: list[bytes] = []  # for each cell of the row, the sign of its merge
        self._merge = b""  # that of the cell being described
        self._cell = 0
        self._star = b""  # a pending \*, written with the control word that follows

    def text(self, raw: bytes) -> None:
        """Adds bytes of text."""
        self._pending += raw[self._skip :]
        self._skip = max(0, self._skip - len(raw))

    def flushed(self) -> bytes:
        """The output for the pending text, which is cleared."""
        group, raw = self._groups[-1], bytes(self._pending)
        self._pending.clear()
        self._skip = 0
        if group.dropped:
            return b""
        self.hidden_passages += group.hidden and not group.starred and not self._reads_hidden and bool(raw.strip())
        after_table = self._row_ended and not group.starred and raw.strip()
        self._row_ended = self._row_ended and not after_table
        return (_TABLE_END if after_table else b"") + _escaped(raw, group.encoding)

    def sign(self, token: bytes, brace: bytes | None) -> bytes:
        """The output for a brace or a control symbol."""
        group, self._star = self._groups[-1], b""
        if brace == b"{":
            if len(self._groups) > _MAX_DEPTH:
                raise DamagedDocument(format="rtf", detail=Phrase.NESTED_GROUPS)
            self._groups.append(msgspec.structs.replace(group, kept=not self._in_table, fresh=True))
            return b"{" if self._groups[-1].kept else b""
        if brace == b"}":
            return b"}" if len(self._groups) > 1 and self._groups.pop().kept else b""
        if token != b"\\*":
            return b"" if group.dropped else token
        self._star, group.starred = token, True
        return self._opened(group)

    def word(self, token: bytes, word: bytes, value: int) -> bytes:
        """The output for a control word; pandoc recognises cells and rows only outside of groups."""
        group = self._groups[-1]
        opened = self._opened(group) if word in _DESTINATIONS else b""
        star, self._star, group.fresh = self._star, b"", False
        if word == b"footnote":  # pandoc recognises it only without the star
            star, group.starred = b"", False
        token = star + token
        self._update_state(token, word, value)
        if group.dropped or word == b"uc" or (word == b"v" and self._reads_hidden):
            return opened
        if word == b"u":
            self._skip = group.fallbacks
            return b"\\u%d ?" % value
        self._describe(word)
        if word == b"cell" and not group.starred:
            token = self._sign() + token
        token = opened + (token if token.endswith(b" ") else token + b" ")
        return token if group.starred else self._table(word) + token

    def _describe(self, word: bytes) -> None:
        """Follows the description of a row's cells."""
        if word in (b"trowd", b"row"):
            self._cell, self._merge = 0, b""
            self._merged = [] if word == b"trowd" else self._merged
        elif word in _MERGES:
            self._merge = _MERGES[word]
        elif word == b"cellx":
            self._merged.append(self._merge)
            self._merge = b""

    def _sign(self) -> bytes:
        """The text of the next cell when it is part of the one before it or above it."""
        self._cell += 1
        return self._merged[self._cell - 1] if self._cell <= len(self._merged) else b""

    def _opened(self, group: _Group) -> bytes:
        """The brace of a group inside a table, written only when the group is more than formatting."""
        if group.kept or not group.fresh:
            return b""
        group.kept, group.fresh = True, False
        return b"{"

    def _table(self, word: bytes) -> bytes:
        """The output before a control word of a table: the end of all groups and the beginning of the row."""
        if word not in (b"trowd", b"intbl", b"cell", b"row"):
            return b""
        begins = self._row_ended and word in (b"intbl", b"cell")
        self._row_ended = word == b"row"
        self._in_table = word != b"row"
        if word not in (b"trowd", b"intbl"):
            return b""
        closing = b""
        for group in self._groups[2:]:  # the first is the document's
            closing += b"}" if group.kept else b""
            group.kept = False
        return closing + (b"\\trowd " if begins else b"")

    def closed(self) -> bytes:
        """The closing braces that a truncated document lacks."""
        return b"}" * sum(group.kept for group in self._groups[1:])

    def _update_state(self, token: bytes, word: bytes, value: int) -> None:
        group = self._groups[-1]
        match word:
            case b"ansicpg":
                group.encoding = self._default = _supported(_CODEPAGES.get(value, f"cp{value}"))
            case b"f":
                group.encoding, self._font = self._fonts.get(value, self._default), value
            case b"plain":
                group.encoding, group.hidden = self._default, False
            case b"fcharset":
                group.encoding = _CHARSETS.get(value, self._default) if value else self._default
                self._fonts[self._font] = group.encoding
            case b"uc":
                group.fallbacks = value
            case b"v":
                group.hidden = not token.rstrip().endswith(b"0")
            case _ if word in _DROPPED:
                group.dropped = True


def _supported(encoding: str) -> str:
    try:
        "".encode(encoding)
    except LookupError:
        return "cp1252"
    return encoding


def _escaped(raw: bytes, encoding: str) -> bytes:
    if raw.isascii():
        return raw
    parts = []
    for character in raw.decode(encoding, "replace"):
        if character < "\x80":
            parts.append(character)
        else:
            units = character.encode("utf-16-le")
            codes = (int.from_bytes(units[at : at + 2], "little", signed=True) for at in range(0, len(units), 2))
            parts += [f"\\u{code} ?" for code in codes]
    return "".join(parts).encode("ascii")
