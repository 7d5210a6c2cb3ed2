"""A second user on a running platform: a reader of one knowledge base of three sees and asks that one, nothing else."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass

import httpx
import openai
import pytest
from openai import AsyncOpenAI
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import InvalidStatus

from tests.api.http.test_access import ENDLESS, MAY
from tests.conftest import Platform, ask, ready

PASSWORD = "correct horse battery staple"
QUESTION = "How many days of unused leave can be carried over?"

#: Lists and counts that need no path.
LISTS = [route.removeprefix("GET ") for route in MAY if re.fullmatch(r"GET [^{]+", route) and route not in ENDLESS]


@dataclass
class Furnished:
    """A knowledge base with a document, a question and a batch, and all the words that only it has."""

    kb: str
    document: str
    question: str
    conversation: str
    batch: str
    words: list[str]


async def furnished(api: httpx.AsyncClient, kb: str, days: str) -> Furnished:
    """A new knowledge base in which the administrator has asked a question."""
    assert (await api.post("/knowledge-bases", json={"name": kb, "title": f"Title {kb}"})).status_code == 201
    text = f"Employees may carry over {days} days of unused annual leave into the next year. Word {kb}."
    (document,) = await ready(api, kb, (f"leave-{kb}.txt", text.encode()))
    asked = (await api.post(f"/knowledge-bases/{kb}/questions", json={"question": QUESTION})).json()
    batch = (await api.post(f"/knowledge-bases/{kb}/batches", json={"name": f"batch-{kb}"})).json()["id"]
    ids = [document["id"], asked["id"], asked["conversation_id"], batch]
    return Furnished(kb, *ids, words=[kb, *ids])


async def signed_in(platform: Platform, api: httpx.AsyncClient, name: str, kb: str) -> str:
    """An access token of a new user who reads a knowledge base."""
    made = await api.post("/users", json={"name": name, "password": PASSWORD})
    assert made.status_code == 201, made.text
    assert (await api.put(f"/knowledge-bases/{kb}/grants/user/{name}", json={"role": "reader"})).status_code == 200
    given = await api.post("/auth/token", json={"username": name, "password": PASSWORD})
    return str(given.json()["access_token"])


async def test_a_reader_of_one_sees_and_asks_that_one(platform: Platform, api: httpx.AsyncClient) -> None:
    """Over HTTP, by OpenAI's client, and on a socket; the others are in no list, count, answer or completion."""
    mark, others = secrets.token_hex(3), ("fourteen", "ninety")
    own = await furnished(api, f"own-{mark}", "five")
    hidden = [await furnished(api, f"{word}-{mark}", word) for word in others]
    token = await signed_in(platform, api, f"rita-{mark}", own.kb)
    words = [*others, *(word for each in hidden for word in each.words)]

    def clean(text: str) -> bool:
        return not any(word in text for word in words)

    async with httpx.AsyncClient(
        base_url=f"{platform.url}/api/v1",
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
        trust_env=False,
    ) as rita:
        for path in LISTS:
            answer = await rita.get(platform.url + path, params={"kind": "document", "text": "l"})
            assert answer.status_code < 500, (path, answer.text)
            assert clean(answer.text), path
        (listed,) = (await rita.get("/knowledge-bases")).json()["items"]
        assert (listed["name"], listed["documents"]["total"]) == (own.kb, 1)
        for kind in ("document", "batch", "reindex", "conversation", "question"):
            for text in ("leave", hidden[0].kb[:9], hidden[1].document[:12]):
                found = await rita.get("/lookup", params={"kind": kind, "text": text})
                assert clean(found.text), (kind, text)
        hits = (await rita.post(f"/knowledge-bases/{own.kb}/search", json={"query": QUESTION})).json()["hits"]
        assert {hit["document_id"] for hit in hits} == {own.document}
        for other in hidden:
            body = {"query": QUESTION, "documents": [other.document]}
            scoped = await rita.post(f"/knowledge-bases/{own.kb}/search", json=body)
            assert scoped.status_code in (200, 404)
            assert clean(scoped.text.replace(other.document, ""))
            assert not scoped.json().get("hits")
            refused = await rita.post(
                f"/knowledge-bases/{own.kb}/questions",
                json={"question": QUESTION, "conversation_id": other.conversation},
            )
            assert refused.status_code == 404, refused.text
        done = (await ask(rita, own.kb, QUESTION))[-1]
        assert (done[0], done[1]["found"]) == ("done", True)
        assert "five" in done[1]["answer"]
        assert clean(json.dumps(done[1]))
        content = await rita.get(f"/documents/{own.document}/content")
        assert own.kb in content.text
        await by_openai(platform, token, own, hidden[0])
    url = f"{platform.url.replace('http', 'ws')}/api/v1/documents"
    header = {"Authorization": f"Bearer {token}"}
    async with open_socket(f"{url}/{own.document}/ws", additional_headers=header, proxy=None) as socket:
        assert json.loads(await socket.recv())["state"] == "ready"
    with pytest.raises(InvalidStatus):
        await open_socket(f"{url}/{hidden[0].document}/ws", additional_headers=header, proxy=None)


async def by_openai(platform: Platform, token: str, own: Furnished, hidden: Furnished) -> None:
    """OpenAI's client lists and asks one model; the hidden one is not found."""
    http = httpx.AsyncClient(trust_env=False, timeout=50)
    async with AsyncOpenAI(base_url=f"{platform.url}/v1", api_key=token, max_retries=0, http_client=http) as client:
        assert [model.id async for model in client.models.list()] == [own.kb]
        messages: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": QUESTION}]
        stream = await client.chat.completions.create(model=own.kb, messages=messages, stream=True)
        text = "".join([piece.choices[0].delta.content or "" async for piece in stream if piece.choices])
        assert "five" in text
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model=hidden.kb, messages=messages)
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve(hidden.kb)
