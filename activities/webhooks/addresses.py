"""Addresses of webhooks: a user's server must not lead into the network of this one (SSRF).

The name of a server is resolved once for each connection, each of its addresses is checked, and the connection goes to
a checked address itself: a name that resolves differently a moment later changes nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpx

from activities.errors import InvalidRequest
from activities.phrases import Phrase

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: The addresses of a server by its name. Raises OSError.
Resolver = Callable[[str, int], Awaitable[list[str]]]

#: Time for a name, in seconds.
RESOLVE_SECONDS = 5.0

#: Ports of web servers; from here on also those that need no privilege.
WEB_PORTS, FIRST_FREE_PORT = (80, 443), 1024

#: IPv4 addresses that are global to ``ipaddress``, and are not for us: of protocols, of relays, and of Azure's hosts.
_SPECIAL = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")))

#: IPv6 addresses that are given out at all, and those among them that lead elsewhere (6to4, Teredo, documentation).
_UNICAST = ip_network("2000::/3")
_LEADING_ELSEWHERE = tuple(map(ip_network, ("2002::/16", "2001::/32", "3fff::/20")))

#: The last 32 bits of an address behind this prefix are an IPv4 address.
_NAT64 = ip_network("64:ff9b::/96")


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a server, as the system knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Gate:
    """Lets through what is public, and the networks that a setting allows."""

    def __init__(self, allowed: Sequence[Network] = (), resolver: Resolver = resolve) -> None:
        self._allowed, self._resolver = tuple(allowed), resolver

    async def check(self, url: str) -> str:
        """An endpoint's address in its normal form. Raises InvalidRequest."""
        parsed = parse(url)
        await self.addresses(parsed.host, port_of(parsed), plain=parsed.scheme == "http")
        return str(parsed)

    async def addresses(self, host: str, port: int, *, plain: bool) -> list[Address]:
        """Where a server may be connected to. Raises InvalidRequest if any of its addresses is refused.

        A name that is not known is refused in the same words as one of this network: which names it has is not told.
        ``plain`` is a connection without TLS, which only the allowed networks may have.
        """
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = [ip_address(text) for text in await self._resolver(host, port)]
        except (OSError, ValueError, UnicodeError) as exc:  # TimeoutError is an OSError
            raise InvalidRequest(detail=Phrase.HOST_PRIVATE) from exc
        if not found or not all(self._is_allowed(address) or is_public(address) for address in found):
            raise InvalidRequest(detail=Phrase.HOST_PRIVATE)
        if plain and not all(map(self._is_allowed, found)):
            raise InvalidRequest(detail=Phrase.URL_PLAIN)
        return found

    def _is_allowed(self, address: Address) -> bool:
        address = _unwrapped(address)
        return any(address.version == network.version and address in network for network in self._allowed)


def parse(url: str) -> httpx.URL:
    """An http or https address without user, fragment and odd port. Raises InvalidRequest."""
    try:
        parsed = httpx.URL(url)
        port = port_of(parsed)
    except (httpx.InvalidURL, ValueError) as exc:
        raise InvalidRequest(detail=Phrase.URL_FORM) from exc
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.fragment or any(map(str.isspace, url)):
        raise InvalidRequest(detail=Phrase.URL_FORM)
    if parsed.userinfo:
        raise InvalidRequest(detail=Phrase.URL_USER)
    if port not in WEB_PORTS and not FIRST_FREE_PORT <= port <= 65535:
        raise InvalidRequest(detail=Phrase.URL_PORT)
    return parsed


def port_of(url: httpx.URL) -> int:
    """The port of an address, by default that of its scheme."""
    return url.port if url.port is not None else {"http": 80}.get(url.scheme, 443)


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet."""
    address = _unwrapped(address)
    if isinstance(address, IPv6Address):
        elsewhere = any(address in network for network in _LEADING_ELSEWHERE)
        return address in _UNICAST and address.is_global and not elsewhere
    special = address.is_multicast or address.is_reserved or any(address in network for network in _SPECIAL)
    return address.is_global and not special


def _unwrapped(address: Address) -> Address:
    """The IPv4 address inside of an IPv6 address that stands for one."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
