"""Milvus: one collection for each index generation, or a part of a shared one; one row for each chunk.

A row is ``id`` (``<document>:<version>:<ordinal>``), ``document_id``, ``version``, ``ordinal``, ``page``,
``section``, ``text``, ``dense`` (the embedding) and ``sparse`` (BM25 weights, computed by Milvus from ``text``).
The field ``text`` holds a row's context too, before ``CONTEXT_ENDS``: so that BM25 finds it, and collections made
before there were contexts take rows with and without one. The catalogue decides which rows are visible; this module
does not.

Errors: ``MilvusUnavailable`` (retried), or ``KeyError`` for a collection that does not exist. Filters are built from
the catalogue's own ids (32 hexadecimal digits, validated here), never from a client's strings: Milvus Lite 2.5 does
not support expression parameters (``filter_params``).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import grpc
import msgspec
import numpy as np
from pymilvus import AsyncMilvusClient
from pymilvus.exceptions import CollectionNotExistException, MilvusException, ParamError

from activities.errors import MilvusUnavailable, first_line
from activities.settings import MilvusSettings
from activities.stores.collection import INDEXED, indexes, schema, search_params
from activities.stores.deadline import waiting_for
from activities.stores.places import Place
from activities.stores.vectors import Vectors
from activities.telemetry import names, tracing

logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs, with a traceback, each error that it raises

#: Timeout of one call, in seconds.
TIMEOUT = 30.0

#: Stands in the field ``text`` between context and text; the analyzer drops it.
CONTEXT_ENDS = "\x1e\x1f\n"

#: An id of the catalogue; filters accept nothing else.
ID = re.compile(r"[0-9a-f]{32}")

#: An id of a row (see ``row_id``).
ROW_ID = re.compile(r"[0-9a-f]{32}:\d+:\d+")

#: Errors of a search in a collection that is still being created, which takes several calls.
UNFINISHED = re.compile(r"index not found|collection not loaded|invalid parameter")

#: Seconds by which a bounded search may lag behind what was written: Milvus' own bound (``gracefulTime``) is 5 s, the
#: rest is for clocks that differ.
LAG = 10.0

#: Maximum number of documents in one filter.
DOCUMENTS_AT_ONCE = 10_000

#: Rows per page of a scan; Milvus allows 16,384.
SCAN_PAGE = 10_000

#: Milvus Lite closes connections that ping more often than every five minutes (gRPC's default limit for servers).
GRPC_OPTIONS = {"grpc.keepalive_time_ms": 330_000, "grpc.keepalive_permit_without_calls": False}

#: Timeout of connecting, in seconds.
CONNECT_SECONDS = 5.0

OUTPUT_FIELDS = ["document_id", "version", "ordinal", "page", "section", "text"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One stored chunk; ``page`` is 0 for formats without pages, ``context`` that of ``Chunk``."""

    id: str
    document_id: str
    version: int
    ordinal: int
    page: int
    section: str
    text: str
    context: str = ""


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that a search covers: of ``document_ids`` (None: all), on pages ``first_page`` … ``last_page``."""

    document_ids: tuple[str, ...] | None = None
    first_page: int | None = None
    last_page: int | None = None


EVERYTHING = Scope()


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A result of a search; ``score`` is the cosine similarity (dense) or the BM25 score (keyword)."""

    row: Row
    score: float


