"""Ports for the servers that tests start."""

from __future__ import annotations

import os
import random
from itertools import count
from pathlib import Path

from api.stack.processes import port_taken

_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
"""The ports that the kernel gives to outgoing connections: one of these may be in use once its server starts."""

_FIRST = 10_000
_SLICES = 8


def _slice() -> int:
    """Which of the slices this process takes ports from: test processes of one run never share one."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    return int(worker) % _SLICES if worker else random.randrange(_SLICES)


_SIZE = (int(_OUTGOING.read_text().split()[0]) - _FIRST) // _SLICES
_BEGIN = _FIRST + _slice() * _SIZE
_NEXT = count(random.randrange(_SIZE))


def free_port(host: str = "127.0.0.1") -> int:
    """A port on which no server listens, and that no outgoing connection and no other test is given."""
    return next(port for number in _NEXT if not port_taken(host, port := _BEGIN + number % _SIZE))


def free_ports_in_a_row(amount: int, host: str = "127.0.0.1") -> int:
    """The first of as many free ports with numbers that follow each other."""
    while True:
        ports = [free_port(host) for _ in range(amount)]
        if ports[-1] - ports[0] == amount - 1:
            return ports[0]
