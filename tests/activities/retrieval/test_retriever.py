"""Retrieval: two rankings become one, and only live versions are ever shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest
from temporalio.testing import ActivityEnvironment

import activities.retrieval.retriever as retrieve_module
import activities.stores.milvus as milvus_store
from activities.answering.generation import GenerationPrefetch
from activities.answering.retrieve import RetrieveActivities
from activities.answering.rewrite import Rewriter
from activities.contracts.answers import AnswerMode
from activities.contracts.documents import Chunk, Chunking
from activities.contracts.ingest import IndexInput, PublishInput
from activities.contracts.questions import RetrieveInput
from activities.contracts.search import SearchFilter
from activities.errors import MilvusUnavailable, ModelMismatch, NotFound, TritonUnavailable
from activities.ingest.deletion import DeletionActivities
from activities.ingest.index import IndexActivities, rows_of
from activities.ingest.publish import PublishActivities
from activities.retrieval.passages import SourceTexts
from activities.retrieval.retriever import CANDIDATES, PASSAGES, Retriever
from activities.runtime.lanes import Lane
from activities.settings import GenerateSettings, MilvusSettings, load
from activities.stores.blob_keys import digest
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.engine import Engine
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import KnowledgeBase
from activities.stores.catalog.tables import GenerationRow
from activities.stores.milvus import EVERYTHING, Hit, Milvus, Scope
from activities.stores.triton import Triton
from activities.stores.vectors import Vectors, vector_set
from tests.activities.answering.test_generation import Watched
from tests.conftest import Platform
from tests.ports import free_port
from tests.stores.catalog.conftest import sql

LEAVE = "Employees may carry over five days of unused annual leave into the next year."
VISA = "外籍员工的签证费用由公司承担，每年最多报销一次。"
BACKUP = "Backups of the database are encrypted and kept for ninety days."


# --- with real stores ------------------------------------------------------------------------------


async def unload() -> None:
    """Only knowledge bases that are deleted need no model any more."""


@dataclass(frozen=True)
class Library:
    """A knowledge base in a catalogue of its own, on the platform's Milvus and Triton."""

    catalog: Catalog
    milvus: Milvus
    triton: Triton
    blobs: Blobs
    kb: KnowledgeBase
    milvus_settings: MilvusSettings

    @property
    def retriever(self) -> Retriever:
        """The retriever under test."""
        return Retriever(self.milvus, self.triton, self.catalog)

    async def index(
        self, name: str, *texts: str, fingerprint: str | None = None, paged: bool = True, generation: int | None = None
    ) -> tuple[str, int]:
        """Accept a version of a document and write its rows, as the index step does, without publishing it."""
        sha256 = (digest(*texts) * 2)[:64]
        document = (await self.catalog.documents.accept(self.kb.id, name, sha256, 1, "ann")).document
        card = await self.triton.card()
        chunks = [Chunk(ordinal=n, text=text, tokens=9, page=n + 1 if paged else None) for n, text in enumerate(texts)]
        prompt = card.prompts.get("passage", "")
        vectors = np.concatenate([await self.triton.embed([prompt + text for text in texts[i : i + 8]])
                                  for i in range(0, len(texts), 8)])  # fmt: skip
        key = f"chunks/{document.id}/{document.version}"
        await self.blobs.save(key, chunks)
        await self.blobs.save(f"vectors/{key}", vector_set([digest(text) for text in texts], vectors))
        job = IndexInput(
            knowledge_base_id=self.kb.id, document_id=document.id, version=document.version, chunks_key=key,
            vectors_key=f"vectors/{key}", model=card.model, model_fingerprint=fingerprint or card.fingerprint,
            dimension=card.dimension, generation=generation,
        )  # fmt: skip
        purging = DeletionActivities(self.blobs, self.milvus, self.catalog, unload)
        indexed = await IndexActivities(
            self.blobs,
            self.milvus,
            self.catalog,
            PublishActivities(self.catalog, purging.purge_rows, self.triton.is_served).publish,
            Lane(4),
        ).index(job)
        assert indexed.rows == len(texts)
        return document.id, document.version

    async def add(self, name: str, *texts: str, paged: bool = True) -> str:
        """Index a document and publish it; its id."""
        id, version = await self.index(name, *texts, paged=paged)
        await self.publish(id, version)
        return id

    async def publish(self, id: str, version: int, generation: int | None = None) -> None:
        """Make a version live."""
        await self.catalog.documents.publish(
            PublishInput(
                document_id=id, version=version, chunks=1, media_type="text/plain",
                parsed_key="p", chunks_key="c", vectors_key="v", generation=generation,
            )
        )  # fmt: skip

    async def ask(self, question: str, mode: AnswerMode = "extractive") -> RetrieveInput:
        """The input of the retrieve step for a new question."""
        asked = await self.catalog.questions.create(self.kb.id, question, mode, None, "ann")
        return RetrieveInput(question_id=asked.id, knowledge_base_id=self.kb.id, question=question, mode=mode)

    async def found(self, query: str, **options: object) -> list[tuple[str, int, str]]:
        """(document, version, text) of the passages that a search returns."""
        found = await self.retriever.search(self.kb.id, query, **options)  # type: ignore[arg-type]
        return [(passage.row.document_id, passage.row.version, passage.row.text) for passage in found.passages]


