"""Restores a backup: verified as a whole first, put beside the data, and moved into its place last.

Nothing is changed before all of it has been read and found to be what was written. What a data folder had before stays
in it, in a folder of its own, until somebody removes it.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx

from activities.settings import Settings
from activities.stores.blob_keys import OWNER
from activities.stores.blobs import Blobs
from activities.stores.disks import free_bytes
from activities.stores.owner import owner
from api.backup import secrets
from api.backup.archive import PIECE, manifest_at, pieces, verify
from api.backup.create import CHECKPOINTS, FILES, TOLD_EACH, Tell
from api.backup.databases import (
    CATALOGUE,
    TABLES,
    database_of,
    forget_platform,
    holds_tables,
    load_tables,
    sqlite_file,
)
from api.backup.manifest import Manifest
from api.backup.marker import MARKER, TEMPORAL, Restored, mark
from api.client.problems import Message, Problem

#: What the platform keeps in the data folder that a restore replaces. The keys are replaced one by one.
REPLACED = ("*.db", "*.db-*", "blobs", "audit", MARKER)

#: Where a backup is unpacked in the data folder, and what the names of the folders with the data before begin with.
UNPACKED, BEFORE = "restoring", "before-restore-"


async def restore(
    settings: Settings, path: Path, *, replace: bool, tell: Tell, take_over: bool = False
) -> tuple[Manifest, list[str]]:
    """Restore the backup at ``path``; its manifest, and the names of keys that are still missing. Raises Problem.

    ``replace`` allows it for a data folder, or a database, that is not empty, ``take_over`` for a file store that
    another platform owns: that of the backup, if its files are there. The platform must not run: the caller holds the
    lock of the data folder.
    """
    manifest = manifest_at(path)
    await _require_place(settings, manifest, path, replace)
    await _require_files(settings, manifest, take_over)
    tell(Message("restore.verifying", size=manifest.size / 1e6))
    _require_parts(manifest, {part.name for part in await verify(path, manifest)}, path)
    files = secrets.key_files(settings)
    missing = [name for name in manifest.keys_left_out if name not in files or not files[name].is_file()]
    unpacked = settings.data_dir / UNPACKED
    shutil.rmtree(unpacked, ignore_errors=True)
    try:
        unpacked.mkdir(mode=0o700, parents=True)
        await _unpack(settings, path, unpacked, tell)
        tables = sorted(unpacked.glob(f"{TABLES}*.csv"))
        if tables and manifest.database == "postgresql":
            tell(Message("restore.catalogue"))
            await load_tables(settings, manifest.schema, tables)
        if (catalogue := unpacked / CATALOGUE).is_file():
            forget_platform(catalogue)
        mark(unpacked, Restored(datetime.now(UTC), manifest.created_at, missing))
        _move(settings, unpacked, manifest)
        if settings.blobs.url:
            await Blobs(settings.blobs_url).delete(OWNER)  # the next start makes itself the owner
    except OSError as exc:
        raise Problem("unwritable", path=settings.data_dir, detail=exc.strerror or exc) from exc
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    return manifest, missing


async def _require_place(settings: Settings, manifest: Manifest, path: Path, replace: bool) -> None:
    """Raises Problem unless these settings are those of an empty platform of the backup's kind, which does not run."""
    if await _answers(settings):
        raise Problem("restore.running", url=settings.api_url)
    if manifest.database != database_of(settings):
        raise Problem("restore.other-database", path=path, database=manifest.database)
    if manifest.files and manifest.files != settings.blobs_url:
        raise Problem("restore.files-elsewhere", path=path, url=manifest.files)
    used = sqlite_file(settings) is None and await holds_tables(settings)
    there = next(_there(settings), None)
    if (used or there) and not replace:
        raise Problem("restore.not-empty", path=there or "HOLDFAST_CATALOG_URL")
    free = free_bytes(settings.data_dir)
    if manifest.size > free:
        raise Problem("backup.space", path=settings.data_dir, needed=manifest.size / 1e9, free=free / 1e9)


