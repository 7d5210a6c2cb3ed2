"""Backups: what is in them, their order, and what is refused before anything is changed. No service runs."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import json
import os
import shutil
import sqlite3
import stat
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from activities.contracts.documents import Chunking
from activities.settings import BlobSettings, Settings, load
from activities.stores.blob_keys import OWNER
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.owner import owner
from api.backup.create import create
from api.backup.manifest import MANIFEST, PARTS
from api.backup.marker import is_marked, keys_needed
from api.backup.restore import restore
from api.cli.texts.messages import TEXTS, text_of
from api.client.problems import Message, Problem
from api.http import key_files
from api.stack import audit_key, restoring
from api.stack.processes import only_one
from tests.stores.catalog.conftest import sql

ORIGINAL, LATER, CHECKPOINT, UNSEEN = "originals/one", "originals/two", "audit/checkpoints/1", "audit/checkpoints/2"

KEYS = ["audit.key", "local.env", "token.keys"]


class Made(NamedTuple):
    """A platform's data, and a backup of it that was made while others wrote."""

    settings: Settings
    backup: Path
    told: list[str]


def silent(message: Message) -> None:
    """Takes messages."""


async def add_kb(settings: Settings, name: str) -> None:
    """A knowledge base, with its audit event."""
    catalog = Catalog(settings.catalog_url)
    try:
        await catalog.knowledge_bases.create(name, "", "", Chunking(), "ann")
    finally:
        await catalog.close()


async def filled(settings: Settings) -> None:
    """Data of every kind."""
    await upgrade(settings)
    await add_kb(settings, "handbook")
    blobs = Blobs(settings.blobs_url)
    for key in (ORIGINAL, CHECKPOINT):
        await blobs.put(key, key.encode())
    audit_key.create(settings.audit_key_file)
    for name in KEYS[1:]:
        key_files.create(settings.data_dir / name, f"secret of {name}")
    settings.checkpoints_file.parent.mkdir()
    settings.checkpoints_file.write_text("{}\n")
    with closing(sqlite3.connect(settings.data_dir / "temporal.db")) as temporal:
        temporal.execute("PRAGMA journal_mode=WAL")
        temporal.execute("CREATE TABLE runs (id)")
        temporal.execute("INSERT INTO runs VALUES ('ingest/1')")
        temporal.commit()


