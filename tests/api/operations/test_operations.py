"""The snapshot of the platform: what each part says, parts that cannot be read, and retries of failures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar

from activities.contracts.documents import Chunking
from activities.contracts.queues import Queue
from activities.errors import EmptyDocument, InvalidRequest
from activities.runtime.temporal import connect
from activities.settings import Settings, TemporalSettings, load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.operations.records import JobPosition, Throughput
from activities.stores.connections import Stores
from api.app import create_app
from api.operations import views
from api.operations.monitor import Dependency, Monitor, Snapshot
from api.operations.schemas import OperationsInfo
from tests.api.http.test_access import settings_in, started
from tests.conftest import Platform, assert_eventually, finished, ready, upload
from workflows.client.jobs import Jobs
from workflows.client.queues import QueueState, Worker

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]

AT = datetime(2026, 5, 1, 12, 0, 0, 123456, UTC)
WORKER = Worker("7@host", "b1", AT)


def queue(**fields: Any) -> QueueState:
    """An idle queue with a worker, but for these fields."""
    given = {"backlog": 0, "age_seconds": 0.0, "workers": [WORKER]} | fields
    return QueueState(queue="gpu", kind="activity", added_per_second=0, dispatched_per_second=0, **given)


def snapshot(**fields: Any) -> Snapshot:
    """A snapshot with nothing in it, but for these fields."""
    nothing = dict.fromkeys(Snapshot.__struct_fields__)
    return Snapshot(**{**nothing, "taken_at": AT, "dependencies": [], "problems": {}, **fields})


def shown(**fields: Any) -> OperationsInfo:
    """A snapshot as the API shows it."""
    return views.operations_info(snapshot(**fields), "en", TemporalSettings(ui_url="http://ui/", namespace="a b"))


# --- views -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (queue(), "idle"),
        (queue(backlog=9, age_seconds=59.0), "busy"),
        (queue(backlog=9, age_seconds=61.0), "behind"),
        (queue(backlog=9, age_seconds=61.0, workers=[]), "unattended"),
    ],
)
def test_a_queue_says_whether_it_keeps_up(state: QueueState, expected: str) -> None:
    """By its workers, and by the wait of its oldest task."""
    info = shown(queues=[state])
    assert info.queues is not None
    assert info.queues[0].state == expected


def test_a_cursor_leads_back_to_its_position() -> None:
    """To the microsecond; a cursor of another list is refused."""
    position = JobPosition(started=True, at=AT, id="0" * 32)
    assert views.position_of(views.cursor_of(position)) == position
    assert views.position_of(views.cursor_of(None)) is None
    for cursor in ("", "1.5", f"2.5.{'0' * 32}", f"1.5.{'x' * 32}", f"1.{'9' * 30}.{'0' * 32}"):
        with pytest.raises(InvalidRequest, match="cursor"):
            views.position_of(cursor)


def test_percentiles_are_those_of_the_nearest_rank() -> None:
    """None without an answer."""
    for seconds, expected in (([], (None, None)), ([2.0], (2.0, 2.0)), ([1.0, 2.0, 3.0, 4.0], (2.0, 4.0))):
        info = shown(throughput=Throughput(minutes=[], seconds=seconds)).throughput
        assert info is not None
        assert (info.p50_seconds, info.p95_seconds) == expected


def test_only_what_happens_is_a_change() -> None:
    """Neither another time of the look, nor of an answer, nor of a worker's request."""
    first = shown(dependencies=[Dependency("milvus", True, AT, 3.0, None)], queues=[queue()])
    later = AT + timedelta(seconds=2)
    second = shown(
        taken_at=later,
        dependencies=[Dependency("milvus", True, AT, 4.0, None)],
        queues=[queue(workers=[msgspec.structs.replace(WORKER, seen_at=later)])],
    )
    assert first != second
    assert views.steady(first) == views.steady(second)
    assert views.steady(first) != views.steady(shown(dependencies=first.dependencies and [], queues=[queue()]))
    assert first.temporal_url == "http://ui/namespaces/a%20b/workflows"


# --- without the other services --------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings under which only the catalogue and the blobs respond."""
    return settings_in(tmp_path)


@pytest.fixture
async def catalog(settings: Settings) -> AsyncIterator[Catalog]:
    """Its catalogue, with an operator's key and a failed document."""
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    yield catalog
    await catalog.close()


