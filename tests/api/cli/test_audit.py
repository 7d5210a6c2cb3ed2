"""`holdfast audit`: events, a question's record and the export, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from tests.api.cli.fake_api import CHINESE, FakeApi, Holdfast, Reply
from tests.conftest import Platform, ready

EVENT = {
    "id": "e1", "at": "2026-01-02T11:30:05Z", "actor": "ann", "action": "document.upload", "knowledge_base": "hr",
    "object_id": "d1", "detail": {"name": "休假.pdf"},
}  # fmt: skip


def test_events_are_listed(fake: FakeApi, holdfast: Holdfast) -> None:
    """One line each, with the API's filters; dates are UTC."""
    query = "kb=hr&actor=ann&action=document&since=2026-01-02T00%3A00%3A00%2B00%3A00&limit=5"
    fake.on(f"GET /api/v1/audit/events?{query}", {"items": [EVENT], "next_cursor": "e1"})
    options = ("--kb", "hr", "--actor", "ann", "--action", "document", "--since", "2026-01-02", "--limit", "5")
    result = holdfast("audit", "events", *options)
    assert result.stdout == '2026-01-02 11:30:05\tann\tdocument.upload\thr\td1\t{"name": "休假.pdf"}\n'
    assert json.loads(holdfast("audit", "events", *options, "--json").stdout) == {"items": [EVENT]}
    assert holdfast("audit", "events", "--since", "yesterday").exit_code == 2


def test_events_are_found_by_object_outcome_and_time(fake: FakeApi, holdfast: Holdfast) -> None:
    """With the parameters of the API."""
    query = "object=d1&name=a.pdf&outcome=refused&until=2026-01-03T00%3A00%3A00%2B00%3A00&limit=50"
    fake.on(f"GET /api/v1/audit/events?{query}", {"items": [EVENT], "next_cursor": None})
    options = ("--object", "d1", "--name", "a.pdf", "--outcome", "refused", "--until", "2026-01-03")
    assert "document.upload" in holdfast("audit", "events", *options).stdout


def test_the_export_is_written_line_by_line(fake: FakeApi, holdfast: Holdfast, tmp_path: Path) -> None:
    """To stdout or a file, in the wanted form; the API's refusal is shown."""
    lines = (json.dumps(EVENT, ensure_ascii=False) + "\n").encode() * 3
    fake.routes["GET /api/v1/audit/export?format=jsonl"] = Reply(lines, kind="application/jsonl")
    table = "id,name\r\ne1,休假\u2028.pdf\r\n"
    fake.routes["GET /api/v1/audit/export?format=csv&version=2"] = Reply(table.encode(), kind="text/csv")
    options = ("--format", "csv", "--version", "2")
    assert holdfast("audit", "export", *options).stdout_bytes == table.encode()
    assert [json.loads(line) for line in holdfast("audit", "export").stdout.splitlines()] == [EVENT] * 3
    target = tmp_path / "audit.jsonl"
    assert "audit.jsonl" in holdfast("audit", "export", "-o", str(target)).stdout
    assert target.read_bytes() == lines
    assert json.loads(holdfast("audit", "export", "-o", str(target), "--json").stdout)["events"] == 3
    sheet = tmp_path / "audit.csv"
    assert json.loads(holdfast("audit", "export", *options, "-o", str(sheet), "--json").stdout)["events"] == 1
    assert sheet.read_bytes() == table.encode()
    nowhere = holdfast("audit", "export", "-o", str(tmp_path / "no" / "audit.jsonl"))
    assert (nowhere.exit_code, "audit.jsonl cannot be written" in nowhere.stderr) == (1, True)
    fake.problem("GET /api/v1/audit/export?format=jsonl&kb=hr", 403, "Only auditors may read this.")
    refused = holdfast("audit", "export", "--kb", "hr")
    assert (refused.exit_code, refused.stderr) == (1, "Only auditors may read this.\n")


