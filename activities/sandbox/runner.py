"""Runs functions in child processes that may crash, hang or exhaust memory without harm to the worker.

::

    worker ──control──► fork server ──fork──► child
       │                     │                  │
       ├──────── lease ──────┘                  │   the worker closes it: the server kills the child
       └──────── channel ───────────────────────┘   request in; progress and result out

Each worker has one fork server process. It imports the readers once and then forks a fresh child for every
document in about ten milliseconds. (``multiprocessing``'s own fork server imports the worker's main module again
in each child, which takes a second.) No child outlives its purpose: it is killed when its lease is closed, when the
worker dies (the control socket closes), and when the server dies (``PR_SET_PDEATHSIG``).

What many calls need and takes long to load (``load``) is loaded by the fork server; children share its memory.

A fork costs several times as much as reading a page of plain text. Calls that the caller declares ``harmless``
therefore reuse a child that has served only harmless calls; every other call gets a child of its own.

Results travel as msgpack, decoded to the function's declared return type, never as pickle: a file that takes
over a child must not run code in the worker.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar, get_type_hints

import msgspec
import structlog

from activities.errors import DocumentTooLarge, HoldfastError, ParserCrashed, ParserTimedOut
from activities.phrases import Phrase
from activities.sandbox.protocol import FORK, FRAME, LOAD, STATUS, Failure, Limits, Progress

log = structlog.get_logger()

R = TypeVar("R")

PRELOAD = ("activities.ingest.preload",)
"""Modules that the fork server imports before it forks the first child."""

_FORK_SERVER = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from activities.sandbox.server import serve; serve(sys.argv[2:])"
)
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "TZ")
"""Variables that child processes get; none of the others, which hold addresses and secrets."""

_ONE_THREAD = {"TOKENIZERS_PARALLELISM": "false"}  # threads would not survive the fork

_SERVER_ATTEMPTS = 2  # a fork server's death is blamed on the document only when it happens twice
_MAX_CALLS_PER_CHILD = 50
_NEAR_LIMIT = 0.8  # of the memory limit: a child killed above this share counts as out of memory


class _ServerLost(Exception):
    """The fork server died before it reported the child's exit status."""


async def run_isolated(
    function: Callable[..., R],
    *args: Any,
    limits: Limits,
    on_progress: Progress | None = None,
    harmless: bool = False,
) -> R:
    """Runs ``function(*args, progress)`` in a child process; arguments travel as pickle, the result as msgpack.

    The child is fresh. A ``harmless`` call (its input cannot take over the process) may also reuse a child that has
    served only harmless calls. ``on_progress`` is called on the event loop. Cancellation kills the child.
    Raises the HoldfastErrors that the child raised, and ParserTimedOut, DocumentTooLarge (memory) or ParserCrashed
    for every other failure.
    """
    request = pickle.dumps((function, args, limits, harmless))
    call = _Call(request, get_type_hints(function)["return"], limits, on_progress, harmless)
    for attempt in range(_SERVER_ATTEMPTS):
        server = await asyncio.to_thread(_running_server)
        try:
            result: R = await _run(server, call)
            return result
        except _ServerLost as exc:
            await asyncio.to_thread(close, server)
            if attempt + 1 == _SERVER_ATTEMPTS:
                raise ParserCrashed(detail=Phrase.PROCESS_LOST) from exc
    raise AssertionError("unreachable")


async def _run(server: _ForkServer, call: _Call) -> Any:
    idle = server.take_idle() if call.harmless else None
    if idle is not None:
        try:
            return await _run_in(idle, server, call)
        except (ParserCrashed, _ServerLost):
            pass  # it may have been killed while idle: a fresh child shows whether the call is at fault
    return await _run_in(server.fork(), server, call)


async def _run_in(child: _Child, server: _ForkServer, call: _Call) -> Any:
    reusable = False
    try:
        async with asyncio.timeout(call.limits.seconds) as timer:
            begun = asyncio.get_running_loop().time()

            def progressed(done: int, total: int) -> None:
                timer.reschedule(begun + call.limits.after(done))
                if call.on_progress is not None:
                    call.on_progress(done, total)

            result = await child.run(call, progressed)
        reusable = call.harmless
        return result
    except TimeoutError as exc:
        if timer.expired():
            raise ParserTimedOut(seconds=f"{asyncio.get_running_loop().time() - begun:.0f}") from exc
        raise
    finally:
        if reusable:
            server.release(child)
        else:
            child.end()


