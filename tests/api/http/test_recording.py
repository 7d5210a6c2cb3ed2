"""Recording of requests: what is read and what is refused is in the audit trail before it is answered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from litestar import Litestar

from activities.errors import NotRecorded
from activities.stores.catalog.audit.actions import ACTIONS
from activities.stores.catalog.records import AuditEvent, NewEvent
from activities.telemetry.origin import Origin
from api.http.recording.edge import _version
from api.http.recording.recorder import MOST_WINDOWS, Recorder, Refusals
from api.http.recording.routes import ROUTES
from tests.api.http.test_access import DOCUMENT, KB, MAY, IsolatedApi, app, isolated_api

__all__ = ["app", "isolated_api"]  # fixtures

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]


def test_every_route_has_its_row(app: Litestar) -> None:
    """A route that needs a key, and only such a one, has a row with a known action."""
    assert ROUTES.keys() == MAY.keys()
    assert {row.action for row in ROUTES.values()} - ACTIONS.keys() == set()


async def newest(api: IsolatedApi, action: str, **wanted: Any) -> list[AuditEvent]:
    """Events of an action, newest first."""
    return await api.catalog.audit.page(None, 50, action=action, **wanted)


async def test_what_is_read_is_recorded(isolated_api: IsolatedApi) -> None:
    """With the reader's key and the document's name; what shows only names and states is not, by default."""
    before = len(await newest(isolated_api, "document.read"))
    answer = await isolated_api.call("reader", f"GET {DOCUMENT}")
    assert answer.status_code == 200
    event, *_ = found = await newest(isolated_api, "document.read")
    assert len(found) == before + 1
    document = await isolated_api.catalog.documents.get(isolated_api.ids["reader"]["document_id"])
    assert (event.object_id, event.object_name, event.version) == (document.id, document.name, document.version)
    assert (event.outcome, event.request_id) == ("done", answer.headers["X-Request-Id"])
    assert event.key_id is not None
    assert (await isolated_api.call("reader", f"GET {KB}/documents")).status_code == 200
    assert await newest(isolated_api, "document.list") == []


async def test_what_is_refused_is_recorded_once_a_minute(isolated_api: IsolatedApi) -> None:
    """The first of a kind at once, with the action and the error's code; the next are counted."""
    for _ in range(3):
        assert (await isolated_api.call("reader", f"DELETE {DOCUMENT}")).status_code == 403
    (event,) = await newest(isolated_api, "document.delete", outcome="refused")
    assert (event.code, event.object_id) == ("forbidden", isolated_api.ids["reader"]["document_id"])
    isolated_api.keys["nobody"] = "wrong"
    isolated_api.ids["nobody"] = isolated_api.ids["reader"]
    assert (await isolated_api.call("nobody", f"GET {DOCUMENT}")).status_code == 401
    (event,) = await newest(isolated_api, "access.refuse")
    assert (event.actor, event.code, event.key_id) == ("unknown", "unauthenticated", None)


async def test_a_refused_socket_is_recorded(isolated_api: IsolatedApi) -> None:
    """Without a valid key, and about a document that is not there."""
    path = "/api/v1/documents/{}/ws"
    assert await isolated_api.socket("wrong", path.format("0" * 32)) == "websocket.close"
    event, *_ = await newest(isolated_api, "access.refuse")
    assert (event.actor, event.detail["status"], event.code) == ("unknown", 401, None)
    assert await isolated_api.socket(isolated_api.keys["reader"], path.format("0" * 32)) == "websocket.close"
    event, *_ = await newest(isolated_api, "document.status")
    assert (event.actor, event.outcome, event.detail["status"]) == ("reader", "refused", 404)


async def test_no_record_no_answer(isolated_api: IsolatedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the event cannot be written, nothing is shown, and no run is steered."""

    monkeypatch.setattr(isolated_api.app.state.recorder, "_trail", Unwritable())
    for route in (f"GET {DOCUMENT}", f"POST {DOCUMENT}/pause"):
        answer = await isolated_api.call("admin", route)
        assert (answer.status_code, answer.json()["code"]) == (503, "catalog-not-recorded"), route


class Unwritable:
    """A trail on a full disk."""

    async def append(self, events: list[NewEvent]) -> None:
        """Fail."""
        raise OSError("the disk is full")

    async def require_writable(self) -> None:
        """Fail."""
        raise OSError("the disk is full")


class Trail:
    """Keeps the events of each transaction."""

    def __init__(self) -> None:
        self.transactions: list[list[NewEvent]] = []

    async def append(self, events: list[NewEvent]) -> None:
        """Take time, as a commit does."""
        self.transactions.append(events)
        await asyncio.sleep(0.001)


def refused(address: str) -> NewEvent:
    """A refused request of an address."""
    return NewEvent(actor="unknown", action="access.refuse", outcome="refused", origin=Origin(address=address))


async def test_events_that_arrive_together_share_a_transaction() -> None:
    """Each waits for its commit; while one is written, the others gather."""
    trail = Trail()
    recorder = Recorder(trail)  # type: ignore[arg-type]
    await asyncio.gather(*(recorder.record(refused(str(n))) for n in range(100)))
    assert sum(map(len, trail.transactions)) == 100
    assert len(trail.transactions) <= 2
    failing = Recorder(Unwritable())  # type: ignore[arg-type]
    with pytest.raises(NotRecorded):
        await failing.record(refused("a"))


async def test_a_refusal_that_was_not_recorded_is_not_only_counted() -> None:
    """As long as none can be written, none is answered; the next one after that is the first with an event."""
    trail = Trail()
    refusals = Refusals(Recorder(Unwritable()))  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(NotRecorded):
            await refusals.record(refused("a"))
    refusals._recorder = Recorder(trail)  # type: ignore[arg-type]
    await refusals.record(refused("a"))
    assert trail.transactions == [[refused("a")]]


@pytest.mark.parametrize(("text", "version"), [("7", 7), (str(2**31 - 1), 2**31 - 1), (str(2**31), None), ("-1", None)])
def test_a_version_fits_its_column(text: str, version: int | None) -> None:
    """A larger one would make PostgreSQL refuse the events of all requests that are recorded together."""
    assert _version(text) == version


async def test_refusals_cannot_fill_the_disk() -> None:
    """An address has one event a minute, with the number of the others; many addresses share one."""
    trail, now = Trail(), [0.0]
    refusals = Refusals(Recorder(trail), lambda: now[0])  # type: ignore[arg-type]
    for n in range(3000):
        await refusals.record(refused(f"192.0.2.{n % 1500}"))
    assert sum(map(len, trail.transactions)) == MOST_WINDOWS + 1
    now[0] = 61.0
    await refusals.turn()
    events = [event for events in trail.transactions for event in events]
    assert len(events) == 2 * (MOST_WINDOWS + 1)
    assert len(events[: MOST_WINDOWS + 1]) + sum(event.detail.get("repeated", 0) for event in events) == 3000
