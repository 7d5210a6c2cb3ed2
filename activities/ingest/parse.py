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

from activities.contracts.documents import Element, ParsedDocument, Remark
from activities.contracts.ingest import Chunked, ChunkInput, Parsed, ParseInput, VersionRun
from activities.errors import FileLost, NoText
from activities.readers.formats import detect, has_pages, hint
from activities.readers.reading import Reading
from activities.runtime.heartbeat import heartbeating, report
from activities.runtime.lanes import Lane
from activities.sandbox import scratch
from activities.sandbox.protocol import Limits, Progress
from activities.sandbox.runner import run_isolated
from activities.settings import ParseSettings
from activities.stores.blob_keys import digest, original_key, parsed_key
from activities.stores.blobs import Blobs

PARSER_VERSION = 7
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


PAGE_SECONDS = 20.0
"""Time that each page of a PDF, or picture, adds: it may be a scan, of which a busy core reads one in a few seconds."""

HARMLESS_BYTES = 1 << 16
"""Longer files always get a process of their own, which costs little compared with parsing them."""

_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
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


def parser_fingerprint(name: str, ocr: str = "auto", hidden: str = "skip") -> str:
    """Blob key of the parsed document; of the name, only the part that selects the text format counts."""
    kinds = [hint(name), "" if ocr == "auto" else f"ocr-{ocr}", "" if hidden == "skip" else f"hidden-{hidden}"]
    return "-".join([PARSER_FINGERPRINT, *(kind for kind in kinds if kind)])


def parse_file(path: Path, name: str, limits: ParseSettings, progress: Progress) -> ParsedDocument:
    """Reads the file at ``path``, whose document name is ``name``; runs in a child process.

    Raises a DocumentError: EmptyDocument, UnsupportedFormat, EncryptedDocument, DamagedDocument, NoText or
    DocumentTooLarge.
    """
    kind = detect(path, name, limits)
    reading: Reading = import_module(kind.reader).read(path, name, limits, progress)
    if not any(character.isalnum() for element in reading.elements for character in element.text):
        raise NoText()
    return ParsedDocument(
        elements=list(map(_storable, reading.elements)),
        media_type=kind.media_type,
        pages=reading.pages,
        remarks=[Remark(kind=kind.code, count=count) for kind, count in reading.remarks.items() if count],
    )


def _storable(element: Element) -> Element:
    """The element without U+0000 and with U+FFFD for lone surrogates: JSON and other formats can hold what cannot
    be stored in PostgreSQL, or as UTF-8.
    """
    if _NOT_STORABLE.search(element.text) is None:
        return element
    return msgspec.structs.replace(element, text=_NOT_STORABLE.sub("\ufffd", element.text.replace("\0", "")))


class Outline(msgspec.Struct, frozen=True):
    """What is known of a parsed document beside its elements."""

    elements: int
    characters: int
    media_type: str
    pages: int | None
    remarks: list[Remark]

    @classmethod
    def of(cls, document: ParsedDocument) -> Outline:
        """The outline of a document."""
        characters = sum(len(element.text) for element in document.elements)
        return cls(len(document.elements), characters, document.media_type, document.pages, document.remarks)


def parse_to_file(path: Path, name: str, limits: ParseSettings, target: Path, progress: Progress) -> Outline:
    """``parse_file`` with its result in the file ``target``, so that a worker never holds a whole document."""
    tempfile.tempdir = str(path.parent)  # readers' files go with the document's folder if this process is killed
    document = parse_file(path, name, limits, progress)
    target.write_bytes(msgspec.msgpack.encode(document))
    return Outline.of(document)


class ParseActivities:
    """The ``parse`` activity."""

    def __init__(
        self,
        blobs: Blobs,
        settings: ParseSettings,
        chunk: Callable[[ChunkInput], Awaitable[Chunked]],
        begin: Callable[[VersionRun], Awaitable[None]],
        lane: Lane,
    ) -> None:
        """``chunk`` is the next activity, called directly for inputs with ``ParseInput.chunking``.

        ``begin`` records that a run begins, for inputs with ``ParseInput.begins``.
        """
        self._begin = begin
        self._blobs = blobs
        self._settings = settings
        self._chunk = chunk
        self._lane = lane

    @activity.defn(name="parse")
    @heartbeating
    async def parse(self, input: ParseInput) -> Parsed:
        """Parses a document; existing output is reused, also that of another document with the same bytes."""
        if input.begins is not None:
            await self._begin(input.begins)
        key = parsed_key(
            input.sha256, parser_fingerprint(input.document_name, self._settings.ocr, self._settings.hidden)
        )
        try:
            outline = None if input.force else Outline.of(await self._blobs.load(key, ParsedDocument))
        except KeyError:
            outline = None
        if outline is None:
            outline = await self._lane.run(key, lambda: self._parse(input, key))
        chunked = None
        if input.chunking is not None:
            chunked = await self._chunk(
                ChunkInput(
                    parsed_key=key,
                    chunking=input.chunking,
                    force=input.force,
                    document_name=input.document_name,
                    embedding=input.embedding,
                )
            )
        return Parsed(
            parsed_key=key,
            elements=outline.elements,
            characters=outline.characters,
            media_type=outline.media_type,
            pages=outline.pages,
            chunked=chunked,
            remarks=outline.remarks,
        )

    async def _parse(self, input: ParseInput, key: str) -> Outline:
        with scratch.folder("parse") as folder:
            path, target = Path(folder) / "original", Path(folder) / "parsed"
            try:
                await self._blobs.download(original_key(input.sha256), path)
            except KeyError as exc:
                raise FileLost(name=input.document_name) from exc  # or deleted before its run started
            outline = await run_isolated(
                parse_to_file,
                path,
                input.document_name,
                self._settings,
                target,
                limits=Limits(
                    seconds=self._settings.seconds(input.bytes),
                    memory_mb=self._settings.max_memory_mb,
                    step_seconds=PAGE_SECONDS if has_pages(path) else 0.0,
                    max_seconds=self._settings.max_seconds,
                ),
                on_progress=report,
                harmless=input.bytes <= HARMLESS_BYTES and is_harmless(await asyncio.to_thread(path.read_bytes)),
            )
            with target.open("rb") as file:
                await self._blobs.put(key, file)
            return outline
