"""Files of a folder: what is taken and left out, and that nothing outside of it is ever read."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from activities.errors import SourceUnavailable
from activities.sync.folder import FolderFiles
from activities.sync.listing import Collector, Listing, NotTaken
from activities.sync.places import Folder

LIMIT = 1 << 20
SECRET = b"The secret is outside."


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An allowed folder, beside one that is not."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_bytes(SECRET)
    root = tmp_path / "docs"
    (root / "inner").mkdir(parents=True)
    (root / "a.txt").write_text("A")
    (root / "inner" / "b.md").write_text("B")
    return root


async def listed(root: Path, *parts: str, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Listing:
    """The listing of a folder."""
    files = Collector(include, exclude, LIMIT)
    await FolderFiles(Folder(str(root), parts)).list(files)
    return files.listing()


def names(listing: Listing) -> list[str]:
    """The names of the documents."""
    return [file.name for file in listing.files]


async def read(root: Path, path: str) -> bytes:
    """The content of a file. Raises NotTaken."""
    target = io.BytesIO()
    content = await FolderFiles(Folder(str(root), ())).read(path, target, LIMIT)
    assert content.sha256 == hashlib.sha256(target.getvalue()).hexdigest()
    return target.getvalue()


async def test_links_and_special_files_are_left_out(root: Path, tmp_path: Path) -> None:
    """Links to files and folders, inside or out, are counted and not followed; so are pipes and sockets."""
    (root / "out.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "in.txt").symlink_to(root / "a.txt")
    (root / "up").symlink_to("..")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket"))
    found = await listed(root)
    assert names(found) == ["a.txt", "inner/b.md"]
    assert found.left_out == {"link": 4, "special": 2}
    for path, why in (("out.txt", "link"), ("out/secret.txt", "link"), ("up/docs/a.txt", "link"), ("pipe", "special")):
        with pytest.raises(NotTaken, match=why):
            await read(root, path)
    assert await read(root, "inner/b.md") == b"B"


async def test_a_folder_that_becomes_a_link_is_not_followed(root: Path, tmp_path: Path) -> None:
    """Between the listing and the reading something else can be put in a file's place."""
    assert "inner/b.md" in names(await listed(root))
    (root / "inner").rename(tmp_path / "moved")
    (root / "inner").symlink_to(tmp_path / "outside")
    (tmp_path / "outside" / "b.md").write_bytes(SECRET)
    with pytest.raises(NotTaken, match="link"):
        await read(root, "inner/b.md")


@pytest.mark.parametrize("parts", [("link",), ("inner", "link")])
async def test_a_source_behind_a_link_cannot_be_read(root: Path, tmp_path: Path, parts: tuple[str, ...]) -> None:
    """Neither listed nor read; the reason names no path."""
    root.joinpath(*parts).symlink_to(tmp_path / "outside")
    with pytest.raises(SourceUnavailable) as caught:
        await listed(root, *parts)
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(SourceUnavailable):
        await FolderFiles(Folder(str(root), parts)).read("secret.txt", None, LIMIT)


async def test_a_root_that_is_a_link_is_the_operators(root: Path, tmp_path: Path) -> None:
    """What a setting names may be a link."""
    (tmp_path / "alias").symlink_to(root)
    assert names(await listed(tmp_path / "alias")) == ["a.txt", "inner/b.md"]


async def test_a_folder_that_is_not_there_is_told(root: Path) -> None:
    """As unavailable, not as empty."""
    for parts in (("missing",), ("a.txt",)):
        with pytest.raises(SourceUnavailable):
            await listed(root, *parts)


async def test_patterns_choose(root: Path) -> None:
    """A pattern matches a path or a file's name; an excluded folder is not looked into."""
    (root / "drafts" / "deep").mkdir(parents=True)
    (root / "drafts" / "deep" / "c.md").write_text("C")
    (root / "d.MD").write_text("D")
    assert names(await listed(root, include=["*.md"])) == ["drafts/deep/c.md", "inner/b.md"]
    assert names(await listed(root, exclude=["drafts"])) == ["a.txt", "d.MD", "inner/b.md"]
    assert names(await listed(root, exclude=["drafts/*", "a.*"])) == ["d.MD", "inner/b.md"]
    assert names(await listed(root, include=["*.md"], exclude=["inner/*"])) == ["drafts/deep/c.md"]


