"""One attempt at a delivery: signed by Standard Webhooks, posted to a checked address, answered by a status."""

from __future__ import annotations

import asyncio
import base64
import secrets
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property

import httpcore
import httpx
import msgspec
from standardwebhooks import Webhook

from activities.errors import DeliveryFailed, InvalidRequest
from activities.phrases import Phrase
from activities.stores.catalog.webhooks.records import ToSend
from activities.webhooks.addresses import Gate

#: Time for an attempt, from the name to the status, in seconds.
SECONDS = 15.0

#: Addresses of a server that are tried.
MAX_ADDRESSES = 3


def new_secret() -> str:
    """A secret of 32 bytes, in the form of Standard Webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def body_of(message: ToSend) -> bytes:
    """The body of a message; the same for each attempt."""
    at = message.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return msgspec.json.encode({"type": message.type, "timestamp": at, "data": message.data})


def headers_of(message: ToSend, body: bytes, at: datetime) -> dict[str, str]:
    """The headers of a message, signed with each of the secrets that are valid."""
    signatures = [Webhook(secret).sign(message.event_id, at, body.decode()) for secret in message.secrets]
    return {
        "content-type": "application/json",
        "user-agent": "Holdfast-Webhooks",
        "webhook-id": message.event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


class Sender:
    """Posts messages. Redirects and proxies are not followed, the body of an answer is not read."""

    def __init__(self, gate: Gate, ssl_context: ssl.SSLContext | None = None) -> None:
        self._gate, self._given = gate, ssl_context

    @cached_property
    def _ssl(self) -> ssl.SSLContext:
        return self._given or httpx.create_ssl_context()

    async def send(self, message: ToSend) -> int:
        """Posts a message; the status of the answer. Raises DeliveryFailed if there is none."""
        body = body_of(message)
        headers = headers_of(message, body, datetime.now(UTC))
        try:
            async with asyncio.timeout(SECONDS):
                return await self._post(message.url, headers, body)
        except InvalidRequest as exc:  # the address is refused by now
            raise DeliveryFailed(detail=Phrase.of_code(exc.reason.params["@detail"]) or "") from exc
        except (TimeoutError, httpcore.TimeoutException) as exc:
            raise DeliveryFailed(detail=Phrase.NO_ANSWER_WITHIN, seconds=int(SECONDS)) from exc
        except httpcore.ProtocolError as exc:
            raise DeliveryFailed(detail=Phrase.NOT_HTTP) from exc
        except (httpcore.NetworkError, OSError) as exc:
            raise _no_connection(exc) from exc

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        parsed = httpx.URL(url)
        backend = _CheckedBackend(self._gate, plain=parsed.scheme == "http")
        sent = [("host", parsed.netloc.decode()), *headers.items()]
        async with (
            httpcore.AsyncConnectionPool(ssl_context=self._ssl, network_backend=backend) as pool,
            pool.stream("POST", url, headers=sent, content=body) as response,
        ):
            return response.status


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that the gate lets through; TLS still asks for the name."""

    def __init__(self, gate: Gate, *, plain: bool) -> None:
        self._gate, self._plain, self._inner = gate, plain, httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as the class has it
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception = httpcore.ConnectError()
        for address in (await self._gate.addresses(host, port, plain=self._plain))[:MAX_ADDRESSES]:
            try:
                return await self._inner.connect_tcp(str(address), port, timeout=SECONDS / MAX_ADDRESSES)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failure = exc
        raise failure


def _no_connection(exc: BaseException) -> DeliveryFailed:
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return DeliveryFailed(detail=Phrase.UNTRUSTED, said=cause.verify_message)
        cause = cause.__cause__ or cause.__context__
    return DeliveryFailed(detail=Phrase.UNREACHABLE)
