"""Errors as problem+json (RFC 9457): one table from exception to status, in the language of the request."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, NotAuthorizedException
from temporalio.service import RPCError

from activities.errors import (
    Conflict,
    DependencyError,
    DocumentError,
    Forbidden,
    HoldfastError,
    InvalidRequest,
    Language,
    ModelError,
    NotFound,
    RequestError,
    TemporalUnavailable,
    TooManyRequests,
    Unauthenticated,
    UploadTooLarge,
)

log = structlog.get_logger()

#: Most specific first.
STATUS: tuple[tuple[type[HoldfastError], HTTPStatus], ...] = (
    (Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (TooManyRequests, HTTPStatus.TOO_MANY_REQUESTS),
    (UploadTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (RequestError, HTTPStatus.BAD_REQUEST),
    (DocumentError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ModelError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (DependencyError, HTTPStatus.SERVICE_UNAVAILABLE),
    (HoldfastError, HTTPStatus.INTERNAL_SERVER_ERROR),
)

#: Seconds after which a client may try again when a dependency is down.
RETRY_AFTER = 5


def language_of(request: ASGIConnection[Any, Any, Any, Any]) -> Language:
    """English unless the client prefers Chinese (the first language of Accept-Language)."""
    return "zh" if request.headers.get("accept-language", "").strip().lower().startswith("zh") else "en"


def status_of(error: HoldfastError) -> HTTPStatus:
    """The HTTP status of one of our errors."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def problem(request: Request[Any, Any, Any], error: HoldfastError) -> Response[dict[str, Any]]:
    """Our own errors."""
    status = status_of(error)
    headers: dict[str, str] = {}
    if isinstance(error, DependencyError):
        headers["Retry-After"] = str(RETRY_AFTER)
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = error.reason.params["seconds"]
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    body = {
        "type": f"urn:holdfast:problem:{error.reason.code}",
        "title": status.phrase,
        "status": int(status),
        "code": error.reason.code,
        "detail": error.reason.render(language_of(request)),
        "instance": request.url.path,
    }
    return Response(body, status_code=int(status), headers=headers, media_type="application/problem+json")


def http_problem(request: Request[Any, Any, Any], exc: HTTPException) -> Response[dict[str, Any]]:
    """What Litestar itself refuses: routing, decoding, validation, size."""
    if isinstance(exc, NotAuthorizedException):
        return problem(request, Unauthenticated())
    if exc.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return problem(request, UploadTooLarge(limit=request.app.state.settings.api.max_upload_bytes))
    if exc.status_code == HTTPStatus.BAD_REQUEST:
        return problem(request, InvalidRequest(detail=_what_is_wrong(exc)))
    status = HTTPStatus(exc.status_code)
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "code": status.name.lower().replace("_", "-"),
        "detail": exc.detail
        if status < HTTPStatus.INTERNAL_SERVER_ERROR
        else HoldfastError().reason.render(language_of(request)),
        "instance": request.url.path,
    }
    return Response(body, status_code=int(status), headers=exc.headers, media_type="application/problem+json")


def temporal_problem(request: Request[Any, Any, Any], exc: RPCError) -> Response[dict[str, Any]]:
    """A call to Temporal that nobody translated more precisely."""
    log.warning("call to Temporal failed", status=exc.status.name, path=request.url.path)
    return problem(request, TemporalUnavailable())


def unforeseen(request: Request[Any, Any, Any], exc: Exception) -> Response[dict[str, Any]]:
    """The edge of the process: logged in full, shown without a detail."""
    log.error("request failed", path=request.url.path, method=request.method, exc_info=exc)
    return problem(request, HoldfastError())


def _what_is_wrong(exc: HTTPException) -> str:
    fields = exc.extra if isinstance(exc.extra, list) else []
    parts = [f"{item.get('key') or 'body'}: {item.get('message')}" for item in fields if isinstance(item, dict)]
    return "; ".join(parts) or exc.detail


EXCEPTION_HANDLERS: dict[Any, Any] = {
    HoldfastError: problem,
    HTTPException: http_problem,
    RPCError: temporal_problem,
    Exception: unforeseen,
}
