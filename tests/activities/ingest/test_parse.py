"""The parse step: files that need a process of their own, progress, and results that are stored once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from temporalio.testing import ActivityEnvironment

from activities.contracts.documents import Element, ParsedDocument
from activities.contracts.ingest import ParseInput
from activities.errors import DamagedDocument, NoText, UnsupportedFormat
from activities.ingest.parse import PARSER_FINGERPRINT, ParseActivities, is_harmless, parse_file, parser_fingerprint
from activities.runtime.lanes import Lane
from activities.sandbox import runner
from activities.settings import ParseSettings
from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from tests.activities.readers.conftest import CHINESE, parsed
from tests.documents import page, pdf

# --- all formats -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "harmless"),
    [
        ("Plain text.\n\n纯文本。".encode(), True),
        (b"# Notes\n\n* an item", True),
        (b"a,b\n1,2\n", True),
        (b"<p>markup</p>", False),
        (b"text, and much later <svg>", False),
        (b"rubbish before\n%PDF-1.7", False),
        (b"{\\rtf1 text}", False),
        (b"From: a@b.c\nSubject: x\nContent-Type: multipart/mixed; boundary=x\n\n--x", False),
        ("文本".encode("gb18030"), False),
        (b"PK\x03\x04\x00", False),
    ],
)
def test_only_text_without_markup_or_parts_is_harmless(content: bytes, harmless: bool) -> None:
    """Any content that a library that is not memory-safe would read has a process of its own."""
    assert is_harmless(content) is harmless


def test_progress_reaches_its_total(tmp_path: Path) -> None:
    """Progress grows up to the total it announces."""
    (tmp_path / "a").write_bytes(pdf([page(("Text on a page", "R", 12))] * 4))
    seen: list[tuple[int, int]] = []
    parse_file(tmp_path / "a", "a.pdf", ParseSettings(), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_text_that_turns_binary_later_is_refused(tmp_path: Path) -> None:
    """A file of which only the beginning looks like text is not parsed."""
    with pytest.raises(UnsupportedFormat):
        parsed(tmp_path, b"text " * 20 + bytes(range(1, 32)) * 2000, "a.txt")


def test_text_of_signs_only_is_no_text(tmp_path: Path) -> None:
    """A file without a letter or digit cannot be searched."""
    with pytest.raises(NoText):
        parsed(tmp_path, "---\n***\n", "a.txt")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b'{"note": "one \\u0000two"}'),
        ("a.jsonl", b'{"note": "one \\u0000two"}\n{"note": "one two"}\n'),
        ("a.ipynb", b'{"cells": [{"cell_type": "markdown", "source": ["one \\u0000two"]}], "nbformat": 4}'),
    ],
)
def test_no_text_has_a_nul(tmp_path: Path, name: str, content: bytes) -> None:
    """Formats can write it as an escape, and PostgreSQL cannot store it."""
    texts = [element.text for element in parsed(tmp_path, content, name).elements]
    assert any("one two" in text for text in texts)
    assert not any("\0" in text for text in texts)


# --- the activity ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fork_server() -> Iterator[None]:
    """Closes the fork server that the activity starts after the module."""
    yield
    runner.close()


@pytest.mark.usefixtures("fork_server")
def test_the_activity_parses_once(tmp_path: Path) -> None:
    """The parsed document is stored under hash and parser; a second run loads it without the original."""

    async def run() -> None:
        blobs = Blobs(tmp_path.as_uri())
        content = "\n\n".join(CHINESE).encode()
        job = ParseInput(sha256=hashlib.sha256(content).hexdigest(), document_name="制度.txt", bytes=len(content))
        await blobs.put(original_key(job.sha256), content)
        activities = ParseActivities(blobs, ParseSettings(), never_asked, never_asked, Lane(4))
        first = await ActivityEnvironment().run(activities.parse, job)
        assert first.parsed_key == f"parsed/{job.sha256}/{PARSER_FINGERPRINT}"
        assert first.elements == len(CHINESE)
        assert first.characters == sum(map(len, CHINESE))
        stored = await blobs.load(first.parsed_key, ParsedDocument)
        assert stored.elements[0] == Element(text=CHINESE[0])
        await blobs.delete(original_key(job.sha256))
        assert await ActivityEnvironment().run(activities.parse, job) == first

    asyncio.run(run())


async def never_asked(job: Any) -> Any:
    """Stands for the chunk step and the record of a run's begin, which these inputs do not ask for."""
    raise AssertionError(job)


@pytest.mark.usefixtures("fork_server")
def test_a_failed_parse_stores_nothing(tmp_path: Path) -> None:
    """A document that cannot be read leaves no blob, and its error gives the reason."""

    async def run() -> None:
        blobs = Blobs(tmp_path.as_uri())
        await blobs.put(original_key("0" * 64), b"%PDF-1.7 nothing more")
        job = ParseInput(sha256="0" * 64, document_name="a.pdf", bytes=21)
        with pytest.raises(DamagedDocument):
            await ActivityEnvironment().run(
                ParseActivities(blobs, ParseSettings(), never_asked, never_asked, Lane(4)).parse, job
            )
        assert await blobs.list("parsed") == []

    asyncio.run(run())


def test_the_name_counts_only_where_content_is_ambiguous() -> None:
    """The same bytes as notes.txt and notes.md are two parsed documents; as a.pdf and b.pdf they are one."""
    assert parser_fingerprint("notes.txt") != parser_fingerprint("notes.md")
    assert parser_fingerprint("a.pdf") == parser_fingerprint("b.pdf")


def test_lone_surrogates_are_replaced(tmp_path: Path) -> None:
    """JSON can hold halves of a character, which no UTF-8 can; whole ones stay."""
    document = parsed(tmp_path, r'{"a": "text \ud800 more \ud83d\ude00 \u0000text"}', "a.json")
    assert "text \ufffd more \U0001f600 text" in document.elements[0].text
    msgspec.msgpack.encode(document)
