"""`holdfast reindex`: requests to the API, and output."""

from __future__ import annotations

import json

import httpx

from api.http.schemas import JobAccepted
from api.knowledge_bases.schemas import KnowledgeBaseInfo
from api.reindexes.schemas import PlanInfo, ReindexInfo
from tests.api.cli.fake_api import CHINESE, FakeApi, Holdfast, sse, whole
from tests.conftest import Platform, ready

ID = "0" * 31 + "1"
JOB = whole(JobAccepted, id=ID, state="queued", workflow_id="reindex/k/2")
PLAN = whole(PlanInfo, documents=5, cut_again=5, chunks=10, new_chunks=40, embedded=40, tokens=2000, bytes=2_000_000,
             seconds=75.0, sampled=5)  # fmt: skip
NOTHING = whole(PlanInfo, documents=5, chunks=10, new_chunks=10)


def info(**fields: object) -> dict[str, object]:
    """A re-index as the API shows it."""
    return whole(ReindexInfo, id=ID, knowledge_base="hr", state="running", stage="build", done=2, total=5, **fields)


def test_a_plan_is_a_sentence(fake: FakeApi, holdfast: Holdfast) -> None:
    """It is waited for; --json prints the last state. What is not given of the chunking stays."""
    fake.on(
        "GET /api/v1/knowledge-bases/hr", whole(KnowledgeBaseInfo, chunking={"max_tokens": 350, "overlap_tokens": 20})
    )
    fake.on("POST /api/v1/knowledge-bases/hr/reindex-plan", JOB)
    path = f"GET /api/v1/reindexes/{ID}/events"
    for plan, words in (
        (PLAN, ["5 cut again", "about 40", "2000 tokens", "2.0 MB", "1 min 15 s"]),
        (NOTHING | {"documents": 0, "settings_differ": True}, ["the new settings are for those that are added"]),
        (NOTHING, ["Nothing to do"]),
    ):
        states = [info(), info() | {"state": "ready", "stage": "plan", "plan": plan}]
        fake.routes[path] = sse(*(("state", state) for state in states))
        shown = holdfast("reindex", "plan", "--kb", "hr", "--max-tokens", "64", "--model", "new")
        assert all(word in shown.stdout for word in words), shown.stdout
    sent = next(request for request in fake.requests if request.method == "POST")
    chunking = {"max_tokens": 64, "overlap_tokens": 20}
    assert json.loads(sent.body) == {"chunking": chunking, "embedding_model": "new"}
    shown = holdfast("reindex", "plan", "--kb", "hr", "--json", env={"LC_ALL": CHINESE})
    assert json.loads(shown.stdout)["plan"] == NOTHING


def test_a_job_is_named_by_its_knowledge_base(fake: FakeApi, holdfast: Holdfast) -> None:
    """What takes something away needs --yes where nobody can be asked, and says what it is."""
    fake.finds("reindex", "hr", {"id": ID, "name": "hr", "knowledge_base": "hr"})
    fake.on(f"GET /api/v1/reindexes/{ID}", info(previous=1, generation=2))
    for action in ("pause", "cancel", "finish", "rollback"):
        fake.on(f"POST /api/v1/reindexes/{ID}/{action}", JOB)
    assert holdfast("reindex", "pause", "hr").stdout == "The re-index is being paused.\n"
    for action, said in (
        ("cancel", "remove the 2 of 5 documents that it built?"),
        ("finish", "from before (generation 1) now?"),
        ("rollback", "(generation 1) and remove generation 2?"),
    ):
        refused = holdfast("reindex", action, "hr")
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert said in refused.stderr
        assert not fake.asked(f"POST /api/v1/reindexes/{ID}/{action}")
        assert holdfast("reindex", action, ID, "--yes").exit_code == 0
    assert holdfast("reindex", "rollback", "hr", "--yes").stdout == "The index from before is in use again.\n"
    missing = holdfast("reindex", "show", "new")
    assert missing.exit_code == 2
    assert "holdfast reindex start --kb new" in missing.stderr


async def test_a_reindex_from_start_to_end(platform: Platform, api: httpx.AsyncClient, kb: str) -> None:
    """With a real platform: started, followed, listed."""
    await ready(api, kb, ("leave.txt", b"Employees may carry over five days of leave."))
    planned = platform.holdfast("reindex", "plan", "--kb", kb)
    assert "Nothing to do" in planned.stdout, planned.stderr
    started = platform.holdfast("reindex", "start", "--kb", kb, "--max-tokens", "64", "--soak", "5", "--watch")
    assert started.returncode == 0, started.stderr
    assert "ready" in started.stdout.splitlines()[-1]
    (first, *_) = platform.holdfast("reindex", "list", "--kb", kb).stdout.splitlines()
    assert "ready" in first
