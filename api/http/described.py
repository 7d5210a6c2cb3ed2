"""The OpenAPI description: what every route can answer beside its success, filled in from what the route declares."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from litestar import Request as LitestarRequest
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Example, OpenAPIMediaType, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.plugins import OpenAPISchemaPlugin, ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute
from litestar.typing import FieldDefinition
from msgspec import UNSET, UnsetType

from activities.errors import (
    BodyTooLarge,
    CatalogUnavailable,
    FileLost,
    Forbidden,
    HoldfastError,
    InvalidRequest,
    ModelError,
    NotFound,
    QuestionTimedOut,
    TooManyRequests,
    Unauthenticated,
    UnknownHost,
    WrongState,
)
from api.http.access import PUBLIC, declaration
from api.http.problems import OPENAI_PREFIX, openai_error, problem_body, status_of
from api.http.schemas import Request
from api.http.schemas import Schema as Wire

EVENT_STREAM: Final = "text/event-stream"

DESCRIPTION: Final = """Ask questions of your documents. Uploads and questions are durable jobs with live progress.

**Access.** Send a key or an access token as `Authorization: Bearer …`; it is never part of an address. A resource that
you may not see answers as one that does not exist (404).

**Errors** are `application/problem+json` (RFC 9457): `code` is stable, `detail` is a sentence in the language of
`Accept-Language` (en, zh). Routes under `/v1/` have the errors of OpenAI's API. Any address can also answer 405 (with
`Allow`); before a route is found, a connection may get 400 (not HTTP), 408 (too slow), 429 (too many connections of
one address) or 431 (more than 32 KiB of headers). 429 and 503 carry `Retry-After`.

**Queries.** A parameter that a route does not know is an error (400), as an unknown field of a body is.

**Limits.** JSON bodies have 1 MiB at most, those of `/v1/` 8 MiB, uploads what the operator allows.

**Event streams** (`text/event-stream`) send `event`, `id` and one line of JSON in `data`. A comment is sent in each
15 seconds without an event. A reader that comes back with `Last-Event-ID` goes on after that event. Streams end with
their job, and at the latest some seconds after their key or token has become invalid.

**WebSocket.** `/api/v1/documents/{document_id}/ws` sends the same states as the document's event stream, each as one
JSON text, and closes with 1000 after the last one; what it is sent is ignored. Programs authenticate by the header
`Authorization`. Browsers, which cannot set it, offer two subprotocols, `holdfast` and `holdfast.key.<key>`; the server
chooses `holdfast`. A handshake without a valid key, or for a document that the caller may not see, is refused with
HTTP 403; a socket whose key becomes invalid is closed with 1008."""


REFERENCE: Final = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Holdfast API</title>
  <link rel="icon" href="/web/favicon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/schema-assets/swagger-ui.css">
  <script src="/schema-assets/swagger-ui-bundle.js" defer></script>
  <script src="/web/reference.js" defer></script>
</head>
<body><div id="reference"></div></body>
</html>
"""


class Problem(Wire, frozen=True):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str


class OpenAIErrorDetail(Wire, frozen=True):
    """What is wrong, as OpenAI's API says it."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIError(Wire, frozen=True):
    """An error of the routes for OpenAI's clients."""

    error: OpenAIErrorDetail


#: An example of each error, with when it comes.
ERRORS: Final[dict[int, tuple[HoldfastError, str]]] = {
    400: (InvalidRequest(detail="`limit`: expected `int` >= 1"), "The request is not valid; nothing was changed."),
    401: (Unauthenticated(), "The key or token is missing, wrong, expired or revoked."),
    403: (Forbidden(role="manager"), "The caller's role, or the scope of the key, does not suffice."),
    404: (NotFound(kind="document", id="0192f0c1"), "It does not exist, or the caller may not see it."),
    409: (WrongState(state="ready", action="pause"), "It is not in a state for this, or something else is in the way."),
    410: (FileLost(name="leave.txt"), "The file store has lost what the catalogue refers to."),
    413: (BodyTooLarge(limit=1 << 20), "The body is larger than this route takes."),
    421: (
        UnknownHost(host="example.org", setting="HOLDFAST_API_ALLOWED_HOSTS"),
        "The Host header is not ours.",
    ),
    422: (ModelError(detail="the text is too long"), "A model rejected its input."),
    429: (TooManyRequests(seconds=5), "Too many requests; Retry-After says when to try again."),
    503: (CatalogUnavailable(), "A service that is needed is down; Retry-After says when to try again."),
    504: (QuestionTimedOut(), "The answer took too long."),
}

#: Public routes under this prefix sign people in.
SIGN_IN_PREFIX: Final = "/api/v1/auth/"

WITH_BODY: Final = {"POST", "PATCH", "PUT"}
WRITES: Final = {*WITH_BODY, "DELETE"}

#: Parameters of handlers that name what is asked for, that read the file store, and that use a model.
NAMES: Final = {"data", "kb", "batch", "wanted"}
FILES: Final = {"blobs", "asking", "reindex_control", "all_control", "schedule_control"}
MODELS: Final = {"asking", "retriever", "stores", "reindex_control", "all_control"}


