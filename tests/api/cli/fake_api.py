"""A small HTTP server that stands in for the API, and the command line connected to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from click.testing import CliRunner, Result

from api.cli.main import cli
from api.lookup.schemas import MatchInfo
from tests import http_server

ENGLISH, CHINESE = "en_GB.UTF-8", "zh_CN.UTF-8"
Holdfast = Callable[..., Result]
"""Runs a command as `holdfast …` would; ``env`` changes its environment."""


#: What is not found by a name or a beginning is taken for an id.
LOOKUP = "/api/v1/lookup?"


@dataclass
class Request:
    """A request that the server received."""

    method: str
    path: str
    headers: Message
    body: bytes


@dataclass
class Reply:
    """The server's response; with ``cut`` it drops the connection before the announced end."""

    body: bytes
    status: int = 200
    kind: str = "application/json"
    cut: bool = False
    headers: dict[str, str] = field(default_factory=dict)


Answer = Reply | Callable[[Request], Reply]


@dataclass
class FakeApi:
    """Responds by method and path (with the query, if there is one); records the requests."""

    url: str = ""
    routes: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def on(self, route: str, answer: object, status: int = 200) -> None:
        """Respond to ``route`` (e.g. ``GET /api/v1/x``) with JSON."""
        self.routes[route] = Reply(json.dumps(answer).encode(), status)

    def finds(self, kind: str, text: str, *matches: dict[str, Any], kb: str | None = None) -> None:
        """Respond to the lookup of ``text`` with these matches."""
        query = urlencode({"kind": kind, "text": text, **({"kb": kb} if kb else {}), "limit": 11})
        self.on(f"GET {LOOKUP}{query}", {"items": [whole(MatchInfo, kind=kind, **match) for match in matches]})

    def problem(self, route: str, status: int, detail: str) -> None:
        """Refuse ``route`` with problem+json."""
        body = json.dumps({"status": status, "title": "Refused", "detail": detail, "code": "refused"})
        self.routes[route] = Reply(body.encode(), status, "application/problem+json")

    def reply(self, request: Request) -> Reply:
        """The route's response; of a list, the next one each time."""
        self.requests.append(request)
        unknown = Reply(b'{"items": []}') if request.path.startswith(LOOKUP) else Reply(b"{}", 404)
        answer = self.routes.get(f"{request.method} {request.path}", unknown)
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        return answer(request) if callable(answer) else answer

    def asked(self, route: str) -> list[Request]:
        """The requests that arrived for a route."""
        return [each for each in self.requests if f"{each.method} {each.path}" == route]


#: What a field that a test says nothing of has, the first that fits.
NEUTRAL: tuple[object, ...] = (None, "", [], {}, 0, False, "2026-01-01T00:00:00Z")


def whole(kind: Any, /, **given: Any) -> dict[str, Any]:
    """A wire type's JSON with every field; a test names those that matter to it."""
    fields = msgspec.structs.fields(kind)
    unknown = given.keys() - {field.encode_name for field in fields}
    assert not unknown, f"{kind} has no {unknown}"
    body = {field.encode_name: _neutral(field.type) for field in fields if field.encode_name not in given} | given
    msgspec.convert(body, kind)
    return body


def _neutral(kind: Any) -> object:
    for value in NEUTRAL:
        with suppress(msgspec.ValidationError):
            msgspec.convert(value, kind)
            return value
    described = msgspec.inspect.type_info(kind)
    return described.values[0] if isinstance(described, msgspec.inspect.LiteralType) else whole(kind)


def sse(*events: tuple[str, object], cut: bool = False) -> Reply:
    """A stream of (name, data) events; their ids count from 1."""
    lines = [
        f"id: {n}\nevent: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
        for n, (name, data) in enumerate(events, start=1)
    ]
    return Reply("".join(lines).encode(), kind="text/event-stream", cut=cut)


@contextmanager
def serving() -> Iterator[FakeApi]:
    """The server, on a free port."""
    fake = FakeApi()

    class Answering(http_server.Quiet, BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = fake.reply(Request(self.command, self.path, self.headers, body))
            self.send_response(reply.status)
            for name, value in {"Content-Type": reply.kind, **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body) + reply.cut))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - http.server's names

    with http_server.serving(Answering) as port:
        fake.url = f"http://127.0.0.1:{port}"
        yield fake


def command_line(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Holdfast:
    """The command line, with the fake API's address and a key."""
    for name, value in {
        "HOLDFAST_DATA": str(tmp_path / "data"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "HOLDFAST_URL": api.url,
        "HOLDFAST_API_KEY": "hf_key",
        "LC_ALL": ENGLISH,
    }.items():
        monkeypatch.setenv(name, value)

    def run(*argv: str, env: dict[str, str] | None = None) -> Result:
        return CliRunner().invoke(cli, list(argv), env=env, catch_exceptions=False)

    return run
