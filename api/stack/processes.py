"""Child processes of a supervisor, on Linux: no descendant outlives its child or the supervisor.

Each child runs in its own process group, so that Ctrl-C in the terminal reaches the supervisor only, and gets SIGTERM
from the kernel when the supervisor is killed. All stay in the supervisor's session: Linux divides the cores among
sessions first, and `nice` has no effect between sessions.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

LOG_BYTES = 20 * 1024 * 1024
LOGS_KEPT = 3
_PR_SET_PDEATHSIG = 1
# Loaded before any fork: between fork and exec a child must not import or take locks.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


async def spawn(argv: Sequence[str], env: Mapping[str, str], log: Path) -> asyncio.subprocess.Process:
    """Start a process whose output is appended to ``log``. Raises OSError if the program does not exist."""
    supervisor = os.getpid()

    def follow_supervisor() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
            if os.getppid() != supervisor:  # killed between fork and prctl
                os._exit(1)

    rotate(log)
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *argv,
            env=dict(env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
            preexec_fn=follow_supervisor,
        )


async def end(
    process: asyncio.subprocess.Process, stop_signal: signal.Signals, grace: float, hurry: asyncio.Event
) -> None:
    """End a process with all its descendants.

    Only the process itself gets ``stop_signal``: if its helpers got it too, a worker would take their ends for crashes.
    The rest of the group is killed after ``grace`` seconds, or when ``hurry`` is set.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(stop_signal)
        exited, hurried = asyncio.ensure_future(process.wait()), asyncio.ensure_future(hurry.wait())
        await asyncio.wait({exited, hurried}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
    kill_group(process.pid)
    await process.wait()


def kill_group(pid: int) -> None:
    """Kill every process of the group that ``pid`` leads or led."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def how_it_ended(code: int | None) -> str:
    """``exit code 3`` or ``SIGKILL``."""
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


def rotate(log: Path) -> None:
    """Rotate a log that exceeds ``LOG_BYTES``; keeps ``LOGS_KEPT`` older ones."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if not log.exists() or log.stat().st_size < LOG_BYTES:
        return
    numbered = [log, *(log.with_name(f"{log.name}.{n}") for n in range(1, LOGS_KEPT + 1))]
    for older, newer in zip(reversed(numbered[1:]), reversed(numbered[:-1]), strict=True):
        if newer.exists():
            newer.replace(older)


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


# --- before anything starts ------------------------------------------------------------------------


def port_taken(host: str, port: int) -> bool:
    """Whether a server listens on the port already.

    A bind detects even servers that share their port (as gRPC's do silently); a port in TIME_WAIT counts as free.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as exc:
            return exc.errno == errno.EADDRINUSE
    return False


class AlreadyRunning(Exception):
    """Another process holds the lock; ``pid`` is its process id."""

    def __init__(self, pid: str) -> None:
        super().__init__(f"held by process {pid}")
        self.pid = pid


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``; the kernel frees it whenever the holder dies. Raises AlreadyRunning."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            lock.seek(0)
            raise AlreadyRunning(lock.read().strip() or "?") from exc
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def leftovers(groups: set[int], marker: str) -> list[int]:
    """Ids of processes in the groups whose environment holds the line ``marker``, e.g. ``DATA=/srv/x``.

    The marker excludes unrelated processes in a group whose id was reused.
    """
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):  # the process ended meanwhile, or belongs to another user
            in_group = os.getpgid(int(entry.name)) in groups
            if in_group and marker.encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def sweep(groups: set[int], marker: str, grace: float = 15.0) -> int:
    """End the leftover processes of a killed supervisor; returns how many had to be killed.

    The kernel has sent them SIGTERM; they get ``grace`` seconds to finish.
    """
    deadline = time.monotonic() + grace
    while (left := leftovers(groups, marker)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(left)