def errors_of(handler: HTTPRouteHandler, path: str) -> set[int]:
    """The statuses of errors that a route can answer."""
    found, methods, parameters = {400, 421}, set(handler.http_methods), handler.fn.__annotations__.keys()
    if declaration(handler) == PUBLIC:
        signs_in = path.startswith(SIGN_IN_PREFIX)
        found |= {404, 503} if signs_in else set()
        return found | ({401, 413, 429} if signs_in and methods & WITH_BODY else set())
    found |= {401, 403, 429, 503}
    if "{" in path or NAMES & parameters:
        found |= {404}
    if methods & WRITES:
        found |= {404, 409}
    if methods & WITH_BODY:
        found |= {413}
    if FILES & parameters:
        found |= {410}
    if MODELS & parameters and methods & WITH_BODY:
        found |= {422}
    if path.startswith(OPENAI_PREFIX):
        found |= {504}
    return found


def error_response(status: int, path: str) -> ResponseSpec:
    """The description of an error, with an example."""
    error, when = ERRORS[status]
    container: type[Wire]
    assert status_of(error) == status, status  # noqa: S101 - of the table above
    if path.startswith(OPENAI_PREFIX):
        example, container, media_type = openai_error(error, "en"), OpenAIError, "application/json"
    else:
        example, container = problem_body(error, "en", path), Problem
        media_type = "application/problem+json"
    return ResponseSpec(
        container,
        generate_examples=False,
        description=when,
        media_type=media_type,
        examples=[Example(summary=HTTPStatus(status).phrase, value=example)],
    )


class StreamEvent(Wire, frozen=True):
    """One event of a stream; ``data`` is JSON."""

    data: str
    event: str | UnsetType = UNSET
    id: str | UnsetType = UNSET


def streamed(events: str, **example: str) -> ResponseSpec:
    """The description of an event stream: its ``events`` in prose, and an example of one."""
    examples = [Example(summary="One event", value=example)]
    return ResponseSpec(
        StreamEvent,
        generate_examples=False,
        description=f"Events: {events}",
        media_type=EVENT_STREAM,
        examples=examples,
    )


#: The event stream of a job.
JOB_STREAM: Final = {
    200: streamed(
        "`state` now and whenever it has changed; the stream ends after the last one, in which `state` is final.",
        id="2.40.running",
        event="state",
        data='{"state": "running", "stage": "embed", "done": 40}',
    )
}


#: The bytes of a file.
DOWNLOAD: Final = {
    status: ResponseSpec(bytes, generate_examples=False, description=when, media_type="application/octet-stream")
    for status, when in {
        200: "The file. It is always an attachment of unknown type, so that no browser runs what is in it.",
        206: "The range of it that was asked for.",
        416: "The range begins after the end; `Content-Range` says where that is.",
    }.items()
}


@dataclass
class AlsoStreams(Operation):
    """A route whose success is JSON or, where the caller asks for it, an event stream."""

    def __post_init__(self) -> None:
        """Called by the constructor."""
        also(self, EVENT_STREAM)


@dataclass
class AlsoMarkdown(Operation):
    """A route whose success is JSON or Markdown."""

    def __post_init__(self) -> None:
        """Called by the constructor."""
        also(self, "text/markdown")


@dataclass
class AlsoCsv(Operation):
    """A route whose success is JSON Lines or CSV."""

    def __post_init__(self) -> None:
        """Called by the constructor."""
        also(self, "text/csv")


def also(operation: Operation, media_type: str) -> None:
    """Describe a further form of the success."""
    content = (operation.responses or {})["200"].content  # type: ignore[union-attr]
    assert content is not None  # noqa: S101 - a success with a body
    content[media_type] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))


class ErrorsOfRoutes(ReceiveRoutePlugin):
    """Adds the errors of each route, and that public routes need no key."""

    def receive_route(self, route: BaseRoute) -> None:
        """Called by Litestar for each route."""
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            if not handler.resolve_include_in_schema():
                continue
            path = route.path_format
            described = {status: error_response(status, path) for status in sorted(errors_of(handler, path))}
            handler.responses = described | dict(handler.responses or {})
            if declaration(handler) == PUBLIC:
                handler.security = [{}]


class StrictBodies(OpenAPISchemaPlugin):
    """Says of request bodies that an unknown field is an error."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Whether it is a body that refuses unknown fields."""
        return not field_definition.is_union and field_definition.is_subclass_of(Request)

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        """The schema of the plugin that would describe it otherwise."""
        plugins = (each for each in schema_creator.plugins if each is not self)
        other = next(each for each in plugins if schema_creator.plugin_supports_field(each, field_definition))
        schema: Schema = other.to_openapi_schema(field_definition, schema_creator)
        schema.additional_properties = False
        return schema


class Reference(OpenAPIRenderPlugin):
    """The page of the reference: Swagger UI, begun by a file, as no script may stand in a page."""

    def render(self, request: LitestarRequest[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Called by Litestar."""
        return REFERENCE.encode()
