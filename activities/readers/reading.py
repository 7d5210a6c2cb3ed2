"""What a reader makes of a file."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from activities.contracts.documents import Element
from activities.phrases import RemarkText


class Reading(msgspec.Struct, frozen=True):
    """A document's elements in reading order; ``pages`` is None for formats without pages.

    ``remarks`` counts what the file holds and the elements do not.
    """

    elements: list[Element]
    pages: int | None = None
    remarks: Mapping[RemarkText, int] = {}