async def _require_files(settings: Settings, manifest: Manifest, take_over: bool) -> None:
    """Raises Problem unless the files are nobody's, or are to be taken over."""
    if settings.blobs.url and not take_over and (manifest.files or await owner(Blobs(settings.blobs_url))):
        raise Problem("restore.files-of-another", url=settings.blobs_url)


def _require_parts(manifest: Manifest, parts: Collection[str], path: Path) -> None:
    """Raises Problem unless the parts are there that the manifest tells of."""
    needed = [f"{secrets.FOLDER}{name}" for name in manifest.keys]
    needed += [CATALOGUE] if manifest.database == "sqlite" else []
    needed += [TEMPORAL] if manifest.temporal else []
    if lacking := [name for name in needed if name not in parts]:
        raise Problem("backup.incomplete", path=path, part=lacking[0])


async def _answers(settings: Settings) -> bool:
    try:
        async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
            return (await client.get(f"{settings.api_url}/health/live")).is_success
    except httpx.HTTPError:
        return False


def _there(settings: Settings) -> Iterator[Path]:
    """What a restore would replace, and the catalogue's file wherever it is."""
    file = sqlite_file(settings)
    found = [path for pattern in REPLACED for path in sorted(settings.data_dir.glob(pattern))]
    if file is not None and file.exists() and file not in found:
        found.append(file)
    yield from found


async def _unpack(settings: Settings, path: Path, unpacked: Path, tell: Tell) -> None:
    """Writes all parts below ``unpacked``; files that belong elsewhere, such as into a bucket, go there."""
    local = not settings.blobs.url
    blobs = Blobs((unpacked / "blobs").as_uri() if local else settings.blobs_url)
    done = 0
    for name, content in pieces(path):
        if name == f"{FILES}{OWNER}":
            continue
        if name.startswith(FILES):
            await blobs.put(name.removeprefix(FILES), content)
            if (done := done + 1) % TOLD_EACH == 0:
                tell(Message("restore.files-so-far", count=done))
        elif "/" in name or name.endswith(".db"):
            place = unpacked / name
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with place.open("wb") as file:
                shutil.copyfileobj(content, file, PIECE)
            place.chmod(0o600)
    tell(Message("restore.files", count=done))


def _move(settings: Settings, unpacked: Path, manifest: Manifest) -> None:
    """Puts the data before aside, and what was unpacked into its place; all of it, or nothing where that fails."""
    done: list[tuple[Path, Path]] = []
    try:
        for source, place in _moves(settings, unpacked, manifest):
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A folder is renamed or left: a mount point would be copied, and emptied.
            shutil.move(source, place) if source.is_file() else source.rename(place)
            done.append((source, place))
    except OSError:
        for source, place in reversed(done):
            shutil.move(place, source) if place.is_file() else place.rename(source)
        for place in settings.data_dir.glob(f"{BEFORE}*"):
            with suppress(OSError):
                place.rmdir()  # if it is empty
        raise


def _moves(settings: Settings, unpacked: Path, manifest: Manifest) -> list[tuple[Path, Path]]:
    """What is moved where, in this order."""
    data = settings.data_dir
    before = data / f"{BEFORE}{datetime.now(UTC):%Y%m%dT%H%M%S}"
    aside = [(path, before / path.name) for path in _there(settings)]
    places = {
        unpacked / MARKER: data / MARKER,
        unpacked / TEMPORAL: data / TEMPORAL,
        unpacked / "blobs": data / "blobs",
        unpacked / CHECKPOINTS: settings.checkpoints_file,
    }
    file = sqlite_file(settings)
    if file is not None:
        places[unpacked / CATALOGUE] = file
    for name, place in secrets.key_files(settings).items():
        if name in manifest.keys:
            if place.exists():
                aside.append((place, before / name))
            places[unpacked / secrets.FOLDER / name] = place
    return aside + [(source, place) for source, place in places.items() if source.exists()]
