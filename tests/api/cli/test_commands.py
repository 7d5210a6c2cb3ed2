"""The requests that each command sends, and its output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from api.documents.schemas import DocumentInfo, DocumentJob
from api.http.schemas import JobAccepted
from api.knowledge_bases.schemas import KnowledgeBaseInfo
from api.questions.schemas import QuestionAccepted, SearchHit
from tests.api.cli.fake_api import CHINESE, ENGLISH, FakeApi, Holdfast, Reply, sse, whole

# --- knowledge bases and documents -----------------------------------------------------------------


def test_kb_create_sends_only_what_was_given(fake: FakeApi, holdfast: Holdfast) -> None:
    """The API's defaults apply to the rest."""
    fake.on("POST /api/v1/knowledge-bases", whole(KnowledgeBaseInfo, name="hr", title="People"), 201)
    result = holdfast("kb", "create", "hr", "--title", "People")
    assert result.stdout == "Knowledge base hr was created.\n"
    assert json.loads(fake.requests[0].body) == {"name": "hr", "title": "People"}


def test_kb_list_counts_documents_by_state(fake: FakeApi, holdfast: Holdfast) -> None:
    """The line leaves out the total and states without documents."""
    counts = {"total": 4, "ready": 3, "failed": 1, "queued": 0}
    fake.on("GET /api/v1/knowledge-bases", {"items": [whole(KnowledgeBaseInfo, name="hr", documents=counts)]})
    assert holdfast("kb", "list").stdout == "hr\t\t3 ready, 1 failed\n"


def test_kb_delete_does_not_prompt_in_a_script(fake: FakeApi, holdfast: Holdfast) -> None:
    """With --yes there is no prompt to hang on; names are quoted into the path."""
    fake.routes["DELETE /api/v1/knowledge-bases/a%2Fb"] = Reply(b"", 204)
    assert holdfast("kb", "delete", "a/b", "--yes").exit_code == 0


def test_ls_follows_all_pages(fake: FakeApi, holdfast: Holdfast) -> None:
    """In a pipe each document is one tab-separated line, without control characters."""
    path = "GET /api/v1/knowledge-bases/hr/documents?state=failed"
    first = whole(DocumentInfo, id="d1", name="a.pdf", version=1, state="failed", reason="The file\nis empty.")
    second = whole(DocumentInfo, id="d2", name="\x1b[2Jb\tc.pdf", version=2, state="failed", chunks=7, pages=3)
    fake.on(path, {"items": [first], "next_cursor": "n=2"})
    fake.on(f"{path}&cursor=n%3D2", {"items": [second], "next_cursor": None})
    result = holdfast("ls", "--kb", "hr", "--state", "failed")
    assert result.stdout.splitlines() == [
        "d1\tfailed\ta.pdf\t1\t0\t\t0\tThe file is empty.",
        "d2\tfailed\t[2Jb c.pdf\t2\t7\t3\t0\t",
    ]
    as_json = holdfast("ls", "--kb", "hr", "--state", "failed", "--json")
    assert json.loads(as_json.stdout)["items"] == [first, second]


def test_ls_asks_the_server_to_choose_and_sort(fake: FakeApi, holdfast: Holdfast) -> None:
    """In the words of the API; a page is one request, and names the cursor of the next one."""
    path = "GET /api/v1/knowledge-bases/hr/documents"
    chosen = "search=leave+2024&tag=hr&source=ada&sort=name&order=desc"
    words = ("--search", "leave 2024", "--tag", "hr", "--source", "ada", "--sort", "name", "--order", "desc")
    first, second = (whole(DocumentInfo, id=id, name="a.pdf", version=1, state="ready") for id in ("d1", "d2"))
    fake.on(f"{path}?{chosen}", {"items": [first], "next_cursor": "n"})
    fake.on(f"{path}?{chosen}&cursor=n", {"items": [second]})
    assert [line[:2] for line in holdfast("ls", "--kb", "hr", *words).stdout.splitlines()] == ["d1", "d2"]
    fake.on(f"{path}?limit=1", {"items": [first], "next_cursor": "n"})
    page = holdfast("ls", "--kb", "hr", "--limit", "1")
    assert (len(page.stdout.splitlines()), page.stderr) == (1, "There are more: --cursor n\n")
    fake.on(f"{path}?limit=1&cursor=n", {"items": [second], "next_cursor": None})
    told = holdfast("ls", "--kb", "hr", "--limit", "1", "--cursor", "n", "--json")
    assert json.loads(told.stdout) == {"items": [second], "next_cursor": None}


