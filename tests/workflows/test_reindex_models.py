"""Several embedding models at once: an index changes its model, and goes back, while it is used."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI

from activities.contracts.embedding import EmbeddingModel
from activities.stores.triton import Triton
from tests.conftest import Platform, assert_eventually, events, finished, upload
from tests.workflows.test_batches import batch_is, send
from tests.workflows.test_reindex import SLOWLY, documents, found, reaches, start, text, word

pytestmark = pytest.mark.long

DEFAULT, TINY = "multilingual-e5-small", "tiny-96"
COUNT = 10


@pytest.fixture
async def filled(api: httpx.AsyncClient, kb: str) -> str:
    """A knowledge base with ``COUNT`` documents."""
    batch = await send(api, kb, [(f"{number}.txt", text(number)) for number in range(COUNT)])
    await batch_is(api, batch["batch_id"], "ready")
    return kb


async def model_of(api: httpx.AsyncClient, kb: str) -> str | None:
    """The name of a knowledge base's embedding model."""
    model: str | None = (await api.get(f"/knowledge-bases/{kb}")).json()["embedding_model"]
    return model


async def is_loaded(triton: Triton, model: EmbeddingModel) -> bool:
    """Whether Triton has loaded a model beside the default one."""
    [server] = await triton._servers.in_turn()
    return await server.is_ready(f"embed_{model.fingerprint}")


async def is_unloaded(triton: Triton, model: EmbeddingModel) -> None:
    """Wait until Triton has unloaded a model."""

    async def check() -> bool:
        return not await is_loaded(triton, model)

    await assert_eventually(check)


async def answer(api: httpx.AsyncClient, kb: str, question: str) -> dict[str, Any]:
    """The whole record of a question that is answered."""
    asked = (await api.post(f"/knowledge-bases/{kb}/questions", json={"question": question})).json()
    await events(api, f"/questions/{asked['id']}/events")
    record: dict[str, Any] = (await api.get(f"/audit/questions/{asked['id']}")).json()
    return record


async def test_another_model_goes_live_unnoticed_and_back(api: httpx.AsyncClient, triton: Triton, filled: str) -> None:
    """Each index is written and asked with its own model; the one that is no longer used is unloaded."""
    tiny = await triton.named(TINY)
    before = await documents(api, filled)
    problems: list[str] = []

    async def search_on() -> None:
        number = 0
        while True:
            number = (number + 1) % 6
            mode = ("hybrid", "keyword", "dense")[number % 3]
            body = {"query": word(number), "mode": mode}
            response = await api.post(f"/knowledge-bases/{filled}/search", json=body)
            hits = response.json().get("hits", [])
            if response.status_code != 200 or not hits:
                problems.append(f"{response.status_code}: {response.text[:300]}")
            elif mode != "dense" and {hit["document_id"] for hit in hits if word(number) in hit["text"]} != {
                before[f"{number}.txt"]["id"]
            }:
                problems.append(f"{mode}: not {word(number)}")

    searching = asyncio.create_task(search_on())
    assert await model_of(api, filled) == DEFAULT
    job = await start(api, filled, embedding_model=TINY, soak_seconds=600, **SLOWLY)
    await reaches(api, job, stage="build", state="running")
    await api.post(f"/reindexes/{job['id']}/pause")
    await reaches(api, job, state="paused")
    (new,) = await upload(api, filled, ("new.txt", text(100)))
    (again,) = await upload(api, filled, ("7.txt", text(7, 2)))
    assert (await api.delete(f"/documents/{before['8.txt']['id']}")).status_code == 202
    await finished(api, new["id"])
    await finished(api, again["id"])
    assert (await answer(api, filled, f"What is {word(1)}?"))["embedding_model"] == DEFAULT
    await api.post(f"/reindexes/{job['id']}/control", json={"throttle": 1, "parallelism": 4})
    await api.post(f"/reindexes/{job['id']}/resume")
    info = await reaches(api, job, stage="soak", seconds=120)
    assert (info["embedding_model"], info["verified"]["lost"], info["plan"]["parsed_again"]) == (TINY, 0, 0)
    assert await model_of(api, filled) == TINY
    assert await is_loaded(triton, tiny)
    assert (await answer(api, filled, f"What is {word(1)}?"))["embedding_fingerprint"] == tiny.fingerprint
    for query in (word(100), word(7, 2)):
        assert await found(api, filled, query), query
    for query in (word(7), word(8)):
        assert not await found(api, filled, query), query

    (late,) = await upload(api, filled, ("late.txt", text(101)))
    await finished(api, late["id"])
    assert (await api.delete(f"/documents/{before['9.txt']['id']}")).status_code == 202
    response = await api.post(f"/reindexes/{job['id']}/rollback")
    assert response.status_code == 202, response.text
    for query in (word(100), word(101), word(7, 2), word(1)):
        assert await found(api, filled, query), query
    for query in (word(8), word(9), word(7)):
        assert not await found(api, filled, query), query
    assert await model_of(api, filled) == DEFAULT
    searching.cancel()
    assert not problems
    await reaches(api, job, state="canceled")
    await is_unloaded(triton, tiny)


