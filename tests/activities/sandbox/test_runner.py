"""Functions in child processes: whatever they do, the worker gets a result or an error and the child ends."""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy
import psutil
import pytest
from structlog.testing import capture_logs

from activities.errors import (
    DocumentTooLarge,
    EncryptedDocument,
    HoldfastError,
    ParserCrashed,
    ParserTimedOut,
    UnsupportedFormat,
)
from activities.sandbox import runner
from activities.sandbox.protocol import Limits, Progress
from activities.sandbox.runner import run_isolated

LIMITS = Limits(seconds=30, memory_mb=512)


class Answer(msgspec.Struct):
    text: str
    pid: int


@pytest.fixture(autouse=True, scope="module")
def fork_server() -> Iterator[None]:
    """One fork server for the module, with its imports done, closed after it."""
    asyncio.run(run_isolated(greet, "a", limits=LIMITS))
    yield
    runner.close()


def greet(name: str, progress: Progress) -> Answer:
    for step in range(3):
        progress(step + 1, 3)
    return Answer(f"你好 {name}", os.getpid())


def allowance(progress: Progress) -> float:
    """The CPU seconds that the call may use; uses some of them."""
    soft, _ = resource.getrlimit(resource.RLIMIT_CPU)
    left = soft - time.process_time()
    until = time.process_time() + 0.6
    while time.process_time() < until:
        pass
    return left


def cpu_limits(progress: Progress) -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_CPU)


def refuse(progress: Progress) -> None:
    raise UnsupportedFormat(found="png", supported="txt")


def refuse_plainly(progress: Progress) -> None:
    raise EncryptedDocument()


def stumble(progress: Progress) -> None:
    raise ZeroDivisionError("by accident")


def crash(progress: Progress) -> None:
    ctypes.string_at(0)


def leave(progress: Progress) -> None:
    os._exit(7)


def hang(path: Path, progress: Progress) -> None:
    path.write_text(str(os.getpid()))
    while True:
        time.sleep(0.05)


def hold_the_interpreter(progress: Progress) -> int:
    return sum(range(10**12))


def eat_bytes(progress: Progress) -> int:
    eaten = [b"x" * (16 << 20) for _ in range(200)]
    return len(eaten)


def eat_numpy(progress: Progress) -> float:
    return float(numpy.ones((4096, 1 << 20)).sum())


def large(size: int, progress: Progress) -> str:
    return "x" * size


def use_half(progress: Progress) -> int:
    return len(b"x" * (256 << 20))


def test_a_result_comes_back_typed_with_progress() -> None:
    """The function runs in another process, its result has its type, and progress arrives in order."""
    seen: list[tuple[int, int]] = []

    async def run() -> Answer:
        return await run_isolated(greet, "a", limits=LIMITS, on_progress=lambda done, total: seen.append((done, total)))

    answer = asyncio.run(run())
    assert isinstance(answer, Answer)
    assert answer.text == "你好 a"
    assert answer.pid != os.getpid()
    assert seen == sorted(seen)
    assert seen[-1] == (3, 3)


def test_every_call_has_a_fresh_child() -> None:
    """Nothing of one document reaches the next: no two calls share a process."""

    async def run() -> list[Answer]:
        return await asyncio.gather(*(run_isolated(greet, str(n), limits=LIMITS) for n in range(8)))

    answers = asyncio.run(run())
    assert len({answer.pid for answer in answers}) == 8
    assert [answer.text for answer in answers] == [f"你好 {n}" for n in range(8)]


def test_harmless_calls_follow_each_other_in_one_child() -> None:
    """Only harmless calls share a process, and only a limited number of them."""

    async def run() -> tuple[list[int], int, int]:
        harmless = [await run_isolated(greet, "a", limits=LIMITS, harmless=True) for _ in range(110)]
        other = await run_isolated(greet, "b", limits=LIMITS)
        last = await run_isolated(greet, "c", limits=LIMITS, harmless=True)
        return [answer.pid for answer in harmless], other.pid, last.pid

    pids, other, last = asyncio.run(run())
    assert len(set(pids)) in (2, 3)  # the first may be a reused one
    assert max(Counter(pids).values()) == 50
    assert other not in pids
    assert last == pids[-1]


