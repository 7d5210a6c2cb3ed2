"""The embed step with the real model: every chunk gets its own vector, and no vector is computed twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from temporalio.testing import ActivityEnvironment

from activities.contracts.documents import Chunk, Chunking
from activities.contracts.embedding import EmbeddingModel
from activities.contracts.ingest import Embedded, EmbedInput, Indexed, IndexInput, PublishInput
from activities.errors import TritonUnavailable
from activities.ingest.embed import GROUP, EmbedActivities, embed_chunks
from activities.runtime import heartbeat
from activities.runtime.heartbeat import Progress
from activities.runtime.lanes import Lane
from activities.settings import EmbedSettings, load
from activities.stores.blob_keys import digest, vectors_prefix
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.triton import ModelCard, Triton
from activities.stores.vectors import Vectors, VectorSet, vector_set
from tests.ports import free_port

KEY = "chunks/parsed/chunking"


async def never_asked(job: IndexInput) -> Indexed:
    """Stands for the index step, which these runs must not continue with."""
    raise AssertionError(job)


class Step:
    """The embed step over blobs and a catalogue in a folder of their own, and one accepted document."""

    def __init__(self, blobs: Blobs, catalog: Catalog, triton: Triton, card: ModelCard, document_id: str) -> None:
        self.blobs, self.catalog, self.triton, self.card, self.document_id = blobs, catalog, triton, card, document_id
        self.activities = EmbedActivities(blobs, triton, catalog, EmbedSettings(), never_asked, Lane(4))
        self.progress: list[Progress] = []

    def prefix(self, key: str = KEY) -> str:
        """The blob prefix of these chunks' vectors."""
        return vectors_prefix(key, self.card.fingerprint)

    async def run(
        self, texts: list[str], key: str = KEY, version: int = 1, generation: int | None = None
    ) -> tuple[Embedded, Vectors]:
        """Embed these texts as an activity; returns the stored matrix."""
        await self.blobs.save(key, [Chunk(ordinal=n, text=text, tokens=len(text)) for n, text in enumerate(texts)])
        environment = ActivityEnvironment()
        listening = heartbeat.listener.set(self.progress.append)
        try:
            job = EmbedInput(document_id=self.document_id, version=version, chunks_key=key, generation=generation)
            done = await environment.run(self.activities.embed, job)
        finally:
            heartbeat.listener.reset(listening)
        stored = await self.blobs.load(done.vectors_key, VectorSet)
        assert stored.hashes == [digest(text) for text in texts]
        return done, stored.matrix()

    async def truth(self, texts: list[str]) -> Vectors:
        """The vectors of the texts, each computed alone."""
        prompt = self.card.prompts.get("passage", "")
        return np.concatenate([await self.triton.embed([prompt + text]) for text in texts])

    def marks(self, count: int) -> Vectors:
        """Recognisable vectors that no model produces."""
        return np.eye(self.card.dimension, dtype=np.float32)[:count]


@pytest.fixture
async def step(tmp_path: Path, triton_url: str) -> AsyncIterator[Step]:
    """The step, ready to run."""
    settings = load({"HOLDFAST_DATA": str(tmp_path)})
    await upgrade(settings)
    catalog, triton = Catalog(settings.catalog_url), Triton(triton_url)
    kb = await catalog.knowledge_bases.create("kb", "", "", Chunking(), "ann")
    accepted = await catalog.documents.accept(kb.id, "a.txt", "1" * 64, 1, "ann")
    yield Step(Blobs(settings.blobs_url), catalog, triton, await triton.card(), accepted.document.id)
    await triton.close()
    await catalog.close()


def rules(count: int, first: int = 0) -> list[str]:
    """Different texts of different lengths."""
    return [
        f"Rule {n}: item {n} is kept. 第{n}条。" + " It is checked every year." * (n % 4)
        for n in range(first, first + count)
    ]


