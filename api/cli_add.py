"""`holdfast add`: upload files and watch them until they can be asked about."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

from __future__ import annotations

import asyncio
import io
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli_output import FINISHED, Output, clean, follow, kb_option, reason_of, stage_of, talks_to_api
from api.cli_texts import Problem, say, say_or

if TYPE_CHECKING:
    from rich.progress import Progress

    from api.client import Api

REQUEST_FILES = 50
REQUEST_BYTES = 64 * 1024 * 1024
WATCHED_AT_ONCE = 8
UPLOAD_TRIES = 5
NOT_ABOUT_THE_FILE = (401, 403, 404)

File = tuple[str, Path]


@click.command("add", help=say("help.add"))
@click.argument("paths", nargs=-1, required=True, metavar="PATH…", type=click.Path(path_type=Path))
@kb_option
@click.option("--wait/--no-wait", default=True, help=say("help.wait"))
@talks_to_api
async def add(api: Api, out: Output, paths: tuple[Path, ...], kb: str, wait: bool) -> None:
    """POST /knowledge-bases/{kb}/documents, then the documents' events; exit 1 if any failed."""
    from api.client import files_in, segment

    files = [file for path in paths for file in files_in(path)]
    await api.call("GET", f"/knowledge-bases/{segment(kb)}")  # fails at once, and not after the first gigabyte
    with _display(out, files) as display:
        upload = Upload(api, kb, wait, display)
        await upload.run(files)
    documents = upload.documents
    failed = sum(document["state"] in FINISHED - {"ready"} for document in documents)
    ready = sum(document["state"] == "ready" for document in documents)
    out.document({"documents": documents, "ready": ready, "failed": failed})
    out.text(say("added", ready=ready, failed=failed) if wait else say("accepted", count=len(documents) - failed))
    if failed:
        sys.exit(1)


@dataclass
class Upload:
    """One run of `add`; ``documents`` holds each file's outcome, in the order in which they are known."""

    api: Api
    kb: str
    wait: bool
    display: Display
    documents: list[dict[str, Any]] = field(default_factory=list)

    async def run(self, files: list[File]) -> None:
        """Upload all; documents are watched while later ones are still on their way."""
        slots = asyncio.Semaphore(WATCHED_AT_ONCE)
        watchers = []
        for group in _groups(files):
            for document in await self._send(group):
                if self.wait and document["state"] not in FINISHED:
                    watchers.append(asyncio.create_task(self._watch(document, slots)))
                else:
                    self._finish(document)
        try:
            await asyncio.gather(*watchers)
        finally:
            for watcher in watchers:
                watcher.cancel()

    async def _send(self, group: list[File]) -> list[dict[str, Any]]:
        """Upload a group; if it is refused, each file by itself, so that one bad file stops no other."""
        from api.client import ApiError

        try:
            answer = await self._send_once(group)
        except ApiError as exc:
            if exc.status in NOT_ABOUT_THE_FILE:
                raise
            if len(group) == 1:
                return [{"name": group[0][0], "state": "failed", "reason": str(exc)}]
            return [document for file in group for document in await self._send([file])]
        return list(answer["documents"])

    async def _send_once(self, group: list[File]) -> Any:
        key = str(uuid.uuid4())  # the same for every try: what arrived is not taken twice
        for attempt in range(1, UPLOAD_TRIES + 1):
            try:
                with ExitStack() as opened, self.display.upload() as count:
                    files = [(name, opened.enter_context(_open(path, count))) for name, path in group]
                    return await self.api.upload(self.kb, files, key)
            except Problem as exc:
                if attempt == UPLOAD_TRIES or exc.code not in ("unreachable", "connection-lost"):
                    raise
                await asyncio.sleep(attempt)
        raise AssertionError("unreachable")

    async def _watch(self, document: dict[str, Any], slots: asyncio.Semaphore) -> None:
        async with slots:
            with self.display.watch(document["name"]) as show:
                async for state in follow(self.api, document["id"], document):
                    show(state)
                    if state.get("state") in FINISHED:
                        document |= {"state": state["state"], "reason": reason_of(state)}
        self._finish(document)

    def _finish(self, document: dict[str, Any]) -> None:
        self.documents.append(document)
        self.display.finished(document)


