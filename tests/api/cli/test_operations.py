"""`holdfast ops`: the snapshot as tables, lines and JSON; failures, and their retry."""

from __future__ import annotations

import json

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from api.cli.operations.display import age, bars, fit, renderable
from api.documents.bulk_schemas import BulkInfo
from api.operations.schemas import (
    DependencyHealth,
    FailureInfo,
    GenerationInfo,
    JobCountInfo,
    JobInfo,
    JobsInfo,
    NotStartedInfo,
    OperationsInfo,
    ProblemInfo,
    QueueInfo,
    RetryAccepted,
    ThroughputInfo,
)
from tests.api.cli.fake_api import CHINESE, FakeApi, Holdfast, sse, whole

ID, AT = "0123456789abcdef" * 2, "2026-05-01T12:00:00Z"
FAILURE = whole(
    FailureInfo, code="empty", documents=7, text="The file is empty.", example="a.txt", first_at=AT, last_at=AT,
    knowledge_bases=[{"name": "hr", "documents": 7}],
)  # fmt: skip
SNAPSHOT = whole(
    OperationsInfo,
    taken_at=AT,
    temporal_url="http://ui/runs",
    dependencies=[
        whole(DependencyHealth, name="triton", since=AT, detail="no answer within 2 s"),
        whole(DependencyHealth, name="milvus", ready=True, since=AT, latency_ms=3.0),
    ],
    jobs=whole(
        JobsInfo,
        counts=[whole(JobCountInfo, total=9, waiting=1, queued=8) | {"kind": "document"}],
        not_started=whole(NotStartedInfo, documents=8, oldest_seconds=7200.0),
        items=[
            whole(JobInfo, id=ID, knowledge_base="a-knowledge-base-with-a-rather-long-name", name="leave.md",
                  state="waiting", stage="embed", done=3, total=9, waiting_for="triton", since=AT)
            | {"kind": "document"}
        ],
        next_cursor="1.2.3",
    ),
    queues=[whole(QueueInfo, queue="gpu", state="behind", backlog=800, age_seconds=4000.0) | {"kind": "activity"}],
    throughput=whole(ThroughputInfo, ready=12, asked=3, answered=2, p50_seconds=0.5, p95_seconds=1.25),
    failures=[FAILURE],
    generations=[whole(GenerationInfo, knowledge_base="hr", generation=2, phase="building", rows=31, since=AT)],
    problems=[whole(ProblemInfo, part="queues", detail="Temporal does not answer.")],
)  # fmt: skip


def shown(width: int) -> str:
    """The snapshot on a terminal of this width."""

    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable(msgspec.convert(SNAPSHOT, OperationsInfo)))
    return capture.get()


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_tables_fit_and_cut_no_id(width: int) -> None:
    """On narrow terminals columns are left out and names are cut; ids and numbers stay whole."""
    lines = shown(width).splitlines()
    assert max(map(cell_len, lines)) <= width
    (job,) = [line for line in lines if ID in line]
    assert "3/9" in job
    assert any("behind" in line and "800" in line for line in lines)
    assert any("The file is empty." in line for line in lines)
    assert "Task queues: Temporal does not answer." in lines
    assert "Accepted, not begun: 8, the oldest for 2.0 h" in lines


def test_a_terminal_that_is_too_narrow_keeps_what_is_whole() -> None:
    """The widths of flexible columns shrink, those of others never."""
    assert fit({"id": 32, "name": 50, "state": 8}, 60) == {"id": 32, "name": 14, "state": 8}
    assert fit({"id": 32, "name": 50, "rate": 8}, 40)["id"] == 32


def test_bars_show_every_value_that_is_not_nothing() -> None:
    """The highest one is full."""
    assert bars([0, 1, 500, 1000]) == " ▁▄█"
    assert bars([0, 0]) == "  "