@pytest.fixture
async def library(tmp_path: Path, platform: Platform) -> AsyncIterator[Library]:
    """An empty library; its collection is dropped afterwards."""
    settings = load({"HOLDFAST_DATA": str(tmp_path)})
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    kb = await catalog.knowledge_bases.create("kb", "", "", Chunking(), "ann")
    collection = (await catalog.knowledge_bases.generation(kb.id)).collection
    milvus, triton = Milvus(platform.settings.milvus), Triton(platform.settings.triton.address)
    yield Library(catalog, milvus, triton, Blobs(settings.blobs_url), kb, platform.settings.milvus)
    await milvus.drop(collection)
    await milvus.close()
    await triton.close()
    await catalog.close()


@pytest.mark.parametrize("mode", ["hybrid", "dense", "keyword"])
@pytest.mark.parametrize(("query", "text"), [("unused annual leave", LEAVE), ("签证费用谁承担", VISA)])
async def test_the_right_passage_comes_first(library: Library, mode: str, query: str, text: str) -> None:
    """In both languages and every mode, with name, page and a score from 0 to 1."""
    id = await library.add("handbook.md", LEAVE, VISA, BACKUP)
    found = await library.retriever.search(library.kb.id, query, mode=mode)  # type: ignore[arg-type]
    best = found.passages[0]
    assert (best.row.text, best.row.document_id, best.document_name) == (text, id, "handbook.md")
    assert best.row.page == (1 if text == LEAVE else 2)
    scores = [passage.score for passage in found.passages]
    assert scores == sorted(scores, reverse=True)
    assert 0 <= min(scores) <= max(scores) <= 1
    assert (found.similarity > 0.5) == (mode != "keyword")
    assert (found.vector != b"") == (mode != "keyword")


async def test_either_chinese_script_finds_the_other(library: Library) -> None:
    """BM25 knows words as they are written: the query is also searched for in the other script."""
    full, simple = "還原數據需時兩個工作日。", "差旅报销须在十五天内提交。"
    await library.add("a.md", full, simple, BACKUP)
    for query, text in (("还原数据需要几天", full), ("差旅報銷須在幾天內提交", simple)):
        found = await library.retriever.search(library.kb.id, query, mode="keyword")
        assert found.passages[0].row.text == text


