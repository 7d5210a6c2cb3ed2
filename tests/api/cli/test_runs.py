"""`holdfast audit runs|run|replay`: runs for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.api.cli.fake_api import CHINESE, FakeApi, Holdfast, Reply

ID = "01a227d0-9b21-7555-991a-703ba34522af"

RUN: dict[str, Any] = {
    "run_id": ID, "workflow_id": "ingest/d1/1", "type": "IngestDocument", "state": "completed", "stage": "ready",
    "knowledge_base": "hr", "document_id": "d1", "actor": "ann", "started_at": "2026-01-02T11:30:05Z",
    "closed_at": "2026-01-02T11:31:05Z", "archived": True, "temporal_url": "http://ui/run",
}  # fmt: skip

EVENT = {
    "id": 1, "at": "2026-01-02T11:30:05Z", "type": "workflow_execution_signaled", "name": "pause",
    "identity": "temporal-cli:eve@laptop",
}  # fmt: skip

REPLAY = {
    "run_id": ID, "workflow_id": "ingest/d1/1", "archived": True, "events": 12, "version": "0.1.0", "replays": True,
    "difference": None,
}  # fmt: skip


def test_runs_are_listed(fake: FakeApi, holdfast: Holdfast) -> None:
    """One line each, with the API's filters, over all pages up to the limit."""
    chosen = "kb=hr&actor=ann&type=IngestDocument&document_id=d1&since=2026-01-02T00%3A00%3A00%2B00%3A00"
    fake.on(f"GET /api/v1/audit/runs?limit=3&{chosen}", {"items": [RUN], "next_cursor": "c"})
    fake.on(f"GET /api/v1/audit/runs?limit=3&{chosen}&cursor=c", {"items": [RUN, RUN, RUN], "next_cursor": "d"})
    options = ["--kb", "hr", "--actor", "ann", "--type", "IngestDocument", "--document", "d1"]
    options += ["--since", "2026-01-02", "--limit", "3"]
    lines = holdfast("audit", "runs", *options).stdout.splitlines()
    row = f"{ID}\tIngestDocument\tcompleted\thr\tann\t2026-01-02 11:30:05\tarchived\tingest/d1/1"
    assert lines == [row] * 3
    assert json.loads(holdfast("audit", "runs", *options, "--json").stdout) == {"items": [RUN] * 3}


def test_a_run_is_shown_by_its_id_or_that_of_its_workflow(fake: FakeApi, holdfast: Holdfast) -> None:
    """With the hash of its file, and who did what; a workflow without runs is an error."""
    detail = RUN | {"sha256": "f" * 64, "events": 1, "history": [EVENT]}
    fake.on(f"GET /api/v1/audit/runs/{ID}", detail)
    fake.on(f"GET /api/v1/audit/runs?limit=1&workflow={quote('ingest/d1/1', safe='')}", {"items": [RUN]})
    fake.on(f"GET /api/v1/audit/runs?limit=1&workflow={quote('ingest/d2/1', safe='')}", {"items": []})
    for name in (ID, "ingest/d1/1"):
        shown = holdfast("audit", "run", name).stdout
        assert "f" * 64 in shown
        assert "1\t2026-01-02 11:30:05\tworkflow_execution_signaled\tpause\ttemporal-cli:eve@laptop" in shown
    assert json.loads(holdfast("audit", "run", ID, "--json").stdout) == detail
    missing = holdfast("audit", "run", "ingest/d2/1", env={"LC_ALL": CHINESE})
    assert (missing.exit_code, missing.stderr) == (1, "工作流 ingest/d2/1 没有任何运行。\n")


def test_a_history_is_downloaded(fake: FakeApi, holdfast: Holdfast, tmp_path: Path) -> None:
    """As it comes."""
    fake.routes[f"GET /api/v1/audit/runs/{ID}/history"] = Reply(b"\x1f\x8b...", kind="application/octet-stream")
    target = tmp_path / "run.binpb.gz"
    result = holdfast("audit", "run", ID, "--download", str(target), "--json")
    assert json.loads(result.stdout) == {"file": str(target), "bytes": 5}
    assert target.read_bytes() == b"\x1f\x8b..."


def test_a_run_that_does_not_replay_fails_the_command(fake: FakeApi, holdfast: Holdfast) -> None:
    """With what differs; for programs too."""
    fake.on(f"POST /api/v1/audit/runs/{ID}/replay", REPLAY)
    assert "(12 events)" in holdfast("audit", "replay", ID).stdout
    assert json.loads(holdfast("audit", "replay", ID, "--json").stdout)["replays"] is True
    differs = REPLAY | {"replays": False, "difference": "Activity type 'bury' differs"}
    fake.on(f"POST /api/v1/audit/runs/{ID}/replay", differs)
    result = holdfast("audit", "replay", ID, "--json")
    assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (1, "differs")
    assert "bury" in result.stderr
