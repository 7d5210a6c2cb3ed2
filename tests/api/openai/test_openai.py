"""The OpenAI-compatible API, with OpenAI's unmodified client."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any, Unpack
from urllib.parse import quote

import httpx
import msgspec
import numpy as np
import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from activities.contracts.questions import Turn
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import EventFilter
from activities.stores.triton import Triton
from tests.conftest import Platform, ask, assert_eventually, ready
from tests.workflows.test_outages import down

LEAVE = "Employees may carry over five days of unused annual leave into the next calendar year."
VISA = "外籍员工的签证费用由公司承担，每年最多报销一次。"
QUESTION = "How many days of unused leave can be carried over?"


@pytest.fixture
async def client(platform: Platform) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's client, pointed at the platform."""
    http = httpx.AsyncClient(trust_env=False, timeout=50)
    async with AsyncOpenAI(
        base_url=f"{platform.url}/v1", api_key=platform.key, max_retries=0, http_client=http
    ) as client:
        yield client


@pytest.fixture
async def handbook(api: httpx.AsyncClient, kb: str) -> str:
    """A knowledge base with an English and a Chinese text."""
    await ready(api, kb, ("leave.txt", LEAVE.encode()), ("签证.txt", VISA.encode()))
    return kb


@pytest.fixture
async def model(platform: Platform) -> str:
    """The name of the embedding model that is served."""
    triton = Triton(platform.settings.triton.address)
    try:
        return (await triton.card()).model
    finally:
        await triton.close()


def asking(text: str) -> Any:
    """The messages of a question."""
    return [{"role": "user", "content": text}]


# --- chat ------------------------------------------------------------------------------------------


async def test_an_answer_comes_with_its_sources(client: AsyncOpenAI, api: httpx.AsyncClient, handbook: str) -> None:
    """A plain call returns the recorded answer, its sources in `holdfast`, and its token usage."""
    answer = await client.chat.completions.create(model=handbook, messages=asking(QUESTION))
    (choice,) = answer.choices
    assert (answer.object, answer.model, choice.finish_reason) == ("chat.completion", handbook, "stop")
    assert choice.message.role == "assistant"
    assert "five days" in (choice.message.content or "")
    grounds = (choice.message.model_extra or {})["holdfast"]
    record = (await api.get(f"/questions/{grounds['question_id']}")).json()
    assert choice.message.content == grounds["answer"] == record["answer"]
    assert (grounds["citations"], grounds["sources"]) == (record["citations"], record["sources"])
    assert (grounds["found"], grounds["mode"], record["actor"]) == (True, "extractive", "admin")
    [mark] = (choice.message.model_extra or {}).get("annotations") or choice.message.annotations or []
    mark = mark if isinstance(mark, dict) else mark.model_dump(exclude_none=True)
    assert (mark["type"], mark["filename"]) == ("file_citation", "leave.txt")
    assert (choice.message.content or "")[mark["index"] :].startswith("[1]")
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 5
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_document_makes_no_client_load_anything(
    client: AsyncOpenAI, api: httpx.AsyncClient, kb: str, streamed: bool
) -> None:
    """A picture or HTML in a quote is text for who renders Markdown; `holdfast` has the quote as it stands there."""
    lynx = "The lynx <img src=x onerror=alert(1)> eats ![p](http://127.0.0.1:9/p) rabbits daily."
    await ready(api, kb, ("lynx.txt", lynx.encode()))
    question = asking("What does the lynx eat daily?")
    if streamed:
        chunks = [
            chunk async for chunk in await client.chat.completions.create(model=kb, messages=question, stream=True)
        ]
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        grounds = (chunks[-1].choices[0].delta.model_extra or {})["holdfast"]
    else:
        (choice,) = (await client.chat.completions.create(model=kb, messages=question)).choices
        text, grounds = choice.message.content or "", (choice.message.model_extra or {})["holdfast"]
    assert grounds["citations"][0]["quote"] == lynx
    assert text.startswith(lynx.replace("<img", "\\<img").replace("![", "!\\["))


