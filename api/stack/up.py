"""`holdfast up`: runs the whole platform on this machine until Ctrl-C."""

# ruff: noqa: PLC0415 - slow imports happen while the first children are starting

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from activities.settings import Settings
from api.backup import marker
from api.client import local_env
from api.client.problems import Message, Problem
from api.stack import audit_key, payload_keys, ports, processes
from api.stack.parts import LOOPBACK, SCRATCH, Part, all_parts, local_url, of_this_machine
from api.stack.supervisor import Child, ChildFailed, Died, Ready, Supervisor

RETENTION_DAYS = 90
"""Days for which the embedded Temporal keeps the histories of finished runs (its default is one day)."""

OWNER_SECONDS = 10
"""Time in which the file store has to say whose it is."""

WRITTEN = ("*.db*", "blobs", "logs", "run", local_env.NAME, "payload.keys", "audit*")
"""What the platform keeps in the data folder. A person may keep more in it, which is left alone."""

Tell = Callable[[Message], None]
Announce = Callable[[dict[str, str], float], None]


def run(
    settings: Settings,
    only: tuple[str, ...],
    without: tuple[str, ...],
    tell: Tell,
    ready: Announce,
    show: Tell | None = None,
) -> None:
    """Start the parts and keep them running until SIGINT or SIGTERM.

    ``only`` and ``without`` name parts. ``tell`` receives each progress message; ``ready`` receives the ``places`` and
    the duration of the start in seconds once all parts are ready. ``show`` receives what has a secret in it: None where
    nobody reads along, and then there is no first user. Raises Problem.
    """
    settings = of_this_machine(settings)
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # its handlers only warn when a process starts another
    parts = all_parts(settings)
    chosen = [part for part in parts if not only or part.is_called(only)]
    chosen = [part for part in chosen if not part.is_called(without)]
    with _private_files(), _lock_data_folder(settings.data_dir, tell):
        if names := marker.keys_needed(settings):
            raise Problem("restore.keys-needed", names=", ".join(names), path=settings.data_dir)
        check([part for part in chosen if part.local])
        _prepare_keys(settings, chosen)
        asyncio.run(Stack(settings, parts, chosen, tell, ready, show).serve())


def _prepare_keys(settings: Settings, chosen: list[Part]) -> None:
    """Read the keys of payloads, if they are named; make one for the embedded Temporal, and that of the audit log.

    Raises SettingsError.
    """
    if not settings.audit.key and any(part.child.name == "api" for part in chosen):
        audit_key.create(settings.audit_key_file)
    if settings.payload.keys:
        from activities.runtime.encryption import KeyRing

        KeyRing(Path(settings.temporal.payload_keys.file))
    elif any(part.local and part.child.name == "temporal" for part in chosen):
        payload_keys.create(settings.keys_file)


