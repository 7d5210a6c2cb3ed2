"""The list of documents: every order and filter on both databases, page by page, and counted."""

from __future__ import annotations

import base64
import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from sqlalchemy import update

from activities.contracts.names import MAX_SEARCH_KEY, search_key
from activities.contracts.selection import DocumentFilter, DocumentSort, Order
from activities.errors import InvalidRequest
from activities.stores.catalog import document_list
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Document
from activities.stores.catalog.tables import VersionRow
from tests.postgresql import PostgreSQL
from tests.stores.catalog.conftest import accepted, created, publishing, sql

NAMES = ["b.md", "Äpfel 2024.pdf", "A.md", "年假制度.docx", "100%_sure.md", "100 sure.md", "c\\d.md", "ÄPFEL 2023.PDF"]
SORTS: list[DocumentSort] = ["created_at", "name", "updated_at", "bytes", "state"]


class Filled(NamedTuple):
    """A catalogue with documents, and the knowledge base that holds them."""

    catalog: Catalog
    id: str


@pytest.fixture(scope="module")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> str:
    """An empty catalogue on SQLite."""
    return f"sqlite+aiosqlite:///{shutil.copy(sqlite_template, tmp_path_factory.mktemp('lists'))}"


@pytest.fixture(scope="module")
def postgresql_url(postgresql: PostgreSQL, postgresql_template: str) -> Iterator[str]:
    """An empty catalogue on PostgreSQL."""
    yield postgresql.create("lists", postgresql_template)
    postgresql.drop("lists")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty catalogue on each database."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="module")
async def filled(url: str) -> AsyncIterator[Filled]:
    """Documents of these names: two failed, one deleted beside them, and one in another knowledge base.

    Sizes and times repeat, so that orders need the id to be complete. No test changes them.
    """
    catalog = Catalog(url)
    kb = await created(catalog, "handbook")
    ids = [await accepted(catalog, kb, name, f"{n:064}") for n, name in enumerate(NAMES)]
    for n, id in enumerate(ids):
        if n % 4 == 0:
            await catalog.documents.finish(id, 1, "failed", InvalidRequest(detail="x").reason)
        else:
            await catalog.documents.publish(publishing(id, 1))
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n % 3)
        await sql(url, update(VersionRow).where(VersionRow.document_id == id).values(bytes=n % 2, updated_at=at))
    await catalog.documents.tag(ids[0], ["law"], "ann")
    await catalog.documents.tag(ids[4], ["law"], "ann")
    await catalog.documents.delete(await accepted(catalog, kb, "a gone.md"), "ann")
    await accepted(catalog, await created(catalog, "other"), "a other.md")
    yield Filled(catalog, kb.id)
    await catalog.close()


