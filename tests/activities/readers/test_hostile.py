"""Malicious and truncated files: each fails with its reason, in time."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from activities.errors import (
    DamagedDocument,
    DocumentError,
    DocumentTooLarge,
    ParserCrashed,
    ParserTimedOut,
    UnsupportedFormat,
)
from activities.ingest.parse import parse_file
from activities.phrases import Phrase
from activities.sandbox import runner
from activities.sandbox.protocol import Limits
from activities.sandbox.runner import run_isolated
from activities.settings import ParseSettings
from tests.activities.readers.conftest import parsed
from tests.conftest import assert_eventually
from tests.documents import by_pandoc, replaced, simple_docx, simple_eml, simple_msg, simple_pptx, simple_xlsx
from tests.hostile import QUICK, SLOW

WHOLE = {
    "docx": simple_docx("Title", "Text."),
    "pptx": simple_pptx("Title", "Text."),
    "xlsx": simple_xlsx(("a", "b"), (1, 2)),
    "odt": by_pandoc("Text.", "odt"),
    "epub": by_pandoc("# Title\n\nText.", "epub"),
}

zipped = pytest.mark.parametrize("kind", WHOLE)


@zipped
def test_archives_that_are_bombs_are_refused(tmp_path: Path, kind: str) -> None:
    """A file that would unpack to more than the limit is not unpacked, whichever office format it claims to be."""
    target = io.BytesIO(WHOLE[kind])
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("media/bomb.bin", bytes(100 << 20))
    with pytest.raises(DocumentTooLarge):
        parsed(tmp_path, target.getvalue(), f"a.{kind}", ParseSettings(max_expansion=10))


@zipped
def test_archives_that_were_cut_off_are_damaged(tmp_path: Path, kind: str) -> None:
    """Half a file, and one with garbage parts, are distinguished from unsupported ones."""
    whole = WHOLE[kind]
    with pytest.raises(DamagedDocument):
        parsed(tmp_path, whole[: len(whole) // 2], f"a.{kind}")
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            copy.writestr(name, b"<broken" if name.endswith((".xml", ".opf", ".xhtml")) else content)
    with pytest.raises(DocumentError):
        parsed(tmp_path, target.getvalue(), f"a.{kind}")


def test_an_outlook_mail_that_was_cut_off_is_damaged(tmp_path: Path) -> None:
    """Its beginning identifies the format; its end is missing."""
    whole = simple_msg("Subject", "Text. " * 2000, ("a.txt", b"text " * 5000))
    for length in (700, len(whole) // 2):
        with pytest.raises(DocumentError):
            parsed(tmp_path, whole[:length], "a.msg")


def test_endlessly_nested_rich_text_is_refused(tmp_path: Path) -> None:
    """Nesting of groups is limited; a truncated document is read as far as it goes."""
    with pytest.raises(DamagedDocument):
        parsed(tmp_path, "{\\rtf1 " + "{" * 5000 + "x" + "}" * 5000 + "}", "a.rtf")
    assert parsed(tmp_path, "{\\rtf1 {\\b Text that ends", "a.rtf").elements[0].text == "Text that ends"


def test_binaries_are_no_text(tmp_path: Path) -> None:
    """Whatever their name."""
    for kind in ("csv", "json", "xml", "rst", "eml", "rtf"):
        with pytest.raises(UnsupportedFormat):
            parsed(tmp_path, bytes(range(256)) * 20, f"a.{kind}")


@pytest.fixture(scope="module")
def fork_server() -> Iterator[None]:
    """Closes the fork server after the module."""
    yield
    runner.close()


def pandocs() -> list[int]:
    """The pandoc processes below this one."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.name().startswith("pandoc"):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.mark.usefixtures("fork_server")
