"""What a backup says about itself: the last file that is written, so that a backup without it is unfinished."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from activities.stores.catalog.revision import REVISIONS
from api.client.problems import Problem

#: Names of the two files that tell about the others.
MANIFEST, PARTS = "manifest.json", "parts.jsonl"

KIND, FORMAT = "holdfast-backup", 1

CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Database = Literal["sqlite", "postgresql"]


class Part(msgspec.Struct, frozen=True):
    """One file of a backup; ``sha256`` in hexadecimal."""

    name: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The file ``manifest.json``. ``parts`` is the SHA-256 of ``parts.jsonl``, which has one line for each part.

    ``schema`` is the revision of the catalogue's tables. ``files`` is empty if the files are in the backup, else the
    address where they stand. ``keys`` are the secrets that are in it, ``keys_left_out`` those that it needs besides.
    """

    kind: str = KIND
    format: int = FORMAT
    created_at: datetime
    versions: dict[str, str]
    schema: str
    database: Database
    counts: dict[str, int]
    temporal: bool
    files: str
    keys: list[str]
    keys_left_out: list[str]
    size: int
    parts: str


def listing_of(parts: list[Part]) -> bytes:
    """The content of ``parts.jsonl``."""
    return msgspec.json.Encoder().encode_lines(parts)


def manifest_of(content: bytes | None, path: object) -> Manifest:
    """The manifest with this content. Raises Problem if it is none of this code's."""
    if content is None:
        raise Problem("backup.none", path=path)
    try:
        kind = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        if msgspec.json.decode(kind["kind"]) != KIND:
            raise Problem("backup.none", path=path)
        format = msgspec.json.decode(kind["format"], type=int)
        if format > FORMAT:
            raise Problem("backup.newer", path=path, found=f"format {format}", known=f"format {FORMAT}")
        found = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, KeyError, RecursionError) as exc:
        raise Problem("backup.damaged", path=path, part=MANIFEST) from exc
    if found.schema not in REVISIONS:
        raise Problem("backup.newer", path=path, found=found.schema, known=REVISIONS[-1])
    return found


def check(manifest: Manifest, listing: bytes, found: Mapping[str, Part], path: object) -> list[Part]:
    """The parts of a backup, if ``found`` are exactly those. Raises Problem, naming one that is not."""
    if hashlib.sha256(listing).hexdigest() != manifest.parts:
        raise Problem("backup.damaged", path=path, part=PARTS)
    try:
        parts = msgspec.json.Decoder(Part).decode_lines(listing)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise Problem("backup.damaged", path=path, part=PARTS) from exc
    for part in parts:
        if part.name not in found:
            raise Problem("backup.incomplete", path=path, part=part.name)
        if found[part.name] != part or not is_plain(part.name):
            raise Problem("backup.damaged", path=path, part=part.name)
    for name in sorted(found.keys() - {part.name for part in parts}):
        raise Problem("backup.foreign-part", path=path, part=shown(name))
    return parts


def shown(name: str) -> str:
    """A name with what is no text in it as escapes."""
    return name.encode(errors="backslashreplace").decode()


def is_plain(name: str) -> bool:
    """Whether a part's name leads to no other place than one in the backup, and is one that stores list."""
    return not any(piece in ("", ".", "..") for piece in name.split("/")) and not CONTROL.search(name)
