"""The forms of the audit export: JSON Lines, CSV, OCSF."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from activities.stores.catalog.audit.actions import ACTIONS, object_type_of
from activities.stores.catalog.records import AuditEvent
from api.audit.export.formats import COLUMNS, Format, cell, exported
from api.audit.export.ocsf import ocsf_event

AT = datetime(2026, 1, 2, 11, 30, 5, 250_000, UTC)
EMPTY = dict.fromkeys(AuditEvent.__struct_fields__) | {"detail": {}}

#: Attributes that OCSF 1.3.0 requires, of all events and of each class, and what else of it is used here.
REQUIRED = {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"}
REQUIRED_BY_CLASS = {
    3001: {"user"},
    3002: {"user"},
    3006: {"group"},
    6003: {"actor", "api", "src_endpoint"},
}
OPTIONAL = {"status_id", "status_code", "count", "unmapped", "actor", "src_endpoint", "http_request"}
OPTIONAL_BY_CLASS: dict[int, set[str]] = {3001: set(), 3002: {"service"}, 3006: {"user"}, 6003: {"resources"}}

#: The numbers of activities of each class; 99 is "other".
ACTIVITIES = {
    3001: {1, 2, 3, 4, 5, 6, 7, 8, 9, 99},
    3002: {1, 2, 3, 4, 5, 99},
    3006: {1, 2, 3, 4, 5, 6, 99},
    6003: {1, 2, 3, 4, 99},
}

#: Of objects, one of these attributes has to be there.
ONE_OF = {
    "user": {"name", "uid"},
    "src_endpoint": {"ip", "svc_name"},
    "group": {"name", "uid"},
    "service": {"name", "uid"},
}


def event(action: str, **given: Any) -> AuditEvent:
    """An event with what is given."""
    fields = {"id": "e1", "at": AT, "actor": "ann", "outcome": "done", "action": action}
    return msgspec.convert(EMPTY | {"object_type": object_type_of(action)} | fields | given, AuditEvent)


def checked(found: dict[str, Any]) -> dict[str, Any]:
    """An OCSF event that has what it must have, and nothing that it may not have."""
    kind = found["class_uid"]
    required = REQUIRED | REQUIRED_BY_CLASS[kind]
    assert required <= found.keys() <= required | OPTIONAL | OPTIONAL_BY_CLASS[kind]
    assert found["category_uid"] == kind // 1000
    assert found["activity_id"] in ACTIVITIES[kind]
    assert found["type_uid"] == kind * 100 + found["activity_id"]
    assert found["severity_id"] in range(7)
    assert found["status_id"] in (1, 2)
    assert found["metadata"]["version"] == "1.3.0"
    assert found["metadata"]["product"].keys() >= {"name", "vendor_name"}
    assert "operation" in found.get("api", {"operation": ""})
    for place in (found, found["actor"]):
        for name, attributes in ONE_OF.items():
            assert name not in place or attributes & {key for key, value in place[name].items() if value}, name
    return found


def test_every_action_is_an_event_of_ocsf() -> None:
    """With and without an object, an address and a request, however it ended."""
    whole = {"object_id": "o1", "object_name": "a.pdf", "address": "10.0.0.7", "request_id": "r1", "version": 2}
    whole |= {"detail": {"user": "bob", "repeated": 4}, "code": "not-allowed", "key_id": "k1"}
    for action in ACTIONS:
        for outcome in ("done", "refused", "failed"):
            bare = checked(ocsf_event(event(action, outcome=outcome)))
            full = checked(ocsf_event(event(action, outcome=outcome, **whole)))
            assert bare["type_uid"] == full["type_uid"]
            assert full["metadata"]["event_code"] == action
            assert (full["src_endpoint"], full["http_request"]) == ({"ip": "10.0.0.7"}, {"uid": "r1"})
            assert (full["time"], full["count"], full["unmapped"]["version"]) == (1767353405250, 4, 2)


@pytest.mark.parametrize(
    ("action", "outcome", "type_uid", "status"),
    [
        ("session.create", "done", 300201, 1),
        ("session.refused", "done", 300201, 2),
        ("session.end", "done", 300202, 1),
        ("access.refuse", "refused", 300201, 2),
        ("user.remove", "done", 300106, 1),
        ("user.create", "failed", 300101, 2),
        ("user.list", "done", 600302, 1),
        ("key.create", "done", 300101, 1),
        ("group.add-member", "done", 300603, 1),
        ("document.upload", "done", 600301, 1),
        ("document.download", "refused", 600302, 2),
        ("knowledge_base.update", "done", 600303, 1),
        ("document.delete", "done", 600304, 1),
        ("reindex.rollback", "done", 600399, 1),
    ],
)
def test_an_action_has_its_class_and_activity(action: str, outcome: str, type_uid: int, status: int) -> None:
    """Sign-ins, changes of accounts, changes of groups, and what else was done."""
    found = ocsf_event(event(action, outcome=outcome))
    assert (found["type_uid"], found["status_id"]) == (type_uid, status)


def test_an_account_change_names_the_account() -> None:
    """The user that was changed, or the owner of the key; not who did it."""
    assert ocsf_event(event("user.lock", object_name="bob", object_id="u1"))["user"] == {"name": "bob", "uid": "u1"}
    assert ocsf_event(event("key.revoke", object_id="k1", detail={"subject": "bob"}))["user"] == {"name": "bob"}
    assert ocsf_event(event("session.refused", detail={"name": "eve"}))["user"] == {"name": "eve"}


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\x00=1", "＝1", "－1"]
)
def test_no_cell_is_a_formula(text: str) -> None:
    """Neither at once nor behind what a spreadsheet skips; nor where it takes semicolons for ends of cells."""
    assert cell(text).startswith("'")
    assert len(cell(text).splitlines()) == 1
    assert cell(f"x;{text}").split(";")[1].startswith("'")
    assert cell({"name": "x;=1"}).split(";")[1].startswith("'")


def test_other_cells_are_as_they_are() -> None:
    """Texts, numbers, times, nothing, and details as JSON."""
    assert [cell(value) for value in ("a=b", "休假.pdf", 3, None, AT, {"n": 1, "name": "=x"})] == [
        "a=b", "休假.pdf", "3", "", "2026-01-02T11:30:05.250000+00:00", '{"n":1,"name":"=x"}',
    ]  # fmt: skip


async def test_an_export_is_made_page_by_page() -> None:
    """A page is encoded before the next one is read; each form has each event on a line of its own."""
    for format in ("jsonl", "csv", "ocsf"):
        read = 0

        async def pages() -> AsyncIterator[list[AuditEvent]]:
            nonlocal read
            for number in range(3):
                read += 1
                yield [event("document.upload", id=f"e{number}", object_name='=a,"b"\n.pdf')]

        written, seen = b"", 0
        async for piece in exported(pages(), format):
            written, seen = written + piece, seen + (b"document.upload" in piece)
            assert read == seen
        lines = written.decode().split("\n")[:-1]
        assert ids(format, lines) == ["e0", "e1", "e2"]


def ids(format: Format, lines: list[str]) -> list[str]:
    """The ids of the events in a file."""
    if format == "csv":
        (heading, *rows) = csv.reader(io.StringIO("\n".join(lines)))
        assert tuple(heading) == COLUMNS
        assert {row[COLUMNS.index("object_name")] for row in rows} == {'\'=a,"b" .pdf'}
        return [row[0] for row in rows]
    found = [json.loads(line) for line in lines]
    return [each["id"] if format == "jsonl" else checked(each)["metadata"]["uid"] for each in found]


async def test_an_empty_export_has_its_header() -> None:
    """A CSV without events can be opened; the other forms are empty."""

    async def nothing() -> AsyncIterator[list[AuditEvent]]:
        for page in ():
            yield page

    assert b"".join([piece async for piece in exported(nothing(), "csv")]).decode() == ",".join(COLUMNS) + "\r\n"
    assert [piece async for piece in exported(nothing(), "ocsf")] == []
