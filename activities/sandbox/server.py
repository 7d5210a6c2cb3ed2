"""The fork server's and the child's side of ``activities.sandbox.runner``. Runs in processes of their own."""

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

from activities.errors import HoldfastError, ParserCrashed, Reason
from activities.sandbox.protocol import FRAME, STATUS, Failure, Limits

_CONTROL_FD = 0
_PR_SET_PDEATHSIG = 1
_PROGRESS_SECONDS = 0.1
_PAGE = resource.getpagesize()


def serve(preload: list[str]) -> None:
    """Fork a child for each request on standard input, until that closes."""
    for module in preload:
        import_module(module)
    gc.collect()
    gc.freeze()  # keeps the collector's marks from copying the pages that children share
    with socket.socket(fileno=os.dup(_CONTROL_FD)) as control:
        _Server(control).run()


class _Server:
    """One thread, no locks: it only forks, kills and reaps."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._leases: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Until the worker is gone; then kill what still runs."""
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
                    self._kill(key.data)

    def _accept(self) -> bool:
        try:
            data, fds, _, _ = socket.recv_fds(self._control, 1, 2)
        except ConnectionError:
            return False
        if not data:
            return False
        job, lease = socket.socket(fileno=fds[0]), socket.socket(fileno=fds[1])
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_child(job, lease, server)
        job.close()
        self._leases[pid] = lease
        self._selector.register(lease, selectors.EVENT_READ, ("lease", pid))
        return True

    def _become_child(self, job: socket.socket, lease: socket.socket, server: int) -> NoReturn:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for other in (self._control, lease, *self._leases.values()):
            other.close()
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, _CONTROL_FD)
        _die_with(server)
        _child(job)

    def _kill(self, data: tuple[str, int]) -> None:
        """The worker closed the lease (nothing is ever written to it): the child's work is not wanted."""
        _, pid = data
        os.kill(pid, signal.SIGKILL)  # not yet reaped, so the number is still its own
        self._selector.unregister(self._leases[pid])

    def _kill_all(self) -> None:
        for pid in self._leases:
            os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        for pid in list(self._leases):
            found, status, usage = os.wait4(pid, os.WNOHANG)
            if not found:
                continue
            with self._leases.pop(pid) as lease:
                if lease in self._selector.get_map():
                    self._selector.unregister(lease)
                with suppress(OSError):  # the worker may no longer ask
                    lease.send(STATUS.pack(status, usage.ru_maxrss))


def _drain(fd: int) -> None:
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        pass


def _die_with(server: int) -> None:
    """Ask the kernel to end this process with its parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)


def _child(job: socket.socket) -> NoReturn:
    """Answer a request, and, as long as they are harmless, those that follow; never returns."""
    status = 0
    try:
        with job.makefile("rb") as stream:
            while _serve_one(job, stream):
                pass
    except (OSError, struct.error):  # the worker has gone
        status = 1
    finally:
        os._exit(status)


def _serve_one(job: socket.socket, stream: BinaryIO) -> bool:
    """One request and its answer; whether the child may take another."""
    head = stream.read(FRAME.size)
    if not head:
        return False
    _, length = FRAME.unpack(head)
    kind, answer, harmless = _answer(job, stream.read(length))
    job.sendall(FRAME.pack(kind, len(answer)) + answer)
    return harmless


def _answer(job: socket.socket, request: bytes) -> tuple[bytes, bytes, bool]:
    try:
        function, args, limits, harmless = pickle.loads(request)  # noqa: S301 — from our own worker
        _restrict(limits, last=not harmless)
        result = function(*args, _Reporter(job))
        return b"R", msgspec.msgpack.encode(result), harmless
    except HoldfastError as exc:
        failure = Failure(type(exc).__name__, exc.reason)
    except MemoryError:
        failure = Failure(MemoryError.__name__, Reason("memory"))
    except Exception as exc:  # noqa: BLE001 — the process edge: whatever a reader raises is a crash of the parser
        failure = Failure(ParserCrashed.__name__, ParserCrashed(detail=f"{type(exc).__name__}: {exc}").reason)
    return b"E", msgspec.msgpack.encode(failure), False


def _restrict(limits: Limits, *, last: bool) -> None:
    """Address space on top of what is mapped, CPU time on top of what was used, and no core files.

    The limit of CPU time that nothing can be done about is set with the ``last`` call: it could not be raised again.
    """
    with open("/proc/self/statm", encoding="ascii") as file:
        mapped = int(file.read().split()[0]) * _PAGE
    _, most = resource.getrlimit(resource.RLIMIT_AS)  # of an earlier call: what that one left behind counts
    allowed = mapped + limits.memory_mb * 1024 * 1024
    allowed = allowed if most == resource.RLIM_INFINITY else min(allowed, most)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    used = resource.getrusage(resource.RUSAGE_SELF)
    more = limits.seconds * (os.cpu_count() or 1)  # text recognition uses several cores at once
    seconds = int(used.ru_utime + used.ru_stime + more) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5 if last else hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class _Reporter:
    """Sends progress to the worker, but not more often than anybody looks."""

    def __init__(self, job: socket.socket) -> None:
        self._job = job
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now >= self._next or done == total:
            self._next = now + _PROGRESS_SECONDS
            payload: Any = msgspec.msgpack.encode((done, total))
            self._job.sendall(FRAME.pack(b"P", len(payload)) + payload)
