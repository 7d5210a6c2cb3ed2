"""The two forms of a backup: a folder, and one tar file. Both hold the same parts under the same names."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from api.backup.manifest import MANIFEST, PARTS, Manifest, Part, check, listing_of, manifest_of, shown
from api.client.problems import Problem

#: What the name of a backup ends with that is one tar file.
SUFFIX = ".tar"

PIECE = 1 << 20

#: What reading a tar file raises that is damaged, or made to harm: its numbers are not checked by ``tarfile``.
DAMAGED = (tarfile.TarError, ValueError, OverflowError, MemoryError, RecursionError)


class Writer:
    """Writes a backup beside its place, and moves it there once it is whole. ``scratch`` is for files to be added."""

    def __init__(self, path: Path) -> None:
        """Raises Problem if there is something at ``path``, or it cannot be written."""
        self._path, self._unfinished = path, path.with_name(f"{path.name}.partial")
        self._parts: list[Part] = []
        self.scratch = self._unfinished / "scratch"
        if path.exists():
            raise Problem("file-exists", path=path)
        try:
            self._unfinished.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self._unfinished, os.O_RDONLY)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for each in self._unfinished.iterdir():  # of one that was killed
                shutil.rmtree(each) if each.is_dir() else each.unlink()
            self._unfinished.chmod(0o700)
            self.scratch.mkdir(mode=0o700)
            (self._unfinished / "tar").touch(mode=0o600)
            self._tar = tarfile.TarFile(self._unfinished / "tar", "w") if path.suffix == SUFFIX else None
        except BlockingIOError as exc:
            raise Problem("backup.under-way", path=path) from exc
        except OSError as exc:
            raise Problem("unwritable", path=path, detail=exc.strerror or exc) from exc

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tar is not None:
            with suppress(OSError):  # of an unfinished one, such as on a full disk
                self._tar.close()
        shutil.rmtree(self._unfinished, ignore_errors=True)
        os.close(self._lock)

    def add(self, name: str, file: Path) -> None:
        """Takes a file in ``scratch`` as a part. Raises OSError."""
        with file.open("rb") as content:
            self._parts.append(part_of(name, content))
        self._take(name, file)

    def listing(self) -> bytes:
        """The content of ``parts.jsonl``."""
        return listing_of(self._parts)

    @property
    def size(self) -> int:
        """The bytes of all parts."""
        return sum(part.bytes for part in self._parts)

    def finish(self, manifest: Manifest) -> None:
        """Writes the two files that tell about the parts, and moves the backup to its place. Raises OSError."""
        told = self.scratch / "told"
        for name, content in ((PARTS, self.listing()), (MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))):
            told.write_bytes(content)
            self._take(name, told)
        self.scratch.rmdir()
        whole = self._unfinished / "tar"
        if self._tar is None:
            whole.unlink()
            whole = self._unfinished
        else:
            self._tar.close()
        os.sync()
        whole.rename(self._path)

    def _take(self, name: str, file: Path) -> None:
        file.chmod(0o600)
        if self._tar is None:
            place = self._unfinished / name
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.rename(place)
            return
        info = self._tar.gettarinfo(str(file), arcname=name)
        with file.open("rb") as content:
            self._tar.addfile(info, content)
        file.unlink()


def pieces(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yields name and content of each file of a backup, in any order. Raises Problem; contents raise DAMAGED."""
    seen: set[str] = set()
    try:
        if path.is_dir():
            for file in sorted(each for each in path.rglob("*") if each.is_symlink() or not each.is_dir()):
                name = file.relative_to(path).as_posix()
                if file.is_symlink() or not file.is_file():
                    raise _foreign(path, name)
                with file.open("rb") as content:
                    yield name, content
            return
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                is_plain_file = member.isreg() and not member.issparse()  # a sparse one has any size
                extracted = tar.extractfile(member) if is_plain_file and member.name not in seen else None
                if extracted is None:
                    raise _foreign(path, member.name)
                seen.add(member.name)
                with extracted:
                    yield member.name, extracted
    except DAMAGED as exc:
        raise Problem("backup.none", path=path) from exc
    except OSError as exc:
        raise Problem("unreadable", path=path, detail=exc.strerror or exc) from exc


def manifest_at(path: Path) -> Manifest:
    """The manifest of the backup at ``path``. Raises Problem if there is none, or it is of newer code."""
    if path.is_dir() and not (path / MANIFEST).is_file():
        raise Problem("backup.none", path=path)  # and whatever it is, it is not read through
    found = None
    for name, content in pieces(path):
        if name == MANIFEST:
            with _read(path, name):
                found = content.read(PIECE)  # none is longer
            break
    return manifest_of(found, path)


async def verify(path: Path, manifest: Manifest) -> list[Part]:
    """Reads the whole backup and returns its parts. Raises Problem unless they are those that were written."""
    found, listing = {}, b""
    for name, content in pieces(path):
        await asyncio.sleep(0)  # so that Ctrl-C ends it
        with _read(path, name):
            if name == PARTS:
                listing = content.read()
            elif name != MANIFEST:
                found[name] = part_of(name, content)
    return check(manifest, listing, found, path)


@contextmanager
def _read(path: Path, name: str) -> Iterator[None]:
    """Refuses a part that cannot be read."""
    try:
        yield
    except DAMAGED as exc:
        raise Problem("backup.damaged", path=path, part=shown(name)) from exc
    except OSError as exc:
        raise Problem("unreadable", path=path, detail=exc.strerror or exc) from exc


def _foreign(path: Path, name: str) -> Problem:
    return Problem("backup.foreign-part", path=path, part=shown(name))


def part_of(name: str, content: IO[bytes]) -> Part:
    """The part with this content."""
    digest, size = hashlib.sha256(), 0
    while piece := content.read(PIECE):
        digest.update(piece)
        size += len(piece)
    return Part(name, size, digest.hexdigest())
