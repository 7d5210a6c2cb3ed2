"""Ingestion through the whole platform: an accepted document becomes ready, or fails with its reason."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from activities.contracts.ingest import EmbedInput, IndexInput, PublishInput
from activities.stores.catalog.catalog import Catalog
from activities.stores.milvus import Milvus
from tests.conftest import Platform, assert_eventually, events, finished, ready, steps_of, upload
from tests.documents import (
    by_pandoc,
    encrypted,
    long_text,
    simple_docx,
    simple_eml,
    simple_html,
    simple_msg,
    simple_pdf,
    simple_pptx,
    simple_xlsx,
)
from tests.pictures import blank_picture, mixed_pdf, picture

LEAVE = "Employees may carry over five days of unused annual leave into the next year."
VISA = "外籍员工的签证费用由公司承担，每年最多报销一次。"


@pytest.mark.parametrize(
    ("name", "content", "query", "page"),
    [
        ("leave.txt", LEAVE.encode(), "carry over annual leave", None),
        ("leave.md", f"# Leave\n\n{LEAVE}\n".encode(), "carry over annual leave", None),
        ("leave.html", simple_html("Leave", LEAVE), "carry over annual leave", None),
        ("leave.docx", simple_docx("Leave", LEAVE), "carry over annual leave", None),
        ("leave.pdf", simple_pdf("An unrelated first page about fire drills.", LEAVE), "carry over annual leave", 2),
        ("leave.png", picture("png"), "carry over annual leave", None),
        ("leave.jpg", picture("jpeg"), "carry over annual leave", None),
        ("leave-scanned.pdf", mixed_pdf("A first page about fire drills."), "carry over annual leave", 2),
        ("leave.pptx", simple_pptx("Leave", LEAVE), "carry over annual leave", 2),
        ("leave.xlsx", simple_xlsx(("Topic", "Rule"), ("Leave", LEAVE), ("Fire", 1)), "carry over annual leave", None),
        ("leave.csv", f"Topic,Rule\nLeave,{LEAVE}\nFire,1\n".encode(), "carry over annual leave", None),
        ("leave.tsv", f"Topic\tRule\nLeave\t{LEAVE}\nFire\t1\n".encode(), "carry over annual leave", None),
        ("leave.epub", by_pandoc(f"# Leave\n\n{LEAVE}\n", "epub"), "carry over annual leave", None),
        ("leave.odt", by_pandoc(f"# Leave\n\n{LEAVE}\n", "odt"), "carry over annual leave", None),
        ("leave.rtf", by_pandoc(f"# Leave\n\n{LEAVE}\n", "rtf"), "carry over annual leave", None),
        ("leave.rst", f"Leave\n=====\n\n{LEAVE}\n".encode(), "carry over annual leave", None),
        ("leave.org", f"* Leave\n\n{LEAVE}\n".encode(), "carry over annual leave", None),
        ("leave.eml", simple_eml("Leave", "Attached.", ("a.docx", simple_docx("Leave", LEAVE))), "annual leave", None),
        ("leave.msg", simple_msg("Leave", LEAVE), "carry over annual leave", None),
        ("leave.xml", f"<?xml version='1.0'?><rule><text>{LEAVE}</text></rule>".encode(), "annual leave", None),
        ("leave.json", json.dumps([{"topic": "Leave", "rule": LEAVE}]).encode(), "carry over annual leave", None),
        ("签证.md", f"# 签证\n\n{VISA}\n".encode(), "签证费用谁承担", None),
    ],
)
async def test_each_format_becomes_searchable(
    api: httpx.AsyncClient, kb: str, name: str, content: bytes, query: str, page: int | None
) -> None:
    """A question about a file of each format finds it, with its name and page."""
    (document,) = await ready(api, kb, (name, content))
    hits = (await api.post(f"/knowledge-bases/{kb}/search", json={"query": query})).json()["hits"]
    assert hits[0]["document_id"] == document["id"]
    assert hits[0]["document_name"] == name
    assert hits[0]["page"] == page
    assert (LEAVE if "leave" in name else VISA) in hits[0]["text"]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.txt", b"", "empty"),
        ("voice.txt", b"RIFF\x24\0\0\0WAVEfmt " + bytes(200), "unsupported-format"),
        ("picture.txt", b"\x89PNG\r\n\x1a\n" + bytes(200), "damaged"),
        ("blank.png", blank_picture(), "no-text"),
        ("secret.pdf", encrypted(simple_pdf(LEAVE)), "encrypted"),
        ("cut.pdf", simple_pdf(LEAVE)[:200], "damaged"),
    ],
)
async def test_a_document_that_cannot_be_read_fails_with_its_reason(
    api: httpx.AsyncClient, kb: str, name: str, content: bytes, code: str
) -> None:
    """It fails at once with a reason in both languages; another document of the same upload is not affected."""
    bad, good = await upload(api, kb, (name, content), ("good.txt", LEAVE.encode()))
    failed = await finished(api, bad["id"])
    assert (failed["state"], failed["reason_code"]) == ("failed", code)
    chinese = (await api.get(f"/documents/{bad['id']}", headers={"Accept-Language": "zh-CN"})).json()
    assert failed["reason"].isascii() or "“" in failed["reason"] or "’" in failed["reason"]
    assert not chinese["reason"].isascii()
    assert (await finished(api, good["id"]))["state"] == "ready"


async def test_a_pdf_with_a_wrong_extension_is_read_as_what_it_is(api: httpx.AsyncClient, kb: str) -> None:
    """The content determines the format, not the name."""
    (document,) = await ready(api, kb, ("report.docx", simple_pdf(LEAVE)))
    assert document["media_type"] == "application/pdf"


async def test_the_same_content_again_is_no_new_work(api: httpx.AsyncClient, kb: str) -> None:
    """An unchanged file keeps its id and version."""
    (first,) = await ready(api, kb, ("leave.txt", LEAVE.encode()))
    (again,) = await upload(api, kb, ("leave.txt", LEAVE.encode()))
    assert (again["id"], again["version"], again["state"]) == (first["id"], 1, "ready")
    assert again["unchanged"]


async def test_a_short_document_takes_neighbouring_steps_in_one_go(
    api: httpx.AsyncClient, temporal: Client, kb: str
) -> None:
    """Two hand-overs between workers instead of five."""
    (document,) = await ready(api, kb, ("leave.txt", LEAVE.encode()))
    assert await steps_of(temporal, document["workflow_id"]) == ["parse", "embed"]
    assert (document["chunks"], document["live_version"]) == (1, 1)


async def test_a_failed_file_can_be_uploaded_again(api: httpx.AsyncClient, kb: str) -> None:
    """A failure never blocks the next upload under the name, not even of the same bytes."""
    (first,) = await upload(api, kb, ("leave.txt", b""))
    assert (await finished(api, first["id"]))["state"] == "failed"
    (same,) = await upload(api, kb, ("leave.txt", b""))
    assert (same["id"], same["version"]) == (first["id"], 2)
    (retried,) = await ready(api, kb, ("leave.txt", LEAVE.encode()))
    assert (retried["id"], retried["version"]) == (first["id"], 3)


async def test_a_new_version_replaces_the_old_one(platform: Platform, api: httpx.AsyncClient, kb: str) -> None:
    """Search shows only the live version, only changed chunks are embedded, and the old rows are purged."""
    sections = [f"# Section {n}\n\n" + f"Rule {n} says that item {n} is kept for {n} years. " * 20 for n in range(6)]
    (first,) = await ready(api, kb, ("rules.md", "\n\n".join(sections).encode()))
    sections[3] = sections[3].replace("Rule 3", "Amendment three")
    (second,) = await ready(api, kb, ("rules.md", "\n\n".join(sections).encode()))
    assert (second["id"], second["version"]) == (first["id"], 2)
    hits = (await api.post(f"/knowledge-bases/{kb}/search", json={"query": "Amendment three"})).json()["hits"]
    assert {hit["version"] for hit in hits} == {2}
    assert "Amendment three" in hits[0]["text"]

    async def purged() -> bool:
        return await rows(platform, kb, second["id"]) == second["chunks"]

    await assert_eventually(purged)


async def test_only_changed_chunks_are_embedded_again(api: httpx.AsyncClient, temporal: Client, kb: str) -> None:
    """One edited section of a document costs the embedding of that section."""
    sections = [f"# Section {n}\n\n" + f"Rule {n} says that item {n} is kept for {n} years. " * 20 for n in range(6)]
    await ready(api, kb, ("rules.md", "\n\n".join(sections).encode()))
    sections[3] = sections[3].replace("Rule 3", "Amendment three")
    (document,) = await ready(api, kb, ("rules.md", "\n\n".join(sections).encode()))
    result = await temporal.get_workflow_handle(document["workflow_id"]).result()
    assert result["reused"] >= 5
    assert 1 <= result["embedded"] <= 2


async def test_a_killed_worker_loses_nothing(platform: Platform, api: httpx.AsyncClient, kb: str) -> None:
    """`kill -9` during embedding: the document still becomes ready, with each chunk exactly once."""
    (document,) = await upload(api, kb, ("long.txt", long_text(60_000)))

    async def embedding() -> bool:
        state = (await api.get(f"/documents/{document['id']}/status")).json()
        return state["stage"] == "embed" and state["done"] > 0

    await assert_eventually(embedding, step=0.05)
    os.kill(platform.pid_of("worker-bulk"), signal.SIGKILL)
    done = await finished(api, document["id"])
    assert done["state"] == "ready"
    assert await rows(platform, kb, document["id"]) == done["chunks"] > 10


async def test_the_event_stream_shows_each_state(api: httpx.AsyncClient, kb: str) -> None:
    """It goes through the stages and ends with the final state."""
    (document,) = await upload(api, kb, ("long.txt", long_text(12_000)))
    seen = [state for _, state in await events(api, document["events_url"])]
    assert seen[-1]["state"] == "ready"
    assert all(state["stage_count"] == 5 for state in seen)
    numbers = [state["stage_number"] for state in seen]
    assert numbers == sorted(numbers)
    status = (await api.get(document["status_url"].removeprefix("/api/v1"))).json()
    assert status["state"] == "ready"


async def test_the_history_carries_references_only(api: httpx.AsyncClient, temporal: Client, kb: str) -> None:
    """A document's history is short and has its summary, search attributes and actor, but none of its text."""
    secret_words = "Die Kennzahl des Quartals lautet siebenundvierzig."
    (document,) = await ready(api, kb, ("zahlen.txt", secret_words.encode()))
    handle = temporal.get_workflow_handle(document["workflow_id"])
    history = (await handle.fetch_history()).to_json()
    assert "siebenundvierzig" not in history
    assert len(json.loads(history)["events"]) < 60
    description = await handle.describe()
    assert await description.static_summary() == f"Index zahlen.txt v1 into {kb}, by admin"
    attributes = {pair.key.name: pair.value for pair in description.typed_search_attributes}
    assert attributes["KnowledgeBase"] == kb
    assert attributes["Owner"] == "admin"
    assert attributes["Document"] == document["id"]
    assert attributes["DocumentName"] == document["name"]
    assert attributes["Stage"] == "ready"