@pytest.fixture(scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A backup with the keys; meanwhile files come, and the catalogue changes."""
    folder = tmp_path_factory.mktemp("made")
    settings = load({"HOLDFAST_DATA": str(folder / "data")})
    await filled(settings)
    told: list[str] = []

    def interfere(message: Message) -> None:
        told.append(text_of(message))
        if message.code == "backup.files":  # the first round is over
            for key in (LATER, UNSEEN):
                file = settings.data_dir / "blobs" / key
                file.write_bytes(key.encode())
        if message.code == "backup.catalogue":  # it is pinned
            with closing(sqlite3.connect(settings.data_dir / "catalog.db")) as catalogue:
                catalogue.execute("UPDATE knowledge_bases SET title = 'since'")
                catalogue.commit()

    await create(settings, folder / "backup", with_keys=True, with_files=False, tell=interfere)
    return Made(settings, folder / "backup", told)


@pytest.fixture
def target(tmp_path: Path) -> Settings:
    """Settings of a data folder that does not exist."""
    return load({"HOLDFAST_DATA": str(tmp_path / "restored")})


def copied(made: Made, tmp_path: Path) -> Path:
    """A copy of the backup, to be changed."""
    path = tmp_path / "copy"
    shutil.copytree(made.backup, path)
    return path


def packed(folder: Path) -> Path:
    """The same parts as one tar file."""
    path = folder.with_suffix(".tar")
    with tarfile.open(path, "w") as tar:
        for file in folder.rglob("*"):
            if file.is_file():
                tar.add(file, file.relative_to(folder).as_posix())
    return path


async def refused(settings: Settings, path: Path, code: str, *, replace: bool = False) -> str:
    """The sentence with which a restore is refused; it leaves nothing behind."""
    before = sorted(settings.data_dir.rglob("*"))
    with pytest.raises(Problem) as caught:
        await restore(settings, path, replace=replace, tell=silent)
    assert caught.value.code == code, caught.value
    assert sorted(settings.data_dir.rglob("*")) == before
    return text_of(caught.value)


@pytest.mark.parametrize("form", ["folder", "tar"])
async def test_what_was_pinned_comes_back(made: Made, target: Settings, tmp_path: Path, form: str) -> None:
    """With files that came meanwhile, without changes that came meanwhile; only the owner can read it."""
    path = made.backup if form == "folder" else packed(copied(made, tmp_path))
    manifest, missing = await restore(target, path, replace=False, tell=silent)
    assert missing == []
    assert manifest.counts["knowledge_bases"] == 1
    assert await sql(target, "SELECT name, title FROM knowledge_bases") == [("handbook", "")]
    blobs = Blobs(target.blobs_url)
    for key in (ORIGINAL, LATER, CHECKPOINT):
        assert await blobs.get(key) == key.encode()
    assert not await blobs.exists(UNSEEN), "a checkpoint of events that the catalogue may lack"
    for name in KEYS:
        file = target.data_dir / name
        assert file.read_text() == (made.settings.data_dir / name).read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with closing(sqlite3.connect(target.data_dir / "temporal.db")) as temporal:
        assert temporal.execute("SELECT id FROM runs").fetchall() == [("ingest/1",)]
    assert target.checkpoints_file.read_text() == "{}\n"
    assert is_marked(target)
    assert not (target.data_dir / "restoring").exists()


async def test_files_of_another_platform_are_taken_over_on_demand(made: Made, target: Settings, tmp_path: Path) -> None:
    """Two platforms on one file store would remove each other's files; a restored one has an id of its own."""
    catalog = Catalog(made.settings.catalog_url)
    await catalog.platform.id()
    await catalog.close()
    path = tmp_path / "again"
    await create(made.settings, path, with_keys=True, with_files=False, tell=silent)
    shared = msgspec.structs.replace(target, blobs=BlobSettings(url=(tmp_path / "shared").as_uri()))
    blobs = Blobs(shared.blobs_url)
    await blobs.put(OWNER, b'{"platform": "one"}')
    assert "--take-over" in await refused(shared, path, "restore.files-of-another")
    await restore(shared, path, replace=False, take_over=True, tell=silent)
    assert await owner(blobs) is None, "the next start makes itself the owner"
    assert await sql(target, "SELECT id FROM platform") == []


async def test_a_backup_is_written_whole_or_not_at_all(made: Made, tmp_path: Path) -> None:
    """A tar file too, readable by its owner; an unfinished one leaves nothing, and nothing is overwritten."""
    path = tmp_path / "made.tar"
    await create(made.settings, path, with_keys=False, with_files=False, tell=silent)
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    with pytest.raises(Problem, match="file-exists"):
        await create(made.settings, path, with_keys=False, with_files=False, tell=silent)

    def fail(message: Message) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await create(made.settings, tmp_path / "broken", with_keys=False, with_files=False, tell=fail)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["made.tar"]
    actions = await sql(made.settings, "SELECT action FROM audit_events WHERE action LIKE 'backup.%'")
    assert set(actions) == {("backup.create",)}


async def test_keys_that_were_left_out_are_named(made: Made, target: Settings, tmp_path: Path) -> None:
    """The restore says which are missing; those that are there stay, also when data is replaced."""
    path = tmp_path / "without"
    manifest = await create(made.settings, path, with_keys=False, with_files=False, tell=silent)
    assert (manifest.keys, manifest.keys_left_out) == ([], KEYS)
    assert not (path / "keys").exists()
    assert b"secret of" not in b"".join(file.read_bytes() for file in path.rglob("*") if file.is_file())
    _, missing = await restore(target, path, replace=False, tell=silent)
    assert missing == KEYS
    assert keys_needed(target) == ["audit.key"], "without it, a start would make another"
    target.checkpoints_file.unlink()
    assert keys_needed(target) == []
    key_files.create(target.data_dir / "token.keys", "mine")
    _, missing = await restore(target, path, replace=True, tell=silent)
    assert missing == ["audit.key", "local.env"]
    assert (target.data_dir / "token.keys").read_text() == "mine\n"


def flipped(file: Path) -> None:
    """One bit of a file is another."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("part", ["catalog.db", "temporal.db", "files/originals/one", "keys/audit.key", PARTS])
async def test_a_damaged_backup_is_refused(made: Made, target: Settings, tmp_path: Path, part: str) -> None:
    """Whatever part it is; its name is in the sentence."""
    path = copied(made, tmp_path)
    flipped(path / part)
    assert part in await refused(target, path, "backup.damaged")


def without_manifest(path: Path) -> None:
    """As if it had been interrupted."""
    (path / MANIFEST).unlink()


def without_part(path: Path) -> None:
    """A file is lost."""
    (path / "files" / ORIGINAL).unlink()


def with_link(path: Path) -> None:
    """A part is a link to somewhere else."""
    (path / "catalog.db").unlink()
    (path / "catalog.db").symlink_to("/etc/passwd")


def with_more(path: Path) -> None:
    """A file that was not in it."""
    (path / "keys" / "more").write_text("")


def without_catalogue(path: Path) -> None:
    """The parts agree with each other, and one is not among them that a platform needs."""
    (path / "catalog.db").unlink()
    listed(path, [line for line in (path / PARTS).read_bytes().splitlines() if b'"catalog.db"' not in line])


def without_sense(path: Path) -> None:
    """The list of the parts is the one that the manifest tells of, and none."""
    listed(path, [b"\xff"])


def with_depth(path: Path) -> None:
    """The manifest holds what no reader of JSON takes."""
    (path / MANIFEST).write_text('{"more":' + "[" * 100_000 + "]" * 100_000 + "}")


def with_no_text(path: Path) -> None:
    """A file whose name cannot be printed."""
    (path / os.fsdecode(b"\xff")).write_text("")


def listed(path: Path, lines: list[bytes]) -> None:
    """Another list of the parts, which the manifest tells of."""
    listing = b"\n".join(lines)
    (path / PARTS).write_bytes(listing)
    changed(parts=hashlib.sha256(listing).hexdigest())(path)


def changed(**fields: object) -> Callable[[Path], None]:
    """The manifest says something else."""

    def change(path: Path) -> None:
        manifest = json.loads((path / MANIFEST).read_bytes())
        (path / MANIFEST).write_text(json.dumps(manifest | fields))

    return change


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (without_manifest, "backup.none"),
        (without_part, "backup.incomplete"),
        (with_link, "backup.foreign-part"),
        (with_more, "backup.foreign-part"),
        (with_no_text, "backup.foreign-part"),
        (without_catalogue, "backup.incomplete"),
        (without_sense, "backup.damaged"),
        (with_depth, "backup.damaged"),
        (changed(kind="another"), "backup.none"),
        (changed(format=2), "backup.newer"),
        (changed(schema="9999"), "backup.newer"),
        (changed(counts="many"), "backup.damaged"),
        (changed(database="postgresql"), "restore.other-database"),
        (changed(files="s3://bucket"), "restore.files-elsewhere"),
        (changed(size=1 << 60), "backup.space"),
    ],
    ids=[
        "unfinished",
        "incomplete",
        "link",
        "more",
        "no-text",
        "catalogue",
        "listing",
        "depth",
        "kind",
        "format",
        "schema",
        "fields",
        "database",
        "files",
        "space",
    ],
)
async def test_another_backup_is_refused(
    made: Made, target: Settings, tmp_path: Path, change: Callable[[Path], None], code: str
) -> None:
    """With a sentence in both languages, and nothing changed."""
    path = copied(made, tmp_path)
    change(path)
    assert (await refused(target, path, code)).encode()
    assert all(TEXTS[code])


async def test_names_lead_to_no_other_place(made: Made, target: Settings, tmp_path: Path) -> None:
    """A part that would be written beside the data folder is refused, though it is listed."""
    folder = copied(made, tmp_path)
    listing = (folder / PARTS).read_bytes().replace(b'"files/originals/one"', b'"../originals/one"')
    (folder / PARTS).write_bytes(listing)
    changed(parts=hashlib.sha256(listing).hexdigest())(folder)
    path = folder.with_suffix(".tar")
    with tarfile.open(path, "w") as tar:
        for file in folder.rglob("*"):
            if file.is_file():
                name = file.relative_to(folder).as_posix()
                tar.add(file, name.replace("files/originals/one", "../originals/one"))
    await refused(target, path, "backup.damaged")


def cut(path: Path, tar: Path) -> None:
    """Its end is lost, and what tells about it stands at its beginning."""
    with tarfile.open(tar, "w") as writer:
        for name in (MANIFEST, "catalog.db"):
            writer.add(path / name, name)
    os.truncate(tar, tar.stat().st_size // 2)


def twice(path: Path, tar: Path) -> None:
    """A part is there a second time."""
    packed(path)
    with tarfile.open(tar, "a") as writer:
        writer.add(path / "catalog.db", "catalog.db")


def sparse(path: Path, tar: Path) -> None:
    """A few bytes that stand for a file of a terabyte."""
    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as writer:
        info, told = tarfile.TarInfo(MANIFEST), b"1\n0\n0\n".ljust(512, b"\0")
        numbers = {"major": "1", "minor": "0", "name": MANIFEST, "realsize": str(1 << 40)}
        info.size, info.pax_headers = len(told), {f"GNU.sparse.{key}": value for key, value in numbers.items()}
        writer.addfile(info, io.BytesIO(told))


def numbers(path: Path, tar: Path) -> None:
    """A header with a number that is none."""
    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as writer:
        info = tarfile.TarInfo(MANIFEST)
        info.pax_headers = {"GNU.sparse.map": "x", "GNU.sparse.size": "x"}
        writer.addfile(info)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (cut, "backup.damaged"),
        (twice, "backup.foreign-part"),
        (sparse, "backup.foreign-part"),
        (numbers, "backup.none"),
    ],
    ids=["cut", "twice", "sparse", "numbers"],
)
async def test_a_tar_file_that_harms_is_refused(
    made: Made, target: Settings, tmp_path: Path, make: Callable[[Path, Path], None], code: str
) -> None:
    """With a sentence, whatever its headers say."""
    path = copied(made, tmp_path)
    make(path, path.with_suffix(".tar"))
    await refused(target, path.with_suffix(".tar"), code)


async def test_a_restore_that_cannot_move_changes_nothing(made: Made, target: Settings, tmp_path: Path) -> None:
    """As where a folder is a mount point: the platform is what it was."""
    await filled(target)
    file = tmp_path / "file"
    file.touch()
    settings = load({"HOLDFAST_DATA": target.data, "HOLDFAST_AUDIT_KEY": str(file / "audit.key")})
    await refused(settings, made.backup, "unwritable", replace=True)
    assert not is_marked(target)


async def test_a_backup_does_not_meet_itself(made: Made, tmp_path: Path) -> None:
    """It is not among the files that it copies. One that is being made is left alone; one that was killed is not."""
    inside = Path(made.settings.data) / "blobs" / "backup"
    with pytest.raises(Problem, match=r"backup\.among-files"):
        await create(made.settings, inside, with_keys=False, with_files=False, tell=silent)
    unfinished = tmp_path / "b.partial"
    (unfinished / "files").mkdir(parents=True)
    (unfinished / "files" / "left").write_text("of the one before")
    with_lock = os.open(unfinished, os.O_RDONLY)
    fcntl.flock(with_lock, fcntl.LOCK_EX)
    with pytest.raises(Problem, match=r"backup\.under-way"):
        await create(made.settings, tmp_path / "b", with_keys=False, with_files=False, tell=silent)
    os.close(with_lock)
    await create(made.settings, tmp_path / "b", with_keys=False, with_files=False, tell=silent)
    assert not (tmp_path / "b" / "files" / "left").exists()


async def test_a_full_disk_is_named(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the tar file cannot be written either then; nothing is left."""
    close = tarfile.TarFile.close

    def full(tar: tarfile.TarFile, *_: object) -> None:
        close(tar)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    monkeypatch.setattr(tarfile.TarFile, "close", full)
    with pytest.raises(Problem, match="unwritable"):
        await create(made.settings, tmp_path / "b.tar", with_keys=False, with_files=False, tell=silent)
    assert not list(tmp_path.iterdir())


async def test_what_is_no_backup_is_refused(target: Settings, tmp_path: Path) -> None:
    """A folder, a file and a path without anything."""
    (tmp_path / "file").write_text("text")
    await refused(target, tmp_path, "backup.none")
    await refused(target, tmp_path / "file", "backup.none")
    await refused(target, tmp_path / "nothing", "unreadable")


async def test_data_is_replaced_only_when_told(made: Made, target: Settings) -> None:
    """What was there stays aside; a platform that runs is not touched."""
    await filled(target)
    await add_kb(target, "mine")
    assert "catalog.db" in await refused(target, made.backup, "restore.not-empty")
    with only_one(target.data_dir / "run" / "lock"), pytest.raises(Problem, match="running"):
        restoring.run(target, made.backup, True, silent)
    await restore(target, made.backup, replace=True, tell=silent)
    assert await sql(target, "SELECT name FROM knowledge_bases") == [("handbook",)]
    (aside,) = target.data_dir.glob("before-restore-*")
    with closing(sqlite3.connect(aside / "catalog.db")) as before:
        names = before.execute("SELECT name FROM knowledge_bases ORDER BY 1").fetchall()
    assert names == [("handbook",), ("mine",)]
    assert (aside / "blobs" / ORIGINAL).exists()
    assert (aside / "token.keys").exists()


async def test_files_in_a_bucket_stay_there(made: Made, tmp_path: Path) -> None:
    """The manifest names it, and the backup does not ask for it."""
    environ = {"HOLDFAST_DATA": made.settings.data, "HOLDFAST_BLOBS_URL": "s3://nowhere/prefix"}
    manifest = await create(load(environ), tmp_path / "b", with_keys=False, with_files=False, tell=silent)
    assert manifest.files == "s3://nowhere/prefix"
    assert not (tmp_path / "b" / "files").exists()


async def test_a_catalogue_on_postgresql_comes_back(postgresql_url: str, tmp_path: Path) -> None:
    """All tables, in one state; numbers that the database gives go on."""
    environ = {"HOLDFAST_DATA": str(tmp_path / "data"), "HOLDFAST_CATALOG_URL": postgresql_url}
    settings = load(environ)
    await add_kb(settings, "handbook")
    before = {table: await sql(settings, f"SELECT * FROM {table}") for table in ("audit_events", "generations")}
    await create(settings, tmp_path / "b", with_keys=False, with_files=False, tell=silent)
    await add_kb(settings, "since")
    await refused(settings, tmp_path / "b", "restore.not-empty")
    await restore(settings, tmp_path / "b", replace=True, tell=silent)
    assert await sql(settings, "SELECT name FROM knowledge_bases") == [("handbook",)]
    assert {table: await sql(settings, f"SELECT * FROM {table}") for table in before} == before
    await add_kb(settings, "more")
    assert len(await sql(settings, "SELECT * FROM audit_events")) == len(before["audit_events"]) + 1
