"""`holdfast sync`: requests to the API, and output."""

from __future__ import annotations

import json
from typing import Any

from api.http.schemas import JobAccepted
from api.sources.schemas import ReportInfo, SourceInfo, SyncInfo
from tests.api.cli.fake_api import CHINESE, FakeApi, Holdfast, sse, whole

SOURCE, SYNC = "0" * 31 + "1", "0" * 31 + "2"
JOB = whole(JobAccepted, id=SYNC, state="queued", workflow_id=f"sync/{SOURCE}/{SYNC}")
LIST = "GET /api/v1/knowledge-bases/hr/sources?limit=1000"
REPORT = whole(
    ReportInfo, files=7, documents=9, added=2, updated=1, deleted=4, unchanged=4, conflicts=1,
    left_out={"link": 3, "excluded": 1}, guarded=True, names={"added": ["a.md", "b.md"], "deleted": ["c.md"]},
)  # fmt: skip


def sync(**fields: Any) -> dict[str, Any]:
    """A sync as the API shows it."""
    return whole(SyncInfo, id=SYNC, source_id=SOURCE, source="handbook", **({"state": "running"} | fields))


def source(**fields: Any) -> dict[str, Any]:
    """A source as the API shows it."""
    return whole(SourceInfo, id=SOURCE, name="handbook", knowledge_base="hr", location="/srv/docs", **fields)


def lists(fake: FakeApi, **fields: Any) -> None:
    """The knowledge base has this source."""
    fake.on(LIST, {"items": [source(**fields)], "next_cursor": None})


def test_a_source_is_added_and_listed(fake: FakeApi, holdfast: Holdfast) -> None:
    """What is not given is left to the API; the table shows the newest sync's state."""
    fake.on("POST /api/v1/knowledge-bases/hr/sources", source())
    shown = holdfast("sync", "add", "/srv/docs", "--kb", "hr", "--exclude", "*.tmp", "--tag", "a", "--tag", "b")
    assert "holdfast sync preview handbook --kb hr" in shown.stdout
    assert json.loads(fake.requests[-1].body) == {"location": "/srv/docs", "exclude": ["*.tmp"], "tags": ["a", "b"]}
    lists(fake, documents=9, last_sync=sync(state="ready"))
    assert holdfast("sync", "list", "--kb", "hr").stdout == f"{SOURCE}\thandbook\t/srv/docs\t9\tready\n"
    assert json.loads(holdfast("sync", "list", "--kb", "hr", "--json").stdout)["items"][0]["name"] == "handbook"


def test_a_source_is_changed(fake: FakeApi, holdfast: Holdfast) -> None:
    """What is not given stays; an empty text empties a list, and nothing at all is a usage error."""
    lists(fake)
    fake.on(f"PATCH /api/v1/sources/{SOURCE}", source())
    assert holdfast("sync", "change", "handbook", "--kb", "hr").exit_code == 2
    words = ("--name", "manual", "--include", "*.md", "--exclude", "", "--max-delete-share", "0")
    shown = holdfast("sync", "change", "handbook", "--kb", "hr", *words)
    assert shown.stdout == "“handbook” was changed; its next sync goes by that.\n"
    assert holdfast("sync", "change", "hand", "--kb", "hr", *words).exit_code == 0
    assert holdfast("sync", "change", "manual", "--kb", "hr", *words).exit_code == 2
    request, _ = fake.asked(f"PATCH /api/v1/sources/{SOURCE}")
    assert json.loads(request.body) == {"name": "manual", "include": ["*.md"], "exclude": [], "max_delete_share": 0}


