"""`holdfast doctor --repair`: its requests to the API and its report of the repairs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from activities.contracts.reconcile import DiscrepancyKind
from activities.contracts.stages import RECONCILE_STAGES
from api.cli import repair
from api.cli.texts.messages import TEXTS
from api.http.schemas import JobAccepted
from api.maintenance.schemas import ReconcileInfo
from tests.api.cli.fake_api import CHINESE, FakeApi, Holdfast, Reply, command_line, serving, whole


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    monkeypatch.setattr(repair, "LOOK_SECONDS", 0.01)
    with serving() as fake:
        fake.on("POST /api/v1/reconcile", whole(JobAccepted, id="r1", state="queued"), 202)
        yield fake


@pytest.fixture
def holdfast(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Holdfast:
    return command_line(api, tmp_path, monkeypatch)


def state(state: str, *findings: dict[str, Any], reason: str | None = None) -> Reply:
    """A response with the state of the job."""
    report = {"repair": True, "findings": findings} if state == "ready" else None
    where = {"stage": "rows", "stage_number": 6, "stage_count": 8}
    return Reply(json.dumps(whole(ReconcileInfo, state=state, reason=reason, report=report, **where)).encode())


def finding(kind: str, count: int, mended: int, failed: int = 0) -> dict[str, Any]:
    """A discrepancy with examples."""
    return {"kind": kind, "count": count, "mended": mended, "failed": failed, "examples": ["a", "b", "c", "d"]}


def test_repairs_are_shown_as_a_table(api: FakeApi, holdfast: Holdfast) -> None:
    """It waits for the end; discrepancies that a person has to decide are no failure."""
    found = [finding("stray_blobs", 12, 12), finding("foreign_collections", 1, 0)]
    api.routes["GET /api/v1/reconcile/r1"] = [state("queued"), state("running"), state("ready", *found)]
    result = holdfast("doctor", "--repair")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "unreferenced files, removed\t12\t12\t0\ta; b; c",
        "Milvus collections of another installation or a lost catalogue, left unchanged\t1\t0\t1\ta; b; c",
    ]
    assert json.loads(api.requests[0].body) == {"repair": True, "all_files": False}


def test_all_files_are_looked_for_on_request(api: FakeApi, holdfast: Holdfast) -> None:
    """Only together with a repair."""
    api.routes["GET /api/v1/reconcile/r1"] = [state("ready")]
    assert holdfast("doctor", "--repair", "--all-files").exit_code == 0
    assert json.loads(api.requests[0].body) == {"repair": True, "all_files": True}
    assert holdfast("doctor", "--all-files").exit_code == 2


def test_a_failed_repair_is_a_failure(api: FakeApi, holdfast: Holdfast) -> None:
    """Exit 1, also with --json, which has the whole report."""
    api.routes["GET /api/v1/reconcile/r1"] = state("ready", finding("wrong_counts", 2, 1, 1))
    assert holdfast("doctor", "--repair").exit_code == 1
    result = holdfast("doctor", "--repair", "--json")
    assert (result.exit_code, json.loads(result.stdout)["report"]["findings"][0]["failed"]) == (1, 1)


def test_a_job_that_failed_says_why(api: FakeApi, holdfast: Holdfast) -> None:
    """In the language of the terminal."""
    api.routes["GET /api/v1/reconcile/r1"] = state("failed", reason="出错了。")
    result = holdfast("doctor", "--repair", env={"LC_ALL": CHINESE})
    assert (result.exit_code, result.stderr) == (1, "核对未能完成：出错了。\n")
    api.routes["GET /api/v1/reconcile/r1"] = state("canceled")
    assert "canceled" in holdfast("doctor", "--repair").stderr


def test_every_stage_and_kind_has_its_text() -> None:
    """Every stage and every kind of discrepancy."""
    wanted = {f"repair.{stage}" for stage in RECONCILE_STAGES} | {
        f"finding.{kind}" for kind in get_args(DiscrepancyKind)
    }
    assert wanted <= TEXTS.keys()
