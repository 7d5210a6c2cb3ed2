"""What a running platform lets others reach."""

from __future__ import annotations

import socket
from ipaddress import IPv6Address, ip_address

import httpx
import psutil  # type: ignore[import-untyped]

from tests.conftest import Platform


def on_loopback(address: str) -> bool:
    """Whether only programs of this machine reach the address."""
    ip = ip_address(address)
    inner = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return (inner or ip).is_loopback


def sockets(platform: Platform) -> list[tuple[str, str, int]]:
    """(program, address, port) of every socket on which a process of the platform waits for others."""
    root = psutil.Process(platform.pid)
    return [
        (process.name(), connection.laddr.ip, connection.laddr.port)
        for process in (root, *root.children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN or (connection.type == socket.SOCK_DGRAM and not connection.raddr)
    ]


def test_addresses_are_told_apart() -> None:
    """IPv4, IPv6, and IPv4 within IPv6, as dual-stack servers show it."""
    assert all(map(on_loopback, ["127.0.0.1", "127.0.0.53", "::1", "::ffff:127.0.0.1"]))
    assert not any(map(on_loopback, ["0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"]))


def test_nothing_but_the_api_can_listen_beyond_this_machine(platform: Platform) -> None:
    """Each process of it, those that servers start for themselves included, listens on loopback."""
    found = sockets(platform)
    settings = platform.settings
    ours = {settings.api.port, settings.triton.metrics_port} | {
        int(address.rpartition(":")[2])
        for address in (settings.temporal.address, settings.temporal.ui_url, settings.triton.address)
    }
    assert ours <= {port for _, _, port in found}
    assert [each for each in found if not on_loopback(each[1]) and each[2] != settings.api.port] == []


async def test_no_port_obeys_a_web_page(platform: Platform) -> None:
    """A page of another site cannot start or end runs: Temporal answers no request that a form can send."""
    run = '{"workflowType": {"name": "Reconcile"}, "taskQueue": {"name": "workflows"}, "requestId": "1"}'
    root = psutil.Process(platform.pid_of("temporal"))
    ports = [each.laddr.port for each in root.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    async with httpx.AsyncClient(trust_env=False, timeout=10) as browser:
        for port in ports:
            for prefix in ("", "/api/v1"):
                path = f"{prefix}/namespaces/{platform.settings.temporal.namespace}/workflows/of-a-stranger"
                try:
                    answer = await browser.post(
                        f"http://127.0.0.1:{port}{path}", content=run, headers={"content-type": "text/plain"}
                    )
                except httpx.TransportError:
                    continue  # gRPC only
                assert answer.status_code in (400, 403, 404, 405, 415), (port, answer.text)
    assert len(ports) > 2
