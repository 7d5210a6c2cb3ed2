"""What a cluster of Milvus is sent, by the real client: a scripted server answers, and keeps every request."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import grpc
import numpy as np
import pytest
from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc, schema_pb2

from activities.settings import MilvusSettings, load
from activities.stores.collection import indexes, search_params
from activities.stores.milvus import Milvus
from activities.stores.places import Place, generation_name, place_name

KB = "a" * 32
OWN, SHARED = f"kb_{KB}_g1", f"kb_{KB}_g2@shared_0123456789abcdef"


class Cluster(milvus_pb2_grpc.MilvusServiceServicer):  # type: ignore[misc]
    """A Milvus with a version, in which no collection exists until it is created."""

    def __init__(self) -> None:
        self.requests: dict[str, list[Any]] = defaultdict(list)
        self.made: dict[str, dict[str, dict[str, str]]] = {}

    async def Connect(self, request: Any, context: Any) -> Any:  # noqa: N802
        return milvus_pb2.ConnectResponse(server_info=common_pb2.ServerInfo(build_tags="v2.6.17"), identifier=1)

    async def ShowCollections(self, request: Any, context: Any) -> Any:  # noqa: N802
        return milvus_pb2.ShowCollectionsResponse(collection_names=list(self.made))

    async def DescribeCollection(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.collection_name not in self.made:
            status = common_pb2.Status(
                error_code=common_pb2.CollectionNotExists, code=100, reason="collection not found"
            )
            return milvus_pb2.DescribeCollectionResponse(status=status)
        return milvus_pb2.DescribeCollectionResponse(collection_name=request.collection_name)

    async def CreateCollection(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.requests["create"].append(request)
        self.made[request.collection_name] = {}
        return common_pb2.Status()

    async def AllocTimestamp(self, request: Any, context: Any) -> Any:  # noqa: N802
        return milvus_pb2.AllocTimestampResponse(timestamp=1)

    async def DescribeIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        found = [
            milvus_pb2.IndexDescription(
                index_name=field,
                field_name=field,
                state=common_pb2.Finished,
                params=[common_pb2.KeyValuePair(key=key, value=value) for key, value in params.items()],
            )
            for field, params in self.made[request.collection_name].items()
            if request.index_name in ("", field)
        ]
        return milvus_pb2.DescribeIndexResponse(index_descriptions=found)

    async def CreateIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.made[request.collection_name][request.field_name] = pairs(request.extra_params)
        return common_pb2.Status()

    async def LoadCollection(self, request: Any, context: Any) -> Any:  # noqa: N802
        return common_pb2.Status()

    async def GetLoadingProgress(self, request: Any, context: Any) -> Any:  # noqa: N802
        return milvus_pb2.GetLoadingProgressResponse(progress=100)

    async def Search(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.requests["search"].append(request)
        return milvus_pb2.SearchResults()

    async def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.requests["delete"].append(request)
        return milvus_pb2.MutationResult()


def fields(request: Any) -> Any:
    """The fields of the collection that a request creates."""
    return schema_pb2.CollectionSchema.FromString(request.schema).fields


def pairs(params: Any) -> dict[str, str]:
    """Parameters of a request as a dict."""
    return {each.key: each.value for each in params}


@pytest.fixture
async def cluster() -> AsyncIterator[tuple[Cluster, MilvusSettings]]:
    """A scripted cluster, and the settings that lead to it."""
    servicer, server = Cluster(), grpc.aio.server()
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield servicer, MilvusSettings(uri=f"http://127.0.0.1:{port}", index_m=24, ef=100)
    await server.stop(None)


async def test_a_cluster_is_given_its_index_and_partitions(cluster: tuple[Cluster, MilvusSettings]) -> None:
    """HNSW with the settings' parameters; a shared collection has a partition key, one of its own has none."""
    served, settings = cluster
    milvus = Milvus(settings)
    for name in (OWN, SHARED):
        await milvus.create(name, 8)
        await milvus.create(name, 8)
    own, shared = served.requests["create"]
    assert (own.collection_name, shared.collection_name) == (OWN, "shared_0123456789abcdef")
    assert (own.num_partitions, shared.num_partitions) == (0, 64)
    dense = served.made[OWN]["dense"]
    assert (dense["index_type"], dense["metric_type"]) == ("HNSW", "COSINE")
    assert (dense["M"], dense["efConstruction"]) == ("24", "200")
    keys = [[field.name for field in fields(each) if field.is_partition_key] for each in (own, shared)]
    assert keys == [[], ["generation"]]
    await milvus.close()


