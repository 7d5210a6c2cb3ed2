"""The Milvus client against the platform's real Milvus: rows, counts, both searches, and outages."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import msgspec
import numpy as np
import pytest
from pymilvus import AsyncMilvusClient

from activities.errors import MilvusUnavailable
from activities.settings import MilvusSettings
from activities.stores.catalog.tables import new_id
from activities.stores.collection import MAX_TEXT_BYTES, schema
from activities.stores.milvus import GRPC_OPTIONS, Hit, Milvus, Row, Scope, _stored
from activities.stores.places import Place
from activities.stores.vectors import Vectors
from tests.conftest import Platform
from tests.ports import free_port

DIMENSION = 8
ONE, TWO = "a" * 32, "b" * 32
MISSING = "kb_missing_g1"

TEXTS = [
    "Employees may carry over five days of unused annual leave.",
    "The visa fee is paid by the company once a year.",
    "外籍员工的签证费用由公司承担，每年最多报销一次。",
    "年假最多可以结转五天到下一年。",
    "使用 Kubernetes 部署时，请先配置 GPU 节点的驱动程序。",
    "Backups of the database are encrypted and kept for ninety days.",
]


@pytest.fixture
async def milvus(platform: Platform) -> AsyncIterator[Milvus]:
    """A client of the platform's Milvus."""
    milvus = Milvus(platform.settings.milvus)
    yield milvus
    await milvus.close()


