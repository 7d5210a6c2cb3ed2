"""Access: every route declares its requirements, and each role gets exactly those rights."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar, get, websocket
from litestar.connection import WebSocket
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.types import Message
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import InvalidStatus

from activities.contracts.bulk import BulkRequested
from activities.contracts.documents import Chunking
from activities.contracts.reindex import RecordReindexInput, ReindexToRun
from activities.contracts.reindex_all import AllSettings
from activities.contracts.schedules import Timing
from activities.contracts.sync import RecordSyncInput, SyncReport
from activities.errors import SourceNameTaken
from activities.settings import Settings, load
from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.people.records import NewUser
from activities.stores.catalog.records import Accepted, KnowledgeBase, Principal, Upload
from activities.stores.catalog.roles import ROLES, KnowledgeBaseRole
from activities.stores.catalog.schedule_records import NewSchedule
from activities.stores.catalog.source_records import NewSource
from activities.stores.catalog.webhooks.records import NewEndpoint
from api.app import create_app
from api.http.access import PUBLIC, RESOURCES, Access, Needs, declaration, lists_methods, needs
from api.http.auth import OPEN_PATHS
from api.http.callers import KEY_SECONDS
from tests.conftest import Platform, assert_eventually, finished, upload

#: Litestar 2 warns of features that version 3 drops, here as in the running application.
pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]

LEAVE = b"Five days of unused leave can be carried over."

ALL = set(ROLES)
CONTRIBUTE, MANAGE = {"contributor", "manager", "admin"}, {"manager", "admin"}
OPERATE, AUDIT = {"operator", "admin"}, {"auditor", "admin"}
REINDEX = MANAGE | OPERATE
CONTROL = CONTRIBUTE | OPERATE

REINDEXES = "/api/v1/reindexes/{reindex_id}"
SCHEDULES = "/api/v1/schedules"
SCHEDULE = f"{SCHEDULES}/{{schedule_name}}"
SOURCES, SYNCS = "/api/v1/sources/{source_id}", "/api/v1/syncs/{sync_id}"
KB, DOCUMENT, BATCH = "/api/v1/knowledge-bases/{kb}", "/api/v1/documents/{document_id}", "/api/v1/batches/{batch_id}"
BULK = "/api/v1/bulk-changes/{bulk_id}"
WEBHOOK, DELIVERY = "/api/v1/webhooks/{webhook_id}", "/api/v1/webhooks/deliveries/{delivery_id}"
ADMIN = {"admin"}
USER, GROUP = "/api/v1/users/{user}", "/api/v1/groups/{group}"
QUESTION, CONVERSATION = "/api/v1/questions/{id}", "/api/v1/conversations/{id}"

#: Every route that needs a key, and the roles that may use it (on existing objects, and owned ones of their own).
MAY: dict[str, set[str]] = {
    "GET /metrics": OPERATE,
    "GET /api/v1/audit/views": AUDIT | OPERATE,
    "GET /api/v1/audit/runs": AUDIT,
    "GET /api/v1/audit/runs/{run_id}": AUDIT,
    "GET /api/v1/audit/runs/{run_id}/history": AUDIT,
    "POST /api/v1/audit/runs/{run_id}/replay": AUDIT,
    "GET /api/v1/formats": ALL,
    "GET /api/v1/lookup": ALL,
    "GET /api/v1/me": ALL,
    "GET /api/v1/knowledge-bases": ALL,
    "POST /api/v1/knowledge-bases": MANAGE,
    "GET /api/v1/embedding-models": ALL,
    "GET /api/v1/language-model": ALL,
    f"GET {KB}": ALL,
    f"PATCH {KB}": MANAGE,
    f"DELETE {KB}": MANAGE,
    f"GET {KB}/documents": ALL,
    f"POST {KB}/documents": CONTRIBUTE,
    f"POST {KB}/documents/bulk": CONTROL,
    f"GET {KB}/documents/bulk": ALL,
    f"GET {BULK}": ALL,
    f"POST {BULK}/cancel": CONTROL,
    f"GET {KB}/batches": ALL,
    f"POST {KB}/batches": CONTRIBUTE,
    f"POST {KB}/search": ALL,
    f"POST {KB}/questions": ALL,
    f"GET {DOCUMENT}": ALL,
    f"PATCH {DOCUMENT}": CONTRIBUTE,
    f"DELETE {DOCUMENT}": MANAGE,
    f"GET {DOCUMENT}/status": ALL,
    f"GET {DOCUMENT}/events": ALL,
    f"WS {DOCUMENT}/ws": ALL,
    f"GET {DOCUMENT}/chunks": ALL,
    f"GET {DOCUMENT}/content": ALL,
    f"POST {DOCUMENT}/pause": CONTROL,
    f"POST {DOCUMENT}/resume": CONTROL,
    f"POST {DOCUMENT}/cancel": CONTROL,
    f"POST {DOCUMENT}/retry": CONTROL,
    f"GET {BATCH}": ALL,
    f"GET {BATCH}/events": ALL,
    f"POST {BATCH}/pause": CONTROL,
    f"POST {BATCH}/resume": CONTROL,
    f"POST {BATCH}/cancel": CONTROL,
    f"POST {BATCH}/set-parallelism": CONTROL,
    f"POST {BATCH}/retry-failed": CONTROL,
    f"POST {BATCH}/close": CONTRIBUTE,
    f"POST {KB}/reindex": REINDEX,
    f"POST {KB}/reindex-plan": REINDEX,
    f"GET {KB}/reindexes": ALL,
    f"GET {REINDEXES}": ALL,
    f"GET {REINDEXES}/events": ALL,
    f"POST {REINDEXES}/pause": REINDEX,
    f"POST {REINDEXES}/resume": REINDEX,
    f"POST {REINDEXES}/cancel": REINDEX,
    f"POST {REINDEXES}/control": REINDEX,
    f"POST {REINDEXES}/approve": REINDEX,
    f"POST {REINDEXES}/override": REINDEX,
    f"POST {REINDEXES}/finish": REINDEX,
    "POST /api/v1/reindex-all": OPERATE,
    "GET /api/v1/reindex-all": OPERATE,
    "GET /api/v1/reindex-all/{many_id}": OPERATE,
    "GET /api/v1/reindex-all/{many_id}/events": OPERATE,
    "POST /api/v1/reindex-all/{many_id}/pause": OPERATE,
    "POST /api/v1/reindex-all/{many_id}/resume": OPERATE,
    "POST /api/v1/reindex-all/{many_id}/cancel": OPERATE,
    f"POST {REINDEXES}/rollback": REINDEX,
    f"GET {SCHEDULES}": ALL,
    f"POST {SCHEDULES}": REINDEX,
    f"GET {SCHEDULE}": ALL,
    f"PATCH {SCHEDULE}": REINDEX,
    f"DELETE {SCHEDULE}": REINDEX,
    f"POST {SCHEDULE}/pause": REINDEX,
    f"POST {SCHEDULE}/resume": REINDEX,
    f"POST {SCHEDULE}/run": REINDEX,
    f"POST {SCHEDULE}/backfill": REINDEX,
    f"POST {SCHEDULE}/confirm": REINDEX,
    f"POST {SCHEDULE}/cancel": REINDEX,
    f"GET {SCHEDULES}/reconcile": OPERATE,
    f"PATCH {SCHEDULES}/reconcile": OPERATE,
    f"DELETE {SCHEDULES}/reconcile": OPERATE,
    f"POST {SCHEDULES}/reconcile/pause": OPERATE,
    f"POST {SCHEDULES}/reconcile/resume": OPERATE,
    f"POST {SCHEDULES}/reconcile/run": OPERATE,
    f"POST {KB}/retention-preview": REINDEX,
    f"POST {KB}/sources": OPERATE,
    f"GET {KB}/sources": ALL,
    f"GET {SOURCES}": ALL,
    f"PATCH {SOURCES}": REINDEX,
    f"POST {SOURCES}/sync": REINDEX,
    f"GET {SOURCES}/syncs": ALL,
    f"GET {SYNCS}": ALL,
    f"GET {SYNCS}/events": ALL,
    f"POST {SYNCS}/pause": REINDEX,
    f"POST {SYNCS}/resume": REINDEX,
    f"POST {SYNCS}/cancel": REINDEX,
    f"POST {SYNCS}/confirm": REINDEX,
    f"DELETE {SOURCES}": REINDEX,
    "GET /api/v1/webhooks": ALL,
    "POST /api/v1/webhooks": REINDEX,
    f"GET {WEBHOOK}": REINDEX,
    f"PATCH {WEBHOOK}": REINDEX,
    f"POST {WEBHOOK}/rotate-secret": REINDEX,
    f"POST {WEBHOOK}/test": REINDEX,
    f"GET {WEBHOOK}/deliveries": REINDEX,
    f"POST {DELIVERY}/retry": REINDEX,
    f"DELETE {WEBHOOK}": REINDEX,
    f"GET {QUESTION}": ALL,
    f"GET {QUESTION}/events": ALL,
    f"POST {QUESTION}/cancel": ALL,
    f"POST {QUESTION}/feedback": ALL,
    "GET /api/v1/conversations": ALL,
    f"GET {CONVERSATION}": ALL,
    f"PATCH {CONVERSATION}": ALL,
    f"DELETE {CONVERSATION}": ALL,
    f"GET {CONVERSATION}/export": ALL,
    "GET /api/v1/audit/events": AUDIT,
    "GET /api/v1/audit/export": AUDIT,
    "GET /api/v1/audit/holds": AUDIT,
    "POST /api/v1/audit/holds": AUDIT,
    "POST /api/v1/audit/holds/end": AUDIT,
    "GET /api/v1/audit/log": AUDIT,
    "POST /api/v1/audit/log/continue": {"admin"},
    "GET /api/v1/audit/log/checkpoint": AUDIT,
    "GET /api/v1/audit/log/checkpoints": AUDIT,
    "GET /api/v1/audit/log/proof/{event_id}": AUDIT,
    "GET /api/v1/audit/log/export": AUDIT,
    "GET /api/v1/audit/questions/{id}/proof": AUDIT,
    "GET /api/v1/audit/questions/{id}": ALL,
    "GET /api/v1/audit/documents/{id}/answers": AUDIT,
    "POST /codec/decode": AUDIT,
    "POST /codec/session": AUDIT,
    "DELETE /codec/session": AUDIT,
    "POST /api/v1/reconcile": OPERATE,
    "GET /api/v1/reconcile/{id}": OPERATE,
    "GET /api/v1/operations": OPERATE,
    "GET /api/v1/operations/events": OPERATE,
    "GET /api/v1/operations/jobs": OPERATE,
    "POST /api/v1/operations/failures/retry": OPERATE,
    "POST /v1/chat/completions": ALL,
    "POST /api/v1/dify/retrieval": ALL,
    "POST /mcp": ALL,
    "POST /v1/vector_stores/{kb}/search": ALL,
    "GET /v1/models": ALL,
    "GET /v1/models/{model}": ALL,
    "POST /v1/embeddings": ALL,
    "POST /api/v1/auth/logout": ALL,
    "POST /api/v1/auth/password": ALL,
    "GET /api/v1/users": ADMIN,
    "POST /api/v1/users": ADMIN,
    f"GET {USER}": ADMIN,
    f"PATCH {USER}": ADMIN,
    f"POST {USER}/invitation": ADMIN,
    f"POST {USER}/sign-out": ADMIN,
    "GET /api/v1/groups": ADMIN,
    "POST /api/v1/groups": ADMIN,
    f"GET {GROUP}": ADMIN,
    f"PUT {GROUP}/members/{{user}}": ADMIN,
    f"DELETE {GROUP}/members/{{user}}": ADMIN,
    "GET /api/v1/keys": ALL,
    "POST /api/v1/keys": ADMIN,
    "DELETE /api/v1/keys/{key_id}": ALL,
    f"GET {KB}/grants": MANAGE,
    f"PUT {KB}/grants/user/{{name}}": MANAGE,
    f"PUT {KB}/grants/group/{{name}}": MANAGE,
    f"DELETE {KB}/grants/user/{{name}}": MANAGE,
    f"DELETE {KB}/grants/group/{{name}}": MANAGE,
    f"DELETE {USER}": ADMIN,
    f"DELETE {GROUP}": ADMIN,
}

#: Routes that need no key.
OPEN = {
    "POST /api/v1/auth/token",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/invitations/accept",
    "GET /",
    "GET /web/{file_path}",
    "HEAD /web/{file_path}",
    *(f"POST /api/v1/auth/browser{name}" for name in ("", "/refresh", "/sign-out")),
    *("GET /api/v1/auth/methods", "GET /api/v1/auth/oidc", "GET /api/v1/auth/oidc/callback"),
    "POST /api/v1/auth/oidc/backchannel-logout",
    "GET /health/live",
    "GET /health/ready",
    "GET /schema",
    "GET /schema/openapi.json",
    "GET /schema/{path}",
    "GET /schema-assets/{file_path}",
    "HEAD /schema-assets/{file_path}",
}

#: Streams without an end.
ENDLESS = {"GET /api/v1/operations/events"}

BODIES: dict[str, dict[str, Any]] = {
    "POST /api/v1/knowledge-bases": {"name": "{fresh}"},
    f"PATCH {KB}": {"title": "Handbook"},
    f"POST {KB}/documents/bulk": {"action": "retry", "filter": {"state": "failed"}},
    f"POST {KB}/batches": {"name": "more"},
    f"POST {KB}/search": {"query": "How much leave?"},
    f"POST {KB}/questions": {"question": "How much leave?"},
    f"PATCH {DOCUMENT}": {"tags": ["hr"]},
    f"POST {BATCH}/set-parallelism": {"parallelism": 2},
    f"POST {REINDEXES}/control": {"parallelism": 2},
    f"POST {SCHEDULES}": {"name": "{fresh}", "kind": "reindex", "knowledge_base": "{kb}", "every_minutes": 5},
    f"PATCH {SCHEDULE}": {"note": "Later"},
    f"POST {SCHEDULE}/backfill": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z"},
    f"POST {KB}/retention-preview": {"days": 30},
    f"POST {KB}/sources": {"location": "/srv/docs", "name": "{fresh}"},
    f"PATCH {SOURCES}": {"max_delete_share": 0.1},
    "POST /api/v1/webhooks": {"url": "https://93.184.216.34/hook", "knowledge_base": "{kb}"},
    f"PATCH {WEBHOOK}": {"description": "chat"},
    f"POST {REINDEXES}/override": {"reason": "The questions are out of date."},
    f"POST {QUESTION}/feedback": {"rating": "up"},
    f"PATCH {CONVERSATION}": {"title": "Leave"},
    "POST /v1/chat/completions": {"model": "{kb}", "messages": [{"role": "user", "content": "How much leave?"}]},
    "POST /api/v1/dify/retrieval": {"knowledge_id": "{kb}", "query": "How much leave?"},
    "POST /mcp": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_knowledge_bases"}},
    "POST /api/v1/operations/failures/retry": {"reason_code": "empty"},
    "POST /v1/vector_stores/{kb}/search": {"query": "leave"},
    "POST /v1/embeddings": {"model": "m", "input": "text"},
    "POST /api/v1/auth/password": {"current": "x", "new": "x"},
    "POST /api/v1/users": {"name": "{fresh}"},
    f"PATCH {USER}": {"display_name": "Tim"},
    "POST /api/v1/groups": {"name": "{fresh}"},
    "POST /api/v1/keys": {"owner": "granted", "role": "reader"},
    f"PUT {KB}/grants/user/{{name}}": {"role": "reader"},
    f"PUT {KB}/grants/group/{{name}}": {"role": "reader"},
    "POST /codec/decode": {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}]},
}


def handlers(app: Litestar) -> Iterator[tuple[str, BaseRouteHandler]]:
    """Every route, as ``GET /path/{parameter}``; sockets are ``WS``, mounted applications ``ASGI``."""
    for route in app.routes:
        path = re.sub(r":\w+}", "}", route.path)
        for handler in getattr(route, "route_handlers", None) or [route.route_handler]:  # type: ignore[union-attr]
            if lists_methods(handler):
                continue
            kinds = handler.http_methods if isinstance(handler, HTTPRouteHandler) else {route.scope_type.name[:2]}
            yield from ((f"{kind.replace('WE', 'WS')} {path}", handler) for kind in kinds)


@dataclass(frozen=True)
class IsolatedApi:
    """The API without its dependencies: only a catalogue, with one object of each kind and a key of each role.

    Temporal, Milvus and Triton do not respond, so a request that access admits ends with 503 where it needs them, and
    nothing is deleted.
    """

    app: Litestar
    catalog: Catalog
    keys: dict[str, str]
    ids: dict[str, dict[str, str]]
    """For each role: the path parameters of the objects that it may see."""

    async def call(self, role: str, route: str) -> httpx.Response:
        """One request by one role."""
        method, path = route.split(" ")
        ids = self.ids[role]
        body = json.dumps(BODIES.get(route, {})).replace('"{kb}"', f'"{ids["kb"]}"')
        body = body.replace("{fresh}", f"made-{secrets.token_hex(4)}")
        headers = {"Authorization": f"Bearer {self.keys[role]}"}
        sent: dict[str, Any] = {"content": body, "headers": headers | {"Content-Type": "application/json"}}
        if route.startswith(f"POST {KB}/documents") and route not in BODIES:
            sent = {"files": {"files": ("leave.txt", b"Five days.")}, "headers": headers}
        elif route not in BODIES:
            sent = {"headers": headers}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)  # streams end when they need Temporal
        async with httpx.AsyncClient(transport=transport, base_url="http://holdfast", timeout=30) as client:
            if route not in ENDLESS:
                return await client.request(method, path.format_map(ids), **sent)
            try:
                return await asyncio.wait_for(client.request(method, path.format_map(ids), **sent), 1)
            except TimeoutError:
                return httpx.Response(200)

    async def socket(self, key: str | None, path: str, *, as_subprotocol: bool = False) -> str:
        """The type of the first message on a socket: accepted or closed."""
        offered = f"holdfast, holdfast.key.{key}" if as_subprotocol else ""
        header = (
            (b"sec-websocket-protocol", offered.encode()) if offered else (b"authorization", f"Bearer {key}".encode())
        )
        got: list[Message] = []
        scope: Any = {
            "type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
            "headers": [header] if key else [], "subprotocols": offered.split(", ") if offered else [],
            "scheme": "ws", "server": ("holdfast", 80), "client": ("test", 1), "http_version": "1.1", "extensions": {},
            "asgi": {"version": "3.0", "spec_version": "2.3"},
        }  # fmt: skip

        async def receive() -> Any:
            return {"type": "websocket.connect"} if not got else {"type": "websocket.disconnect", "code": 1000}

        async def send(message: Message) -> None:
            got.append(message)

        await self.app(scope, receive, send)
        return got[0]["type"]


def settings_in(folder: Path) -> Settings:
    """Settings under which only the catalogue and the blobs respond."""
    nowhere = "127.0.0.1:1"
    return load(
        {
            "HOLDFAST_DATA": str(folder),
            "HOLDFAST_TEMPORAL_ADDRESS": nowhere,
            "HOLDFAST_TRITON_ADDRESS": nowhere,
            "HOLDFAST_MILVUS_URI": f"http://{nowhere}",
            "HOLDFAST_SYNC_FOLDERS": "/srv/docs",
            "HOLDFAST_API_ALLOWED_HOSTS": "holdfast",
            "HOLDFAST_API_REFUSALS_PER_MINUTE": "100000",  # many requests without a key are meant
        }
    )


async def followed(catalog: Catalog, kb: KnowledgeBase, name: str) -> tuple[str, str]:
    """The ids of a source and of a finished sync of it."""
    source = NewSource(
        knowledge_base_id=kb.id,
        name=name,
        kind="folder",
        location="/srv/docs/handbook",
        include=[],
        exclude=[],
        max_delete_share=0.2,
        tags=[],
    )
    made = await catalog.sources.create(source, "ann")
    sync = await catalog.syncs.start(made.id, "", "ann", preview=False)
    report = SyncReport(files=1, added=1, names={"added": ["handbook/leave.txt"]})
    await catalog.syncs.record(RecordSyncInput(sync_id=sync.id, state="ready", stage="report", report=report))
    return made.id, sync.id


@asynccontextmanager
async def started(app: Litestar) -> AsyncIterator[None]:
    """The application with its services open, in one task: a fixture may end in another task than it began."""
    ready, over = asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        async with app.lifespan():
            ready.set()
            await over.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve())
        await ready.wait()
        try:
            yield
        finally:
            over.set()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    """The application as served, not started."""
    return create_app(settings_in(tmp_path_factory.mktemp("routes")))


@pytest.fixture(scope="module")
async def isolated_api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[IsolatedApi]:
    """A started application."""
    settings = settings_in(tmp_path_factory.mktemp("isolated_api"))
    await upgrade(settings)
    app, catalog = create_app(settings), Catalog(settings.catalog_url)
    kb = await catalog.knowledge_bases.create("handbook", "", "", Chunking(), "ann")
    await Blobs(settings.blobs_url).create(original_key("0" * 64), LEAVE)
    batch = await catalog.batches.create(kb.id, "scans", 2, "ann", closed=True)
    sent = Upload(
        knowledge_base_id=kb.id, name="leave.txt", sha256="0" * 64, bytes=len(LEAVE), actor="ann", batch_id=batch.id
    )
    (accepted,) = await catalog.intake.accept([sent])
    assert isinstance(accepted, Accepted)
    document = accepted.document
    assert await catalog.intake.cancel(document.id, document.version, "ann")  # so that streams that watch it end
    await catalog.batches.record_state(batch.id, "ready")
    reindex = await catalog.reindexes.create(
        ReindexToRun(
            reindex_id="",
            knowledge_base_id=kb.id,
            knowledge_base=kb.name,
            generation=0,
            previous=0,
            chunking=Chunking(),
            actor="ann",
        )
    )
    bulk = await catalog.bulk_changes.create(
        BulkRequested(knowledge_base_id=kb.id, action="tag", tag="hr", ids=[document.id], actor="ann")
    )
    await catalog.reindexes.record(RecordReindexInput(reindex_id=reindex.id, state="ready", stage="retire"))
    schedule = await catalog.schedules.create(
        NewSchedule(
            name="nightly",
            kind="reindex",
            knowledge_base_id=kb.id,
            options={},
            timing=Timing(every_minutes=5),
            paused=False,
            note="",
            actor="ann",
        )
    )
    many = await catalog.reindex_alls.create([kb], AllSettings(), "ann")
    await catalog.reindex_alls.record(many.id, "ready")  # so that streams that watch it end
    shared = {
        "kb": kb.name,
        "model": kb.name,
        "document_id": document.id,
        "bulk_id": bulk.id,
        "run_id": "01a227d0-9b21-7555-991a-703ba34522af",
        "event_id": "0" * 32,
        "batch_id": batch.id,
        "reindex_id": reindex.id,
        "schedule_name": schedule.name,
        "many_id": many.id,
    }
    keys, ids = {}, {}
    for name in ("tim", "granted"):
        await catalog.users.create(NewUser(name=name), "ann")
        await catalog.groups.create(name, "ann")
    for role in ROLES:
        spare = await catalog.api_keys.find(await catalog.api_keys.create(role, role))
        assert spare is not None
        keys[role] = await catalog.api_keys.create(role, role)
        question = await catalog.questions.create(kb.id, "How much leave?", "extractive", None, role)
        await catalog.questions.interrupt(question.id)  # so that its stream ends
        source_id, sync_id = await followed(catalog, kb, role)
        hook = await catalog.webhooks.create(
            NewEndpoint(knowledge_base_id=kb.id, url="https://x.test/"), "whsec_", role
        )
        told = {"webhook_id": hook.id, "delivery_id": await catalog.deliveries.test(hook, role)}
        ids[role] = {
            **shared,
            **told,
            "source_id": source_id,
            "sync_id": sync_id,
            "user": "tim",
            "group": "tim",
            "name": "granted",
            "key_id": spare.key_id,
            "question": question.id,
            "conversation": question.conversation_id,
        }
    async with started(app):
        yield IsolatedApi(app, catalog, keys, ids)
    await catalog.close()


# --- declarations ----------------------------------------------------------------------------------


def test_every_route_declares_what_it_needs(app: Litestar) -> None:
    """HTTP, WebSocket and mounted ones; a route that is missing in this module's tables has no known rights."""
    declared = {route: declaration(handler) for route, handler in handlers(app)}
    assert [route for route, needed in declared.items() if needed is None] == []
    assert {route for route, needed in declared.items() if needed == PUBLIC} == OPEN
    assert {route for route, needed in declared.items() if isinstance(needed, Needs)} == MAY.keys()