async def test_a_search_lags_only_when_it_may(cluster: tuple[Cluster, MilvusSettings]) -> None:
    """The level of consistency goes with each search; `ef` is at least the limit; an older index is given its own."""
    served, settings = cluster
    milvus = Milvus(settings)
    assert await milvus.may_lag()
    await milvus.create(OWN, 8)
    vector = np.ones(8, np.float32)
    for limit, newest in ((50, True), (400, False)):
        await milvus.search_dense(OWN, vector, limit, newest=newest)
        await milvus.search_keyword(OWN, "leave", limit, newest=newest)
    levels = [request.consistency_level for request in served.requests["search"]]
    assert levels == [common_pb2.Strong, common_pb2.Strong, common_pb2.Bounded, common_pb2.Bounded]
    given = [json.loads(pairs(request.search_params).get("params", "{}")) for request in served.requests["search"]]
    assert [each.get("ef") for each in given] == [100, None, 400, None]
    await milvus.close()
    strict = Milvus(MilvusSettings(uri=settings.uri, consistency="strong"))
    assert not await strict.may_lag()
    await strict.search_dense(OWN, vector, 5, newest=False)
    assert served.requests["search"][-1].consistency_level == common_pb2.Strong
    await strict.close()


async def test_a_generation_in_a_shared_collection_is_alone(cluster: tuple[Cluster, MilvusSettings]) -> None:
    """Each search names it, which is how Milvus finds its partition; dropping it deletes its rows only."""
    served, settings = cluster
    milvus = Milvus(settings)
    await milvus.create(SHARED, 8)
    await milvus.search_keyword(SHARED, "leave", 5)
    await milvus.drop(SHARED)
    [search], [delete] = served.requests["search"], served.requests["delete"]
    of_it = f'generation == "kb_{KB}_g2"'
    assert (search.collection_name, search.dsl) == ("shared_0123456789abcdef", of_it)
    assert (delete.collection_name, delete.expr) == ("shared_0123456789abcdef", of_it)
    assert "shared_0123456789abcdef" in await milvus.collections()
    await milvus.close()


def test_each_index_has_its_parameters() -> None:
    """Milvus Lite keeps its own index; a search of an index that takes no candidates is given none."""
    assert indexes(MilvusSettings(), is_lite=True)["dense"] == {"index_type": "AUTOINDEX", "metric_type": "COSINE"}
    for kind in ("AUTOINDEX", "DISKANN"):
        assert "params" not in indexes(MilvusSettings(index=kind), is_lite=False)["dense"]
    squeezed = indexes(MilvusSettings(index="HNSW_SQ"), is_lite=False)["dense"]
    assert squeezed["params"] == {"M": 16, "efConstruction": 200, "sq_type": "SQ8"}
    assert search_params("DISKANN", 64, 100) == {"params": {"search_list": 100}}
    assert search_params("AUTOINDEX", 64, 100) == {}
    assert load({"HOLDFAST_MILVUS_INDEX": "DISKANN", "HOLDFAST_MILVUS_EF": "32"}).milvus.ef == 32


def test_a_name_tells_the_place_of_a_generation() -> None:
    """The collection of a shared one is known once its model is; until then it is none that exists."""
    own, shared = (generation_name(KB, 3, shared=each) for each in (False, True))
    assert Place.parse(place_name(own, "f" * 64)) == Place(f"kb_{KB}_g3")
    assert Place.parse(place_name(shared, "f" * 64)) == Place("shared_ffffffffffffffff", f"kb_{KB}_g3")
    assert Place.parse(place_name(shared, None)) == Place("shared", f"kb_{KB}_g3")
    place = Place.parse(place_name(shared, "f" * 64))
    assert place.row_id("x:1:0") == "x:1:0/g3"
    assert place.own_id("x:1:0/g3") == "x:1:0"
    assert place.own_id("x:1:0/g33") == "x:1:0/g33"
