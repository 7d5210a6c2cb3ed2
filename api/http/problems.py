"""Errors as problem+json (RFC 9457), by one table from exception to status, in the language of the request."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, NotAuthorizedException
from temporalio.service import RPCError

from activities.errors import (
    BodyTooLarge,
    Conflict,
    DependencyError,
    DocumentError,
    FileLost,
    Forbidden,
    ForeignOrigin,
    HoldfastError,
    InvalidRequest,
    Language,
    ModelError,
    NotFound,
    PasswordChangeNeeded,
    QuestionTimedOut,
    QuestionTooLong,
    RequestError,
    TemporalUnavailable,
    TooManyPending,
    TooManyRequests,
    TooManyUploads,
    Unauthenticated,
    UnknownHost,
    UploadTooLarge,
)
from activities.phrases import Bilingual, Phrase
from activities.telemetry import metrics
from activities.validation import explain
from api.http.language import language_of

log = structlog.get_logger()

#: Most specific first.
STATUS: tuple[tuple[type[HoldfastError], HTTPStatus], ...] = (
    (Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (PasswordChangeNeeded, HTTPStatus.FORBIDDEN),
    (ForeignOrigin, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (UnknownHost, HTTPStatus.MISDIRECTED_REQUEST),
    (TooManyRequests, HTTPStatus.TOO_MANY_REQUESTS),
    (UploadTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (BodyTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (RequestError, HTTPStatus.BAD_REQUEST),
    (DocumentError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ModelError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (FileLost, HTTPStatus.GONE),
    (DependencyError, HTTPStatus.SERVICE_UNAVAILABLE),
    (QuestionTimedOut, HTTPStatus.GATEWAY_TIMEOUT),
    (HoldfastError, HTTPStatus.INTERNAL_SERVER_ERROR),
)

#: Under this prefix errors have OpenAI's shape.
OPENAI_PREFIX = "/v1/"

#: OpenAI's error types by status; other statuses are ``invalid_request_error`` or ``server_error``.
_OPENAI_TYPES = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}


class Refusal(Bilingual):
    """Texts for requests that the router refuses."""

    NO_SUCH_PATH = ("There is nothing at this address.", "该地址不存在。")
    NO_SUCH_METHOD = ("This address does not take {method} requests.", "该地址不支持 {method} 请求。")


#: The state of a request that has the code of its error, for the audit trail.
CODE = "code"

#: How a limit refuses an upload.
REFUSED_UPLOADS = (TooManyUploads, TooManyPending, UploadTooLarge)

#: Retry-After in seconds while a dependency is down.
RETRY_AFTER = 5


def status_of(error: HoldfastError) -> HTTPStatus:
    """The HTTP status of an error, by the first matching class in ``STATUS``."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def problem(request: Request[Any, Any, Any], error: HoldfastError) -> Response[dict[str, Any]]:
    """The response to a HoldfastError."""
    status = status_of(error)
    request.scope.setdefault("state", {})[CODE] = error.reason.code
    if isinstance(error, Unauthenticated):
        metrics.AUTHENTICATION_FAILURES.inc()
    if isinstance(error, REFUSED_UPLOADS):
        metrics.UPLOADS_REFUSED.labels(error.reason.code).inc()
    headers: dict[str, str] = {}
    if isinstance(error, DependencyError):
        headers["Retry-After"] = str(RETRY_AFTER)
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = error.reason.params["seconds"]
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if request.scope["path"].startswith(OPENAI_PREFIX):
        return Response(openai_error(error, language_of(request)), status_code=int(status), headers=headers)
    body = problem_body(error, language_of(request), request.scope["path"])
    return Response(body, status_code=int(status), headers=headers, media_type="application/problem+json")


def problem_body(error: HoldfastError, language: Language, path: str) -> dict[str, Any]:
    """The error as problem+json."""
    status = status_of(error)
    return {
        "type": f"urn:holdfast:problem:{error.reason.code}",
        "title": status.phrase,
        "status": int(status),
        "code": error.reason.code,
        "detail": error.reason.render(language),
        "instance": path,
    }


def openai_error(error: HoldfastError, language: Language) -> dict[str, Any]:
    """The error in the shape of OpenAI's API."""
    params = error.reason.params
    code, param = error.reason.code.replace("-", "_"), params.get("param")
    if isinstance(error, NotFound) and params.get("kind") in ("knowledge base", "model"):
        code, param = "model_not_found", "model"
    elif isinstance(error, Unauthenticated):
        code = "invalid_api_key"
    elif isinstance(error, QuestionTooLong):
        code, param = "context_length_exceeded", "messages"
    return _openai_body(status_of(error), error.reason.render(language), param, code)


