"""The supervisor, with small real processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from api.stack import processes
from api.stack.supervisor import Backoff, Child, ChildFailed, Died, Ready, Supervisor
from api.stack.up import pids as pids_in

ROOT = Path(__file__).resolve().parents[3]
DEADLINE = 20.0
QUICK = Backoff(first=0.01, longest=0.04, reset_after=60)

SERVE = """
import pathlib, signal, sys, time
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
def leave(*_):
    with (folder / "ended").open("a") as file: file.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
with (folder / "started").open("a") as file: file.write(name + "\\n")
(folder / f"{name}.ready").touch()
while True: time.sleep(60)
"""

FAMILY = """
import os, pathlib, signal, subprocess, sys, time
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
helper = '''
import pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: (folder / "helper-was-asked").touch())
(folder / "helper").touch()
time.sleep(600)
'''
child = subprocess.Popen([sys.executable, "-c", helper, str(folder)])
signal.signal(signal.SIGTERM, signal.SIG_IGN if name == "stubborn" else lambda *_: os._exit(0))
(folder / "helper.pid").write_text(str(child.pid))
while not (folder / "helper").exists(): time.sleep(0.01)
(folder / f"{name}.ready").touch()
while True: time.sleep(60)
"""


class Lab:
    """A supervisor over a temporary folder; ``events`` are its reports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "run" / "stack.json"
        self.events: list[Ready | Died] = []
        self.supervisor = Supervisor(folder / "logs", self.state, self.events.append, QUICK)

    def child(
        self, name: str, code: str = SERVE, *, stop: float = 10, start: float = 30, failed_probes: int = 0
    ) -> Child:
        """A child that is ready when the file ``<name>.ready`` exists."""
        ready_file = self.folder / f"{name}.ready"

        async def ready() -> bool:
            return ready_file.exists()

        return Child(
            name=name,
            argv=(sys.executable, "-c", code, str(self.folder), name),
            env={"PATH": os.defpath, "MARK": str(self.folder)},
            ready=ready,
            stale=(ready_file,),
            stop_seconds=stop,
            start_seconds=start,
            failed_probes=failed_probes,
        )

    def pid(self, name: str) -> int | None:
        """The child's process id in the state file."""
        with contextlib.suppress(FileNotFoundError, KeyError):
            found = json.loads(self.state.read_text())[name]["pid"]
            return None if found is None else int(found)
        return None

    def lines(self, name: str) -> list[str]:
        """The lines that children appended to a file."""
        return (self.folder / name).read_text().splitlines()


@pytest_asyncio.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    made = Lab(tmp_path)
    yield made
    await made.supervisor.stop()


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until the condition holds; fails after DEADLINE seconds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# --- start -----------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_start_returns_only_when_the_child_is_ready(lab: Lab) -> None:
    """A child that runs but does not serve yet delays the caller."""
    gate = "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1], 'go').exists(): time.sleep(0.01)\n"
    starting = asyncio.create_task(lab.supervisor.start(lab.child("slow", gate + SERVE)))
    await eventually(lambda: lab.pid("slow"))
    assert not starting.done()
    (lab.folder / "go").touch()
    await asyncio.wait_for(starting, DEADLINE)
    assert [type(event) for event in lab.events] == [Ready]


@pytest.mark.asyncio
async def test_children_stop_in_reverse_order_of_their_start(lab: Lab) -> None:
    """A part that depends on a service starts after it and stops before it."""
    await lab.supervisor.start(lab.child("database"))
    await lab.supervisor.start(lab.child("application"))
    await lab.supervisor.stop()
    assert lab.lines("started") == ["database", "application"]
    assert lab.lines("ended") == ["application", "database"]


@pytest.mark.asyncio
async def test_a_child_that_dies_at_start_is_given_up_after_three_tries(lab: Lab) -> None:
    """The error has the exit status and the end of the log."""
    broken = lab.child("broken", "import sys; print('no such database'); sys.exit(3)")
    with pytest.raises(ChildFailed, match="broken") as caught:
        await lab.supervisor.start(lab.child("fine"), broken)
    assert caught.value.how == "exit code 3"
    assert caught.value.tail.splitlines() == ["no such database"] * 3


