"""`holdfast add`: uploads files and follows them until they are searchable.

One file is followed as a document. Several files form one batch, which is opened, filled by several concurrent
requests, closed, and followed as a whole. A zip archive is a batch of its own.
"""

# ruff: noqa: PLC0415 - commands import slow modules themselves

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.batches import all_ready, failed_documents
from api.cli.output import FINISHED, Output, at, follow, follow_document, kb_option, reason_of, talks_to_api
from api.cli.progress import Display, display
from api.cli.texts.messages import say
from api.client.problems import Problem

if TYPE_CHECKING:
    from api.cli.uploads import File
    from api.client.client import Api

#: Timeout in seconds for closing the batch after Ctrl-C; a batch left open closes itself later.
CLOSE_SECONDS = 5.0


@click.command("add", help=say("help.add"))
@click.argument("paths", nargs=-1, required=True, metavar="PATH…", type=click.Path(path_type=Path))
@kb_option
@click.option("--wait/--no-wait", default=True, help=say("help.wait"))
@click.option("--parallelism", type=click.IntRange(1, 64), help=say("help.parallelism"))
@click.option("--tag", "tags", multiple=True, help=say("help.tag"))
@talks_to_api
async def add(
    api: Api,
    out: Output,
    paths: tuple[Path, ...],
    kb: str,
    wait: bool,
    parallelism: int | None,
    tags: tuple[str, ...],
) -> None:
    """POST /knowledge-bases/{kb}/documents, then the batch's or the document's events; exit 1 if any failed."""
    from api.client.client import files_in

    files = [file for path in paths for file in files_in(path)]
    await api.knowledge_bases.get(kb)  # an unknown knowledge base fails before any upload
    with display(out, sum(path.stat().st_size for _, path in files)) as shown:
        adding = UploadRun(api, kb, shown, wait=wait, parallelism=parallelism, tags=tags)
        try:
            await adding.run(files, _name(paths))
        except asyncio.CancelledError:
            click.echo(adding.interrupted(len(files)), err=True)
            raise
    out.document(adding.summary())
    out.text(adding.line())
    if adding.failed or not all(map(all_ready, adding.infos.values())):
        sys.exit(1)