async def test_an_unpublished_version_is_not_shown(library: Library) -> None:
    """Its rows are there, but search shows the earlier live version until it is published."""
    id, version = await library.index("a.md", LEAVE)
    assert await library.found("annual leave") == []
    await library.publish(id, version)
    assert await library.found("annual leave") == [(id, 1, LEAVE)]
    amended = LEAVE.replace("five", "ten")
    _, second = await library.index("a.md", amended)
    assert await library.found("annual leave") == [(id, 1, LEAVE)]
    await library.publish(id, second)
    assert await library.found("annual leave") == [(id, 2, amended)]


async def test_a_deleted_document_is_not_shown(library: Library) -> None:
    """From the deletion on, while its rows are still there; the others are still found."""
    gone, kept = await library.add("a.md", LEAVE), await library.add("b.md", LEAVE + " Always.")
    await library.catalog.documents.delete(gone, "ann")
    assert [document for document, _, _ in await library.found("annual leave")] == [kept]


async def test_live_passages_are_found_behind_many_dead_ones(library: Library) -> None:
    """However many better rows are not live: candidates grow until live ones are found."""
    kept = await library.add("kept.md", "Some words about unused leave, in passing.")
    gone = await library.add("gone.md", *(f"{LEAVE} Annual leave, rule {n}." for n in range(CANDIDATES + 10)))
    await library.catalog.documents.delete(gone, "ann")
    for mode in ("hybrid", "dense", "keyword"):
        assert [document for document, _, _ in await library.found("unused annual leave", mode=mode)] == [kept]


async def test_no_more_is_found_than_asked_for(library: Library) -> None:
    """The limit counts live passages; a search can name documents."""
    one, two = await library.add("a.md", LEAVE, VISA, BACKUP), await library.add("b.md", LEAVE + " Always.")
    assert len(await library.found("annual leave", limit=2)) == 2
    assert {document for document, _, _ in await library.found("annual leave", document_ids=[two])} == {two}
    assert {document for document, _, _ in await library.found("annual leave", document_ids=[one, two])} == {one, two}
    assert await library.found("annual leave", document_ids=["c" * 32]) == []


async def test_an_empty_knowledge_base_has_nothing(library: Library) -> None:
    """It is no error; a deleted one is."""
    assert await library.found("annual leave") == []
    await library.catalog.knowledge_bases.delete(library.kb.name, "ann")
    with pytest.raises(NotFound):
        await library.found("annual leave")


@pytest.mark.parametrize("mode", ["hybrid", "dense", "keyword"])
async def test_a_knowledge_base_whose_first_document_is_being_indexed_has_nothing(library: Library, mode: str) -> None:
    """Its model is known, its collection exists, and no row is written yet: no hits and no error."""
    card = await library.triton.card()
    generation = await library.catalog.knowledge_bases.generation(library.kb.id)
    await library.catalog.knowledge_bases.claim_model(generation, card.model, card.fingerprint)
    await library.milvus.create(generation.collection, card.dimension)
    assert await library.found("annual leave", mode=mode) == []


async def test_rows_are_written_into_the_generation_of_the_run(library: Library, tmp_path: Path) -> None:
    """Each generation has its collection and its model; search reads the live one only."""
    engine = Engine(load({"HOLDFAST_DATA": str(tmp_path)}).catalog_url)
    shadow = f"kb_{library.kb.id}_g2"
    async with engine.write() as transaction:
        transaction.add(GenerationRow(knowledge_base_id=library.kb.id, generation=2, collection=shadow))
    await engine.close()
    live = (await library.catalog.knowledge_bases.generation(library.kb.id)).collection
    try:
        id, version = await library.index("a.md", LEAVE, VISA)
        other, _ = await library.index("b.md", BACKUP, fingerprint="another-model", generation=2)
        for document in (id, other):
            for number in (1, 2):
                await library.publish(document, version, number)
        assert [await library.milvus.count(live, document) for document in (id, other)] == [2, 0]
        assert [await library.milvus.count(shadow, document) for document in (id, other)] == [0, 1]
        generations = await library.catalog.knowledge_bases.generations(library.kb.id)
        assert {each.generation: each.model_fingerprint == "another-model" for each in generations} == {
            1: False, 2: True,
        }  # fmt: skip
        assert {found[0] for found in await library.found(BACKUP)} == {id}
        with pytest.raises(NotFound):
            await library.index("c.md", LEAVE, generation=3)
    finally:
        await library.milvus.drop(shadow)