@pytest.mark.parametrize("streamed", [False, True])
async def test_sources_can_stand_in_the_text(
    client: AsyncOpenAI, api: httpx.AsyncClient, handbook: str, streamed: bool
) -> None:
    """On request, at its end, in its language; the recorded answer and the places of its numbers stay as they are."""
    asked: Any = {"model": handbook, "messages": asking("签证费用由谁承担？")}
    asked["extra_body"] = {"holdfast": {"sources": "text"}}
    if streamed:
        chunks = [chunk async for chunk in await client.chat.completions.create(**asked, stream=True)]
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        extra: Any = chunks[-1].choices[0].delta.model_extra
    else:
        (choice,) = (await client.chat.completions.create(**asked)).choices
        text, extra = choice.message.content or "", choice.message.model_dump()
    grounds = extra["holdfast"]
    answer, listed = text.split("\n\n**来源**\n\n")
    assert answer == grounds["answer"] == (await api.get(f"/questions/{grounds['question_id']}")).json()["answer"]
    page = f"{str(client.base_url).removesuffix('v1/')}#/kb/{handbook}/documents"
    assert listed == f"* [1] `签证.txt`: <{page}?search={quote('签证.txt')}>"
    assert [each["index"] for each in extra["annotations"]] == [answer.index("[1]")]


async def test_a_question_of_a_client_is_in_no_list(client: AsyncOpenAI, api: httpx.AsyncClient, handbook: str) -> None:
    """Clients keep their own conversations; Holdfast's has an id for lookup and deletion."""
    answer = await client.chat.completions.create(model=handbook, messages=asking(QUESTION))
    id = (answer.choices[0].message.model_extra or {})["holdfast"]["conversation_id"]
    assert (await api.get("/conversations", params={"kb": handbook})).json()["items"] == []
    assert (await api.get(f"/conversations/{id}")).json()["title"] == QUESTION
    assert (await api.delete(f"/conversations/{id}")).status_code == 204


@pytest.mark.parametrize("mode", ["extractive", "generative"])
async def test_an_answer_is_streamed(client: AsyncOpenAI, handbook: str, mode: str) -> None:
    """The deltas add up to the checked answer; the last one has the sources, followed by the usage."""
    stream = await client.chat.completions.create(
        model=handbook,
        messages=asking(QUESTION),
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"holdfast": {"mode": mode}},
    )
    chunks = [chunk async for chunk in stream]
    *pieces, usage = chunks
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert pieces[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in pieces)
    grounds = (pieces[-1].choices[0].delta.model_extra or {})["holdfast"]
    assert text.strip().endswith(grounds["answer"].strip())
    assert grounds["citations"]
    assert [chunk.choices[0].finish_reason for chunk in pieces[:-1]] == [None] * (len(pieces) - 1)
    assert pieces[-1].choices[0].finish_reason in ("stop", "length")
    assert all(chunk.usage is None for chunk in pieces)
    assert usage.choices == []
    assert usage.usage is not None
    assert usage.usage.completion_tokens > 0


async def test_a_stream_follows_the_wire_format(platform: Platform, handbook: str) -> None:
    """Lines of `data:` with JSON, `[DONE]` at the end, not compressed, no usage unless requested."""
    async with httpx.AsyncClient(trust_env=False, timeout=50) as http:
        answer = await http.post(
            f"{platform.url}/v1/chat/completions",
            headers={"Authorization": f"Bearer {platform.key}", "Accept-Encoding": "gzip"},
            json={"model": handbook, "messages": asking(QUESTION), "stream": True},
        )
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in answer.headers
    lines = [line for line in answer.text.split("\n\n") if line and not line.startswith(":")]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    assert all("usage" not in msgspec.json.decode(line.removeprefix("data: ")) for line in lines[:-1])


async def test_the_clients_stream_helper_works(client: AsyncOpenAI, handbook: str) -> None:
    """The answer that the client accumulates has its sources."""
    async with client.chat.completions.stream(model=handbook, messages=asking(QUESTION)) as stream:
        whole = await stream.get_final_completion()
    message = whole.choices[0].message
    assert "five days" in (message.content or "")
    assert (message.model_extra or {})["holdfast"]["found"] is True


