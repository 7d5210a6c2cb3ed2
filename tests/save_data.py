"""Saves a data folder for the upgrade test: ``python -m tests.save_data NAME``.

The current code fills a platform, stops it in the middle of its work, and packs its data folder as
``tests/data/upgrade/NAME.tar.xz``, with ``saved.json`` (``Saved``): the records that the platform returned.
"""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import signal
import socket
import sqlite3
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec

from activities.contracts.ids import question_id
from activities.runtime.temporal import connect
from activities.stores.catalog.catalog import Catalog
from tests.conftest import Platform, ask, assert_eventually, ready, running_platform, upload
from tests.documents import encrypted, long_text, simple_pdf
from tests.workflows.test_batches import archive, batch_is, notes, send
from tests.workflows.test_control import embedding, state_is
from tests.workflows.test_streams import asked

FOLDER = Path(__file__).parent / "data" / "upgrade"
DATA, SAVED = "data", "saved.json"
KB = "handbook"
ROLES = {"bob": "reader", "vera": "auditor"}

#: The next start needs none of these: logs, scratch files, process ids.
LEFT_OUT = {"run", "logs", "tmp", "up.log"}


class Waiting(msgspec.Struct, frozen=True):
    """A question in flight: its id, its asker, and words of the answer that it gets."""

    id: str
    actor: str
    words: str


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the platform when it was stopped. Records are as its API returned them."""

    at: datetime
    knowledge_base: str
    keys: dict[str, str]
    """API keys by their subjects."""
    documents: list[dict[str, Any]]
    batches: list[dict[str, Any]]
    conversation: dict[str, Any]
    """The administrator's only finished one, with its questions."""
    events: list[dict[str, Any]]
    """Events of the audit trail."""
    answers: dict[str, str]
    """Questions whose sources are ready, with words of their answers."""
    questions: list[Waiting]
    deletions: list[str]
    """Workflow ids of the deletions in flight."""


def leave(days: str) -> bytes:
    """A Markdown document that exists in several versions."""
    return f"# Leave\n\nEmployees may carry over {days} days of unused annual leave into the next year.".encode()


TRAVEL = "# 差旅制度\n\n差旅费用在行程结束后的十个工作日内报销。".encode()
PARKING = "The parking garage opens at seven in the morning and closes at ten in the evening."
LAPTOPS = b"A laptop is replaced after four years of use."
SCARVES = b"Lost scarves are kept at the reception for thirty days."
LEAVE_QUESTION = "How many days of unused leave can be carried over?"
PARKING_QUESTION = "When does the parking garage open?"
ANSWERS = {PARKING_QUESTION: "seven in the morning", "差旅费用什么时候报销？": "十个工作日"}


async def fill(platform: Platform) -> Saved:
    """Create finished work of every kind, then work in flight that can no longer finish."""
    keys = {"admin": platform.key} | await more_keys(platform)
    async with AsyncExitStack() as stack:
        admin, bob = [await stack.enter_async_context(signed_in(platform, keys[who])) for who in ("admin", "bob")]
        batch = await finish_some(admin)
        conversation = await converse(admin)
        (long,) = await upload(admin, KB, ("long.txt", long_text(80_000)))
        await embedding(admin, long["id"], 16)
        os.kill(platform.pid, signal.SIGSTOP)  # parts that end from now on are not restarted
        os.kill(platform.pid_of("triton"), signal.SIGKILL)
        await begin_documents(admin, batch)
        questions = await begin_questions(admin, bob)
        for question, step in zip(questions, ("wait_for_index", "retrieve"), strict=True):
            await at_step(platform, question_id(question.id), step)
        os.kill(platform.pid_of("worker-bulk"), signal.SIGKILL)
        deletions = await begin_deletions(admin)
        for deletion in deletions:
            await at_step(platform, deletion, "stop_runs")
        return Saved(
            at=datetime.now(UTC),
            knowledge_base=KB,
            keys=keys,
            documents=await items(admin, f"/knowledge-bases/{KB}/documents"),
            batches=await items(admin, f"/knowledge-bases/{KB}/batches"),
            conversation=(await admin.get(f"/conversations/{conversation}")).json(),
            events=await items(admin, "/audit/events"),
            answers=ANSWERS,
            questions=questions,
            deletions=deletions,
        )


def signed_in(platform: Platform, key: str) -> httpx.AsyncClient:
    """An HTTP client with this key; paths are below ``/api/v1``."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=f"{platform.url}/api/v1", headers=headers, timeout=60, trust_env=False)


async def items(api: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    """All items of a list that fits on one page."""
    page = (await api.get(path, params={"limit": 1000})).json()
    assert page["next_cursor"] is None
    found: list[dict[str, Any]] = page["items"]
    return found


async def more_keys(platform: Platform) -> dict[str, str]:
    """Create keys beside the administrator's."""
    catalog = Catalog(platform.settings.catalog_url)
    try:
        return {subject: await catalog.api_keys.create(subject, role) for subject, role in ROLES.items()}
    finally:
        await catalog.close()


