"""The difference between a listing and the documents of a source, and when a person is asked."""

from __future__ import annotations

import pytest

from activities.contracts.sync import SyncReport
from activities.stores.catalog.source_records import SourceDocument
from activities.sync.compare import Change, Difference, guard
from activities.sync.listing import File, Listing


def file(name: str, stamp: str = "1") -> File:
    """A file whose path is its name."""
    return File(name, name, 1, stamp)


def document(name: str, stamp: str = "1") -> SourceDocument:
    """The document of a file."""
    return SourceDocument(id=f"id-{name}", name=name, sha256="0" * 64, bytes=1, stamp=stamp)


def listing(*files: File, held: tuple[str, ...] = ()) -> Listing:
    """A listing of these files."""
    return Listing(list(files), list(held), {"link": len(held)} if held else {}, list(held))


def test_each_file_and_document_is_one_of_the_kinds() -> None:
    """New, changed, the same content at another time, gone, unchanged, and in conflict with another's document."""
    files = [file("new"), file("taken"), file("same"), file("changed", "2"), file("touched", "2")]
    difference = Difference(listing(*files), [document("same"), document("changed"), document("touched")])
    difference.update([document("gone")])
    assert [(file.name, document.name) for file, document in difference.candidates] == [
        ("changed", "changed"),
        ("touched", "touched"),
    ]
    changed = [
        Change("stamp", "touched", "touched", stamp="2", document_id="id-touched"),
        Change("update", "changed", "changed", 1, document_id="id-changed"),
    ]
    changes, report = difference.changes({"taken"}, changed)
    assert [(change.kind, change.name) for change in changes] == [
        ("add", "new"),
        ("update", "changed"),
        ("stamp", "touched"),
        ("delete", "gone"),
    ]
    assert (report.files, report.documents, report.unchanged, report.conflicts) == (5, 4, 2, 1)
    assert (report.added, report.updated, report.deleted) == (1, 1, 1)
    assert report.names == {"added": ["new"], "updated": ["changed"], "deleted": ["gone"], "conflicts": ["taken"]}


def test_what_is_there_and_cannot_be_taken_is_not_deleted() -> None:
    """Neither a file that became too large, nor what lies in a folder that cannot be read."""
    documents = [document(name) for name in ("large", "locked/a", "locked/b/c", "lockedx", "gone")]
    difference = Difference(listing(held=("large", "locked")), documents)
    assert [document.name for document in difference.gone] == ["lockedx", "gone"]
    assert difference.unchanged == 3


@pytest.mark.parametrize(
    ("files", "documents", "deleted", "share", "asks"),
    [
        (95, 100, 5, 0.0, False),  # a few are always allowed
        (94, 100, 6, 0.0, True),
        (80, 100, 20, 0.2, False),
        (79, 100, 21, 0.2, True),
        (10, 2000, 1990, 0.2, True),
        (1, 3, 2, 0.2, False),
        (0, 3, 3, 0.2, True),  # an empty source asks, however few there were
        (0, 3, 3, 1.0, True),
        (0, 100, 0, 0.2, False),  # all of it is held
        (0, 0, 0, 0.2, False),
        (1, 1000, 999, 1.0, False),
    ],
)
def test_many_deletions_are_confirmed(files: int, documents: int, deleted: int, share: float, asks: bool) -> None:
    """More than the source allows, and all of an empty source."""
    reason = guard(SyncReport(files=files, documents=documents, deleted=deleted), share)
    assert (reason is not None) == asks


def test_the_question_has_the_numbers() -> None:
    """In both languages."""
    reason = guard(SyncReport(files=10, documents=2000, deleted=1990), 0.2)
    assert reason is not None
    assert "1,990 of 2,000 documents are gone from the source" in reason.render("en")
    assert "1,990" in reason.render("zh")