@pytest.mark.parametrize("content", [LEAVE.encode(), long_text(70_000)])
async def test_a_run_writes_into_one_generation(
    platform: Platform, api: httpx.AsyncClient, temporal: Client, kb: str, content: bytes
) -> None:
    """The live one at dispatch, in every step that writes, whether steps are combined or separate."""
    (document,) = await ready(api, kb, ("leave.txt", content))
    kinds = {"embed": EmbedInput, "index": IndexInput, "publish": PublishInput}
    inputs: dict[str, Any] = {}
    async for event in temporal.get_workflow_handle(document["workflow_id"]).fetch_history_events():
        scheduled = event.activity_task_scheduled_event_attributes
        if (name := scheduled.activity_type.name) in kinds:
            (inputs[name],) = await temporal.data_converter.decode(scheduled.input.payloads, [kinds[name]])
    if (index := inputs["embed"].index) is not None:
        inputs |= {"index": index, "publish": index.publish}
    assert {name: inputs[name].generation for name in kinds} == dict.fromkeys(kinds, 1)
    catalog = Catalog(platform.settings.catalog_url)
    indexed = await catalog.documents.indexed(document["id"], 1)
    await catalog.close()
    assert indexed is not None
    assert (indexed.generation, indexed.rows) == (1, await rows(platform, kb, document["id"]))


