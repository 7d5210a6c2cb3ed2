"""`holdfast audit verify|prove|export-log|key`: offline, and on the real platform."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx

from activities.audit_log.comparison import LAWFUL
from activities.audit_log.export import End, Header, Signed, encoded
from tests.activities.audit_log.logs import ORIGIN, Log, key
from tests.api.cli.fake_api import CHINESE, FakeApi, Holdfast
from tests.conftest import Platform, assert_eventually


def test_verify_says_what_is_wrong_in_both_languages(holdfast: Holdfast, tmp_path: Path) -> None:
    """A whole log is success, a log without an event is failure 1, another file a problem; it asks no API."""
    log, path, public = Log(20), tmp_path / "log.jsonl", key().public.text
    checkpoints = tmp_path / "checkpoints"
    checkpoints.write_bytes(encoded(log.outside))
    notes = [Signed(each.note) for each in log.outside]
    path.write_bytes(encoded([Header(ORIGIN, 20), *log.entries, *notes, End(20)]))
    options = ("--key", public, "--checkpoints", str(checkpoints))
    whole = holdfast("audit", "verify", str(path), *options)
    assert (whole.exit_code, "is whole: 20 events, all signed; 20 of them" in whole.stdout) == (0, True)
    path.write_bytes(encoded([Header(ORIGIN, 20), *log.entries[:7], *log.entries[8:], *notes, End(19)]))
    wrong = holdfast("audit", "verify", str(path), *options)
    assert (wrong.exit_code, "event 7 is missing" in wrong.stdout) == (1, True)
    assert "事件 7 缺失" in holdfast("audit", "verify", str(path), *options, env={"LC_ALL": CHINESE}).stdout
    found = json.loads(holdfast("audit", "verify", str(path), *options, "--json").stdout)
    assert (found["tampered"], found["findings"]) == (True, [{"kind": "missing", "index": 7}])
    assert "no export of an audit log" in holdfast("audit", "verify", str(checkpoints), *options).stderr
    assert "no public key" in holdfast("audit", "verify", str(path), "--key", public[:-2]).stderr


def test_a_signing_key_is_made(holdfast: Holdfast, tmp_path: Path) -> None:
    """In a file that only its owner reads; its public key is shown, and the file is not made anew."""
    path = tmp_path / "audit.key"
    shown = holdfast("audit", "key", "--new", str(path)).stdout.strip()
    assert shown.startswith("holdfast.audit/")
    assert path.stat().st_mode & 0o777 == 0o600
    assert holdfast("audit", "key", "--new", str(path)).exit_code == 1


def test_a_restored_backup_is_declared(fake: FakeApi, holdfast: Holdfast) -> None:
    """With its reason; what is lost now is said in both languages."""
    declared = {
        "origin": ORIGIN, "kept": 10, "size": 15, "root": "00" * 32, "at": "2026-01-02T11:30:05Z", "actor": "ann",
        "reason": "the disk broke",
    }  # fmt: skip
    fake.on("POST /api/v1/audit/log/continue", declared)
    command = ("audit", "continue", "--reason", "the disk broke")
    assert "Events from 10 to before 15 are lost" in holdfast(*command).stdout
    assert "事件 10 至 15（不含）丢失" in holdfast(*command, env={"LC_ALL": CHINESE}).stdout
    assert json.loads(holdfast(*command, "--json").stdout) == declared
    assert json.loads(fake.requests[-1].body) == {"reason": "the disk broke"}
    assert holdfast("audit", "continue").exit_code == 2


async def test_the_log_of_the_platform_is_whole(api: httpx.AsyncClient, platform: Platform, tmp_path: Path) -> None:
    """Its export agrees with its public key and with the checkpoints in the data folder; an event is proven."""

    async def signed() -> bool:
        return (await api.get("/audit/log/checkpoint")).is_success

    await assert_eventually(signed)
    key, log = platform.holdfast("audit", "key").stdout.strip(), tmp_path / "log.jsonl"
    kept = shutil.copy(platform.settings.checkpoints_file, tmp_path)  # before the export: one is signed each minute
    assert platform.holdfast("audit", "export-log", "-o", str(log)).returncode == 0
    found = platform.holdfast("audit", "verify", str(log), "--key", key, "--checkpoints", kept, "--json")
    report = json.loads(found.stdout)
    assert (found.returncode, report["tampered"]) == (0, False)
    assert {finding["kind"] for finding in report["findings"]} <= LAWFUL  # what other tests of this platform erased
    assert report["covered"] == report["events"] > 0
    event = (await api.get("/audit/events?action=key")).json()["items"][-1]["id"]
    proof = (await api.get(f"/audit/log/proof/{event}")).json()
    assert json.loads(proof["entries"][0]["facts"])["id"] == event
    assert (await api.get("/audit/log/checkpoints")).json()["items"][0]["note"].startswith("holdfast.audit/")
    assert (await api.get(f"{platform.url}/health/ready")).json()["audit_log"] is None
