"""The file of a whole log: JSON lines of a header, the events in order, the signed checkpoints, and an end.

A file of checkpoints, as it is kept outside of the catalogue, has a line for each one, with the leaves that it added.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from activities.audit_log.entries import Entry
from activities.audit_log.tiles import split

FORMAT = 1


class Header(msgspec.Struct, tag="log", tag_field="kind"):
    """The log: ``size`` events, of which those before ``first`` were dropped.

    ``subtrees`` are the hashes of the complete subtrees of what was dropped; ``anchor`` is its signed checkpoint.
    """

    origin: str
    size: int
    first: int = 0
    subtrees: list[str] = []
    anchor: str | None = None
    format: int = FORMAT


class Gap(msgspec.Struct, tag="gap", tag_field="kind"):
    """A leaf of the log's tree that no event of the catalogue belongs to."""

    index: int
    leaf: str


class Signed(msgspec.Struct, tag="checkpoint", tag_field="kind", omit_defaults=True):
    """A signed checkpoint; ``leaves`` are the hashes of the leaves from ``first`` up to its size, in base64."""

    note: str
    first: int = 0
    leaves: str | None = None

    def added(self) -> list[bytes]:
        """The leaves that it added."""
        return list(split(base64.b64decode(self.leaves))) if self.leaves else []


class End(msgspec.Struct, tag="end", tag_field="kind"):
    """The last line, without which a file is not whole."""

    events: int


Line = Header | Entry | Gap | Signed | End

_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_encoder = msgspec.json.Encoder()


class NotAnExport(ValueError):
    """The file is no export of an audit log, or no file of checkpoints."""


def encoded(lines: Iterable[Line]) -> bytes:
    """Lines of a file."""
    return _encoder.encode_lines(list(lines))


def signed(note: str, first: int, leaves: Iterable[bytes]) -> Signed:
    """A checkpoint with the leaves that it added."""
    return Signed(note, first, base64.b64encode(b"".join(leaves)).decode())


def lines_of(path: Path) -> Iterator[Line]:
    """The lines of a file. Raises NotAnExport."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield _decoder.decode(line)
            except (msgspec.DecodeError, ValueError) as exc:
                raise NotAnExport(f"line {number}") from exc


def checkpoints_in(path: Path) -> list[Signed]:
    """The checkpoints of a file of them: JSON lines, or notes one after the other. Raises NotAnExport."""
    text = path.read_text("utf-8", "replace")
    if text.lstrip().startswith("{"):
        return [line for line in lines_of(path) if isinstance(line, Signed)]
    found, note = [], ""
    for line in text.splitlines(keepends=True):
        starts = note and "\n— " in note and not line.startswith("— ")
        if starts:
            found.append(Signed(note))
            note = ""
        note += line if line.strip() or note else ""
    return [*found, Signed(note)] if note.strip() else found
