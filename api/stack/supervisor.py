"""A process supervisor: starts processes, waits until they are ready, restarts those that die, stops them in order.

It is independent of what it runs: a ``Child`` defines how a process is started and probed for readiness.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from api.stack import processes


@dataclass(frozen=True, kw_only=True)
class Child:
    """One process to keep running."""

    name: str
    """Names its log file and its entry in the state file."""
    argv: tuple[str, ...]
    env: Mapping[str, str]
    ready: Callable[[], Awaitable[bool]]
    """Readiness probe, repeated after each start until it is True; each call is limited to a few seconds."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    """Seconds that it may take to end before it is killed."""
    start_seconds: float = 120.0
    """Seconds that it may take to become ready the first time before the start counts as failed."""
    failed_probes: int = 0
    """Probes that may fail in a row, once it was ready, before it is started anew; 0 for no limit.

    For a child that is ready whatever becomes of the others: then each of its starts has the time limit, too.
    """
    stale: tuple[Path, ...] = ()
    """Files of an earlier run, removed before each start."""


@dataclass(frozen=True)
class Backoff:
    """Seconds before a restart: doubles up to ``longest``, starts over once a child lived for ``reset_after``."""

    first: float = 0.5
    longest: float = 30.0
    reset_after: float = 60.0

    def delay(self, previous: float, lived: float) -> float:
        """Seconds to wait after a child lived for ``lived`` seconds; ``previous`` is the last delay, or 0."""
        if previous == 0 or lived >= self.reset_after:
            return self.first
        return min(previous * 2, self.longest)


@dataclass(frozen=True)
class Ready:
    """Event: a child is ready; ``restarts`` is 0 the first time."""

    child: Child
    seconds: float
    restarts: int


@dataclass(frozen=True)
class Died:
    """Event: a child ended and will be restarted in ``delay`` seconds."""

    child: Child
    how: str
    delay: float
    log: Path


class ChildFailed(Exception):
    """A child could not be started; ``how`` describes the end of its last try."""

    def __init__(self, child: Child, how: str, tries: int, log: Path) -> None:
        super().__init__(f"{child.name} failed to start {tries} times, last with {how}; see {log}")
        self.child, self.how, self.tries, self.log = child, how, tries, log
        self.tail = processes.tail(log)


@dataclass
class _Life:
    """The state of a child across its restarts."""

    pid: int | None = None
    restarts: int = 0
    was_ready: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Keeps children running.

    ``logs`` is the folder of their logs; ``state`` a file that always holds ``{name: {pid, restarts}}``; ``report``
    receives each event.
    """

    tries = 3
    probe_seconds = 5.0
    probe_pause = 0.05
    longest_probe_pause = 0.5
    watch_pause = 3.0

    def __init__(
        self, logs: Path, state: Path, report: Callable[[Ready | Died], None], backoff: Backoff | None = None
    ) -> None:
        self._logs, self._state, self._report = logs, state, report
        self._backoff = backoff or Backoff()
        self._lives: dict[str, _Life] = {}
        self._groups: list[list[asyncio.Task[None]]] = []
        self._hurry = asyncio.Event()

    def log(self, child: Child) -> Path:
        """The child's log file."""
        return self._logs / f"{child.name}.log"

    async def start(self, *children: Child) -> None:
        """Start children concurrently; returns when all are ready. Raises ChildFailed."""
        for child in children:
            self._lives[child.name] = _Life()
        group = [asyncio.create_task(self._keep(child), name=child.name) for child in children]
        self._groups.append(group)
        ready = asyncio.create_task(self._all_ready(children))
        try:
            await asyncio.wait({ready, *group}, return_when=asyncio.FIRST_COMPLETED)
            for task in group:
                if task.done():
                    task.result()
        finally:
            ready.cancel()

    async def watch(self) -> None:
        """Keep all children running until cancelled. Raises the failure of a keeper task, such as ChildFailed."""
        keepers = [task for group in self._groups for task in group]
        if not keepers:
            await asyncio.Event().wait()
        done, _ = await asyncio.wait(keepers, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """End all children with their descendants, in reverse order of their start."""
        while self._groups:
            group = self._groups.pop()
            for keeper in group:
                keeper.cancel()
            await asyncio.gather(*group, return_exceptions=True)

    def hurry(self) -> None:
        """Kill children that are being stopped without further delay."""
        self._hurry.set()

    async def _all_ready(self, children: Sequence[Child]) -> None:
        for child in children:
            await self._lives[child.name].was_ready.wait()

    async def _keep(self, child: Child) -> None:
        life, delay = self._lives[child.name], 0.0
        while True:
            began = time.monotonic()
            how = await self._live_once(child, life)
            if not life.was_ready.is_set() and life.restarts + 1 >= self.tries:
                raise ChildFailed(child, how, self.tries, self.log(child))
            delay = self._backoff.delay(delay, time.monotonic() - began)
            self._report(Died(child, how, delay, self.log(child)))
            await asyncio.sleep(delay)
            life.restarts += 1

    async def _live_once(self, child: Child, life: _Life) -> str:
        """Run the child until it ends or is not ready in time; returns how it ended."""
        for file in child.stale:
            file.unlink(missing_ok=True)
        try:
            process = await processes.spawn(child.argv, child.env, self.log(child))
        except OSError as exc:
            return str(exc)
        self._record_pid(life, process.pid)
        try:
            in_time = await self._wait_until_ready(child, life, process)
            if in_time:
                return await self._wait_for_end(child, process)
            return f"not ready after {child.start_seconds:.0f} s"
        finally:
            await processes.end(process, child.stop_signal, child.stop_seconds, self._hurry)
            self._record_pid(life, None)

    async def _wait_until_ready(self, child: Child, life: _Life, process: asyncio.subprocess.Process) -> bool:
        """False if the child is neither ready nor ended in time.

        Later starts of most children have no limit: they may be unready because another one is down.
        """
        unlimited = life.was_ready.is_set() and not child.failed_probes
        began, limit = time.monotonic(), None if unlimited else child.start_seconds
        serves, ended = asyncio.create_task(self._probe(child)), asyncio.create_task(process.wait())
        try:
            done, _ = await asyncio.wait({serves, ended}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if serves in done and ended not in done:
                serves.result()
                life.was_ready.set()
                self._report(Ready(child, time.monotonic() - began, life.restarts))
            return bool(done)
        finally:
            serves.cancel()
            ended.cancel()

    async def _wait_for_end(self, child: Child, process: asyncio.subprocess.Process) -> str:
        """Wait until the child ends, or does not serve any longer; returns how it ended."""
        if not child.failed_probes:
            return processes.how_it_ended(await process.wait())
        ended, unready = asyncio.create_task(process.wait()), asyncio.create_task(self._watch_readiness(child))
        try:
            await asyncio.wait({ended, unready}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                return processes.how_it_ended(ended.result())
            unready.result()
            return "no longer ready"
        finally:
            ended.cancel()
            unready.cancel()

    async def _watch_readiness(self, child: Child) -> None:
        """Returns after too many failed probes in a row. Counted, not timed: this process may have been suspended."""
        failed = 0
        while failed < child.failed_probes:
            await asyncio.sleep(self.watch_pause)
            failed = 0 if await self._is_ready(child) else failed + 1

    async def _probe(self, child: Child) -> None:
        pause = self.probe_pause
        while not await self._is_ready(child):
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, self.longest_probe_pause)

    async def _is_ready(self, child: Child) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.probe_seconds):  # wait_for can lose a cancellation in 3.11
                return await child.ready()
        return False

    def _record_pid(self, life: _Life, pid: int | None) -> None:
        life.pid = pid
        table = {name: {"pid": entry.pid, "restarts": entry.restarts} for name, entry in self._lives.items()}
        self._state.parent.mkdir(parents=True, exist_ok=True)
        new = self._state.with_suffix(f".{os.getpid()}.tmp")
        new.write_text(json.dumps(table, indent=1))
        new.replace(self._state)
