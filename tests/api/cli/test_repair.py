"""`holdfast doctor --repair`: its requests to the API and its report of the repairs."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from activities.contracts.reconcile import DiscrepancyKind
from activities.contracts.stages import RECONCILE_STAGES
from api.cli import repair
from api.cli.texts.messages import TEXTS
from api.http.schemas import JobAccepted
from api.maintenance.schemas import ReconcileInfo
from tests.api.cli.fake_api import CHINESE, FakeApi, Holdfast, Reply, whole


@pytest.fixture
def fake(fake: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """An API that accepts a comparison as r1."""
    monkeypatch.setattr(repair, "LOOK_SECONDS", 0.01)
    fake.on("POST /api/v1/reconcile", whole(JobAccepted, id="r1", state="queued"), 202)
    return fake


def state(state: str, *findings: dict[str, Any], reason: str | None = None) -> Reply:
    """A response with the state of the job."""
    report = {"repair": True, "findings": findings} if state == "ready" else None
    where = {"stage": "rows", "stage_number": 6, "stage_count": 8}
    return Reply(json.dumps(whole(ReconcileInfo, state=state, reason=reason, report=report, **where)).encode())


def finding(kind: str, count: int, mended: int, failed: int = 0) -> dict[str, Any]:
    """A discrepancy with examples."""
    return {"kind": kind, "count": count, "mended": mended, "failed": failed, "examples": ["a", "b", "c", "d"]}


def test_repairs_are_shown_as_a_table(fake: FakeApi, holdfast: Holdfast) -> None:
    """It waits for the end; discrepancies that a person has to decide are no failure."""
    found = [finding("stray_blobs", 12, 12), finding("foreign_collections", 1, 0)]
    fake.routes["GET /api/v1/reconcile/r1"] = [state("queued"), state("running"), state("ready", *found)]
    result = holdfast("doctor", "--repair")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "unreferenced files, removed\t12\t12\t0\ta; b; c",
        "Milvus collections of another installation or a lost catalogue, left unchanged\t1\t0\t1\ta; b; c",
    ]
    assert json.loads(fake.requests[0].body) == {"repair": True, "all_files": False}


def test_all_files_are_looked_for_on_request(fake: FakeApi, holdfast: Holdfast) -> None:
    """Only together with a repair."""
    fake.routes["GET /api/v1/reconcile/r1"] = [state("ready")]
    assert holdfast("doctor", "--repair", "--all-files").exit_code == 0
    assert json.loads(fake.requests[0].body) == {"repair": True, "all_files": True}
    assert holdfast("doctor", "--all-files").exit_code == 2


def test_a_failed_repair_is_a_failure(fake: FakeApi, holdfast: Holdfast) -> None:
    """Exit 1, also with --json, which has the whole report."""
    fake.routes["GET /api/v1/reconcile/r1"] = state("ready", finding("wrong_counts", 2, 1, 1))
    assert holdfast("doctor", "--repair").exit_code == 1
    result = holdfast("doctor", "--repair", "--json")
    assert (result.exit_code, json.loads(result.stdout)["report"]["findings"][0]["failed"]) == (1, 1)


def test_a_job_that_failed_says_why(fake: FakeApi, holdfast: Holdfast) -> None:
    """In the language of the terminal."""
    fake.routes["GET /api/v1/reconcile/r1"] = state("failed", reason="出错了。")
    result = holdfast("doctor", "--repair", env={"LC_ALL": CHINESE})
    assert (result.exit_code, result.stderr) == (1, "核对未能完成：出错了。\n")
    fake.routes["GET /api/v1/reconcile/r1"] = state("canceled")
    assert "canceled" in holdfast("doctor", "--repair").stderr


def test_every_stage_and_kind_has_its_text() -> None:
    """Every stage and every kind of discrepancy."""
    wanted = {f"repair.{stage}" for stage in RECONCILE_STAGES} | {
        f"finding.{kind}" for kind in get_args(DiscrepancyKind)
    }
    assert wanted <= TEXTS.keys()
