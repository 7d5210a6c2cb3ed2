"""The HTTP API as the command line sees it: its resources, live events, clear errors.

``Api.knowledge_bases``, ``Api.documents`` … have a method for each request. Below them ``call``, ``pages``, ``content``
and ``lines`` send one and know no resource.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Protocol, Self

import httpx
from httpx_sse import EventSource, SSEError, aconnect_sse

from activities.contracts.addresses import PREFIX
from activities.errors import Language
from api.client import local_env, profiles
from api.client.mcp import Mcp
from api.client.operations import Operations
from api.client.paths import segment
from api.client.people import Grants, Groups, Keys, Users
from api.client.problems import Problem
from api.client.resources import (
    Audit,
    Batches,
    Conversations,
    Documents,
    Identity,
    KnowledgeBases,
    Lookup,
    Questions,
    Reconciliations,
    ReindexAll,
    Reindexes,
    Schedules,
)
from api.client.runs import Runs
from api.client.session import SessionAuth
from api.client.sources import Sources
from api.client.webhooks import Webhooks

RECONNECT_SECONDS = 30.0
"""How long a stream of events may be unreachable before its reader gives up."""


class ApiError(Exception):
    """The API refused a request; the text is its own sentence (``detail`` of problem+json).

    ``retry_after`` is how many seconds it asks to wait before the next try, if it does.
    """

    def __init__(self, status: int, code: str, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.retry_after = status, code, retry_after


@dataclass(frozen=True)
class Event:
    """One server-sent event; ``data`` is its decoded JSON."""

    name: str
    data: Any
    id: str = ""


class ClientSettings(Protocol):
    """What the platform's settings say of where the API is."""

    @property
    def data_dir(self) -> Path: ...
    @property
    def url(self) -> str: ...
    @property
    def api_url(self) -> str: ...
    @property
    def api_key(self) -> str: ...


#: Where an address and its key come from: variables, what `holdfast up` left in the data folder, a sign-in, nowhere.
Source = Literal["environment", "local", "profile", "default"]


@dataclass(frozen=True)
class Target:
    """Which API the command line talks to, and with which key (a secret), which ``source`` gave.

    ``profile`` is the name of the sign-in if it is one, which is a ``session`` where its key has to be renewed.
    """

    url: str
    key: str = ""
    source: Source = field(default="default", compare=False)
    profile: str = field(default="", compare=False)
    session: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, settings: ClientSettings) -> Target:
        """From the settings, or else from what `holdfast up` left in the data folder, or else from the sign-in.

        A key is sent only to the address that it belongs to: that of the variables is for HOLDFAST_URL, or else for the
        API of this machine's settings, and a stored one for the address beside it. A folder that somebody else made may
        name any address, also of another user's program on this machine: it gets no key but its own. Raises Problem for
        sign-ins that cannot be read.
        """
        local = local_env.read(settings.data_dir)
        if not (settings.url or settings.api_key or local):
            known = profiles.read()
            if profile := known.profiles.get(known.current):
                return cls(profile.url, profile.key, "profile", known.current, bool(profile.refresh_token))
            return cls(settings.api_url.rstrip("/"))
        url = (settings.url or local.get("HOLDFAST_URL") or settings.api_url).rstrip("/")
        if settings.api_key:
            belongs = profiles.same_place(url, settings.api_url.rstrip("/"), named=bool(settings.url))
            return cls(url, settings.api_key if belongs else "", "environment")
        is_local = profiles.same_place(url, local.get("HOLDFAST_URL") or settings.api_url)
        if is_local and (key := local.get("HOLDFAST_API_KEY")):
            return cls(url, key, "local")
        known = profiles.read()
        if name := known.name_of(url, named=bool(settings.url)):
            profile = known.profiles[name]
            return cls(url, profile.key, "profile", name, bool(profile.refresh_token))
        return cls(url, source="environment" if settings.url else "local")


