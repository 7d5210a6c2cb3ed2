"""The keeper of the audit log: it signs what was committed, sends it outside, and stops at a log that was rewritten."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from activities.audit_log.comparison import Finding
from activities.audit_log.entries import Entry
from activities.audit_log.export import Signed, checkpoints_in, encoded
from activities.audit_log.verify import verify
from activities.contracts.documents import Chunking
from activities.contracts.reconcile import ScanInput
from activities.errors import LeavesLost, NothingLost, OtherLog
from activities.reconcile.audit_log import AuditLogActivities
from activities.settings import load
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import NewEvent
from api.audit.log.proofs import MAX_BYTES, question_proof
from api.background.audit_log.continuation import declare
from api.background.audit_log.keeper import AuditLogKeeper
from api.background.audit_log.places import FilePlace, places_of
from api.stack import audit_key
from tests.stores.catalog.conftest import sql

QUESTION = "a" * 32


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    """A catalogue whose log is kept, in a folder of its own."""
    found = Kept(tmp_path / "data")
    await found.open()
    yield found
    await found.catalog.close()


class Kept:
    """A catalogue and the keeper of its log."""

    def __init__(self, data: Path) -> None:
        self.settings = load({"HOLDFAST_DATA": str(data), "HOLDFAST_AUDIT_SEND_TO": str(data.parent / "worm")})
        self.file = self.settings.checkpoints_file

    async def open(self) -> None:
        """Make the catalogue and the key."""
        self.settings.data_dir.mkdir()
        await upgrade(self.settings)
        audit_key.create(self.settings.audit_key_file)
        self.catalog = Catalog(self.settings.catalog_url)
        self.keeper = self.another()

    def another(self, days: int = 0) -> AuditLogKeeper:
        """A keeper that knows nothing of what was kept outside, as after a restart."""
        blobs = Blobs(self.settings.blobs_url)
        return AuditLogKeeper(
            self.catalog, self.settings.audit_key_file, places_of(self.settings, blobs), days, sign_seconds=0
        )

    async def write(self, count: int) -> None:
        """Write events of a question and others."""
        for number in range(count):
            await self.catalog.audit.note("ann", f"question.{number % 3}", QUESTION if number % 3 == 0 else None)

    async def turns(self, keeper: AuditLogKeeper | None = None) -> str | None:
        """Turns until nothing is left; what is wrong with the log."""
        keeper = keeper or self.keeper
        for _ in range(2):  # what was taken in one turn is signed in the next
            while await keeper.once():
                pass
        return await self.catalog.audit_log.problem()

    async def compare(self, *, repair: bool = True) -> list[str]:
        """What Reconcile's look through the log finds, in two words each."""
        found, after, scan = [], "", AuditLogActivities(self.catalog).check_audit_log
        while True:
            result = await scan(ScanInput(repair=repair, grace_seconds=0, after=after))
            found += [" ".join(each.split()[:2]) for finding in result.findings for each in finding.examples]
            if result.next is None:
                return found
            after = result.next

    async def backup(self) -> bytes:
        """The catalogue's file."""
        await sql(self.settings, "PRAGMA wal_checkpoint(TRUNCATE)")
        return (self.settings.data_dir / "catalog.db").read_bytes()

    async def restore(self, backup: bytes) -> None:
        """Put a backup in the place of the catalogue."""
        await self.catalog.close()
        for path in self.settings.data_dir.glob("catalog.db*"):
            path.unlink()
        (self.settings.data_dir / "catalog.db").write_bytes(backup)
        self.catalog = Catalog(self.settings.catalog_url)
        self.keeper = self.another()

    async def findings(self) -> list[str]:
        """The kinds of what the verification of an export finds."""
        return [each.kind for each in await self.verified()]

    async def verified(self) -> list[Finding]:
        """What the verification of an export finds, with the checkpoints from outside."""
        key = self.keeper.signing_key()
        assert key is not None
        path = self.settings.data_dir / "export"
        pages = self.catalog.audit_log.export(key.public.name)
        path.write_bytes(b"".join([encoded(page) async for page in pages]))
        return verify(path, [key.public], checkpoints_in(self.file)).findings


