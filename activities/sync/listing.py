"""What a source has: the files that become documents, and what is left out of it, in the same form for every kind."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from fnmatch import translate
from typing import IO, Literal, Protocol

import msgspec

from activities.contracts.names import clean_name
from activities.contracts.sync import NAMES
from activities.errors import InvalidName, TooManyFiles

#: Most files of a source.
MAX_FILES = 200_000

#: Why something in a source is no document. All but the first two are there and cannot be taken: documents of their
#: names are not deleted.
Left = Literal["hidden", "excluded", "link", "special", "empty", "too_large", "unreadable", "bad_name", "same_name"]
_ABSENT: tuple[Left, ...] = ("hidden", "excluded")

#: Files that desktop systems leave in every folder.
_DESKTOP = ("Thumbs.db", "desktop.ini")


class File(msgspec.Struct, frozen=True):
    """A file of a source by its path in it. The ``stamp`` is another one when the content may be another one."""

    path: str
    name: str
    bytes: int
    stamp: str


class Listing(msgspec.Struct, frozen=True):
    """The files of a source by document name.

    What is ``held`` by its document name, or by that of a folder above it in ``held_folders``, is there but cannot be
    taken.
    """

    files: list[File]
    held: list[str]
    left_out: dict[str, int]
    examples: list[str]
    held_folders: list[str] = []


class Content(msgspec.Struct, frozen=True):
    """What was read of a file in one piece, and the state of the file that it is."""

    sha256: str
    bytes: int
    stamp: str


class NotTaken(Exception):
    """A file cannot be read now: it is ``gone``, ``changing``, or left out as it would be by a listing."""

    def __init__(self, why: Left | Literal["gone", "changing"]) -> None:
        super().__init__(why)
        self.why = why


class SourceFiles(Protocol):
    """The files of a place. All raise SourceUnavailable while it cannot be read."""

    async def list(self, files: Collector) -> None:
        """Gives all files to ``files``."""

    async def read(self, path: str, target: IO[bytes] | None, limit: int) -> Content:
        """Reads a file of at most ``limit`` bytes, into ``target`` if given. Raises NotTaken."""

    async def exists(self, path: str) -> bool:
        """Whether something of this path is there."""


class Patterns:
    """Patterns of a shell: a path matches as a whole or by its last part; ``*`` stands for slashes too."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [re.compile(translate(pattern)) for pattern in patterns]

    def match(self, path: str) -> bool:
        """Whether one of them matches."""
        name = path.rpartition("/")[2]
        return any(pattern.match(path) or pattern.match(name) for pattern in self._patterns)

    def match_above(self, path: str) -> bool:
        """Whether one of them matches the path, or a folder that it is in."""
        parts = path.split("/") if self._patterns else []
        return any(self.match("/".join(parts[:end])) for end in range(1, len(parts) + 1))


class Collector:
    """Takes the files of a source one by one, and chooses."""

    def __init__(self, include: Iterable[str], exclude: Iterable[str], max_bytes: int) -> None:
        self._include, self._exclude = Patterns(include), Patterns(exclude)
        self._includes_all = not include
        self._max_bytes = max_bytes
        self.clear()

    def clear(self) -> None:
        """Begins anew."""
        self._files: dict[str, File] = {}
        self._held, self._held_folders = set[str](), set[str]()
        self._left_out: Counter[str] = Counter()
        self._examples: list[str] = []

    def enters(self, path: str) -> bool:
        """Whether a folder is looked into."""
        if _is_hidden(path) or self._exclude.match(path):
            self.leave_out("hidden" if _is_hidden(path) else "excluded", path)
            return False
        return True

    def add(self, path: str, bytes: int, stamp: str) -> None:
        """Takes a file, or leaves it out. Raises TooManyFiles."""
        why = self._reason_against(path, bytes)
        try:
            name = clean_name(path)
        except InvalidName:
            why, name = why or "bad_name", ""
        if why is None and (other := self._files.get(name)) is not None:
            why = "same_name"
            if path < other.path:  # the same one in each listing, whatever its order
                self._files[name], path = File(path, name, bytes, stamp), other.path
        if why is not None:
            self.leave_out(why, path)
            return
        if len(self._files) >= MAX_FILES:
            raise TooManyFiles(limit=MAX_FILES)
        self._files[name] = File(path, name, bytes, stamp)

    def leave_out(self, why: Left, path: str, *, folder: bool = False) -> None:
        """Counts something that is no document; with ``folder`` it is, or may have been, a folder of documents."""
        self._left_out[why] += 1
        if why in _ABSENT:
            return
        shown = _shown(path)
        try:
            name = clean_name(path)
        except InvalidName:
            name = shown
        self._held.add(name)
        if folder:
            self._held_folders.add(name)
        if len(self._examples) < NAMES:
            self._examples.append(shown[:255])

    def listing(self) -> Listing:
        """What was taken and left out."""
        files = [self._files[name] for name in sorted(self._files)]
        held = sorted(self._held), sorted(self._held_folders)
        return Listing(files, held[0], dict(self._left_out), self._examples, held[1])

    def _reason_against(self, path: str, bytes: int) -> Left | None:
        if _is_hidden(path):
            return "hidden"
        if self._exclude.match_above(path) or not (self._includes_all or self._include.match(path)):
            return "excluded"
        if not bytes:
            return "empty"
        return "too_large" if bytes > self._max_bytes else None


def _is_hidden(path: str) -> bool:
    parts = path.split("/")
    return any(part.startswith(".") or part == "__MACOSX" for part in parts) or parts[-1] in _DESKTOP


def _shown(path: str) -> str:
    """A path for people: without control characters, which a terminal would obey, and what is no text."""
    return "".join("?" if unicodedata.category(character)[0] == "C" else character for character in path)