class UploadRun:
    """One run of `add`. Of a batch's documents only the failed ones are kept."""

    def __init__(
        self, api: Api, kb: str, shown: Display, *, wait: bool, parallelism: int | None, tags: tuple[str, ...] = ()
    ) -> None:
        self.api, self.kb, self.shown, self.wait = api, kb, shown, wait
        self.parallelism, self.tags = parallelism, tags
        self.batch: str | None = None
        self.mine: list[str] = []
        """Batches created by this run."""
        self.others: dict[str, None] = {}
        """Earlier batches in which some of these files are already in flight."""
        self.infos: dict[str, dict[str, Any]] = {}
        """The last state of each batch."""
        self.singles: list[dict[str, Any]] = []
        """Documents in flight that have no batch."""
        self.documents: list[dict[str, Any]] = []
        """Outcomes of documents without a batch, and of failed ones."""
        self.sent = self.accepted = self.unchanged = 0

    async def run(self, files: list[File], name: str) -> None:
        """Upload and follow all files; the batch is followed while later files are still uploaded."""
        from api.cli.uploads import groups

        plain = [file for file in files if not _is_archive(file)]
        if len(plain) > 1:
            await self._open(name)
        watcher = asyncio.create_task(self._watch_batch(self.batch)) if self.batch and self.wait else None
        try:
            try:
                await self._upload(groups(plain), [[file] for file in files if _is_archive(file)])
            finally:
                await self._close()
            if watcher is not None:
                await watcher
            await self._watch_others()
        finally:
            if watcher is not None:
                watcher.cancel()

    async def _open(self, name: str) -> None:
        made = (await self.api.batches.create(self.kb, name, self.parallelism)).value
        self.batch = made.id
        self.mine.append(made.id)

    async def _close(self) -> None:
        """Close the batch, even after an interrupted upload."""
        from api.client.client import ApiError

        if self.batch is not None:
            with suppress(ApiError, Problem, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self.api.batches.control(self.batch, "close")

    async def _upload(self, plain: Iterable[list[File]], archives: Iterable[list[File]]) -> None:
        from api.cli.uploads import AT_ONCE, Sender

        sender = Sender(self.api, self.kb, self.shown, self.tags)
        requests = iter([*((group, self.batch) for group in plain), *((group, None) for group in archives)])

        async def work() -> None:
            for group, batch in requests:
                answer = await sender.send(group, batch)
                self.sent += len(group)
                await self._take(answer, alone=batch is None)

        workers = [asyncio.create_task(work()) for _ in range(AT_ONCE)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()

    async def _take(self, answer: dict[str, Any], *, alone: bool) -> None:
        for document in answer["documents"]:
            if document["state"] == "failed":
                self._finish(document)
                continue
            self.accepted += 1
            under_way = document["state"] not in FINISHED
            self.unchanged += bool(document.get("unchanged"))
            if not under_way or not self.wait:
                if alone:
                    self._finish(document)
            elif (batch := document.get("batch_id")) is None:
                self.singles.append(document)
            elif batch not in self.mine:
                self.others[batch] = None
        if alone and answer.get("batch_id"):
            self.mine.append(answer["batch_id"])
            self.accepted += 1
            await self._speed_up(answer["batch_id"])

    async def _speed_up(self, archive: str) -> None:
        from api.client.client import ApiError

        if self.parallelism is not None:
            with suppress(ApiError):  # its run has not started or has ended
                await self.api.batches.set_parallelism(archive, self.parallelism)

    async def _watch_others(self) -> None:
        if not self.wait:
            return
        for batch in [*self.mine, *self.others]:
            if batch != self.batch:
                await self._watch_batch(batch)
        for document in self.singles:
            with self.shown.watch(document["name"]) as show:
                async for state in follow_document(self.api, document["id"], document):
                    show(state)
                    if state.get("state") in FINISHED:
                        document |= {"state": state["state"], "reason": reason_of(state)}
            self._finish(document)

    async def _watch_batch(self, batch: str) -> None:
        from api.client.client import ApiError

        info: dict[str, Any] = {}
        try:
            with self.shown.watch_batch() as show:
                async for info in follow(self.api, at("batches", batch), {}):
                    show(info)
        except ApiError as exc:
            if exc.status != HTTPStatus.NOT_FOUND:  # no file was new, so the server deleted the batch
                raise
            self.mine.remove(batch)
            return
        self.infos[batch] = info
        if reason_of(info):
            self.shown.say(reason_of(info), "red")
        async for document in failed_documents(self.api, info):
            self._finish(document)

    def _finish(self, document: dict[str, Any]) -> None:
        self.documents.append(document)
        self.shown.finished(document)

    @property
    def failed(self) -> int:
        """Documents that failed or were canceled, and files that were refused."""
        canceled: int = sum(info["documents"].get("canceled", 0) for info in self.infos.values())
        alone: int = sum(document["state"] in FINISHED - {"ready"} for document in self.documents)
        return canceled + alone

    @property
    def ready(self) -> int:
        """Documents that became ready in this run's batches, and ready documents without a batch."""
        batches: int = sum(self.infos[batch]["documents"].get("ready", 0) for batch in self.mine if batch in self.infos)
        alone: int = sum(document["state"] == "ready" for document in self.documents)
        return batches + alone

    def summary(self) -> dict[str, Any]:
        """The document that --json prints."""
        return {
            "documents": self.documents,
            "accepted": self.accepted,
            "unchanged": self.unchanged,
            "ready": self.ready,
            "failed": self.failed,
            "batches": [self.infos.get(batch, {"id": batch}) for batch in self.mine],
        }

    def line(self) -> str:
        """The result as text."""
        ready, failed = self.ready, self.failed
        text = say("added", ready=ready, failed=failed) if self.wait else say("accepted", count=self.accepted)
        text += say("of_them_unchanged", count=self.unchanged) if self.unchanged else ""
        watch = [say("watch_it", command=f"holdfast batch watch {batch}") for batch in self.mine]
        return "\n".join([text, *(watch if not self.wait else [])])

    def interrupted(self, files: int) -> str:
        """The text after Ctrl-C: what was sent, and the commands to follow it."""
        lines = [say("interrupted", sent=self.accepted, total=files)]
        commands = [f"holdfast batch watch {batch}" for batch in [*self.mine, *self.others]]
        commands += [f"holdfast events {document['id']}" for document in self.singles]
        lines += [say("watch_it", command=command) for command in commands[:5]]
        if self.sent < files:
            lines.append(say("add_again"))
        return "\n".join(["", *lines])


def _name(paths: tuple[Path, ...]) -> str:
    name = paths[0].resolve().name
    return (name if len(paths) == 1 else f"{name} + {len(paths) - 1}")[:255]


def _is_archive(file: File) -> bool:
    return file[0].lower().endswith(".zip")