def test_a_preview_is_a_sentence_with_names(fake: FakeApi, holdfast: Holdfast) -> None:
    """It is waited for; the first names of each kind follow."""
    lists(fake)
    fake.on(f"POST /api/v1/sources/{SOURCE}/sync", JOB)
    done = sync(state="ready", preview=True, report=REPORT)
    fake.routes[f"GET /api/v1/syncs/{SYNC}/events"] = sse(("state", sync()), ("state", done))
    fake.on(f"GET /api/v1/syncs/{SYNC}", done)
    shown = holdfast("sync", "preview", "handbook", "--kb", "hr").stdout
    for words in ("2 to add", "1 to update", "4 to delete", "have to be confirmed", "1 left alone", "3 links"):
        assert words in shown
    assert shown.splitlines()[1:] == ["  add: a.md", "  add: b.md", "  delete: c.md"]
    assert json.loads(fake.asked(f"POST /api/v1/sources/{SOURCE}/sync")[0].body) == {"preview": True}
    assert "待删除 4" in holdfast("sync", "preview", "handbook", "--kb", "hr", env={"LC_ALL": CHINESE}).stdout
    assert json.loads(holdfast("sync", "preview", SOURCE, "--kb", "hr", "--json").stdout)["report"] == REPORT


def test_a_sync_is_followed_to_its_end(fake: FakeApi, holdfast: Holdfast) -> None:
    """With what was done; exit 1 unless it is ready."""
    lists(fake)
    fake.on(f"POST /api/v1/sources/{SOURCE}/sync", JOB)
    done = sync(state="ready", applied={"added": 2, "deleted": 4, "missed": 1}, report=REPORT)
    states = [sync(stage="apply", stage_number=4, stage_count=5, done=3, total=7), done]
    fake.routes[f"GET /api/v1/syncs/{SYNC}/events"] = sse(*(("state", state) for state in states))
    fake.on(f"GET /api/v1/syncs/{SYNC}", done)
    first, last = holdfast("sync", "run", "handbook", "--kb", "hr", "--watch").stdout.splitlines()
    assert first == "running · applying 4/5, 3/7"
    assert last.startswith("ready · 2 added, 0 updated, 4 deleted · 1 left to the next sync · 1 left alone")
    failed = sync(state="failed", reason="The source cannot be read.")
    fake.routes[f"GET /api/v1/syncs/{SYNC}/events"] = sse(("state", failed))
    fake.on(f"GET /api/v1/syncs/{SYNC}", failed)
    ended = holdfast("sync", "run", "handbook", "--kb", "hr", "--watch")
    assert (ended.exit_code, ended.stdout) == (1, "failed · The source cannot be read.\n")


def test_controls_go_to_the_newest_sync(fake: FakeApi, holdfast: Holdfast) -> None:
    """What takes something away needs --yes where nobody can be asked."""
    lists(fake, documents=9, last_sync=sync(state="waiting", waiting_for="confirmation", report=REPORT))
    for action in ("pause", "confirm"):
        fake.on(f"POST /api/v1/syncs/{SYNC}/{action}", JOB)
    assert holdfast("sync", "pause", "handbook", "--kb", "hr").stdout == "The sync is being paused.\n"
    assert holdfast("sync", "confirm", "handbook", "--kb", "hr").exit_code == 2
    assert not fake.asked(f"POST /api/v1/syncs/{SYNC}/confirm")
    assert "deletions are allowed" in holdfast("sync", "confirm", "handbook", "--kb", "hr", "--yes").stdout
    fake.on(f"DELETE /api/v1/sources/{SOURCE}", None)
    assert holdfast("sync", "remove", "handbook", "--kb", "hr").exit_code == 2
    assert "its 9 documents stay" in holdfast("sync", "remove", "handbook", "--kb", "hr", "--yes").stdout


def test_a_source_that_is_not_there_is_told(fake: FakeApi, holdfast: Holdfast) -> None:
    """By name, without a name of its knowledge base, and one that was never synced."""
    lists(fake)
    assert "no source of hr" in holdfast("sync", "show", "x", "--kb", "hr").stderr
    assert "--kb" in holdfast("sync", "show", "handbook").stderr
    assert "holdfast sync run handbook --kb hr" in holdfast("sync", "watch", "handbook", "--kb", "hr").stderr
