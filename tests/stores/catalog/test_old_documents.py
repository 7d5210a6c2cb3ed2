"""Documents that were uploaded long ago: which a retention deletes, and which it leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from activities.contracts.retention import ExpiredInput, UnpublishExpiredInput
from activities.contracts.schedules import RetentionOptions
from activities.settings import Settings
from activities.stores.catalog import old_documents as module
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase
from activities.stores.catalog.tables import VersionRow
from tests.stores.catalog.conftest import TWO, accepted, created, sql

CUTOFF = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
async def ids(catalog: Catalog, kb: KnowledgeBase, settings: Settings) -> dict[str, str]:
    """Documents by name: three of before the cutoff, oldest first, two of after it, one of another place."""
    other = await created(catalog, "other")
    days = {"Minutes/1.md": -30, "minutes/2.md": -20, "notes.md": -10, "minutes/3.md": 0, "new.md": 10}
    found = {}
    for name, day in {**days, "elsewhere.md": -30}.items():
        found[name] = await accepted(catalog, other if name == "elsewhere.md" else kb, name)
        uploaded = update(VersionRow).values(created_at=CUTOFF + timedelta(days=day))
        await sql(settings, uploaded.where(VersionRow.document_id == found[name]))
    return found


def asked(kb: KnowledgeBase, limit: int = 10, after: str = "", **options: Any) -> ExpiredInput:
    """What a retention asks."""
    chosen = RetentionOptions(days=1, **options)
    return ExpiredInput(knowledge_base_id=kb.id, cutoff=CUTOFF, options=chosen, limit=limit, after=after)


async def names(catalog: Catalog, input: ExpiredInput) -> list[str]:
    """The names of a page."""
    return [document.name for document in (await catalog.old_documents.page(input)).documents]


async def test_what_is_older_is_to_go(catalog: Catalog, kb: KnowledgeBase, ids: dict[str, str]) -> None:
    """Oldest first, page by page, of this knowledge base only."""
    counted = await catalog.old_documents.count(asked(kb))
    assert (counted.documents, counted.matching, counted.expired) == (5, 5, 3)
    assert counted.share() == 3 / 5
    first = await catalog.old_documents.page(asked(kb, 2))
    assert [document.name for document in first.documents] == ["Minutes/1.md", "minutes/2.md"]
    assert first.next is not None
    second = await catalog.old_documents.page(asked(kb, 2, first.next))
    assert [document.name for document in second.documents] == ["notes.md"]
    assert second.next is None


async def test_a_long_list_is_read_in_pages(
    catalog: Catalog, kb: KnowledgeBase, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is passed over where a page of the database ends."""
    monkeypatch.setattr(module, "PAGE", 1)
    assert (await catalog.old_documents.count(asked(kb))).expired == 3
    assert len(await names(catalog, asked(kb))) == 3


async def test_a_filter_is_exact(catalog: Catalog, kb: KnowledgeBase, ids: dict[str, str]) -> None:
    """A glob on the whole name, in upper and lower case as it stands, and a tag."""
    assert await names(catalog, asked(kb, names="minutes/*")) == ["minutes/2.md"]
    assert await names(catalog, asked(kb, names="*inutes/?.md")) == ["Minutes/1.md", "minutes/2.md"]
    assert await names(catalog, asked(kb, names="%")) == []
    await catalog.documents.tag(ids["notes.md"], ["draft"], "ann")
    assert await names(catalog, asked(kb, tag="draft")) == ["notes.md"]
    counted = await catalog.old_documents.count(asked(kb, tag="draft"))
    assert (counted.documents, counted.matching, counted.expired) == (5, 1, 1)


@pytest.mark.parametrize(("keep", "expired"), [(0, 3), (2, 3), (3, 2), (5, 0), (9, 0)])
async def test_the_newest_stay(
    catalog: Catalog, kb: KnowledgeBase, ids: dict[str, str], keep: int, expired: int
) -> None:
    """Of those that match, so many, however old."""
    assert (await catalog.old_documents.count(asked(kb, keep_at_least=keep))).expired == expired
    assert len(await names(catalog, asked(kb, keep_at_least=keep))) == expired


async def test_what_was_replaced_meanwhile_stays(catalog: Catalog, kb: KnowledgeBase, ids: dict[str, str]) -> None:
    """And what lost its tag, and what is of another knowledge base; a second call names the same."""
    for name in ("Minutes/1.md", "minutes/2.md"):
        await catalog.documents.tag(ids[name], ["draft"], "ann")
    await accepted(catalog, kb, "minutes/2.md", TWO)
    input = UnpublishExpiredInput(
        knowledge_base_id=kb.id, knowledge_base=kb.name, cutoff=CUTOFF, options=RetentionOptions(days=1, tag="draft"),
        document_ids=list(ids.values()), actor="ann",
    )  # fmt: skip
    for _ in range(2):
        assert await catalog.old_documents.unpublish(input) == [(ids["Minutes/1.md"], "Minutes/1.md")]
    assert len(await catalog.documents.page(kb.id, None, None, 10)) == 4
    deleted = await catalog.audit.page(None, 10, action="document.delete")
    assert [event.detail["name"] for event in deleted] == ["Minutes/1.md"]