async def test_vectors_are_those_of_their_chunks(step: Step) -> None:
    """In the chunks' order, whatever the order of the requests, over more than one group."""
    texts = rules(GROUP + 6)
    done, matrix = await step.run(texts)
    assert matrix.shape == (len(texts), step.card.dimension)
    some = [0, 1, 2, 3, GROUP - 1, GROUP, GROUP + 5]
    truth = await step.truth([texts[n] for n in some])
    assert np.sum(matrix[some] * truth, axis=1) == pytest.approx(1, abs=1e-3)
    assert (done.vectors, done.embedded, done.reused) == (len(texts), len(texts), 0)
    assert (done.model, done.model_fingerprint, done.dimension) == (
        step.card.model, step.card.fingerprint, step.card.dimension,
    )  # fmt: skip


@pytest.mark.parametrize(("batch_size", "in_flight"), [(8, 2), (8, 16), (64, 2), (64, 8), (256, 3)])
async def test_requests_in_flight_are_as_many_as_set(tmp_path: Path, batch_size: int, in_flight: int) -> None:
    """Whatever the size of a request, and while slow saves are under way: a GPU takes a whole group at once."""

    class Counting(Triton):
        running = most = most_beside_saves = 0

        async def embed(
            self, texts: Sequence[str], *, urgent: bool = False, model: EmbeddingModel | None = None
        ) -> Vectors:
            assert model == card.identity
            self.running += 1
            self.most = max(self.most, self.running)
            if blobs.saving >= 2:
                self.most_beside_saves = max(self.most_beside_saves, self.running)
            for _ in range(100):  # all others that may start have started then
                await asyncio.sleep(0)
            self.running -= 1
            return np.ones((len(texts), 2), dtype=np.float32)

    class Slow(Blobs):
        saving = 0

        async def save(self, key: str, value: object) -> None:
            self.saving += 1
            for _ in range(1000):
                await asyncio.sleep(0)
            await super().save(key, value)
            self.saving -= 1

    card = ModelCard(model="m", fingerprint="f", dimension=2, max_tokens=9, batch_size=batch_size)
    triton, blobs = Counting("127.0.0.1:1"), Slow(tmp_path.as_uri())
    texts = {digest(text): text for text in rules(20 * GROUP)}
    environment = ActivityEnvironment()
    settings = EmbedSettings(requests_in_flight=in_flight)
    made = await environment.run(embed_chunks, triton, card, blobs, "vectors/x", texts, settings, len(texts))
    await triton.close()
    assert made.keys() == texts.keys()
    assert triton.most == in_flight
    assert triton.most_beside_saves == in_flight


async def test_only_the_result_is_left(step: Step) -> None:
    """The parts are gone when the result is complete, and the progress ran from nothing to everything."""
    done, _ = await step.run(rules(GROUP + 6))
    assert await step.blobs.list("vectors") == [done.vectors_key]
    counts = [progress.done for progress in step.progress]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, GROUP + 6)
    assert {progress.total for progress in step.progress} == {GROUP + 6}


async def test_a_retry_embeds_only_what_is_missing(step: Step) -> None:
    """The retry reuses the vectors that an interrupted attempt saved; the rest goes through the model."""
    texts = rules(GROUP + 9)
    parts = {"part-one": texts[2:4], "part-two": texts[7:8]}
    for name, members in parts.items():
        await step.blobs.save(
            f"{step.prefix()}/{name}", vector_set([digest(text) for text in members], step.marks(len(members)))
        )
    done, matrix = await step.run(texts)
    assert (done.embedded, done.reused) == (GROUP + 6, 3)
    assert np.array_equal(matrix[[2, 3]], step.marks(2))
    assert np.array_equal(matrix[[7]], step.marks(1))
    rest = [0, 1, 4, 5, 6, 8]
    truth = await step.truth([texts[n] for n in rest])
    assert np.sum(matrix[rest] * truth, axis=1) == pytest.approx(1, abs=1e-3)
    assert step.progress[0].done == 3
    assert await step.blobs.list("vectors") == [done.vectors_key]


async def test_a_text_that_comes_twice_is_embedded_once(step: Step) -> None:
    """Each of its chunks has the vector."""
    one, two = rules(2)
    done, matrix = await step.run([one, two, one, one])
    assert (done.vectors, done.embedded, done.reused) == (4, 2, 2)
    assert np.array_equal(matrix[0], matrix[2])
    assert np.array_equal(matrix[0], matrix[3])
    assert not np.array_equal(matrix[0], matrix[1])