async def finish_some(api: httpx.AsyncClient) -> str:
    """Create documents that are ready, replaced, failed and deleted, a finished batch and an open one; its id."""
    for name in (KB, "attic"):
        assert (await api.post("/knowledge-bases", json={"name": name})).status_code == 201
    await ready(api, KB, ("leave.md", leave("five")))
    await ready(api, KB, ("leave.md", leave("six")))
    _, _, gone, _ = await ready(
        api,
        KB,
        ("差旅制度.md", TRAVEL),
        ("parking.pdf", simple_pdf(PARKING)),
        ("gone.txt", b"The pool was closed for good in March."),
        ("going.txt", b"The library is open on every second Sunday."),
    )
    await ready(api, "attic", ("scarves.txt", SCARVES))
    assert (await api.delete(f"/documents/{gone['id']}")).status_code == 202
    for document in await upload(api, KB, ("locked.pdf", encrypted(simple_pdf(PARKING))), ("empty.txt", b"")):
        await state_is(api, document["id"], "failed")
    opened = {"name": "notes", "parallelism": 2}
    batch: str = (await api.post(f"/knowledge-bases/{KB}/batches", json=opened)).json()["id"]
    for document in (await send(api, KB, notes(4)[:2], batch=batch))["documents"]:
        await state_is(api, document["id"], "ready")
    return batch


async def converse(api: httpx.AsyncClient) -> str:
    """Ask a question and a follow-up, rated; the conversation's id."""
    first = await asked(api, KB, LEAVE_QUESTION)
    await answered(api, first["id"])
    id: str = first["conversation_id"]
    await ask(api, KB, PARKING_QUESTION, conversation_id=id)
    rated = await api.post(f"/questions/{first['id']}/feedback", json={"rating": "up", "comment": "That helps."})
    assert rated.status_code == 200, rated.text
    return id


async def answered(api: httpx.AsyncClient, id: str) -> dict[str, Any]:
    """Wait until a question has finished."""

    async def check() -> dict[str, Any] | None:
        question: dict[str, Any] = (await api.get(f"/questions/{id}")).json()
        return question if question["state"] in ("ready", "failed", "canceled") else None

    return await assert_eventually(check)


async def begin_documents(api: httpx.AsyncClient, batch: str) -> None:
    """Upload a new document and a new version that wait for the model, a paused one, and a batch of each kind."""
    (paused,) = await upload(api, KB, ("badges.txt", b"Visitors get a badge at the reception."))
    (version,) = await upload(api, KB, ("leave.md", leave("seven")))
    joined = (await send(api, KB, notes(4)[2:], batch=batch))["documents"]
    assert (await api.post(f"/batches/{batch}/close")).status_code == 202
    rules = [(f"rules/rule-{n}.txt", f"Rule {n} is about windows.".encode()) for n in range(3)]
    packed = (await send(api, KB, [("rules.zip", archive(*rules))]))["batch_id"]
    for document in (paused, version, *joined):
        await state_is(api, document["id"], "waiting")
    assert (await api.post(f"/documents/{paused['id']}/pause")).status_code == 202
    await state_is(api, paused["id"], "paused")
    await all_waiting(api, packed, len(rules))
    assert (await api.post(f"/batches/{packed}/pause")).status_code == 202
    await batch_is(api, packed, "paused")
    await batch_is(api, batch, "waiting")


async def all_waiting(api: httpx.AsyncClient, batch: str, documents: int) -> None:
    """Wait until all documents of a batch wait for the model."""

    async def check() -> bool:
        counts: dict[str, int] = (await api.get(f"/batches/{batch}")).json()["documents"]
        return counts.get("waiting") == documents

    await assert_eventually(check)


async def begin_questions(admin: httpx.AsyncClient, bob: httpx.AsyncClient) -> list[Waiting]:
    """Ask one question that waits for its asker's uploads, and one that waits for the model."""
    (laptops,) = await upload(bob, KB, ("laptops.txt", LAPTOPS))
    await state_is(bob, laptops["id"], "waiting")
    for_index = await asked(bob, KB, "When is a laptop replaced?", wait_for_index=True)
    for_model = await asked(admin, KB, PARKING_QUESTION)
    return [
        Waiting(id=for_index["id"], actor="bob", words="four years"),
        Waiting(id=for_model["id"], actor="admin", words=ANSWERS[PARKING_QUESTION]),
    ]