async def test_what_was_committed_is_signed_and_kept_outside(kept: Kept) -> None:
    """In the data folder, in the blob store and in a further file, with all leaves; also after a restart."""
    await kept.write(20)
    assert await kept.turns() is None
    await kept.write(5)
    assert await kept.turns(kept.another()) is None
    state = await kept.catalog.audit_log.state()
    assert (state.size, state.waiting) == (25, 0)
    for path in (kept.file, Path(kept.settings.audit.send_to)):
        records = checkpoints_in(path)
        assert [(each.first, len(each.added())) for each in records] == [(0, 20), (20, 5)]
    blobs = Blobs(kept.settings.blobs_url)
    assert sorted(await blobs.list("audit/checkpoints")) == [f"audit/checkpoints/{size:016d}" for size in (20, 25)]
    assert await kept.findings() == []
    assert kept.settings.audit_key_file.stat().st_mode & 0o777 == 0o600


async def test_a_rewritten_log_is_not_extended(kept: Kept) -> None:
    """Neither an older state of it, nor one with another leaf: it is told, and no event enters it any more."""
    await kept.write(10)
    await kept.turns()
    tiles = await sql(kept.settings, "SELECT hashes FROM audit_tiles")
    await sql(kept.settings, "UPDATE audit_tiles SET hashes = zeroblob(320)")
    await kept.write(3)
    assert "is not the one" in (await kept.turns(kept.another()) or "")
    assert (await kept.catalog.audit_log.state()).size == 10
    await sql(kept.settings, f"UPDATE audit_tiles SET hashes = x'{tiles[0][0].hex()}'")
    assert await kept.turns() is None
    await sql(kept.settings, "UPDATE audit_log SET size = 4")
    assert "old backup" in (await kept.turns(kept.another()) or "")


async def test_a_restored_backup_goes_on_once_it_is_declared(kept: Kept) -> None:
    """What the backup lacks is declared lost, signed; then the log goes on, and all that was signed before is valid."""
    await kept.write(10)
    await kept.turns()
    with pytest.raises(NothingLost):
        await kept.keeper.go_on("ann", "no reason")
    backup = await kept.backup()
    await kept.write(5)
    await kept.turns()
    before = checkpoints_in(kept.file)[-1]
    await kept.restore(backup)
    await kept.write(3)
    assert "holdfast audit continue" in (await kept.turns() or "")
    declared = await kept.keeper.go_on("ann", "the disk broke\u2028")
    assert (declared.kept, declared.size, declared.actor) == (10, 15, "ann")
    assert await kept.turns() is None
    assert (await kept.catalog.audit_log.state()).size == 19
    assert await kept.compare() == []
    assert [(each.kind, each.index, each.end) for each in await kept.verified()] == [("lost", 10, 15)]
    assert before in checkpoints_in(kept.file)
    await sql(kept.settings, "UPDATE audit_events SET actor = 'bob' WHERE log_index = 17")
    await sql(kept.settings, "DELETE FROM audit_events WHERE log_index = 8")
    assert [(each.kind, each.index) for each in await kept.verified()] == [
        ("lost", 10),
        ("missing", 8),
        ("changed", 17),
    ]
    await sql(kept.settings, "DELETE FROM audit_events WHERE log_index = 15")
    assert {each.kind for each in await kept.verified()} == {"missing", "changed"}
    assert await kept.compare() == ["event 8", *(f"event {at}" for at in range(10, 16)), "event 17"]


async def test_another_log_is_not_declared_an_older_state(kept: Kept) -> None:
    """Nor one whose lost events have no hashes outside: nothing is declared, and the log waits."""
    await kept.write(4)
    await kept.turns()
    backup = await kept.backup()
    await kept.write(5)
    await kept.turns()
    await kept.restore(backup)
    tiles = await sql(kept.settings, "SELECT hashes FROM audit_tiles")
    await sql(kept.settings, "UPDATE audit_tiles SET hashes = zeroblob(128)")
    with pytest.raises(OtherLog):
        await kept.keeper.go_on("ann", "a lie")
    await sql(kept.settings, f"UPDATE audit_tiles SET hashes = x'{tiles[0][0].hex()}'")
    without = kept.file.with_name("without")
    without.write_bytes(encoded([Signed(each.note) for each in checkpoints_in(kept.file)]))
    key = kept.keeper.signing_key()
    assert key is not None
    with pytest.raises(LeavesLost):
        await declare(kept.catalog.audit_log, key, [FilePlace(without)], "ann", "too little is known")
    assert (await kept.catalog.audit_log.state()).size == 4


