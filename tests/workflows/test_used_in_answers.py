"""What 50 answers were made from, after their documents were replaced, indexed again and deleted."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.conftest import events, finished, upload
from tests.workflows.test_batches import batch_is, send
from tests.workflows.test_reindex import reaches, start

pytestmark = pytest.mark.long

DOCUMENTS, EACH = 10, 5
PLACES = ("Oslo", "Lima", "Cairo", "Perth", "Delhi")

Record = dict[str, Any]


def text(number: int, version: int = 1) -> bytes:
    """A document with a fact for each of the places."""
    facts = (
        f"The office of team {number} in {place} is in room {version}{number}{at}7." for at, place in enumerate(PLACES)
    )
    return "\n\n".join(f"{fact} Whoever visits it has to sign a list at the door." for fact in facts).encode()


async def asked(api: httpx.AsyncClient, kb: str, question: str, slots: asyncio.Semaphore) -> tuple[str, Record]:
    """The id of a question, and what its asker saw: its passages and its citations."""
    async with slots:
        accepted = (await api.post(f"/knowledge-bases/{kb}/questions", json={"question": question})).json()
        seen = await events(api, accepted["events_url"])
    shown = {name: data for name, data in seen if name in ("sources", "done")}
    return accepted["id"], {"sources": shown["sources"]["sources"], "citations": shown["done"]["citations"]}


async def record(api: httpx.AsyncClient, id: str) -> Record:
    """The record of a question as an auditor sees it."""
    found: Record = (await api.get(f"/audit/questions/{id}")).json()
    return found


async def uses(api: httpx.AsyncClient, document: str) -> set[tuple[str, int, int, bool]]:
    """The answers that used a document: question, version, number of passages, whether it is quoted."""
    page = (await api.get(f"/audit/documents/{document}/answers", params={"limit": 1000})).json()["items"]
    return {(each["question_id"], each["version"], each["passages"], each["cited"]) for each in page}


def used(records: dict[str, Record], document: str) -> set[tuple[str, int, int, bool]]:
    """The same, by the records of the questions."""
    found = set()
    for id, each in records.items():
        cited = {citation["chunk_id"] for citation in each["citations"]}
        passages = [source for source in each["sources"] if source["document_id"] == document]
        for version, count in Counter(source["version"] for source in passages).items():
            quoted = any(source["chunk_id"] in cited for source in passages if source["version"] == version)
            found.add((id, version, count, quoted))
    return found


async def contents(api: httpx.AsyncClient, kb: str) -> dict[tuple[str, int], str]:
    """The SHA-256 of each version that was uploaded, by the audit trail."""
    page = await api.get("/audit/events", params={"kb": kb, "action": "document.upload", "limit": 1000})
    return {(each["object_id"], each["version"]): each["detail"]["sha256"] for each in page.json()["items"]}


async def test_50_answers_show_what_they_used_whatever_became_of_it(api: httpx.AsyncClient, kb: str) -> None:
    """Passages, versions, contents and quotes are those of the time of the question, from both sides."""
    batch = await send(api, kb, [(f"{number}.txt", text(number)) for number in range(DOCUMENTS)])
    await batch_is(api, batch["batch_id"], "ready")
    page = (await api.get(f"/knowledge-bases/{kb}/documents", params={"limit": 100})).json()["items"]
    ids = {int(each["name"].removesuffix(".txt")): each["id"] for each in page}
    slots = asyncio.Semaphore(8)
    wanted = [f"In which room is the office of team {team} in {place}?" for team in ids for place in PLACES]
    answers = dict(await asyncio.gather(*(asked(api, kb, question, slots) for question in wanted)))
    before = {id: await record(api, id) for id in answers}
    assert len(before) == DOCUMENTS * EACH
    assert all(each["sources"] and each["citations"] for each in before.values())

    for number in (0, 1, 2, 3):
        (again,) = await upload(api, kb, (f"{number}.txt", text(number, 2)))
        await finished(api, again["id"])
    job = await start(api, kb, chunking={"max_tokens": 64, "overlap_tokens": 0}, soak_seconds=5)
    await reaches(api, job, state="ready", seconds=120)
    for number in (3, 4, 5, 6):
        assert (await api.delete(f"/documents/{ids[number]}")).status_code == 202
    late = dict([await asked(api, kb, "In which room is the office of team 0 in Oslo?", slots)])

    after = {id: await record(api, id) for id in answers}
    assert after == before
    hashes = await contents(api, kb)
    texts = {(ids[number], 1): text(number) for number in ids}
    for id, each in after.items():
        assert {name: each[name] for name in answers[id]} == answers[id]
        for source in each["sources"]:
            version = source["document_id"], source["version"]
            assert hashes[version] == hashlib.sha256(texts[version]).hexdigest()
        for citation in each["citations"]:
            assert citation["quote"] in texts[citation["document_id"], citation["version"]].decode()
            assert citation["chunk_id"] in {source["chunk_id"] for source in each["sources"]}
    after |= {id: await record(api, id) for id in late}
    for document in ids.values():
        assert await uses(api, document) == used(after, document)
    assert {version for _, version, _, _ in used(after, ids[0])} == {1, 2}
