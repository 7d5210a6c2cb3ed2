"""Taking uploads in: hashed and stored as they are, noted in the catalogue, handed to a workflow."""

from __future__ import annotations

import asyncio
import hashlib
import time
import unicodedata
from collections.abc import Sequence

import structlog
from litestar.datastructures import UploadFile

from activities.errors import ContentBeingRemoved, InvalidName, TemporalUnavailable
from activities.stores.blobs import Blobs, original_key
from activities.stores.catalog import Catalog
from activities.stores.catalog.records import Accepted, Document, KnowledgeBase
from workflows.connect import Jobs
from workflows.contracts import IngestJob

#: Longest name of a document, in characters.
MAX_NAME = 255

#: How long an upload waits for a removal of the same content, in seconds.
REMOVAL_SECONDS = 5.0

log = structlog.get_logger()


def clean_name(name: str) -> str:
    """A document's name out of whatever the client sent: relative, readable, never used as a path.

    Folders in it are kept (``reports/2024.pdf``), steps out of it are not. Raises InvalidName.
    """
    shown = name[:60]
    name = unicodedata.normalize("NFC", name).replace("\\", "/")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise InvalidName(name=shown, detail="it contains control characters / 包含控制字符")
    name = "/".join(part.strip() for part in name.split("/") if part.strip() not in ("", ".", ".."))
    if not name:
        raise InvalidName(name=shown, detail="it is empty / 名称为空")
    if len(name) > MAX_NAME:
        raise InvalidName(name=shown, detail=f"it is longer than {MAX_NAME} characters / 超过 {MAX_NAME} 个字符")
    return name


class Uploads:
    """Accepts files. What is accepted is durable before the client hears of it."""

    def __init__(self, blobs: Blobs, catalog: Catalog, jobs: Jobs) -> None:
        self._blobs, self._catalog, self._jobs = blobs, catalog, jobs

    async def accept(self, kb: str, files: Sequence[UploadFile], actor: str) -> list[Document]:
        """The documents, in order of the files. Raises NotFound, InvalidName, DependencyErrors.

        Names are checked before anything is stored, so that a request is refused as a whole.
        """
        knowledge_base = await self._catalog.knowledge_bases.get(kb)
        names = [clean_name(file.filename) for file in files]
        await self._jobs.ping()
        return [await self._accept(knowledge_base, name, file, actor) for name, file in zip(names, files, strict=True)]

    async def _accept(self, knowledge_base: KnowledgeBase, name: str, file: UploadFile, actor: str) -> Document:
        sha256, size = await asyncio.to_thread(_hash, file)
        await self._store(sha256, file)
        accepted = await self._claimed(knowledge_base.id, name, sha256, size, actor)
        document = accepted.document
        await self._store(sha256, file)  # it may have been removed with another document before it was claimed
        if accepted.created:
            job = IngestJob(
                knowledge_base_id=knowledge_base.id,
                knowledge_base=knowledge_base.name,
                document_id=document.id,
                document_name=document.name,
                version=document.version,
                sha256=sha256,
                bytes=size,
                chunking=knowledge_base.chunking,
                actor=actor,
            )
            try:
                await self._jobs.ingest(job)
            except TemporalUnavailable:
                await self._catalog.documents.withdraw(document.id, document.version)
                raise
            await log.ainfo(
                "document accepted", document=document.id, version=document.version, bytes=size, actor=actor
            )
        return document

    async def _store(self, sha256: str, file: UploadFile) -> None:
        key = original_key(sha256)
        if not await self._blobs.exists(key):
            file.file.seek(0)
            await self._blobs.put(key, file.file)

    async def _claimed(self, knowledge_base_id: str, name: str, sha256: str, size: int, actor: str) -> Accepted:
        """Accept; while the same content is being removed elsewhere, wait a little for the end of it."""
        deadline = time.monotonic() + REMOVAL_SECONDS
        while True:
            try:
                return await self._catalog.documents.accept(knowledge_base_id, name, sha256, size, actor)
            except ContentBeingRemoved:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)


def _hash(file: UploadFile) -> tuple[str, int]:
    """SHA-256 and length of a spooled upload, read in pieces."""
    file.file.seek(0)
    whole = hashlib.sha256()
    while piece := file.file.read(1 << 20):
        whole.update(piece)
    size = file.file.tell()
    file.file.seek(0)
    return whole.hexdigest(), size
