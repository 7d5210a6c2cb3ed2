"""Unpacking: an uploaded zip archive becomes the documents of its batch.

Members are streamed to disk and hashed there, one at a time; what an archive says of its own sizes is not
believed. Doing it again (a worker was killed) accepts nothing twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from temporalio import activity

from activities.contracts.batches import Unpacked, UnpackInput
from activities.contracts.names import clean_name
from activities.errors import (
    ContentBeingRemoved,
    DamagedDocument,
    DocumentTooLarge,
    EncryptedDocument,
    HoldfastError,
    InvalidName,
)
from activities.phrases import Phrase
from activities.runtime.heartbeat import heartbeating, report
from activities.settings import ParseSettings
from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Upload

#: Documents that are accepted in one transaction.
GROUP = 50

_PIECE = 1 << 20
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1
_LITTER = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")


class UnpackActivities:
    """Runs on the ``cpu`` queue."""

    def __init__(self, blobs: Blobs, catalog: Catalog, settings: ParseSettings) -> None:
        self._blobs, self._catalog, self._settings = blobs, catalog, settings

    @activity.defn(name="unpack")
    @heartbeating
    async def unpack(self, input: UnpackInput) -> Unpacked:
        """Store and accept every file of the archive. Raises DocumentErrors when the archive cannot be used."""
        with tempfile.TemporaryDirectory(prefix="holdfast-unpack-") as folder:
            path = Path(folder) / "archive"
            await self._blobs.download(original_key(input.sha256), path)
            try:
                with zipfile.ZipFile(path) as archive:
                    return await self._unpack(input, archive, path.stat().st_size, Path(folder) / "member")
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as exc:
                raise DamagedDocument(format="zip", detail=str(exc)) from exc

    async def _unpack(self, input: UnpackInput, archive: zipfile.ZipFile, size: int, target: Path) -> Unpacked:
        files, skipped = _files(archive, self._settings.max_archive_files)
        left = self._settings.max_expansion * size
        tags = (await self._catalog.batches.get(input.batch_id)).tags
        group: list[Upload] = []
        for done, (name, member) in enumerate(files.items(), 1):
            sha256, length = await asyncio.to_thread(_extract, archive, member, target, left)
            left -= length
            await self._store(sha256, target)
            group.append(
                Upload(
                    knowledge_base_id=input.knowledge_base_id,
                    name=name,
                    sha256=sha256,
                    bytes=length,
                    actor=input.actor,
                    batch_id=input.batch_id,
                    tags=tags,
                )
            )
            if len(group) == GROUP or done == len(files):
                await self._accept(group)
                for upload in group:  # it may have been removed with another document before it was accepted
                    if not await self._blobs.exists(original_key(upload.sha256)):
                        await asyncio.to_thread(_extract, archive, files[upload.name], target, upload.bytes)
                        await self._store(upload.sha256, target)
                group = []
            report(done, len(files))
        await self._catalog.batches.skip(input.batch_id, skipped)
        return Unpacked(documents=len(files), skipped=len(skipped))

    async def _store(self, sha256: str, path: Path) -> None:
        if not await self._blobs.exists(original_key(sha256)):
            with path.open("rb") as file:
                await self._blobs.put(original_key(sha256), file)

    async def _accept(self, group: list[Upload]) -> None:
        """All of them; content that is being removed with another document is waited for."""
        while group:
            answers = await self._catalog.intake.accept(group)
            group = [upload for upload, answer in zip(group, answers, strict=True) if
                     isinstance(answer, ContentBeingRemoved)]  # fmt: skip
            for answer in answers:
                if isinstance(answer, HoldfastError) and not isinstance(answer, ContentBeingRemoved):
                    raise answer
            await asyncio.sleep(0.2 if group else 0)


def _files(archive: zipfile.ZipFile, limit: int) -> tuple[dict[str, zipfile.ZipInfo], list[str]]:
    """The members that become documents, by name, and the names of those that do not."""
    files: dict[str, zipfile.ZipInfo] = {}
    skipped: list[str] = []
    for member in archive.infolist():
        if member.is_dir():
            continue
        if member.flag_bits & _ENCRYPTED:
            raise EncryptedDocument()
        name = _name(member)
        try:
            cleaned = clean_name(name)
        except InvalidName:
            cleaned = ""
        if not cleaned or cleaned in files or _is_litter(cleaned) or stat.S_ISLNK(member.external_attr >> 16):
            skipped.append(name[:200])
            continue
        files[cleaned] = member
        if len(files) > limit:
            raise DocumentTooLarge(detail=Phrase.TOO_MANY_FILES, limit=limit)
    return files, skipped


def _name(member: zipfile.ZipInfo) -> str:
    """Old tools write names in the system's code page without saying so; in Chinese that is GBK."""
    if member.flag_bits & _UTF8_NAME:
        return member.filename
    raw = member.filename.encode("cp437", "replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return member.filename


def _is_litter(name: str) -> bool:
    return name.startswith(_LITTER) or any(part.startswith(".") for part in name.split("/")) or name.endswith(_LITTER)


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, limit: int) -> tuple[str, int]:
    """Write a member to ``target``; its SHA-256 and length. Raises DocumentTooLarge beyond ``limit`` bytes."""
    whole, length = hashlib.sha256(), 0
    with archive.open(member) as source, target.open("wb") as file:
        for piece in _pieces(source):
            length += len(piece)
            if length > limit:
                raise DocumentTooLarge(detail=Phrase.EXPANDS_FAR)
            whole.update(piece)
            file.write(piece)
    return whole.hexdigest(), length


def _pieces(source: IO[bytes]) -> Iterator[bytes]:
    while piece := source.read(_PIECE):
        yield piece