async def test_an_index_of_another_model_is_not_searched(library: Library) -> None:
    """Vectors of two models cannot be compared: a conflict that names both; keyword search still works."""
    id, version = await library.index("a.md", LEAVE, fingerprint="another-model")
    await library.publish(id, version)
    for mode in ("hybrid", "dense"):
        with pytest.raises(ModelMismatch):
            await library.found("annual leave", mode=mode)
    assert await library.found("annual leave", mode="keyword") == [(id, 1, LEAVE)]


async def test_an_outage_is_never_an_empty_answer(library: Library) -> None:
    """Neither a missing store nor a missing collection reads as "nothing found"."""
    await library.add("a.md", LEAVE)
    gone = f"127.0.0.1:{free_port()}"
    triton, milvus = Triton(gone), Milvus(MilvusSettings(uri=f"http://{gone}"))
    with pytest.raises(TritonUnavailable):
        await Retriever(library.milvus, triton, library.catalog).search(library.kb.id, "annual leave")
    with pytest.raises(MilvusUnavailable):
        await Retriever(milvus, library.triton, library.catalog).search(library.kb.id, "annual leave")
    await library.milvus.drop((await library.catalog.knowledge_bases.generation(library.kb.id)).collection)
    for mode in ("hybrid", "dense", "keyword"):
        with pytest.raises(MilvusUnavailable, match="re-index"):
            await library.found("annual leave", mode=mode)
    await triton.close()
    await milvus.close()


async def test_a_questions_sources_are_stored_by_reference(library: Library) -> None:
    """The step returns references; the texts and the question's vector are a blob."""
    texts = [f"Rule {n} on annual leave: {n} days." for n in range(1, PASSAGES + 5)]
    id = await library.add("a.md", *texts)
    settings = GenerateSettings()
    rewriter, prefetch = Rewriter(library.triton, settings), GenerationPrefetch(library.triton, settings)
    step = RetrieveActivities(library.retriever, library.blobs, library.catalog, rewriter, prefetch)
    job = await library.ask("annual leave rule")
    run = ActivityEnvironment().run
    retrieved, again = await asyncio.gather(run(step.retrieve, job), run(step.retrieve, job))
    assert retrieved.sources == again.sources
    assert [source.n for source in retrieved.sources] == list(range(1, PASSAGES + 1))
    kept = await library.blobs.load(retrieved.sources_key, SourceTexts)
    rows = {row.id: row for row in rows_of(id, 1, [Chunk(ordinal=n, text=t, tokens=1) for n, t in enumerate(texts)])}
    assert kept.texts == [rows[source.chunk_id].text for source in retrieved.sources]
    assert [source.page for source in retrieved.sources] == [rows[s.chunk_id].ordinal + 1 for s in retrieved.sources]
    vector = await library.triton.embed_query(job.question)
    assert float(kept.question_vector() @ vector) > 0.999
    assert 0 < retrieved.similarity <= 1


async def test_generation_starts_with_the_passages(library: Library, triton_url: str) -> None:
    """The answer step claims the generation that retrieval started; quotes need none."""
    await library.add("a.md", LEAVE)
    watched = Watched(triton_url)
    settings = GenerateSettings(max_tokens=4)
    prefetch = GenerationPrefetch(watched, settings)
    step = RetrieveActivities(
        library.retriever, library.blobs, library.catalog, Rewriter(library.triton, settings), prefetch
    )
    run = ActivityEnvironment().run
    await run(step.retrieve, await library.ask("How much annual leave?"))
    await asyncio.sleep(0)
    assert watched.begun == 0
    retrieved = await run(step.retrieve, await library.ask("How much annual leave?", "generative"))
    pending = await prefetch.claim(retrieved.sources_key, await library.blobs.load(retrieved.sources_key, SourceTexts))
    async with pending.tokens as tokens:
        assert [piece async for piece in tokens]
    assert watched.begun == 1
    await watched.close()


