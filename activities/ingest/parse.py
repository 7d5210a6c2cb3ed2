"""The parse activity: uploaded bytes → ``ParsedDocument``, read in a child process that a hostile file may crash."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import msgspec
from temporalio import activity

from activities.contracts.documents import Element, ParsedDocument
from activities.contracts.ingest import Chunked, ChunkInput, Parsed, ParseInput, VersionRun
from activities.errors import FileLost, NoText
from activities.readers.formats import detect, hint
from activities.runtime.heartbeat import heartbeating, report
from activities.sandbox.protocol import Limits, Progress
from activities.sandbox.runner import run_isolated
from activities.settings import ParseSettings
from activities.stores.blob_keys import digest, original_key, parsed_key
from activities.stores.blobs import Blobs

PARSER_VERSION = 2
"""To be raised when a change makes the same bytes give other elements."""

PARSER_FINGERPRINT = digest(
    str(PARSER_VERSION),
    *(
        version(package)
        for package in (
            "unstructured",
            "pypdfium2",
            "markdown-it-py",
            "python-docx",
            "python-pptx",
            "openpyxl",
            "pypandoc-binary",
            "lxml",
            "rapidocr-onnxruntime",
            "onnxruntime",
            "pillow",
            "pi-heif",
        )
    ),
)
"""Digest of the parser's version and its libraries' versions; when it changes, documents are parsed again."""


HARMLESS_BYTES = 1 << 16
"""Longer files always get a process of their own, which costs little compared with parsing them."""

_NOT_HARMLESS = re.compile(rb"[<\0]|%PDF-|\{\\rtf|content-", re.IGNORECASE)


def is_harmless(content: bytes) -> bool:
    """Whether ``content`` is plain text that only Python code reads: no markup, no container, no multipart mail.

    A hostile file can take over a process through a bug in a library that is not memory-safe (lxml, pdfium, image
    decoders). Files that reach none of these may share a process with other documents.
    """
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return _NOT_HARMLESS.search(content) is None


def parser_fingerprint(name: str, ocr: str = "auto") -> str:
    """Blob key of the parsed document; of the name, only the part that selects the text format counts."""
    kinds = [hint(name), "" if ocr == "auto" else f"ocr-{ocr}"]
    return "-".join([PARSER_FINGERPRINT, *(kind for kind in kinds if kind)])


def parse_file(path: Path, name: str, limits: ParseSettings, progress: Progress) -> ParsedDocument:
    """Reads the file at ``path``, whose document name is ``name``; runs in a child process.

    Raises a DocumentError: EmptyDocument, UnsupportedFormat, EncryptedDocument, DamagedDocument, NoText or
    DocumentTooLarge.
    """
    kind = detect(path, name)
    elements, pages = import_module(kind.reader).read(path, name, limits, progress)
    if not any(character.isalnum() for element in elements for character in element.text):
        raise NoText()
    return ParsedDocument(elements=list(map(_without_nul, elements)), media_type=kind.media_type, pages=pages)


def _without_nul(element: Element) -> Element:
    """The element without U+0000, which JSON and other formats can hold, and PostgreSQL cannot store."""
    return msgspec.structs.replace(element, text=element.text.replace("\0", "")) if "\0" in element.text else element


class ParseActivities:
    """The ``parse`` activity."""

    def __init__(
        self,
        blobs: Blobs,
        settings: ParseSettings,
        chunk: Callable[[ChunkInput], Awaitable[Chunked]],
        begin: Callable[[VersionRun], Awaitable[None]],
    ) -> None:
        """``chunk`` is the next activity, called directly for inputs with ``ParseInput.chunking``.

        ``begin`` records that a run begins, for inputs with ``ParseInput.begins``.
        """
        self._begin = begin
        self._blobs = blobs
        self._settings = settings
        self._chunk = chunk

    @activity.defn(name="parse")
    @heartbeating
    async def parse(self, input: ParseInput) -> Parsed:
        """Parses a document; existing output is reused, also that of another document with the same bytes."""
        if input.begins is not None:
            await self._begin(input.begins)
        key = parsed_key(input.sha256, parser_fingerprint(input.document_name, self._settings.ocr))
        try:
            document = None if input.force else await self._blobs.load(key, ParsedDocument)
        except KeyError:
            document = None
        if document is None:
            document = await self._parse(input)
            await self._blobs.save(key, document)
        chunked = None
        if input.chunking is not None:
            chunked = await self._chunk(ChunkInput(parsed_key=key, chunking=input.chunking, force=input.force))
        return Parsed(
            parsed_key=key,
            elements=len(document.elements),
            characters=sum(len(element.text) for element in document.elements),
            media_type=document.media_type,
            pages=document.pages,
            chunked=chunked,
        )

    async def _parse(self, input: ParseInput) -> ParsedDocument:
        limits = Limits(seconds=self._settings.max_seconds, memory_mb=self._settings.max_memory_mb)
        with tempfile.TemporaryDirectory(prefix="holdfast-parse-") as folder:
            path = Path(folder) / "original"
            try:
                await self._blobs.download(original_key(input.sha256), path)
            except KeyError as exc:
                raise FileLost(name=input.document_name) from exc  # or deleted before its run started
            return await run_isolated(
                parse_file,
                path,
                input.document_name,
                self._settings,
                limits=limits,
                on_progress=report,
                harmless=input.bytes <= HARMLESS_BYTES and is_harmless(await asyncio.to_thread(path.read_bytes)),
            )