async def test_a_context_is_embedded_with_its_text(step: Step) -> None:
    """The same text in two contexts has two vectors; in no context that of the text alone."""
    (one,) = rules(1)
    contexts = ["", "rules norway", "rules sweden › Parking"]
    chunks = [Chunk(ordinal=n, text=one, tokens=9, context=context) for n, context in enumerate(contexts)]
    await step.blobs.save(KEY, chunks)
    job = EmbedInput(document_id=step.document_id, version=1, chunks_key=KEY)
    done = await ActivityEnvironment().run(step.activities.embed, job)
    stored = await step.blobs.load(done.vectors_key, VectorSet)
    searched = [one, f"rules norway\n{one}", f"rules sweden › Parking\n{one}"]
    assert (done.embedded, stored.hashes) == (3, [digest(text) for text in searched])
    assert np.sum(stored.matrix() * await step.truth(searched), axis=1) == pytest.approx(1, abs=1e-3)


async def test_a_finished_result_is_reused(step: Step) -> None:
    """A second run of the same chunks returns the same key and embeds nothing, even without the model."""
    texts = rules(3)
    first, _ = await step.run(texts)
    await step.blobs.save(first.vectors_key, vector_set([digest(text) for text in texts], step.marks(3)))
    again, matrix = await step.run(texts)
    assert (again.vectors_key, again.embedded, again.reused) == (first.vectors_key, 0, 3)
    assert np.array_equal(matrix, step.marks(3))


async def test_vectors_of_an_earlier_version_are_reused(step: Step) -> None:
    """Unchanged chunks are not embedded again for a new version."""
    texts = rules(4)
    earlier = f"{step.prefix('chunks/earlier/one')}/all"
    await step.blobs.save(earlier, vector_set([digest(text) for text in texts], step.marks(4)))
    await publish(step, 1, earlier)
    await next_version(step)
    changed = [texts[0], "Amendment one is new.", texts[2]]
    done, matrix = await step.run(changed, version=2)
    assert (done.embedded, done.reused) == (1, 2)
    assert np.array_equal(matrix[[0, 2]], step.marks(4)[[0, 2]])


async def test_vectors_are_reused_in_every_generation(step: Step) -> None:
    """A run reuses the vectors that its document has in any generation of the same model."""
    texts = rules(3)
    earlier = f"{step.prefix('chunks/earlier/one')}/all"
    await step.blobs.save(earlier, vector_set([digest(text) for text in texts], step.marks(3)))
    await publish(step, 1, earlier)
    first, _ = await step.run(texts, key="chunks/first/one", version=1, generation=2)
    await next_version(step)
    live, _ = await step.run(texts, key="chunks/live/one", version=2)
    other, matrix = await step.run(texts, key="chunks/other/one", version=2, generation=2)
    assert (first.reused, live.reused, other.reused) == (3, 3, 3)
    assert np.array_equal(matrix, step.marks(3))


async def test_vectors_of_another_model_are_not_reused(step: Step) -> None:
    """Not even for the same texts."""
    texts = rules(2)
    other = f"{vectors_prefix('chunks/earlier/one', 'another-model')}/all"
    await step.blobs.save(other, vector_set([digest(text) for text in texts], step.marks(2)))
    await publish(step, 1, other)
    await next_version(step)
    assert (await step.run(texts, version=2))[0].embedded == 2


async def test_vectors_that_were_purged_are_made_again(step: Step) -> None:
    """The catalogue names a blob that is gone: no error, only more work."""
    await publish(step, 1, f"{step.prefix('chunks/earlier/one')}/all")
    await next_version(step)
    assert (await step.run(rules(2), version=2))[0].embedded == 2


async def test_a_version_without_recorded_vectors_is_skipped(step: Step) -> None:
    """It was published before the catalogue recorded the key of a version's vectors."""
    await publish(step, 1, "")
    await next_version(step)
    assert (await step.run(rules(2), version=2))[0].embedded == 2