class _Call(NamedTuple):
    """An encoded request, and how its result is decoded, limited and reported."""

    request: bytes
    returns: Any
    limits: Limits
    on_progress: Progress | None
    harmless: bool


class _Child:
    """The worker's end of one child process."""

    def __init__(self, channel: socket.socket, lease: socket.socket, loads: int) -> None:
        """``loads`` counts what its server had loaded before it."""
        self._channel, self._lease, self.loads = channel, lease, loads
        self.calls = 0
        for end in (channel, lease):
            end.setblocking(False)

    async def run(self, call: _Call, on_progress: Progress) -> Any:
        """The decoded result of a call. Raises the reader's error, or the cause of the child's death."""
        self.calls += 1
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendall(self._channel, FRAME.pack(b"Q", len(call.request)) + call.request)
            while True:
                kind, length = FRAME.unpack(await _receive(self._channel, FRAME.size))
                payload = await _receive(self._channel, length)
                if kind == b"P":
                    on_progress(*msgspec.msgpack.decode(payload, type=tuple[int, int]))
                elif kind == b"E":
                    raise _error(msgspec.msgpack.decode(payload, type=Failure), call.limits)
                elif kind == b"R":
                    return msgspec.msgpack.decode(payload, type=call.returns)
        except (EOFError, ConnectionError) as exc:
            raise await _cause_of_death(self._lease, call.limits) from exc

    def end(self) -> None:
        """Closes the lease, upon which the server kills the child if it still runs."""
        self._lease.close()
        self._channel.close()


async def _receive(stream: socket.socket, length: int) -> bytearray:
    """Exactly ``length`` bytes. Raises EOFError when the stream ends before."""
    loop, received, end = asyncio.get_running_loop(), bytearray(length), 0
    while end < length:
        count = await loop.sock_recv_into(stream, memoryview(received)[end:])
        if not count:
            raise EOFError
        end += count
    return received


def _error(failure: Failure, limits: Limits) -> HoldfastError:
    """The child's error as an instance of its own class; its cause, which users are not told, is logged."""
    if failure.cause:
        log.info("a document could not be read", code=failure.reason.code, cause=failure.cause.partition(":")[0])
        log.debug("its cause", cause=failure.cause)
    if failure.kind == MemoryError.__name__:
        return _too_large(limits)
    kind = next((kind for kind in _with_subclasses(HoldfastError) if kind.__name__ == failure.kind), ParserCrashed)
    return kind(**failure.reason.params)


def _with_subclasses(kind: type[HoldfastError]) -> list[type[HoldfastError]]:
    return [kind, *(subclass for child in kind.__subclasses__() for subclass in _with_subclasses(child))]


async def _cause_of_death(lease: socket.socket, limits: Limits) -> Exception:
    """The error for a child that ended without a result, from the exit status that the server sends."""
    try:
        raw = await asyncio.get_running_loop().sock_recv(lease, STATUS.size)
    except ConnectionError:
        raw = b""
    if len(raw) < STATUS.size:
        return _ServerLost()
    status, peak_kib = STATUS.unpack(raw)
    signal_number = status & 0x7F
    if signal_number == 0:
        return ParserCrashed(detail=Phrase.PROCESS_ENDED, status=status >> 8)
    if signal_number == signal.SIGXCPU:
        return ParserTimedOut(seconds=f"{limits.seconds:g}")
    if peak_kib >= _NEAR_LIMIT * limits.memory_mb * 1024:
        return _too_large(limits)
    name = signal.Signals(signal_number).name
    return ParserCrashed(detail=Phrase.PROCESS_KILLED if name == "SIGKILL" else name)


def _too_large(limits: Limits) -> DocumentTooLarge:
    return DocumentTooLarge(detail=Phrase.MEMORY, limit=limits.memory_mb)