def test_a_child_that_failed_takes_no_other_call() -> None:
    """An error, a crash or a timeout ends a child, harmless or not, and the next call has a fresh one."""

    async def run() -> set[int]:
        pids = {(await run_isolated(greet, "a", limits=LIMITS, harmless=True)).pid}
        for function in (refuse, stumble, crash):
            with pytest.raises(HoldfastError):
                await run_isolated(function, limits=LIMITS, harmless=True)
            pids.add((await run_isolated(greet, "a", limits=LIMITS, harmless=True)).pid)
        return pids

    assert len(asyncio.run(run())) == 4


def test_a_child_that_died_while_it_waited_fails_no_call() -> None:
    """The cause of its death has nothing to do with the next document."""

    async def run() -> bool:
        first = await run_isolated(greet, "a", limits=LIMITS, harmless=True)
        os.kill(first.pid, signal.SIGKILL)
        second = await run_isolated(greet, "a", limits=LIMITS, harmless=True)
        return first.pid != second.pid

    assert asyncio.run(run())


def test_harmless_calls_have_limits_of_their_own() -> None:
    """Memory stays limited in a reused child, and time starts anew with every call."""

    async def run() -> list[float]:
        allowed = [await run_isolated(allowance, limits=LIMITS, harmless=True) for _ in range(4)]
        with pytest.raises(DocumentTooLarge):
            await run_isolated(eat_bytes, limits=LIMITS, harmless=True)
        return allowed

    assert min(asyncio.run(run())) >= LIMITS.seconds * (os.cpu_count() or 1)


def test_cpu_time_is_limited_even_if_the_child_ignores_signals() -> None:
    """A child that ignores the first signal is killed five CPU seconds later."""
    soft, hard = asyncio.run(run_isolated(cpu_limits, limits=LIMITS))
    assert soft >= LIMITS.seconds * (os.cpu_count() or 1)
    assert hard == soft + 5


def test_large_results_pass() -> None:
    """A result larger than any pipe's buffer arrives whole."""
    assert len(asyncio.run(run_isolated(large, 20_000_000, limits=LIMITS))) == 20_000_000


def test_our_errors_keep_their_class_and_parameters() -> None:
    """The worker raises a reader's error about a document unchanged."""
    with pytest.raises(UnsupportedFormat) as caught:
        asyncio.run(run_isolated(refuse, limits=LIMITS))
    assert caught.value.reason.params == {"found": "png", "supported": "txt"}
    with pytest.raises(EncryptedDocument):
        asyncio.run(run_isolated(refuse_plainly, limits=LIMITS))


@pytest.mark.parametrize(
    ("function", "detail"), [(stumble, "ZeroDivisionError"), (crash, "SIGSEGV"), (leave, "status 7")]
)
def test_crashes_are_the_documents_failure(function: object, detail: str) -> None:
    """An unexpected exception, a segmentation fault and a sudden exit become ParserCrashed with the cause."""
    with pytest.raises(ParserCrashed) as caught:
        asyncio.run(run_isolated(function, limits=LIMITS))  # type: ignore[arg-type]
    assert detail in caught.value.reason.params["detail"]


def open_nothing(progress: Progress) -> None:
    raise FileNotFoundError(2, "No such file", "/nowhere/at/all")


def refuse_for_a_reason(progress: Progress) -> None:
    raise EncryptedDocument() from ValueError("in /nowhere/at/all")


@pytest.mark.parametrize("function", [open_nothing, refuse_for_a_reason])
def test_the_cause_is_logged_and_not_told(function: object) -> None:
    """Users are told no paths; operators find the library's own text at a level that is off by default."""
    with capture_logs() as logged, pytest.raises(HoldfastError) as caught:
        asyncio.run(run_isolated(function, limits=LIMITS))  # type: ignore[arg-type]
    assert "/nowhere" not in str(caught.value)
    assert [entry["log_level"] for entry in logged if "/nowhere/at/all" in str(entry)] == ["debug"]
    assert [entry["log_level"] for entry in logged] == ["info", "debug"]


