"""The cost of the audit trail and its log: the same questions and documents with and without, in turns.

A second process of the API, with HOLDFAST_AUDIT_READS=none, records no reads; and while the bench itself keeps the log,
no process takes events into it or signs. The event of a change is always written by the transaction of the change.
Beside the times stands the processor time of the API's and the workers' processes, which a busy machine changes less.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import psutil  # type: ignore[import-untyped]
from sqlalchemy import update

from activities.settings import load
from activities.stores.catalog.audit_log.tables import AuditLogRow
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.tables import now
from api.client.client import Api, Target
from tests.bench.ask import PLAIN, ask, asked_of
from tests.bench.instance import ROOT, Bench
from tests.bench.measures import Measure, say
from tests.bench.shelf import Document, Shelf
from tests.bench.texts import Library
from tests.ports import free_port

#: Shorter than the time for which a process keeps the log: beyond, another takes it for a clock that went back.
KEPT_SECONDS = 85.0
START_SECONDS = 60
EVENTS = 2048
ROUNDS = 6


async def overhead(bench: Bench, library: Library, count: int, documents: int) -> list[Measure]:
    """Questions in pairs, ingestion in pairs, and the processor time of an event."""
    texts = library.small(100)
    shelf = await Shelf.create(bench)
    await shelf.add([Document.of(f"{number:03}.txt", text) for number, text in enumerate(texts)])
    async with without_reads(bench) as (other, child):
        measures = await _questions(bench, other, shelf, asked_of(texts, PLAIN), count, _processes(bench, child.pid))
    measures += await _ingestion(bench, [Document.of(f"{n}.txt", texts[n % len(texts)]) for n in range(documents)])
    await shelf.drop()
    return [*measures, await _event()]


@asynccontextmanager
async def without_reads(bench: Bench) -> AsyncIterator[tuple[Bench, subprocess.Popen[bytes]]]:
    """The same platform by another process of its API, which records no reads."""
    port = free_port()
    more = {"HOLDFAST_API_PORT": str(port), "HOLDFAST_AUDIT_READS": "none"}
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "api.app"],
            cwd=ROOT,
            env={**os.environ, **bench.environ, **more},
            stdout=log,
            stderr=log,
        )
        try:
            target = Target(f"http://127.0.0.1:{port}", bench.target.key)
            async with Api(target) as api:
                await _answers(api, child)
                yield replace(bench, api=api, target=target), child
        finally:
            child.terminate()
            child.wait(START_SECONDS)


async def _answers(api: Api, child: subprocess.Popen[bytes]) -> None:
    for _ in range(START_SECONDS * 2):
        try:
            await api.call("GET", "/knowledge-bases")
        except Exception as exc:
            if child.poll() is not None:
                raise SystemExit("the second API did not start") from exc
            await asyncio.sleep(0.5)
        else:
            return
    raise SystemExit("the second API does not answer")


def _processes(bench: Bench, *more: int) -> list[psutil.Process]:
    """The API's and the workers' processes."""
    pids = [pid for name, pid in bench.pids().items() if name.startswith(("api", "worker"))]
    return [psutil.Process(pid) for pid in (*pids, *more)]


def _spent(processes: list[psutil.Process]) -> float:
    """Seconds of processor time that these have used."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


async def _questions(
    bench: Bench, other: Bench, shelf: Shelf, asked: list[str], count: int, processes: list[psutil.Process]
) -> list[Measure]:
    """Quoted answers, each question once with and once without, alternating in going first."""
    say(f"audit: {count} questions with and without")
    seconds: dict[bool, list[float]] = {True: [], False: []}
    processor = {True: 0.0, False: 0.0}
    for number in range(-2, count):  # the first two only warm up
        for recorded in (number % 2 == 0, number % 2 != 0):
            await _keep(bench, log=recorded)
            side, before = (bench if recorded else other), _spent(processes)
            took = (await ask(side, shelf, asked[number % len(asked)], "extractive")).at["done"]
            if number >= 0:
                seconds[recorded].append(took)
                processor[recorded] += _spent(processes) - before
    await _keep(bench, log=True)
    pairs = list(zip(seconds[True], seconds[False], strict=True))
    p50 = {recorded: statistics.median(values) * 1000 for recorded, values in seconds.items()}
    return [
        Measure(
            name="question: p50 with audit − without",
            values=[p50[True] - p50[False]],
            unit="ms",
            target="≤ 5 ms",
            note=f"p50 {p50[True]:.0f} and {p50[False]:.0f} ms",
        ),
        Measure(name="question: with audit ÷ without", values=[on / off for on, off in pairs]),
        Measure(
            name="question: processor time with audit − without",
            values=[(processor[True] - processor[False]) * 1000 / count],
            unit="ms",
            note=f"{processor[True] * 1000 / count:.1f} and {processor[False] * 1000 / count:.1f} ms",
        ),
    ]


async def _ingestion(bench: Bench, documents: list[Document]) -> list[Measure]:
    """The same texts as new documents, round after round."""
    say(f"audit: {ROUNDS} × {len(documents)} documents with and without the log")
    ratios, processes, processor = [], _processes(bench), {True: 0.0, False: 0.0}
    for number in range(-1, ROUNDS):
        seconds: dict[bool, float] = {}
        for recorded in (number % 2 == 0, number % 2 != 0):
            shelf = await Shelf.create(bench)
            await _keep(bench, log=recorded)
            began, before = time.perf_counter(), _spent(processes)
            await shelf.add([document.fresh() for document in documents])
            seconds[recorded] = time.perf_counter() - began
            if number >= 0:
                processor[recorded] += _spent(processes) - before
            await _keep(bench, log=True)
            await shelf.drop()
        if number >= 0:
            ratios.append(seconds[True] / seconds[False])
    return [
        Measure(name="ingestion: time with the log ÷ without", values=ratios, target="≤ 1.02"),
        Measure(
            name="ingestion: processor time with the log ÷ without",
            values=[processor[True] / processor[False]],
            note=f"{processor[True]:.1f} and {processor[False]:.1f} s",
        ),
    ]


async def _keep(bench: Bench, *, log: bool) -> None:
    """Let the API keep the log, or keep it from doing so for KEPT_SECONDS."""
    keeper = None if log else "bench"
    until = None if log else now() + timedelta(seconds=KEPT_SECONDS)
    async with bench.stores.catalog._engine.write() as session:
        await session.execute(update(AuditLogRow).values(keeper=keeper, kept_until=until))


async def _cpu(call: Callable[[], Awaitable[object]], times: int) -> float:
    """Milliseconds of this process's time for a call."""
    began = time.process_time()
    for _ in range(times):
        await call()
    return (time.process_time() - began) * 1000 / times


async def _event() -> Measure:
    """Processor time of an event: its row, then its place in the log, in groups as the keeper takes them."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load({"HOLDFAST_DATA": folder})
        await upgrade(settings)
        catalog = Catalog(settings.catalog_url)
        written = await _cpu(lambda: catalog.audit.note("ann", "question.read", "0" * 32), EVENTS)
        taken = await _cpu(catalog.audit_log.append, EVENTS // 256) / 256
        await catalog.close()
    note = f"its own transaction {written:.2f}, entering the log {taken:.3f}"
    return Measure(name="event: processor time", values=[written + taken], unit="ms", note=note)