@pytest.mark.asyncio
async def test_a_missing_program_is_given_up_with_its_name(lab: Lab) -> None:
    """It fails like a program that dies, without a traceback."""
    child = Child(name="ghost", argv=("/no/such/program",), env={}, ready=lab.child("x").ready)
    with pytest.raises(ChildFailed) as caught:
        await lab.supervisor.start(child)
    assert "/no/such/program" in caught.value.how


@pytest.mark.asyncio
async def test_a_child_that_never_becomes_ready_is_given_up(lab: Lab) -> None:
    """Running is not enough: the time to become ready is limited, and a child that hangs is killed."""
    hangs = lab.child("hangs", "import time; time.sleep(600)", start=0.1)
    with pytest.raises(ChildFailed, match="not ready"):
        await lab.supervisor.start(hangs)
    assert lab.pid("hangs") is None


# --- restarts --------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_killed_child_is_started_again_each_time_later(lab: Lab) -> None:
    """The backoff doubles, and the state file always has the current pid and the number of restarts."""
    await lab.supervisor.start(lab.child("worker"))
    for restarts in (1, 2, 3, 4):
        pid = lab.pid("worker")
        assert pid
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: isinstance(lab.events[-1], Ready) and lab.events[-1].restarts == restarts)  # noqa: B023
        assert lab.pid("worker") != pid
    died = [event for event in lab.events if isinstance(event, Died)]
    assert [event.delay for event in died] == [0.01, 0.02, 0.04, 0.04]
    assert {event.how for event in died} == {"SIGKILL"}
    assert json.loads(lab.state.read_text())["worker"]["restarts"] == 4


@pytest.mark.asyncio
async def test_a_restarted_child_may_take_its_time(lab: Lab) -> None:
    """Once it has served, a child that is not ready is left alone: its dependency may be down."""
    gate = "while pathlib.Path(sys.argv[1], 'closed').exists(): time.sleep(0.01)\n"
    code = "import pathlib, sys, time\npathlib.Path(sys.argv[1], 'tried').touch()\n" + gate + SERVE
    await lab.supervisor.start(lab.child("api", code, start=5))
    (lab.folder / "closed").touch()
    (lab.folder / "tried").unlink()
    os.kill(lab.pid("api") or 0, signal.SIGKILL)
    await eventually((lab.folder / "tried").exists)
    again = lab.pid("api")
    (lab.folder / "closed").unlink()
    await eventually(lambda: isinstance(lab.events[-1], Ready) and lab.events[-1].restarts == 1)
    assert lab.pid("api") == again