def test_the_answers_that_used_a_document_are_listed(fake: FakeApi, holdfast: Holdfast) -> None:
    """By a version of it, and whether they quote it; those that their askers deleted say so."""
    id = "0" * 32
    use = {
        "question_id": "q1", "version": 2, "passages": 3, "cited": True, "state": "ready", "actor": "ann",
        "at": "2026-01-02T11:30:05Z", "knowledge_base": "hr", "deleted": False, "url": "/x",
    }  # fmt: skip
    erased = use | {"question_id": "q0", "cited": False, "deleted": True}
    fake.on(
        f"GET /api/v1/audit/documents/{id}/answers?limit=50&version=2", {"items": [use, erased], "next_cursor": None}
    )
    assert holdfast("audit", "answers", id, "--version", "2").stdout.splitlines() == [
        "q1\t2026-01-02 11:30:05\tann\thr\t2\t3\tquoted\tready",
        "q0\t2026-01-02 11:30:05\tann\thr\t2\t3\tfound\terased by its asker",
    ]
    chinese = holdfast("audit", "answers", id, "--version", "2", env={"LC_ALL": CHINESE}).stdout
    assert ("已引用" in chinese, "已被提问者删除" in chinese) == (True, True)
    assert json.loads(holdfast("audit", "answers", id, "--version", "2", "--json").stdout) == {"items": [use, erased]}


async def test_a_question_is_traced_on_the_real_platform(api: httpx.AsyncClient, kb: str, platform: Platform) -> None:
    """From the command line alone: the asker, the passages with their scores, the models, and the times."""
    await ready(api, kb, ("travel.txt", b"Travel costs are refunded within ten working days after the trip."))
    assert platform.holdfast("ask", "When are travel costs refunded?", "--kb", kb).returncode == 0
    events = json.loads(platform.holdfast("audit", "events", "--kb", kb, "--limit", "1000", "--json").stdout)["items"]
    assert {event["action"] for event in events} >= {"document.upload", "document.publish", "question.ask"}
    (question,) = [event["object_id"] for event in events if event["action"] == "question.ask"]
    shown = platform.holdfast("audit", "question", question).stdout
    asked = "Question: When are travel costs refunded?"
    for words in (asked, "Asked by: ", "Embedding model: ", " ms", "travel.txt v1", "ten working days"):
        assert words in shown
    record = json.loads(platform.holdfast("audit", "question", question, "--json").stdout)
    assert record["sources"][0]["chunk_id"] in shown
    exported = platform.holdfast("audit", "export", "--kb", kb).stdout.splitlines()
    assert {json.loads(line)["id"] for line in exported} >= {event["id"] for event in events}
    heading, *rows = platform.holdfast("audit", "export", "--kb", kb, "--format", "csv").stdout.splitlines()
    assert (heading.split(",")[0], len(rows) >= len(exported)) == ("id", True)
    used = json.loads(platform.holdfast("audit", "answers", "travel.txt", "--kb", kb, "--json").stdout)["items"]
    assert [use["question_id"] for use in used] == [question]
    assert platform.holdfast("audit", "question", "nothing").returncode == 1


def test_a_record_is_shown_with_what_it_has(fake: FakeApi, holdfast: Holdfast) -> None:
    """In the reader's language; missing fields have no line."""
    names = (
        "standalone fallback withheld generation embedding_model embedding_fingerprint language_model prompt_version "
        "tokens milliseconds feedback_rating feedback_comment reason"
    )
    record = dict.fromkeys(names.split()) | {
        "question": "多久？", "actor": "ann", "created_at": "2026-01-02T11:30:05Z", "knowledge_base": "hr",
        "state": "ready", "mode": "generative", "language_model": "small", "prompt_version": "2", "answer": "两周。[1]",
        "milliseconds": {"retrieve": 20}, "feedback_rating": "up", "citations": [],
        "sources": [{"n": 1, "score": 0.5, "document_name": "a.md", "version": 3, "chunk_id": "d1:3:0"}],
    }  # fmt: skip
    fake.on("GET /api/v1/audit/questions/q1", record)
    assert holdfast("audit", "question", "q1", env={"LC_ALL": CHINESE}).stdout.split("\n") == [
        "问题: 多久？", "提问者: ann, 2026-01-02 11:30:05 UTC", "知识库: hr", "状态: 就绪, generative",
        "语言模型: small (prompt 2)", "耗时: retrieve 20 ms", "反馈: up", "", "两周。[1]", "", "",
        "检索到的段落及其得分", "  [1] 0.500  a.md v3  d1:3:0", "",
    ]  # fmt: skip