class _ForkServer:
    """The worker's end of its fork server. Starting takes milliseconds; the server imports in the background."""

    def __init__(self) -> None:
        self._idle: list[_Child] = []
        self._loads = 0
        self._control, server_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with server_control:
            self._process = subprocess.Popen(  # noqa: S603 — our own interpreter and code
                [sys.executable, "-c", _FORK_SERVER, json.dumps(sys.path), *PRELOAD],
                stdin=server_control.fileno(),
                stdout=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | _ONE_THREAD,
                process_group=0,  # Ctrl-C must reach only the worker, which lets documents finish
            )

    @property
    def alive(self) -> bool:
        """Whether the server process runs."""
        return self._process.poll() is None

    def fork(self) -> _Child:
        """Requests a new child and returns without waiting for it."""
        channel, child_channel = socket.socketpair()
        lease, child_lease = socket.socketpair()
        with child_channel, child_lease:
            try:
                socket.send_fds(self._control, [FORK], [child_channel.fileno(), child_lease.fileno()])
            except OSError as exc:
                channel.close()
                lease.close()
                raise _ServerLost() from exc
        return _Child(channel, lease, self._loads)

    def load(self, call: bytes) -> None:
        """Makes the server execute a pickled call before it forks again; ends the children that lack its effect."""
        self._loads += 1
        while (child := self.take_idle()) is not None:
            child.end()
        with suppress(OSError):  # a dead server is replaced by one that gets all calls
            self._control.send(LOAD + call)

    def release(self, child: _Child) -> None:
        """Keeps a child for the next harmless call; ends it after its last one, so that leaks do not add up.

        Ends it also when it lacks what was loaded meanwhile.
        """
        if child.calls < _MAX_CALLS_PER_CHILD and child.loads == self._loads:
            self._idle.append(child)
        else:
            child.end()

    def take_idle(self) -> _Child | None:
        """An idle child that has served only harmless calls, if there is one."""
        return self._idle.pop() if self._idle else None

    def close(self) -> None:
        """Stops the server and, with it, every child."""
        for child in self._idle:
            child.end()
        self._control.close()
        self._process.wait()


_lock = threading.Lock()
_current: list[_ForkServer] = []  # the fork server of this process, if it runs
_loaded: dict[tuple[str, str], tuple[bytes, IO[bytes]]] = {}
"""Calls that a fork server executes first, and their open files: by function and key, latest last."""


def _running_server() -> _ForkServer:
    """The fork server of this process, started on first use and again after its death."""
    with _lock:
        if not (_current and _current[0].alive):
            for dead in _current:
                dead.close()
            _current[:] = [_ForkServer()]
            for call, _ in _loaded.values():
                _current[0].load(call)
        return _current[0]


def load(function: Callable[[str, Path], None], key: str, data: bytes, *, keep: int = 1) -> None:
    """Calls ``function(key, <file with data>)`` in the fork server; children forked from now on share its effect.

    A fork server that takes the place of a dead one gets the call too, as it gets the latest ``keep`` calls of each
    function with different keys.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - without a name: a killed worker leaves nothing behind
    file.write(data)
    file.flush()
    call = pickle.dumps((function, (key, Path(f"/proc/{os.getpid()}/fd/{file.fileno()}"))))
    server = _running_server()
    with _lock:
        name = function.__qualname__
        _forget((name, key))
        _loaded[name, key] = call, file
        for earliest in [each for each in _loaded if each[0] == name][:-keep]:
            _forget(earliest)
        server.load(call)


def _forget(name: tuple[str, str]) -> None:
    if name in _loaded:
        _loaded.pop(name)[1].close()


def warm() -> None:
    """Starts the fork server ahead of the first document: its imports take seconds."""
    _running_server()


def close(server: _ForkServer | None = None) -> None:
    """Stops the fork server and waits for its end; with ``server`` given, only if that one is current.

    A worker calls this at shutdown; its death has the same effect.
    """
    with _lock:
        if _current and server in (None, _current[0]):
            _current.pop().close()
        if server is None:
            for name in list(_loaded):
                _forget(name)
