"""What has changed between a listing and the documents of a source."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from activities.contracts.sync import NAMES, SyncReport
from activities.errors import DeletesGuarded, Reason
from activities.stores.catalog.source_records import SourceDocument
from activities.sync.listing import File, Listing

#: So many documents may vanish at once without a question, however few there are.
FEW = 5

ChangeKind = Literal["add", "update", "stamp", "delete"]


class Change(msgspec.Struct, frozen=True):
    """One document to add, update or delete; ``stamp`` only records another state of a file with the same content."""

    kind: ChangeKind
    name: str
    path: str
    bytes: int = 0
    stamp: str = ""
    document_id: str = ""


class Difference:
    """Files without a document, files that may have changed (``candidates``), and documents without a file."""

    def __init__(self, listing: Listing, documents: Iterable[SourceDocument]) -> None:
        self._listing = listing
        self._rest = {file.name: file for file in listing.files}
        self._held, self._held_folders = set(listing.held), set(listing.held_folders)
        self.documents, self.unchanged = 0, 0
        self.candidates: list[tuple[File, SourceDocument]] = []
        self.gone: list[SourceDocument] = []
        self.update(documents)

    def update(self, documents: Iterable[SourceDocument]) -> None:
        """Takes more documents of the source."""
        for document in documents:
            self.documents += 1
            file = self._rest.pop(document.name, None)
            if file is None:
                if self._is_held(document.name):
                    self.unchanged += 1
                else:
                    self.gone.append(document)
            elif file.stamp == document.stamp:
                self.unchanged += 1
            else:
                self.candidates.append((file, document))

    @property
    def new(self) -> list[File]:
        """Files without a document, once all documents are taken."""
        return list(self._rest.values())

    def _is_held(self, name: str) -> bool:
        """Whether a document's file, or a folder that it is in, is there but cannot be read."""
        parts = name.split("/") if self._held_folders else []
        return name in self._held or any("/".join(parts[:end]) in self._held_folders for end in range(1, len(parts)))

    def changes(self, conflicts: set[str], changed: list[Change]) -> tuple[list[Change], SyncReport]:
        """All changes in the order in which they are applied, and the report.

        ``conflicts`` are names of new files that other documents have, ``changed`` the candidates' changes.
        """
        added = [Change("add", file.name, file.path, file.bytes) for file in self.new if file.name not in conflicts]
        updated = [change for change in changed if change.kind == "update"]
        stamped = [change for change in changed if change.kind == "stamp"]
        deleted = [Change("delete", each.name, each.name, document_id=each.id) for each in self.gone]
        names = {
            "added": [change.name for change in added],
            "updated": [change.name for change in updated],
            "deleted": [change.name for change in deleted],
            "conflicts": sorted(conflicts),
            "left_out": self._listing.examples,
        }
        report = SyncReport(
            files=len(self._listing.files),
            documents=self.documents,
            added=len(added),
            updated=len(updated),
            deleted=len(deleted),
            unchanged=self.unchanged + len(self.candidates) - len(updated),
            conflicts=len(conflicts),
            left_out=self._listing.left_out,
            names={kind: some[:NAMES] for kind, some in names.items() if some},
        )
        return [*added, *updated, *stamped, *deleted], report


def guard(report: SyncReport, max_delete_share: float) -> Reason | None:
    """Why a person has to confirm the deletions; an empty source is always a reason."""
    is_empty = not report.files and report.documents
    if report.deleted and (is_empty or report.deleted > max(FEW, max_delete_share * report.documents)):
        return DeletesGuarded(gone=f"{report.deleted:,}", total=f"{report.documents:,}").reason
    return None
