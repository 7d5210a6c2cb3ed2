"""Passages and uploaded files of documents: of the live version, and with a clear problem where they are lost."""

from __future__ import annotations

import uuid

import httpx

from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from tests.conftest import Platform, assert_eventually, ready, upload
from tests.documents import long_text

LEAVE = "Employees may carry over five days of unused annual leave into the next year."


async def test_passages_are_those_of_the_live_version(api: httpx.AsyncClient, kb: str) -> None:
    """Also while a newer version is being indexed, and none before the first is live."""
    (document,) = await ready(api, kb, ("a.txt", LEAVE.encode()))
    await upload(api, kb, ("a.txt", uuid.uuid4().hex.encode() + b" " + long_text(60_000)))
    await api.post(f"/documents/{document['id']}/pause")

    async def paused() -> bool:
        return bool((await api.get(f"/documents/{document['id']}")).json()["state"] == "paused")

    await assert_eventually(paused)
    (passage,) = (await api.get(f"/documents/{document['id']}/chunks")).json()["items"]
    assert (passage["text"], passage["chunk_id"]) == (LEAVE, f"{document['id']}:1:0")
    (broken,) = await upload(api, kb, ("empty.txt", b""))
    assert (await api.get(f"/documents/{broken['id']}/chunks")).json() == {"items": [], "next_cursor": None}


async def test_a_lost_file_is_a_clear_problem(api: httpx.AsyncClient, platform: Platform, kb: str) -> None:
    """It says what to do, in the reader's language; an upload of the same file restores the original."""
    content = f"{LEAVE} {uuid.uuid4().hex}".encode()
    (document,) = await ready(api, kb, ("a.txt", content))
    catalog, blobs = Catalog(platform.settings.catalog_url), Blobs(platform.settings.blobs_url)
    (version,) = await catalog.documents.blobs(document["id"])
    await catalog.close()
    assert version.chunks_key is not None
    for key in (original_key(version.sha256), version.chunks_key):
        await blobs.delete(key)
    for path, code in (("content", "file-lost"), ("chunks", "passages-lost")):
        lost = await api.get(f"/documents/{document['id']}/{path}")
        assert (lost.status_code, lost.json()["code"]) == (410, code)
        assert "a.txt" in lost.json()["detail"]
        chinese = await api.get(f"/documents/{document['id']}/{path}", headers={"Accept-Language": "zh"})
        assert "丢失" in chinese.json()["detail"]
    (again,) = await upload(api, kb, ("a.txt", content))
    assert again["unchanged"]
    assert (await api.get(f"/documents/{document['id']}/content")).content == content