class Milvus:
    """A narrow, typed client; to be created inside of a running event loop."""

    def __init__(self, settings: MilvusSettings) -> None:
        self._settings = settings
        self._client: AsyncMilvusClient | None = None
        self._is_lite = False
        self._connecting = asyncio.Lock()
        self._complete: set[str] = set()  # collections known to have all of their indexes
        self._kinds: dict[str, str] = {}  # of the dense indexes of collections

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def ping(self) -> None:
        """Raises MilvusUnavailable unless Milvus responds within 5 s."""
        async with self._call("list_collections", "", 5.0) as client:
            await client.list_collections(retry_times=0)

    async def version(self) -> str:
        """The server's version."""
        async with self._call("get_server_version", "", 5.0) as client:
            return str(await client.get_server_version())

    async def create(self, collection: str, dimension: int) -> None:
        """Creates a collection for vectors of ``dimension``; idempotent, and completes an interrupted creation.

        Returns when the collection can be searched.
        """
        place = Place.parse(collection)
        if place.collection in self._complete:
            return
        async with self._call("create_collection", collection) as client:
            if not await client.has_collection(place.collection, retry_times=0):
                try:
                    await self._create(client, place, dimension)
                except MilvusException:
                    if not await client.has_collection(place.collection, retry_times=0):
                        raise
                    # another worker created it concurrently
            missing = INDEXED - set(await client.list_indexes(place.collection, retry_times=0))
            if missing:
                index, wanted = client.prepare_index_params(), indexes(self._settings, is_lite=self._is_lite)
                for field in sorted(missing):
                    index.add_index(field, **wanted[field])
                await client.create_index(place.collection, index, retry_times=0)
                await client.load_collection(place.collection, retry_times=0)
        self._complete.add(place.collection)

    async def _create(self, client: AsyncMilvusClient, place: Place, dimension: int) -> None:
        shared = bool(place.generation)
        partitions = {"num_partitions": self._settings.partitions} if shared and not self._is_lite else {}
        fields = schema(dimension, shared=shared, is_lite=self._is_lite)
        await client.create_collection(
            place.collection, schema=fields, consistency_level="Strong", retry_times=0, **partitions
        )

    async def drop(self, collection: str) -> None:
        """Drops a collection, or deletes a generation's rows from a shared one; does nothing when it does not exist."""
        place = Place.parse(collection)
        self._complete.discard(place.collection)
        async with self._call("drop_collection", collection) as client:
            if not await client.has_collection(place.collection, retry_times=0):
                return
            if place.generation:
                await client.delete(place.collection, filter=place.filter(""), retry_times=0)
            else:
                self._kinds.pop(place.collection, None)
                await client.drop_collection(place.collection, retry_times=0)

    async def upsert(self, collection: str, rows: Sequence[Row], vectors: Vectors) -> None:
        """Writes rows with their vectors, shape (rows, dimension); existing rows of the same id are replaced.

        When none of the ids exists, the rows are inserted: an upsert in Milvus Lite scans the whole collection.
        """
        if not rows:
            return
        place = Place.parse(collection)
        data = [_stored(row, place) | {"dense": vector} for row, vector in zip(rows, vectors, strict=True)]
        async with self._call("upsert", collection) as client:
            result = await client.query(
                place.collection,
                filter=_of_ids(place, [row.id for row in rows]),
                output_fields=["count(*)"],
                consistency_level="Strong",
                retry_times=0,
            )
            write = client.upsert if result[0]["count(*)"] else client.insert
            await write(place.collection, data, retry_times=0)

    async def count(self, collection: str, document_id: str | None = None, version: int | None = None) -> int:
        """The number of rows of the whole generation, a document or one of its versions."""
        place = Place.parse(collection)
        async with self._call("query", collection) as client:
            result = await client.query(
                place.collection,
                filter=place.filter(_filter(document_id, version)),
                output_fields=["count(*)"],
                consistency_level="Strong",
                retry_times=0,
            )
        return int(result[0]["count(*)"]) if result else 0

    async def delete(self, collection: str, document_id: str, version: int | None = None) -> None:
        """Deletes the rows of a document, or of one of its versions."""
        place = Place.parse(collection)
        async with self._call("delete", collection) as client:
            expression = place.filter(_filter(document_id, version))
            await client.delete(place.collection, filter=expression, retry_times=0)

    async def collections(self) -> list[str]:
        """Names of all collections, including those of other installations that share the server."""
        async with self._call("list_collections", "") as client:
            return list(await client.list_collections(retry_times=0))

    async def versions(self, collection: str) -> AsyncIterator[dict[tuple[str, int], int]]:
        """Yields row counts by (document, version), in pages of rows ordered by id.

        A version whose rows span two pages is counted on each. Rows whose id does not match ROW_ID were not written
        by Holdfast and are skipped.
        """
        place, after = Place.parse(collection), ""
        while True:
            async with self._call("query", collection) as client:
                result = await client.query(
                    place.collection,
                    filter=place.filter(f'id > "{after}"' if after else ""),
                    output_fields=["document_id", "version"],
                    limit=SCAN_PAGE,
                    consistency_level="Strong",
                    iterator="True",  # makes a cluster return rows in the order of ids, as Milvus Lite always does
                    reduce_stop_for_best="True",
                    retry_times=0,
                )
            ours = [row for row in result if ROW_ID.fullmatch(place.own_id(row["id"]))]
            yield Counter((str(row["document_id"]), int(row["version"])) for row in ours)
            if len(result) < SCAN_PAGE or not ours:
                return
            after = ours[-1]["id"]

    async def rows(self, collection: str, ids: Sequence[str]) -> dict[str, Row]:
        """The existing rows among ``ids``, by id."""
        if not ids:
            return {}
        place = Place.parse(collection)
        async with self._call("query", collection) as client:
            result = await client.query(
                place.collection,
                filter=_of_ids(place, ids),
                output_fields=OUTPUT_FIELDS,
                retry_times=0,
            )
        found = [_row(row, place) for row in result]
        return {row.id: row for row in found}

    async def may_lag(self) -> bool:
        """Whether searches that need not see the newest rows may miss some; those of Milvus Lite never do."""
        if self._client is None:
            await self.ping()  # connects, which tells what serves
        return self._settings.consistency == "bounded" and not self._is_lite

    async def search_dense(
        self, collection: str, vector: Vectors, limit: int, scope: Scope = EVERYTHING, *, newest: bool = True
    ) -> list[Hit]:
        """The nearest rows of ``scope`` by cosine similarity to ``vector``, shape (dimension,), best first.

        Unless the ``newest`` are wanted, those of the last ``LAG`` seconds may be missing.
        """
        return await self._search(collection, np.asarray(vector, np.float32), "dense", limit, scope, newest)

    async def search_keyword(
        self, collection: str, query: str, limit: int, scope: Scope = EVERYTHING, *, newest: bool = True
    ) -> list[Hit]:
        """The best rows of ``scope`` by BM25, best first; ``newest`` as in ``search_dense``."""
        try:
            return await self._search(collection, query, "sparse", limit, scope, newest)
        except MilvusUnavailable:
            # Milvus Lite fails on a collection that never had a row: its average document length is 0 ÷ 0.
            if await self.count(collection) == 0:
                return []
        # The first row was written meanwhile, or the search fails again.
        return await self._search(collection, query, "sparse", limit, scope, newest)

    async def _search(
        self, collection: str, query: Any, field: str, limit: int, scope: Scope, newest: bool
    ) -> list[Hit]:
        """Searches a scope of many documents in several requests, which limits the length of each filter."""
        place = Place.parse(collection)
        hits: list[Hit] = []
        for expression in _expressions(scope):
            asked = {
                "data": [query],
                "anns_field": field,
                "limit": limit,
                "filter": place.filter(expression),
                "consistency_level": "Bounded" if not newest and self._settings.consistency == "bounded" else "Strong",
            }
            hits += await self._search_once(collection, place, asked)
        return sorted(hits, key=lambda hit: -hit.score)[:limit]

    async def _search_once(self, collection: str, place: Place, asked: dict[str, Any]) -> list[Hit]:
        try:
            async with self._call("search", collection) as client:
                dense = asked["anns_field"] == "dense"
                params = await self._search_params(client, place.collection, asked["limit"]) if dense else {}
                result = await client.search(
                    place.collection, search_params=params, output_fields=OUTPUT_FIELDS, retry_times=0, **asked
                )
        except MilvusUnavailable as exc:
            if UNFINISHED.search(str(exc)):
                raise KeyError(collection) from exc
            raise
        return [
            Hit(row=_row({"id": hit["id"], **hit["entity"]}, place), score=float(hit["distance"]))
            for hit in (result[0] if result else [])
        ]

    async def _search_params(self, client: AsyncMilvusClient, collection: str, limit: int) -> dict[str, Any]:
        """Those of the index that the collection has: it may be older than the settings."""
        if self._is_lite:
            return {}
        if collection not in self._kinds:
            index = await client.describe_index(collection, "dense", retry_times=0)
            self._kinds[collection] = str(index["index_type"]) if index else ""
        return search_params(self._kinds[collection], self._settings.ef, limit)

    @asynccontextmanager
    async def _call(
        self, operation: str, collection: str, seconds: float = TIMEOUT
    ) -> AsyncIterator[AsyncMilvusClient]:
        """Context of one call: connects if needed, and translates errors, most specific first.

        After an error other than a missing collection, the connection is discarded.
        """
        attributes = {names.DB_SYSTEM: names.MILVUS, names.DB_OPERATION: operation, names.DB_COLLECTION: collection}
        try:
            with (
                waiting_for(MilvusUnavailable),
                tracing.span(f"{operation} {collection}".strip(), attributes, "CLIENT"),
            ):
                async with asyncio.timeout(seconds):
                    yield await self._connected()
        except ParamError:
            raise
        except (MilvusException, grpc.RpcError, OSError) as exc:
            if _is_missing(exc):
                missing = Place.parse(collection).collection
                self._complete.discard(missing)
                self._kinds.pop(missing, None)
                raise KeyError(collection) from exc
            self._client = None
            self._complete.clear()  # Milvus may have lost collections when it is back
            self._kinds.clear()
            raise MilvusUnavailable(detail=first_line(exc)) from exc

    async def _connected(self) -> AsyncMilvusClient:
        async with self._connecting:
            if self._client is None:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await self._probe()
                    client = AsyncMilvusClient(
                        self._settings.uri,
                        token=self._settings.token,
                        timeout=CONNECT_SECONDS,
                        grpc_options=GRPC_OPTIONS,
                    )
                    await client.list_collections(retry_times=0)
                    server: Any = await client.get_server_version(detail=True, retry_times=0)
                self._is_lite = not server["version"]  # Milvus Lite does not tell one
                self._client = client
            return self._client

    async def _probe(self) -> None:
        """Opens a TCP connection to fail fast when Milvus is down: the client would retry for 30 s. Raises OSError."""
        address = urlsplit(self._settings.uri)
        port = address.port or (443 if address.scheme == "https" else 19530)
        _, writer = await asyncio.open_connection(address.hostname, port)
        writer.close()