@pytest.fixture(params=["", "@shared_of_tests"], ids=["own", "shared"])
async def collection(milvus: Milvus, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A fresh generation, in a collection of its own or in a shared one; dropped afterwards."""
    name = f"kb_{new_id()}_g1{request.param}"
    await milvus.create(name, DIMENSION)
    yield name
    await milvus.drop(name)


def vectors(count: int, first: int = 0) -> Vectors:
    """Unit vectors, each along an axis of its own."""
    return np.eye(DIMENSION, dtype=np.float32)[first : first + count]


def rows(texts: Sequence[str], document_id: str = ONE, version: int = 1) -> list[Row]:
    """Rows of a document's texts."""
    return [
        Row(
            id=f"{document_id}:{version}:{n}",
            document_id=document_id,
            version=version,
            ordinal=n,
            page=n,
            section="Handbook › 手册",
            text=text,
        )
        for n, text in enumerate(texts)
    ]


def ids(hits: Sequence[Hit]) -> list[str]:
    """Ids of the rows that were found."""
    return [hit.row.id for hit in hits]


async def test_creating_a_collection_again_changes_nothing(milvus: Milvus, collection: str) -> None:
    """Its rows stay, also when several workers create it concurrently."""
    await milvus.upsert(collection, rows(TEXTS[:1]), vectors(1))
    await milvus.create(collection, DIMENSION)
    await asyncio.gather(*(milvus.create(collection, DIMENSION) for _ in range(3)))
    assert Place.parse(collection).collection in await milvus.collections()
    assert await milvus.count(collection) == 1


async def test_a_collection_created_by_several_at_once_is_there(milvus: Milvus) -> None:
    """No creator fails."""
    name = f"kb_{new_id()}_g1"
    await asyncio.gather(*(milvus.create(name, DIMENSION) for _ in range(4)))
    assert name in await milvus.collections()
    await milvus.drop(name)


async def test_a_context_is_found_and_is_no_text(milvus: Milvus, collection: str) -> None:
    """BM25 finds a row by its context; rows with and without one stand side by side, as in an upgraded collection."""
    plain = rows(TEXTS[:2])
    named = [msgspec.structs.replace(row, context="handbook norway › Parking") for row in rows(TEXTS[:2], TWO)]
    await milvus.upsert(collection, [*plain, *named], vectors(4))
    found = [hit.row for hit in await milvus.search_keyword(collection, "parking in Norway", 5)]
    assert sorted(found, key=lambda row: row.id) == named
    ids = [row.id for row in (*plain, *named)]
    assert list((await milvus.rows(collection, ids)).values()) == [*plain, *named]


async def test_dropping_is_idempotent(milvus: Milvus) -> None:
    """A dropped collection does not exist, and can be dropped again."""
    name = f"kb_{new_id()}_g1"
    await milvus.create(name, DIMENSION)
    for _ in range(2):
        await milvus.drop(name)
        assert name not in await milvus.collections()


async def test_writing_twice_is_writing_once(milvus: Milvus, collection: str) -> None:
    """Rows of the same ids are replaced, with their text and their vector."""
    await milvus.upsert(collection, rows(TEXTS[:3]), vectors(3))
    await milvus.upsert(collection, rows(TEXTS[:3]), vectors(3))
    assert await milvus.count(collection) == 3
    await milvus.upsert(collection, rows(["Completely rewritten."]), vectors(1, first=7))
    assert await milvus.count(collection) == 3
    (hit,) = await milvus.search_dense(collection, vectors(1, first=7)[0], 1)
    assert hit.row.text == "Completely rewritten."
    assert await milvus.search_keyword(collection, "unused annual leave", 3) == []


async def test_rows_are_counted_and_deleted_by_document_and_version(milvus: Milvus, collection: str) -> None:
    """A version, a document or all; deleting removes exactly those, and deleting nothing is no error."""
    await milvus.upsert(collection, rows(TEXTS[:2]), vectors(2))
    await milvus.upsert(collection, rows(TEXTS[:3], version=2), vectors(3))
    await milvus.upsert(collection, rows(TEXTS[:1], TWO), vectors(1))

    async def counts() -> list[int]:
        pairs: list[tuple[str | None, int | None]] = [(None, None), (ONE, None), (ONE, 1), (ONE, 2), (TWO, None)]
        return [await milvus.count(collection, document_id, version) for document_id, version in pairs]

    assert await counts() == [6, 5, 2, 3, 1]
    for _ in range(2):
        await milvus.delete(collection, ONE, 1)
        assert await counts() == [4, 3, 0, 3, 1]
    await milvus.delete(collection, "c" * 32)
    await milvus.delete(collection, ONE)
    assert await counts() == [1, 0, 0, 0, 1]


async def test_rows_that_are_partly_there_are_written_once(milvus: Milvus, collection: str) -> None:
    """An interrupted write is completed, without duplicate rows."""
    await milvus.upsert(collection, rows(TEXTS[:2]), vectors(2))
    await milvus.upsert(collection, rows(TEXTS[:4]), vectors(4))
    assert await milvus.count(collection) == 4
    assert sorted(ids(await milvus.search_dense(collection, vectors(1)[0], 9))) == [f"{ONE}:1:{n}" for n in range(4)]


async def test_a_collection_that_another_client_dropped_is_made_again(
    milvus: Milvus, collection: str, platform: Platform
) -> None:
    """A client's cached state of a collection lasts until a call contradicts it."""
    other = Milvus(platform.settings.milvus)
    await other.drop(Place.parse(collection).collection)
    await other.close()
    with pytest.raises(KeyError):
        await milvus.upsert(collection, rows(TEXTS[:1]), vectors(1))
    await milvus.create(collection, DIMENSION)
    await milvus.upsert(collection, rows(TEXTS[:1]), vectors(1))
    assert await milvus.count(collection) == 1


async def test_a_row_comes_back_as_it_was_written(milvus: Milvus, collection: str) -> None:
    """Every field, including the longest allowed text and one of many lines."""
    texts = ["x " * (MAX_TEXT_BYTES // 2), "文" * (MAX_TEXT_BYTES // 3), 'lines\n\twith "quotes" and \\ 🐉\n']
    written = rows(texts)
    await milvus.upsert(collection, written, vectors(3))
    for row, vector in zip(written, vectors(3), strict=True):
        (hit,) = await milvus.search_dense(collection, vector, 1)
        assert hit.row == row


async def test_dense_search_is_by_cosine_best_first(milvus: Milvus, collection: str) -> None:
    """The score is the cosine; the limit holds."""
    await milvus.upsert(collection, rows(TEXTS[:3]), vectors(3))
    question = np.array([0.6, 0.8, 0, 0, 0, 0, 0, 0], np.float32)
    hits = await milvus.search_dense(collection, question, 2)
    assert ids(hits) == [f"{ONE}:1:1", f"{ONE}:1:0"]
    assert [hit.score for hit in hits] == pytest.approx([0.8, 0.6], abs=1e-3)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("carrying over leaves", 0),
        ("VISA fees", 1),
        ("签证费用谁承担", 2),
        ("年假可以结转几天", 3),
        ("kubernetes", 4),
        ("GPU 驱动怎么配置", 4),
        ("how long are backups kept?", 5),
    ],
)
async def test_keyword_search_handles_both_languages(
    milvus: Milvus, collection: str, query: str, expected: int
) -> None:
    """English words are stemmed and lower-cased, Chinese is segmented, a text may mix the two."""
    await milvus.upsert(collection, rows(TEXTS), vectors(len(TEXTS)))
    hits = await milvus.search_keyword(collection, query, 3)
    assert hits[0].row.ordinal == expected
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(hit.score > 0 for hit in hits)


@pytest.mark.parametrize("query", ["the of and", "。，！", "zyzzyva", '" or 1 == 1 --', "\\", "🐉", " "])
async def test_a_query_without_known_words_finds_nothing(milvus: Milvus, collection: str, query: str) -> None:
    """Stop words, punctuation and words that no text has are no error."""
    await milvus.upsert(collection, rows(TEXTS), vectors(len(TEXTS)))
    assert await milvus.search_keyword(collection, query, 3) == []


async def test_an_empty_collection_is_searched(milvus: Milvus, collection: str) -> None:
    """It has no hits, which is no error: neither when it is new nor when all rows were deleted."""
    for _ in range(2):
        assert await milvus.count(collection) == 0
        assert await milvus.search_dense(collection, vectors(1)[0], 5) == []
        assert await milvus.search_keyword(collection, "leave", 5) == []
        await milvus.upsert(collection, rows(TEXTS[:1]), vectors(1))
        await milvus.delete(collection, ONE)


async def test_a_search_can_be_of_some_documents_only(milvus: Milvus, collection: str) -> None:
    """Neither search finds rows of others; an unknown document has none."""
    await milvus.upsert(collection, rows(TEXTS[:1]), vectors(1))
    await milvus.upsert(collection, rows(TEXTS[:1], TWO), vectors(1))
    question = vectors(1)[0]
    for wanted in ((TWO,), (ONE,), (ONE, TWO), ("c" * 32,), ()):
        scope = Scope(document_ids=wanted)
        expected = {*wanted} & {ONE, TWO}
        assert {hit.row.document_id for hit in await milvus.search_dense(collection, question, 9, scope)} == expected
        found = await milvus.search_keyword(collection, "annual leave", 9, scope)
        assert {hit.row.document_id for hit in found} == expected


async def test_a_search_can_be_of_some_pages_only(milvus: Milvus, collection: str) -> None:
    """From a page, up to a page, both included, also of some documents only."""
    for document in (ONE, TWO):
        paged = [msgspec.structs.replace(row, page=row.ordinal + 1) for row in rows(TEXTS[:4], document)]
        await milvus.upsert(collection, paged, vectors(4))
    for first, last, expected in ((2, 3, {2, 3}), (3, None, {3, 4}), (None, 2, {1, 2}), (9, None, set())):
        for documents in (None, (TWO,)):
            scope = Scope(document_ids=documents, first_page=first, last_page=last)
            found = await milvus.search_dense(collection, vectors(1)[0], 9, scope)
            assert {hit.row.page for hit in found} == expected
            assert {hit.row.document_id for hit in found} <= {*(documents or (ONE, TWO))}


async def test_rows_are_looked_up_by_their_ids(milvus: Milvus, collection: str) -> None:
    """The existing ones; a string that is no row id is refused."""
    await milvus.upsert(collection, written := rows(TEXTS[:3]), vectors(3))
    wanted = [written[2].id, written[0].id, f"{TWO}:1:0"]
    assert await milvus.rows(collection, wanted) == {row.id: row for row in (written[0], written[2])}
    assert await milvus.rows(collection, []) == {}
    for bad in ('" or id != "', f"{ONE}:1", f'{ONE}:1:0" or id != "'):
        with pytest.raises(ValueError, match="not an id"):
            await milvus.rows(collection, [bad])


@pytest.mark.parametrize(
    "id", ["", "a", '" or document_id != "', "A" * 32, "a" * 33, "g" * 32, "a" * 32 + "\n", "ａ" * 32], ids=repr
)
async def test_only_ids_of_the_catalogue_get_into_a_filter(milvus: Milvus, collection: str, id: str) -> None:
    """Other strings are refused before they are sent, and nothing is deleted."""
    await milvus.upsert(collection, rows(TEXTS[:1]), vectors(1))
    for action in (
        milvus.delete(collection, id),
        milvus.delete(collection, id, 1),
        milvus.count(collection, id),
        milvus.search_dense(collection, vectors(1)[0], 1, Scope(document_ids=(ONE, id))),
        milvus.search_keyword(collection, "leave", 1, Scope(document_ids=(id,))),
    ):
        with pytest.raises(ValueError, match="not an id of the catalogue"):
            await action
    assert await milvus.count(collection) == 1


async def test_a_missing_collection_is_a_key_error(milvus: Milvus) -> None:
    """Reading, searching and writing name it; the client keeps working."""
    for action in (
        milvus.count(MISSING),
        milvus.count(MISSING, ONE),
        milvus.search_dense(MISSING, vectors(1)[0], 1),
        milvus.search_keyword(MISSING, "leave", 1),
        milvus.upsert(MISSING, rows(TEXTS[:1]), vectors(1)),
    ):
        with pytest.raises(KeyError) as caught:
            await action
        assert caught.value.args == (MISSING,)
    await milvus.ping()
    assert MISSING not in await milvus.collections()


async def test_rows_and_vectors_must_match(milvus: Milvus, collection: str) -> None:
    """A missing vector is an internal error, never a row that is silently left out."""
    with pytest.raises(ValueError, match="shorter"):
        await milvus.upsert(collection, rows(TEXTS[:2]), vectors(1))
    assert await milvus.count(collection) == 0


async def test_a_milvus_that_is_down_is_an_outage() -> None:
    """Nothing listens on the port: no call reads as "nothing found" or as a missing collection."""
    milvus = Milvus(MilvusSettings(uri=f"http://127.0.0.1:{free_port()}"))
    for action in (
        milvus.ping(),
        milvus.collections(),
        milvus.create(MISSING, DIMENSION),
        milvus.drop(MISSING),
        milvus.count(MISSING),
        milvus.delete(MISSING, ONE),
        milvus.upsert(MISSING, rows(TEXTS[:1]), vectors(1)),
        milvus.search_dense(MISSING, vectors(1)[0], 1),
        milvus.search_keyword(MISSING, "leave", 1),
    ):
        with pytest.raises(MilvusUnavailable) as caught:
            await action
        assert caught.value.reason.params["detail"]
        assert len(str(caught.value).splitlines()) == 1
    await milvus.close()


async def test_a_milvus_that_never_answers_is_an_outage() -> None:
    """The port accepts connections but never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        milvus = Milvus(MilvusSettings(uri=f"http://127.0.0.1:{server.getsockname()[1]}"))
        with pytest.raises(MilvusUnavailable) as caught:
            await milvus.ping()
        assert caught.value.reason.params["detail"]
        await milvus.close()


async def test_a_closed_client_connects_again(milvus: Milvus, collection: str) -> None:
    """Closing releases the connection; the next call opens a new one."""
    await milvus.upsert(collection, rows(TEXTS[:1]), vectors(1))
    for _ in range(2):
        await milvus.close()
    assert await milvus.count(collection) == 1


async def test_rows_are_counted_by_version_over_many_pages(
    milvus: Milvus, collection: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row counts once, wherever the pages split; row ids of another form are skipped."""
    monkeypatch.setattr("activities.stores.milvus.SCAN_PAGE", 2)
    foreign = Row(id='"x" or 1', document_id="x", version=1, ordinal=0, page=0, section="", text="text")
    for group in (rows(TEXTS[:3]), rows(TEXTS[:2], version=2), rows(TEXTS[:1], TWO)):
        await milvus.upsert(collection, group, vectors(len(group)))
    client = AsyncMilvusClient(platform.settings.milvus.uri, grpc_options=GRPC_OPTIONS)
    place = Place.parse(collection)
    await client.insert(place.collection, [_stored(foreign, place) | {"dense": vectors(1)[0]}])
    await client.close()
    found: Counter[tuple[str, int]] = Counter()
    async for page in milvus.versions(collection):
        assert sum(page.values()) <= 2
        found.update(page)
    assert found == {(ONE, 1): 3, (ONE, 2): 2, (TWO, 1): 1}
    assert Place.parse(collection).collection in await milvus.collections()


async def test_a_missing_collection_has_no_versions(milvus: Milvus) -> None:
    """It raises an error and is not taken for an empty one."""
    with pytest.raises(KeyError):
        async for _ in milvus.versions(MISSING):
            pass


async def test_an_interrupted_creation_of_a_collection_is_completed(milvus: Milvus, platform: Platform) -> None:
    """It takes several calls. In between the collection is missing, not an outage; the next creator completes it."""
    name = f"kb_{new_id()}_g1"
    client = AsyncMilvusClient(platform.settings.milvus.uri, grpc_options=GRPC_OPTIONS)
    await client.create_collection(name, schema=schema(DIMENSION, shared=False, is_lite=True))
    with pytest.raises(KeyError):
        await milvus.search_dense(name, vectors(1)[0], 1)
    await asyncio.gather(*(milvus.create(name, DIMENSION) for _ in range(4)))
    assert await milvus.search_dense(name, vectors(1)[0], 1) == []
    await client.drop_collection(name)
    await client.close()
