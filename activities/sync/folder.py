"""Files of a folder on the server. Nothing outside of it is ever opened.

Every part of a path below the root is opened by the descriptor of the folder that it is in, and never through a
symbolic link: between a look and the opening, nothing can be put in the place of a file that leads elsewhere.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, TypeVar

import structlog

from activities.errors import SourceUnavailable
from activities.phrases import Phrase
from activities.sync.listing import Collector, Content, NotTaken
from activities.sync.places import Folder

T = TypeVar("T")

#: Folders in one another that are looked into.
MAX_DEPTH = 64

_PIECE = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

#: Nanoseconds in which a file may be written twice with the same time: on file systems with fine times, and with those
#: of whole seconds. It is read only after them, so that whatever is written from then on shows in its time.
_FINE, _COARSE = 100_000_000, 2_000_000_000

#: What opening a symbolic link, or something else in the place of a folder, fails with.
_LEADS_ELSEWHERE = (errno.ELOOP, errno.ENOTDIR)
_REFUSED = (errno.EACCES, errno.EPERM)

log = structlog.get_logger()


class FolderFiles:
    """The files below a folder."""

    def __init__(self, place: Folder) -> None:
        self._place = place

    async def list(self, files: Collector) -> None:
        """Gives all files to ``files``; links, sockets and other special files are left out."""
        await _in_thread(lambda stop: self._list(files, stop))

    async def read(self, path: str, target: IO[bytes] | None, limit: int) -> Content:
        """Reads a file, and makes sure that it did not change meanwhile. Raises NotTaken."""
        return await _in_thread(lambda stop: self._read(path, target, limit, stop))

    async def exists(self, path: str) -> bool:
        """Whether there is something of this path, a link included."""
        return await _in_thread(lambda _: self._exists(path))

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The folder's descriptor. Raises SourceUnavailable."""
        with ExitStack() as opened:
            try:
                root = os.open(os.path.realpath(self._place.root), _FOLDER)
                opened.callback(os.close, root)
                folder = opened.enter_context(_below(root, self._place.parts))
            except OSError as exc:
                raise _unavailable(exc) from exc
            yield folder

    def _list(self, files: Collector, stop: threading.Event) -> None:
        with self._opened() as folder:
            try:
                _walk(folder, "", 0, files, stop)
            except OSError as exc:
                raise _unavailable(exc) from exc

    def _read(self, path: str, target: IO[bytes] | None, limit: int, stop: threading.Event) -> Content:
        with self._opened() as folder, _file(folder, path) as file:
            before = _settled(file, stop)
            if not stat.S_ISREG(before.st_mode):
                raise NotTaken("special")
            if before.st_size > limit:
                raise NotTaken("too_large")
            whole, length = hashlib.sha256(), 0
            while not stop.is_set():
                try:
                    piece = os.read(file, _PIECE)
                except OSError as exc:
                    raise _unavailable(exc) from exc
                if not piece:
                    break
                length += len(piece)
                if length > limit:
                    raise NotTaken("changing")
                whole.update(piece)
                if target is not None:
                    target.write(piece)
            after = os.fstat(file)
            if length != before.st_size or _state(before) != _state(after):
                raise NotTaken("changing")
            if not length:
                raise NotTaken("empty")
            return Content(whole.hexdigest(), length, stamp_of(after))

    def _exists(self, path: str) -> bool:
        with self._opened() as folder:
            try:
                with _parent(folder, path) as (parent, name):
                    os.stat(name, dir_fd=parent, follow_symlinks=False)
            except NotTaken as exc:
                return exc.why != "gone"
            except FileNotFoundError:
                return False
            except OSError as exc:
                raise _unavailable(exc) from exc
        return True


def stamp_of(found: os.stat_result) -> str:
    """Size and time of the last change."""
    return f"{found.st_size}-{found.st_mtime_ns}"


