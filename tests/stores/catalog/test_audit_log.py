"""The tamper-evident log in the catalogue: what is committed enters it once, and what is changed is found."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.audit_log import tree
from activities.audit_log.entries import FACTS, TEXTS
from activities.audit_log.export import encoded
from activities.audit_log.notes import Checkpoint, SigningKey, new_signing_key
from activities.audit_log.verify import verify
from activities.errors import NotFound
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.tables import AuditRow
from tests.stores.catalog.conftest import sql

ORIGIN = "holdfast.test/audit"


@pytest.fixture
def key() -> SigningKey:
    """A new signing key."""
    return SigningKey(new_signing_key(ORIGIN))


@pytest.fixture
async def logged(catalog: Catalog, key: SigningKey) -> list[str]:
    """A log of 300 events with two checkpoints; the ids of the events."""
    for number in range(300):
        await catalog.audit.note("ann", "audit.read", f"{number:032x}", 原因="审计")
    while await catalog.audit_log.append(130):
        await sign(catalog, key)
    return [each.id for each in await catalog.audit.page(None, 1000)][::-1]


async def sign(catalog: Catalog, key: SigningKey) -> None:
    """Sign a checkpoint of all that is in the log."""
    size = (await catalog.audit_log.state()).size
    checkpoint = Checkpoint(ORIGIN, size, await catalog.audit_log.root(size), datetime.now(UTC))
    await catalog.audit_log.record(checkpoint, key.sign(checkpoint.text))


async def findings(catalog: Catalog, key: SigningKey, tmp_path: Path) -> list[tuple[str, int | None, str]]:
    """What the verification of an export finds."""
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join([encoded(lines) async for lines in catalog.audit_log.export(ORIGIN)]))
    return [(each.kind, each.index, each.detail) for each in verify(path, [key.public]).findings]


def test_every_column_of_an_event_is_in_the_log() -> None:
    """A new column is a fact or a text; otherwise it could be changed unseen."""
    of_the_log = {"log_index", "salt", "text_salt", "text_hash"}
    assert {*AuditRow.__mapper__.column_attrs.keys()} - of_the_log <= {*FACTS, *TEXTS}


async def test_a_log_is_exported_and_verified(
    settings: Settings, catalog: Catalog, key: SigningKey, logged: list[str], tmp_path: Path
) -> None:
    """Whole; then with an event that was changed, removed, and moved over it in the database."""
    assert await findings(catalog, key, tmp_path) == []
    await sql(settings, f"UPDATE audit_events SET actor = 'bob' WHERE id = '{logged[17]}'")
    assert await findings(catalog, key, tmp_path) == [("changed", 17, logged[17])]
    await sql(settings, f"UPDATE audit_events SET actor = 'ann' WHERE id = '{logged[17]}'")
    await sql(settings, f"DELETE FROM audit_events WHERE id = '{logged[280]}'")
    assert await findings(catalog, key, tmp_path) == [("missing", 280, "")]
    await sql(settings, f"UPDATE audit_events SET log_index = 280 WHERE id = '{logged[5]}'")
    assert await findings(catalog, key, tmp_path) == [("reordered", 5, logged[5]), ("missing", 280, "")]


async def test_an_event_is_proven(catalog: Catalog, key: SigningKey, logged: list[str]) -> None:
    """By few hashes that lead from its leaf to the signed root; what is not in the log has no proof."""
    proof = await catalog.audit_log.prove(event_id=logged[255])
    (entry,), (path,) = proof.entries, proof.proofs
    root = await catalog.audit_log.root(300)
    assert (entry.index, proof.size, len(path)) == (255, 300, 9)
    assert tree.root_from_inclusion(entry.computed(), 255, 300, path) == root
    with pytest.raises(NotFound):
        await catalog.audit_log.prove(question_id="f" * 32)


async def test_events_enter_once_while_several_write(catalog: Catalog) -> None:
    """Two keepers and four writers at once: each event has one place, and the tree has their leaves."""
    log = catalog.audit_log

    async def write(name: str) -> None:
        for _ in range(20):
            await catalog.audit.note(name, "audit.read")

    async def take() -> None:
        for _ in range(30):
            await log.append(7)

    await asyncio.gather(*(write(name) for name in "abcd"), take(), take())
    while await log.append():
        pass
    entries = await log.page(0, 80)
    assert len({each.facts for each in entries}) == 80
    assert [each.computed() for each in entries] == await log.leaves(0, 80)
    assert tree.root_of(await log.leaves(0, 80)) == await log.root(80)


async def test_one_process_keeps_the_log(catalog: Catalog) -> None:
    """Another one only after its time."""
    log = catalog.audit_log
    assert await log.keep("a", 60)
    assert not await log.keep("b", 60)
    assert await log.keep("a", 0)
    assert await log.keep("b", 60)
