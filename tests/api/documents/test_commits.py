"""Uploads at once share transactions: of bounded size, and without sharing errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy.exc import IntegrityError

from activities.contracts.documents import Chunking
from activities.errors import HoldfastError
from activities.settings import load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.intake import Intake
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import Answered, NewBatch, Upload, UploadRequest
from activities.telemetry import carried, origin
from activities.telemetry.origin import Origin
from api.documents.uploads import COMMIT_UPLOADS, Commits


class CountedIntake(Intake):
    """The catalogue's intake, with the number of requests of each transaction."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(catalog._engine)
        self.sizes: list[int] = []

    async def accept_requests(self, requests: Sequence[UploadRequest]) -> list[Answered | HoldfastError]:
        """As the intake does."""
        self.sizes.append(len(requests))
        return await super().accept_requests(requests)


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    """A catalogue on SQLite."""
    settings = load({"HOLDFAST_DATA": str(tmp_path)})
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    yield catalog
    await catalog.close()


async def requests(catalog: Catalog, count: int) -> list[UploadRequest]:
    """Requests of one file each."""
    kb = await catalog.knowledge_bases.create("handbook", "", "", Chunking(), "ann")
    return [
        UploadRequest(
            knowledge_base_id=kb.id,
            actor="ann",
            uploads=[Upload(knowledge_base_id=kb.id, name=f"{n}.pdf", sha256=f"{n:064}", bytes=7, actor="ann")],
            respond=lambda accepted, _: accepted[0].document.name,
        )
        for n in range(count)
    ]


async def test_a_transaction_has_a_bounded_number_of_uploads(catalog: Catalog) -> None:
    """Each request gets its own answer."""
    intake = CountedIntake(catalog)
    commits = Commits(intake)
    answered = await asyncio.gather(*(commits.accept(each) for each in await requests(catalog, 1200)))
    assert [each.answer for each in answered] == [f"{n}.pdf" for n in range(1200)]
    assert sum(intake.sizes) == 1200
    assert max(intake.sizes) <= COMMIT_UPLOADS
    assert len(intake.sizes) <= 4


async def test_requests_of_one_transaction_stay_apart(catalog: Catalog) -> None:
    """Audit events and runs are of the request that asked for them, not of the one that began the transaction."""
    commits, sent = Commits(catalog.intake), await requests(catalog, 4)

    async def accept(number: int) -> None:
        with origin.of(Origin(request_id=f"{number:032}", address=f"192.0.2.{number}")):
            made = structs.replace(sent[number], origin=origin.current(), carried=carried.current())
            if number == 3:
                made = structs.replace(made, new_batch=NewBatch(name="scans", parallelism=2))
            await commits.accept(made)

    await asyncio.gather(*map(accept, range(4)))
    started = {each.document_name: each.request for each in await catalog.intake.undispatched(10)}
    assert started == {f"{n}.pdf": f"{n:032}" for n in range(3)}
    [batch] = await catalog.batches.undispatched()
    assert batch.request == f"{3:032}"
    events = await catalog.audit.page(None, 10, action="document.upload")
    assert {(each.object_name, each.request_id, each.address) for each in events} == {
        (f"{n}.pdf", f"{n:032}", f"192.0.2.{n}") for n in range(4)
    }


async def test_a_request_that_cannot_be_accepted_fails_alone(catalog: Catalog) -> None:
    """Whatever is wrong with one, the others of its transaction are accepted."""
    commits = Commits(catalog.intake)
    sent = await requests(catalog, 3)
    sent[1].uploads[0] = Upload(
        knowledge_base_id=sent[1].knowledge_base_id, name="b.pdf", sha256="1" * 64, bytes=7, actor="ann", batch_id="no"
    )
    found = await asyncio.gather(*(commits.accept(each) for each in sent), return_exceptions=True)
    assert [type(each) for each in found] == [Answered, IntegrityError, Answered]
