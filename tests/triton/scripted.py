"""An OpenAI-compatible server that answers as the name of the model says: what real ones do only when they fail."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.http_server import Quiet, serving

KEY = "sk-hush-hush"


def chunk(text: str = "", finish: str | None = None, **more: Any) -> bytes:
    """A chunk of an answer as a server-sent event."""
    event = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}], **more}
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 40, "completion_tokens": 7}}\n\n'
THOUGHT = b'data: {"choices": [{"index": 0, "delta": {"reasoning_content": "Hmm."}, "finish_reason": null}]}\n\n'
DONE = b"data: [DONE]\n\n"

#: Bodies with status 200, by model.
STREAMS = {
    "good": [b": hello\n\n", THOUGHT, chunk("年假"), chunk("五天。[1]"), chunk(finish="stop"), USAGE, DONE],
    "long": [chunk("too long"), chunk(finish="length")],
    "broken": [chunk("half of")],
    "failing": [chunk("half of"), b'data: {"error": {"message": "out of memory", "code": 500}}\n\n'],
    "filtered": [chunk("half of"), chunk(finish="content_filter"), DONE],
    "odd": [b"data: {]\n\n"],
    "page": [b"<html>Sign in</html>"],
    "whole": [b'{"choices": [{"message": {"content": "Five days."}, "finish_reason": "stop"}]}'],
}

#: Statuses other than 200, by model, with their bodies and headers.
REFUSALS: dict[str, tuple[int, object, dict[str, str]]] = {
    "401": (401, {"error": {"message": f"Incorrect API key provided: {KEY}."}}, {}),
    "403": (403, "no", {}),
    "404": (404, {"error": {"message": "The model `404` does not exist"}}, {}),
    "400": (400, {"error": {"message": "max_tokens is not supported\nuse another"}}, {}),
    "429": (429, {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, {"Retry-After": "17"}),
    "spent": (429, {"error": {"message": "You have no money", "code": "insufficient_quota"}}, {}),
    "503": (503, "<html>", {"Retry-After": "Wed, 21 Oct 2065 07:28:00 GMT"}),
    "redirect": (307, "", {"Location": "https://elsewhere.example/v1/chat/completions"}),
}


@dataclass
class Scripted:
    """A running server and the requests that it got; ``left`` is set when a client hung up during ``endless``."""

    port: int = 0
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)


@contextmanager
def scripted(tls: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """A server on a free port of this machine."""
    found = Scripted()

    class Answering(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.requests.append((self.path, dict(self.headers), None))
            self._send(200, "application/json", b'{"data": []}', {})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            found.requests.append((self.path, dict(self.headers), body))
            model = body["model"]
            if model in REFUSALS:
                status, said, headers = REFUSALS[model]
                text = said if isinstance(said, str) else json.dumps(said)
                self._send(status, "application/json", text.encode(), headers)
            elif model in ("endless", "silent"):
                self._go_on(model)
            else:
                kind = {"page": "text/html", "whole": "application/json"}.get(model, "text/event-stream")
                self._send(200, kind, b"".join(STREAMS[model]), {})

        def _send(self, status: int, kind: str, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _go_on(self, model: str) -> None:
            """Writes for ever, or nothing, until the client hangs up."""
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.connection.settimeout(0.05)
            for _ in range(600):
                try:
                    if model == "endless":
                        self.wfile.write(chunk("more "))
                    if self.connection.recv(1) == b"":
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
            found.left.set()

    with serving(Answering, tls) as port:
        found.port = port
        yield found