async def test_the_synchronous_client_works_too(platform: Platform, handbook: str) -> None:
    """With the README's example."""

    def call() -> str:
        with httpx.Client(trust_env=False, timeout=50) as http:
            client = OpenAI(base_url=f"{platform.url}/v1", api_key=platform.key, http_client=http)
            answer = client.chat.completions.create(model=handbook, messages=asking("签证费用由谁承担？"))
            return answer.choices[0].message.content or ""

    assert "由公司承担" in await asyncio.to_thread(call)


async def test_usual_fields_are_no_error(client: AsyncOpenAI, handbook: str) -> None:
    """Common fields that Holdfast does not support are ignored."""
    answer = await client.chat.completions.create(
        model=handbook,
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
        ],
        temperature=0.2, top_p=0.9, max_tokens=50, max_completion_tokens=50, n=1, seed=7, stop=["\n\n"], user="ann",
        presence_penalty=0.1, frequency_penalty=0.1, logprobs=False, parallel_tool_calls=True, store=False,
        metadata={"a": "b"}, response_format={"type": "text"}, tool_choice="auto",
        tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}],
    )  # fmt: skip
    assert "five days" in (answer.choices[0].message.content or "")


async def test_a_question_without_an_answer_is_told_so(client: AsyncOpenAI, handbook: str) -> None:
    """The refusal is a normal answer, and programs can detect it."""
    answer = await client.chat.completions.create(model=handbook, messages=asking("Who painted the Mona Lisa?"))
    grounds = (answer.choices[0].message.model_extra or {})["holdfast"]
    assert (grounds["found"], answer.choices[0].finish_reason) == (False, "stop")


async def test_earlier_messages_are_the_history_of_the_run(
    client: AsyncOpenAI, handbook: str, platform: Platform
) -> None:
    """The run gets the client's own turns."""
    messages: Any = [
        {"role": "user", "content": "What about leave?"},
        {"role": "assistant", "content": "Five days can be carried over."},
        {"role": "user", "content": "Until when?"},
    ]
    answer = await client.chat.completions.create(model=handbook, messages=messages)
    question = (answer.choices[0].message.model_extra or {})["holdfast"]["question_id"]
    turns = await Blobs(platform.settings.blobs_url).load(f"questions/{question}/history", list[Turn])
    assert turns == [Turn(question="What about leave?", answer="Five days can be carried over.")]


@pytest.mark.long
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_cancels_its_question(
    client: AsyncOpenAI, api: httpx.AsyncClient, handbook: str, platform: Platform, stream: bool
) -> None:
    """No question is answered without a client."""
    worker = platform.pid_of("worker-interactive")
    os.kill(worker, signal.SIGSTOP)
    try:
        call = asyncio.create_task(
            client.chat.completions.create(model=handbook, messages=asking(QUESTION), stream=stream)
        )
        question = await assert_eventually(lambda: asked_of(platform, handbook))
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await assert_eventually(lambda: cancel_requested(platform, question))
    finally:
        os.kill(worker, signal.SIGCONT)

    async def canceled() -> bool:
        return str((await api.get(f"/questions/{question}")).json()["state"]) == "canceled"

    await assert_eventually(canceled)


@pytest.mark.long
async def test_a_reader_that_leaves_in_the_middle_cancels_too(
    api: httpx.AsyncClient, handbook: str, platform: Platform
) -> None:
    """Closing a stream before its end cancels the question."""
    worker = platform.pid_of("worker-interactive")
    os.kill(worker, signal.SIGSTOP)
    try:
        async with (
            httpx.AsyncClient(base_url=platform.url, trust_env=False, timeout=50) as http,
            http.stream(
                "POST",
                "/v1/chat/completions",
                headers={"Authorization": f"Bearer {platform.key}"},
                json={"model": handbook, "messages": asking(QUESTION), "stream": True},
            ) as answer,
        ):
            assert answer.status_code == 200  # sent before the first word
        question = await assert_eventually(lambda: asked_of(platform, handbook))
        await assert_eventually(lambda: cancel_requested(platform, question))
    finally:
        os.kill(worker, signal.SIGCONT)

    async def canceled() -> bool:
        return str((await api.get(f"/questions/{question}")).json()["state"]) == "canceled"

    await assert_eventually(canceled)


async def asked_of(platform: Platform, kb: str) -> str | None:
    """The last question that was asked of a knowledge base."""
    return await _object_of(platform, knowledge_base=kb, action="question.ask")


