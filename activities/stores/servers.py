"""The Triton servers of an installation: who is asked next, and who is left out.

``HOLDFAST_TRITON_ADDRESS`` names one or several, separated by commas; a name with several addresses, such as that of a
headless service, stands for as many servers, and is looked up again every ``LOOKUP_SECONDS``. The server with the
fewest requests in flight is asked. One that is gone is left out until its embedding model is ready again; while all are
gone, all are asked.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import grpc
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from activities.errors import TritonUnavailable
from activities.phrases import Phrase

#: Seconds after which names are looked up again.
LOOKUP_SECONDS = 30.0

#: Longest time of a lookup, in seconds.
LOOKUP_TIMEOUT = 3.0

#: Seconds between two looks at a server that is left out.
LOOK_SECONDS = 1.0

#: Seconds after which a server whose request was given up is looked at before it is asked again.
SILENT_SECONDS = 5.0

#: The model that a server must have ready to be asked again.
MODEL = "embed"

OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 3000),
    # A machine that is gone without a word ends connections, streams too; Triton closes those that ping more often.
    ("grpc.keepalive_time_ms", 330_000),
]


LookUp = Callable[[str], Awaitable[list[str]]]


class Server:
    """One server, with the number of requests that it has in flight."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.client = InferenceServerClient(address, channel_args=OPTIONS)
        self.in_flight = 0
        self.asked = 0
        self.is_out = False
        self.is_gone = False

    @contextmanager
    def busy(self) -> Iterator[InferenceServerClient]:
        """Its client, for one request. Raises TritonUnavailable once it is gone, for who still has it in turn."""
        if self.is_gone:
            raise TritonUnavailable(detail=Phrase.NO_SUCH_HOST, host=self.address)
        self.in_flight += 1
        self.asked += 1
        try:
            yield self.client
        finally:
            self.in_flight -= 1

    async def is_ready(self, model: str = MODEL, seconds: float = 3.0) -> bool:
        """Whether it answers, and serves the model."""
        try:
            return bool(await self.client.is_model_ready(model, client_timeout=seconds))
        except (InferenceServerException, grpc.RpcError):
            return False


class Servers:
    """The servers of the addresses; to be created inside of a running event loop."""

    def __init__(self, addresses: str, look_up: LookUp | None = None) -> None:
        """``look_up`` returns ``host:port`` of each server of a name; none if it is not known."""
        self._addresses_of = look_up or addresses_of
        self._named = [each.strip() for each in addresses.split(",") if each.strip()]
        self._servers: dict[str, Server] = {}
        self._looked_up = float("-inf")
        self._looking_up = asyncio.Lock()
        self._watches: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """Closes all connections."""
        watches = list(self._watches.values())
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        for server in self._servers.values():
            await server.client.close()

    async def in_turn(self) -> list[Server]:
        """All servers, in the order in which to ask them. Raises TritonUnavailable if no name is known."""
        time = asyncio.get_running_loop().time
        now = time()
        if not self._servers or now - self._looked_up > LOOKUP_SECONDS:
            async with self._looking_up:
                if self._looked_up <= now:  # else they were looked up meanwhile, for another request
                    await self._look_up()
                    self._looked_up = time()
        if not self._servers:
            raise TritonUnavailable(detail=Phrase.NO_SUCH_HOST, host=", ".join(self._named))
        return sorted(self._servers.values(), key=lambda each: (each.is_out, each.in_flight, each.asked))

    def leave_out(self, server: Server) -> None:
        """Asks a server that is gone only when all are, until it is ready again."""
        if server.is_out or len(self._servers) < 2 or self._servers.get(server.address) is not server:
            return
        server.is_out = True
        self._watches[server.address] = asyncio.create_task(self._watch(server))

    def given_up(self, server: Server, seconds: float) -> None:
        """A request to it was not waited for any longer: after so many seconds it may be one that does not answer."""
        if seconds >= SILENT_SECONDS:
            self.leave_out(server)

    async def _watch(self, server: Server) -> None:
        while server.is_out:
            await asyncio.sleep(LOOK_SECONDS)
            server.is_out = not await server.is_ready()
        self._watches.pop(server.address, None)

    async def _look_up(self) -> None:
        """Adds the servers that names lead to now; those that they led to before go once they have nothing to do."""
        looked_up = await asyncio.gather(*(self._addresses_of(named) for named in self._named))
        found = [address for addresses in looked_up for address in addresses]
        for address in found:
            if address not in self._servers:
                self._servers[address] = Server(address)
        if not all(looked_up):
            return  # a name that is not known just now may be one of those that are there
        gone = [server for address, server in self._servers.items() if address not in found and not server.in_flight]
        for server in gone:
            del self._servers[server.address]
            server.is_gone = True
            if (watch := self._watches.pop(server.address, None)) is not None:
                watch.cancel()
        for server in gone:
            await server.client.close()


async def addresses_of(named: str) -> list[str]:
    """``host:port`` of each server of a name, by IPv4 where it has both; none if it is not known."""
    host, _, port = named.rpartition(":")
    try:
        async with asyncio.timeout(LOOKUP_TIMEOUT):
            found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        return []
    old = sorted({each[4][0] for each in found if each[0] is socket.AF_INET})
    new = sorted({each[4][0] for each in found if each[0] is socket.AF_INET6})
    return [f"{address}:{port}" for address in old] or [f"[{address}]:{port}" for address in new]