def _openai_body(status: HTTPStatus, message: str, param: str | None, code: str) -> dict[str, Any]:
    kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    return {"error": {"message": message, "type": _OPENAI_TYPES.get(status, kind), "param": param, "code": code}}


def http_problem(request: Request[Any, Any, Any], exc: HTTPException) -> Response[dict[str, Any]]:
    """The response to an error that Litestar raises: routing, decoding, validation, body size."""
    if isinstance(exc, NotAuthorizedException):
        return problem(request, Unauthenticated())
    if exc.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return problem(request, _too_large(request))
    if exc.status_code == HTTPStatus.BAD_REQUEST:
        return problem(request, InvalidRequest(detail=_validation_detail(exc, language_of(request))))
    if fault := _fault_of_body(exc):
        return problem(request, InvalidRequest(detail=_named([fault], language_of(request))))
    status = HTTPStatus(exc.status_code)
    code = status.name.lower().replace("_", "-")
    detail = _refusal(request, status, exc.detail)
    if request.scope["path"].startswith(OPENAI_PREFIX):
        body = _openai_body(status, detail, None, code.replace("-", "_"))
        return Response(body, status_code=int(status), headers=exc.headers)
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "code": code,
        "detail": detail,
        "instance": request.scope["path"],
    }
    return Response(body, status_code=int(status), headers=exc.headers, media_type="application/problem+json")


def _too_large(request: Request[Any, Any, Any]) -> BodyTooLarge | UploadTooLarge:
    """The error for a body that is longer than its route takes."""
    limit = request.route_handler.resolve_request_max_body_size()
    uploads = limit == request.app.state.settings.api.max_upload_bytes
    return UploadTooLarge(limit=limit) if uploads else BodyTooLarge(limit=limit)


def too_deep(request: Request[Any, Any, Any], exc: RecursionError) -> Response[dict[str, Any]]:
    """The response to JSON that msgspec cannot decode for its depth; any other recursion is a fault of ours."""
    if "deserializing" not in str(exc):
        return unforeseen(request, exc)
    return problem(request, InvalidRequest(detail=Phrase.NESTED_JSON))


def temporal_problem(request: Request[Any, Any, Any], exc: RPCError) -> Response[dict[str, Any]]:
    """The response to a failed call to Temporal that was not translated to a HoldfastError."""
    log.warning("call to Temporal failed", status=exc.status.name, path=request.scope["path"])
    return problem(request, TemporalUnavailable())


def unforeseen(request: Request[Any, Any, Any], exc: Exception) -> Response[dict[str, Any]]:
    """The response to any other exception, which is logged in full and shown without details."""
    log.error("request failed", path=request.scope["path"], method=request.method, exc_info=exc)
    return problem(request, HoldfastError())


def _refusal(request: Request[Any, Any, Any], status: HTTPStatus, detail: str) -> str:
    """The sentence for a status of Litestar's router; ``detail`` if there is none of ours."""
    language = language_of(request)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return HoldfastError().reason.render(language)
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return Refusal.NO_SUCH_METHOD.render(language, method=request.method)
    return Refusal.NO_SUCH_PATH.render(language) if status == HTTPStatus.NOT_FOUND else detail


def _validation_detail(exc: HTTPException, language: Language) -> str:
    """The invalid fields with their errors, or the error of the whole body, in one language."""
    fields = [item for item in exc.extra if isinstance(item, dict)] if isinstance(exc.extra, list) else []
    # Litestar reports what it has not filled in yet, such as the parameters of the path, as a KeyError's text.
    missing = [item for item in fields if item.get("message") == repr(item.get("key"))]
    fields = [item for item in fields if item not in missing]
    if not fields and any(item.get("key") == "data" for item in missing):
        return Phrase.CUT_JSON.render(language)
    return _named(fields, language) or explain(exc.detail).render(language)


def _named(fields: list[dict[str, Any]], language: Language) -> str:
    """The invalid fields with their errors."""
    colon, semicolon = ("：", "；") if language == "zh" else (": ", "; ")
    return semicolon.join(
        f"`{item.get('key') or 'body'}`{colon}{explain(str(item.get('message'))).render(language)}" for item in fields
    )


def _fault_of_body(exc: HTTPException) -> dict[str, Any] | None:
    """The invalid field of a body that has the name of a dependency, which Litestar takes for a fault of the server."""
    message, _, place = str(exc.__cause__).partition(" - at `$.data")
    if not isinstance(exc.__cause__, msgspec.ValidationError) or not place:
        return None
    return {"key": place.strip(".`"), "message": message}


EXCEPTION_HANDLERS: dict[Any, Any] = {
    HoldfastError: problem,
    HTTPException: http_problem,
    RPCError: temporal_problem,
    RecursionError: too_deep,
    Exception: unforeseen,
}