async def test_an_outage_keeps_finished_parts(step: Step, triton_url: str) -> None:
    """A run without Triton fails as an outage and leaves the parts for the retry."""
    texts = rules(3)
    part = f"{step.prefix()}/part-one"
    await step.blobs.save(part, vector_set([digest(texts[0])], step.marks(1)))
    gone = Triton(f"127.0.0.1:{free_port()}")
    step.activities = EmbedActivities(step.blobs, gone, step.catalog, EmbedSettings(), never_asked, Lane(4))
    with pytest.raises(TritonUnavailable):
        await step.run(texts)
    assert await step.blobs.list("vectors") == [part]
    await gone.close()


class CountedBlobs(Blobs):
    """Keeps the keys of all reads."""

    loaded: list[str]

    async def get(self, key: str) -> bytes:
        """See `Blobs.get`."""
        self.loaded.append(key)
        return await super().get(key)


async def test_a_long_document_loads_each_part_once(step: Step, tmp_path: Path) -> None:
    """However many slices it takes: every slice makes some parts, and only the last one loads them all."""
    texts = rules(GROUP * 6)
    blobs = CountedBlobs(load({"HOLDFAST_DATA": str(tmp_path)}).blobs_url)
    blobs.loaded = []
    activities = EmbedActivities(blobs, step.triton, step.catalog, EmbedSettings(), never_asked, Lane(4))
    await blobs.save(KEY, [Chunk(ordinal=n, text=text, tokens=9 + n % 5) for n, text in enumerate(texts)])
    slices = 0
    remaining = 1
    while remaining:
        sliced = EmbedInput(document_id=step.document_id, version=1, chunks_key=KEY, slice_seconds=1e-9)
        if slices == 1:
            await blobs.save(f"{step.prefix()}/part-foreign", vector_set([digest(texts[-1])], step.marks(1)))
        done = await activities.embed(sliced)
        assert done.remaining < remaining or slices == 0
        remaining, slices = done.remaining, slices + 1
    assert slices > 3
    parts = [key for key in blobs.loaded if "/part-" in key and not key.endswith("foreign")]
    assert len(parts) == len(set(parts)) <= 7
    stored = await blobs.load(done.vectors_key, VectorSet)
    assert stored.hashes == [digest(text) for text in texts]
    matrix = stored.matrix()
    assert np.array_equal(matrix[[-1]], step.marks(1))
    some = [0, 1, GROUP, GROUP * 3 + 1]
    truth = await step.truth([texts[n] for n in some])
    assert np.sum(matrix[some] * truth, axis=1) == pytest.approx(1, abs=1e-3)
    assert await blobs.list("vectors") == [done.vectors_key]


async def test_two_attempts_at_once_agree(step: Step) -> None:
    """A worker that was taken for dead and its successor produce the same result."""
    texts = rules(10)
    await step.blobs.save(KEY, [Chunk(ordinal=n, text=text, tokens=9) for n, text in enumerate(texts)])
    job = EmbedInput(document_id=step.document_id, version=1, chunks_key=KEY)
    one, two = await asyncio.gather(step.activities.embed(job), step.activities.embed(job))
    assert one.vectors_key == two.vectors_key
    matrix = (await step.blobs.load(one.vectors_key, VectorSet)).matrix()
    assert np.sum(matrix * await step.truth(texts), axis=1) == pytest.approx(1, abs=1e-3)


async def publish(step: Step, version: int, vectors_key: str, generation: int | None = None) -> None:
    """Make a version of the document live with these vectors."""
    await step.catalog.documents.publish(
        PublishInput(
            document_id=step.document_id, version=version, chunks=1, media_type="text/plain",
            parsed_key="parsed/x", chunks_key="chunks/x", vectors_key=vectors_key, generation=generation,
        )
    )  # fmt: skip


async def next_version(step: Step) -> None:
    """Upload other content under the same name."""
    document = await step.catalog.documents.get(step.document_id)
    await step.catalog.documents.accept(document.knowledge_base_id, document.name, "2" * 64, 1, "ann")
