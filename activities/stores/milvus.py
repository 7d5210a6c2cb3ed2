"""Milvus: one collection for each index generation, one row for each chunk.

A row is ``id`` (``<document>:<version>:<ordinal>``), ``document_id``, ``version``, ``ordinal``, ``page``,
``section``, ``text``, ``dense`` (the embedding) and ``sparse`` (BM25 weights, made by Milvus from ``text``).
Which rows may be shown is the catalogue's to say; this module neither knows nor decides it.

Errors: ``MilvusUnavailable`` (waited for), or ``KeyError`` for a collection that does not exist. Filters are
built from the catalogue's own ids (32 hexadecimal digits, checked here), never from a client's strings:
Milvus Lite 2.5 does not know expression parameters (``filter_params``).
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import grpc
import msgspec
import numpy as np
from pymilvus import AsyncMilvusClient, DataType, Function, FunctionType
from pymilvus.exceptions import CollectionNotExistException, MilvusException, ParamError

from activities.errors import MilvusUnavailable, first_line
from activities.stores.vectors import Vectors

#: Seconds that one call may take.
TIMEOUT = 30.0

#: Longest text and heading path of a row, in UTF-8 bytes (Milvus' own limit is 65,535).
MAX_TEXT_BYTES = 65_535
MAX_SECTION_BYTES = 2_048

#: One analyzer for both languages: jieba segments Chinese and passes words of other scripts through, which
#: are then lower-cased, stripped of accents and stop words, and stemmed. XQuAD R@1: .925 English, .909 Chinese.
ANALYZER: dict[str, Any] = {
    "tokenizer": "jieba",
    "filter": [
        "cnalphanumonly",
        "lowercase",
        "asciifolding",
        {"type": "stop", "stop_words": ["_english_"]},
        {"type": "stemmer", "language": "english"},
    ],
}

#: An id as the catalogue makes them: nothing else can get into a filter.
ID = re.compile(r"[0-9a-f]{32}")

#: An id of a row as the index step makes them.
ROW_ID = re.compile(r"[0-9a-f]{32}:\d+:\d+")

#: What a search hears of a collection that somebody is making in this moment, which takes several calls.
UNFINISHED = re.compile(r"index not found|collection not loaded|invalid parameter")

#: The indexes of a collection, each named as its field.
INDEXES: dict[str, dict[str, str]] = {
    "dense": {"index_type": "AUTOINDEX", "metric_type": "COSINE"},
    "sparse": {"index_type": "SPARSE_INVERTED_INDEX", "metric_type": "BM25"},
}

#: Documents that one filter names.
DOCUMENTS_AT_ONCE = 10_000

#: Rows that one page of a scan has; Milvus allows 16,384.
SCAN_PAGE = 10_000

#: Milvus Lite ends connections that ping more often than every five minutes (gRPC's own limit for servers).
GRPC_OPTIONS = {"grpc.keepalive_time_ms": 330_000, "grpc.keepalive_permit_without_calls": False}

#: How long connecting may take, in seconds.
CONNECT_SECONDS = 5.0

OUTPUT_FIELDS = ["document_id", "version", "ordinal", "page", "section", "text"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One chunk as it is stored; ``page`` 0 means a format without pages."""

    id: str
    document_id: str
    version: int
    ordinal: int
    page: int
    section: str
    text: str


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows a search may find: of these documents (None: of all), on pages ``first_page`` … ``last_page``."""

    document_ids: tuple[str, ...] | None = None
    first_page: int | None = None
    last_page: int | None = None


EVERYTHING = Scope()


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A row that a search found; ``score`` is a cosine (dense) or a BM25 weight (keyword)."""

    row: Row
    score: float


