"""The layer of the application that records what a request reads, or is refused, before it is answered."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs

import structlog
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from activities.errors import NotRecorded
from activities.stores.catalog.audit.actions import object_type_of
from activities.stores.catalog.records import NewEvent, Principal
from activities.telemetry import names, origin, tracing
from activities.telemetry.origin import Origin
from api.http.access import GRANTED, REFUSED, Needs, declaration
from api.http.problems import CODE, problem
from api.http.recording.recorder import Recorder, Refusals
from api.http.recording.routes import RECORDED, ROUTES, Reads, Row, When

#: The header of an answer by which its events are found in the audit trail.
REQUEST_ID: Final = "X-Request-Id"

#: The actor of requests without a valid key.
UNKNOWN: Final = "unknown"

#: The action of refused requests whose caller is unknown.
NO_KEY: Final = "access.refuse"

#: The state of a request that has the detail of its event.
_DETAIL: Final = "recorded"

#: Statuses of changes that are corrected by the caller, or tried again: no change was attempted.
_UNATTEMPTED: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.TOO_MANY_REQUESTS)

MAX_ID: Final = 32
MAX_VERSION: Final = 2**31


class Recording:
    """Gives each request an id, which its audit events and its answer have, and records it."""

    def __init__(self, app: ASGIApp, reads: Reads) -> None:
        self._app, self._recorded = app, RECORDED[reads]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; answer 503 instead where its event cannot be written."""
        if scope["type"] not in (ScopeType.HTTP, ScopeType.WEBSOCKET):
            await self._app(scope, receive, send)
            return
        client, request_id = scope.get("client"), uuid.uuid4().hex
        structlog.contextvars.bind_contextvars(request_id=request_id)
        origin.begin(Origin(address=client[0] if client else None, request_id=request_id))
        tracing.note({names.REQUEST_ID: request_id})
        answered = withheld = False

        async def send_recorded(message: Message) -> None:
            nonlocal withheld, answered
            if withheld:
                return
            status = None if answered else _status_of(message, scope)
            if status is not None:
                answered = True
                try:
                    await self._record(scope, status, request_id)
                except NotRecorded as error:
                    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
                        withheld = True
                        await _withhold(error, scope, receive, send)
                        raise
                if message["type"] == "http.response.start":
                    message.setdefault("headers", [])
                    MutableScopeHeaders.from_message(message)[REQUEST_ID] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_recorded)
        except Exception:
            if not withheld:
                raise

    async def _record(self, scope: Scope, status: HTTPStatus, request_id: str) -> None:
        row = row_of(scope)
        if row is not None and "recorder" in scope["litestar_app"].state:
            await record(scope, row, status, request_id, self._recorded)


async def record(scope: Scope, row: Row, status: HTTPStatus, request_id: str, recorded: frozenset[When]) -> None:
    """Record what came of a request, or of a call in it, that ``row`` describes. Raises NotRecorded.

    ``recorded`` says which reads are recorded. The objects are those that were granted to the request.
    """
    services = scope["litestar_app"].state
    recorder: Recorder = services.recorder
    refusals: Refusals = services.refusals
    if status < HTTPStatus.BAD_REQUEST:
        if row.when in recorded:
            await recorder.record(_event(scope, row, request_id))
    elif is_recorded_refusal(row, status, guarded=bool(scope["state"].get(REFUSED))):
        outcome = "failed" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "refused"
        event = _event(scope, row, request_id, status=int(status))
        action = NO_KEY if status == HTTPStatus.UNAUTHORIZED else row.action
        code = scope["state"].get(CODE)
        replaced = {name: getattr(event, name) for name in event.__struct_fields__}
        await refusals.record(NewEvent(**replaced | {"outcome": outcome, "action": action, "code": code}))


def _status_of(message: Message, scope: Scope) -> HTTPStatus | None:
    """The status of an answer by its first message; a socket that is closed instead of accepted has none of its own."""
    match message["type"]:
        case "http.response.start":
            return HTTPStatus(message["status"])
        case "websocket.accept":
            return HTTPStatus.OK
        case "websocket.close" if not isinstance(scope.get("user"), Principal):
            return HTTPStatus.UNAUTHORIZED
        case "websocket.close":
            return HTTPStatus.NOT_FOUND if scope["state"].get(REFUSED) else HTTPStatus.INTERNAL_SERVER_ERROR
    return None


def is_recorded_refusal(row: Row, status: HTTPStatus, *, guarded: bool) -> bool:
    """Whether a request that was answered by an error is recorded: what is not allowed, and changes that failed."""
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return True
    if status == HTTPStatus.NOT_FOUND and guarded:
        return True
    return row.when in ("own", "control") and status not in _UNATTEMPTED


def row_of(scope: Scope) -> Row | None:
    """The row of the route that a request was for."""
    method = "WS" if scope["type"] == ScopeType.WEBSOCKET else scope["method"]
    return ROUTES.get(f"{method} {scope.get('path_template', '')}")


async def recordable(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A guard: a run is only steered where its event can be written. Raises NotRecorded."""
    row = row_of(connection.scope)
    if row is not None and row.when == "control":
        await connection.app.state.recorder.require()


def note_text(scope: Scope, text: str) -> None:
    """Record of a text only its length and a salted hash, by which a text can be compared but not read."""
    salt = secrets.token_hex(16)
    digest = hashlib.sha256(f"{salt}{text}".encode()).hexdigest()
    scope["state"][_DETAIL] = {"characters": len(text), "salt": salt, "sha256": digest}


def _event(scope: Scope, row: Row, request_id: str, **detail: object) -> NewEvent:
    """The event of a request, about the object that its path addresses."""
    principal, client = scope.get("user"), scope.get("client")
    known = isinstance(principal, Principal)
    granted: dict[str, Any] = scope["state"].get(GRANTED) or {}
    needed = declaration(scope["route_handler"])
    resource = (needed.resource if isinstance(needed, Needs) else None) or object_type_of(row.action)
    found = granted.get(resource) if resource else None
    parameter = row.at or (needed.parameter if isinstance(needed, Needs) else "")
    asked = str(scope.get("path_params", {}).get(parameter, ""))
    is_name = resource in ("knowledge_base", "schedule") and row.at is None
    id = found.id if found is not None else None if is_name else asked.replace("-", "")
    knowledge_base = granted.get("knowledge_base")
    version = parse_qs(scope["query_string"].decode("latin-1")).get("version", [""])[0]
    named = getattr(found, "name", None) or (asked if is_name else "") or None
    return NewEvent(
        actor=principal.subject if known else UNKNOWN,
        action=row.action,
        knowledge_base_id=knowledge_base.id if knowledge_base is not None else None,
        object_id=id if id and len(id) <= MAX_ID else None,
        object_name=named,
        version=_version(version) or getattr(found, "version", None),
        detail={**scope["state"].get(_DETAIL, {}), **detail},
        origin=Origin(
            key_id=principal.key_id if known else None,
            address=client[0] if client else None,
            request_id=request_id,
        ),
    )


def _version(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 and int(text) < MAX_VERSION else None


async def _withhold(error: NotRecorded, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != ScopeType.HTTP:
        await send({"type": "websocket.close", "code": 1011, "reason": None})
        return
    request: Request[Any, Any, Any] = Request(scope)
    await problem(request, error).to_asgi_response(None, request)(scope, receive, send)
