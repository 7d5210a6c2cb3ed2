"""The quality gate of a re-index through the whole platform: what it refuses, an override, and its end in time."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from activities.stores.blobs import Blobs
from tests.conftest import Platform, ready
from tests.save_data import answered
from tests.workflows.test_reindex import COUNT, reaches, start, text, word
from tests.workflows.test_streams import asked

pytestmark = pytest.mark.long

#: Chunks that are too short for the sentences that hold the answers.
SHORTEST = {"max_tokens": 32, "overlap_tokens": 0}
SMALLER = {"max_tokens": 200, "overlap_tokens": 0}

LONG = (
    "The harbour master of Kessim keeps the keys of the seven northern lamps in a brass box below the stairs, together "
    "with the ledger of all ships that were paid for since the flood, and hands both over at noon on the first Monday"
)


@pytest.fixture
async def kessim(api: httpx.AsyncClient, kb: str) -> str:
    """A knowledge base whose answers are long sentences."""
    files = [(f"lamp-{n}.txt", f"{LONG} of month {n}.\n\nNothing else is told of lamp {n}.".encode()) for n in range(4)]
    await ready(api, kb, *files)
    return kb


async def blobs(platform: Platform, job: dict[str, Any]) -> set[str]:
    """The stored question sets of the job's knowledge base."""
    return set(await Blobs(platform.settings.blobs_url).list(f"gates/{job['workflow_id'].split('/')[1]}"))


def measured(info: dict[str, Any], name: str) -> dict[str, Any]:
    """A measure of the report."""
    (found,) = [each for each in info["gate"]["measures"] if each["name"] == name]
    return dict(found)


async def test_a_worse_index_is_refused_until_a_person_overrides(
    platform: Platform, api: httpx.AsyncClient, kessim: str
) -> None:
    """It says by how much it is worse and which questions got worse; the reason of the override is audited."""
    questions = [
        {"question": f"Who hands over the ledger on the first Monday of month {n}?", "answer": f"{LONG} of month {n}"}
        for n in range(4)
    ]
    job = await start(api, kessim, chunking=SHORTEST, soak_seconds=5, questions=questions)
    info = await reaches(api, job, stage="gate", state="waiting")
    recall = measured(info, "recall_at_1")
    assert (recall["new"], recall["n"]) == (0.0, 4)
    assert recall["low"] <= recall["difference"] == -recall["live"] < -0.01
    assert f"difference {recall['difference']:.3f}" in info["reason"]
    assert (info["done"], info["total"], info["gate"]["refused"]) == (4, 4, True)
    assert info["gate"]["worse_count"] == len(info["gate"]["worse"]) > 0
    assert info["gate"]["worse"][0]["question"].startswith("Who hands over")
    shown = platform.holdfast("reindex", "show", kessim)
    assert "right result first" in shown.stdout
    assert f"{recall['low']:+.3f} to {recall['high']:+.3f}" in shown.stdout
    assert await blobs(platform, job)

    path = f"/reindexes/{job['id']}/override"
    assert (await api.post(path, json={"reason": " "})).status_code == 400
    overridden = platform.holdfast("reindex", "override", kessim, "--reason", "The set is from last year.")
    assert overridden.returncode == 0, overridden.stderr
    info = await reaches(api, job, stage="soak")
    assert info["gate"]["override_reason"] == "The set is from last year."
    assert (await api.post(path, json={"reason": "again"})).json()["code"] == "wrong-state"
    events = (await api.get("/audit/events", params={"kb": kessim, "outcome": "done", "limit": 1000})).json()["items"]
    (event,) = [each for each in events if each["action"] == "reindex.override"]
    assert (event["actor"], event["detail"]["reason"]) == ("admin", "The set is from last year.")


async def test_an_equal_index_passes(platform: Platform, api: httpx.AsyncClient, kb: str) -> None:
    """Nothing differs, so the interval is zero; sampled vectors and searches are the same in both."""
    await ready(api, kb, *((f"{number}.txt", text(number)) for number in range(COUNT)))
    questions = [{"question": f"What is {word(n)} the word of?", "document": f"{n}.txt"} for n in range(6)]
    questions.append({"question": "Who painted the bridge?", "absent": True})  # type: ignore[dict-item]
    job = await start(api, kb, chunking=SMALLER, soak_seconds=5, questions=questions)
    info = await reaches(api, job, stage="soak")
    recall = measured(info, "recall_at_1")
    assert (recall["difference"], recall["low"], recall["high"], recall["n"]) == (0.0, 0.0, 0.0, 6)
    assert recall["live"] == 1.0
    assert measured(info, "answers")["n"] == measured(info, "search_p95")["n"] == 7
    verified = info["verified"]
    assert (verified["searched"], verified["compared"], verified["differing"]) == (COUNT, COUNT, 0)
    assert (verified["found_live"], verified["found_new"]) == (COUNT, COUNT)


async def test_recent_questions_are_those_that_were_rated_helpful(api: httpx.AsyncClient, kessim: str) -> None:
    """Without one there is nothing to compare; their texts stay their askers', and a refusal ends by itself."""
    refused = await api.post(f"/knowledge-bases/{kessim}/reindex", json={"questions": "recent"})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid-request")
    question = await asked(api, kessim, "What does the harbour master keep in the brass box of month 3?")
    await answered(api, question["id"])
    assert (await api.post(f"/questions/{question['id']}/feedback", json={"rating": "up"})).status_code == 200
    job = await start(api, kessim, chunking=SMALLER, soak_seconds=5, questions="recent")
    info = await reaches(api, job, stage="soak")
    assert (info["gate"]["questions"], measured(info, "recall_at_1")["low"]) == (1, None)
    assert "brass box" not in str(info)


@pytest.mark.endurance
async def test_a_refused_switch_that_nobody_decides_on_is_canceled(
    platform: Platform, api: httpx.AsyncClient, kessim: str
) -> None:
    """After the time that the job has for it, with the reason of the refusal; the stored questions go too."""
    questions = [{"question": "Who hands over the ledger?", "answer": LONG}] * 2
    job = await start(api, kessim, chunking=SHORTEST, gate_seconds=5, questions=questions)
    info = await reaches(api, job, state="canceled")
    assert "worse" in info["reason"]
    assert info["switched_at"] is None
    assert not await blobs(platform, job)
    bad = [{"question": "?", "answer": "x", "absent": True}]
    answer = await api.post(f"/knowledge-bases/{kessim}/reindex", json={"questions": bad})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-request")
