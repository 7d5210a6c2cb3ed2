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
from activities.errors import NotFound, NotSignedYet, OnHold
from activities.settings import Settings
from activities.stores.catalog.bulk_changes import BulkRequested
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase
from activities.stores.catalog.tables import AuditRow
from tests.conftest import assert_eventually
from tests.stores.catalog.conftest import accepted, sql
from tests.stores.catalog.test_conversations import asked, events

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
    (entry,) = proof.entries
    root = await catalog.audit_log.root(300)
    assert (entry.index, proof.size, len(proof.hashes)) == (255, 300, 9)
    assert tree.root_from_proof({255: entry.computed()}, 300, proof.hashes) == root
    with pytest.raises(NotFound):
        await catalog.audit_log.prove(event_id="f" * 32)
    with pytest.raises(NotSignedYet):
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
    assert await log.keep("a", 3)
    assert await log.keep("a", 3)
    assert not await log.keep("b", 60)
    await assert_eventually(lambda: log.keep("b", 60), seconds=30)


async def test_a_deleted_conversation_is_erased_and_still_proven(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase, key: SigningKey, tmp_path: Path
) -> None:
    """Its events lose text and salt, and the deletion names them: told from one that lost them otherwise."""
    question = await asked(catalog, kb, "Why?")
    other = await asked(catalog, kb, "How?")
    while await catalog.audit_log.append():
        pass
    await catalog.conversations.delete(question.conversation_id, "ann")
    (deleted,) = await events(catalog, action="conversation.delete")
    (ask,) = [each for each in await events(catalog, action="question.ask") if each.object_id == question.id]
    assert deleted.detail == {"questions": 1, "erased_events": [ask.id]}
    assert ask.detail == {}
    while await catalog.audit_log.append():
        pass
    await sign(catalog, key)
    assert [kind for kind, _, _ in await findings(catalog, key, tmp_path)] == ["erased"]
    await sql(settings, f"UPDATE audit_events SET text_hash = text_salt || text_salt WHERE object_id = '{other.id}'")
    found = {kind for kind, _, _ in await findings(catalog, key, tmp_path)}
    assert found == {"erased", "erased_unrecorded", "changed"}


async def test_nothing_of_a_held_knowledge_base_is_deleted(catalog: Catalog, kb: KnowledgeBase) -> None:
    """No document, conversation or version, and not itself, until the hold ends; both are in the trail."""
    document, question = await accepted(catalog, kb), await asked(catalog, kb, "Why?")
    await catalog.holds.set(kb.name, "A lawsuit", "eve")
    whole = BulkRequested(knowledge_base_id=kb.id, action="delete", actor="ann", ids=[document])
    for refused in (
        lambda: catalog.documents.delete(document, "ann"),
        lambda: catalog.conversations.delete(question.conversation_id, "ann"),
        lambda: catalog.knowledge_bases.delete(kb.name, "ann"),
        lambda: catalog.bulk_changes.create(whole),
    ):
        with pytest.raises(OnHold):
            await refused()
    assert [(each.knowledge_base, each.reason) for each in await catalog.holds.all()] == [(kb.name, "A lawsuit")]
    await catalog.holds.remove(kb.name, "It ended", "eve")
    with pytest.raises(NotFound):
        await catalog.holds.remove(kb.name, "It ended", "eve")
    await catalog.conversations.delete(question.conversation_id, "ann")
    await catalog.documents.delete(document, "ann")
    assert [each.action for each in await events(catalog, action="hold")] == ["hold.set", "hold.remove"]