async def test_reconcile_tells_events_that_differ_from_the_log(kept: Kept) -> None:
    """Changed ones, and hashes that were changed with them; one event in the trail for each new finding."""
    await kept.write(600)
    await kept.turns()
    assert await kept.compare() == []
    state = await kept.catalog.audit_log.state()
    assert (state.checked, state.check_ended_at is not None) == (600, True)
    await sql(kept.settings, "UPDATE audit_events SET actor = 'bob' WHERE log_index IN (7, 300)")
    assert await kept.compare(repair=False) == ["event 7", "event 300"]
    assert await kept.turns() is None
    for _ in range(2):
        assert await kept.compare() == ["event 7", "event 300"]
    assert "event 7" in (await kept.turns() or "")
    (told,) = [each for each in await kept.catalog.audit.page(None, 10) if each.action == "audit.differ"]
    assert (told.actor, told.object_type) == ("system", None)
    assert "2 in all" in told.detail["difference"]
    leaves = await sql(kept.settings, "SELECT hashes FROM audit_tiles WHERE level = 0 AND position = 0")
    for entry in await kept.catalog.audit_log.page(0, 600):
        assert isinstance(entry, Entry)
        if entry.index == 7:
            changed = leaves[0][0][: 7 * 32] + entry.computed() + leaves[0][0][8 * 32 :]
            await sql(
                kept.settings, f"UPDATE audit_tiles SET hashes = x'{changed.hex()}' WHERE level = 0 AND position = 0"
            )
    await sql(kept.settings, "UPDATE audit_events SET actor = 'ann' WHERE log_index = 300")
    assert await kept.compare() == ["the hashes"]
    await sql(kept.settings, "UPDATE audit_events SET actor = 'ann' WHERE log_index = 7")
    await sql(
        kept.settings, f"UPDATE audit_tiles SET hashes = x'{leaves[0][0].hex()}' WHERE level = 0 AND position = 0"
    )
    assert await kept.compare() == []
    assert await kept.turns() is None


async def test_only_the_platform_declares_events_lost(kept: Kept) -> None:
    """An event that somebody put into the catalogue stops the log; an attempt that was refused does not."""
    refused = NewEvent(actor="bob", action="audit.continue", outcome="refused")
    await kept.catalog.audit.append([refused])
    assert await kept.turns() is None
    assert await kept.findings() == []
    await kept.catalog.audit.note("bob", "audit.continue", declaration="a lie")
    assert "declares others lost" in (await kept.turns() or "")
    await sql(kept.settings, "DELETE FROM audit_events WHERE action = 'audit.continue' AND outcome = 'done'")
    assert await kept.turns() is None


async def test_another_key_does_not_go_on_with_the_log(kept: Kept) -> None:
    """A log whose last checkpoint is by a key that is gone is not signed anew."""
    await kept.write(3)
    await kept.turns()
    kept.settings.audit_key_file.unlink()
    audit_key.create(kept.settings.audit_key_file)
    assert "not signed by this key" in (await kept.turns(kept.another()) or "")


async def test_what_is_past_its_time_is_dropped_and_anchored(kept: Kept) -> None:
    """Whole tiles of old events, but none of a knowledge base under a hold; the rest verifies, and goes on."""
    await kept.write(600)
    await kept.turns()
    await sql(kept.settings, "UPDATE audit_events SET at = '2020-01-01 00:00:00' WHERE log_index < 580")
    assert await kept.turns(kept.another(days=30)) is None
    state = await kept.catalog.audit_log.state()
    assert (state.first, state.anchor is not None) == (512, True)
    (event,) = [each for each in await kept.catalog.audit.page(None, 10) if each.action == "audit.expire"]
    assert event.detail["events"] == 512
    await kept.write(5)
    assert await kept.turns(kept.another()) is None
    assert set(await kept.findings()) == {"changed"}  # the times that this test changed


