"""The fork server and its children: the other side of ``activities.sandbox.runner``, in separate processes."""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import resource
import selectors
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from importlib import import_module
from typing import Any, BinaryIO, NoReturn

import msgspec

from activities.errors import HoldfastError, ParserCrashed, Reason, plain_line
from activities.sandbox.protocol import FORK, FRAME, STATUS, Failure, Limits

_CONTROL_FD = 0
_PR_SET_PDEATHSIG = 1
_MESSAGE_BYTES = 1 << 16
_CAUSE_CHARACTERS = 1000
_PROGRESS_SECONDS = 0.1
_PAGE = resource.getpagesize()


def serve(preload: list[str]) -> None:
    """Imports ``preload``, then forks a child for each request on standard input until that closes."""
    for module in preload:
        import_module(module)
    _freeze()
    with socket.socket(fileno=os.dup(_CONTROL_FD)) as control:
        _Server(control).run()


def _freeze() -> None:
    """Keeps the collector's marks from copying the pages that children share."""
    gc.collect()
    gc.freeze()


class _Server:
    """Forks, kills and reaps children; one thread, no locks."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._leases: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Serves until the control socket closes, then kills the children that still run."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        os.set_blocking(wake_read, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._control, selectors.EVENT_READ, None)
        self._selector.register(wake_read, selectors.EVENT_READ, wake_read)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    if not self._accept():
                        self._kill_all()
                        return
                elif key.data == wake_read:
                    _drain(wake_read)
                    self._reap()
                else:
                    self._kill(*key.data)

    def _accept(self) -> bool:
        try:
            data, fds, _, _ = socket.recv_fds(self._control, _MESSAGE_BYTES, 2)
        except ConnectionError:
            return False
        if not data:
            return False
        if data != FORK:
            function, args = pickle.loads(data[1:])  # noqa: S301 — from our own worker
            with suppress(OSError):  # its file was replaced, and the call that follows loads the new one
                function(*args)
            _freeze()
            return True
        channel, lease = socket.socket(fileno=fds[0]), socket.socket(fileno=fds[1])
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_child(channel, lease, server)
        channel.close()
        self._leases[pid] = lease
        self._selector.register(lease, selectors.EVENT_READ, (pid, lease))
        return True

    def _become_child(self, channel: socket.socket, lease: socket.socket, server: int) -> NoReturn:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for other in (self._control, lease, *self._leases.values()):
            other.close()
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, _CONTROL_FD)
        _die_with(server)
        _child(channel)

    def _kill(self, pid: int, lease: socket.socket) -> None:
        """Kills a child whose lease the worker closed (the worker never writes to it).

        The same wake-up may have reaped it before, and even have forked another child with its pid.
        """
        if self._leases.get(pid) is lease:
            os.kill(pid, signal.SIGKILL)  # not yet reaped, so the pid is still its own
            self._selector.unregister(lease)

    def _kill_all(self) -> None:
        for pid in self._leases:
            os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        for pid in list(self._leases):
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if not ended:
                continue
            with self._leases.pop(pid) as lease:
                if lease in self._selector.get_map():
                    self._selector.unregister(lease)
                with suppress(OSError):  # the worker may have closed its end
                    lease.send(STATUS.pack(status, usage.ru_maxrss))


def _drain(fd: int) -> None:
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        pass


def _die_with(server: int) -> None:
    """Makes the kernel kill this process when its parent dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)


def _child(channel: socket.socket) -> NoReturn:
    """Serves one request, or several as long as all are harmless, then exits the process."""
    status = 0
    try:
        with channel.makefile("rb") as stream:
            while _serve_one(channel, stream):
                pass
    except (OSError, struct.error):  # the worker closed the channel
        status = 1
    finally:
        os._exit(status)


def _serve_one(channel: socket.socket, stream: BinaryIO) -> bool:
    """Serves one request; whether the child may take another."""
    head = stream.read(FRAME.size)
    if not head:
        return False
    _, length = FRAME.unpack(head)
    kind, payload, harmless = _answer(channel, stream.read(length))
    channel.sendall(FRAME.pack(kind, len(payload)) + payload)
    return harmless


def _answer(channel: socket.socket, request: bytes) -> tuple[bytes, bytes, bool]:
    """Runs the request; the kind of the answer, its payload, and whether the child may be reused."""
    try:
        function, args, limits, harmless = pickle.loads(request)  # noqa: S301 — from our own worker
        _restrict(limits, last=not harmless)
        result = function(*args, _Reporter(channel))
        return b"R", msgspec.msgpack.encode(result), harmless
    except HoldfastError as exc:
        failure = Failure(type(exc).__name__, exc.reason, _text(exc.__cause__) if exc.__cause__ else "")
    except MemoryError:
        failure = Failure(MemoryError.__name__, Reason("memory"))
    except Exception as exc:  # noqa: BLE001 — the process edge: an unexpected exception is a parser crash
        error = ParserCrashed(detail=f"{type(exc).__name__}: {plain_line(exc)}")
        failure = Failure(ParserCrashed.__name__, error.reason, _text(exc))
    return b"E", msgspec.msgpack.encode(failure), False


def _text(exc: BaseException) -> str:
    """The exception's class and message, for the log."""
    return f"{type(exc).__name__}: {exc}"[:_CAUSE_CHARACTERS]


def _restrict(limits: Limits, *, last: bool) -> None:
    """Limits address space beyond what is mapped and CPU time beyond what is used; disables core files.

    The hard CPU limit is set only with the child's ``last`` call, because a process cannot raise it again.
    """
    with open("/proc/self/statm", encoding="ascii") as file:
        mapped = int(file.read().split()[0]) * _PAGE
    _, previous = resource.getrlimit(resource.RLIMIT_AS)  # of an earlier call: memory that it leaked counts
    allowed = mapped + limits.memory_mb * 1024 * 1024
    allowed = allowed if previous == resource.RLIM_INFINITY else min(allowed, previous)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    used = resource.getrusage(resource.RUSAGE_SELF)
    budget = limits.most * (os.cpu_count() or 1)  # text recognition uses several cores at once
    seconds = int(used.ru_utime + used.ru_stime + budget) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5 if last else hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class _Reporter:
    """Sends progress to the worker, at most every ``_PROGRESS_SECONDS``; the last report is always sent."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now >= self._next or done == total:
            self._next = now + _PROGRESS_SECONDS
            payload: Any = msgspec.msgpack.encode((done, total))
            self._channel.sendall(FRAME.pack(b"P", len(payload)) + payload)
