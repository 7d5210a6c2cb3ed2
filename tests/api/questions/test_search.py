"""Search through the API: its hits while documents change, filters and tags, the state of the index."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import httpx
import pytest

from tests.conftest import finished, ready, upload

LEAVE = "Employees may carry over five days of unused annual leave."


async def test_a_search_in_a_missing_place_is_404(api: httpx.AsyncClient, kb: str) -> None:
    """An unknown knowledge base, and a document that is not in it, even if it is in another one."""
    assert (await api.post("/knowledge-bases/no-such-kb/search", json={"query": "x"})).status_code == 404
    await api.post("/knowledge-bases", json={"name": "other-of-search"})
    (other,) = await upload(api, "other-of-search", ("a.txt", LEAVE.encode()))
    for id in ("c" * 32, "no id", '" or id != "', other["id"]):
        answer = await api.post(f"/knowledge-bases/{kb}/search", json={"query": "x", "documents": [id]})
        assert answer.status_code == 404, id
    await api.delete("/knowledge-bases/other-of-search")


async def test_tags_are_given_changed_and_searched(api: httpx.AsyncClient, kb: str) -> None:
    """With the upload, by PATCH, and with an upload of the same content; a filter finds them."""
    (job,) = await upload(api, kb, ("a.txt", LEAVE.encode()), tags=["HR", " Annual  Leave "])
    (untagged,) = await upload(api, kb, ("b.txt", LEAVE.replace("leave", "pay").encode()))
    for id in (job["id"], untagged["id"]):
        await finished(api, id)
    path = f"/documents/{job['id']}"

    async def tagged(*tags: str) -> set[str]:
        body = {"query": "annual leave", "filter": {"tags": list(tags)}}
        hits = (await api.post(f"/knowledge-bases/{kb}/search", json=body)).json()["hits"]
        return {hit["document_id"] for hit in hits}

    assert (await api.get(path)).json()["tags"] == ["annual leave", "hr"]
    assert (await api.get(f"/documents/{untagged['id']}")).json()["tags"] == []
    assert await tagged("hr", "ANNUAL LEAVE") == {job["id"]}
    changed = await api.patch(path, json={"tags": ["合同", "合同"]})
    assert (changed.status_code, changed.json()["tags"]) == (200, ["合同"])
    assert (await tagged("hr"), await tagged("合同")) == (set(), {job["id"]})
    (again,) = await upload(api, kb, ("a.txt", LEAVE.encode()))
    assert (again["version"], (await api.get(path)).json()["tags"]) == (1, ["合同"])
    (again,) = await upload(api, kb, ("a.txt", LEAVE.encode()), tags=["hr"])
    assert (again["version"], (await api.get(path)).json()["tags"]) == (1, ["hr"])
    (again,) = await upload(api, kb, ("a.txt", f"{LEAVE} Always.".encode()))
    assert (again["version"], (await api.get(path)).json()["tags"]) == (2, ["hr"])


@pytest.mark.parametrize("tags", [[""], ["x" * 65], ["a\nb", "a\u0000"], [f"tag {n}" for n in range(21)]])
async def test_bad_tags_are_refused(api: httpx.AsyncClient, kb: str, tags: list[str]) -> None:
    """400, before anything is stored; an unknown field or document is an error too."""
    file = [("files", ("a.txt", LEAVE.encode()))]
    answer = await api.post(f"/knowledge-bases/{kb}/documents", params={"tags": tags}, files=file)
    assert answer.status_code == 400
    assert (await api.get(f"/knowledge-bases/{kb}/documents")).json()["items"] == []
    (job,) = await upload(api, kb, ("a.txt", LEAVE.encode()), tags=["hr"])
    for body in ({"tags": tags}, {"tags": "hr"}, {"colour": "red"}, {}):
        assert (await api.patch(f"/documents/{job['id']}", json=body)).status_code == 400
    assert (await api.get(f"/documents/{job['id']}")).json()["tags"] == ["hr"]
    assert (await api.patch(f"/documents/{'c' * 32}", json={"tags": []})).status_code == 404


@dataclass
class Lives:
    """The longest time in which each (document, version) can have been live, observed from outside."""

    since: dict[tuple[str, int], float] = field(default_factory=dict)
    until: dict[tuple[str, int], float] = field(default_factory=dict)

    def overlap(self, document: str, version: int, begin: float, end: float) -> bool:
        """Whether it can have been live at some moment of a call."""
        key = (document, version)
        return key in self.since and self.since[key] <= end and self.until.get(key, end) >= begin


async def test_only_live_versions_are_ever_shown(api: httpx.AsyncClient, kb: str) -> None:
    """While documents change: each hit was live at some moment of its call, with its own text."""
    lives, hits, searches, ends = Lives(), 0, 0, asyncio.Event()
    texts: dict[tuple[str, int], str] = {}

    async def change(number: int) -> None:
        for round in range(3):
            name, text = f"{number}.txt", f"{LEAVE} Document {number}, edition {round}."
            began = time.monotonic()
            (job,) = await upload(api, kb, (name, text.encode()))
            key = (job["id"], job["version"])
            texts[key], lives.since[key] = text, began
            await finished(api, job["id"])
            lives.until[(job["id"], job["version"] - 1)] = time.monotonic()  # replaced by now
        assert (await api.delete(f"/documents/{job['id']}")).status_code == 202
        lives.until[key] = time.monotonic()

    async def search(mode: str) -> None:
        nonlocal hits, searches
        while not ends.is_set():
            began = time.monotonic()
            answer = await api.post(f"/knowledge-bases/{kb}/search", json={"query": "annual leave", "mode": mode})
            end = time.monotonic()
            assert answer.status_code == 200, answer.text
            searches += 1
            for hit in answer.json()["hits"]:
                hits += 1
                key = (hit["document_id"], hit["version"])
                assert lives.overlap(*key, began, end), (key, began, end, lives)
                assert hit["text"] == texts[key]

    searching = [asyncio.create_task(search(mode)) for mode in ("hybrid", "keyword", "dense")]
    await asyncio.gather(*(change(number) for number in range(4)))
    ends.set()
    await asyncio.gather(*searching)
    assert searches > 10
    assert hits > 10
    assert (await api.post(f"/knowledge-bases/{kb}/search", json={"query": "annual leave"})).json()["hits"] == []


async def test_a_search_tells_how_complete_the_index_is(api: httpx.AsyncClient, kb: str) -> None:
    """A paused document is pending, and no search finds it; when it is ready, the index is complete."""
    await ready(api, kb, ("a.txt", LEAVE.encode()))
    (job,) = await upload(api, kb, ("b.txt", LEAVE.replace("annual", "parental").encode()))
    await api.post(f"/documents/{job['id']}/pause")
    found = (await api.post(f"/knowledge-bases/{kb}/search", json={"query": "leave"})).json()
    state = (await api.get(f"/documents/{job['id']}")).json()["state"]
    if state != "ready":  # it was paused in time
        assert (found["index"]["state"], found["index"]["pending"]) == ("building", 1)
        assert job["id"] not in {hit["document_id"] for hit in found["hits"]}
    await api.post(f"/documents/{job['id']}/resume")
    await finished(api, job["id"])
    found = (await api.post(f"/knowledge-bases/{kb}/search", json={"query": "leave"})).json()
    assert found["index"] == {"state": "ready", "pending": 0, "eta_seconds": None}
    assert len(found["hits"]) == 2
