"""Re-indexes through the whole platform: another index beside the one in use, the switch, the way back."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from activities.stores.blobs import Blobs
from activities.stores.milvus import Milvus
from tests.conftest import Platform, assert_eventually, events, finished, upload
from tests.stores.catalog.conftest import sql
from tests.workflows.test_batches import batch_is, send

pytestmark = pytest.mark.long

#: Slow enough to act while it builds.
SLOWLY = {"parallelism": 1, "throttle": 0.1}
VERY_SLOWLY = {"parallelism": 1, "throttle": 0.02}
SMALLER = {"max_tokens": 64, "overlap_tokens": 0}
COUNT = 12


def text(number: int, version: int = 1) -> bytes:
    """A document of several short chunks, with a word of its own."""
    rest = "\n\n".join(f"Paragraph {part} of text {number}. " + "It says a little more. " * 8 for part in range(5))
    return f"{word(number, version)} is the word of this text.\n\n{rest}".encode()


def word(number: int, version: int = 1) -> str:
    """The word by which a version of a document is found."""
    return f"zq{number:03d}v{version}"


@pytest.fixture
async def filled(platform: Platform, api: httpx.AsyncClient, kb: str) -> str:
    """A knowledge base with ``COUNT`` documents, in a shared collection; its next generation has one of its own."""
    await share_collection(platform, kb)
    batch = await send(api, kb, [(f"{number}.txt", text(number)) for number in range(COUNT)])
    await batch_is(api, batch["batch_id"], "ready")
    return kb


async def share_collection(platform: Platform, kb: str) -> None:
    """Make an empty knowledge base one of those past the number of collections."""
    one = "(SELECT id FROM knowledge_bases WHERE name = :name)"
    change = "UPDATE generations SET collection = collection || '@shared' WHERE knowledge_base_id = "
    await sql(platform.settings, change + one, name=kb)


async def start(api: httpx.AsyncClient, kb: str, **settings: Any) -> dict[str, Any]:
    """Start a re-index."""
    response = await api.post(f"/knowledge-bases/{kb}/reindex", json=settings)
    assert response.status_code == 202, response.text
    job: dict[str, Any] = response.json()
    return job


async def reaches(api: httpx.AsyncClient, job: dict[str, Any], *, seconds: float = 60, **fields: Any) -> dict[str, Any]:
    """Wait until a re-index has these values; returns it."""

    async def check() -> dict[str, Any] | None:
        info: dict[str, Any] = (await api.get(f"/reindexes/{job['id']}")).json()
        assert info["state"] != "failed" or fields.get("state") == "failed", info
        return info if all(info[name] == value for name, value in fields.items()) else None

    return await assert_eventually(check, seconds)


async def found(api: httpx.AsyncClient, kb: str, query: str) -> list[dict[str, Any]]:
    """The hits whose text holds the query."""
    response = await api.post(f"/knowledge-bases/{kb}/search", json={"query": query})
    assert response.status_code == 200, response.text
    return [hit for hit in response.json()["hits"] if query in hit["text"]]


async def documents(api: httpx.AsyncClient, kb: str) -> dict[str, dict[str, Any]]:
    """Documents by name."""
    page = (await api.get(f"/knowledge-bases/{kb}/documents", params={"limit": 100})).json()
    return {each["name"]: each for each in page["items"]}


async def collections(platform: Platform) -> set[str]:
    """The collections in Milvus."""
    milvus = Milvus(platform.settings.milvus)
    names = set(await milvus.collections())
    await milvus.close()
    return names


async def test_other_chunks_go_live_unnoticed_and_back(platform: Platform, api: httpx.AsyncClient, filled: str) -> None:
    """While it builds and after the switch, what is uploaded, replaced and deleted is up to date in both indexes."""
    before = await documents(api, filled)
    problems: list[str] = []

    async def search_on() -> None:
        number = 0
        while True:
            number = (number + 1) % 6
            response = await api.post(f"/knowledge-bases/{filled}/search", json={"query": word(number)})
            hits = response.json().get("hits", [])
            if response.status_code != 200 or not any(word(number) in hit["text"] for hit in hits):
                problems.append(f"{response.status_code}: {len(hits)} hits for {word(number)}")
            if len({hit["document_id"] for hit in hits if word(number) in hit["text"]}) > 1:
                problems.append("mixed")

    searching = asyncio.create_task(search_on())
    job = await start(api, filled, chunking=SMALLER, soak_seconds=600, **SLOWLY)
    await reaches(api, job, stage="build", state="running")
    assert (await api.post(f"/knowledge-bases/{filled}/reindex")).json()["code"] == "reindex-runs"
    (new,) = await upload(api, filled, ("new.txt", text(100)))
    (again,) = await upload(api, filled, ("7.txt", text(7, 2)))
    assert (await api.delete(f"/documents/{before['8.txt']['id']}")).status_code == 202
    await finished(api, new["id"])
    await finished(api, again["id"])
    await api.post(f"/reindexes/{job['id']}/control", json={"throttle": 1, "parallelism": 4})
    info = await reaches(api, job, stage="soak", seconds=120)
    assert info["verified"]["lost"] == 0
    assert (info["plan"]["cut_again"], info["plan"]["parsed_again"]) == (COUNT, 0)

    after = await documents(api, filled)
    assert after["1.txt"]["chunks"] > before["1.txt"]["chunks"]
    assert after["new.txt"]["chunks"] == after["1.txt"]["chunks"]
    assert (await api.get(f"/knowledge-bases/{filled}")).json()["chunking"] == SMALLER
    assert await found(api, filled, word(100))
    assert await found(api, filled, word(7, 2))
    assert not await found(api, filled, word(8))
    assert not await found(api, filled, word(7))

    (late,) = await upload(api, filled, ("late.txt", text(101)))
    await finished(api, late["id"])
    assert (await api.delete(f"/documents/{before['9.txt']['id']}")).status_code == 202
    response = await api.post(f"/reindexes/{job['id']}/rollback")
    assert response.status_code == 202, response.text
    searching.cancel()
    assert not problems
    back = await documents(api, filled)
    assert back["1.txt"]["chunks"] == before["1.txt"]["chunks"] == back["late.txt"]["chunks"]
    for query in (word(100), word(101), word(7, 2), word(1)):
        assert await found(api, filled, query), query
    for query in (word(8), word(9), word(7)):
        assert not await found(api, filled, query), query
    ended = await reaches(api, job, state="canceled")
    assert "went back" in ended["reason"]
    assert not {name for name in await collections(platform) if name.endswith(f"_g{info['generation']}")} & {
        f"kb_{job['workflow_id'].split('/')[1]}_g{info['generation']}"
    }
    events_of = (await api.get("/audit/events", params={"kb": filled, "limit": 1000})).json()["items"]
    actions = {event["action"] for event in events_of}
    assert {"reindex.start", "reindex.control", "reindex.switch", "reindex.rollback"} <= actions


async def test_a_switch_that_stays_removes_the_old_index(
    platform: Platform, api: httpx.AsyncClient, filled: str
) -> None:
    """The old collection goes, with the blobs that only it was made from; a second re-index has nothing to do."""
    job = await start(api, filled, chunking=SMALLER, soak_seconds=5)
    info = await reaches(api, job, state="ready", seconds=120)
    knowledge_base = job["workflow_id"].split("/")[1]
    mine = {name for name in await collections(platform) if knowledge_base in name}
    assert mine == {f"kb_{knowledge_base}_g{info['generation']}"}
    assert await found(api, filled, word(3))
    again = await start(api, filled)
    info = await reaches(api, again, state="ready")
    assert info["plan"]["documents"] == COUNT
    assert (info["plan"]["parsed_again"], info["plan"]["cut_again"], info["plan"]["embedded_again"]) == (0, 0, 0)
    assert info["switched_at"] is None
    states = await events(api, f"/reindexes/{again['id']}/events")
    assert states[-1][1]["state"] == "ready"


@pytest.mark.parametrize("stage", ["build", "approve"])
async def test_a_cancel_leaves_nothing(platform: Platform, api: httpx.AsyncClient, filled: str, stage: str) -> None:
    """Neither rows nor blobs; the index in use is the one from before, and another re-index can begin."""
    blobs = Blobs(platform.settings.blobs_url)
    before = set(await blobs.list(""))
    speed = SLOWLY if stage == "build" else {}
    job = await start(api, filled, chunking=SMALLER, approve=True, **speed)
    await reaches(api, job, stage=stage)
    if stage == "approve":
        assert (await api.post(f"/reindexes/{job['id']}/approve")).json()["code"] == "same-person"
        assert (await api.post(f"/reindexes/{job['id']}/rollback")).json()["code"] == "wrong-state"
    assert (await api.post(f"/reindexes/{job['id']}/cancel")).status_code == 202
    await reaches(api, job, state="canceled")
    knowledge_base = job["workflow_id"].split("/")[1]
    assert not any(knowledge_base in name for name in await collections(platform))  # the one in use is in a shared one
    left = set(await blobs.list("")) - before
    assert [key for key in left if not key.startswith("audit/")] == []  # the log is signed meanwhile
    assert await found(api, filled, word(2))


async def test_a_pause_and_a_window_hold_it(api: httpx.AsyncClient, filled: str) -> None:
    """A closed window is waited for, and when it is opened, or the pause ends, it goes on by itself."""
    job = await start(
        api, filled, chunking=SMALLER, soak_seconds=5, window="00:00-00:01 Pacific/Kiritimati", **VERY_SLOWLY
    )
    await reaches(api, job, state="waiting", stage="build")
    await api.post(f"/reindexes/{job['id']}/pause")
    await reaches(api, job, state="paused", stage="build")
    await api.post(f"/reindexes/{job['id']}/resume")
    await reaches(api, job, state="waiting", stage="build", done=0)
    await api.post(f"/reindexes/{job['id']}/control", json={"window": ""})
    await reaches(api, job, state="running", stage="build")
    await api.post(f"/reindexes/{job['id']}/pause")
    await reaches(api, job, state="paused")
    await api.post(f"/reindexes/{job['id']}/resume")
    await api.post(f"/reindexes/{job['id']}/control", json={"throttle": 1, "parallelism": 8})
    await reaches(api, job, state="ready", seconds=120)
    for settings, code in (
        ({"window": "25:00-06:00"}, "invalid-request"),
        ({"embedding_model": "x"}, "model-not-served"),
    ):
        refused = await api.post(f"/knowledge-bases/{filled}/reindex", json=settings)
        assert refused.json()["code"] == code
