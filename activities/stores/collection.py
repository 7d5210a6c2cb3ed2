"""How collections in Milvus are made: their fields, and their indexes."""

from __future__ import annotations

from typing import Any

from pymilvus import AsyncMilvusClient, DataType, Function, FunctionType

from activities.settings import MilvusSettings

#: Longest text and heading path of a row, in UTF-8 bytes (Milvus' own limit is 65,535).
MAX_TEXT_BYTES = 65_535
MAX_SECTION_BYTES = 2_048

#: One analyzer for both languages: jieba segments Chinese and keeps words of other scripts, which are then
#: lower-cased, stripped of accents and stop words, and stemmed. XQuAD R@1: .925 English, .909 Chinese.
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

#: Fields with an index, which is named like its field.
INDEXED = frozenset({"dense", "sparse"})


def schema(dimension: int, *, shared: bool, is_lite: bool) -> Any:
    """The fields of a collection for vectors of ``dimension``.

    Milvus Lite has no partition keys (a collection with one refuses every filter): there it is an ordinary field.
    """
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
    if shared:
        schema.add_field("generation", DataType.VARCHAR, max_length=64, is_partition_key=not is_lite)
    schema.add_function(Function("bm25", FunctionType.BM25, ["text"], ["sparse"]))
    return schema


def indexes(settings: MilvusSettings, *, is_lite: bool) -> dict[str, dict[str, Any]]:
    """The indexes of a collection, by field. Milvus Lite has only its own for dense vectors."""
    kind = ("AUTOINDEX" if is_lite else "HNSW") if settings.index == "auto" else settings.index
    dense: dict[str, Any] = {"index_type": kind, "metric_type": "COSINE"}
    if kind in ("HNSW", "HNSW_SQ"):
        dense["params"] = {"M": settings.index_m, "efConstruction": settings.index_ef_construction}
        if kind == "HNSW_SQ":
            dense["params"] |= {"sq_type": "SQ8"}
    return {"dense": dense, "sparse": {"index_type": "SPARSE_INVERTED_INDEX", "metric_type": "BM25"}}


def search_params(kind: str, ef: int, limit: int) -> dict[str, Any]:
    """What a search of a dense index of this kind is given; Milvus refuses fewer candidates than ``limit``."""
    if kind in ("HNSW", "HNSW_SQ"):
        return {"params": {"ef": max(ef, limit)}}
    if kind == "DISKANN":
        return {"params": {"search_list": max(ef, limit)}}
    return {}
