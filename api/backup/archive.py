"""The two forms of a backup: a folder, and one tar file. Both hold the same parts under the same names."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from api.backup.manifest import MANIFEST, PARTS, Manifest, Part, check, listing_of, manifest_of
from api.client.problems import Problem

#: What the name of a backup ends with that is one tar file.
SUFFIX = ".tar"

PIECE = 1 << 20


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
            shutil.rmtree(self._unfinished, ignore_errors=True)
            self._unfinished.mkdir(mode=0o700, parents=True)
            self.scratch.mkdir(mode=0o700)
            (self._unfinished / "tar").touch(mode=0o600)
            self._tar = tarfile.TarFile(self._unfinished / "tar", "w") if path.suffix == SUFFIX else None
        except OSError as exc:
            raise Problem("unwritable", path=path, detail=exc.strerror or exc) from exc

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tar is not None:
            self._tar.close()
        shutil.rmtree(self._unfinished, ignore_errors=True)

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
    """Yields name and content of each file of a backup, in any order. Raises Problem."""
    try:
        if path.is_dir():
            for file in sorted(each for each in path.rglob("*") if each.is_symlink() or not each.is_dir()):
                name = file.relative_to(path).as_posix()
                if file.is_symlink() or not file.is_file():
                    raise Problem("backup.foreign-part", path=path, part=name)
                with file.open("rb") as content:
                    yield name, content
            return
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                extracted = tar.extractfile(member) if member.isreg() else None
                if extracted is None:
                    raise Problem("backup.foreign-part", path=path, part=member.name)
                with extracted:
                    yield member.name, extracted
    except tarfile.TarError as exc:
        raise Problem("backup.none", path=path) from exc
    except OSError as exc:
        raise Problem("unreadable", path=path, detail=exc.strerror or exc) from exc


def manifest_at(path: Path) -> Manifest:
    """The manifest of the backup at ``path``. Raises Problem if there is none, or it is of newer code."""
    if path.is_dir() and not (path / MANIFEST).is_file():
        raise Problem("backup.none", path=path)  # and whatever it is, it is not read through
    found = next((content.read() for name, content in pieces(path) if name == MANIFEST), None)
    return manifest_of(found, path)


def verify(path: Path, manifest: Manifest, progress: Callable[[int], None]) -> list[Part]:
    """Reads the whole backup and returns its parts. Raises Problem unless they are those that were written."""
    found, listing, done = {}, b"", 0
    for name, content in pieces(path):
        if name == PARTS:
            listing = content.read()
        elif name != MANIFEST:
            found[name] = part_of(name, content)
            progress(done := done + found[name].bytes)
    return check(manifest, listing, found, path)


def part_of(name: str, content: IO[bytes]) -> Part:
    """The part with this content."""
    digest, size = hashlib.sha256(), 0
    while piece := content.read(PIECE):
        digest.update(piece)
        size += len(piece)
    return Part(name, size, digest.hexdigest())
