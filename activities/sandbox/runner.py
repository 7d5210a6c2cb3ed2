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

A fork costs several times what reading a page of plain text does. So calls that are said to be ``harmless`` may
follow each other in one child; no other call ever shares one.

Results cross as msgpack, decoded to the function's declared return type, never as pickle: a file that takes
over a child must not run code in the worker.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, get_type_hints

import msgspec

from activities.errors import DocumentTooLarge, HoldfastError, ParserCrashed, ParserTimedOut
from activities.phrases import Phrase
from activities.sandbox.protocol import FRAME, STATUS, Failure, Limits, Progress

R = TypeVar("R")

PRELOAD = ("activities.ingest.preload",)
"""Modules that the fork server imports before it forks."""

_FORK_SERVER = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from activities.sandbox.server import serve; serve(sys.argv[2:])"
)
_LOST_AFTER = 2  # a fork server that dies is no document's fault, unless it happens again
_CALLS_OF_A_CHILD = 50
_NEAR_LIMIT = 0.8


class _ServerLost(Exception):
    """The fork server died before it could say how the child ended."""


async def run_isolated(
    function: Callable[..., R],
    *args: Any,
    limits: Limits,
    on_progress: Progress | None = None,
    harmless: bool = False,
) -> R:
    """``function(*args, progress)`` in a child process; its arguments are pickled, its result is msgpack.

    The child is a fresh one, or, for a ``harmless`` call (one that could not take a child over), one that has
    done nothing but harmless calls. ``on_progress`` is called on the event loop. Cancelling kills the child.
    Raises what the child raised of our own errors; ParserTimedOut, DocumentTooLarge (memory) or ParserCrashed
    for everything else.
    """
    request = pickle.dumps((function, args, limits, harmless))
    call = _Call(request, get_type_hints(function)["return"], limits, on_progress, harmless)
    for attempt in range(_LOST_AFTER):
        server = await asyncio.to_thread(_started)
        try:
            answer: R = await _run(server, call)
            return answer
        except _ServerLost as exc:
            await asyncio.to_thread(close, server)
            if attempt + 1 == _LOST_AFTER:
                raise ParserCrashed(detail=Phrase.PROCESS_LOST) from exc
    raise AssertionError("unreachable")


async def _run(server: _ForkServer, call: _Call) -> Any:
    kept = server.kept() if call.harmless else None
    if kept is not None:
        try:
            return await _run_in(kept, server, call)
        except (ParserCrashed, _ServerLost):
            pass  # it may have been killed while it waited: a fresh one will tell
    return await _run_in(server.fork(), server, call)


async def _run_in(child: _Child, server: _ForkServer, call: _Call) -> Any:
    keep = False
    try:
        async with asyncio.timeout(call.limits.seconds) as timer:
            answer = await child.answer(call)
        keep = call.harmless
        return answer
    except TimeoutError as exc:
        if timer.expired():
            raise ParserTimedOut(seconds=f"{call.limits.seconds:g}") from exc
        raise
    finally:
        if keep:
            server.keep(child)
        else:
            child.end()


class _Call(NamedTuple):
    """A request, and what is to be done with its answer."""

    request: bytes
    returns: Any
    limits: Limits
    on_progress: Progress | None
    harmless: bool


class _Child:
    """The worker's end of one child process."""

    def __init__(self, job: socket.socket, lease: socket.socket) -> None:
        self._job, self._lease = job, lease
        self.calls = 0
        for each in (job, lease):
            each.setblocking(False)

    async def answer(self, call: _Call) -> Any:
        """What the child makes of a call. Raises the reader's error, or what the child died of."""
        self.calls += 1
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendall(self._job, FRAME.pack(b"Q", len(call.request)) + call.request)
            while True:
                kind, length = FRAME.unpack(await _receive(self._job, FRAME.size))
                payload = await _receive(self._job, length)
                if kind == b"P" and call.on_progress is not None:
                    call.on_progress(*msgspec.msgpack.decode(payload, type=tuple[int, int]))
                elif kind == b"E":
                    raise _error(msgspec.msgpack.decode(payload, type=Failure), call.limits)
                elif kind == b"R":
                    return msgspec.msgpack.decode(payload, type=call.returns)
        except (EOFError, ConnectionError) as exc:
            raise await _cause_of_death(self._lease, call.limits) from exc

    def end(self) -> None:
        """Close the lease, and the server kills what is left."""
        self._lease.close()
        self._job.close()


async def _receive(stream: socket.socket, length: int) -> bytearray:
    """Exactly so many bytes. Raises EOFError when there are no more."""
    loop, received, end = asyncio.get_running_loop(), bytearray(length), 0
    while end < length:
        count = await loop.sock_recv_into(stream, memoryview(received)[end:])
        if not count:
            raise EOFError
        end += count
    return received


def _error(failure: Failure, limits: Limits) -> HoldfastError:
    """The child's error as its own class again."""
    if failure.kind == MemoryError.__name__:
        return _too_large(limits)
    kind = next((kind for kind in _family(HoldfastError) if kind.__name__ == failure.kind), ParserCrashed)
    return kind(**failure.reason.params)


def _family(kind: type[HoldfastError]) -> list[type[HoldfastError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _family(child))]


async def _cause_of_death(lease: socket.socket, limits: Limits) -> Exception:
    try:
        raw = await asyncio.get_running_loop().sock_recv(lease, STATUS.size)
    except ConnectionError:
        raw = b""
    if len(raw) < STATUS.size:
        return _ServerLost()
    status, peak_kib = STATUS.unpack(raw)
    number = status & 0x7F
    if number == 0:
        return ParserCrashed(detail=Phrase.PROCESS_ENDED, status=status >> 8)
    if number == signal.SIGXCPU:
        return ParserTimedOut(seconds=f"{limits.seconds:g}")
    if peak_kib >= _NEAR_LIMIT * limits.memory_mb * 1024:
        return _too_large(limits)
    name = signal.Signals(number).name
    return ParserCrashed(detail=Phrase.PROCESS_KILLED if name == "SIGKILL" else name)


def _too_large(limits: Limits) -> DocumentTooLarge:
    return DocumentTooLarge(detail=Phrase.MEMORY, limit=limits.memory_mb)


class _ForkServer:
    """The worker's end of its fork server. Starting takes milliseconds; the server imports on its own time."""

    def __init__(self) -> None:
        self._kept: list[_Child] = []
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 — our own interpreter and code
                [sys.executable, "-c", _FORK_SERVER, json.dumps(sys.path), *PRELOAD],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C reaches the worker, which lets documents finish
            )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def fork(self) -> _Child:
        """A new child; does not wait for it."""
        job, child_job = socket.socketpair()
        lease, child_lease = socket.socketpair()
        with child_job, child_lease:
            try:
                socket.send_fds(self._control, [b"F"], [child_job.fileno(), child_lease.fileno()])
            except OSError as exc:
                job.close()
                lease.close()
                raise _ServerLost() from exc
        return _Child(job, lease)

    def keep(self, child: _Child) -> None:
        """Let it wait for the next harmless call, unless it has had its share: whatever it gathered goes with it."""
        if child.calls < _CALLS_OF_A_CHILD:
            self._kept.append(child)
        else:
            child.end()

    def kept(self) -> _Child | None:
        """A child that waits for a harmless call."""
        return self._kept.pop() if self._kept else None

    def close(self) -> None:
        """Stop the server and, with it, every child."""
        for child in self._kept:
            child.end()
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
