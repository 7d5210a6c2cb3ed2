"""Opens zip archives, the container of most office formats, and rejects zip bombs before unpacking.

An archive's directory is counted before ``zipfile`` reads it: a million entries of 51 bytes take it half a minute and
half a gigabyte.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from activities.errors import DamagedDocument, DocumentTooLarge, EncryptedDocument, told
from activities.phrases import Phrase
from activities.settings import ParseSettings

_FREE_BYTES = 64 * 1024 * 1024  # archives that unpack to no more than this are never bombs

BROKEN = (zipfile.BadZipFile, zlib.error, KeyError, OSError, EOFError, NotImplementedError, RuntimeError)
"""Exceptions of reading a damaged archive; the last two mean that zipfile cannot unpack a member."""


_END = struct.Struct("<4s4H2LH")  # end of central directory: …, entries, size and offset of the directory, comment
_END_64_AT = struct.Struct("<4sLQL")  # locator: …, offset of the zip64 end record
_END_64 = struct.Struct("<4sQ2H2L4Q")  # zip64 end of central directory: …, entries, size and offset of the directory
_ENTRY = struct.Struct("<4s24x3H12x")  # …, lengths of name, extra field and comment
_LONGEST_COMMENT = 0xFFFF
_READ_BYTES = 1 << 20


def check_directory(path: Path, limit: int) -> None:
    """Raises DocumentTooLarge for more than ``limit`` entries, declared or there. Damage is left to ``zipfile``."""
    with path.open("rb") as file:
        declared, size, begin = _directory(file, path.stat().st_size)
        if declared > limit or _entries(file, begin, size, limit) > limit:
            raise DocumentTooLarge(detail=Phrase.TOO_MANY_FILES, limit=limit)


def _directory(file: BinaryIO, length: int) -> tuple[int, int, int]:
    """Number of entries, size and offset of the central directory; all 0 if there is none."""
    start = max(0, length - _END.size - _LONGEST_COMMENT)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(tail):
        return 0, 0, 0
    _, _, _, _, entries, size, _, _ = _END.unpack_from(tail, at)
    end = start + at  # where the directory ends; its offset is wrong if something precedes the archive
    if at >= _END_64_AT.size and tail.startswith(b"PK\6\7", at - _END_64_AT.size):
        end -= _END_64_AT.size + _END_64.size
        file.seek(max(0, end))
        record = file.read(_END_64.size)
        if end >= 0 and record.startswith(b"PK\6\6"):
            entries, size = _END_64.unpack(record)[7:9]
    return entries, min(size, end), max(0, end - size)


def _entries(file: BinaryIO, begin: int, size: int, limit: int) -> int:
    """Counts the entries of a directory up to one more than ``limit``; holds one block of it in memory."""
    count, end, at = 0, begin + size, begin
    block, block_at = b"", begin
    while at + _ENTRY.size <= end and count <= limit:
        if at + _ENTRY.size > block_at + len(block):
            file.seek(at)
            block, block_at = file.read(_READ_BYTES), at
        if at + _ENTRY.size > block_at + len(block):
            break
        signature, name, extra, comment = _ENTRY.unpack_from(block, at - block_at)
        if signature != b"PK\1\2":
            break
        count, at = count + 1, at + _ENTRY.size + name + extra + comment
    return count


@contextmanager
def opened(path: Path, limits: ParseSettings, format: str) -> Iterator[zipfile.ZipFile]:
    """Opens the archive at ``path``, a document of ``format``.

    Raises DocumentTooLarge when it holds too many parts or would unpack to more than ``limits.max_expansion`` times
    its size, EncryptedDocument when members have a password, and DamagedDocument, also for ``BROKEN`` raised in the
    block.
    """
    check_directory(path, limits.max_archive_files)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            unpacked, packed = sum(member.file_size for member in members), path.stat().st_size
            if unpacked > max(_FREE_BYTES, limits.max_expansion * packed):
                raise DocumentTooLarge(detail=Phrase.EXPANDS, unpacked=unpacked >> 20, packed=packed >> 10)
            if any(member.flag_bits & 1 for member in members):
                raise EncryptedDocument()
            yield archive
    except BROKEN as exc:
        raise DamagedDocument(format=format, detail=told(exc)) from exc
