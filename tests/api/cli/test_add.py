"""`holdfast add` and `holdfast batch`: which requests they send, what they watch, and what they report at the end."""

from __future__ import annotations

import json
import re
import signal
import zipfile
from pathlib import Path
from typing import Any

import pytest

from api.batches.schemas import BatchInfo
from api.cli import uploads
from tests.api.cli.fake_api import (
    CHINESE,
    ENGLISH,
    FakeApi,
    Holdfast,
    Reply,
    Request,
    sse,
    whole,
)

DOCUMENTS = "POST /api/v1/knowledge-bases/hr/documents"
INTO_BATCH = f"{DOCUMENTS}?batch=b1"
BATCHES = "POST /api/v1/knowledge-bases/hr/batches"
CLOSE = "POST /api/v1/batches/b1/close"
BATCH_EVENTS = "GET /api/v1/batches/b1/events"
FAILED = "GET /api/v1/knowledge-bases/hr/documents?batch=b1&state=failed&limit=1000"


@pytest.fixture
def fake(fake: FakeApi) -> FakeApi:
    """An API that accepts every upload into the knowledge base hr."""
    fake.on("GET /api/v1/knowledge-bases/hr", {"name": "hr"})
    fake.on(BATCHES, batch("queued"), 201)
    fake.on(CLOSE, {"id": "b1", "state": "queued"}, 202)
    fake.routes[DOCUMENTS] = fake.routes[INTO_BATCH] = accept
    return fake


def batch(state: str, **counts: int) -> dict[str, Any]:
    """A batch as the API shows it, with its documents by state."""
    total = sum(counts.values())
    done = total - sum(counts.get(each, 0) for each in ("queued", "running", "waiting", "paused"))
    documents = {"total": total, **counts}
    return whole(
        BatchInfo, id="b1", name="docs", knowledge_base="hr", state=state, documents=documents, done=done, total=total
    )


def accept(request: Request, **fields: object) -> Reply:
    """Accept an upload: each document's id is its name."""
    names = re.findall(rb'filename="([^"]*)"', request.body)
    joined = {"batch_id": "b1"} if "batch=b1" in request.path else {}
    documents = [
        {"id": name.decode(), "name": name.decode(), "version": 1, "state": "queued", **joined, **fields}
        for name in names
    ]
    return Reply(json.dumps({"documents": documents, **joined}).encode(), 202)


def unchanged(request: Request) -> Reply:
    """Accept an upload of unchanged content."""
    return accept(request, state="ready", unchanged=True)


@pytest.fixture
def folder(fake: FakeApi, tmp_path: Path) -> Path:
    """A folder with two documents and a hidden file; the first becomes ready, the second fails."""
    docs = tmp_path / "docs"
    (docs / "sub").mkdir(parents=True)
    (docs / "a.txt").write_text("alpha")
    (docs / "sub" / "b.txt").write_text("beta")
    (docs / ".hidden").write_text("no")
    running = ("state", {"state": "running", "stage": "parse", "stage_number": 1, "stage_count": 5})
    fake.routes["GET /api/v1/documents/a.txt/events"] = sse(running, ("state", {"state": "ready"}))
    fake.routes[BATCH_EVENTS] = sse(
        ("state", batch("running", queued=1, running=1)), ("state", batch("ready", ready=1, failed=1))
    )
    reason = {"id": "d2", "name": "sub/b.txt", "state": "failed", "reason": "The file is empty."}
    fake.on(FAILED, {"items": [reason]})
    return docs


# --- add: many files -------------------------------------------------------------------------------


def test_a_folder_is_one_batch_that_is_watched_as_one(fake: FakeApi, holdfast: Holdfast, folder: Path) -> None:
    """Opened, filled, closed, followed by one stream; failures are listed and make the exit code 1."""
    result = holdfast("add", str(folder), "--kb", "hr", "--parallelism", "7")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["failed  sub/b.txt  d2  The file is empty.", "1 ready, 1 failed"]
    (opened,) = fake.asked(BATCHES)
    assert json.loads(opened.body) == {"name": "docs", "parallelism": 7}
    (upload,) = fake.asked(INTO_BATCH)
    assert b"alpha" in upload.body
    assert b"beta" in upload.body
    assert upload.headers["Idempotency-Key"]
    assert len(fake.asked(CLOSE)) == 1
    assert not [each for each in fake.requests if "/documents/" in each.path]