@pytest.mark.parametrize("words", [("--state", "redy"), ("--sort", "size"), ("--order", "up"), ("--limit", "0")])
def test_ls_knows_the_words_of_its_options(fake: FakeApi, holdfast: Holdfast, words: tuple[str, str]) -> None:
    """A word that is not known is wrong usage, with the known ones; nothing is asked of the API."""
    result = holdfast("ls", "--kb", "hr", *words)
    assert result.exit_code == 2
    assert words[1] in result.stderr
    assert not fake.requests


def test_status_says_what_a_job_waits_for(fake: FakeApi, holdfast: Holdfast) -> None:
    """The output names a dependency that is down, with the stage and the count."""
    state = {"state": "waiting", "stage": "embed", "stage_number": 3, "stage_count": 5, "done": 2, "total": 9}
    fake.on("GET /api/v1/documents/d1/status", state | {"waiting_for": "triton", "attempt": 4})
    result = holdfast("status", "d1")
    assert result.stdout == "waiting · embedding 3/5, 2/9 · waits for triton · try 4\n"


def test_rm_prints_the_jobs(fake: FakeApi, holdfast: Holdfast) -> None:
    """A deletion is a job; --json has all of it."""
    job = whole(JobAccepted, id="d1", state="queued", workflow_id="delete/d1")
    fake.finds("document", "a.pdf", {"id": "d1", "name": "a.pdf", "knowledge_base": "hr"})
    fake.on("DELETE /api/v1/documents/d1", job, 202)
    assert holdfast("rm", "a.pdf", "a.pdf", "--yes").stdout == "a.pdf is being deleted.\n"
    assert json.loads(holdfast("rm", "a.pdf", "-y", "--json").stdout) == {"items": [job]}


def test_ls_shows_how_far_pending_documents_are(fake: FakeApi, holdfast: Holdfast) -> None:
    """The last column has stage, count, missing dependency and reason; --batch selects one batch."""
    how_far = {"stage": "embed", "stage_number": 3, "stage_count": 5, "done": 2, "total": 9}
    waiting = whole(DocumentInfo, state="waiting", waiting_for="triton", reason="Triton is down.", **how_far)
    fake.on("GET /api/v1/knowledge-bases/hr/documents?batch=b1", {"items": [waiting]})
    result = holdfast("ls", "--kb", "hr", "--batch", "b1")
    assert result.stdout.rstrip("\n").split("\t")[-1] == "embedding 3/5, 2/9 · waits for triton · Triton is down."


@pytest.mark.parametrize(
    ("locale", "action", "sentence"),
    [
        (ENGLISH, "pause", "a.pdf is being paused."),
        (ENGLISH, "resume", "a.pdf is being resumed."),
        (CHINESE, "cancel", "正在取消 a.pdf。"),
        (CHINESE, "retry", "正在重试 a.pdf。"),
    ],
)
def test_a_document_is_controlled(fake: FakeApi, holdfast: Holdfast, locale: str, action: str, sentence: str) -> None:
    """Each command is one request; --json has its response."""
    job = whole(DocumentJob, id="d1", name="a.pdf", state="running")
    fake.on(f"POST /api/v1/documents/d1/{action}", job, 202)
    assert holdfast(action, "d1", env={"LC_ALL": locale}).stdout == sentence + "\n"
    assert json.loads(holdfast(action, "d1", "--json").stdout) == job


def test_a_retry_may_begin_at_a_step(fake: FakeApi, holdfast: Holdfast) -> None:
    """--from-step is sent; a step that does not exist is wrong usage; a refusal is exit 1 with its sentence."""
    fake.on("POST /api/v1/documents/d1/retry", whole(DocumentJob, id="d1", name="a.pdf"), 202)
    assert holdfast("retry", "d1", "--from-step", "embed").exit_code == 0
    assert json.loads(fake.requests[-1].body) == {"from_step": "embed"}
    assert holdfast("retry", "d1", "--from-step", "guess").exit_code == 2
    fake.problem("POST /api/v1/documents/d1/retry", 409, "It is ready.")
    result = holdfast("retry", "d1")
    assert (result.exit_code, result.stderr) == (1, "It is ready.\n")