def test_ages_are_in_one_unit() -> None:
    """Seconds, minutes, hours, days."""
    assert [age(seconds) for seconds in (40, 180, 9000, 400_000)] == ["40 s", "3 min", "2.5 h", "5 d"]


def test_a_pipe_gets_lines_and_a_program_gets_json(fake: FakeApi, holdfast: Holdfast) -> None:
    """A line begins with the name of its table; --json is what the API sent."""
    fake.on("GET /api/v1/operations", SNAPSHOT)
    lines = [line.split("\t") for line in holdfast("ops").stdout.splitlines()]
    assert ["missing", "queues", "Temporal does not answer."] in lines
    (job,) = [line for line in lines if line[0] == "jobs"]
    assert (job[1], job[-1]) == ("document", ID)
    assert json.loads(holdfast("ops", "--json").stdout) == SNAPSHOT
    assert "重建索引" not in holdfast("ops", env={"LC_ALL": CHINESE}).stdout
    assert "等待 triton" in holdfast("ops", env={"LC_ALL": CHINESE}).stdout


def test_watching_prints_what_changes(fake: FakeApi, holdfast: Holdfast) -> None:
    """A look at which nothing has changed is no news. The stream ends here; that of the API does not."""
    stream = sse(("snapshot", SNAPSHOT), ("unchanged", {"taken_at": AT}), ("snapshot", SNAPSHOT | {"failures": []}))
    fake.routes["GET /api/v1/operations/events"] = stream
    first, second = map(json.loads, holdfast("ops", "--watch", "--json").stdout.splitlines())
    assert (first, second["failures"]) == (SNAPSHOT, [])


def test_failures_are_listed(fake: FakeApi, holdfast: Holdfast) -> None:
    """By reason; when they cannot be read, why."""
    fake.on("GET /api/v1/operations", SNAPSHOT)
    code, documents, bases, _, text = holdfast("ops", "failures").stdout.rstrip("\n").split("\t")
    assert (code, documents, bases, text) == ("empty", "7", "hr (7)", "The file is empty.")
    assert json.loads(holdfast("ops", "failures", "--json").stdout) == {"items": [FAILURE]}
    missing = whole(ProblemInfo, part="failures", detail="The database does not answer.")
    fake.on("GET /api/v1/operations", SNAPSHOT | {"failures": None, "problems": [missing]})
    told = holdfast("ops", "failures")
    assert (told.exit_code, told.stderr) == (1, "The database does not answer.\n")


def test_a_retry_needs_yes_where_nobody_can_be_asked(fake: FakeApi, holdfast: Holdfast) -> None:
    """Then it tells how many documents are retried, and by which run."""
    fake.on("POST /api/v1/operations/failures/retry", whole(RetryAccepted, documents=7, workflow_id="retry/x"), 202)
    assert holdfast("ops", "retry", "empty").exit_code == 2
    assert fake.requests == []
    told = holdfast("ops", "retry", "empty", "--kb", "hr", "--yes")
    assert "“empty”: 7" in told.stdout
    assert "retry/x" in told.stdout
    assert json.loads(fake.requests[0].body) == {"reason_code": "empty", "knowledge_base": "hr"}
    holdfast("ops", "retry", "empty", "--yes")
    assert json.loads(fake.requests[1].body) == {"reason_code": "empty"}


def test_a_change_of_many_documents_is_canceled(fake: FakeApi, holdfast: Holdfast) -> None:
    """Once that is confirmed; what was changed by then is told."""
    fake.on(f"POST /api/v1/bulk-changes/{ID}/cancel", whole(BulkInfo, id=ID, state="canceled", changed=3, total=7))
    assert holdfast("ops", "cancel", ID).exit_code == 2
    assert fake.requests == []
    assert holdfast("ops", "cancel", ID, "--yes").stdout.startswith("Canceled. 3 of 7 documents")
    assert json.loads(holdfast("ops", "cancel", ID, "--yes", "--json").stdout)["state"] == "canceled"
