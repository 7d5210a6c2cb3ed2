"""Lists and extracts the members of an uploaded zip archive. Runs in child processes.

Members are hashed while they are written; sizes declared by the archive are not trusted.
"""

from __future__ import annotations

import hashlib
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from activities.contracts.names import clean_name
from activities.errors import (
    DamagedDocument,
    DocumentTooLarge,
    EncryptedDocument,
    InvalidName,
    Reason,
    told,
)
from activities.phrases import Phrase
from activities.readers.archive import check_directory
from activities.sandbox.protocol import Progress
from activities.settings import ParseSettings

_GROUP_BYTES = 64 << 20
"""A group of extracted members ends after this many bytes, which bounds the disk space that it takes."""

_GROUPS = 50
"""Most groups of an archive of small files: each group reads the archive's directory again."""

_READ_BYTES = 1 << 20
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)
#: Metadata files of desktop systems.
_METADATA_FILES = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")


class Listing(msgspec.Struct, frozen=True):
    """The number of members that become documents, and the names of those that are skipped."""

    files: int
    skipped: list[str]


class Member(msgspec.Struct, frozen=True):
    """An extracted member, in the file ``str(number)``; or the reason why it cannot be extracted."""

    number: int
    name: str
    sha256: str = ""
    bytes: int = 0
    reason: Reason | None = None


def list_members(path: Path, settings: ParseSettings, progress: Progress) -> Listing:
    """Lists an archive. Raises DocumentTooLarge when it holds too many files, DamagedDocument when it is broken."""
    check_directory(path, settings.max_archive_files)
    with _opened(path) as archive:
        files, skipped = _files(archive)
        return Listing(len(files), skipped)


def extract_members(
    path: Path, folder: Path, begin: int, end: int, allowed: int, at_least: int, progress: Progress
) -> list[Member]:
    """Extracts members from ``begin`` on into ``folder``: up to ``end``, or a group of ``at_least`` or more.

    Raises DocumentTooLarge when they have more than ``allowed`` bytes.
    """
    extracted: list[Member] = []
    total = 0
    with _opened(path) as archive:
        files = list(_files(archive)[0].items())
        size = max(at_least, len(files) // _GROUPS)
        for number, (name, member) in enumerate(files[begin:end], begin):
            try:
                if member.flag_bits & _ENCRYPTED:
                    raise EncryptedDocument()
                sha256, length = _extract(archive, member, folder / str(number), allowed - total)
                extracted.append(Member(number, name, sha256, length))
                total += length
            except (EncryptedDocument, DamagedDocument) as exc:
                extracted.append(Member(number, name, reason=exc.reason))
            if len(extracted) >= size or total > _GROUP_BYTES:
                break
    return extracted


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except _BROKEN as exc:
        raise DamagedDocument(format="zip", detail=told(exc)) from exc


def _files(archive: zipfile.ZipFile) -> tuple[dict[str, zipfile.ZipInfo], list[str]]:
    """The members that become documents, by document name, and the names of skipped members."""
    files: dict[str, zipfile.ZipInfo] = {}
    skipped: list[str] = []
    for member in archive.infolist():
        if member.is_dir():
            continue
        name = _name(member)
        try:
            cleaned = clean_name(name)
        except InvalidName:
            cleaned = ""
        if not cleaned or cleaned in files or _is_metadata(cleaned) or stat.S_ISLNK(member.external_attr >> 16):
            skipped.append(name[:200])
            continue
        files[cleaned] = member
    return files, skipped


def _name(member: zipfile.ZipInfo) -> str:
    """A member's name; without the UTF-8 flag it is decoded as UTF-8, then GB18030.

    Old tools write names in the system's code page without declaring it; on Chinese systems that is GBK.
    """
    if member.flag_bits & _UTF8_NAME:
        return member.filename
    raw = member.filename.encode("cp437", "replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return member.filename


def _is_metadata(name: str) -> bool:
    hidden = any(part.startswith(".") for part in name.split("/"))
    return name.startswith(_METADATA_FILES) or hidden or name.endswith(_METADATA_FILES)


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, limit: int) -> tuple[str, int]:
    """Writes a member to ``target``; returns its SHA-256 and length. Raises DocumentTooLarge beyond ``limit`` bytes."""
    hasher, length = hashlib.sha256(), 0
    try:
        with archive.open(member) as source, target.open("wb") as file:
            for data in _blocks(source):
                length += len(data)
                if length > limit:
                    raise DocumentTooLarge(detail=Phrase.EXPANDS_FAR)
                hasher.update(data)
                file.write(data)
    except _BROKEN as exc:
        raise DamagedDocument(format="zip", detail=told(exc)) from exc
    return hasher.hexdigest(), length


def _blocks(source: IO[bytes]) -> Iterator[bytes]:
    while data := source.read(_READ_BYTES):
        yield data