@pytest.mark.asyncio
async def test_a_child_that_serves_no_longer_is_started_anew(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that lives but does not answer any more is replaced, after as many probes as it may fail."""
    monkeypatch.setattr(Supervisor, "watch_pause", 0.01)
    await lab.supervisor.start(lab.child("server", failed_probes=3))
    first = lab.pid("server")
    (lab.folder / "server.ready").unlink()
    await eventually(lambda: isinstance(lab.events[-1], Ready) and lab.events[-1].restarts == 1)
    assert [event.how for event in lab.events if isinstance(event, Died)] == ["no longer ready"]
    assert lab.pid("server") != first
    assert not alive(first or 0)


@pytest.mark.asyncio
async def test_a_probe_that_fails_now_and_then_is_no_reason(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only failures in a row count, and one that hangs is a failure."""
    monkeypatch.setattr(Supervisor, "watch_pause", 0.001)
    monkeypatch.setattr(Supervisor, "probe_seconds", 0.01)
    answers = iter([True, *([False, False, True] * 20)])

    async def ready() -> bool:
        answer = next(answers, None)
        if answer is None:
            await asyncio.sleep(60)
        return bool(answer)

    child = replace(lab.child("server", failed_probes=3), ready=ready)
    await lab.supervisor.start(child)
    await eventually(lambda: any(isinstance(event, Died) for event in lab.events))
    assert next(answers, None) is None


@pytest.mark.asyncio
async def test_a_restart_of_such_a_child_has_a_time_limit(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """It depends on nothing, so a restart that does not become ready is tried again, as often as it takes."""
    monkeypatch.setattr(Supervisor, "watch_pause", 0.01)
    gate = "while pathlib.Path(sys.argv[1], 'closed').exists(): time.sleep(0.01)\n"
    child = lab.child("server", f"import pathlib, sys, time\n{gate}{SERVE}", start=2, failed_probes=3)
    await lab.supervisor.start(child)
    (lab.folder / "closed").touch()
    (lab.folder / "server.ready").unlink()
    await eventually(lambda: "not ready after 2 s" in [e.how for e in lab.events if isinstance(e, Died)])
    (lab.folder / "closed").unlink()
    await eventually(lambda: isinstance(lab.events[-1], Ready) and lab.events[-1].restarts > 1)


def test_back_off_starts_over_after_a_long_life() -> None:
    """A child that ran for a minute died of another cause than before."""
    backoff = Backoff()
    assert backoff.delay(previous=0, lived=1) == 0.5
    assert backoff.delay(previous=16, lived=1) == 30
    assert backoff.delay(previous=30, lived=61) == 0.5


@pytest.mark.asyncio
async def test_a_dead_child_takes_its_helpers_along(lab: Lab) -> None:
    """Before a restart no process of the last run is left, e.g. to hold a port."""
    await lab.supervisor.start(lab.child("family", FAMILY))
    helper = int((lab.folder / "helper.pid").read_text())
    pid = lab.pid("family")
    assert pid
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: not alive(helper))


# --- stop ------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["polite", "stubborn"])
async def test_stop_leaves_no_process_behind(lab: Lab, name: str) -> None:
    """Helpers of a child, and a child that ignores SIGTERM, are gone after the stop."""
    await lab.supervisor.start(lab.child(name, FAMILY, stop=0.2 if name == "stubborn" else 10))
    pids = [lab.pid(name) or 0, int((lab.folder / "helper.pid").read_text())]
    assert all(map(alive, pids))
    await lab.supervisor.stop()
    await eventually(lambda: not any(map(alive, pids)))


@pytest.mark.asyncio
async def test_helpers_are_not_asked_to_stop(lab: Lab) -> None:
    """Only the child gets SIGTERM: a worker would take its helpers' deaths for crashes."""
    await lab.supervisor.start(lab.child("family", FAMILY))
    await lab.supervisor.stop()
    assert not (lab.folder / "helper-was-asked").exists()


@pytest.mark.asyncio
async def test_children_have_a_group_of_their_own_in_one_session(lab: Lab) -> None:
    """Ctrl-C reaches none of them, and `nice` decides their priorities, not the session."""
    await lab.supervisor.start(lab.child("polite", FAMILY))
    pid = lab.pid("polite") or 0
    assert os.getpgid(pid) == pid
    assert os.getsid(pid) == os.getsid(0)


@pytest.mark.asyncio
async def test_hurry_does_not_wait_for_stubborn_children(lab: Lab) -> None:
    """A second Ctrl-C ends the wait for a child that does not stop."""
    await lab.supervisor.start(lab.child("stubborn", FAMILY, stop=600))
    stopping = asyncio.create_task(lab.supervisor.stop())
    await asyncio.sleep(0)
    lab.supervisor.hurry()
    await asyncio.wait_for(stopping, DEADLINE)


SUPERVISE = """
import asyncio, pathlib, sys
sys.path.insert(0, sys.argv[3])
from api.stack.supervisor import Child, Supervisor
folder = pathlib.Path(sys.argv[1])
async def ready(): return (folder / "child.ready").exists()
async def main():
    supervisor = Supervisor(folder / "logs", folder / "stack.json", print)
    argv = (sys.executable, "-c", sys.argv[2], str(folder), "child")
    await supervisor.start(Child(name="child", argv=argv, env={"MARK": str(folder)}, ready=ready))
    (folder / "up").touch()
    await supervisor.watch()
asyncio.run(main())
"""


def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    """`kill -9` of the supervisor leaves no child that holds ports or files; the next start ends helpers."""
    argv = [sys.executable, "-c", SUPERVISE, str(tmp_path), FAMILY, str(ROOT)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as supervisor:
        asyncio.run(eventually((tmp_path / "up").exists))
        pid = pids_in(tmp_path / "stack.json")[0]
        helper = int((tmp_path / "helper.pid").read_text())
        supervisor.kill()
    asyncio.run(eventually(lambda: not alive(pid)))
    assert processes.sweep({pid}, "MARK=/somewhere/else", grace=0) == 0
    assert processes.sweep({pid}, f"MARK={tmp_path}", grace=0) == 1
    asyncio.run(eventually(lambda: not alive(helper)))