# --- filters ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["hybrid", "dense", "keyword"])
async def test_a_filter_narrows_down_what_is_found(library: Library, mode: str) -> None:
    """By name, page, tags and documents, alone and together; a filter that nothing passes finds nothing, not all."""
    one = await library.add("hr/leave.md", LEAVE, VISA, BACKUP)
    two = await library.add("it_backup.MD", BACKUP + " Daily.", LEAVE + " Always.")
    await library.catalog.documents.tag(one, ["hr", "合同"], "ann")
    await library.catalog.documents.tag(two, ["hr"], "ann")

    async def found(documents: Sequence[str] = (), **fields: object) -> set[tuple[str, int]]:
        filter = msgspec.convert(fields, SearchFilter)
        passages = (
            await library.retriever.search(library.kb.id, "annual leave 签证", 10, mode, documents, filter)  # type: ignore[arg-type]
        ).passages
        return {(passage.row.document_id, passage.row.page) for passage in passages}

    assert {document for document, _ in await found()} == {one, two}
    assert {document for document, _ in await found(name="*.md")} == {one, two}
    assert {document for document, _ in await found(name="HR/*")} == {one}
    assert {document for document, _ in await found(name="it?backup.md")} == {two}
    assert {document for document, _ in await found(tags=["HR"])} == {one, two}
    assert {document for document, _ in await found(tags=["hr", "合同"])} == {one}
    assert await found(pages={"from": 2, "to": 2}) <= {(one, 2), (two, 2)}
    assert (two, 2) in await found(pages={"from": 2})
    assert {page for _, page in await found(pages={"to": 1})} <= {1}
    assert await found(tags=["hr"], name="it*", pages={"from": 2}, documents=[one, two]) == {(two, 2)}
    for nothing in (
        {"name": "leave.md"}, {"name": "hr%"}, {"name": "it_backup_MD"}, {"tags": ["hr", "it"]}, {"tags": ["%"]},
        {"pages": {"from": 9}}, {"uploaded": {"since": "2999-01-01"}}, {"documents": [one], "name": "it*"},
    ):  # fmt: skip
        assert await found(**nothing) == set(), nothing


@pytest.mark.parametrize("named", [500, 2], ids=["named", "picked"])
async def test_a_filter_that_many_documents_pass(library: Library, monkeypatch: pytest.MonkeyPatch, named: int) -> None:
    """Whether Milvus gets their ids in several calls or its hits are filtered: the results are the same."""
    monkeypatch.setattr(milvus_store, "DOCUMENTS_AT_ONCE", 2)
    monkeypatch.setattr(retrieve_module, "NAMED", named)
    kept = [await library.add(f"kept-{n}.md", f"Annual leave, rule {n}.") for n in range(5)]
    await library.add("other.md", "Unused annual leave, rule 4.")
    for mode in ("hybrid", "dense", "keyword"):
        found = await library.found("annual leave, rule 4", mode=mode, filter=SearchFilter(name="kept-*"))
        assert {document for document, _, _ in found} == set(kept)
        assert found[0] == (kept[4], 1, "Annual leave, rule 4.")


