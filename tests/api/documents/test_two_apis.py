"""Uploads through two API processes at once: one catalogue, one blob store, and one answer for one request."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from litestar.datastructures import UploadFile

from activities.contracts.documents import Chunking
from activities.errors import KeyReused, NotFound, WrongState
from activities.runtime.temporal import connect
from activities.settings import ApiSettings, TemporalSettings
from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase
from api.background.dispatcher import Dispatcher
from api.documents.schemas import UploadAccepted
from api.documents.uploads import Uploads
from workflows.client.jobs import Jobs

ARCHIVE = io.BytesIO()
with zipfile.ZipFile(ARCHIVE, "w") as archive:
    archive.writestr("a.txt", "Employees may carry over five days of leave.")


@pytest.fixture
async def catalogs(postgresql_url: str) -> AsyncIterator[tuple[Catalog, Catalog]]:
    """The catalogue as each API uses it."""
    pair = Catalog(postgresql_url), Catalog(postgresql_url)
    yield pair
    for catalog in pair:
        await catalog.close()


@pytest.fixture
async def apis(
    catalogs: tuple[Catalog, Catalog], temporal_server: TemporalSettings, tmp_path: Path
) -> tuple[Uploads, Uploads]:
    """The uploads of two APIs, whose dispatchers do not run."""
    jobs = Jobs(await connect(temporal_server))
    blobs = Blobs((tmp_path / "blobs").as_uri())
    one, two = (
        Uploads(blobs, catalog, jobs, Dispatcher(catalog, jobs), ApiSettings()) for catalog in catalogs
    )  # fmt: skip
    return one, two


@pytest.fixture
async def kb(catalogs: tuple[Catalog, Catalog]) -> KnowledgeBase:
    """A knowledge base."""
    return await catalogs[0].knowledge_bases.create("handbook", "", "", Chunking(), "ann")


async def send(
    api: Uploads, kb: KnowledgeBase, files: dict[str, bytes], batch_id: str | None = None, key: str | None = None
) -> UploadAccepted:
    """Upload the files of a form."""
    form = [
        UploadFile(content_type="application/octet-stream", filename=name, file_data=content)
        for name, content in files.items()
    ]
    try:
        return await api.accept(kb, form, "ann", batch_id, key)
    finally:
        for file in form:
            file.file.close()


async def test_an_archive_with_one_key_is_one_batch(
    catalogs: tuple[Catalog, Catalog], apis: tuple[Uploads, Uploads], kb: KnowledgeBase
) -> None:
    """However often and wherever the request is repeated while the first is under way."""
    answers = await asyncio.gather(*(send(api, kb, {"a.zip": ARCHIVE.getvalue()}, key="key") for api in apis * 6))
    assert {answer.batch_id for answer in answers} == {answers[0].batch_id}
    assert [batch.id for batch in await catalogs[0].batches.page(kb.id, None, 9)] == [answers[0].batch_id]
    with pytest.raises(KeyReused):
        await send(apis[1], kb, {"b.txt": b"other"}, key="key")


async def test_archives_without_a_key_are_batches(apis: tuple[Uploads, Uploads], kb: KnowledgeBase) -> None:
    """None is refused because another API is first with the content."""
    answers = await asyncio.gather(*(send(api, kb, {"a.zip": ARCHIVE.getvalue()}) for api in apis * 6))
    assert len({answer.batch_id for answer in answers}) == 12


async def test_files_at_once_are_one_version_each(
    catalogs: tuple[Catalog, Catalog], apis: tuple[Uploads, Uploads], kb: KnowledgeBase, tmp_path: Path
) -> None:
    """Their bytes are there; the request that was first has the batch, and the others none."""
    files = {"a.txt": b"one", "b.txt": b"two"}
    answers = await asyncio.gather(*(send(api, kb, files) for api in apis * 6))
    assert len({tuple(document.id for document in answer.documents) for answer in answers}) == 1
    assert sum(answer.batch_id is not None for answer in answers) == 1
    assert {document.version for answer in answers for document in answer.documents} == {1}
    blobs = Blobs((tmp_path / "blobs").as_uri())
    for document in await catalogs[0].documents.page(kb.id, None, None, 9):
        assert await blobs.get(original_key(document.sha256)) == files[document.name]


async def test_a_batch_is_joined_while_it_is_open(
    catalogs: tuple[Catalog, Catalog], apis: tuple[Uploads, Uploads], kb: KnowledgeBase
) -> None:
    """Its documents name it; closed through one API, it is closed for the other."""
    batch = await catalogs[0].batches.create(kb.id, "files", 4, "ann", closed=False)
    answer = await send(apis[1], kb, {"a.txt": b"one"}, batch.id)
    assert (answer.batch_id, answer.documents[0].batch_id) == (batch.id, batch.id)
    await catalogs[0].batches.close(batch.id, "ann")
    with pytest.raises(WrongState):
        await send(apis[1], kb, {"b.txt": b"two"}, batch.id)
    await catalogs[0].knowledge_bases.delete(kb.name, "ann")
    with pytest.raises(NotFound):
        await send(apis[1], kb, {"c.txt": b"three"})
