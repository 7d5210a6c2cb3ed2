"""Memory of the whole platform when idle, and of the API and each worker while one very large file is uploaded."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil  # type: ignore[import-untyped]

from activities.contracts.addresses import PREFIX
from tests.bench.generator import Generator, generator
from tests.bench.instance import Bench
from tests.bench.measures import Measure, say
from tests.bench.shelf import Document, Shelf

SAMPLE_SECONDS = 0.005
CHILDREN_SECONDS = 0.25
"""Finding children means reading the whole table of processes: one parent's at a time."""

AFTERWARDS_SECONDS = 5.0
"""Seconds to watch after the response: the first step of the ingestion reads the file from the blob store."""

SETTLING_SECONDS = 20.0
"""Seconds after the start until the platform is idle: connections are open, schedules exist, caches are filled."""

MB = 1 << 20


async def idle(bench: Bench) -> list[Measure]:
    """Proportional set size of every process since the start: pages that several share count once."""
    pids = bench.pids()
    if not pids:
        say("  left out: the platform's processes are not on this machine, or not started by `holdfast up`")
        return []
    await asyncio.sleep(SETTLING_SECONDS)
    supervisor = psutil.Process(pids["api"]).parent()
    sizes = {"supervisor": supervisor.memory_full_info().pss} if supervisor else {}
    for name, pid in pids.items():
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        sizes[name] = sum(each.memory_full_info().pss for each in family)
        say(f"  {name}: {', '.join(f'{each.memory_full_info().pss / MB:.0f}' for each in family)} MB")
    shares = ", ".join(f"{name} {size / MB:.0f}" for name, size in sizes.items())
    total = sum(sizes.values()) / (1 << 30)
    return [Measure(name="memory of the whole platform, idle", values=[total], unit="GB", target="≤ 2.0", note=shares)]


async def large_upload(bench: Bench, megabytes: int) -> list[Measure]:
    """DESIGN §9, last row: new content, and the same again after the first was canceled."""
    watched = {name: pid for name, pid in bench.pids().items() if name == "api" or name.startswith("worker")}
    if not watched:
        say("  left out: the platform's processes are not on this machine, or not started by `holdfast up`")
        return []
    shelf = await Shelf.create(bench)
    await shelf.add([Document.of("warm-up.txt", f"A document to warm up with, {uuid.uuid4().hex}.")])
    seed, measures = uuid.uuid4().int, []
    async with generator(bench.target) as load:
        for what in ("new content", "again"):
            with sampled(watched) as samples:
                answer = await _upload(load, shelf, megabytes, seed)
                await asyncio.sleep(AFTERWARDS_SECONDS)
            say(f"  {megabytes} MB, {what}: {answer['ms'] / 1000:.1f} s, {samples}")
            measures += samples.measures(f"{megabytes} MB uploaded, {what}", answer["ms"] / 1000)
            await shelf.cancel()
    await shelf.stop()
    return measures


async def _upload(load: Generator, shelf: Shelf, megabytes: int, seed: int) -> dict[str, Any]:
    path = f"{PREFIX}/knowledge-bases/{shelf.name}/documents"
    answer = await load.do("large", path=path, name="large.txt", megabytes=megabytes, seed=seed)
    if answer["status"] != 202:
        raise RuntimeError(f"the upload was refused: {answer['body']}")
    return answer


class Samples(threading.Thread):
    """Resident memory of processes, sampled continuously; children are those of all processes together."""

    def __init__(self, watched: dict[str, int]) -> None:
        super().__init__(daemon=True)
        self._processes = {name: psutil.Process(pid) for name, pid in watched.items()}
        self._before = {name: process.memory_info().rss for name, process in self._processes.items()}
        self._peaks = dict(self._before)
        self._children = 0
        self._ended = threading.Event()
        self._longest_gap = 0.0

    def run(self) -> None:
        """Sample until `end`."""
        last = children = time.perf_counter()
        parents = itertools.cycle(self._processes.values())
        while not self._ended.wait(SAMPLE_SECONDS):
            for name, process in self._processes.items():
                self._peaks[name] = max(self._peaks[name], process.memory_info().rss)
            now = time.perf_counter()
            self._longest_gap, last = max(self._longest_gap, now - last), now
            if now - children >= CHILDREN_SECONDS:
                children = now
                self._children = max(self._children, _largest_child(next(parents)))

    def end(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self.join()

    def measures(self, name: str, seconds: float) -> list[Measure]:
        """One for each process."""
        took = f"answered after {seconds:.1f} s; samples at most {self._longest_gap * 1000:.0f} ms apart"
        notes = {"api": took, "worker-cpu": f"its largest child, limited by itself: {self._children / MB:.0f} MB"}
        return [
            Measure(
                name=f"{name}: memory of {process}",
                values=[(self._peaks[process] - before) / MB],
                unit="MB more",
                target="≤ 64",
                note="; ".join(filter(None, [f"from {before / MB:.0f} MB", notes.get(process)])),
            )
            for process, before in self._before.items()
        ]

    def __str__(self) -> str:
        return ", ".join(f"{name} +{(self._peaks[name] - size) / MB:.0f} MB" for name, size in self._before.items())


def _largest_child(process: psutil.Process) -> int:
    sizes = [0]
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            sizes.append(child.memory_info().rss)
    return max(sizes)


@contextmanager
def sampled(watched: dict[str, int]) -> Iterator[Samples]:
    """Samples of the block's time."""
    samples = Samples(watched)
    samples.start()
    try:
        yield samples
    finally:
        samples.end()