class Milvus:
    """A narrow, typed client. Make it inside of a running event loop."""

    def __init__(self, uri: str, token: str = "") -> None:
        self._uri, self._token = uri, token
        self._client: AsyncMilvusClient | None = None
        self._connecting = asyncio.Lock()
        self._complete: set[str] = set()  # collections that were seen with all of their indexes

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def ping(self) -> None:
        """Raise MilvusUnavailable unless it answers."""
        async with self._call("", 5.0) as client:
            await client.list_collections(retry_times=0)

    async def create(self, collection: str, dimension: int) -> None:
        """Create a collection for vectors of ``dimension``, and complete one whose making was cut off.

        Returns when it can be searched; creating it again changes nothing.
        """
        if collection in self._complete:
            return
        async with self._call(collection) as client:
            if not await client.has_collection(collection, retry_times=0):
                try:
                    await client.create_collection(
                        collection, schema=_schema(dimension), consistency_level="Strong", retry_times=0
                    )
                except MilvusException:
                    if not await client.has_collection(collection, retry_times=0):
                        raise
                    # another worker created it in the same moment
            missing = INDEXES.keys() - set(await client.list_indexes(collection, retry_times=0))
            if missing:
                index = client.prepare_index_params()
                for field in sorted(missing):
                    index.add_index(field, **INDEXES[field])
                await client.create_index(collection, index, retry_times=0)
                await client.load_collection(collection, retry_times=0)
        self._complete.add(collection)

    async def drop(self, collection: str) -> None:
        """Drop a collection; dropping what is not there is fine."""
        self._complete.discard(collection)
        async with self._call(collection) as client:
            if await client.has_collection(collection, retry_times=0):
                await client.drop_collection(collection, retry_times=0)

    async def upsert(self, collection: str, rows: Sequence[Row], vectors: Vectors) -> None:
        """Write rows with their vectors, shape (rows, dimension); rows of the same id are replaced.

        Rows that are not there are inserted: for an upsert Milvus Lite goes through all rows of the collection.
        """
        if not rows:
            return
        data = [msgspec.structs.asdict(row) | {"dense": vector} for row, vector in zip(rows, vectors, strict=True)]
        async with self._call(collection) as client:
            found = await client.query(
                collection,
                filter=_one_of("id", (row.id for row in rows), ROW_ID),
                output_fields=["count(*)"],
                consistency_level="Strong",
                retry_times=0,
            )
            write = client.upsert if found[0]["count(*)"] else client.insert
            await write(collection, data, retry_times=0)

    async def count(self, collection: str, document_id: str | None = None, version: int | None = None) -> int:
        """How many rows there are, of the whole collection, a document or one of its versions."""
        async with self._call(collection) as client:
            found = await client.query(
                collection,
                filter=_filter(document_id, version),
                output_fields=["count(*)"],
                consistency_level="Strong",
                retry_times=0,
            )
        return int(found[0]["count(*)"]) if found else 0

    async def delete(self, collection: str, document_id: str, version: int | None = None) -> None:
        """Delete the rows of a document, or of one of its versions."""
        async with self._call(collection) as client:
            await client.delete(collection, filter=_filter(document_id, version), retry_times=0)

    async def collections(self) -> list[str]:
        """Names of all collections, also of other installations that share the server."""
        async with self._call("") as client:
            return list(await client.list_collections(retry_times=0))

    async def versions(self, collection: str) -> AsyncIterator[dict[tuple[str, int], int]]:
        """Rows counted by (document, version), page after page in the order of their ids, without their texts.

        A version whose rows lie on two pages is counted on each. Rows of other makers than us, without an id
        like ours, are passed over.
        """
        after = ""
        while True:
            async with self._call(collection) as client:
                found = await client.query(
                    collection,
                    filter=f'id > "{after}"' if after else "",
                    output_fields=["document_id", "version"],
                    limit=SCAN_PAGE,
                    consistency_level="Strong",
                    iterator="True",  # a cluster then answers in the order of ids, as Milvus Lite always does
                    reduce_stop_for_best="True",
                    retry_times=0,
                )
            ours = [row for row in found if ROW_ID.fullmatch(row["id"])]
            yield Counter((str(row["document_id"]), int(row["version"])) for row in ours)
            if len(found) < SCAN_PAGE or not ours:
                return
            after = ours[-1]["id"]

    async def rows(self, collection: str, ids: Sequence[str]) -> dict[str, Row]:
        """Those of the rows that are there, by id."""
        if not ids:
            return {}
        async with self._call(collection) as client:
            found = await client.query(
                collection,
                filter=_one_of("id", ids, ROW_ID),
                output_fields=OUTPUT_FIELDS,
                retry_times=0,
            )
        return {row["id"]: msgspec.convert(row, Row) for row in found}

    async def search_dense(self, collection: str, vector: Vectors, limit: int, scope: Scope = EVERYTHING) -> list[Hit]:
        """The nearest rows of ``scope`` by cosine, best first."""
        return await self._search(collection, np.asarray(vector, np.float32), "dense", limit, scope)

    async def search_keyword(self, collection: str, query: str, limit: int, scope: Scope = EVERYTHING) -> list[Hit]:
        """The best rows of ``scope`` by BM25, best first."""
        try:
            return await self._search(collection, query, "sparse", limit, scope)
        except MilvusUnavailable:
            # Milvus Lite cannot weigh words where there never was a row (its average length is 0 ÷ 0).
            if await self.count(collection) == 0:
                return []
        return await self._search(
            collection, query, "sparse", limit, scope
        )  # the first row came meanwhile, or it fails

    async def _search(self, collection: str, query: Any, field: str, limit: int, scope: Scope) -> list[Hit]:
        """Of many documents in turns, so that no expression grows beyond what a server takes."""
        hits: list[Hit] = []
        for expression in _expressions(scope):
            hits += await self._search_once(collection, query, field, limit, expression)
        return sorted(hits, key=lambda hit: -hit.score)[:limit]

    async def _search_once(self, collection: str, query: Any, field: str, limit: int, expression: str) -> list[Hit]:
        try:
            async with self._call(collection) as client:
                found = await client.search(
                    collection,
                    [query],
                    anns_field=field,
                    limit=limit,
                    filter=expression,
                    output_fields=OUTPUT_FIELDS,
                    retry_times=0,
                )
        except MilvusUnavailable as exc:
            if UNFINISHED.search(str(exc)):
                raise KeyError(collection) from exc
            raise
        return [
            Hit(row=msgspec.convert({"id": hit["id"], **hit["entity"]}, Row), score=float(hit["distance"]))
            for hit in (found[0] if found else [])
        ]

    @asynccontextmanager
    async def _call(self, collection: str, seconds: float = TIMEOUT) -> AsyncIterator[AsyncMilvusClient]:
        """One call: connects when needed; the error table, most specific first; a lost connection is dropped."""
        try:
            async with asyncio.timeout(seconds):
                yield await self._connected()
        except ParamError:
            raise
        except (MilvusException, grpc.RpcError, OSError) as exc:
            if _is_missing(exc):
                self._complete.discard(collection)
                raise KeyError(collection) from exc
            self._client = None
            self._complete.clear()  # it may come back with less than it had
            raise MilvusUnavailable(detail=first_line(exc)) from exc

    async def _connected(self) -> AsyncMilvusClient:
        async with self._connecting:
            if self._client is None:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await self._knock()
                    client = AsyncMilvusClient(
                        self._uri, token=self._token, timeout=CONNECT_SECONDS, grpc_options=GRPC_OPTIONS
                    )
                    await client.list_collections(retry_times=0)
                self._client = client
            return self._client

    async def _knock(self) -> None:
        """Fail at once where nobody listens: the client would try for half a minute. Raises OSError."""
        address = urlsplit(self._uri)
        port = address.port or (443 if address.scheme == "https" else 19530)
        _, writer = await asyncio.open_connection(address.hostname, port)
        writer.close()


