"""Upload requests: accepted as a whole or not at all, once for each idempotency key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from activities.errors import ContentBeingRemoved, HoldfastError, KeyReused, NotFound, WrongState
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import (
    Accepted,
    Answered,
    IdempotencyKey,
    KnowledgeBase,
    NewBatch,
    Upload,
    UploadRequest,
)
from tests.stores.catalog.conftest import MISSING, ONE, TWO, accepted, sql

FILES = NewBatch(name="files", parallelism=4)
ARCHIVE = NewBatch(name="a.zip", parallelism=4, archive_sha256=ONE)


@pytest.fixture
async def other(settings: Settings) -> AsyncIterator[Catalog]:
    """The catalogue as another API process uses it."""
    catalog = Catalog(settings.catalog_url)
    yield catalog
    await catalog.close()


def respond(accepted: list[Accepted], batch_id: str | None) -> dict[str, object]:
    """An answer."""
    return {"documents": [each.document.id for each in accepted], "batch": batch_id}


def request(
    kb: KnowledgeBase,
    *names: str,
    key: str | None = None,
    fingerprint: str = "f",
    new_batch: NewBatch | None = None,
    open_batch: str | None = None,
    sha256: str = ONE,
) -> UploadRequest:
    """A request of ann's with files of these names."""
    return UploadRequest(
        knowledge_base_id=kb.id,
        actor="ann",
        uploads=[
            Upload(knowledge_base_id=kb.id, name=name, sha256=sha256, bytes=7, actor="ann") for name in names
        ],
        respond=respond,
        open_batch=open_batch,
        new_batch=new_batch,
        key=IdempotencyKey(actor="ann", key=key, fingerprint=fingerprint) if key else None,
    )  # fmt: skip


async def asked(catalog: Catalog, *requests: UploadRequest) -> list[Answered | HoldfastError]:
    """What the catalogue says to requests of one transaction."""
    return await catalog.intake.accept_requests(requests)


async def answers(catalog: Catalog, *requests: UploadRequest) -> list[Answered]:
    """The answers to requests that are accepted."""
    found = await asked(catalog, *requests)
    assert all(isinstance(each, Answered) for each in found), found
    return [each for each in found if isinstance(each, Answered)]


async def test_one_key_at_once_through_two_processes_is_one_batch(
    settings: Settings, catalog: Catalog, other: Catalog, kb: KnowledgeBase
) -> None:
    """Every repetition of an archive gets the first answer."""
    tries = [answers(each, request(kb, key="k", new_batch=ARCHIVE)) for each in [catalog, other] * 6]
    found = [answered for (answered,) in await asyncio.gather(*tries)]
    assert len({str(each.answer) for each in found}) == 1
    assert sorted(each.repeated for each in found) == [False] + [True] * 11
    assert await sql(settings, "SELECT count(*) FROM batches") == [(1,)]
    assert await sql(settings, "SELECT count(*) FROM idempotency_keys") == [(1,)]


async def test_one_archive_at_once_through_two_processes_is_accepted_each_time(
    catalog: Catalog, other: Catalog, kb: KnowledgeBase
) -> None:
    """Without a key each is a batch; none fails because the other was first with the content."""
    tries = [answers(each, request(kb, new_batch=ARCHIVE)) for each in [catalog, other] * 6]
    found = [answered for (answered,) in await asyncio.gather(*tries)]
    assert len({each.batch_id for each in found}) == 12


async def test_equal_requests_of_one_transaction_are_one(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase
) -> None:
    """The key is known to the second one already; another request with the key is refused."""
    files = request(kb, "a.pdf", "b.pdf", key="k", new_batch=FILES)
    first, second, third = await asked(catalog, files, files, msgspec.structs.replace(
        files, key=IdempotencyKey(actor="ann", key="k", fingerprint="other")))  # fmt: skip
    assert isinstance(first, Answered)
    assert isinstance(second, Answered)
    assert (first.repeated, second.repeated, second.answer) == (False, True, first.answer)
    assert isinstance(third, KeyReused)
    assert await sql(settings, "SELECT count(*) FROM versions") == [(2,)]