@contextmanager
def _private_files() -> Iterator[None]:
    """Files that are made here and by every child are their owner's alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _make_private(data: Path) -> None:
    """Take what an earlier version wrote into the data folder from everybody but its owner. Raises Problem."""
    mode = data.stat().st_mode
    if mode & stat.S_ISVTX:
        raise Problem("data-shared", path=data)
    if mode & 0o077:
        written = [path for name in WRITTEN for top in data.glob(name) for path in (top, *top.rglob("*"))]
        for path in (data, *written):
            if not path.is_symlink():
                path.chmod(stat.S_IMODE(path.stat().st_mode) & 0o700)


@contextmanager
def _lock_data_folder(data: Path, tell: Tell) -> Iterator[None]:
    """Lock the data folder, and end processes and files that a killed platform left. Raises Problem."""
    run, state = data / "run", data / "run" / "stack.json"
    try:
        data.mkdir(parents=True, exist_ok=True)
        _make_private(data)
        run.mkdir(exist_ok=True)
        (run / "lock").touch()
    except OSError as exc:
        raise Problem("data-folder", path=data, detail=exc.strerror) from exc
    try:
        with processes.only_one(run / "lock"):
            swept = processes.sweep(set(pids(state)), f"HOLDFAST_DATA={data}")
            if swept:
                tell(Message("up.swept", count=swept))
            shutil.rmtree(data / SCRATCH, ignore_errors=True)
            (data / SCRATCH).mkdir()
            yield
    except processes.AlreadyRunning as exc:
        raise Problem("running", data=data, pid=exc.pid) from exc


def pids(state: Path) -> list[int]:
    """Process ids in the state file of `holdfast up`; empty if there is no such file."""
    try:
        table = json.loads(state.read_text())
    except (OSError, ValueError):
        return []
    return [entry["pid"] for entry in table.values() if entry.get("pid")]


def check(parts: list[Part]) -> None:
    """Raises Problem if a part is not installed or would be open to other machines, or with all ports in use."""
    for part in parts:
        for path in part.requires:
            if not path.exists():
                raise Problem("missing", title=_title(part.child), path=path)
        for port in part.ports:
            if part.dependency and port.host not in LOOPBACK:
                raise Problem("open-to-all", title=_title(part.child), host=port.host, setting=port.setting)
    conflicts = ports.taken(port for part in parts for port in part.ports)
    if conflicts:
        raise Problem("ports-taken", ports=[ports.message(port, user) for port, user in conflicts.items()])


class Stack:
    """The chosen parts of the platform under a supervisor."""

    def __init__(
        self,
        settings: Settings,
        parts: list[Part],
        chosen: list[Part],
        tell: Tell,
        ready: Announce,
        show: Tell | None = None,
    ) -> None:
        self._settings, self._parts, self._chosen = settings, parts, chosen
        self._tell, self._ready, self._show = tell, ready, show
        data = settings.data_dir
        self._supervisor = Supervisor(data / "logs", data / "run" / "stack.json", self._report)
        self._stopping = False

    async def serve(self) -> None:
        """Start the parts and keep them running until SIGINT, SIGTERM or SIGHUP. Raises Problem."""
        loop, work = asyncio.get_running_loop(), asyncio.create_task(self._work())

        def on_signal() -> None:
            if self._stopping:
                self._supervisor.hurry()
                return
            self._stopping = True
            work.cancel()
            self._tell(Message("up.stopping"))

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, on_signal)
        try:
            await work
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        except ChildFailed as exc:
            title = _title(exc.child)
            raise Problem(
                "child-failed", title=title, tries=exc.tries, how=exc.how, log=exc.log, tail=exc.tail
            ) from exc
        finally:
            await self._supervisor.stop()
        self._tell(Message("up.stopped"))

    async def _work(self) -> None:
        await self._bring_up()
        await self._supervisor.watch()

    async def _bring_up(self) -> None:
        began = time.monotonic()
        dependents = [part for part in self._chosen if not part.dependency]
        embedded = [part for part in self._chosen if part.dependency and part.local]
        needed = [part for part in self._parts if part.dependency] if dependents else self._chosen
        external = [part for part in needed if part.dependency and part not in embedded]
        await asyncio.gather(
            self._supervisor.start(*(part.child for part in embedded)),
            *(self._wait_for(part) for part in external),
        )
        if any(part.child.name == "temporal" for part in embedded):
            await keep_histories(self._settings)
        if dependents:
            await self._prepare()
            await self._supervisor.start(*(part.child for part in dependents))
            await self._finish_restore()
        self._ready(places(self._settings, self._chosen), time.monotonic() - began)

    async def _wait_for(self, part: Part) -> None:
        """Wait for a part that is not started here; it may become ready later than this machine."""
        announced = False
        while not await part.child.ready():
            if not announced:
                self._tell(Message("up.waiting", title=_title(part.child), address=part.address))
                announced = True
            await asyncio.sleep(0.5)
        self._tell(Message("up.found", title=_title(part.child), address=part.address))

    async def _prepare(self) -> None:
        """Migrate the catalogue and, on the first start, create the first key and the first user."""
        from activities.stores.catalog.migrate import upgrade
        from api.http import auth
        from api.stack import first_user

        await upgrade(self._settings)
        await self._own_files()
        if marker.is_marked(self._settings):
            from api.backup import after

            self._tell(await after.write_rows(self._settings))
        key = await auth.first_key(self._settings)
        local_env.write(self._settings.data_dir, local_url(self._settings), key)
        if self._show is not None:
            await first_user.introduce(self._settings, self._show)

    async def _own_files(self) -> None:
        """Raises FilesOfAnother; a store that does not answer is left to the workers."""
        from activities.errors import DependencyError
        from activities.stores.blobs import Blobs
        from activities.stores.catalog.catalog import Catalog
        from activities.stores.owner import own

        catalog = Catalog(self._settings.catalog_url)
        try:
            async with asyncio.timeout(OWNER_SECONDS):
                await own(Blobs(self._settings.blobs_url), catalog)
        except (DependencyError, TimeoutError):
            pass
        finally:
            await catalog.close()

    async def _finish_restore(self) -> None:
        """Have the stores compared, if this is the first start after a restore."""
        if marker.is_marked(self._settings):
            from api.backup import after

            await after.compare(self._settings)

    def _report(self, event: Ready | Died) -> None:
        title = _title(event.child)
        match event:
            case Ready(seconds=seconds, restarts=0):
                self._tell(Message("up.ready", title=title, seconds=seconds))
            case Ready(seconds=seconds, restarts=restarts):
                self._tell(Message("up.back", title=title, seconds=seconds, restarts=restarts))
            case Died(how=how, delay=delay, log=log):
                self._tell(Message("up.died", title=event.child.name, how=how, delay=delay, log=log))


def _title(child: Child) -> Message:
    """The displayed name of a part."""
    return Message(f"part.{child.name}")


def places(settings: Settings, parts: list[Part]) -> dict[str, str]:
    """Addresses and paths to display once the platform is up, by the names of their texts."""
    data, url = settings.data_dir, local_url(settings)
    found = {"ui": settings.temporal.ui_url, "logs": str(data / "logs")}
    if any(part.child.name == "api" for part in parts):
        has_key = "HOLDFAST_API_KEY" in local_env.read(data)
        found |= {"web": f"{url}/", "schema": f"{url}/schema"}
        found |= {"key_file" if has_key else "key_gone": str(data / local_env.NAME)}
    return found


async def keep_histories(settings: Settings) -> None:
    """Set the retention of the embedded Temporal to RETENTION_DAYS: users look up runs days later."""
    from google.protobuf.duration_pb2 import Duration
    from temporalio.api.namespace.v1 import NamespaceConfig
    from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest

    from activities.runtime import temporal

    client = await temporal.connect(settings.temporal)
    ttl = Duration(seconds=RETENTION_DAYS * 24 * 3600)
    config = NamespaceConfig(workflow_execution_retention_ttl=ttl)
    await client.workflow_service.update_namespace(UpdateNamespaceRequest(namespace=client.namespace, config=config))