async def test_filtered_passages_are_found_behind_very_many_others(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many better passages the filter excludes: in the end, the search itself is restricted to matches."""
    monkeypatch.setattr(retrieve_module, "NAMED", 0)
    monkeypatch.setattr(retrieve_module, "PICKED_CANDIDATES", CANDIDATES)
    kept = await library.add("kept.md", "Some words about unused leave, in passing.")
    await library.add("other.md", *(f"{LEAVE} Annual leave, rule {n}." for n in range(CANDIDATES * 2 + 10)))
    for mode in ("hybrid", "dense", "keyword"):
        found = await library.found("unused annual leave", mode=mode, filter=SearchFilter(name="kept*"))
        assert [document for document, _, _ in found] == [kept]


async def test_a_text_in_several_documents_is_one_passage(library: Library) -> None:
    """It counts its duplicates; deleting the shown one shows the next."""
    ids = {await library.add(name, LEAVE, VISA) for name in ("a.md", "b.md", "c.md")}
    passages = (await library.retriever.search(library.kb.id, "annual leave")).passages
    assert [(passage.row.text, passage.duplicates) for passage in passages] == [(LEAVE, 2), (VISA, 2)]
    await library.catalog.documents.delete(passages[0].row.document_id, "ann")
    again = (await library.retriever.search(library.kb.id, "annual leave")).passages
    assert [(passage.row.text, passage.duplicates) for passage in again] == [(LEAVE, 1), (VISA, 1)]
    assert again[0].row.document_id in ids - {passages[0].row.document_id}


async def test_live_passages_are_found_behind_very_many_dead_ones(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some candidates, the search itself is restricted to live documents."""
    monkeypatch.setattr(retrieve_module, "PICKED_CANDIDATES", CANDIDATES)
    kept = await library.add("kept.md", "Some words about unused leave, in passing.")
    gone = await library.add("gone.md", *(f"{LEAVE} Annual leave, rule {n}." for n in range(CANDIDATES * 2 + 10)))
    await library.catalog.documents.delete(gone, "ann")
    for mode in ("hybrid", "dense", "keyword"):
        assert [document for document, _, _ in await library.found("unused annual leave", mode=mode)] == [kept]


class Lagging(Milvus):
    """A cluster on which whatever need not be new is not found; keeps what was asked for."""

    def __init__(self, settings: MilvusSettings, published: Callable[[], Awaitable[None]]) -> None:
        super().__init__(settings)
        self.published, self.asked = published, list[bool]()

    async def may_lag(self) -> bool:
        """Always."""
        return True

    async def search_keyword(
        self, collection: str, query: str, limit: int, scope: Scope = EVERYTHING, *, newest: bool = True
    ) -> list[Hit]:
        """See `Milvus.search_keyword`; a document is published meanwhile."""
        self.asked.append(newest)
        if newest:
            return await super().search_keyword(collection, query, limit, scope)
        await self.published()
        return []


async def test_what_is_ready_is_found_on_a_cluster_that_lags(library: Library, tmp_path: Path) -> None:
    """Within seconds of a publication, also one that overtakes the search; only later, a search need not wait."""
    later: list[tuple[str, int]] = []

    async def publish() -> None:
        for id, version in later:
            await library.publish(id, version)
        later.clear()

    milvus = Lagging(library.milvus_settings, publish)
    retriever = Retriever(milvus, library.triton, library.catalog)

    async def found() -> list[str]:
        passages = (await retriever.search(library.kb.id, "annual leave", mode="keyword")).passages
        return [passage.row.document_id for passage in passages]

    async def age() -> None:
        milvus.asked.clear()
        url = f"sqlite+aiosqlite:///{tmp_path / 'catalog.db'}"
        for table, column in (("knowledge_bases", "updated_at"), ("versions", "published_at")):
            await sql(url, f"UPDATE {table} SET {column} = '2026-01-01 00:00:00.000000' WHERE {column} IS NOT NULL")

    id = await library.add("a.md", LEAVE)
    assert (await found(), milvus.asked) == ([id], [True])
    await age()
    assert (await found(), milvus.asked) == ([], [False])
    await age()
    later.append(await library.index("b.md", f"{LEAVE} Also of others."))
    other = later[0][0]
    assert (set(await found()), milvus.asked) == ({id, other}, [False, True])
    await milvus.close()


class Counted(Milvus):
    """Keeps the scope of each search."""

    scopes: list[Scope]

    async def search_dense(
        self, collection: str, vector: Vectors, limit: int, scope: Scope = EVERYTHING, *, newest: bool = True
    ) -> list[Hit]:
        """See `Milvus.search_dense`."""
        self.scopes.append(scope)
        return await super().search_dense(collection, vector, limit, scope, newest=newest)

    async def search_keyword(
        self, collection: str, query: str, limit: int, scope: Scope = EVERYTHING, *, newest: bool = True
    ) -> list[Hit]:
        """See `Milvus.search_keyword`."""
        self.scopes.append(scope)
        return await super().search_keyword(collection, query, limit, scope, newest=newest)


@pytest.fixture
async def counted(library: Library, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Retriever, list[Scope]]]:
    """A retriever that takes the ids of documents early, and the scopes of its searches."""
    monkeypatch.setattr(retrieve_module, "PICKED_CANDIDATES", CANDIDATES)
    monkeypatch.setattr(retrieve_module, "MAX_CANDIDATES", CANDIDATES * 4)
    milvus = Counted(library.milvus_settings)
    milvus.scopes = []
    yield Retriever(milvus, library.triton, library.catalog), milvus.scopes
    await milvus.close()


