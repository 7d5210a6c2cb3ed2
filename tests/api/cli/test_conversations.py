"""`holdfast conversation`, and continuing one: requests to the API, and output."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from api.questions.schemas import CitationInfo, QuestionAccepted, QuestionInfo
from tests.api.cli.fake_api import CHINESE, FakeApi, Holdfast, Reply, sse, whole
from tests.conftest import Platform, ready

INFO = {
    "id": "c1", "title": "How long?", "knowledge_base": "hr", "questions": 2,
    "created_at": "2026-01-01T10:00:00Z", "updated_at": "2026-01-02T11:30:00Z",
}  # fmt: skip
CITATION = whole(CitationInfo, n=1, document_name="leave.pdf", page=3, section="Notice", quote="Two\nweeks.")
TURN = whole(QuestionInfo, question="How long?", answer="Two weeks. [1]", citations=[CITATION], state="ready")
FAILED = whole(QuestionInfo, question="Why?", reason="It was canceled.", state="canceled")


def test_conversations_are_listed(fake: FakeApi, holdfast: Holdfast) -> None:
    """One line each; --kb selects one knowledge base."""
    fake.on("GET /api/v1/conversations?limit=5&kb=hr", {"items": [INFO], "next_cursor": None})
    result = holdfast("conversation", "list", "--kb", "hr", "--limit", "5")
    assert result.stdout == "c1\t2026-01-02 11:30\thr\t2\tHow long?\n"
    as_json = holdfast("conversation", "list", "--kb", "hr", "--limit", "5", "--json")
    assert json.loads(as_json.stdout) == {"items": [INFO]}


def test_a_conversation_is_shown_with_its_sources(fake: FakeApi, holdfast: Holdfast) -> None:
    """Questions, answers and their places in documents; a question without an answer has its reason."""
    fake.on("GET /api/v1/conversations/c1", INFO | {"turns": [TURN, FAILED]})
    assert holdfast("conversation", "show", "c1").stdout.split("\n") == [
        "How long?  (hr)", "", "> How long?", "", "Two weeks. [1]", "", "Sources",
        "  [1] leave.pdf · page 3 · Notice", "      “Two weeks.”", "", "> Why?", "", "It was canceled.", "", "", "",
    ]  # fmt: skip


def test_a_conversation_is_renamed_and_deleted(fake: FakeApi, holdfast: Holdfast) -> None:
    """A script gets no prompt to hang on; names are quoted into the path."""
    fake.on("PATCH /api/v1/conversations/c%2F1", INFO | {"title": "Leave"})
    assert holdfast("conversation", "rename", "c/1", "Leave").stdout == "The title is now “Leave”.\n"
    assert json.loads(fake.requests[-1].body) == {"title": "Leave"}
    fake.routes["DELETE /api/v1/conversations/c1"] = Reply(b"", 204)
    assert holdfast("conversation", "delete", "c1", "--yes", env={"LC_ALL": CHINESE}).stdout == "会话已删除。\n"
    assert json.loads(holdfast("conversation", "delete", "c1", "--yes", "--json").stdout) == {"deleted": "c1"}
    fake.problem("DELETE /api/v1/conversations/c2", 404, "There is no conversation “c2”.")
    assert holdfast("conversation", "delete", "c2", "-y").exit_code == 1


def test_a_conversation_is_exported(fake: FakeApi, holdfast: Holdfast, tmp_path: Path) -> None:
    """To stdout or a file, unchanged; the error names a file that cannot be written."""
    path = "GET /api/v1/conversations/c1/export"
    fake.routes[f"{path}?format=markdown"] = Reply("# 多久？\n".encode(), kind="text/markdown")
    assert holdfast("conversation", "export", "c1").stdout == "# 多久？\n\n"
    target = tmp_path / "out.md"
    assert "out.md" in holdfast("conversation", "export", "c1", "-o", str(target)).stdout
    assert target.read_text() == "# 多久？\n"
    fake.on(f"{path}?format=json", INFO)
    assert json.loads(holdfast("conversation", "export", "c1", "--json").stdout) == INFO
    nowhere = holdfast("conversation", "export", "c1", "-o", str(tmp_path / "no" / "out.md"))
    assert nowhere.exit_code == 1
    assert "out.md cannot be written" in nowhere.stderr


def test_asking_goes_on_with_a_conversation(fake: FakeApi, holdfast: Holdfast) -> None:
    """The conversation determines the knowledge base; one of the two is required."""
    fake.on("GET /api/v1/conversations/c1", INFO | {"turns": []})
    accepted = whole(QuestionAccepted, id="q1", conversation_id="c1")
    fake.on("POST /api/v1/knowledge-bases/hr/questions", accepted, 202)
    done = {"answer": "Two weeks. [1]", "citations": [], "mode": "extractive", "found": True}
    fake.routes["GET /api/v1/questions/q1/events"] = sse(("done", done))
    assert holdfast("ask", "And then?", "--conversation", "c1").stdout.startswith("Two weeks. [1]\n")
    (asked,) = fake.asked("POST /api/v1/knowledge-bases/hr/questions")
    assert json.loads(asked.body) == {"question": "And then?", "conversation_id": "c1"}
    assert holdfast("ask", "And then?").exit_code == 2


async def test_a_conversation_on_the_real_platform(api: httpx.AsyncClient, kb: str, platform: Platform) -> None:
    """Asked, continued, shown, exported and deleted from the command line alone."""
    text = "Travel costs are refunded within ten working days after the trip has ended."
    await ready(api, kb, ("travel.txt", text.encode()))
    assert platform.holdfast("ask", "When are travel costs refunded?", "--kb", kb).returncode == 0
    (info,) = json.loads(platform.holdfast("conversation", "list", "--kb", kb, "--json").stdout)["items"]
    again = platform.holdfast("ask", "Within how many days are travel costs refunded?", "--conversation", info["id"])
    assert "ten working days" in again.stdout
    shown = platform.holdfast("conversation", "show", info["id"]).stdout
    assert shown.count("ten working days") >= 2
    assert "travel.txt" in platform.holdfast("conversation", "export", info["id"]).stdout
    assert platform.holdfast("conversation", "delete", info["title"], "--yes").returncode == 0
    assert platform.holdfast("conversation", "show", info["id"]).returncode == 1
