"""Functions run in child processes that may crash, hang or eat memory without harm to the worker.

::

    worker ──control──► fork server ──fork──► child
       │                     │                  │
       ├──────── lease ──────┘                  │   closed by the worker: the server kills the child
       └──────── job ───────────────────────────┘   request in; progress and result out

The fork server is one process for each worker: it imports the readers once and then forks a fresh child in
about ten milliseconds for every document. (``multiprocessing``'s own fork server imports the worker's main
module again in each child, which takes a second.) Whatever happens, the child dies: when its lease is
closed, when the worker dies (the control socket closes), and when the server dies (``PR_SET_PDEATHSIG``).

Results cross as msgpack, decoded to the function's declared return type, never as pickle: a file that takes
over a child must not run code in the worker.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, get_type_hints

import msgspec

from activities.errors import DocumentTooLarge, HoldfastError, ParserCrashed, ParserTimedOut, Reason

R = TypeVar("R")

PRELOAD = ("activities.readers.preload",)
"""Modules that the fork server imports before it forks."""

FRAME = struct.Struct("<cQ")
STATUS = struct.Struct("<iQ")  # wait status, peak resident set in KiB
_FORK_SERVER = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from activities.forkserver import serve; serve(sys.argv[2:])"
)
_LOST_AFTER = 2  # a fork server that dies is no document's fault, unless it happens again
_NEAR_LIMIT = 0.8


class Limits(msgspec.Struct, frozen=True):
    """What a child may use: wall-clock (and CPU) seconds, and MiB on top of what it starts with."""

    seconds: float
    memory_mb: int


class Progress(Protocol):
    """Called now and then with how much is done."""

    def __call__(self, done: int, total: int) -> None: ...


class Failure(msgspec.Struct):
    """A child's HoldfastError, by class name and reason."""

    kind: str
    reason: Reason


class _ServerLost(Exception):
    """The fork server died before it could say how the child ended."""


async def run_isolated(
    function: Callable[..., R], *args: Any, limits: Limits, on_progress: Progress | None = None
) -> R:
    """``function(*args, progress)`` in a fresh child process; its arguments are pickled, its result is msgpack.

    ``on_progress`` is called on the event loop. Cancelling kills the child. Raises what the child raised of
    our own errors; ParserTimedOut, DocumentTooLarge (memory) or ParserCrashed for everything else.
    """
    request = pickle.dumps((function, args, limits))
    for attempt in range(_LOST_AFTER):
        server = await asyncio.to_thread(_started)
        try:
            answer: R = await _run_once(server, request, get_type_hints(function)["return"], limits, on_progress)
            return answer
        except _ServerLost as exc:
            await asyncio.to_thread(close, server)
            if attempt + 1 == _LOST_AFTER:
                raise ParserCrashed(detail="its process disappeared") from exc
    raise AssertionError("unreachable")


async def _run_once(
    server: _ForkServer, request: bytes, returns: Any, limits: Limits, on_progress: Progress | None
) -> Any:
    job, lease = server.fork()
    with lease:  # leaving closes it, and the server kills what is left
        reader, writer = await asyncio.open_unix_connection(sock=job)
        try:
            async with asyncio.timeout(limits.seconds) as timer:
                return await _converse(reader, writer, lease, request, returns, limits, on_progress)
        except TimeoutError as exc:
            if timer.expired():
                raise ParserTimedOut(seconds=f"{limits.seconds:g}") from exc
            raise
        finally:
            writer.transport.abort()


async def _converse(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    lease: socket.socket,
    request: bytes,
    returns: Any,
    limits: Limits,
    on_progress: Progress | None,
) -> Any:
    try:
        writer.write(FRAME.pack(b"Q", len(request)) + request)
        await writer.drain()
        while True:
            kind, length = FRAME.unpack(await reader.readexactly(FRAME.size))
            payload = await reader.readexactly(length)
            if kind == b"P" and on_progress is not None:
                on_progress(*msgspec.msgpack.decode(payload, type=tuple[int, int]))
            elif kind == b"E":
                raise _error(msgspec.msgpack.decode(payload, type=Failure), limits)
            elif kind == b"R":
                return msgspec.msgpack.decode(payload, type=returns)
    except (asyncio.IncompleteReadError, ConnectionError, BrokenPipeError) as exc:
        raise await _cause_of_death(lease, limits) from exc


def _error(failure: Failure, limits: Limits) -> HoldfastError:
    """The child's error as its own class again."""
    if failure.kind == MemoryError.__name__:
        return _too_large(limits)
    kind = next((kind for kind in _family(HoldfastError) if kind.__name__ == failure.kind), ParserCrashed)
    return kind(**failure.reason.params)


def _family(kind: type[HoldfastError]) -> list[type[HoldfastError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _family(child))]


async def _cause_of_death(lease: socket.socket, limits: Limits) -> Exception:
    lease.setblocking(False)
    try:
        raw = await asyncio.get_running_loop().sock_recv(lease, STATUS.size)
    except ConnectionError:
        raw = b""
    if len(raw) < STATUS.size:
        return _ServerLost()
    status, peak_kib = STATUS.unpack(raw)
    number = status & 0x7F
    if number == 0:
        return ParserCrashed(detail=f"it ended with status {status >> 8}")
    if number == signal.SIGXCPU:
        return ParserTimedOut(seconds=f"{limits.seconds:g}")
    if peak_kib >= _NEAR_LIMIT * limits.memory_mb * 1024:
        return _too_large(limits)
    name = signal.Signals(number).name
    return ParserCrashed(detail="the system killed it, probably for memory" if name == "SIGKILL" else name)


def _too_large(limits: Limits) -> DocumentTooLarge:
    return DocumentTooLarge(detail=f"reading it takes more than {limits.memory_mb} MiB of memory")


class _ForkServer:
    """The worker's end of its fork server. Starting takes milliseconds; the server imports on its own time."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 — our own interpreter and code
                [sys.executable, "-c", _FORK_SERVER, json.dumps(sys.path), *PRELOAD],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches the worker, which lets documents finish
            )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def fork(self) -> tuple[socket.socket, socket.socket]:
        """A new child's job and lease sockets; does not wait for the child."""
        job, child_job = socket.socketpair()
        lease, child_lease = socket.socketpair()
        with child_job, child_lease:
            try:
                socket.send_fds(self._control, [b"F"], [child_job.fileno(), child_lease.fileno()])
            except OSError as exc:
                job.close()
                lease.close()
                raise _ServerLost() from exc
        return job, lease

    def close(self) -> None:
        """Stop the server and, with it, every child."""
        self._control.close()
        self._process.wait()


_lock = threading.Lock()
_current: list[_ForkServer] = []  # the one of this process, or none


def _started() -> _ForkServer:
    """The fork server of this process, started on first use and again when it has died."""
    with _lock:
        if not (_current and _current[0].alive):
            for dead in _current:
                dead.close()
            _current[:] = [_ForkServer()]
        return _current[0]


def warm() -> None:
    """Start the fork server ahead of the first document: its imports take seconds."""
    _started()


def close(server: _ForkServer | None = None) -> None:
    """Stop the fork server (only if it is ``server``, when one is given), and wait for it.

    A worker calls this on its way out, though its death does the same.
    """
    with _lock:
        if _current and server in (None, _current[0]):
            _current.pop().close()
