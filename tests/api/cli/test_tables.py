"""Tables on terminals: ids are whole at every width."""

from __future__ import annotations

import random

import pytest

from api.cli.tables import EXPENDABLE, GAP, LEAST_NAME, NAMES, SENTENCES, fit
from api.cli.texts.messages import TEXTS
from api.documents.schemas import DocumentInfo
from tests.api.cli.fake_api import whole
from tests.api.cli.terminal import Terminal

ID = "0" * 31 + "1"
DOCUMENTS = {"id": 32, "state": 7, "name": 60, "version": 7, "chunks": 6, "pages": 5, "bytes": 9, "details": 120}


def width(widths: dict[str, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def test_a_wide_terminal_shows_everything() -> None:
    """Each column as wide as it has to be."""
    assert fit(DOCUMENTS, 300, ("id",), set()) == DOCUMENTS


def test_80_columns_keep_what_matters() -> None:
    """The id whole, the state, a readable name; what is empty goes first, then the figures."""
    shown = fit(DOCUMENTS | {"details": 18}, 80, ("id",), {"details"})
    assert (shown["id"], shown["state"]) == (32, 7)
    assert shown["name"] >= LEAST_NAME
    assert not {"bytes", "details"} & shown.keys()
    failed = fit(DOCUMENTS, 80, ("id",), set())
    assert failed.keys() == {"id", "state", "name", "details"}
    assert width(failed) <= 80


def test_no_table_is_wider_than_its_terminal() -> None:
    """Unless what it has to show needs more; an id is never narrower than it is, or left out."""
    columns = sorted(SENTENCES | NAMES | {*EXPENDABLE, "at", "state", "new"})
    choose = random.Random(7)
    for _ in range(2000):
        chosen = choose.sample(columns, choose.randint(1, 8))
        natural = {"id": 32} | {column: choose.randint(1, 120) for column in chosen}
        room = choose.randint(1, 250)
        shown = fit(natural, room, ("id",), set())
        assert shown["id"] == 32
        assert all(0 < shown[column] <= natural[column] for column in shown)
        if width(natural) <= room:
            assert shown == natural
        elif width(shown) > room:
            assert all(shown[column] == 1 for column in shown.keys() - {"id"})
            assert not shown.keys() & {*EXPENDABLE}


def test_all_columns_have_titles() -> None:
    """The columns that the layout knows exist."""
    assert [column for column in (*EXPENDABLE, *SENTENCES, *NAMES) if f"col.{column}" not in TEXTS] == []


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_an_id_can_be_copied(terminal: Terminal, columns: int) -> None:
    """On a terminal of each width it is on one line; a sentence is wrapped, a name is shortened."""
    name, reason = "a" * 50 + ".pdf", "The file is damaged. Save it again with the program that made it, and upload it."
    document = whole(DocumentInfo, id=ID, name=name, reason=reason, state="failed")
    terminal.fake.on("GET /api/v1/knowledge-bases/hr/documents", {"items": [document]})
    screen = terminal.run("ls", "--kb", "hr", columns=columns)
    lines = [line.rstrip() for line in screen.text.splitlines()]
    assert screen.exit_code == 0
    assert sum(ID in line for line in lines) == 1, screen.text
    if columns >= 80:
        assert max(map(len, lines)) <= columns
        assert "aaaaaaaaaaaaaaa" in screen.text
        assert "damaged" in screen.text
        assert "upload" in screen.text
