"""The API as served: what is open with a revoked key ends, responses have their headers, and logs no key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import httpx
import pytest
import uvicorn
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidStatus

from activities.contracts.documents import Chunking
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import Accepted, Upload
from api.app import SERVER_OPTIONS, create_app
from api.http import auth, sse
from api.http.headers import SECURITY_HEADERS
from api.stack.processes import free_port
from tests.api.http.test_access import settings_in

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]


class Served:
    """A served API with a document that waits for its run, and the catalogue behind it."""

    def __init__(self, port: int, catalog: Catalog, document_id: str) -> None:
        self.port, self.catalog, self.document_id = port, catalog, document_id

    async def new_key(self) -> tuple[str, str]:
        """A new key, and its id."""
        key = await self.catalog.api_keys.create("ann", "reader")
        return key, (await self.catalog.api_keys.all())[-1].id

    async def change(self, number: int) -> None:
        """A new state for the watchers of the document."""
        act = self.catalog.intake.resume if number % 2 else self.catalog.intake.pause
        assert await act(self.document_id, 1, "ann")

    def client(self, key: str = "") -> httpx.AsyncClient:
        """An HTTP client with this key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", headers=headers, trust_env=False, timeout=30)


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """The API, served as in production, that looks at the keys of streams each moment."""
    monkeypatch.setattr(auth, "STREAM_KEY_SECONDS", 0.01)
    monkeypatch.setattr(sse, "KEEP_ALIVE_SECONDS", 0.05)
    settings = settings_in(tmp_path)
    await upgrade(settings)
    catalog, port = Catalog(settings.catalog_url), free_port()
    kb = await catalog.knowledge_bases.create("handbook", "", "", Chunking(), "ann")
    sent = Upload(knowledge_base_id=kb.id, name="a.txt", sha256="0" * 64, bytes=1, actor="ann")
    (accepted,) = await catalog.intake.accept([sent])
    assert isinstance(accepted, Accepted)
    options = SERVER_OPTIONS | {"timeout_graceful_shutdown": 1}
    config = uvicorn.Config(create_app(settings), port=port, **options)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield Served(port, catalog, accepted.document.id)
    server.should_exit = True
    await serving
    await catalog.close()


async def test_an_event_stream_ends_when_its_key_is_revoked(served: Served) -> None:
    """Cleanly, also while nothing happens; a stream with another key goes on."""
    key, id = await served.new_key()
    other, _ = await served.new_key()
    path = f"/api/v1/documents/{served.document_id}/events"
    async with (
        served.client(key) as client,
        served.client(other) as second,
        client.stream("GET", path) as stream,
        second.stream("GET", path) as lasting,
    ):
        lines, lasting_lines = stream.aiter_lines(), lasting.aiter_lines()
        while "state" not in await anext(lines):
            pass
        await served.catalog.api_keys.revoke(id, "admin")
        async with asyncio.timeout(30):
            async for _ in lines:
                pass
            for _ in range(50):
                await anext(lasting_lines)
        assert (await client.get(path)).status_code == 401


async def test_a_socket_ends_when_its_key_is_revoked(served: Served) -> None:
    """With the code of a policy violation, instead of the next state."""
    key, id = await served.new_key()
    url = f"ws://127.0.0.1:{served.port}/api/v1/documents/{served.document_id}/ws"
    async with open_socket(url, additional_headers={"Authorization": f"Bearer {key}"}, proxy=None) as socket:
        await socket.recv()
        await served.catalog.api_keys.revoke(id, "admin")
        with suppress(ConnectionClosed):
            async with asyncio.timeout(30):
                for number in count():
                    await served.change(number)
                    await socket.recv()
        assert socket.close_code == auth.WS_POLICY_VIOLATION


async def test_a_key_in_an_address_is_not_logged(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """It is refused, and the server's log does not repeat the query."""
    key, _ = await served.new_key()
    url = f"ws://127.0.0.1:{served.port}/api/v1/documents/{served.document_id}/ws?key={key}"
    with pytest.raises(InvalidStatus):
        async with open_socket(url, proxy=None):
            pass
    assert key not in caplog.text


@pytest.mark.parametrize("path", ["/", "/web/app.js", "/nowhere", "/api/v1/formats", "/health/ready", "/web/%00"])
async def test_every_response_has_the_security_headers(served: Served, path: str) -> None:
    """Once each, whatever answers: page, file, error or router."""
    async with served.client() as client:
        answer = await client.get(path)
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers.get_list(name) == [value]
