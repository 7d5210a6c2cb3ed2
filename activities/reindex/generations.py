"""The life of an index generation: begun, filled by the workflow, switched to, retired."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from temporalio import activity

from activities.contracts.embedding import EmbeddingModel
from activities.contracts.reindex import (
    BuildList,
    BuildListInput,
    RecordReindexInput,
    ReindexInput,
    Retired,
    RetireInput,
    Switched,
    SwitchInput,
)
from activities.contracts.stages import FINAL_STATES
from activities.errors import MilvusUnavailable, NotFound
from activities.phrases import Phrase
from activities.reindex.window import parse_window
from activities.runtime.heartbeat import heartbeating, report
from activities.stores.blob_keys import chunks_prefix, parsed_prefix, vectors_prefix
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Reindex
from activities.stores.milvus import Milvus

#: Live documents of one query.
PAGE = 1000

#: Blobs that are looked up, and deleted, together.
DELETED_AT_ONCE = 200


class GenerationActivities:
    """Runs on the ``store`` queue."""

    def __init__(
        self,
        blobs: Blobs,
        milvus: Milvus,
        catalog: Catalog,
        unload: Callable[[], Awaitable[None]],
        usable: Callable[[EmbeddingModel | None], Awaitable[object]],
    ) -> None:
        """``unload`` unloads the embedding models that no index uses; ``usable`` raises for one that is gone."""
        self._blobs, self._milvus, self._catalog = blobs, milvus, catalog
        self._unload, self._usable = unload, usable

    @activity.defn(name="record_reindex")
    async def record_reindex(self, input: RecordReindexInput) -> None:
        """Records the state of a re-index in the catalogue, and what was done to it in the audit trail.

        With its end, the questions of its quality gate are deleted, and the embedding models that no generation uses
        any more are unloaded.
        """
        if input.state in FINAL_STATES and (key := await self._catalog.gates.questions_key(input.reindex_id)):
            await self._blobs.delete(key)
        await self._catalog.reindexes.record(input)
        if input.state in FINAL_STATES:
            await self._unload()

    @activity.defn(name="begin_generation")
    async def begin_generation(self, input: ReindexInput) -> None:
        """Begins the new generation: publications go into it too from now on. Raises NotFound."""
        await self._catalog.generations.begin(input.reindex_id)

    @activity.defn(name="documents_to_build")
    async def documents_to_build(self, input: BuildListInput) -> BuildList:
        """The next live documents that are missing in the new generation; none outside of the window.

        Raises NotFound.
        """
        window = parse_window(input.window)
        if window is not None and (seconds := window.closed_seconds(datetime.now(UTC))):
            return BuildList(closed_seconds=seconds)
        reindex = await self._catalog.reindexes.get(input.reindex_id)
        await self._catalog.reindexes.advance(input.reindex_id, input.done)
        documents = await self._catalog.generations.to_build(
            reindex.knowledge_base_id, reindex.generation, input.after, input.limit
        )
        return BuildList(documents=documents)

    @activity.defn(name="switch_generation")
    @heartbeating
    async def switch_generation(self, input: SwitchInput) -> Switched:
        """Makes the new generation the live one, or the one before again, in one transaction.

        Nothing is changed while a live document is missing in it. Raises NotFound and WrongState, and ModelMismatch or
        ModelUnusable for a generation whose embedding model is not there any more: nothing would answer.
        """
        reindex = await self._catalog.reindexes.get(input.reindex_id)
        number = reindex.previous if input.back else reindex.generation
        target = await self._catalog.knowledge_bases.generation(reindex.knowledge_base_id, number)
        if target.phase != "live" and target.embedding is not None:
            await self._usable(target.embedding)
        return await self._catalog.generations.switch(input.reindex_id, input.actor, back=input.back)

    @activity.defn(name="retire_generation")
    @heartbeating
    async def retire_generation(self, input: RetireInput) -> Retired:
        """Drops a generation that is not the live one, with the blobs that nothing else refers to; idempotent.

        Raises WrongState for the live generation.
        """
        generations = self._catalog.generations
        try:
            reindex = await self._catalog.reindexes.get(input.reindex_id)
            collection, keys = await generations.retire(input.reindex_id, input.generation)
        except NotFound:
            return Retired(rows=0, left=0, blobs=0)
        rows = await self._rows(collection)
        if rows is not None:
            await self._milvus.drop(collection)
        left = await self._rows(collection) or 0
        if left:
            raise MilvusUnavailable(detail=Phrase.ROWS_LEFT, rows=left)
        if input.unfinished:
            keys = await self._unfinished(reindex) | keys
        blobs = await self._delete(keys, reindex, input.generation)
        await generations.forget_retired(input.reindex_id, input.generation)
        return Retired(rows=rows or 0, left=left, blobs=blobs)

    async def _rows(self, collection: str) -> int | None:
        """The rows of a collection; None if it does not exist."""
        if not collection:
            return None
        try:
            return await self._milvus.count(collection)
        except KeyError:
            return None

    async def _unfinished(self, reindex: Reindex) -> dict[str, str]:
        """All that is there of the live documents, with the contents it is of."""
        keys: dict[str, str] = {}
        after = ""
        while page := await self._catalog.generations.live(reindex.knowledge_base_id, reindex.previous, after, PAGE):
            for live in page:
                for parsed in await self._blobs.list(parsed_prefix(live.sha256)):
                    keys[parsed] = live.sha256
                    for chunks in await self._blobs.list(chunks_prefix(parsed)):
                        keys[chunks] = live.sha256
                        keys |= dict.fromkeys(await self._blobs.list(vectors_prefix(chunks)), live.sha256)
                report(len(keys))
            after = page[-1].document_id
        return keys

    async def _delete(self, keys: dict[str, str], reindex: Reindex, generation: int) -> int:
        """Deletes the blobs among ``keys`` that nothing else refers to; vectors before the chunks they belong to.

        Blobs of contents that are being ingested stay: a run may rely on them.
        """
        deleted = 0
        ordered = sorted((key for key in keys if key), reverse=True)  # vectors/…, parsed/…, chunks/…
        for start in range(0, len(ordered), DELETED_AT_ONCE):
            page = ordered[start : start + DELETED_AT_ONCE]
            kept = await self._catalog.generations.referred(page, (reindex.knowledge_base_id, generation))
            pending = await self._catalog.generations.pending([keys[key] for key in page])
            for key in page:
                if key not in kept and keys[key] not in pending:
                    await self._blobs.delete(key)
                    deleted += 1
            report(start, len(ordered))
        return deleted
