"""The unpack activity: turns an uploaded zip archive into the documents of its batch.

Members are streamed to disk and hashed there, one at a time; sizes declared by the archive are not trusted. A retry
(after a worker was killed) accepts no document twice.
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
    NotFound,
)
from activities.phrases import Phrase
from activities.runtime.heartbeat import heartbeating, report
from activities.settings import ParseSettings
from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Batch, Upload

#: Documents that are accepted in one transaction.
GROUP = 50

_READ_BYTES = 1 << 20
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1
#: Metadata files of desktop systems.
_METADATA_FILES = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")


class UnpackActivities:
    """Runs on the ``cpu`` queue."""

    def __init__(self, blobs: Blobs, catalog: Catalog, settings: ParseSettings) -> None:
        self._blobs, self._catalog, self._settings = blobs, catalog, settings

    @activity.defn(name="unpack")
    @heartbeating
    async def unpack(self, input: UnpackInput) -> Unpacked:
        """Stores and accepts every file of the archive. Raises a DocumentError when the archive is unusable.

        Continues after the files that earlier attempts have accepted: what became of those since is left alone.
        """
        batch = await self._catalog.batches.get(input.batch_id)
        if batch.unpacked:
            return Unpacked(documents=batch.unpacked_files, skipped=len(batch.skipped))
        with tempfile.TemporaryDirectory(prefix="holdfast-unpack-") as folder:
            path = Path(folder) / "archive"
            try:
                await self._blobs.download(original_key(input.sha256), path)
            except KeyError as exc:
                raise NotFound(kind="document", id=batch.name) from exc  # removed since the batch ended
            try:
                with zipfile.ZipFile(path) as archive:
                    return await self._unpack(input, batch, archive, path.stat().st_size, Path(folder) / "member")
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as exc:
                raise DamagedDocument(format="zip", detail=str(exc)) from exc

    async def _unpack(
        self, input: UnpackInput, batch: Batch, archive: zipfile.ZipFile, size: int, target: Path
    ) -> Unpacked:
        files, skipped = _files(archive, self._settings.max_archive_files)
        remaining = self._settings.max_expansion * size  # bytes that may still be unpacked
        group: list[Upload] = []
        for done, (name, member) in enumerate(files.items(), 1):
            if done <= batch.unpacked_files:
                continue
            sha256, length = await asyncio.to_thread(_extract, archive, member, target, remaining)
            remaining -= length
            await self._store(sha256, target)
            group.append(
                Upload(
                    knowledge_base_id=input.knowledge_base_id,
                    name=name,
                    sha256=sha256,
                    bytes=length,
                    actor=input.actor,
                    batch_id=input.batch_id,
                    tags=batch.tags,
                )
            )
            if len(group) == GROUP or done == len(files):
                await self._accept(group)
                await self._catalog.batches.record_unpacked(input.batch_id, done)
                for upload in group:  # its blob may have been removed with another document before it was accepted
                    if not await self._blobs.exists(original_key(upload.sha256)):
                        await asyncio.to_thread(_extract, archive, files[upload.name], target, upload.bytes)
                        await self._store(upload.sha256, target)
                group = []
            report(done, len(files))
        await self._catalog.batches.end_unpacking(input.batch_id, skipped)
        return Unpacked(documents=len(files), skipped=len(skipped))

    async def _store(self, sha256: str, path: Path) -> None:
        if not await self._blobs.exists(original_key(sha256)):
            with path.open("rb") as file:
                await self._blobs.put(original_key(sha256), file)

    async def _accept(self, group: list[Upload]) -> None:
        """Accepts all uploads; retries those whose content is currently being removed with another document."""
        while group:
            answers = await self._catalog.intake.accept(group)
            group = [upload for upload, answer in zip(group, answers, strict=True) if
                     isinstance(answer, ContentBeingRemoved)]  # fmt: skip
            for answer in answers:
                if isinstance(answer, HoldfastError) and not isinstance(answer, ContentBeingRemoved):
                    raise answer
            await asyncio.sleep(0.2 if group else 0)


def _files(archive: zipfile.ZipFile, limit: int) -> tuple[dict[str, zipfile.ZipInfo], list[str]]:
    """The members that become documents, by document name, and the names of skipped members."""
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
        if not cleaned or cleaned in files or _is_metadata(cleaned) or stat.S_ISLNK(member.external_attr >> 16):
            skipped.append(name[:200])
            continue
        files[cleaned] = member
        if len(files) > limit:
            raise DocumentTooLarge(detail=Phrase.TOO_MANY_FILES, limit=limit)
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
    with archive.open(member) as source, target.open("wb") as file:
        for data in _blocks(source):
            length += len(data)
            if length > limit:
                raise DocumentTooLarge(detail=Phrase.EXPANDS_FAR)
            hasher.update(data)
            file.write(data)
    return hasher.hexdigest(), length


def _blocks(source: IO[bytes]) -> Iterator[bytes]:
    while data := source.read(_READ_BYTES):
        yield data