def test_events_go_on_where_the_connection_broke(fake: FakeApi, holdfast: Holdfast) -> None:
    """After a cut the stream resumes from the last id; --json has one line for each state."""
    fake.routes["GET /api/v1/documents/d1/events"] = [
        sse(("state", {"state": "queued"}), ("state", {"state": "running"}), cut=True),
        sse(("state", {"state": "ready"})),
    ]
    result = holdfast("events", "d1", "--json")
    assert [json.loads(line)["state"] for line in result.stdout.splitlines()] == [
        "queued",
        "running",
        "ready",
    ]
    asked = fake.asked("GET /api/v1/documents/d1/events")
    assert [each.headers["Last-Event-ID"] for each in asked] == [None, "2"]


def test_events_of_a_failed_document_exit_with_1(fake: FakeApi, holdfast: Holdfast) -> None:
    """The last line has the reason."""
    fake.routes["GET /api/v1/documents/d1/events"] = sse(("state", {"state": "failed", "reason": "No text."}))
    result = holdfast("events", "d1")
    assert (result.exit_code, result.stdout) == (1, "failed · No text.\n")


# --- questions -------------------------------------------------------------------------------------

QUESTIONS = "POST /api/v1/knowledge-bases/hr/questions"
EVENTS = "GET /api/v1/questions/q1/events"
CITATION = {"n": 1, "document_name": "leave.pdf", "page": 3, "section": "Notice", "quote": "Two\nweeks."}
DONE = {"answer": "Two weeks. [1]", "citations": [CITATION], "mode": "extractive", "found": True}


@pytest.fixture
def asked(fake: FakeApi) -> FakeApi:
    """The API after it accepted a question as q1."""
    fake.on(QUESTIONS, whole(QuestionAccepted, id="q1"), 202)
    return fake


def test_ask_prints_the_answer_and_its_sources(asked: FakeApi, holdfast: Holdfast) -> None:
    """Deltas are joined; name, page, section and quote of each source follow."""
    deltas: list[tuple[str, object]] = [("delta", {"text": "Two "}), ("delta", {"text": "weeks. [1]"})]
    asked.routes[EVENTS] = sse(("state", {"state": "running"}), *deltas, ("done", DONE))
    result = holdfast("ask", "How long?", "--kb", "hr", "--mode", "generative")
    assert result.stdout == ("Two weeks. [1]\n\nSources\n  [1] leave.pdf · page 3 · Notice\n      “Two weeks.”\n")
    assert json.loads(asked.requests[0].body) == {"question": "How long?", "mode": "generative"}


PROVISIONAL = sse(("delta", {"text": "One"}), ("reset", {}), ("delta", {"text": "Three weeks."}), ("done", DONE))


def test_a_pipe_gets_the_checked_answer_alone(asked: FakeApi, holdfast: Holdfast) -> None:
    """Text that was streamed and withdrawn is not part of it."""
    asked.routes[EVENTS] = PROVISIONAL
    lines = holdfast("ask", "How long?", "--kb", "hr").stdout.splitlines()
    assert lines[:3] == ["Two weeks. [1]", "", "Sources"]


