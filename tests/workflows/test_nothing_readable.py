"""Temporal, logs and metrics hold no text of a document or question; an auditor reads it through the codec endpoint."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
from temporalio.client import Client

from activities.runtime.converter import data_converter
from activities.runtime.encryption import is_encrypted
from activities.stores.catalog.catalog import Catalog
from tests.conftest import Platform, ask, finished, ready, upload

TEMPORAL = Path(sys.executable).with_name("temporal")

#: Words that stand nowhere else: of a document, a question about it, a search, and an XML file that is broken in such
#: a way that its parser quotes it.
DOCUMENT, QUESTION, SEARCH, BROKEN = "glimmerdoubloon", "snollygoster", "quaggafiddle", "wobbletrumpet"
WORDS = [word.encode() for word in (DOCUMENT, QUESTION, SEARCH, BROKEN)]

TEXT = f"Employees of the harbour office receive 4711 {DOCUMENT}s for each night shift."
ASKED = f"How many {DOCUMENT}s do employees of the harbour office receive for a night shift, {QUESTION}?"
XML = f"<{BROKEN}><shift>night</{BROKEN}>"


async def test_no_text_is_readable_where_it_should_not_be(
    api: httpx.AsyncClient, platform: Platform, temporal: Client, kb: str
) -> None:
    """Uploads that succeed and fail, questions, searches: their words are encrypted, and told to auditors only."""
    (document,) = await ready(api, kb, ("harbour.txt", TEXT.encode()))
    (broken,) = await upload(api, kb, ("broken.xml", XML.encode()))
    failed = await finished(api, broken["id"])
    assert BROKEN in failed["reason"], "its reason quotes it, to those who may read it"
    events = await ask(api, kb, ASKED)
    assert DOCUMENT in json.dumps(events), "the answer quotes the document"
    conversation = (await api.get("/conversations")).json()["items"][0]["id"]
    asked = {"question": f"And {QUESTION}s?", "conversation_id": conversation}
    follow_up = (await api.post(f"/knowledge-bases/{kb}/questions", json=asked)).json()
    await temporal.get_workflow_handle(follow_up["workflow_id"]).result()
    await api.post(f"/knowledge-bases/{kb}/search", json={"query": f"{SEARCH} of the harbour"})
    deleted = (await api.delete(f"/documents/{document['id']}")).json()
    await temporal.get_workflow_handle(deleted["workflow_id"]).result()

    runs = [run async for run in temporal.list_workflows(f"KnowledgeBase = '{kb}'")]
    assert {"IngestDocument", "AnswerQuestion", "DeleteDocument"} <= {run.workflow_type for run in runs}
    for run in runs:
        handle = temporal.get_workflow_handle(run.id, run_id=run.run_id)
        history = await handle.fetch_history()
        described = (await handle.describe()).raw_description.SerializeToString()
        assert _words(b"".join([described, *(event.SerializeToString() for event in history.events)])) == []
    for file in platform.settings.data_dir.glob("temporal.db*"):
        assert _words(file.read_bytes()) == [], file
    for file in [platform.log, *(platform.settings.data_dir / "logs").rglob("*")]:
        assert not file.is_file() or _words(file.read_bytes()) == [], file
    metrics = await api.get(f"{platform.url}/metrics")
    assert metrics.status_code == 200
    assert _words(metrics.content) == []


async def test_lists_of_runs_are_of_use_without_a_key(api: httpx.AsyncClient, temporal: Client, kb: str) -> None:
    """Summaries of runs, steps and timers are in clear, with the document's name and the code of its error."""
    (broken,) = await upload(api, kb, ("broken.xml", XML.encode()))
    await finished(api, broken["id"])
    handle = temporal.get_workflow_handle(broken["workflow_id"])
    history = await handle.fetch_history()
    summaries = [event.user_metadata.summary for event in history.events if event.HasField("user_metadata")]
    assert not any(map(is_encrypted, summaries))
    texts = await data_converter.decode(summaries)
    assert f"Index broken.xml v1 into {kb}, by admin" in texts
    assert "Record failure: damaged" in texts
    assert await (await handle.describe()).static_summary() == f"Index broken.xml v1 into {kb}, by admin"


async def test_an_auditor_reads_runs_with_temporals_own_tool(
    api: httpx.AsyncClient, platform: Platform, temporal: Client, kb: str
) -> None:
    """`temporal workflow show` with the codec endpoint and an auditor's key shows the texts; without, it does not."""
    await ready(api, kb, ("harbour.txt", TEXT.encode()))
    asked = (await api.post(f"/knowledge-bases/{kb}/questions", json={"question": ASKED})).json()
    await temporal.get_workflow_handle(asked["workflow_id"]).result()
    catalog = Catalog(platform.settings.catalog_url)
    auditor, reader = [await catalog.api_keys.create(f"{kb}-{role}", role) for role in ("auditor", "reader")]
    try:
        codec = ["--codec-endpoint", f"{platform.url}/codec"]
        assert _words(_shown(platform, asked["workflow_id"])) == []
        shown = _shown(platform, asked["workflow_id"], *codec, "--codec-auth", f"Bearer {auditor}")
        assert {QUESTION.encode(), DOCUMENT.encode()} <= set(_words(shown))
        for refused in ([], ["--codec-auth", f"Bearer {reader}"]):
            assert _words(_shown(platform, asked["workflow_id"], *codec, *refused)) == []
        [event] = await catalog.audit.page(None, 10, actor=f"{kb}-auditor", action="run.read")
        assert event.detail == {"workflow": asked["workflow_id"]}
    finally:
        await catalog.close()


def _words(data: bytes) -> list[bytes]:
    """Which of the words stand in there, in whatever case."""
    lower = data.lower()
    return [word for word in WORDS if word in lower]


def _shown(platform: Platform, workflow_id: str, *arguments: str) -> bytes:
    """What the command prints, with the values that it prints as base64."""
    argv = [str(TEMPORAL), "workflow", "show", "--workflow-id", workflow_id, "--output", "json"]
    argv += ["--address", platform.settings.temporal.address, *arguments]
    done = subprocess.run(argv, capture_output=True, timeout=60, check=False)
    values = re.findall(rb'"data": "([^"]*)"', done.stdout)
    return b"\n".join([done.stdout, done.stderr, *map(base64.b64decode, values)])