@pytest.mark.parametrize("function", [eat_bytes, eat_numpy])
def test_memory_is_limited(function: object) -> None:
    """A child that allocates more memory than its limit fails as too large; the machine is not affected."""
    with pytest.raises(DocumentTooLarge):
        asyncio.run(run_isolated(function, limits=LIMITS))  # type: ignore[arg-type]


def test_memory_within_the_limit_is_there_to_use() -> None:
    """Memory that libraries mapped before does not count against the limit."""
    assert asyncio.run(run_isolated(use_half, limits=LIMITS)) == 256 << 20


def test_time_is_limited_even_in_a_busy_interpreter(tmp_path: Path) -> None:
    """A child that hangs, or never releases the interpreter lock, is ended when its time is over."""
    for seconds, *call in ((2.0, hang, tmp_path / "pid"), (0.3, hold_the_interpreter)):
        with pytest.raises(ParserTimedOut):
            asyncio.run(run_isolated(*call, limits=Limits(seconds=seconds, memory_mb=512)))  # type: ignore[arg-type]
    assert_gone(int((tmp_path / "pid").read_text()))


def test_the_event_loop_stays_free(tmp_path: Path) -> None:
    """While a child works, other tasks run."""

    async def run() -> int:
        ticks = 0
        task = asyncio.create_task(run_isolated(large, 5_000_000, limits=LIMITS))
        while not task.done():
            ticks += 1
            await asyncio.sleep(0)
        await task
        return ticks

    assert asyncio.run(run()) > 1


def test_cancelling_kills_the_child(tmp_path: Path) -> None:
    """A canceled document's process does not outlive its task."""
    mark = tmp_path / "pid"

    async def run() -> None:
        task = asyncio.create_task(run_isolated(hang, mark, limits=LIMITS))
        while not mark.exists() or not mark.read_text():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert_gone(int(mark.read_text()))