def test_unchanged_files_are_counted(fake: FakeApi, holdfast: Holdfast, folder: Path) -> None:
    """Nothing is new, so the API drops the batch; that is no failure."""
    fake.routes[INTO_BATCH] = unchanged
    fake.routes[BATCH_EVENTS] = Reply(b"", kind="text/event-stream")
    fake.problem("GET /api/v1/batches/b1", 404, "There is no batch b1.")
    result = holdfast("add", str(folder), "--kb", "hr")
    assert (result.exit_code, result.stdout) == (0, "0 ready, 0 failed, 2 unchanged\n")
    chinese = holdfast("add", str(folder), "--kb", "hr", env={"LC_ALL": CHINESE})
    assert chinese.stdout == "0 个就绪，0 个失败，2 个内容未变\n"


def test_files_in_flight_are_watched_in_their_batch(fake: FakeApi, holdfast: Holdfast, folder: Path) -> None:
    """After an interrupted `add`, a second one follows the first batch to its end."""
    fake.routes[INTO_BATCH] = lambda request: accept(request, batch_id="b0", unchanged=True)
    fake.routes[BATCH_EVENTS] = Reply(b"", kind="text/event-stream")
    fake.problem("GET /api/v1/batches/b1", 404, "There is no batch b1.")
    fake.routes["GET /api/v1/batches/b0/events"] = sse(("state", batch("ready", ready=2) | {"id": "b0"}))
    result = holdfast("add", str(folder), "--kb", "hr")
    assert (result.exit_code, result.stdout) == (0, "0 ready, 0 failed, 2 unchanged\n")
    assert len(fake.asked("GET /api/v1/batches/b0/events")) == 1


def test_json_has_the_batch_and_what_failed(holdfast: Holdfast, folder: Path) -> None:
    """--json does not list ten thousand documents: the counts, the batch and the failures."""
    answer = json.loads(holdfast("add", str(folder), "--kb", "hr", "--json").stdout)
    assert {key: answer[key] for key in ("accepted", "ready", "failed", "unchanged")} == {
        "accepted": 2,
        "ready": 1,
        "failed": 1,
        "unchanged": 0,
    }
    assert [each["id"] for each in answer["documents"]] == ["d2"]
    assert [each["id"] for each in answer["batches"]] == ["b1"]


def test_no_wait_returns_after_the_upload(fake: FakeApi, holdfast: Holdfast, folder: Path) -> None:
    """Acceptance is enough; nothing is watched, and the output names the command that watches."""
    result = holdfast("add", str(folder), "--kb", "hr", "--no-wait")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["2 accepted", "Watch with `holdfast batch watch b1`."]
    assert not [each for each in fake.requests if each.path.endswith("/events")]


def test_one_refused_file_stops_no_other(fake: FakeApi, holdfast: Holdfast, folder: Path) -> None:
    """If a request of several files is refused, each is sent alone and the bad one is named."""

    def picky(request: Request) -> Reply:
        if b"beta" not in request.body:
            return accept(request)
        return Reply(b'{"detail": "The name cannot be used."}', 400)

    fake.routes[INTO_BATCH] = picky
    fake.routes[BATCH_EVENTS] = sse(("state", batch("ready", ready=1)))
    result = holdfast("add", str(folder), "--kb", "hr")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["failed  sub/b.txt  The name cannot be used.", "1 ready, 1 failed"]