def test_a_terminal_shows_the_stream_until_the_answer_is_checked(asked: FakeApi, tmp_path: Path) -> None:
    """Words appear as they arrive, and are erased before the answer is printed."""
    asked.routes[EVENTS] = PROVISIONAL
    reader, terminal = os.openpty()
    environ = os.environ | {"HOLDFAST_URL": asked.url, "HOLDFAST_API_KEY": "k", "HOLDFAST_DATA": str(tmp_path)}
    environ |= {"TERM": "xterm", "LC_ALL": ENGLISH, "COLUMNS": "80"}
    command = [sys.executable, "-m", "api.cli", "ask", "How long?", "--kb", "hr"]
    with subprocess.Popen(command, env=environ, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        assert process.wait(60) == 0
    os.close(terminal)
    with open(reader, "rb") as screen, suppress(OSError):  # reading a terminal without a writer is an error
        written = screen.read1(65536).decode()
    places = [written.rfind(part) for part in ("Three weeks.", "\x1b[2K", "Two weeks. [1]", "leave.pdf")]
    assert -1 < places[0] < places[1] < places[2] < places[3], written


def test_ask_json_is_the_stream_or_one_document(asked: FakeApi, holdfast: Holdfast) -> None:
    """JSON lines of all events, or with --no-stream the `done` event alone."""
    asked.routes[EVENTS] = sse(("delta", {"text": "Two"}), ("done", DONE))
    lines = holdfast("ask", "?", "--kb", "hr", "--json").stdout.splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["delta", "done"]
    whole = holdfast("ask", "?", "--kb", "hr", "--json", "--no-stream").stdout
    assert json.loads(whole) == DONE


def test_a_question_that_waits_says_for_what(asked: FakeApi, holdfast: Holdfast) -> None:
    """Beside the output of a pipe; JSON has it in its events."""
    waits = {"stage": "retrieve", "state": "waiting", "waiting_for": "milvus"}
    goes_on = {"stage": "retrieve", "state": "running", "waiting_for": None}
    asked.routes[EVENTS] = sse(("state", waits), ("state", goes_on), ("done", DONE))
    result = holdfast("ask", "?", "--kb", "hr")
    assert result.stderr == "waits for milvus\n"
    assert result.stdout.startswith("Two weeks.")
    assert holdfast("ask", "?", "--kb", "hr", "--json").stderr == ""


def test_a_question_that_fails_exits_with_1(asked: FakeApi, holdfast: Holdfast) -> None:
    """The `error` event's message is the sentence."""
    asked.routes[EVENTS] = sse(("error", {"code": "triton-unavailable", "message": "Triton is down."}))
    result = holdfast("ask", "?", "--kb", "hr")
    assert result.exit_code == 1
    assert "Triton is down." in result.stderr


def test_search_lists_passages(fake: FakeApi, holdfast: Holdfast) -> None:
    """Place, score and text of each; and the documents that the index lacks."""
    hit = whole(SearchHit, document_name="a.pdf", page=2, section="S", text="some\ntext", score=0.5)
    answer = {"hits": [hit | {"later": 1}], "index": {"state": "building", "pending": 3}, "from_the_future": True}
    fake.on("POST /api/v1/knowledge-bases/hr/search", answer)
    result = holdfast("search", "x", "--kb", "hr", "--mode", "dense", "--limit", "4")
    assert result.stdout.splitlines() == [
        "1. a.pdf · page 2 · S  (score 0.500)",
        "   some text",
        "",
        "3 documents are still being indexed.",
    ]
    assert json.loads(fake.requests[0].body) == {"query": "x", "limit": 4, "mode": "dense"}
    assert json.loads(holdfast("search", "x", "--kb", "hr", "--json").stdout) == answer


def test_a_search_can_be_narrowed_down(fake: FakeApi, holdfast: Holdfast) -> None:
    """By name, tags, pages and date; equal passages are counted."""
    hit = whole(SearchHit, document_name="a.pdf", page=2, text="x", score=0.5, duplicates=2)
    fake.on("POST /api/v1/knowledge-bases/hr/search", {"hits": [hit], "index": {"state": "ready", "pending": 0}})
    options = ("--name", "*.pdf", "--tag", "a", "--tag", "b", "--since", "2026-11-01", "--until", "2026-11-30")
    result = holdfast("search", "x", "--kb", "hr", *options, "--pages", "3-5")
    assert "and 2 more" in result.stdout
    assert json.loads(fake.requests[0].body)["filter"] == {
        "name": "*.pdf",
        "tags": ["a", "b"],
        "pages": {"from": 3, "to": 5},
        "uploaded": {"since": "2026-11-01", "until": "2026-11-30"},
    }


@pytest.mark.parametrize(
    ("pages", "expected"),
    [("3", {"from": 3, "to": 3}), ("3-", {"from": 3}), ("-5", {"to": 5}), ("3-5", {"from": 3, "to": 5})],
)
def test_pages_are_written_as_people_do(
    fake: FakeApi, holdfast: Holdfast, pages: str, expected: dict[str, int]
) -> None:
    """One page, a range, or an open one."""
    fake.on("POST /api/v1/knowledge-bases/hr/search", {"hits": [], "index": {"state": "ready", "pending": 0}})
    assert holdfast("search", "x", "--kb", "hr", f"--pages={pages}").exit_code == 0
    assert json.loads(fake.requests[0].body)["filter"] == {"pages": expected}


@pytest.mark.parametrize("pages", ["", "-", "x", "3-x", "3,5"])
def test_invalid_pages_are_refused(fake: FakeApi, holdfast: Holdfast, pages: str) -> None:
    """As wrong usage, before any request."""
    result = holdfast("search", "x", "--kb", "hr", f"--pages={pages}")
    assert result.exit_code == 2
    assert fake.requests == []
