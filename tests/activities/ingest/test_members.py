"""Archives: judged by their directory before it is read, listed and extracted member by member."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from activities.errors import DamagedDocument, DocumentTooLarge
from activities.ingest.members import Member, extract_members, list_members
from activities.ingest.parse import parse_file
from activities.readers.archive import check_directory
from activities.settings import ParseSettings
from tests.hostile import archive_of_entries

SETTINGS = ParseSettings(max_archive_files=100)


def progress(done: int, total: int) -> None:
    """Ignores progress."""


def archive(*members: tuple[str, bytes], comment: bytes = b"") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members:
            made.writestr(name, content)
        made.comment = comment
    return target.getvalue()


def written(folder: Path, content: bytes) -> Path:
    path = folder / "archive"
    path.write_bytes(content)
    return path


def lying(content: bytes, entries: int) -> bytes:
    """The archive with another number of entries in its end record."""
    at = content.rindex(b"PK\5\6")
    return content[: at + 8] + struct.pack("<2H", entries, entries) + content[at + 12 :]


def test_a_directory_of_a_million_entries_is_refused_unread(tmp_path: Path) -> None:
    """In memory that does not grow with it, as an archive and as an office file."""
    path = written(tmp_path, archive_of_entries(1_000_000))
    tracemalloc.start()
    with pytest.raises(DocumentTooLarge):
        list_members(path, ParseSettings(), progress)
    with pytest.raises(DocumentTooLarge):
        parse_file(path, "a.docx", ParseSettings(), progress)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 << 20


@pytest.mark.parametrize("declared", [0, 1, 99])
def test_entries_are_counted_whatever_is_declared(tmp_path: Path, declared: int) -> None:
    """Also when something stands before the archive, and when a comment follows it."""
    members = [(f"{number}.txt", b"text") for number in range(101)]
    content = b"something first" + lying(archive(*members, comment=b"a comment"), declared)
    with pytest.raises(DocumentTooLarge):
        check_directory(written(tmp_path, content), 100)
    check_directory(written(tmp_path, content), 101)


@pytest.mark.parametrize("content", [b"", b"PK\5\6", b"no archive", b"PK\6\7" * 30])
def test_what_is_no_directory_is_left_to_the_reader(tmp_path: Path, content: bytes) -> None:
    """It says that the file is damaged."""
    with pytest.raises(DamagedDocument):
        list_members(written(tmp_path, content), SETTINGS, progress)


def test_a_bad_member_is_left_out_with_its_reason(tmp_path: Path) -> None:
    """The others are extracted."""
    content = bytearray(archive(("a.txt", b"first " * 100), ("b.txt", b"second " * 100), ("c.txt", b"third")))
    at = content.index(b"b.txt") + len("b.txt")
    content[at : at + 4] = b"\xff\xff\xff\xff"
    path = written(tmp_path, bytes(content))
    assert list_members(path, SETTINGS, progress).files == 3
    members = extract_members(path, tmp_path, 0, 3, 10_000, 50, progress)
    assert [(member.name, member.reason and member.reason.code) for member in members] == [
        ("a.txt", None),
        ("b.txt", "damaged"),
        ("c.txt", None),
    ]
    assert (tmp_path / "2").read_bytes() == b"third"


def test_groups_end_where_asked_and_bombs_end_the_archive(tmp_path: Path) -> None:
    """Members are extracted a group at a time; one that unpacks to more than is allowed fails all."""
    path = written(tmp_path, archive(*((f"{number}.txt", b"text") for number in range(5)), ("z.txt", bytes(1 << 20))))
    assert numbers(extract_members(path, tmp_path, 1, 6, 1000, 2, progress)) == [1, 2]
    assert numbers(extract_members(path, tmp_path, 3, 5, 1000, 9, progress)) == [3, 4]
    with pytest.raises(DocumentTooLarge):
        extract_members(path, tmp_path, 4, 6, 1000, 9, progress)


def numbers(members: list[Member]) -> list[int]:
    return [member.number for member in members]