async def at_step(platform: Platform, workflow_id: str, step: str) -> None:
    """Wait until a run has scheduled an activity and waits for it."""
    temporal = await connect(platform.settings.temporal)

    async def check() -> bool:
        run = await temporal.get_workflow_handle(workflow_id).describe()
        return [each.activity_type.name for each in run.raw_description.pending_activities] == [step]

    await assert_eventually(check)


async def begin_deletions(api: httpx.AsyncClient) -> list[str]:
    """Delete a document and a knowledge base: both are hidden, and their data are not removed yet."""
    (going,) = [each for each in await items(api, f"/knowledge-bases/{KB}/documents") if each["name"] == "going.txt"]
    accepted = [await api.delete(path) for path in (f"/documents/{going['id']}", "/knowledge-bases/attic")]
    return [each.json()["workflow_id"] for each in accepted]


def stop(platform: Platform) -> None:
    """Stop the platform, whose supervisor is suspended, in the ordinary way; its exit status can still be collected."""
    os.kill(platform.pid, signal.SIGTERM)
    os.kill(platform.pid, signal.SIGCONT)
    os.waitid(os.P_PID, platform.pid, os.WEXITED | os.WNOWAIT)


# --- packing ---------------------------------------------------------------------------------------


def pack(data: Path, saved: Saved, target: Path) -> None:
    """Write the archive. Databases are rewritten without their free pages; nothing names this machine."""
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, tarfile.open(target, "w:xz", preset=9) as packed:
        add(packed, SAVED, msgspec.json.format(msgspec.json.encode(saved)))
        for path in sorted(kept(data)):
            file = path
            if path.suffix == ".db":
                file = compacted(path, Path(folder) / path.name)
            content = file.read_bytes()
            named = [name for name in names_of_this_machine(data) if name in content]
            assert not named, f"{path} names this machine: {named}"
            add(packed, f"{DATA}/{path.relative_to(data)}", content)


def kept(data: Path) -> Iterator[Path]:
    """The files that the next start needs; a database's journal files are merged into its copy."""
    for path in data.rglob("*"):
        if path.is_file() and path.relative_to(data).parts[0] not in LEFT_OUT and "-" not in path.suffix:
            yield path


def add(packed: tarfile.TarFile, name: str, content: bytes) -> None:
    """A file without an owner, accessible to its owner only, dated 1970: old on any day that a test runs."""
    about = tarfile.TarInfo(name)
    about.size, about.mode = len(content), 0o600
    packed.addfile(about, io.BytesIO(content))


def compacted(database: Path, target: Path) -> Path:
    """A copy of a SQLite database with its log, in which names of this machine are replaced by names of equal length.

    Equal length, because errors that Temporal stores are in messages that count their bytes.
    """
    with closing(sqlite3.connect(database)) as source:
        source.execute("VACUUM INTO ?", (str(target),))
    names = names_of_this_machine(database.parent)
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        copy.create_function("anonymous", 1, lambda value: anonymous(value, names), deterministic=True)
        tables = copy.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'")
        for (table,) in tables.fetchall():
            for column in [row[1] for row in copy.execute(f'PRAGMA table_info("{table}")')]:
                rename(copy, table, column)
        copy.execute("VACUUM")
    return target


def rename(copy: sqlite3.Connection, table: str, column: str) -> None:
    """Replace names of this machine in a column; text stays text, also where Temporal stored bytes in it."""
    raw = f'CAST("{column}" AS BLOB)'
    copy.execute(
        f'UPDATE "{table}" SET "{column}" = '
        f"""CASE typeof("{column}") WHEN 'text' THEN CAST(anonymous({raw}) AS TEXT) ELSE anonymous({raw}) END """
        f"""WHERE typeof("{column}") IN ('text', 'blob') AND anonymous({raw}) <> {raw}"""
    )


def anonymous(value: bytes, names: list[bytes]) -> bytes:
    """The value with letters in place of the names."""
    for name in names:
        value = value.replace(name, name[:1] + b"x" * (len(name) - 1))
    return value


def names_of_this_machine(data: Path) -> list[bytes]:
    """Its host name, as workers report it, and the folders of data, code and libraries."""
    folders = [data, Path(sys.prefix), Path(sys.prefix).resolve(), Path(__file__).parents[1], Path.home()]
    names = [f"@{socket.gethostname()}", *map(str, folders)]
    return [name.encode() for name in sorted(set(names), key=len, reverse=True)]


def save(name: str) -> None:
    """Create the archive with that name."""
    data = Path(tempfile.mkdtemp(prefix="holdfast-data-"))
    try:
        with running_platform(data) as platform:
            try:
                saved = asyncio.run(fill(platform))
            finally:
                stop(platform)
        pack(data, saved, FOLDER / f"{name}.tar.xz")
    finally:
        shutil.rmtree(data)


if __name__ == "__main__":
    save(sys.argv[1])
