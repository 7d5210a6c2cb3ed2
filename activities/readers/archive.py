"""Opens zip archives, the container of most office formats, and rejects zip bombs before unpacking."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from activities.errors import DamagedDocument, DocumentTooLarge, EncryptedDocument
from activities.phrases import Phrase
from activities.settings import ParseSettings

_FREE_BYTES = 64 * 1024 * 1024  # archives that unpack to no more than this are never bombs

BROKEN = (zipfile.BadZipFile, zlib.error, KeyError, OSError, EOFError, NotImplementedError, RuntimeError)
"""Exceptions of reading a damaged archive; the last two mean that zipfile cannot unpack a member."""


@contextmanager
def opened(path: Path, limits: ParseSettings, format: str) -> Iterator[zipfile.ZipFile]:
    """Opens the archive at ``path``, a document of ``format``.

    Raises DocumentTooLarge when it would unpack to more than ``limits.max_expansion`` times its size,
    EncryptedDocument when members have a password, and DamagedDocument, also for ``BROKEN`` raised in the block.
    """
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
        raise DamagedDocument(format=format, detail=str(exc)) from exc