@pytest.fixture
async def operator(catalog: Catalog, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an operator's key, of the started application."""
    app = create_app(settings)
    headers = {"Authorization": f"Bearer {await catalog.api_keys.create('ola', 'operator')}"}
    async with started(app), client_of(app, headers) as client:
        yield client


def client_of(app: Litestar, headers: dict[str, str]) -> httpx.AsyncClient:
    """A client of the application."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://holdfast/api/v1/operations", headers=headers
    )


async def failing(catalog: Catalog, name: str = "handbook") -> None:
    """A knowledge base with a document that failed."""
    kb = await catalog.knowledge_bases.create(name, "", "", Chunking(), "ann")
    accepted = await catalog.documents.accept(kb.id, "a.md", "1" * 64, 7, "ann")
    await catalog.documents.finish(accepted.document.id, 1, "failed", EmptyDocument().reason)


async def test_what_cannot_be_read_is_named_and_the_rest_is_shown(
    operator: httpx.AsyncClient, catalog: Catalog
) -> None:
    """Temporal is down: its queues are missing, in the reader's language; the catalogue's parts are there."""
    await failing(catalog)
    found = (await operator.get("", headers={"Accept-Language": "zh"})).json()
    assert found["queues"] is None
    (problem,) = found["problems"]
    assert problem["part"] == "queues"
    assert "没有响应" in problem["detail"]
    states = {each["name"]: each for each in found["dependencies"]}
    assert {name for name, each in states.items() if each["ready"]} == {"catalog", "blobs"}
    assert states["temporal"]["latency_ms"] is None
    assert "没有响应" in states["temporal"]["detail"]
    (failure,) = found["failures"]
    assert (failure["code"], failure["documents"], failure["example"]) == ("empty", 1, "a.md")
    assert failure["text"].startswith("文件为空")
    assert failure["knowledge_bases"] == [{"name": "handbook", "documents": 1}]
    assert found["throughput"]["failed"] == 1
    assert found["jobs"]["not_started"] == {"documents": 0, "oldest_seconds": None}


async def test_a_dependency_is_as_it_is_since_then(operator: httpx.AsyncClient) -> None:
    """The time stays the same while the state does, also in another snapshot."""

    async def since() -> tuple[str, str]:
        found = (await operator.get("")).json()
        return found["taken_at"], next(each["since"] for each in found["dependencies"] if each["name"] == "triton")

    first = await since()

    async def later() -> tuple[str, str] | None:
        found = await since()
        return found if found[0] != first[0] else None

    assert (await assert_eventually(later))[1] == first[1]


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """The address of a server that accepts connections and never says anything."""
    over = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    yield "{}:{}".format(*server.sockets[0].getsockname())
    over.set()
    server.close()


async def test_a_part_that_hangs_holds_up_no_other(settings: Settings, catalog: Catalog) -> None:
    """A frozen Temporal and a database that is down, each named for its parts; one snapshot serves all readers."""
    async with silent_server() as address, Stores.open(settings) as stores:
        jobs = Jobs(await connect(TemporalSettings(address=address), lazy=True))
        monitor = Monitor(stores, jobs)
        found, same = await asyncio.gather(monitor.snapshot(), monitor.snapshot())
        assert found is same
        assert {part: reason.code for part, reason in found.problems.items()} == {"queues": "temporal-unavailable"}
        assert found.jobs is not None
        temporal = next(each for each in found.dependencies if each.name == "temporal")
        assert not temporal.ready
    down = {"HOLDFAST_DATA": str(settings.data_dir), "HOLDFAST_CATALOG_URL": "postgresql+asyncpg://127.0.0.1:1/x"}
    async with Stores.open(load(down)) as stores:
        found = await Monitor(stores, jobs).snapshot()
    assert {part for part, reason in found.problems.items() if reason.code == "catalog-unavailable"} == {
        "jobs", "throughput", "failures", "generations",
    }  # fmt: skip


async def test_bad_requests_change_nothing(operator: httpx.AsyncClient, catalog: Catalog) -> None:
    """A code that nothing failed for cannot be told while Temporal is down; wrong fields, names and cursors can."""
    await failing(catalog)
    for body in ({}, {"reason_code": "No Code"}, {"reason_code": "empty", "kb": "x"}, {"reason_code": "x" * 65}):
        assert (await operator.post("/failures/retry", json=body)).status_code == 400
    missing = await operator.post("/failures/retry", json={"reason_code": "empty", "knowledge_base": "other"})
    assert missing.status_code == 404
    down = await operator.post("/failures/retry", json={"reason_code": "empty"})
    assert (down.status_code, down.json()["code"]) == (503, "temporal-unavailable")
    for path in ("/jobs?cursor=1", "/jobs?limit=101", "/jobs?kind=all"):
        assert (await operator.get(path)).status_code == 400
    assert {event.outcome for event in await catalog.audit.page(None, 10, action="failures")} <= {"refused", "failed"}
    assert await catalog.operations.failures.count("empty", None) == 1


# --- on the platform -------------------------------------------------------------------------------


async def test_the_snapshot_agrees_with_the_platform(platform: Platform, api: httpx.AsyncClient, kb: str) -> None:
    """Workers on every queue, what was indexed and asked, the index, a failure and its retry, in one stream."""
    await ready(api, kb, ("leave.txt", b"Employees may carry over five days of leave."))
    (document,) = await upload(api, kb, ("empty.txt", b""))
    await finished(api, document["id"])

    async def seen() -> dict[str, Any] | None:
        found: dict[str, Any] = (await api.get("/operations")).json()
        named = [each["name"] for group in found["failures"] for each in group["knowledge_bases"]]
        return found if kb in named else None

    found = await assert_eventually(seen)
    assert found["problems"] == []
    assert all(each["ready"] for each in found["dependencies"])
    assert {each["queue"] for each in found["queues"] if each["workers"]} == set(Queue.ALL)
    (generation,) = [each for each in found["generations"] if each["knowledge_base"] == kb]
    assert (generation["phase"], generation["rows"]) == ("live", 1)
    assert found["throughput"]["ready"] >= 1
    asked = await api.post("/operations/failures/retry", json={"reason_code": "empty", "knowledge_base": kb})
    assert (asked.status_code, asked.json()["documents"]) == (202, 1)
    assert asked.json()["temporal_url"].startswith(platform.settings.temporal.ui_url)

    async def retried() -> bool:
        events = (await api.get("/audit/events", params={"kb": kb, "action": "document.retry"})).json()["items"]
        return [each["detail"] for each in events] == [{"version": 1, "failed_for": "empty"}]

    await assert_eventually(retried)
    trail = (await api.get("/audit/events", params={"kb": kb, "action": "failures"})).json()["items"]
    assert [each["detail"] for each in trail] == [{"code": "empty", "documents": 1}]
    async with api.stream("GET", "/operations/events") as response:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                msgspec.convert(json.loads(line.removeprefix("data: ")), OperationsInfo)
                break