async def cancel_requested(platform: Platform, question: str) -> bool:
    """Whether the API has asked Temporal to cancel a question; its worker may be stopped meanwhile."""
    return await _object_of(platform, object_id=question, action="question.cancel") == question


async def _object_of(platform: Platform, **wanted: Unpack[EventFilter]) -> str | None:
    """The object of the last event that is wanted."""
    catalog = Catalog(platform.settings.catalog_url)
    try:
        found = await catalog.audit.page(None, 1, **wanted)
        return found[0].object_id if found else None
    finally:
        await catalog.close()


# --- errors ----------------------------------------------------------------------------------------


async def test_an_unknown_model_is_not_found(client: AsyncOpenAI) -> None:
    """The client raises its own error, with OpenAI's code."""
    with pytest.raises(openai.NotFoundError) as caught:
        await client.chat.completions.create(model="nope", messages=asking("Why?"))
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("nope")


async def test_a_bad_key_is_refused(platform: Platform) -> None:
    """401 in OpenAI's shape, on every path."""
    http = httpx.AsyncClient(trust_env=False)
    async with AsyncOpenAI(base_url=f"{platform.url}/v1", api_key="sk-wrong", http_client=http) as stranger:
        with pytest.raises(openai.AuthenticationError) as caught:
            await stranger.models.list()
    assert (caught.value.code, caught.value.type) == ("invalid_api_key", "authentication_error")


@pytest.mark.parametrize(
    ("messages", "code", "param"),
    [
        ([], "invalid_request", None),
        (asking(""), "invalid_request", "messages"),
        (asking("a" * 4001), "context_length_exceeded", "messages"),
        (asking("a" * 100_000), "context_length_exceeded", "messages"),
        ([{"role": "system", "content": "Hello"}], "invalid_request", "messages"),
        ([*asking("Why?"), {"role": "assistant", "content": "So."}], "invalid_request", "messages"),
        ([{"role": "king", "content": "Hello"}], "invalid_request", None),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/y.png"}}]}],
            "invalid_request",
            "messages[0].content",
        ),
    ],
)
async def test_bad_messages_are_refused(
    client: AsyncOpenAI, kb: str, messages: Any, code: str, param: str | None
) -> None:
    """400 with the place and the mistake; no question is recorded."""
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model=kb, messages=messages)
    assert (caught.value.code, caught.value.param, caught.value.type) == (code, param, "invalid_request_error")


async def test_several_answers_at_once_are_refused(client: AsyncOpenAI, kb: str) -> None:
    """One question has one answer: `n` cannot be ignored."""
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model=kb, messages=asking("Why?"), n=2)
    assert caught.value.param == "n"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/nowhere", 404), ("DELETE", "/v1/models", 405)])
async def test_a_wrong_path_has_the_same_shape(platform: Platform, method: str, path: str, status: int) -> None:
    """The client can parse routing errors too."""
    async with httpx.AsyncClient(base_url=platform.url, trust_env=False) as http:
        answer = await http.request(method, path, headers={"Authorization": f"Bearer {platform.key}"})
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.long
async def test_without_triton_there_is_a_clear_error(
    client: AsyncOpenAI, api: httpx.AsyncClient, handbook: str, platform: Platform, model: str
) -> None:
    """503 at once instead of a waiting question; nothing is recorded; afterwards it works again."""
    await client.embeddings.create(model=model, input="text")
    with down(platform, "triton"):
        for stream in (False, True):
            with pytest.raises(openai.InternalServerError) as caught:
                await client.chat.completions.create(model=handbook, messages=asking(QUESTION), stream=stream)
            assert (caught.value.status_code, caught.value.code) == (503, "triton_unavailable")
        with pytest.raises(openai.InternalServerError):
            await client.embeddings.create(model=model, input="text")
        assert await asked_of(platform, handbook) is None

    async def back() -> bool:
        return (await api.get(f"{platform.url}/health/ready")).status_code == 200

    await assert_eventually(back)
    assert (await ask(api, handbook, QUESTION))[-1][1]["found"]


# --- vector stores ---------------------------------------------------------------------------------