class Display:
    """What `add` shows for programs and pipes: one line for each finished document."""

    def __init__(self, out: Output) -> None:
        self.out = out

    @contextmanager
    def upload(self) -> Iterator[Callable[[int], None]]:
        """Around one request; the function is given the bytes that were read."""
        yield lambda count: None

    @contextmanager
    def watch(self, name: str) -> Iterator[Callable[[dict[str, Any]], None]]:
        """Around the watching of one document; the function is given its states."""
        yield lambda state: None

    def finished(self, document: dict[str, Any]) -> None:
        """A document's outcome is known."""
        self.out.text(_outcome(document))


class Bars(Display):
    """What `add` shows to a person: a bar for the upload, one for all documents, one for each under way."""

    def __init__(self, out: Output, progress: Progress, files: list[File]) -> None:
        super().__init__(out)
        self.progress = progress
        size = sum(path.stat().st_size for _, path in files)
        self.sent = progress.add_task(say("uploading"), total=size or 1, note="")
        self.done = progress.add_task(say("documents"), total=len(files), note="")

    @contextmanager
    def upload(self) -> Iterator[Callable[[int], None]]:
        before = self.progress.tasks[self.sent].completed
        try:
            yield lambda count: self.progress.advance(self.sent, count)
        except BaseException:
            self.progress.update(self.sent, completed=before)
            raise

    @contextmanager
    def watch(self, name: str) -> Iterator[Callable[[dict[str, Any]], None]]:
        task = self.progress.add_task(_short(clean(name)), total=None, note="")

        def show(state: dict[str, Any]) -> None:
            waits = state.get("waiting_for")
            note = say("waiting_for", dependency=waits) if waits else stage_of(state)
            count = state.get("stage_count") or 0
            share = (state.get("done") or 0) / state["total"] if state.get("total") else 0
            completed = max(0, (state.get("stage_number") or 1) - 1) + share
            self.progress.update(task, total=count or None, completed=completed, note=note)

        try:
            yield show
        finally:
            self.progress.remove_task(task)

    def finished(self, document: dict[str, Any]) -> None:
        from rich.text import Text

        self.progress.advance(self.done)
        style = "green" if document["state"] == "ready" else "red" if document["state"] in FINISHED else ""
        self.progress.console.print(Text(clean(_outcome(document)), style=style))


@contextmanager
def _display(out: Output, files: list[File]) -> Iterator[Display]:
    if not out.live:
        yield Display(out)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[note]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, transient=True) as progress:
        yield Bars(out, progress, files)


class _Counted(io.FileIO):
    """A file that tells how much of it was read."""

    def __init__(self, path: Path, count: Callable[[int], None]) -> None:
        super().__init__(path)
        self._count = count

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(-1 if size is None else size)
        self._count(len(data))
        return data


def _open(path: Path, count: Callable[[int], None]) -> Any:
    try:
        return _Counted(path, count)
    except OSError as exc:
        raise Problem("unreadable", path=path, detail=exc.strerror) from exc


def _groups(files: list[File]) -> Iterator[list[File]]:
    """Files for one request each: not too many, not too large; a large file goes alone."""
    group: list[File] = []
    size = 0
    for name, path in files:
        length = path.stat().st_size
        if group and (len(group) == REQUEST_FILES or size + length > REQUEST_BYTES):
            yield group
            group, size = [], 0
        group.append((name, path))
        size += length
    if group:
        yield group


def _outcome(document: dict[str, Any]) -> str:
    state = say_or(f"state.{document['state']}", document["state"])
    reason = reason_of(document)
    return "  ".join(filter(None, (state, document["name"], document.get("id", ""), reason)))


def _short(name: str, width: int = 32) -> str:
    return name if len(name) <= width else f"…{name[1 - width :]}"