def _is_missing(exc: Exception) -> bool:
    """Whether it says that there is no such collection; the client and the servers say it in different ways."""
    told = isinstance(exc, CollectionNotExistException) or "collection not found" in str(exc)
    return told or getattr(exc, "code", None) == 100


def _one_of(field: str, ids: Iterable[str], kind: re.Pattern[str] = ID) -> str:
    """The rows whose ``field`` is one of these ids."""
    return f"{field} in [{', '.join(_literal(id, kind) for id in ids)}]"


def _filter(document_id: str | None, version: int | None) -> str:
    if document_id is None:
        return ""
    of_document = f"document_id == {_literal(document_id)}"
    return of_document if version is None else f"{of_document} and version == {int(version)}"


def _expressions(scope: Scope) -> Iterator[str]:
    """The filters that make up a scope; no filter at all for no document at all."""
    pages = [] if scope.first_page is None else [f"page >= {int(scope.first_page)}"]
    pages += [] if scope.last_page is None else [f"page <= {int(scope.last_page)}"]
    if scope.document_ids is None:
        yield " and ".join(pages)
        return
    for start in range(0, len(scope.document_ids), DOCUMENTS_AT_ONCE):
        some = scope.document_ids[start : start + DOCUMENTS_AT_ONCE]
        yield " and ".join([_one_of("document_id", some), *pages])


def _literal(id: str, kind: re.Pattern[str] = ID) -> str:
    if not kind.fullmatch(id):
        raise ValueError(f"not an id of the catalogue: {id[:40]!r}")
    return f'"{id}"'


def _schema(dimension: int) -> Any:
    schema = AsyncMilvusClient.create_schema(enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=100)
    schema.add_field("document_id", DataType.VARCHAR, max_length=32)
    schema.add_field("version", DataType.INT64)
    schema.add_field("ordinal", DataType.INT64)
    schema.add_field("page", DataType.INT64)
    schema.add_field("section", DataType.VARCHAR, max_length=MAX_SECTION_BYTES)
    schema.add_field(
        "text", DataType.VARCHAR, max_length=MAX_TEXT_BYTES, enable_analyzer=True, analyzer_params=ANALYZER
    )
    schema.add_field("dense", DataType.FLOAT_VECTOR, dim=dimension)
    schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
    schema.add_function(Function("bm25", FunctionType.BM25, ["text"], ["sparse"]))
    return schema


def row_id(document_id: str, version: int, ordinal: int) -> str:
    """Id of a chunk's row: the same chunk always has the same one, so that writing twice is writing once."""
    return f"{document_id}:{version}:{ordinal}"
