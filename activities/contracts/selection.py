"""Which documents of a knowledge base are meant: the filter of their list, and the order of that list."""

from __future__ import annotations

from typing import Literal

from activities.contracts import Contract
from activities.contracts.stages import DocumentState

#: What a list of documents is sorted by; ``created_at`` is the order in which they were first uploaded.
DocumentSort = Literal["created_at", "name", "updated_at", "bytes", "state"]
Order = Literal["asc", "desc"]


class DocumentFilter(Contract, frozen=True):
    """Documents that meet all conditions, by their latest version; every word of ``search`` is part of the name.

    ``source`` is who uploaded that version.
    """

    state: DocumentState | None = None
    search: str = ""
    tag: str | None = None
    source: str | None = None
    batch_id: str | None = None