async def test_a_refused_request_leaves_nothing(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """Neither a document, nor a batch, nor its key; others of the same transaction are accepted."""
    removed = await accepted(catalog, kb, "old.pdf", TWO)
    await catalog.documents.delete(removed, "ann")
    assert await catalog.content_locks.begin_removal(TWO, removed)
    mixed = request(kb, "a.pdf", key="k", new_batch=FILES)
    mixed.uploads.append(request(kb, "b.pdf", sha256=TWO).uploads[0])
    nowhere = msgspec.structs.replace(request(kb, "a.pdf"), knowledge_base_id=MISSING)
    fine = request(kb, "c.pdf")
    found = await asked(catalog, mixed, nowhere, fine)
    assert [type(each) for each in found] == [ContentBeingRemoved, NotFound, Answered]
    assert await sql(settings, "SELECT name FROM documents WHERE deleted_at IS NULL") == [("c.pdf",)]
    assert await sql(settings, "SELECT count(*) FROM batches") == [(0,)]
    assert await sql(settings, "SELECT count(*) FROM idempotency_keys") == [(0,)]
    await catalog.content_locks.end_removal(TWO)
    (again,) = await answers(catalog, mixed)
    assert (again.repeated, again.created) == (False, 2)


async def test_a_batch_is_made_for_new_versions_only(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """Unchanged files make none; one new version among them makes one, with that version in it."""
    (first,) = await answers(catalog, request(kb, "a.pdf", "b.pdf", new_batch=FILES))
    (second,) = await answers(catalog, request(kb, "a.pdf", "b.pdf", new_batch=FILES))
    (third,) = await answers(catalog, request(kb, "a.pdf", "c.pdf", new_batch=FILES))
    assert (first.created, second.created, third.created) == (2, 0, 1)
    assert second.batch_id is None
    joined = await sql(settings, "SELECT batch_id, count(*) FROM versions GROUP BY batch_id ORDER BY batch_id")
    assert joined == [(first.batch_id, 2), (third.batch_id, 1)]


async def test_files_join_a_batch_that_is_open(catalog: Catalog, kb: KnowledgeBase) -> None:
    """A closed one refuses them, and so does one that is gone."""
    batch = await catalog.batches.create(kb.id, "files", 4, "ann", closed=False)
    (joined,) = await answers(catalog, request(kb, "a.pdf", open_batch=batch.id))
    assert joined.batch_id == batch.id
    assert (await catalog.batches.counts(batch.id)) == {"queued": 1}
    await catalog.batches.close(batch.id, "ann")
    found = await asked(catalog, request(kb, "b.pdf", open_batch=batch.id), request(kb, "c.pdf", open_batch=MISSING))
    assert [type(each) for each in found] == [WrongState, NotFound]


async def test_a_batch_that_is_being_canceled_takes_nothing_more(catalog: Catalog, kb: KnowledgeBase) -> None:
    """It ends later, when its runs have; what joined it meanwhile would never be started."""
    batch = await catalog.batches.create(kb.id, "open", 4, "ann", closed=False)
    await answers(catalog, request(kb, "a.pdf", open_batch=batch.id))
    await catalog.batches.cancel_queued(batch.id)
    (refused,) = await asked(catalog, request(kb, "b.pdf", open_batch=batch.id))
    assert isinstance(refused, WrongState)
    assert await catalog.batches.counts(batch.id) == {"canceled": 1}


async def test_thousands_of_uploads_are_one_transaction(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Neither database has a limit that a large request reaches."""
    names = [f"{n}.pdf" for n in range(4000)]
    (first,) = await answers(catalog, request(kb, *names))
    (second,) = await answers(catalog, request(kb, *names))
    assert (first.created, second.created) == (4000, 0)