def test_children_die_with_their_worker(tmp_path: Path) -> None:
    """``kill -9`` of a worker leaves no child behind."""
    mark = tmp_path / "pid"
    code = (
        "import asyncio, pathlib, sys\n"
        f"sys.path[:] = {sys.path!r}\n"
        "from activities.sandbox.runner import Limits, run_isolated\n"
        "from tests.activities.sandbox.test_runner import hang\n"
        f"asyncio.run(run_isolated(hang, pathlib.Path({str(mark)!r}), limits=Limits(seconds=60, memory_mb=512)))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as worker:
        while not mark.exists() or not mark.read_text():
            assert worker.poll() is None
            time.sleep(0.02)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert_gone(int(mark.read_text()))


def test_a_lost_fork_server_is_replaced() -> None:
    """Its death is no document's fault: the call is repeated with a new one."""

    async def run() -> str:
        runner.close()
        others = {child.pid for child in psutil.Process().children()}  # the platform under test is one of them
        await run_isolated(greet, "before", limits=LIMITS)
        (server,) = [child for child in psutil.Process().children() if child.pid not in others]
        server.kill()
        return (await run_isolated(greet, "after", limits=LIMITS)).text

    assert asyncio.run(run()) == "你好 after"


def pause(folder: str, _: Path) -> None:
    (Path(folder) / "paused").touch()
    while not (Path(folder) / "go").exists():
        time.sleep(0.01)


def test_a_child_that_ends_as_its_lease_is_closed_harms_no_other(tmp_path: Path) -> None:
    """The fork server learns of both at once, which is usual for files that fail fast, and serves on."""

    async def appeared(name: str) -> None:
        while not ((tmp_path / name).exists() and (name != "pid" or (tmp_path / name).read_text())):
            await asyncio.sleep(0.01)

    async def run() -> None:
        task = asyncio.create_task(run_isolated(hang, tmp_path / "pid", limits=LIMITS))
        await appeared("pid")
        server = runner._running_server()
        runner.load(pause, str(tmp_path), b"")
        await appeared("paused")
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        (tmp_path / "go").touch()
        for name in ("a", "b"):  # the first may be answered just before the server dies
            await run_isolated(greet, name, limits=LIMITS)
        assert runner._running_server() is server

    asyncio.run(run())


def assert_gone(pid: int) -> None:
    """The process ends soon."""
    deadline = time.monotonic() + 10
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, f"process {pid} is still there"
            time.sleep(0.02)


def environment(progress: Progress) -> dict[str, str]:
    return dict(os.environ)


def test_children_get_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the worker's environment, they have what programs need to run."""
    monkeypatch.setenv("HOLDFAST_CATALOG_URL", "postgresql://user:secret@host/db")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    runner.close()
    found = asyncio.run(run_isolated(environment, limits=LIMITS))
    assert "PATH" in found
    assert not any(name.startswith(("HOLDFAST_", "AWS_")) for name in found)


def work_in_steps(steps: int, progress: Progress) -> int:
    for step in range(steps):
        time.sleep(0.4)
        progress(step + 1, steps)
    return steps


def test_progress_extends_the_time_up_to_a_limit() -> None:
    """Pages that are read one by one may take their time; a call that stands still, or has too many, may not."""
    patient = Limits(seconds=1, memory_mb=512, step_seconds=1, max_seconds=30)
    assert asyncio.run(run_isolated(work_in_steps, 5, limits=patient)) == 5
    for limits in (Limits(seconds=1, memory_mb=512), msgspec.structs.replace(patient, max_seconds=1.5)):
        with pytest.raises(ParserTimedOut):
            asyncio.run(run_isolated(work_in_steps, 8, limits=limits))


loaded: dict[str, str] = {}


def load_text(key: str, path: Path) -> None:
    loaded.clear()
    loaded[key] = path.read_text()


def loaded_text(progress: Progress) -> dict[str, str]:
    return loaded


def load_beside(key: str, path: Path) -> None:
    loaded[key] = path.read_text()


def text_at_last(folder: Path, progress: Progress) -> dict[str, str]:
    (folder / "begun").touch()
    while not (folder / "end").exists():
        time.sleep(0.01)
    return loaded


async def load_meanwhile(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """What a child has that was at work while something was loaded, and what the next call has."""
    runner.load(load_beside, "one", b"one", keep=2)
    busy = asyncio.create_task(run_isolated(text_at_last, folder, limits=LIMITS, harmless=True))
    while not (folder / "begun").exists():
        await asyncio.sleep(0.01)
    runner.load(load_beside, "two", b"two", keep=2)
    (folder / "end").touch()
    return await busy, await run_isolated(loaded_text, limits=LIMITS, harmless=True)


def test_several_are_loaded_side_by_side(tmp_path: Path) -> None:
    """The latest of them; a child that was at work meanwhile is not used again."""
    assert asyncio.run(load_meanwhile(tmp_path)) == ({"one": "one"}, {"one": "one", "two": "two"})
    runner.load(load_beside, "three", b"three", keep=2)
    os.kill(runner._running_server()._process.pid, signal.SIGKILL)
    assert asyncio.run(run_isolated(loaded_text, limits=LIMITS)) == {"two": "two", "three": "three"}


def test_what_is_loaded_is_there_in_all_children() -> None:
    """In those that are forked later, in place of what was loaded before, and after the fork server died."""
    for text in ("first", "second"):
        runner.load(load_text, text, text.encode())
        for harmless in (True, False):
            assert asyncio.run(run_isolated(loaded_text, limits=LIMITS, harmless=harmless)) == {text: text}
    os.kill(runner._running_server()._process.pid, signal.SIGKILL)
    assert asyncio.run(run_isolated(loaded_text, limits=LIMITS)) == {"second": "second"}