def test_public_routes_are_those_without_authentication(app: Litestar) -> None:
    """The paths that authentication excludes and the routes declared public are the same."""
    for route, handler in handlers(app):
        path = re.sub(r"{\w+}", "x", route.split(" ")[1])
        assert (declaration(handler) == PUBLIC) == any(re.match(pattern, path) for pattern in OPEN_PATHS), route


def test_the_declaration_loads_the_resource_of_a_path(app: Litestar) -> None:
    """A path with a parameter declares the resource, so no handler trusts an id."""
    own = {
        "GET /api/v1/audit/questions/{id}",
        "GET /api/v1/audit/questions/{id}/proof",
        "GET /api/v1/reconcile/{id}",
    }  # in no knowledge base
    own.add("GET /api/v1/audit/documents/{id}/answers")  # also of deleted ones
    own |= {route for route in MAY if "/{many_id}" in route or "/{run_id}" in route or "/{event_id}" in route}
    own |= {route for route in MAY if re.search(r"/({user}|{group}|{key_id}|{name})", route)}  # of administrators
    for route, handler in handlers(app):
        needed = declaration(handler)
        parameters = set(re.findall(r"{(\w+)}", route))
        if isinstance(needed, Needs) and route not in own:
            assert parameters == ({needed.parameter} if needed.resource else set()), route