def test_many_files_go_in_several_requests(
    fake: FakeApi, holdfast: Holdfast, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request holds a limited number of files; all join one batch, which is closed after the last."""
    monkeypatch.setattr(uploads, "REQUEST_FILES", 1)
    holdfast("add", str(folder), "--kb", "hr", "--no-wait")
    assert len(fake.asked(INTO_BATCH)) == 2
    assert fake.requests[-1].path.endswith("/b1/close")


def test_a_busy_api_is_waited_for(fake: FakeApi, holdfast: Holdfast, folder: Path) -> None:
    """After 429 the same request is repeated when the API says; the output explains the wait."""
    busy = Reply(b'{"detail": "Too many uploads."}', 429, headers={"Retry-After": "0"})
    fake.routes[INTO_BATCH] = [busy, busy, accept]
    result = holdfast("add", str(folder), "--kb", "hr", "--no-wait")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == ["Too many uploads. Trying again in 0 s."] * 2
    assert len({each.headers["Idempotency-Key"] for each in fake.asked(INTO_BATCH)}) == 1


@pytest.mark.parametrize(("locale", "word"), [(ENGLISH, "still indexed"), (CHINESE, "处理会继续进行")])
def test_after_ctrl_c_accepted_files_continue(
    fake: FakeApi, holdfast: Holdfast, folder: Path, locale: str, word: str
) -> None:
    """The output says so, with the batch and the command that watches it; nothing is canceled."""

    def interrupt(request: Request) -> Reply:
        signal.raise_signal(signal.SIGINT)
        return sse(("state", batch("running", running=2)), cut=True)

    fake.routes[BATCH_EVENTS] = interrupt
    result = holdfast("add", str(folder), "--kb", "hr", env={"LC_ALL": locale})
    assert result.exit_code == 1
    assert word in result.stderr
    assert "holdfast batch watch b1" in result.stderr
    assert len(fake.asked(CLOSE)) == 1
    assert not [each for each in fake.requests if each.path.endswith("/cancel")]


# --- add: one file, one archive --------------------------------------------------------------------


def test_one_file_is_a_document(fake: FakeApi, holdfast: Holdfast, folder: Path) -> None:
    """No batch is made; --json has its final state."""
    result = holdfast("add", str(folder / "a.txt"), "--kb", "hr", "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert (answer["ready"], answer["failed"]) == (1, 0)
    assert [document["state"] for document in answer["documents"]] == ["ready"]
    assert not fake.asked(BATCHES)


def test_one_unchanged_file_is_ready(fake: FakeApi, holdfast: Holdfast, folder: Path) -> None:
    """The output names it, like any outcome."""
    fake.routes[DOCUMENTS] = unchanged
    result = holdfast("add", str(folder / "a.txt"), "--kb", "hr")
    assert result.stdout.splitlines() == ["ready  a.txt  a.txt", "1 ready, 0 failed, 1 unchanged"]


def test_an_archive_goes_alone_and_its_batch_is_watched(fake: FakeApi, holdfast: Holdfast, tmp_path: Path) -> None:
    """The server unpacks it into its own batch; a batch that fails as a whole shows the reason."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("a.txt", "alpha")
    fake.on(DOCUMENTS, {"documents": [], "batch_id": "b1"}, 202)
    fake.routes[BATCH_EVENTS] = sse(("state", batch("ready", ready=3)))
    result = holdfast("add", str(tmp_path / "all.zip"), "--kb", "hr")
    assert (result.exit_code, result.stdout) == (0, "3 ready, 0 failed\n")
    assert not fake.asked(BATCHES)
    fake.routes[BATCH_EVENTS] = sse(("state", batch("failed") | {"reason": "The archive is damaged."}))
    broken = holdfast("add", str(tmp_path / "all.zip"), "--kb", "hr")
    assert broken.exit_code == 1
    assert "The archive is damaged." in broken.stdout


def test_an_upload_that_breaks_is_sent_again_under_its_key(fake: FakeApi, holdfast: Holdfast, folder: Path) -> None:
    """The Idempotency-Key stays the same, so nothing is accepted twice."""
    fake.routes[DOCUMENTS] = [Reply(b"", 202, cut=True), accept]
    assert holdfast("add", str(folder / "a.txt"), "--kb", "hr").exit_code == 0
    keys = [each.headers["Idempotency-Key"] for each in fake.asked(DOCUMENTS)]
    assert len(keys) == 2
    assert len(set(keys)) == 1


@pytest.mark.parametrize(("locale", "word"), [(ENGLISH, "no file or folder"), (CHINESE, "没有文件")])
def test_a_path_that_is_not_there_is_named(holdfast: Holdfast, locale: str, word: str) -> None:
    """Nothing is uploaded if a path is wrong."""
    result = holdfast("add", "/no/such/file", "--kb", "hr", env={"LC_ALL": locale})
    assert result.exit_code == 1
    assert word in result.stderr
    assert "/no/such/file" in result.stderr


# --- batch -----------------------------------------------------------------------------------------


def test_batches_are_listed(fake: FakeApi, holdfast: Holdfast) -> None:
    """In a pipe each batch is one tab-separated line: id, state, name, done, seconds left, reason."""
    running = batch("running", running=4, ready=5, failed=1) | {"eta_seconds": 12}
    fake.on("GET /api/v1/knowledge-bases/hr/batches?limit=20", {"items": [running]})
    assert holdfast("batch", "list", "--kb", "hr").stdout == "b1\trunning, 1 failed\tdocs\t6/10\t12\t\n"
    assert json.loads(holdfast("batch", "list", "--kb", "hr", "--json").stdout) == {"items": [running]}


def test_a_batch_is_shown(fake: FakeApi, holdfast: Holdfast) -> None:
    """All its fields, and its documents by state."""
    fake.on("GET /api/v1/batches/b1", batch("ready", failed=4, ready=5))
    shown = holdfast("batch", "show", "b1").stdout
    assert "documents: 5 ready, 4 failed" in shown
    assert "state: ready, 4 failed\n" in shown


def test_a_batch_is_watched_to_its_end(fake: FakeApi, holdfast: Holdfast, folder: Path) -> None:
    """A line for each change, then the failures; --json has one line for each state."""
    waiting = batch("waiting", waiting=2) | {"waiting_for": "triton", "rate_per_minute": 30, "eta_seconds": 200}
    over = batch("ready", ready=1, failed=1)
    fake.routes[BATCH_EVENTS] = sse(("state", waiting), ("state", over))
    result = holdfast("batch", "watch", "b1")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "waiting · 0/2 · 2 waiting · 30/min · about 3 min left · waits for triton",
        "ready, 1 failed · 2/2",
        "failed  sub/b.txt  d2  The file is empty.",
    ]
    lines = holdfast("batch", "watch", "b1", "--json").stdout.splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["waiting", "ready"]


