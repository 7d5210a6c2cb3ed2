"""The API as served: what is open with a revoked key ends, responses have their headers, and logs no key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
import uvicorn
from litestar import Litestar
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidStatus

from activities.contracts.documents import Chunking
from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import Accepted, Upload
from api.app import SERVER_OPTIONS, create_app
from api.http import revocation, sse
from api.http.headers import SECURITY_HEADERS
from tests.api.http.test_access import settings_in
from tests.ports import free_port

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]


#: Bytes of the document: more than the buffers of a connection hold.
SIZE = 32 << 20

SEARCH = "/api/v1/knowledge-bases/handbook/search"


class Served:
    """A served API with a document that waits for its run, and the catalogue behind it."""

    def __init__(self, port: int, catalog: Catalog, document_id: str, app: Litestar) -> None:
        self.port, self.catalog, self.document_id, self._app = port, catalog, document_id, app

    async def new_key(self) -> tuple[str, str]:
        """A new key, and its id."""
        key = await self.catalog.api_keys.create("ann", "reader")
        return key, (await self.catalog.api_keys.all())[-1].id

    def watched(self) -> bool:
        """Whether somebody follows the document."""
        return bool(self._app.state.watches._topics)

    def client(self, key: str = "") -> httpx.AsyncClient:
        """An HTTP client with this key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", headers=headers, trust_env=False, timeout=30)


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """The API, served as in production, that looks at the keys of streams each moment."""
    monkeypatch.setattr(revocation, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(sse, "KEEP_ALIVE_SECONDS", 0.05)
    settings = settings_in(tmp_path)
    await upgrade(settings)
    catalog, port = Catalog(settings.catalog_url), free_port()
    kb = await catalog.knowledge_bases.create("handbook", "", "", Chunking(), "ann")
    sent = Upload(knowledge_base_id=kb.id, name="a.txt", sha256="0" * 64, bytes=1, actor="ann")
    (accepted,) = await catalog.intake.accept([sent])
    assert isinstance(accepted, Accepted)
    await Blobs(settings.blobs_url).create(original_key("0" * 64), b"x" * SIZE)
    options, app = SERVER_OPTIONS | {"timeout_graceful_shutdown": 1}, create_app(settings)
    config = uvicorn.Config(app, port=port, **options)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield Served(port, catalog, accepted.document.id, app)
    server.should_exit = True
    await serving
    await catalog.close()


async def streamed(client: httpx.AsyncClient, path: str, got: list[bytes], revoked: asyncio.Event) -> None:
    """Read the beginning of a response, and go on when the key is revoked, as far as it goes."""
    async with client.stream("GET", path) as stream:
        pieces = stream.aiter_bytes()
        got.append(await anext(pieces))
        await revoked.wait()
        async for piece in pieces:
            got.append(piece)


async def test_what_is_open_ends_when_its_key_is_revoked(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """A quiet stream, a download, a request half sent, and an idle socket; what is of another key goes on."""
    key, id = await served.new_key()
    other, _ = await served.new_key()
    path, revoked = f"/api/v1/documents/{served.document_id}", asyncio.Event()
    got: dict[str, list[bytes]] = {"events": [], "content": [], "other": []}

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 100
            await asyncio.sleep(0.1)

    async with served.client(key) as client, served.client(other) as second, asyncio.TaskGroup() as tasks:
        started = [
            tasks.create_task(reset(streamed(client, f"{path}/events", got["events"], revoked))),
            tasks.create_task(reset(streamed(client, f"{path}/content", got["content"], revoked))),
            tasks.create_task(reset(client.post(SEARCH, content=endless()))),
        ]
        lasting = tasks.create_task(streamed(second, f"{path}/events", got["other"], revoked))
        url = f"ws://127.0.0.1:{served.port}{path}/ws"
        async with open_socket(url, additional_headers={"Authorization": f"Bearer {key}"}, proxy=None) as socket:
            await socket.recv()
            await until(lambda: all(got.values()))
            await served.catalog.api_keys.revoke(id, "admin")
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(socket.recv(), 10)
            assert socket.close_code == revocation.WS_POLICY_VIOLATION
        await asyncio.sleep(3 * revocation.CHECK_SECONDS)
        revoked.set()
        async with asyncio.timeout(10):
            assert [await task for task in started] == [True, True, True]
        count = len(got["other"])
        await until(lambda: len(got["other"]) > count)
        lasting.cancel()
        assert (await client.get(path)).status_code == 401
    assert sum(map(len, got["content"])) < SIZE
    assert "Exception" not in caplog.text


async def until(check: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(10):
        while not check():
            await asyncio.sleep(0.02)


async def reset(call: Awaitable[object]) -> bool:
    """Whether a call ends by a lost connection."""
    try:
        await call
    except httpx.TransportError:
        return True
    return False


async def test_a_socket_whose_client_has_left_costs_nothing(served: Served) -> None:
    """Its handler ends, though nothing happens to the document."""
    key, _ = await served.new_key()
    url = f"ws://127.0.0.1:{served.port}/api/v1/documents/{served.document_id}/ws"
    async with open_socket(url, additional_headers={"Authorization": f"Bearer {key}"}, proxy=None) as socket:
        await socket.recv()
        assert served.watched()
    await until(lambda: not served.watched())


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