def test_a_handler_gets_only_authorised_records(app: Litestar) -> None:
    """Each record parameter is the declared resource or its knowledge base; no handler loads its own."""
    loads = re.compile(r"\.(knowledge_bases|documents|batches|schedules|conversations|questions)\.(get|by_id)\(")
    for route, handler in handlers(app):
        needed = declaration(handler)
        granted = {needed.resource, "knowledge_base"} if isinstance(needed, Needs) and needed.resource else set()
        assert set(RESOURCES) & set(inspect.signature(handler.fn).parameters) <= granted, route
        assert not loads.search(inspect.getsource(handler.fn)), route


# --- decisions -------------------------------------------------------------------------------------


async def test_a_browser_offers_its_key_as_a_subprotocol(isolated_api: IsolatedApi) -> None:
    """Browsers cannot set headers of a WebSocket; a key that is not known is refused all the same."""
    path = "/api/v1/documents/{document_id}/ws".format_map(isolated_api.ids["reader"])
    assert await isolated_api.socket(isolated_api.keys["reader"], path, as_subprotocol=True) == "websocket.accept"
    assert await isolated_api.socket("holdfast_unknown", path, as_subprotocol=True) == "websocket.close"


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/api/v1/knowledge-bases/{kb}/search", b'{"query": 5}', "`query`: expected `str`, got `int`"),
        ("/api/v1/knowledge-bases/{kb}/search", b"", "the JSON is empty or cut off"),
        (
            "/api/v1/audit/holds",  # its field has the name of a dependency of handlers
            b'{"knowledge_base": "", "reason": "x"}',
            "`knowledge_base`: expected `str` of length >= 1",
        ),
        (
            "/api/v1/keys",  # each of which would be looked up
            json.dumps({"owner": "tim", "knowledge_bases": ["handbook"] * 101}).encode(),
            "`knowledge_bases`: expected `array` of length <= 100",
        ),
        (
            "/api/v1/users",
            json.dumps({"name": "kim", "roles": ["admin"] * 4}).encode(),
            "`roles`: expected `array` of length <= 3",
        ),
    ],
)
async def test_only_what_is_wrong_is_named(isolated_api: IsolatedApi, path: str, body: bytes, detail: str) -> None:
    """A valid parameter of the path is not blamed for an invalid body."""
    headers = {"Authorization": f"Bearer {isolated_api.keys['admin']}", "Content-Type": "application/json"}
    transport = httpx.ASGITransport(isolated_api.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast", headers=headers) as client:
        answer = await client.post(path.format_map(isolated_api.ids["admin"]), content=body)
    assert answer.status_code == 400
    assert answer.json()["detail"] == f"The request is not valid: {detail}"


@pytest.mark.parametrize(
    ("role", "path"),
    [
        ("auditor", "/api/v1/audit/events?since=0001-01-01T00:00:00%2B14:00"),
        ("auditor", "/api/v1/audit/events?since=9999-12-31T23:59:59-14:00"),
        ("reader", f"/api/v1/conversations?cursor=999999999999999999-{'0' * 32}"),
        ("reader", "/api/v1/documents/{document_id}/chunks?cursor=-1"),
    ],
)
async def test_values_out_of_range_are_bad_requests(isolated_api: IsolatedApi, role: str, path: str) -> None:
    """A time or a position that cannot exist is refused with 400."""
    headers = {"Authorization": f"Bearer {isolated_api.keys[role]}"}
    transport = httpx.ASGITransport(isolated_api.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast", headers=headers) as client:
        assert (await client.get(path.format_map(isolated_api.ids[role]))).status_code == 400


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_has_exactly_its_rights(isolated_api: IsolatedApi, role: str) -> None:
    """On every route: 403 that names a role if the table excludes the role, and no refusal if it includes it."""
    await isolated_api.catalog.batches.record_state(
        isolated_api.ids[role]["batch_id"], "ready"
    )  # so that streams that watch it end
    for route, may in MAY.items():
        if route.startswith("WS "):
            path = route.split(" ")[1].format_map(isolated_api.ids[role])
            assert await isolated_api.socket(isolated_api.keys[role], path) == "websocket.accept", route
            continue
        ids = isolated_api.ids[role]
        ids["id"] = ids["conversation"] if "/conversations/" in route else ids["question"]
        answer = await isolated_api.call(role, route)
        if role in may:
            assert answer.status_code not in (401, 403, 404, 405), (route, answer.text)
            assert answer.status_code < 500 or answer.status_code == 503, (route, answer.text)
        else:
            assert answer.status_code == 403, (route, answer.text)
            assert answer.json()["code"] == "forbidden"
            assert any(f"“{each}”" in answer.json()["detail"] for each in may)


@pytest.mark.parametrize("role", ROLES)
async def test_a_knowledge_base_says_what_role_the_caller_has(isolated_api: IsolatedApi, role: str) -> None:
    """That of its ladder, and operators are told apart; so a page can leave out what would be refused."""
    answer = await isolated_api.call(role, f"GET {KB}")
    assert answer.json()["role"] == {"auditor": "reader", "admin": "manager"}.get(role, role)


@pytest.mark.parametrize("route", [route for route in MAY if route.split(" ")[1].startswith((QUESTION, CONVERSATION))])
async def test_only_the_asker_sees_a_question(isolated_api: IsolatedApi, route: str) -> None:
    """Other users get 404, even the role with all rights."""
    theirs = isolated_api.ids["reader"]
    found = theirs["conversation"] if CONVERSATION in route else theirs["question"]
    for role in ("contributor", "admin", "auditor", "operator"):
        isolated_api.ids[role]["id"] = found
        answer = await isolated_api.call(role, route)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), route


async def test_the_record_of_a_question_is_for_its_asker_and_for_auditors(isolated_api: IsolatedApi) -> None:
    """Others get 404, operators too."""
    for role in ROLES:
        isolated_api.ids[role]["id"] = isolated_api.ids["reader"]["question"]
        answer = await isolated_api.call(role, "GET /api/v1/audit/questions/{id}")
        assert answer.status_code == (200 if role in AUDIT | {"reader"} else 404), role


async def test_a_route_without_a_declaration_is_refused(isolated_api: IsolatedApi) -> None:
    """For every role: it stays closed until it declares its access."""

    @get("/forgotten")
    async def forgotten() -> str:
        return "secret"

    @websocket("/forgotten-socket")
    async def forgotten_socket(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        await socket.close()

    app = create_app(settings_in(Path(isolated_api.app.state.settings.data_dir)))
    app.register(forgotten)
    app.register(forgotten_socket)
    async with started(app):
        copy = IsolatedApi(app, isolated_api.catalog, isolated_api.keys, isolated_api.ids)
        for role in ROLES:
            assert (await copy.call(role, "GET /forgotten")).status_code == 403
            assert await copy.socket(isolated_api.keys[role], "/forgotten-socket") == "websocket.close"


async def test_a_socket_is_refused_as_a_request_is(isolated_api: IsolatedApi) -> None:
    """Before it is accepted: no key, a wrong key, too low a role, or a missing object."""

    @websocket("/managers/{kb:str}", access=needs("manager", "knowledge_base"))
    async def managers(socket: WebSocket[Any, Any, Any], knowledge_base: KnowledgeBase) -> None:
        await socket.accept()
        await socket.send_text(knowledge_base.name)
        await socket.close()

    app = create_app(settings_in(Path(isolated_api.app.state.settings.data_dir)))
    app.register(managers)
    async with started(app):
        copy = IsolatedApi(app, isolated_api.catalog, isolated_api.keys, isolated_api.ids)
        assert await copy.socket(isolated_api.keys["manager"], "/managers/handbook") == "websocket.accept"
        for key in (None, "holdfast_wrong", isolated_api.keys["reader"], isolated_api.keys["auditor"]):
            assert await copy.socket(key, "/managers/handbook") == "websocket.close"
        assert await copy.socket(isolated_api.keys["manager"], "/managers/nope") == "websocket.close"


class Grants(Access):
    """Roles for each knowledge base by name, as grants will assign them."""

    def __init__(self, catalog: Catalog, roles: dict[str, KnowledgeBaseRole]) -> None:
        super().__init__(catalog)
        self._roles = roles

    async def role_in(self, principal: Principal, knowledge_base: KnowledgeBase) -> KnowledgeBaseRole | None:
        """The granted role; None without one."""
        return self._roles.get(knowledge_base.name)


async def test_a_role_can_depend_on_the_knowledge_base(isolated_api: IsolatedApi) -> None:
    """The decision gets caller and knowledge base: without a role nothing of it exists, not even in the list."""
    ids = isolated_api.ids["contributor"]
    ids["id"] = ids["question"]
    before = isolated_api.app.state.access
    inside = [
        route
        for route in MAY
        if route.startswith(("GET", "POST")) and re.search("{(kb|document_id|batch_id|model)}", route)
    ]
    try:
        isolated_api.app.state.access = Grants(isolated_api.catalog, {})
        for route in [*inside, f"GET {QUESTION}", "POST /v1/chat/completions", "POST /api/v1/dify/retrieval"]:
            assert (await isolated_api.call("contributor", route)).status_code == 404, route
        assert (await isolated_api.call("contributor", "GET /api/v1/knowledge-bases")).json()["items"] == []
        assert (await isolated_api.call("contributor", "GET /v1/models")).json()["data"] == []
        isolated_api.app.state.access = Grants(isolated_api.catalog, {ids["kb"]: "reader"})
        assert (await isolated_api.call("contributor", f"GET {DOCUMENT}")).status_code == 200
        assert (await isolated_api.call("contributor", f"PATCH {DOCUMENT}")).status_code == 403
        isolated_api.app.state.access = Grants(isolated_api.catalog, {ids["kb"]: "manager"})
        assert (await isolated_api.call("reader", f"PATCH {KB}")).status_code == 200
    finally:
        isolated_api.app.state.access = before


async def test_an_upload_finds_only_batches_of_its_knowledge_base(isolated_api: IsolatedApi) -> None:
    """One of another knowledge base is not found, whatever its state: the caller may have no access to it."""
    name = f"other-{secrets.token_hex(4)}"
    await isolated_api.catalog.knowledge_bases.create(name, "", "", Chunking(), "ann")
    before = isolated_api.ids["admin"]
    isolated_api.ids["admin"] = {**before, "kb": name, "batch": before["batch_id"]}
    try:
        answer = await isolated_api.call("admin", f"POST {KB}/documents?batch={{batch}}")
    finally:
        isolated_api.ids["admin"] = before
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert before["batch_id"] in answer.json()["detail"]


# --- on a running platform -------------------------------------------------------------------------


def key_of(platform: Platform, *arguments: str) -> str:
    """A key that the command line creates."""
    made = platform.holdfast("key", "create", *arguments)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def client(platform: Platform, key: str) -> httpx.AsyncClient:
    """An HTTP client with that key; paths are below ``/api/v1``."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=f"{platform.url}/api/v1", headers=headers, timeout=60, trust_env=False)


async def test_a_reader_changes_nothing(platform: Platform, api: httpx.AsyncClient, kb: str) -> None:
    """With a key of the default role: it reads and asks; deleting, creating and uploading get 403 and do nothing."""
    (document,) = await upload(api, kb, ("leave.txt", LEAVE))
    await finished(api, document["id"])
    form = {"files": ("more.txt", b"More.")}
    async with client(platform, key_of(platform, "--subject", "rita")) as reader:
        for answer in (
            await reader.delete(f"/documents/{document['id']}"),
            await reader.delete(f"/knowledge-bases/{kb}"),
            await reader.post("/knowledge-bases", json={"name": "rita"}),
            await reader.post(f"/knowledge-bases/{kb}/documents", files=form),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        asked = await reader.post(f"/knowledge-bases/{kb}/questions", json={"question": "How much leave?"})
        assert asked.status_code == 202
        found = await reader.post(f"/knowledge-bases/{kb}/search", json={"query": "How much leave?"})
        assert [hit["document_id"] for hit in found.json()["hits"]] == [document["id"]]
        listed = (await reader.get(f"/knowledge-bases/{kb}/documents")).json()["items"]
        assert [(each["name"], each["state"]) for each in listed] == [("leave.txt", "ready")]
        assert (await reader.get("/knowledge-bases/rita")).status_code == 404


async def test_a_contributor_uploads_and_a_manager_deletes(platform: Platform, kb: str) -> None:
    """Each may do more than the role below it."""
    async with (
        client(platform, key_of(platform, "--subject", "carl", "--role", "contributor")) as contributor,
        client(platform, key_of(platform, "--subject", "mia", "--role", "manager")) as manager,
    ):
        (document,) = await upload(contributor, kb, ("leave.txt", LEAVE))
        await finished(contributor, document["id"])
        path = f"/documents/{document['id']}"
        assert (await contributor.patch(path, json={"tags": ["hr"]})).json()["tags"] == ["hr"]
        assert (await contributor.delete(path)).status_code == 403
        assert (await manager.delete(path)).status_code == 202
        assert (await contributor.get(path)).status_code == 404


async def test_a_revoked_key_ends_within_seconds(platform: Platform, api: httpx.AsyncClient) -> None:
    """401 for requests and sockets, and the trail records the revocation."""
    key = key_of(platform, "--subject", "rex")
    listed = json.loads(platform.holdfast("key", "list", "--json").stdout)["items"]
    (id,) = [each["id"] for each in listed if each["subject"] == "rex" and not each["revoked_at"]]
    async with client(platform, key) as rex:
        assert (await rex.get("/formats")).status_code == 200
        assert platform.holdfast("key", "revoke", id, "--yes").returncode == 0

        async def refused() -> bool:
            return (await rex.get("/formats")).status_code == 401

        await assert_eventually(refused, KEY_SECONDS + 5)
    url = f"{platform.url.replace('http', 'ws')}/api/v1/documents/{'0' * 32}/ws"
    with pytest.raises(InvalidStatus):
        await open_socket(url, additional_headers={"Authorization": f"Bearer {key}"}, proxy=None)
    events = (await api.get("/audit/events", params={"action": "key.revoke"})).json()["items"]
    assert (events[0]["object_id"], events[0]["detail"]) == (id, {"subject": "rex", "role": "reader"})


# --- what is not for everybody to see ----------------------------------------------------------------


async def test_only_who_manages_a_source_sees_where_it_is(isolated_api: IsolatedApi) -> None:
    """Not its folder, nor the names of its files: in lists, single sources, syncs, and streams."""
    catalog = isolated_api.catalog
    kb = await catalog.knowledge_bases.get("handbook")
    hidden = {"source_id": "", "sync_id": ""}
    hidden["source_id"], hidden["sync_id"] = await followed(catalog, kb, "secret")
    for role in ROLES:
        isolated_api.ids[role] |= hidden
        routes = (f"{KB}/sources", SOURCES, f"{SOURCES}/syncs", SYNCS, f"{SYNCS}/events")
        shown = "".join([(await isolated_api.call(role, f"GET {route}")).text for route in routes])
        assert hidden["source_id"] in shown
        manages = role in REINDEX
        assert ("/srv/docs" in shown, "leave.txt" in shown) == (manages, manages), role


@pytest.mark.parametrize(
    ("location", "status", "code"),
    [
        ("/etc", 400, "sync-not-allowed"),
        ("/srv/docs/../secret", 400, "invalid-request"),
        ("docs", 400, "invalid-request"),
        ("s3://bucket/x", 400, "sync-not-allowed"),
        ("/srv/docs/twice", 409, "source-name-taken"),
    ],
)
async def test_a_source_that_cannot_be_followed_is_refused(
    isolated_api: IsolatedApi, location: str, status: int, code: str
) -> None:
    """Before anything is recorded."""
    catalog = isolated_api.catalog
    kb = await catalog.knowledge_bases.get("handbook")
    with suppress(SourceNameTaken):
        await followed(catalog, kb, "twice")
    before = [source.id for source in await catalog.sources.page(kb.id, None, 100)]
    headers = {"Authorization": f"Bearer {isolated_api.keys['operator']}"}
    transport = httpx.ASGITransport(isolated_api.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast", headers=headers) as client:
        answer = await client.post("/api/v1/knowledge-bases/handbook/sources", json={"location": location})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert [source.id for source in await catalog.sources.page(kb.id, None, 100)] == before