async def test_a_passage_that_every_document_has_is_found_without_naming_them(
    library: Library, counted: tuple[Retriever, list[Scope]]
) -> None:
    """Equal passages leave too few different ones; naming the documents would not help, and is the slower the more."""
    retriever, scopes = counted
    for number in range(CANDIDATES * 2 + 10):
        await library.add(f"{number}.md", LEAVE)
    found = await retriever.search(library.kb.id, "annual leave")
    assert [(passage.row.text, passage.duplicates >= CANDIDATES) for passage in found.passages] == [(LEAVE, True)]
    assert len(scopes) == 6
    assert {scope.document_ids for scope in scopes} == {None}


async def test_too_many_documents_are_not_named(
    library: Library, counted: tuple[Retriever, list[Scope]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind dead passages, live ones are looked for among more candidates instead."""
    retriever, scopes = counted
    for number in range(3):
        await library.add(f"{number}.md", f"Some words about unused leave, in passing {number}.")
    gone = await library.add("gone.md", *(f"{LEAVE} Annual leave, rule {n}." for n in range(CANDIDATES * 2 + 10)))
    await library.catalog.documents.delete(gone, "ann")
    for most, named in ((2, False), (3, True)):
        scopes.clear()
        monkeypatch.setattr(retrieve_module, "MAX_NAMED", most)
        assert len((await retriever.search(library.kb.id, "unused annual leave")).passages) == 3
        assert any(scope.document_ids for scope in scopes) is named


async def test_an_english_question_finds_chinese_text(library: Library) -> None:
    """Although other passages share a word with it, and the answer shares none."""
    await library.add("a.md", LEAVE.replace("annual", "GPU"), VISA, "GPU 节点的驱动程序由运维部门统一安装和升级。")
    for query in ("Who pays for the visa of foreign employees?", "Visa fee, page 2"):
        assert (await library.found(query))[0][2] == VISA


# --- sources of a question -- ----------------------------------------------------------------


@pytest.mark.parametrize("paged", [False, True])
async def test_a_truncated_passage_brings_its_neighbour(library: Library, paged: bool) -> None:
    """A passage that ends within a sentence brings the next chunk right behind it, cited as itself.

    A chunk on another page is not added.
    """
    begin = f"{LEAVE} {LEAVE} {LEAVE} The days that were carried over expire"
    rest = "at the end of March, without exception, in all offices."
    other = f"{BACKUP} {BACKUP} {BACKUP} {BACKUP}"
    id = await library.add("a.md", begin, rest, other, paged=paged)
    found = await library.retriever.search(library.kb.id, "unused annual leave carried over", 1)
    assert [passage.row.text for passage in found.passages] == [begin]
    whole = await library.retriever.complete(found)
    assert [passage.row.text for passage in whole] == ([begin] if paged else [begin, rest])
    assert [passage.row.id for passage in whole] == [f"{id}:1:{ordinal}" for ordinal in range(len(whole))]
