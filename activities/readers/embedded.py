"""Files within files (attachments of mails, objects of office documents), read like any other document.

The outermost file opens a ``Scope``, which those within it share at every depth: it limits how many there are, how
deep they are nested, and how many bytes they have in all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path

import msgspec

from activities.contracts.documents import Element
from activities.errors import DocumentTooLarge, NoText, ParserCrashed, plain_line
from activities.phrases import Phrase
from activities.readers.formats import detect
from activities.readers.reading import Reading
from activities.settings import ParseSettings

MAX_DEPTH = 10
"""Maximum nesting of files, the outermost included; deeper ones are mentioned but not read."""
MAX_FILES = 200
"""Maximum number of files within one document (of a mailbox, within one mail), at all depths together."""

_MAX_GROWTH = 16  # total size of the files ÷ size of the outermost: containers can repeat the same bytes many times
_DEEPEST = 9
# Exceptions of a reader that concern one file; MemoryError concerns the whole document.
_CRASHES = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)


class Scope(msgspec.Struct):
    """What remains of the limits of an outermost file."""

    files: int
    bytes: int
    depth: int = 1

    @contextmanager
    def inner(self, size: int = 0) -> Iterator[None]:
        """Charges one file that is read in the block. Raises DocumentTooLarge when a limit is exceeded."""
        if self.depth >= MAX_DEPTH:
            raise DocumentTooLarge(detail=Phrase.NESTED_LEVELS, limit=MAX_DEPTH)
        self.files, self.bytes = self.files - 1, self.bytes - size
        if self.files < 0:
            raise DocumentTooLarge(detail=Phrase.TOO_MANY_ATTACHMENTS, limit=MAX_FILES)
        if self.bytes < 0:
            raise DocumentTooLarge(detail=Phrase.ATTACHMENTS_TOO_LARGE)
        self.depth += 1
        try:
            yield
        except _CRASHES as exc:
            raise ParserCrashed(detail=plain_line(exc)) from exc
        finally:
            self.depth -= 1


_scope: ContextVar[Scope | None] = ContextVar("scope", default=None)


@contextmanager
def scope(path: Path) -> Iterator[Scope]:
    """The scope of the outermost file, which is the one at ``path`` unless it is itself read within another."""
    outer = _scope.get()
    if outer is not None:
        yield outer
        return
    token = _scope.set(Scope(MAX_FILES, _MAX_GROWTH * path.stat().st_size))
    try:
        yield _scope.get() or Scope(0, 0)
    finally:
        _scope.reset(token)


def read_embedded(content: bytes, name: str, limits: ParseSettings, scope: Scope) -> Reading:
    """What a file within another one holds. Raises DocumentError, also where its reader fails in any other way."""
    with scope.inner(len(content)), tempfile.TemporaryDirectory(prefix="holdfast-embedded-") as folder:
        path = Path(folder) / "embedded"
        path.write_bytes(content)
        kind = detect(path, name, limits)
        reading: Reading = import_module(kind.reader).read(path, name, limits, lambda done, total: None)
    if not any(character.isalnum() for element in reading.elements for character in element.text):
        raise NoText()
    return reading


def demoted(elements: list[Element], levels: int) -> list[Element]:
    """The same elements with their headings moved down by ``levels``."""
    return [
        msgspec.structs.replace(item, level=min(_DEEPEST, (item.level or 1) + levels)) if item.kind == "title" else item
        for item in elements
    ]