def _is_missing(exc: Exception) -> bool:
    """Whether the error means a missing collection; clients and servers report it in different ways."""
    missing = isinstance(exc, CollectionNotExistException) or "collection not found" in str(exc)
    return missing or getattr(exc, "code", None) == 100


def _one_of(field: str, ids: Iterable[str], kind: re.Pattern[str] = ID) -> str:
    """The filter for rows whose ``field`` is one of ``ids``."""
    return f"{field} in [{', '.join(_literal(id, kind) for id in ids)}]"


def _of_ids(place: Place, ids: Sequence[str]) -> str:
    """The filter for rows with these ids."""
    listed = ", ".join(f'"{place.row_id(id)}"' for id in ids if _literal(id, ROW_ID))
    return place.filter(f"id in [{listed}]")


def _filter(document_id: str | None, version: int | None) -> str:
    if document_id is None:
        return ""
    of_document = f"document_id == {_literal(document_id)}"
    return of_document if version is None else f"{of_document} and version == {int(version)}"


def _expressions(scope: Scope) -> Iterator[str]:
    """Yields the filters whose results together form the scope; none for an empty list of documents."""
    pages = [] if scope.first_page is None else [f"page >= {int(scope.first_page)}"]
    pages += [] if scope.last_page is None else [f"page <= {int(scope.last_page)}"]
    if scope.document_ids is None:
        yield " and ".join(pages)
        return
    for start in range(0, len(scope.document_ids), DOCUMENTS_AT_ONCE):
        batch = scope.document_ids[start : start + DOCUMENTS_AT_ONCE]
        yield " and ".join([_one_of("document_id", batch), *pages])


def _literal(id: str, kind: re.Pattern[str] = ID) -> str:
    if not kind.fullmatch(id):
        raise ValueError(f"not an id of the catalogue: {id[:40]!r}")
    return f'"{id}"'


def _stored(row: Row, place: Place) -> dict[str, Any]:
    """The fields of a row as Milvus stores them."""
    fields = msgspec.structs.asdict(row)
    context = fields.pop("context")
    if place.generation:
        fields |= {"id": place.row_id(row.id), "generation": place.generation}
    if context or CONTEXT_ENDS in row.text:
        fields["text"] = f"{context}{CONTEXT_ENDS}{row.text}"
    return fields


def _row(fields: dict[str, Any], place: Place) -> Row:
    context, ends, text = fields["text"].partition(CONTEXT_ENDS)
    row = msgspec.convert(fields | {"id": place.own_id(fields["id"])}, Row)
    return msgspec.structs.replace(row, text=text, context=context) if ends else row


def row_id(document_id: str, version: int, ordinal: int) -> str:
    """Id of a chunk's row; deterministic, so that writing a row is idempotent."""
    return f"{document_id}:{version}:{ordinal}"
