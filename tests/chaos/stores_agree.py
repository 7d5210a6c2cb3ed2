"""Compares the catalogue's counts with Milvus, for every document and every index generation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.milvus import Milvus

PAGE = 1000


async def disagreements(
    settings: Settings, knowledge_base: str, versions: Mapping[int, int]
) -> tuple[dict[str, int], list[str]]:
    """Rows of each generation's collection, and what does not agree; ``versions`` are the live ones by number."""
    catalog, milvus = Catalog(settings.catalog_url), Milvus(settings.milvus)
    try:
        record = await catalog.knowledge_bases.get(knowledge_base)
        found: dict[str, int] = {}
        broken: list[str] = []
        collections = [name for name in await milvus.collections() if record.id in name]
        for collection in collections:
            counted: Counter[tuple[str, int]] = Counter()
            async for page in milvus.versions(collection):
                counted.update(page)
            found[collection.rpartition("_")[2]] = counted.total()
            generation = int(collection.rpartition("_g")[2])
            live: dict[tuple[str, int], int] = {}
            names: dict[str, int] = {}
            after = ""
            while some := await catalog.generations.live(record.id, generation, after, PAGE):
                after = some[-1].document_id
                live |= {(each.document_id, each.version): each.rows for each in some}
                names |= {each.name: each.version for each in some}
            broken += [
                f"{collection}: {key}: {counted[key]} rows in Milvus, {live.get(key)} in the catalogue"
                for key in sorted(counted.keys() | live.keys())
                if counted[key] != live.get(key, 0)
            ]
            wanted = {f"{number:05d}.txt": version for number, version in versions.items()}
            if names != wanted:
                broken.append(f"{collection}: other documents than people left there: {names.items() ^ wanted.items()}")
        return found, broken
    finally:
        await milvus.close()
        await catalog.close()
