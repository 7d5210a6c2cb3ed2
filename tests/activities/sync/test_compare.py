"""The difference between a listing and the documents of a source, and when a person is asked."""

from __future__ import annotations

import pytest

from activities.contracts.sync import SyncReport
from activities.stores.catalog.source_records import SourceDocument
from activities.sync.compare import Change, Difference, guard
from activities.sync.listing import Collector, File, Listing


def file(name: str, stamp: str = "1") -> File:
    """A file whose path is its name."""
    return File(name, name, 1, stamp)


def document(name: str, stamp: str = "1") -> SourceDocument:
    """The document of a file."""
    return SourceDocument(id=f"id-{name}", name=name, sha256="0" * 64, bytes=1, stamp=stamp)


def listing(*files: File, held: tuple[str, ...] = (), folders: tuple[str, ...] = ()) -> Listing:
    """A listing of these files."""
    return Listing(list(files), list(held), {"link": len(held)} if held else {}, list(held), list(folders))


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
    documents = [document(name) for name in ("large", "large/gone", "locked/a", "locked/b/c", "lockedx", "gone")]
    difference = Difference(listing(held=("large", "locked"), folders=("locked",)), documents)
    assert [document.name for document in difference.gone] == ["large/gone", "lockedx", "gone"]
    assert difference.unchanged == 3


def test_what_is_left_out_is_held_by_the_name_of_its_document() -> None:
    """Paths may be written in another form than names (NFD, backslashes), and have characters that no terminal gets."""
    files = Collector((), (), 100)
    files.leave_out("link", "cafe\u0301.md", folder=True)
    files.leave_out("unreadable", "re\u0301sume\u0301", folder=True)
    files.add("a\\b.md", 0, "")
    files.add("evil\x1b[2J\n.md", 5, "")
    found = files.listing()
    documents = [document(name) for name in ("caf\u00e9.md", "r\u00e9sum\u00e9/x.md", "a/b.md", "gone.md")]
    assert [document.name for document in Difference(found, documents).gone] == ["gone.md"]
    assert found.examples[-1] == "evil?[2J?.md"


def test_of_two_files_with_one_name_the_same_is_taken_in_each_listing() -> None:
    """Whatever the order in which the file system lists them: a document that changes with each sync helps nobody."""
    paths = ["cafe\u0301.md", "caf\u00e9.md"]
    for order in (paths, paths[::-1]):
        files = Collector((), (), 100)
        for path in order:
            files.add(path, 5, path)
        found = files.listing()
        assert [file.path for file in found.files] == [paths[0]]
        assert (found.left_out, found.examples) == ({"same_name": 1}, [paths[1]])


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
