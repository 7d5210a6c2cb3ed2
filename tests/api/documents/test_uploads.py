"""Uploads: durable before the response, idempotent, refused early and clearly."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Upload
from tests.conftest import Platform, assert_eventually, finished
from tests.documents import long_text
from tests.ports import free_port

LEAVE = "Employees may carry over five days of unused annual leave into the next year."


@asynccontextmanager
async def another_api(platform: Platform, **settings: str) -> AsyncIterator[httpx.AsyncClient]:
    """A second API process beside the platform's, with its own settings."""
    port = free_port()
    environ = platform.environ | {"HOLDFAST_API_PORT": str(port)} | settings
    process = subprocess.Popen([sys.executable, "-m", "api.app"], env=environ)
    headers = {"Authorization": f"Bearer {platform.key}"}
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}/api/v1", headers=headers, timeout=60, trust_env=False
        ) as client:

            async def up() -> bool:
                try:
                    return (await client.get("/knowledge-bases")).status_code == 200
                except httpx.TransportError:
                    return False

            await assert_eventually(up)
            yield client
    finally:
        process.terminate()
        process.wait(20)


def form(*files: tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes, str]]]:
    """The parts of an upload."""
    return [("files", (name, content, "text/plain")) for name, content in files]


async def test_fifty_uploads_at_once_are_all_taken(api: httpx.AsyncClient, kb: str) -> None:
    """Each has its own document, whichever transaction accepted it."""
    answers = await asyncio.gather(
        *(
            api.post(f"/knowledge-bases/{kb}/documents", files=form((f"{n}.txt", f"{n} {LEAVE}".encode())))
            for n in range(50)
        )
    )
    assert {answer.status_code for answer in answers} == {202}
    ids = [answer.json()["documents"][0]["id"] for answer in answers]
    assert len(set(ids)) == 50
    assert {(await finished(api, id))["state"] for id in ids} == {"ready"}


async def test_the_same_file_many_times_at_once_is_one_version(api: httpx.AsyncClient, kb: str) -> None:
    """Every client gets the same document and version."""
    answers = await asyncio.gather(
        *(api.post(f"/knowledge-bases/{kb}/documents", files=form(("a.txt", LEAVE.encode()))) for _ in range(20))
    )
    assert {(a.json()["documents"][0]["id"], a.json()["documents"][0]["version"]) for a in answers} == {
        (answers[0].json()["documents"][0]["id"], 1)
    }
    assert (await finished(api, answers[0].json()["documents"][0]["id"]))["state"] == "ready"


async def test_an_idempotency_key_gives_the_same_answer(api: httpx.AsyncClient, kb: str) -> None:
    """A repeated request gets the first response, even if its file has failed since; another request is refused."""
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    path = f"/knowledge-bases/{kb}/documents"
    first = await api.post(path, files=form(("empty.txt", b"")), headers=headers)
    await finished(api, first.json()["documents"][0]["id"])
    again = await api.post(path, files=form(("empty.txt", b"")), headers=headers)
    assert again.status_code == 202
    assert again.json() == first.json()
    other = await api.post(path, files=form(("b.txt", b"other")), headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-key-reused")


async def test_an_accepted_version_without_a_run_gets_one(api: httpx.AsyncClient, kb: str, platform: Platform) -> None:
    """The dispatcher finds and starts a version without a run, as a killed API leaves it."""
    stored = await api.post(f"/knowledge-bases/{kb}/documents", files=form(("a.txt", LEAVE.encode())))
    await finished(api, stored.json()["documents"][0]["id"])
    catalog = Catalog(platform.settings.catalog_url)
    try:
        document = await catalog.documents.get(stored.json()["documents"][0]["id"])
        upload = Upload(
            knowledge_base_id=document.knowledge_base_id, name="b.txt", sha256=document.sha256, bytes=1, actor="ann"
        )
        (accepted,) = await catalog.intake.accept([upload])
    finally:
        await catalog.close()
    assert (await finished(api, accepted.document.id))["state"] == "ready"  # type: ignore[union-attr]


async def test_without_temporal_an_upload_is_refused_and_leaves_nothing(
    api: httpx.AsyncClient, kb: str, platform: Platform
) -> None:
    """503 with Retry-After and a reason; search still works."""
    async with another_api(platform, HOLDFAST_TEMPORAL_ADDRESS=f"127.0.0.1:{free_port()}") as cut_off:
        refused = await cut_off.post(f"/knowledge-bases/{kb}/documents", files=form(("a.txt", LEAVE.encode())))
        assert (refused.status_code, refused.json()["code"]) == (503, "temporal-unavailable")
        assert refused.headers["retry-after"] == "5"
        found = await cut_off.post(f"/knowledge-bases/{kb}/search", json={"query": "leave"})
        assert found.status_code == 200
    assert (await api.get(f"/knowledge-bases/{kb}/documents")).json()["items"] == []


async def test_too_many_pending_documents_are_refused_before_they_are_read(
    api: httpx.AsyncClient, kb: str, platform: Platform
) -> None:
    """429 with Retry-After; accepted documents are not affected."""
    first = await api.post(f"/knowledge-bases/{kb}/documents", files=form(("long.txt", long_text(140_000))))
    address = f"/documents/{first.json()['documents'][0]['id']}"
    assert (await api.post(f"{address}/pause")).status_code == 202  # it stays pending, however fast the machine is
    async with another_api(platform, HOLDFAST_API_MAX_PENDING_PER_USER="1") as strict:
        refused = await strict.post(f"/knowledge-bases/{kb}/documents", files=form(("b.txt", LEAVE.encode())))
        assert (refused.status_code, refused.json()["code"]) == (429, "too-many-pending"), refused.text
        assert int(refused.headers["retry-after"]) > 0
        chinese = await strict.post(
            f"/knowledge-bases/{kb}/documents",
            files=form(("b.txt", LEAVE.encode())),
            headers={"Accept-Language": "zh"},
        )
        assert not chinese.json()["detail"].isascii()
    await api.post(f"{address}/cancel")


async def test_too_many_uploads_at_once_are_refused(api: httpx.AsyncClient, kb: str, platform: Platform) -> None:
    """The first are accepted, the rest get 429; those leave nothing half-done."""
    async with another_api(platform, HOLDFAST_API_MAX_UPLOADS="2", HOLDFAST_API_MAX_UPLOADS_PER_USER="2") as strict:
        answers = await asyncio.gather(
            *(
                strict.post(f"/knowledge-bases/{kb}/documents", files=form((f"{n}.txt", long_text(300_000 + n))))
                for n in range(12)
            )
        )
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] == 202
    assert codes[-1] == 429
    assert {answer.headers["retry-after"] for answer in answers if answer.status_code == 429} == {"1"}
    listed = (await api.get(f"/knowledge-bases/{kb}/documents")).json()["items"]
    assert len(listed) == codes.count(202)
    for document in listed:
        await api.post(f"/documents/{document['id']}/cancel")
