"""Pictures within documents: their text, recognised like that of an uploaded image."""

from __future__ import annotations

import hashlib
import io

from activities.contracts.documents import Element
from activities.errors import DocumentError
from activities.readers import image
from activities.settings import ParseSettings

_SMALLEST = 60  # pixels of a side; smaller pictures are bullets, icons and lines
_LEAST_CHARACTERS = 2  # of a text; fewer are a mistake of the recognition


def recognise_picture(data: bytes, limits: ParseSettings) -> list[Element]:
    """The text of a picture; none when it has none, cannot be read, or recognition is off."""
    if limits.ocr == "off":
        return []
    try:
        with image.opened(io.BytesIO(data)) as file:
            if min(file.size) < _SMALLEST:
                return []
            found, _ = image.elements_of(file, limits)
    except DocumentError:
        return []
    if sum(character.isalnum() for item in found for character in item.text) < _LEAST_CHARACTERS:
        return []
    return [Element(text=item.text, kind="text" if item.kind == "title" else item.kind) for item in found]


class Pictures:
    """The pictures of one document: one that is repeated is read where it stands first."""

    def __init__(self, limits: ParseSettings) -> None:
        self._limits = limits
        self._seen: set[bytes] = set()
        self.unread = 0
        """Pictures without readable text, small ones left aside."""

    def elements(self, data: bytes) -> list[Element]:
        """The text of a picture; none when it was there before."""
        digest = hashlib.sha256(data).digest()
        if digest in self._seen:
            return []
        self._seen.add(digest)
        found = recognise_picture(data, self._limits)
        self.unread += not found and not _is_small(data)
        return found


def _is_small(data: bytes) -> bool:
    try:
        with image.opened(io.BytesIO(data)) as file:
            return min(file.size) < _SMALLEST
    except DocumentError:
        return False
