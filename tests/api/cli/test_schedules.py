"""`holdfast schedule`: requests to the API, and output."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.http.schemas import JobAccepted
from api.schedules.schemas import BackfillAccepted, ExpiredInfo, RetentionPreview, ScheduleInfo, ScheduleRunInfo
from tests.api.cli.fake_api import CHINESE, FakeApi, Holdfast, whole

PATH = "/api/v1/schedules"
RUN = whole(
    ScheduleRunInfo, occurrence="old-1", state="waiting", started_at="2026-11-01T02:00:03Z", counts={"expired": 3},
    reason="It would delete 3 of 6 documents.",
)  # fmt: skip


def info(of: str = "retention", **fields: Any) -> dict[str, Any]:
    """A schedule of a kind as the API shows it."""
    known = {
        "name": "old", "knowledge_base": "hr", "when": "daily at 02:00 (Europe/Berlin)",
        "options": {"days": 365}, "next": ["2026-12-01T02:00:00+01:00"], "last": RUN, "runs": [RUN],
    }  # fmt: skip
    return whole(ScheduleInfo, **known | fields) | {"kind": of}


def sent(fake: FakeApi, route: str) -> Any:
    """The body of the last request of a route."""
    return json.loads(fake.asked(route)[-1].body)


def test_a_schedule_is_created_with_the_options_of_its_kind(fake: FakeApi, holdfast: Holdfast) -> None:
    """Values are JSON where they can be; what is not given is left to the API."""
    fake.on(f"POST {PATH}", info(), 201)
    words = ["--option", "days=365", "--option", "tag=old minutes", "--cron", "0 2 * * *", "--zone", "Europe/Berlin"]
    shown = holdfast("schedule", "create", "old", "--kind", "retention", "--kb", "hr", *words)
    assert shown.stdout == ("The schedule old fires daily at 02:00 (Europe/Berlin); next 2026-12-01 02:00+0100.\n"), (
        shown.stderr
    )
    assert sent(fake, f"POST {PATH}") == {
        "name": "old", "kind": "retention", "knowledge_base": "hr", "cron": "0 2 * * *",
        "time_zone": "Europe/Berlin", "options": {"days": 365, "tag": "old minutes"},
    }  # fmt: skip
    refused = holdfast("schedule", "create", "old", "--kind", "retention", "--kb", "hr", "--option", "days")
    assert (refused.exit_code, "NAME=VALUE" in refused.stderr) == (2, True)


def test_the_list_has_next_time_and_last_outcome(fake: FakeApi, holdfast: Holdfast) -> None:
    """One line for each, also of those that are paused or that Temporal says nothing of."""
    others = [info(name="idle", last=None, paused=True), info(name="dark", last=None, next=None)]
    fake.on(f"GET {PATH}", {"items": [info(), *others], "next_cursor": None})
    lines = [line.split("\t") for line in holdfast("schedule", "list").stdout.splitlines()]
    when = "daily at 02:00 (Europe/Berlin)"
    assert lines == [
        ["old", "retention", "hr", when, "2026-12-01 02:00+0100", "waiting 2026-11-01 02:00+0000"],
        ["idle", "retention", "hr", when, "paused", ""],
        ["dark", "retention", "hr", when, "unknown", ""],
    ]
    assert json.loads(holdfast("schedule", "list", "--json").stdout)["items"][0] == info()
    fake.on(f"GET {PATH}?kb=hr", {"items": [], "next_cursor": None})
    assert holdfast("schedule", "list", "--kb", "hr").stdout == ""


def test_a_schedule_is_shown_with_its_runs(fake: FakeApi, holdfast: Holdfast) -> None:
    """Fields by name, then a line for each run."""
    fake.on(f"GET {PATH}/old", info())
    shown = holdfast("schedule", "show", "old").stdout.splitlines()
    assert 'options: {"days": 365}' in shown
    assert shown[-1].split("\t") == ["old-1", "waiting", "2026-11-01 02:00+0000", "expired=3", RUN["reason"]]


@pytest.mark.parametrize(
    ("words", "route", "body", "said"),
    [
        (["pause", "old", "--note", "audit"], f"POST {PATH}/old/pause", {"note": "audit"}, "is paused"),
        (["resume", "old"], f"POST {PATH}/old/resume", None, "goes on; next 2026-12-01"),
        (["run", "old"], f"POST {PATH}/old/run", None, "was started"),
        (["cancel", "old", "--yes"], f"POST {PATH}/old/cancel", None, "is being canceled"),
        (["change", "old", "--every", "60"], f"PATCH {PATH}/old", {"every_minutes": 60}, "fires daily"),
        (
            ["backfill", "old", "--from", "2026-05-01", "--to", "2026-05-03T12:00+02:00"],
            f"POST {PATH}/old/backfill",
            {"start": "2026-05-01T00:00:00+00:00", "end": "2026-05-03T12:00:00+02:00"},
            "3 runs",
        ),
    ],
)
def test_an_action_is_one_request(
    fake: FakeApi, holdfast: Holdfast, words: list[str], route: str, body: Any, said: str
) -> None:
    """With what was given, and a sentence on what happens."""
    answers = {"backfill": whole(BackfillAccepted, name="old", runs=3), "run": whole(JobAccepted, id="old")}
    fake.on(route, answers.get(words[0], answers["run"] if words[0] == "cancel" else info()))
    shown = holdfast("schedule", *words)
    assert said in shown.stdout, shown.stderr
    (request,) = fake.asked(route)
    assert (json.loads(request.body) if request.body else None) == body


def test_what_takes_away_is_asked_first(fake: FakeApi, holdfast: Holdfast) -> None:
    """Where nobody can be asked, it needs --yes."""
    fake.on(f"GET {PATH}/old", info())
    fake.on(f"POST {PATH}/old/confirm", whole(JobAccepted, id="old"))
    fake.routes[f"DELETE {PATH}/old"] = fake.routes[f"POST {PATH}/old/confirm"]
    for action in ("confirm", "cancel", "delete"):
        refused = holdfast("schedule", action, "old")
        assert (refused.exit_code, "--yes" in refused.stderr) == (2, True)
    assert not [request for request in fake.requests if request.method != "GET"]
    assert "deletes what it has counted" in holdfast("schedule", "confirm", "old", "--yes").stdout
    assert holdfast("schedule", "delete", "old", "--yes").stdout == "The schedule old is deleted.\n"


def test_a_preview_names_what_would_go(fake: FakeApi, holdfast: Holdfast) -> None:
    """With the options of the schedule; other kinds delete nothing."""
    items = [whole(ExpiredInfo, name="a.txt", uploaded_at="2020-01-01T00:00:00Z")]
    found = whole(RetentionPreview, documents=6, expired=3, allowed=False, items=items)
    fake.on(f"GET {PATH}/old", info())
    fake.on("POST /api/v1/knowledge-bases/hr/retention-preview", found)
    lines = holdfast("schedule", "preview", "old").stdout.splitlines()
    assert lines[0] == "3 of 6 documents would be deleted."
    assert "would wait" in lines[1]
    assert lines[2].split("\t") == ["a.txt", "2020-01-01 00:00+0000"]
    assert sent(fake, "POST /api/v1/knowledge-bases/hr/retention-preview") == {"days": 365}
    assert "将删除 6 个文档中的 3 个" in holdfast("schedule", "preview", "old", env={"LC_ALL": CHINESE}).stdout
    fake.on(f"GET {PATH}/old", info("reindex"))
    assert holdfast("schedule", "preview", "old").exit_code == 2


def test_a_time_that_is_none_is_a_usage_error(fake: FakeApi, holdfast: Holdfast) -> None:
    """Nothing is sent."""
    shown = holdfast("schedule", "backfill", "old", "--from", "yesterday", "--to", "2026-05-01")
    assert (shown.exit_code, "yesterday" in shown.stderr) == (2, True)
    assert not fake.requests