@pytest.mark.endurance
async def test_a_knowledge_base_of_another_model(
    platform: Platform, api: httpx.AsyncClient, triton: Triton, kb: str
) -> None:
    """It keeps its model when it is re-indexed, until another one is named; a model is loaded when it is asked for."""
    name = f"{kb}-tiny"
    made = await api.post("/knowledge-bases", json={"name": name, "embedding_model": TINY})
    assert (made.status_code, made.json()["embedding_model"]) == (201, TINY)
    (document,) = await upload(api, name, ("one.txt", text(1)))
    await finished(api, document["id"])
    assert await found(api, name, word(1))
    async with AsyncOpenAI(base_url=f"{platform.url}/v1", api_key=platform.key) as openai:
        made = await openai.embeddings.create(model=TINY, input="hello")
        assert len(made.data[0].embedding) == 96
    await triton.keep_loaded([])  # as after a restart of Triton
    assert await found(api, name, word(1))
    same = await reaches(api, await start(api, name), state="ready")
    assert (same["plan"]["embedded_again"] + same["plan"]["cut_again"], same["embedding_model"]) == (0, TINY)
    plan = await api.post(f"/knowledge-bases/{name}/reindex-plan", json={"embedding_model": DEFAULT})
    planned = await reaches(api, plan.json(), state="ready")
    assert (planned["plan"]["parsed_again"], planned["plan"]["cut_again"]) == (0, 1)
    assert (await api.delete(f"/knowledge-bases/{name}")).status_code == 202
    await is_unloaded(triton, await triton.named(TINY))


async def test_an_empty_knowledge_base_changes_its_model_too(api: httpx.AsyncClient, kb: str) -> None:
    """Its first document is then indexed with the new one."""
    job = await start(api, kb, embedding_model=TINY, soak_seconds=600)
    await reaches(api, job, stage="soak")
    assert await model_of(api, kb) == TINY
    assert (await api.post(f"/reindexes/{job['id']}/rollback")).status_code == 202
    same = await reaches(api, job, state="canceled")
    assert same["embedding_model"] == TINY
    assert await model_of(api, kb) is None


async def test_a_model_that_cannot_be_used_is_refused(api: httpx.AsyncClient, kb: str) -> None:
    """One that is not configured, with the names of those that are, and one that does not load: nothing is changed."""
    for model, code in (("no-such-model", "model-not-served"), ("broken", "model-unusable")):
        refused = await api.post(f"/knowledge-bases/{kb}/reindex", json={"embedding_model": model})
        assert (refused.status_code, refused.json()["code"]) == (409, code), refused.text
        assert model in refused.json()["detail"]
    refused = await api.post("/knowledge-bases", json={"name": f"{kb}-x", "embedding_model": "no-such-model"})
    assert (refused.status_code, refused.json()["code"]) == (409, "model-not-served"), refused.text
    assert (await api.get(f"/knowledge-bases/{kb}/reindexes")).json()["items"] == []
    assert (await api.get(f"/knowledge-bases/{kb}-x")).status_code == 404