@pytest.mark.parametrize("memory_mb", [512, 4096])
def test_pandoc_runs_within_the_limits(tmp_path: Path, memory_mb: int) -> None:
    """The child's limit on address space does not keep pandoc from starting."""
    (tmp_path / "a").write_bytes(b"Title\n=====\n\nText.\n")
    limits = Limits(seconds=30, memory_mb=memory_mb)
    settings = ParseSettings(max_memory_mb=memory_mb)
    document = asyncio.run(run_isolated(parse_file, tmp_path / "a", "a.rst", settings, limits=limits))
    assert [element.text for element in document.elements] == ["Title", "Text."]


@pytest.mark.usefixtures("fork_server")
def test_pandoc_dies_with_its_document(tmp_path: Path) -> None:
    """When the child is killed because its result is no longer needed, pandoc ends too."""
    (tmp_path / "a").write_bytes(SLOW["macros.org"]())

    async def run() -> None:
        limits = Limits(seconds=50, memory_mb=4096)
        task = asyncio.create_task(run_isolated(parse_file, tmp_path / "a", "a.org", ParseSettings(), limits=limits))

        async def runs() -> bool:
            return bool(pandocs())

        async def ended() -> bool:
            return not pandocs()

        await assert_eventually(runs, step=0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await assert_eventually(ended, step=0.05)

    asyncio.run(run())


def test_garbage_mails_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    """Boundaries without an end and garbage parts fail no reader."""
    mail = simple_eml("Subject", "Body text.", ("a.docx", WHOLE["docx"])).replace(b"base64", b"nonsense")
    assert "Body text." in [element.text for element in parsed(tmp_path, mail, "a.eml").elements]


@pytest.mark.usefixtures("fork_server")
@pytest.mark.parametrize("name", QUICK)
def test_hostile_files_end_within_their_time(tmp_path: Path, name: str) -> None:
    """Each is read, or refused with a reason that names neither a path of this machine nor advice of a library."""
    path = tmp_path / "a"
    path.write_bytes(QUICK[name]())
    settings = ParseSettings()
    limits = Limits(seconds=settings.seconds(path.stat().st_size), memory_mb=1024)
    told = ""
    try:
        asyncio.run(run_isolated(parse_file, path, name, settings, limits=limits))
    except (ParserTimedOut, ParserCrashed):
        raise
    except DocumentError as exc:
        told = str(exc)
    assert not re.search(r"/tmp|XML_|Errno|xmlCtxt|<string>|<_io", told)


ENTITIES = b"".join(b'<!ENTITY e%d "%s">' % (level, b"&e%d;" % (level - 1) * 10) for level in range(1, 12))
DEEP = b"<a>" * 3000 + b"x" + b"</a>" * 3000


@pytest.mark.parametrize(
    ("content", "name", "phrase"),
    [
        (b'<!DOCTYPE x [<!ENTITY e0 "text">' + ENTITIES + b"]><x>&e11;</x>", "a.xml", Phrase.ENTITIES),
        (DEEP, "a.xml", Phrase.NESTED_PARTS),
        (
            replaced(WHOLE["odt"], "content.xml", b"<office:body>", b"<office:body>" + DEEP),
            "a.odt",
            Phrase.NESTED_PARTS,
        ),
        (replaced(WHOLE["docx"], "word/document.xml", b"<w:body>", DEEP), "a.docx", Phrase.NESTED_PARTS),
        (replaced(WHOLE["pptx"], "_rels/.rels", b"Relationships", b"a"), "a.pptx", Phrase.MISSHAPEN),
    ],
)
def test_what_libraries_say_is_told_in_both_languages(
    tmp_path: Path, content: bytes, name: str, phrase: Phrase
) -> None:
    """Where their message is known, or is about their own code."""
    with pytest.raises(DamagedDocument) as caught:
        parsed(tmp_path, content, name)
    for language in ("en", "zh"):
        assert phrase.render(language) in caught.value.reason.render(language)


@pytest.mark.parametrize("name", ["deep.org", "deep.rst", "wide.csv"])
def test_what_is_wider_or_deeper_than_any_document_is_refused(tmp_path: Path, name: str) -> None:
    """Before it is read, as the time for it would grow with the square of its depth or width."""
    with pytest.raises(DocumentTooLarge):
        parsed(tmp_path, SLOW[name](), name)