@pytest.fixture(params=["few", "many"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are looked up and sorted, or found by walking the order's index."""
    monkeypatch.setattr(document_list, "FEW", 5000 if request.param == "few" else 0)


async def pages(
    filled: Filled, filter: DocumentFilter, sort: DocumentSort, order: Order, limit: int
) -> AsyncIterator[list[Document]]:
    cursor = None
    while True:
        page = await filled.catalog.document_list.page(filled.id, filter, sort, order, cursor, limit)
        yield page.documents
        cursor = page.next_cursor
        if cursor is None:
            return


def key_of(sort: DocumentSort, document: Document) -> object:
    return {
        "created_at": "",
        "name": search_key(document.name),
        "updated_at": document.updated_at,
        "bytes": document.bytes,
        "state": document.state,
    }[sort]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("sort", SORTS)
async def test_pages_of_every_order_are_the_whole_list(filled: Filled, sort: DocumentSort) -> None:
    """Each document once, in the order of its key and then its id, whatever the length of a page."""
    orders: list[Order] = ["asc", "desc"]
    for order, limit in itertools.product(orders, (1, 3, 100)):
        listed = [each async for page in pages(filled, DocumentFilter(), sort, order, limit) for each in page]
        assert {document.name for document in listed} == set(NAMES)
        keys = [(key_of(sort, document), document.id) for document in listed]
        assert keys == sorted(keys, reverse=order == "desc")  # type: ignore[type-var]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize(
    ("filter", "names"),
    [
        (DocumentFilter(state="failed"), {"b.md", "100%_sure.md"}),
        (DocumentFilter(search="äpfel"), {"Äpfel 2024.pdf", "ÄPFEL 2023.PDF"}),
        (DocumentFilter(search="2024 PDF"), {"Äpfel 2024.pdf"}),
        (DocumentFilter(search="假制"), {"年假制度.docx"}),
        (DocumentFilter(search="0%_s"), {"100%_sure.md"}),
        (DocumentFilter(search="c\\d"), {"c\\d.md"}),
        (DocumentFilter(search="２０２４"), {"Äpfel 2024.pdf"}),
        (DocumentFilter(search="_"), {"100%_sure.md"}),
        (DocumentFilter(tag="law"), {"b.md", "100%_sure.md"}),
        (DocumentFilter(tag="law", search="sure", state="failed"), {"100%_sure.md"}),
        (DocumentFilter(tag="law", state="ready"), set()),
        (DocumentFilter(source="ann", state="failed"), {"b.md", "100%_sure.md"}),
        (DocumentFilter(source="bob"), set()),
        (DocumentFilter(search="gone"), set()),
        (DocumentFilter(search="other"), set()),
    ],
    ids=lambda value: str(value) if isinstance(value, DocumentFilter) else "",
)
async def test_a_filter_finds_what_meets_all_of_it(
    filled: Filled, sort: DocumentSort, filter: DocumentFilter, names: set[str]
) -> None:
    """In any case and width; LIKE's signs are letters; never what is deleted or elsewhere. The counts agree."""
    listed = [each async for page in pages(filled, filter, sort, "asc", 1) for each in page]
    assert {document.name for document in listed} == names
    counts = await filled.catalog.document_list.counts(filled.id, filter)
    if filter.state is not None:
        assert counts.get(filter.state, 0) == len(names)
    else:
        assert sum(counts.values()) == len(names)
    assert await filled.catalog.document_list.count(filled.id, filter, "f" * 32) == len(names)


async def test_the_cursor_of_the_plain_list_is_an_id(filled: Filled) -> None:
    """As it has always been."""
    page = await filled.catalog.document_list.page(filled.id, limit=2)
    assert page.next_cursor == page.documents[-1].id
    assert len((await filled.catalog.document_list.page(filled.id, cursor=page.next_cursor, limit=100)).documents) == 6


def forged(*parts: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(parts)).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "0" * 32,
        "%",
        "ä",
        forged("name", "desc", "a", "0"),
        forged("bytes", "asc", 1, "0"),
        forged("name", "asc", "a\0", "0"),
        forged("name", "asc", 1, "0"),
        forged("name", "asc"),
    ],
)
async def test_a_cursor_of_another_list_is_refused(filled: Filled, cursor: str) -> None:
    """Also one that nobody has given out."""
    with pytest.raises(InvalidRequest, match="cursor"):
        await filled.catalog.document_list.page(filled.id, DocumentFilter(), "name", "asc", cursor)


@pytest.mark.parametrize(("sort", "key"), [("bytes", 1 << 63), ("updated_at", "yesterday"), ("bytes", "many")])
async def test_a_cursor_whose_key_is_none_is_refused(filled: Filled, sort: DocumentSort, key: object) -> None:
    """The database never sees it."""
    with pytest.raises(InvalidRequest, match="cursor"):
        await filled.catalog.document_list.page(filled.id, DocumentFilter(), sort, "asc", forged(sort, "asc", key, "0"))


def test_a_search_key_is_never_too_long() -> None:
    """One sign can become eighteen."""
    assert len(search_key("\ufdfa" * 255)) == MAX_SEARCH_KEY
    assert search_key("Ｆ２ ÄB.PDF") == "f2 äb.pdf"