@pytest.mark.parametrize(
    ("locale", "words", "sentence"),
    [
        (ENGLISH, ["pause"], "Batch b1 is being paused."),
        (ENGLISH, ["resume"], "Batch b1 is being resumed."),
        (CHINESE, ["cancel"], "正在取消批次 b1。"),
        (CHINESE, ["retry-failed"], "正在重试批次 b1 中失败的文档。"),
        (ENGLISH, ["set-parallelism", "3"], "Batch b1: 3 at once."),
    ],
)
def test_a_batch_is_controlled(fake: FakeApi, holdfast: Holdfast, locale: str, words: list[str], sentence: str) -> None:
    """Each command is one request; --json has its response."""
    job = {"id": "b1", "state": "running"}
    fake.on(f"POST /api/v1/batches/b1/{words[0]}", job, 202)
    command = ["batch", words[0], "b1", *words[1:], *(["--yes"] if words == ["cancel"] else [])]
    assert holdfast(*command, env={"LC_ALL": locale}).stdout == sentence + "\n"
    assert json.loads(holdfast(*command, "--json").stdout) == job
    assert fake.requests[-1].body == (b'{"parallelism":3}' if words[1:] else b"")


def test_a_batch_runs_at_least_one_document_at_once(holdfast: Holdfast) -> None:
    """A smaller parallelism is wrong usage."""
    assert holdfast("batch", "set-parallelism", "b1", "0").exit_code == 2


def test_documents_can_be_given_tags(fake: FakeApi, holdfast: Holdfast, folder: Path) -> None:
    """Each upload carries them all, into a batch or alone."""
    tagged = "tags=hr&tags=%E5%90%88%E5%90%8C"
    fake.routes[f"{INTO_BATCH}&{tagged}"] = fake.routes[f"{DOCUMENTS}?{tagged}"] = accept
    options = ("--kb", "hr", "--tag", "hr", "--tag", "合同", "--no-wait")
    assert holdfast("add", str(folder), *options).exit_code == 0
    assert holdfast("add", str(folder / "a.txt"), *options).exit_code == 0
    assert len(fake.asked(f"{INTO_BATCH}&{tagged}")) == 1
    assert len(fake.asked(f"{DOCUMENTS}?{tagged}")) == 1
