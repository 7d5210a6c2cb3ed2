"""A run says how it ended with its last write: until then nothing is ready, failed or canceled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from temporalio.testing import ActivityEnvironment

from activities.contracts.deletion import Purged, PurgeInput
from activities.contracts.documents import Chunking
from activities.contracts.embedding import EmbeddingModel
from activities.contracts.ingest import EndRunInput, Published, PublishInput, RunEnded
from activities.contracts.reindex import ReindexToRun
from activities.errors import MilvusUnavailable, Reason, WrongState
from activities.ingest.publish import PublishActivities
from activities.settings import load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import Document, KnowledgeBase

DAMAGED = Reason("damaged", {"format": "PDF", "detail": "cut off"})


class Run:
    """The activities of a run, with a purge that records what the catalogue says meanwhile."""

    def __init__(self, catalog: Catalog, kb: KnowledgeBase) -> None:
        self.catalog, self.kb, self.down = catalog, kb, False
        self.activities = PublishActivities(catalog, self.purge, self.is_served)
        self.purged: list[tuple[list[int] | None, str, int | None]] = []

    async def is_served(self, model: EmbeddingModel | None) -> bool:
        """Every model but one of the name ``gone``."""
        return model is None or model.name != "gone"

    async def purge(self, input: PurgeInput) -> Purged:
        """Purge nothing; it fails while the store is ``down``."""
        document = await self.document()
        self.purged.append((input.versions, document.state, document.live_version))
        if self.down:
            raise MilvusUnavailable(detail="refused")
        return Purged(before=3, after=0)

    async def document(self) -> Document:
        """The only document."""
        (document,) = await self.catalog.documents.page(self.kb.id, None, None, 10)
        return document

    async def accept(self, digit: str) -> Document:
        """Upload the next version."""
        return (await self.catalog.documents.accept(self.kb.id, "a.pdf", digit * 64, 7, "ann")).document

    async def publication(self, version: int) -> PublishInput:
        """The input of the activity."""
        return PublishInput(
            document_id=(await self.document()).id, version=version, chunks=3, media_type="application/pdf",
            parsed_key="parsed", chunks_key="chunks", vectors_key="vectors", knowledge_base_id=self.kb.id,
        )  # fmt: skip

    async def published(self, version: int) -> Published:
        """Run the activity."""
        return await ActivityEnvironment().run(self.activities.publish, await self.publication(version))

    async def publish(self, version: int) -> None:
        """Run the activity, which publishes it."""
        assert (await self.published(version)).retired == []

    async def end(self, version: int) -> RunEnded:
        """Run the activity."""
        input = EndRunInput(
            knowledge_base_id=self.kb.id, document_id=(await self.document()).id, version=version, run=1, reason=DAMAGED
        )
        return await ActivityEnvironment().run(self.activities.end_run, input)


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    """A run on a real catalogue."""
    settings = load({"HOLDFAST_DATA": str(tmp_path)})
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    yield Run(catalog, await catalog.knowledge_bases.create("handbook", "", "", Chunking(), "ann"))
    await catalog.close()


async def test_a_replaced_version_is_purged_before_the_next_is_ready(run: Run) -> None:
    """The next one is live meanwhile, so that there is no gap; the first version has nothing to wait for."""
    await run.accept("1")
    await run.publish(1)
    assert ((await run.document()).state, run.purged) == ("ready", [])
    await run.accept("2")
    run.down = True
    for _ in range(2):
        with pytest.raises(MilvusUnavailable):
            await run.publish(2)
    run.down = False
    await run.publish(2)
    assert run.purged == [([1], "queued", 2)] * 3
    assert (await run.document()).state == "ready"


async def test_an_index_whose_model_is_gone_is_given_up_as_the_way_back(run: Run) -> None:
    """Uploads do not wait for what cannot be written any more; a model that is only not the default one is."""
    await run.accept("1")
    await run.publish(1)
    asked = ReindexToRun(
        reindex_id="", knowledge_base_id=run.kb.id, knowledge_base=run.kb.name, generation=0, previous=0,
        chunking=Chunking(), actor="ann", embedding=EmbeddingModel(name="new", fingerprint="n"),
    )  # fmt: skip
    reindex = await run.catalog.reindexes.create(asked)
    generations, first = run.catalog.generations, await run.catalog.knowledge_bases.generation(run.kb.id)
    await run.catalog.knowledge_bases.claim_model(first, "gone", "g")
    await generations.begin(reindex.id)
    await generations.record_built(msgspec.structs.replace(await run.publication(1), generation=2))
    await generations.switch(reindex.id, "ann", back=False)
    await run.accept("2")
    assert (await run.published(2)).also == []
    assert (await run.document()).live_version == 2
    with pytest.raises(WrongState):
        await generations.switch(reindex.id, "ann", back=True)


async def test_a_failed_version_is_purged_before_it_has_failed(run: Run) -> None:
    """However often the purge is tried."""
    await run.accept("1")
    run.down = True
    with pytest.raises(MilvusUnavailable):
        await run.end(1)
    run.down = False
    assert not (await run.end(1)).live
    assert run.purged == [([1], "queued", None)] * 2
    assert ((await run.document()).state, (await run.document()).reason) == ("failed", DAMAGED)


async def test_a_live_version_that_was_stopped_becomes_ready(run: Run) -> None:
    """It was canceled while the rows of its predecessor were purged; its own rows are kept."""
    await run.accept("1")
    await run.publish(1)
    await run.accept("2")
    run.down = True
    with pytest.raises(MilvusUnavailable):
        await run.publish(2)
    run.purged.clear()
    assert (await run.end(2)).live
    assert (run.purged, (await run.document()).state, (await run.document()).live_version) == ([], "ready", 2)


async def test_a_live_version_is_not_superseded(run: Run) -> None:
    """A newer upload does not cancel it while it is about to be ready."""
    await run.accept("1")
    await run.publish(1)
    second = await run.accept("2")
    run.down = True
    with pytest.raises(MilvusUnavailable):
        await run.publish(2)
    run.down = False
    await run.accept("3")
    await run.end(3)
    await run.publish(2)
    assert [2] not in [versions for versions, _, _ in run.purged]
    assert (await run.document()).live_version == second.version == 2
