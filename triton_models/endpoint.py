"""The engine of OpenAI-compatible endpoints: vLLM, Ollama, TGI, llama.cpp's server, a cloud.

A request has the model, the messages and the sampling that OpenAI's API knows, and the key; no cookie, no name of a
user, no proxy or password of this machine's environment. Redirects are refused, certificates are verified. The key is
read for each request, so that its file can be replaced, and is in no message and no log.

Failures are `EndpointError`, of a kind that says what to do about it: `key`, `model`, `certificate` and `refused` need
an operator; `busy`, `unreachable`, `silent` and `broken` pass.
"""

import asyncio
import concurrent.futures
import json
import queue
import ssl
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from chat import Chat, Ending, GenerationError, Reader
from endpoint_settings import Address
from model_files import ModelUnavailableError

CONNECT_SECONDS = 10
TOTAL_SECONDS = 1800
"""The longest time of one answer."""

POLL_SECONDS = 0.2
"""How often a reader that waits for the next piece is looked after."""

CHECKED_SECONDS = 60
"""For how long it is believed whether the endpoint answers."""

MAX_BYTES = 8 << 20
"""Of one answer."""
MAX_ERROR_BYTES = 1 << 16
SAID_CHARACTERS = 200

OPENAI = ("temperature", "top_p", "seed", "max_tokens", "stop", "presence_penalty", "frequency_penalty")
"""The sampling parameters that are sent: a service may reject a request with others."""
MAX_STOPS = 4
"""OpenAI's limit."""

BUSY = (408, 409, 425, 429)
SPENT = "insufficient_quota"
"""OpenAI's code, with status 429, of an account without money."""
FILTERED = "content_filter"
"""OpenAI's `finish_reason` of an answer that the service cut off."""


NOT_OPENAI = "its answer is not that of OpenAI's API"


class EndpointError(GenerationError):
    """A failure of the endpoint."""

    def __init__(self, kind: str, said: str = "", *, status: int = 0, retry_after: float = 0) -> None:
        super().__init__(f"{kind}: {said}", 503 if kind in ("busy", "unreachable", "silent", "broken") else 400)
        self.problem = {"kind": kind, "said": said, "status": status, "retry_after": retry_after}


class Endpoint:
    """Its requests run in the event loop of one thread; `answer` waits for one in the caller's."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._loop = asyncio.new_event_loop()
        self._checked: tuple[float, dict[str, Any] | None] = (float("-inf"), None)
        threading.Thread(target=self._loop.run_forever, name="endpoint", daemon=True).start()
        self._session = asyncio.run_coroutine_threadsafe(self._connect(), self._loop).result()

    def load(self) -> None:
        """See `chat.Engine`: the model runs elsewhere."""

    def close(self) -> None:
        """See `chat.Engine`."""
        asyncio.run_coroutine_threadsafe(self._disconnect(), self._loop).result(CONNECT_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)

    def card(self) -> dict[str, Any]:
        """See `chat.Engine`. `problem` is what came of asking the endpoint for its models, within the last minute."""
        if time.monotonic() - self._checked[0] > CHECKED_SECONDS:
            check = asyncio.run_coroutine_threadsafe(self._check(), self._loop)
            try:
                problem = check.result(CONNECT_SECONDS)
            except concurrent.futures.TimeoutError:
                check.cancel()
                problem = EndpointError("silent").problem
            self._checked = time.monotonic(), problem
        return {"engine": "endpoint", **self._names(), "problem": self._checked[1]}

    def answer(self, chat: Chat, reader: Reader) -> Ending:
        """See `chat.Engine`. When the reader has left, the connection is closed, at which servers stop generating."""
        pieces: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        request = asyncio.run_coroutine_threadsafe(self._ask(chat, pieces), self._loop)
        request.add_done_callback(lambda _: pieces.put(None))
        try:
            while not reader.left:
                try:
                    piece = pieces.get(timeout=POLL_SECONDS)
                except queue.Empty:
                    continue
                if piece is None:
                    return request.result()
                reader.send(piece)
        except EndpointError as exc:
            # Triton passes nothing but a text on; the platform's client reads it.
            raise GenerationError(json.dumps({"endpoint": {**self._names(), **exc.problem}}), exc.code) from exc
        finally:
            request.cancel()
        return Ending(self._address.written_by)

    def _names(self) -> dict[str, str]:
        return {"model": self._address.model, "host": self._address.host}

    async def _connect(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._address.tls(), limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "holdfast", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(
                total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=self._address.timeout_seconds
            ),
            trust_env=False,
        )

    async def _disconnect(self) -> None:
        await self._session.close()
        await asyncio.sleep(0.1)  # the loop closes sockets a turn later

    async def _ask(self, chat: Chat, pieces: "queue.SimpleQueue[str | None]") -> Ending:
        """Asks for one answer and queues its pieces. Raises `EndpointError`."""
        ending, bytes_read = Ending(self._address.written_by), 0
        async with self._send("POST", "/chat/completions", self._body(chat)) as response:
            streams = response.content_type == "text/event-stream"
            async for data in _events(response) if streams else _whole(response):
                if data == b"[DONE]":
                    ending.finish = ending.finish or "stop"
                    break
                bytes_read += len(data)
                if bytes_read > MAX_BYTES:
                    raise EndpointError("refused", f"an answer of more than {MAX_BYTES} bytes")
                if text := _noted(ending, data):
                    pieces.put(text)
        if not ending.finish:
            raise EndpointError("broken")
        if ending.finish == FILTERED:
            raise EndpointError("refused", FILTERED)
        return ending

    def _body(self, chat: Chat) -> dict[str, Any]:
        body = {name: chat.sampling[name] for name in OPENAI if name in chat.sampling}
        if isinstance(body.get("stop"), list):
            body["stop"] = body["stop"][:MAX_STOPS]
        body |= {"stream_options": {"include_usage": True}, **self._address.extra}
        kept = {name: value for name, value in body.items() if value is not None}
        return {"model": self._address.model, "messages": chat.messages, "stream": True, **kept}

    async def _check(self) -> dict[str, Any] | None:
        """What keeps the endpoint from being used; None also where it does not list its models."""
        try:
            async with self._send("GET", "/models"):
                return None
        except EndpointError as exc:
            return None if exc.problem["status"] in (404, 405) else exc.problem

    @asynccontextmanager
    async def _send(self, method: str, path: str, body: Any = None) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response with status 200, closed in the end. Raises `EndpointError`, also for what fails meanwhile."""
        try:
            key = self._address.key()
        except ModelUnavailableError as exc:
            raise EndpointError("key", str(exc)) from exc
        try:
            async with self._session.request(
                method,
                self._address.url + path,
                json=body,
                headers={"Authorization": f"Bearer {key}"} if key else {},
                allow_redirects=False,
            ) as response:
                try:
                    if response.status != 200:
                        raise await _refusal(response, key)
                    yield response
                finally:
                    response.close()
        except (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError) as exc:
            raise EndpointError("certificate", _line(getattr(exc, "certificate_error", exc), key)) from exc
        except aiohttp.ConnectionTimeoutError as exc:
            raise EndpointError("unreachable", f"no connection within {CONNECT_SECONDS} s") from exc
        except TimeoutError as exc:
            raise EndpointError("silent", str(self._address.timeout_seconds)) from exc
        except aiohttp.ClientConnectorError as exc:
            raise EndpointError("unreachable", _line(exc.os_error, key)) from exc
        except aiohttp.ClientPayloadError as exc:
            raise EndpointError("broken") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise EndpointError("unreachable", _line(exc, key)) from exc


