"""`holdfast reindex all`: requests to the API, and its report."""

from __future__ import annotations

import json

import httpx
import pytest

from api.http.schemas import JobAccepted
from api.reindex_all.schemas import ReindexAllInfo, ReindexAllItemInfo
from api.reindexes.schemas import GateInfo, MeasureInfo, PlanInfo
from tests.api.cli.fake_api import FakeApi, Holdfast, sse, whole
from tests.conftest import Platform, ready

ID = "0" * 31 + "1"
JOB = whole(JobAccepted, id=ID, state="queued", workflow_id=f"reindex-all/{ID}")
PLAN = whole(PlanInfo, embedded=40, seconds=75.4)
GATE = whole(GateInfo, measures=[whole(MeasureInfo, name="answers", difference=-0.25)], worse=[])


def info(state: str, *items: dict[str, object], done: int = 1) -> dict[str, object]:
    """A job as the API shows it."""
    return whole(
        ReindexAllInfo, id=ID, state=state, done=done, total=2, counts={"ready": done}, items=list(items),
        created_at="2026-11-29T12:00:00Z", updated_at="2026-11-29T12:00:00Z",
    )  # fmt: skip


ITEMS = (
    whole(ReindexAllItemInfo, knowledge_base="hr", state="ready", stage="retire", done=5, total=5, plan=PLAN),
    whole(ReindexAllItemInfo, knowledge_base="it", state="failed", reason="It is worse.", gate=GATE),
)


def test_a_job_is_started_followed_and_canceled(fake: FakeApi, holdfast: Holdfast) -> None:
    """The report has a line for each knowledge base; unless all are ready, the exit code says so."""
    fake.on("POST /api/v1/reindex-all", JOB)
    fake.on(f"GET /api/v1/reindex-all/{ID}", info("failed", *ITEMS))
    fake.routes[f"GET /api/v1/reindex-all/{ID}/events"] = sse(("state", info("failed", *ITEMS)))
    fake.on(f"POST /api/v1/reindex-all/{ID}/cancel", JOB)
    words = ("reindex", "all", "start", "hr", "it", "--limit", "2", "--go-on", "--max-tokens", "64", "--watch")
    half = holdfast(*words)
    assert (half.exit_code, fake.requests) == (2, [])
    assert "--overlap-tokens, or neither" in half.stderr
    shown = holdfast(*words, "--overlap-tokens", "8")
    assert shown.exit_code == 1
    assert "1 of 2 knowledge bases: failed" in shown.stdout
    assert "hr\tready\tretire 5/5\t40 chunks to embed, 75 s" in shown.stdout
    assert "answered -0.250\tIt is worse." in shown.stdout
    sent = json.loads(next(request for request in fake.requests if request.method == "POST").body)
    assert sent == {
        "knowledge_bases": ["hr", "it"],
        "limit": 2,
        "go_on": True,
        "chunking": {"max_tokens": 64, "overlap_tokens": 8},
    }
    assert json.loads(holdfast("reindex", "all", "show", ID, "--json").stdout)["items"][1]["reason"] == "It is worse."
    fake.on("GET /api/v1/reindex-all?limit=100", {"items": [info("failed")], "next_cursor": None})
    assert "1 of 2 knowledge bases: failed" in holdfast("reindex", "all", "show", ID[:7]).stdout
    assert holdfast("reindex", "all", "cancel", ID).exit_code == 2
    assert holdfast("reindex", "all", "cancel", ID, "--yes").stdout == "It is being canceled.\n"


def test_a_job_is_followed_by_its_events(fake: FakeApi, holdfast: Holdfast) -> None:
    """Each change of its counts is a line; then comes the report, and the exit code says whether all are ready."""
    fake.routes[f"GET /api/v1/reindex-all/{ID}/events"] = sse(
        ("state", info("running", done=0)), ("state", info("running", done=0)), ("state", info("running")),
        ("state", info("ready", done=2)),
    )  # fmt: skip
    fake.on(f"GET /api/v1/reindex-all/{ID}", info("ready", *ITEMS, done=2))
    told = holdfast("reindex", "all", "watch", ID)
    assert told.exit_code == 0
    assert told.stdout.splitlines()[:3] == [
        f"{done} of 2 knowledge bases: {state}" for done, state in ((0, "running"), (1, "running"), (2, "ready"))
    ]
    asked = [request.path for request in fake.requests if request.method == "GET"]
    assert asked == [f"/api/v1/reindex-all/{ID}/events", f"/api/v1/reindex-all/{ID}"]


@pytest.mark.endurance
async def test_many_knowledge_bases_from_plan_to_report(platform: Platform, api: httpx.AsyncClient, kb: str) -> None:
    """With a real platform: estimated, then re-indexed; where nothing changes, nothing is built."""
    other = f"{kb}-more"
    assert (await api.post("/knowledge-bases", json={"name": other})).status_code == 201
    for name in (kb, other):
        await ready(api, name, ("leave.txt", b"Employees may carry over five days of leave."))
    planned = platform.holdfast("reindex", "all", "start", other, kb, "--plan", "--json")
    assert planned.returncode == 0, planned.stderr
    report = json.loads(planned.stdout)
    assert [(item["knowledge_base"], item["plan"]["documents"]) for item in report["items"]] == [(other, 1), (kb, 1)]
    done = platform.holdfast("reindex", "all", "start", kb, other, "--questions", "recent", "--watch")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 knowledge bases: ready" in done.stdout
    listed = (await api.get("/reindex-all")).json()["items"]
    assert report["id"] in [job["id"] for job in listed]
    listed = (await api.get("/reindex-all")).json()["items"]
    assert report["id"] in [job["id"] for job in listed]
    unknown = await api.post("/reindex-all", json={"knowledge_bases": ["no-such-base"]})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not-found")
    late = await api.post(f"/reindex-all/{report['id']}/pause")
    assert late.json()["code"] == "wrong-state"