async def test_a_hold_that_is_set_while_events_are_dropped_keeps_them(kept: Kept) -> None:
    """What may be dropped was counted before the hold, which the drop respects all the same."""
    held = await kept.catalog.knowledge_bases.create("held", "", "", Chunking(), "ann")
    await kept.write(300)
    await kept.turns()
    before = datetime.now(UTC) + timedelta(days=1)
    size = await kept.catalog.log_retention.droppable(before)
    await kept.catalog.holds.set(held.name, "a lawsuit", "ann")
    await kept.catalog.log_retention.drop(size, "anchor", before)
    assert (size, (await kept.catalog.audit_log.state()).first) == (256, 0)
    assert await kept.catalog.log_retention.droppable(before) == 0
    await kept.catalog.holds.remove(held.name, "it is over", "ann")
    await kept.catalog.log_retention.drop(size, "anchor", before)
    assert (await kept.catalog.audit_log.state()).first == 256


async def test_a_clock_that_went_back_stops_no_log(kept: Kept) -> None:
    """Another process keeps the log for its time at most, not until the clock has its old time again."""
    log = kept.catalog.audit_log
    assert await log.keep("one", 90)
    assert not await log.keep("two", 90)
    await sql(kept.settings, "UPDATE audit_log SET kept_until = '2100-01-01 00:00:00'")
    assert await log.keep("two", 90)
    assert not await log.keep("one", 90)


def verifier() -> ModuleType:
    """``docs/verify_proof.py`` as a module."""
    path = Path(__file__).parents[3] / "docs" / "verify_proof.py"
    assert len(path.read_text().splitlines()) <= 150
    spec = importlib.util.spec_from_file_location("verify_proof", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def changes(proof: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Ways to change a proof, by the reason for which it is refused."""

    def with_entry(**more: Any) -> dict[str, Any]:
        return {**proof, "entries": [{**proof["entries"][0], **more}, *proof["entries"][1:]]}

    entry = proof["entries"][0]
    note = proof["checkpoint"]
    return {
        "an event was changed": with_entry(facts=entry["facts"].replace("ann", "bob")),
        "was changed, or is not in this log": with_entry(text='{"detail":{}}'),
        "changed, or is not in this": {**proof, "entries": [{**entry, "index": 1}, *proof["entries"][1:]]},
        "a place that the log does not have": with_entry(index=10**6),
        "not by this key, or its text": {**proof, "checkpoint": note.replace(note.split("\n")[1], "31", 1)},
        "hashes are missing": {**proof, "hashes": proof["hashes"][:-1]},
        "too many hashes": {**proof, "hashes": [*proof["hashes"], proof["hashes"][0]]},
        "not of this question": {**proof, "question": "b" * 32},
        "proves no event": {**proof, "entries": []},
        "order of the log": {**proof, "entries": proof["entries"][::-1]},
    }


async def test_a_proof_is_verified_without_this_platform(kept: Kept) -> None:
    """By the program in docs, which refuses each change of it with a reason; it has at most 20 KB."""
    await kept.write(30)
    await kept.turns()
    key = kept.keeper.signing_key()
    assert key is not None
    file = msgspec.json.encode(await question_proof(kept.catalog.audit_log, kept.keeper, QUESTION))
    check = verifier()
    lines = check.verify(json.loads(file), key.public.text)
    assert len(lines) == 11
    for reason, changed in changes(json.loads(file)).items():
        with pytest.raises(check.Refused, match=reason):
            check.verify(changed, key.public.text)


async def test_a_proof_of_a_question_with_many_events_has_its_important_ones(kept: Kept) -> None:
    """At most 20 KB: what was done, then the newest reads; the file says how many events it leaves out."""
    for number in range(120):
        action = "question.ask" if number == 5 else "question.feedback" if number % 20 == 0 else "question.read"
        await kept.catalog.audit.note("ann" * 20, action, QUESTION, text="问题" * 20)
        await kept.catalog.audit.note("bob", "audit.list")
    await kept.turns()
    key = kept.keeper.signing_key()
    assert key is not None
    found = await question_proof(kept.catalog.audit_log, kept.keeper, QUESTION)
    file = msgspec.json.encode(found)
    assert 15_000 < len(file) <= MAX_BYTES
    actions = [json.loads(each.facts)["action"] for each in found.entries]
    assert (actions.count("question.ask"), actions.count("question.feedback")) == (1, 6)
    assert found.left_out + len(actions) == 120
    lines = verifier().verify(json.loads(file), key.public.text)
    assert f"{found.left_out} more events" in lines[-1]