async def test_deleting_a_document_leaves_nothing(
    platform: Platform, api: httpx.AsyncClient, temporal: Client, kb: str
) -> None:
    """Search no longer finds it at once; the receipt counts its rows before and none after."""
    (document,) = await ready(api, kb, ("leave.txt", LEAVE.encode()))
    deleted = await api.delete(f"/documents/{document['id']}")
    assert deleted.status_code == 202
    hits = (await api.post(f"/knowledge-bases/{kb}/search", json={"query": LEAVE})).json()["hits"]
    assert hits == []
    assert (await api.get(f"/documents/{document['id']}")).status_code == 404
    receipt = await temporal.get_workflow_handle(deleted.json()["workflow_id"]).result()
    assert (receipt["rows_before"], receipt["rows_after"]) == (1, 0)
    assert await rows(platform, kb, document["id"]) == 0


async def test_equal_content_under_two_names_survives_the_deletion_of_one(api: httpx.AsyncClient, kb: str) -> None:
    """Two documents share their bytes; deleting one leaves the other whole."""
    one, two = await ready(api, kb, ("a.txt", LEAVE.encode()), ("b.txt", LEAVE.encode()))
    await api.delete(f"/documents/{one['id']}")

    async def gone() -> bool:
        return (await api.get(f"/documents/{one['id']}")).status_code == 404

    await assert_eventually(gone)
    assert (await api.get(f"/documents/{two['id']}/content")).content == LEAVE.encode()


async def rows(platform: Platform, kb: str, document_id: str) -> int:
    """Rows of a document in Milvus."""
    catalog = Catalog(platform.settings.catalog_url)
    milvus = Milvus(platform.settings.milvus)
    try:
        record = await catalog.knowledge_bases.get(kb)
        generation = await catalog.knowledge_bases.generation(record.id)
        return await milvus.count(generation.collection, document_id)
    finally:
        await milvus.close()
        await catalog.close()
