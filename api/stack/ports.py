"""The ports that the embedded platform needs, and who uses them already.

Needs only the standard library: `make up` asks before anything is installed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from api.client.problems import Message
from api.stack.processes import port_taken

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound

WORKERS = {
    "worker-interactive": ("workflows", "answer"),
    "worker-cpu": ("cpu",),
    "worker-bulk": ("gpu", "store"),
}
"""The workers of the embedded platform, with their task queues."""

_LISTENING = "0A"
"""State of a socket in /proc/net/tcp."""


class Port(NamedTuple):
    """A port that a part listens on, and the setting that changes it."""

    part: str
    host: str
    port: int
    setting: str


class User(NamedTuple):
    """A process that listens on a port."""

    pid: int
    command: str
    data: str
    """Its HOLDFAST_DATA; empty for a foreign program."""


def needed(environ: Mapping[str, str]) -> list[Port]:
    """The ports of all parts that run on this machine; raises ValueError for a setting that is no address."""

    def setting(name: str, default: str) -> str:
        return environ.get(f"HOLDFAST_{name}") or default

    temporal = address_of(setting("TEMPORAL_ADDRESS", "127.0.0.1:7233"))
    ui = urlsplit(setting("TEMPORAL_UI_URL", "http://127.0.0.1:8233"))
    milvus = urlsplit(setting("MILVUS_URI", "http://127.0.0.1:19530"))
    triton = address_of(setting("TRITON_ADDRESS", "127.0.0.1:8001"))
    ui_port = ui.port if ui.hostname in LOCAL_HOSTS and ui.port else temporal[1] + 1000
    ports = [
        Port("temporal", *temporal, "HOLDFAST_TEMPORAL_ADDRESS"),
        Port("temporal", temporal[0], ui_port, "HOLDFAST_TEMPORAL_UI_URL"),
        Port("milvus", milvus.hostname or "127.0.0.1", milvus.port or 19530, "HOLDFAST_MILVUS_URI"),
        Port("triton", *triton, "HOLDFAST_TRITON_ADDRESS"),
        Port("triton", triton[0], int(setting("TRITON_METRICS_PORT", "8002")), "HOLDFAST_TRITON_METRICS_PORT"),
    ]
    host = setting("API_HOST", "127.0.0.1")
    api = Port("api", host, int(setting("API_PORT", "8700")), "HOLDFAST_API_PORT")
    here = [each._replace(host=ip(each.host)) for each in ports if each.host in LOCAL_HOSTS]
    has_token = bool(setting("METRICS_TOKEN", "") or setting("METRICS_TOKEN_FILE", ""))
    metrics = int(setting("METRICS_PORT", "0")) if has_token else 0
    return [*here, *metrics_ports(setting("METRICS_HOST", "127.0.0.1"), metrics), api]


def metrics_ports(host: str, first: int) -> list[Port]:
    """The ports on which the workers show their metrics, from ``first`` on; none if that is 0."""
    names = WORKERS if first else ()
    return [Port(name, ip(host), first + number, "HOLDFAST_METRICS_PORT") for number, name in enumerate(names)]


def taken(ports: Iterable[Port]) -> dict[Port, User | None]:
    """Those that are in use, with their user if this account may see it."""
    return {each: _user(each.port) for each in ports if port_taken(each.host, each.port)}


def message(port: Port, user: User | None) -> Message:
    """One line about a port that is in use."""
    by = Message("port-user", command=user.command, pid=user.pid) if user else Message("port-user-unknown")
    return Message("port-taken", port=port.port, title=Message(f"part.{port.part}"), setting=port.setting, user=by)


def ip(host: str) -> str:
    """The address to listen on for a host of this machine."""
    return "127.0.0.1" if host == "localhost" else host


def address_of(address: str) -> tuple[str, int]:
    """Host and port of ``host:port``."""
    host, _, port = address.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


def _user(port: int) -> User | None:
    """The process that listens on the port: the owner of the socket that the kernel lists."""
    sockets = {f"socket:[{inode}]" for inode in _listeners(port)}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or belongs to another account
            if any(str(file.readlink()) in sockets for file in (process / "fd").iterdir()):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                return User(int(process.name), command[:80], _data_of(process))
    return None


def _listeners(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _data_of(process: Path) -> str:
    prefix = b"HOLDFAST_DATA="
    lines = (process / "environ").read_bytes().split(b"\0")
    return next((line.removeprefix(prefix).decode() for line in lines if line.startswith(prefix)), "")