async def _refusal(response: aiohttp.ClientResponse, key: str) -> EndpointError:
    """What a status other than 200 means, with the sentence of the body, if it is JSON that has one."""
    status = response.status
    body = await response.content.read(MAX_ERROR_BYTES)
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    error = parsed.get("error", parsed) if isinstance(parsed, dict) else None
    said = f"HTTP {status}"
    if isinstance(error, str) or (isinstance(error, dict) and isinstance(error.get("message"), str)):
        said += f": {_line(error if isinstance(error, str) else error['message'], key)}"
    spent = isinstance(error, dict) and SPENT in (error.get("code"), error.get("type"))
    if status in (401, 403):
        kind = "key"
    elif status == 404:
        kind = "model"
    elif (status in BUSY and not spent) or (status >= 500 and status != 501):
        kind = "busy"
    else:
        kind = "refused"
    return EndpointError(kind, said, status=status, retry_after=_retry_after(response.headers.get("Retry-After", "")))


def _retry_after(text: str) -> float:
    """The seconds of a Retry-After header, which has a number or a date; 0 if it has neither."""
    try:
        return max(0.0, float(text)) if text[:1].isdigit() else _until(parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _until(moment: datetime) -> float:
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The data of server-sent events. A chunk of a completion is one line."""
    buffer = b""
    async for received in response.content.iter_any():
        *lines, buffer = (buffer + received).split(b"\n")
        if len(buffer) > MAX_BYTES:
            raise EndpointError("refused", f"a line of more than {MAX_BYTES} bytes")
        for line in lines:
            if line.startswith(b"data:"):
                yield line.removeprefix(b"data:").strip()


async def _whole(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The body of a server that does not stream."""
    body = await response.content.read(MAX_BYTES + 1)
    while not response.content.at_eof() and len(body) <= MAX_BYTES:
        body += await response.content.read(MAX_BYTES)
    yield body


def _noted(ending: Ending, data: bytes) -> str:
    """The text of a chunk. Raises `EndpointError` for one that is none."""
    try:
        event = json.loads(data)
        if "error" in event:  # in the middle of an answer, whose status was 200
            raise EndpointError("broken")
        return ending.note(event) if isinstance(event["choices"], list) else ""
    except (ValueError, TypeError, AttributeError, KeyError):
        raise EndpointError("refused", NOT_OPENAI) from None


def _line(message: object, key: str) -> str:
    """The first line of a message, without the key, which some services repeat."""
    text = str(message).replace(key, "…") if key else str(message)
    return " ".join(text.split("\n", 1)[0].split())[:SAID_CHARACTERS] or type(message).__name__