async def test_a_knowledge_base_is_a_vector_store(client: AsyncOpenAI, api: httpx.AsyncClient, handbook: str) -> None:
    """OpenAI's own call finds what a search finds; filters that would be ignored are refused."""
    found = await client.vector_stores.search(handbook, query=QUESTION, max_num_results=1)
    hits = (await api.post(f"/knowledge-bases/{handbook}/search", json={"query": QUESTION, "limit": 1})).json()["hits"]
    assert [(each.file_id, each.filename, each.score) for each in found.data] == [
        (hit["document_id"], hit["document_name"], hit["score"]) for hit in hits
    ]
    assert found.data[0].content[0].text == LEAVE
    high = {"score_threshold": 1.0}
    none = await client.vector_stores.search(handbook, query=["签证", "费用"], ranking_options=high)
    assert all(each.score == 1 for each in none.data)
    with pytest.raises(openai.BadRequestError, match=r"holdfast\.filter"):
        await client.vector_stores.search(handbook, query="x", filters={"type": "eq", "key": "a", "value": "b"})
    with pytest.raises(openai.NotFoundError):
        await client.vector_stores.search("nowhere", query="x")


# --- models and embeddings -------------------------------------------------------------------------


async def test_models_are_knowledge_bases(client: AsyncOpenAI, kb: str) -> None:
    """Each is listed with its creator and can be retrieved."""
    listed = [model async for model in await client.models.list()]
    (mine,) = [model for model in listed if model.id == kb]
    assert (mine.object, mine.owned_by) == ("model", "admin")
    assert await client.models.retrieve(kb) == mine


async def test_texts_become_vectors(client: AsyncOpenAI, model: str) -> None:
    """One or many, in their order, as numbers or as base64, of length 1."""
    texts = [LEAVE, VISA, "something else"] * 30
    many = await client.embeddings.create(model=model, input=texts)
    vectors = np.array([each.embedding for each in many.data])
    assert [each.index for each in many.data] == list(range(90))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    as_numbers = await client.embeddings.create(model=model, input=LEAVE, encoding_format="float")
    assert np.allclose(as_numbers.data[0].embedding, vectors[0], atol=0.02)
    assert many.model == model
    assert many.usage.total_tokens == many.usage.prompt_tokens > 90
    raw = await client.embeddings.with_raw_response.create(model=model, input=LEAVE, encoding_format="base64")
    assert isinstance(raw.http_response.json()["data"][0]["embedding"], str)


async def test_a_query_finds_its_passage(client: AsyncOpenAI, model: str) -> None:
    """Texts are passages unless they are marked as queries, and the two are embedded differently."""
    passages = await client.embeddings.create(model=model, input=[LEAVE, VISA])
    query = await client.embeddings.create(model=model, input=QUESTION, extra_body={"input_type": "query"})
    plain = await client.embeddings.create(model=model, input=QUESTION)
    scores = np.array([each.embedding for each in passages.data]) @ np.array(query.data[0].embedding)
    assert scores[0] > scores[1]
    assert query.data[0].embedding != plain.data[0].embedding


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": [1, 2, 3]},
        {"input": [[1, 2], [3]]},
        {"input": []},
        {"input": ""},
        {"input": ["fine", " "]},
        {"input": ["text"] * 2049},
        {"input": "word " * 600},
        {"input": "text", "dimensions": 7},
        {"input": "text", "encoding_format": "hex"},
        {"input": "text", "extra_body": {"input_type": "poem"}},
    ],
    ids=["tokens", "lists", "nothing", "empty", "blank", "many", "long", "dimensions", "format", "type"],
)
async def test_bad_input_of_embeddings_is_refused(client: AsyncOpenAI, model: str, wrong: Any) -> None:
    """400 with a sentence: no token lists, no truncation, no other dimension of vectors."""
    with pytest.raises(openai.BadRequestError) as caught:
        await client.embeddings.create(model=model, **wrong)
    assert caught.value.message


async def test_another_embedding_model_is_not_found(client: AsyncOpenAI) -> None:
    """Vectors of another model than the requested one would be worse than none."""
    with pytest.raises(openai.NotFoundError) as caught:
        await client.embeddings.create(model="text-embedding-3-small", input="text")
    assert caught.value.code == "model_not_found"