class Api:
    """A connection to the API; use it with ``async with``. ``language`` is that of the API's sentences."""

    def __init__(self, target: Target, language: Language = "en") -> None:
        headers: dict[str, str] = {"Accept-Language": language}
        if target.key and not target.session:
            headers["Authorization"] = f"Bearer {target.key}"
        self.url = target.url
        self._http = httpx.AsyncClient(
            base_url=target.url,
            headers=headers,
            auth=SessionAuth(target.url, target.profile) if target.session else None,
            timeout=httpx.Timeout(60, connect=5),
            trust_env=not profiles.is_loopback(target.url),  # a proxy for the internet does not lead home
        )
        self.knowledge_bases = KnowledgeBases(self)
        self.documents = Documents(self)
        self.batches = Batches(self)
        self.reindexes = Reindexes(self)
        self.schedules = Schedules(self)
        self.sources = Sources(self)
        self.webhooks = Webhooks(self)
        self.reindex_all = ReindexAll(self)
        self.questions = Questions(self)
        self.conversations = Conversations(self)
        self.audit = Audit(self)
        self.runs = Runs(self)
        self.reconciliations = Reconciliations(self)
        self.lookup = Lookup(self)
        self.identity = Identity(self)
        self.users = Users(self)
        self.groups = Groups(self)
        self.grants = Grants(self)
        self.keys = Keys(self)
        self.operations = Operations(self)
        self.mcp = Mcp(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def call(self, method: str, path: str, **request: Any) -> Any:
        """The decoded answer (None if it is empty). Raises ApiError or Problem."""
        response = await self.send(method, PREFIX + path, **request)
        if response.is_error:
            raise _error(response)
        return _decode(response) if response.content else None

    async def content(self, path: str, **request: Any) -> bytes:
        """A file as it comes. Raises ApiError or Problem."""
        response = await self.send("GET", PREFIX + path, **request)
        if response.is_error:
            raise _error(response)
        return response.content

    async def pieces(self, path: str, **request: Any) -> AsyncGenerator[bytes, None]:
        """A long file as it comes. Raises ApiError or Problem."""
        try:
            async with self._http.stream("GET", PREFIX + path, **request) as response:
                if response.is_error:
                    await response.aread()
                    raise _error(response)
                async for piece in response.aiter_bytes():
                    yield piece
        except httpx.TransportError as exc:
            raise self._lost(exc) from exc

    async def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The answer as it comes, whatever its status. Raises Problem if there is none."""
        try:
            return await self._http.request(method, path, **request)
        except httpx.TransportError as exc:
            raise self._lost(exc) from exc

    def _lost(self, error: httpx.TransportError) -> Problem:
        if isinstance(error, httpx.ConnectError):
            return Problem("unreachable", url=self.url)
        return Problem("connection-lost", url=self.url, detail=str(error) or type(error).__name__)

    async def pages(self, path: str, **params: str) -> AsyncIterator[dict[str, Any]]:
        """The items of a list, over all its pages."""
        cursor: str | None = None
        while True:
            page = await self.call("GET", path, params=params | ({"cursor": cursor} if cursor else {}))
            for item in page["items"]:
                yield item
            cursor = page.get("next_cursor")
            if not cursor:
                return

    async def upload(
        self,
        kb: str,
        files: Sequence[tuple[str, BinaryIO]],
        idempotency_key: str,
        batch: str | None = None,
        tags: Sequence[str] = (),
    ) -> Any:
        """Send (name, file) pairs in one request, into an open batch if one is given, read from disk as it goes."""
        query: dict[str, Any] = ({"batch": batch} if batch else {}) | ({"tags": list(tags)} if tags else {})
        return await self.call(
            "POST",
            f"/knowledge-bases/{segment(kb)}/documents",
            params=query or None,
            files=[("files", each) for each in files],
            headers={"Idempotency-Key": idempotency_key},
            timeout=httpx.Timeout(None, connect=5),
        )

    async def messages(
        self, path: str, body: dict[str, Any], headers: dict[str, str]
    ) -> AsyncGenerator[dict[str, Any], None]:
        """What a POST is answered with: one JSON document, or those of an event stream. Raises ApiError or Problem."""
        accept = {"Accept": "application/json, text/event-stream"}
        try:
            async with self._http.stream("POST", path, json=body, headers=headers | accept) as response:
                if response.headers.get("content-type", "").startswith("text/event-stream"):
                    async for sse in EventSource(response).aiter_sse():
                        if sse.data:
                            yield json.loads(sse.data)
                    return
                await response.aread()
                if response.is_error and not response.headers.get("content-type") == "application/json":
                    raise _error(response)
                yield _decode(response)
        except (SSEError, json.JSONDecodeError) as exc:
            raise Problem("not-holdfast", url=self.url, detail=str(exc)) from exc
        except httpx.TransportError as exc:
            raise self._lost(exc) from exc

    async def events(self, path: str) -> AsyncGenerator[Event, None]:
        """The events of a job until the server closes the stream.

        A broken connection is taken up again where it broke. Raises ApiError or Problem.
        Whoever stops reading early closes the stream (``contextlib.aclosing``).
        """
        last_id, deadline = "", time.monotonic() + RECONNECT_SECONDS
        while True:
            headers = {"Last-Event-ID": last_id} if last_id else {}
            try:
                async with aconnect_sse(self._http, "GET", path, headers=headers) as source:
                    if source.response.is_error:
                        await source.response.aread()
                        raise _error(source.response)
                    async for sse in source.aiter_sse():
                        last_id, deadline = sse.id or last_id, time.monotonic() + RECONNECT_SECONDS
                        if sse.data:
                            yield Event(sse.event, json.loads(sse.data), sse.id)
                    return
            except (SSEError, ValueError) as exc:  # before TransportError, of which SSEError is one
                raise Problem("not-holdfast", url=self.url, detail=str(exc)) from exc
            except httpx.ReadTimeout:
                deadline = time.monotonic() + RECONNECT_SECONDS  # it was there, there was only no news
            except httpx.TransportError as exc:
                if not last_id and isinstance(exc, httpx.ConnectError):
                    raise Problem("unreachable", url=self.url) from exc
                if time.monotonic() > deadline:
                    raise Problem("connection-lost", url=self.url, detail=str(exc)) from exc
            except ApiError as exc:
                if exc.status < httpx.codes.INTERNAL_SERVER_ERROR or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.5)


def files_in(path: Path) -> list[tuple[str, Path]]:
    """(name, file) of a file, or of all files in a folder by their path in it; hidden ones are left out."""
    if path.is_file():
        return [(path.name, path)]
    if not path.is_dir():
        raise Problem("no-such-file", path=path)
    found = [
        (file.relative_to(path).as_posix(), file)
        for file in sorted(path.rglob("*"))
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    if not found:
        raise Problem("no-files", path=path)
    return found


def _decode(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError as exc:
        detail = response.headers.get("content-type", "?")
        raise Problem("not-holdfast", url=str(response.url), detail=detail) from exc


def _error(response: httpx.Response) -> ApiError:
    try:
        body = response.json()
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    fallback = f"HTTP {response.status_code} {response.reason_phrase}"
    detail = body.get("detail") or body.get("title") or fallback
    code = str(body.get("code") or body.get("type") or "")
    seconds = response.headers.get("retry-after", "")
    return ApiError(response.status_code, code, str(detail), float(seconds) if seconds.isdigit() else None)