def _settled(file: int, stop: threading.Event) -> os.stat_result:
    """The state of a file that was not written just now; waits a moment for it. Raises NotTaken."""
    for _ in range(2):
        found = os.fstat(file)
        left = (_FINE if found.st_mtime_ns % 1_000_000_000 else _COARSE) - (time.time_ns() - found.st_mtime_ns)
        if not 0 < left <= _COARSE:  # it is older, or of another clock
            return found
        stop.wait(left / 1e9)
    raise NotTaken("changing")


def _state(found: os.stat_result) -> tuple[int, ...]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _walk(folder: int, path: str, depth: int, files: Collector, stop: threading.Event) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if stop.is_set():
                return
            inner = f"{path}{entry.name}"
            try:
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISLNK(found.st_mode):
                    files.leave_out("link", inner, folder=True)
                elif stat.S_ISREG(found.st_mode):
                    files.add(inner, found.st_size, stamp_of(found))
                elif not stat.S_ISDIR(found.st_mode):
                    files.leave_out("special", inner, folder=True)
                elif files.enters(inner):
                    _enter(folder, entry.name, inner, depth + 1, files, stop)
            except FileNotFoundError:
                continue  # removed meanwhile
            except OSError as exc:
                if exc.errno in _LEADS_ELSEWHERE:
                    files.leave_out("link", inner, folder=True)
                elif exc.errno in _REFUSED:
                    files.leave_out("unreadable", inner, folder=True)
                else:
                    raise


def _enter(folder: int, name: str, path: str, depth: int, files: Collector, stop: threading.Event) -> None:
    if depth > MAX_DEPTH:
        files.leave_out("unreadable", path, folder=True)
        return
    inner = os.open(name, _FOLDER, dir_fd=folder)
    try:
        _walk(inner, f"{path}/", depth, files, stop)
    finally:
        os.close(inner)


@contextmanager
def _below(folder: int, parts: Sequence[str]) -> Iterator[int]:
    """The descriptor of a folder below another one, reached through folders only. Raises OSError."""
    inner = os.dup(folder)
    try:
        for part in parts:
            outer, inner = inner, os.open(part, _FOLDER, dir_fd=inner)
            os.close(outer)
        yield inner
    finally:
        os.close(inner)


@contextmanager
def _parent(folder: int, path: str) -> Iterator[tuple[int, str]]:
    """The descriptor of the folder that a file is in, and its name there. Raises NotTaken."""
    *parts, name = path.split("/")
    with ExitStack() as opened:
        try:
            parent = opened.enter_context(_below(folder, parts))
        except OSError as exc:
            raise _not_taken(exc) from exc
        yield parent, name


@contextmanager
def _file(folder: int, path: str) -> Iterator[int]:
    with _parent(folder, path) as (parent, name):
        try:
            file = os.open(name, _FILE, dir_fd=parent)
        except OSError as exc:
            raise _not_taken(exc) from exc
        try:
            yield file
        finally:
            os.close(file)


def _not_taken(exc: OSError) -> NotTaken | SourceUnavailable:
    if exc.errno == errno.ENOENT:
        return NotTaken("gone")
    if exc.errno in _LEADS_ELSEWHERE:
        return NotTaken("link")
    if exc.errno == errno.ENXIO:  # a socket
        return NotTaken("special")
    return NotTaken("unreadable") if exc.errno in _REFUSED else _unavailable(exc)


def _unavailable(exc: OSError) -> SourceUnavailable:
    """What people are told, without a path; the log has the rest."""
    log.warning("a synced folder cannot be read", error=str(exc))
    if exc.errno == errno.ENOENT:
        return SourceUnavailable(detail=Phrase.SOURCE_MISSING)
    if exc.errno in _LEADS_ELSEWHERE:
        return SourceUnavailable(detail=Phrase.SOURCE_NO_FOLDER)
    return SourceUnavailable(detail=Phrase.SOURCE_REFUSED if exc.errno in _REFUSED else Phrase.SOURCE_SILENT)


async def _in_thread(work: Callable[[threading.Event], T]) -> T:
    """The result of blocking work, which is told to stop when nobody waits for it any more."""
    stop = threading.Event()
    running = asyncio.ensure_future(asyncio.to_thread(work, stop))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([running])  # whoever called closes the files that it uses
        raise