async def test_what_cannot_be_a_document_is_left_out(root: Path) -> None:
    """Hidden, empty, too large, badly named: each is counted, and all but the hidden ones hold their names."""
    (root / ".hidden").write_text("x")
    (root / ".git").mkdir()
    (root / ".git" / "x").write_text("x")
    (root / "empty.txt").touch()
    (root / "large.txt").write_bytes(b"x" * (LIMIT + 1))
    (root / "line\nbreak.txt").write_text("x")
    with open(os.fsencode(root) + b"/caf\xe9.txt", "w") as file:
        file.write("x")
    (root / "cafe\u0301.txt").write_text("x")
    (root / "caf\u00e9.txt").write_text("x")
    found = await listed(root)
    assert found.left_out == {"hidden": 2, "empty": 1, "too_large": 1, "bad_name": 2, "same_name": 1}
    assert names(found) == ["a.txt", "caf\u00e9.txt", "inner/b.md"]
    assert {"empty.txt", "large.txt"} <= set(found.held)
    assert not {".hidden", ".git"} & set(found.held)


async def test_a_file_that_changes_while_it_is_read_is_not_taken(root: Path) -> None:
    """Nobody gets half of the old content with half of the new."""

    class Writing(io.BytesIO):
        def write(self, piece: object) -> int:
            (root / "a.txt").write_text("Another text.")
            return super().write(piece)  # type: ignore[arg-type]

    with pytest.raises(NotTaken, match="changing"):
        await FolderFiles(Folder(str(root), ())).read("a.txt", Writing(), LIMIT)
    assert await read(root, "a.txt") == b"Another text."


async def test_a_read_file_has_the_stamp_of_the_listing(root: Path) -> None:
    """Also one that was written just now: it is read only when another writing would show."""
    stamps = {file.name: file.stamp for file in (await listed(root)).files}
    (root / "a.txt").write_text("C")
    content = await FolderFiles(Folder(str(root), ())).read("a.txt", None, LIMIT)
    written = (root / "a.txt").stat()
    assert time.time_ns() - written.st_mtime_ns >= 100_000_000
    assert content.stamp == f"1-{written.st_mtime_ns}" != stamps["a.txt"]


async def test_what_exists(root: Path, tmp_path: Path) -> None:
    """A link is there, what lies behind it is not looked at."""
    (root / "out").symlink_to(tmp_path / "outside")
    files = FolderFiles(Folder(str(root), ()))
    found = [path for path in ("a.txt", "inner/b.md", "out", "gone", "gone/x", "inner") if await files.exists(path)]
    assert found == ["a.txt", "inner/b.md", "out", "inner"]
    assert await files.exists("out/missing")  # unknown: nothing is deleted for it


async def test_a_canceled_reading_ends(root: Path) -> None:
    """Its thread stops at the next piece."""
    begun, go_on = threading.Event(), threading.Event()

    class Slow(io.BytesIO):
        def write(self, piece: object) -> int:
            begun.set()
            go_on.wait(10)
            return super().write(piece)  # type: ignore[arg-type]

    (root / "a.txt").write_bytes(b"x" * LIMIT)
    task = asyncio.create_task(FolderFiles(Folder(str(root), ())).read("a.txt", Slow(), LIMIT))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_open_files_are_closed(root: Path) -> None:
    """Whatever happens, no descriptor is left."""
    before = len(os.listdir("/proc/self/fd"))
    (root / "link").symlink_to("a.txt")
    for path in ("a.txt", "link", "gone", "inner/gone", "a.txt/x"):
        with pytest.raises(NotTaken) if path != "a.txt" else nullcontext():
            await read(root, path)
    with pytest.raises(SourceUnavailable):
        await listed(root, "inner", "missing")
    await listed(root)
    assert len(os.listdir("/proc/self/fd")) == before
