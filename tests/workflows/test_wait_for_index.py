"""A question can wait until its asker's uploads are searchable."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random

import httpx
import pytest
from temporalio.client import Client

from activities.stores.catalog.catalog import Catalog
from tests.conftest import Platform, assert_eventually, ready, upload
from tests.workflows.test_control import fresh_text, state_is
from tests.workflows.test_streams import Reader, asked, followed, killed, recorded

TRAVEL = b"Travel costs are refunded within ten working days after the trip has ended."
MANY_READERS = 12
"""More than Temporal lets wait for one run by default."""

QUESTION = "When are travel costs refunded?"


@pytest.fixture
async def held(api: httpx.AsyncClient, kb: str) -> str:
    """The id of a document that stays pending until it is resumed."""
    (document,) = await upload(api, kb, ("long.txt", fresh_text()))
    await api.post(f"/documents/{document['id']}/pause")
    await state_is(api, document["id"], "paused")
    return str(document["id"])


async def waiting(reader: Reader, api: httpx.AsyncClient) -> None:
    """Read until the stream reports that the question waits for one document."""
    await reader.read(api, 1)
    assert reader.last is not None
    name, data = reader.last
    assert (name, data["stage"], data["state"], data["pending"]) == ("state", "wait_for_index", "waiting", 1)
    assert "eta_seconds" in data


async def parked(temporal: Client, workflow_id: str) -> bool:
    """Whether the run's query and search attributes show that it waits."""
    description = await temporal.get_workflow_handle(workflow_id).describe()
    attributes = {pair.key.name: pair.value for pair in description.typed_search_attributes}
    state = await temporal.get_workflow_handle(workflow_id).query("state")
    return attributes["Stage"] == "waiting" and state["state"] == "waiting" and state["stage"] == "wait_for_index"


@pytest.mark.long
async def test_a_parked_question_outlives_restarts_and_then_answers(
    api: httpx.AsyncClient, kb: str, held: str, platform: Platform, temporal: Client
) -> None:
    """State and count are on the stream, the history stays short; it answers after API and worker were killed."""
    await ready(api, kb, ("travel.txt", TRAVEL))
    accepted = await asked(api, kb, QUESTION, wait_for_index=True)
    assert (accepted["index"]["state"], accepted["index"]["pending"]) == ("building", 1)
    reader = Reader(accepted["events_url"])
    await waiting(reader, api)
    for _ in range(MANY_READERS):
        await waiting(Reader(accepted["events_url"]), api)
    assert await parked(temporal, accepted["workflow_id"])
    for part in ("api", "worker-interactive"):
        await killed(platform, part)

    run = temporal.get_workflow_handle(accepted["workflow_id"])
    before = await run.describe()

    async def looked() -> int | None:
        now = await run.describe()
        attempts = [each.raw_description.pending_activities[0].attempt for each in (before, now)]
        return now.history_length if attempts[1] > attempts[0] + 1 else None

    assert await assert_eventually(looked) == before.history_length
    assert await parked(temporal, accepted["workflow_id"])
    assert (await api.post(f"/documents/{held}/resume")).status_code == 202
    await followed(api, reader, Random(0), 0)
    assert reader.last is not None
    assert reader.last[1]["found"] is True
    assert "ten working days" in reader.text == reader.last[1]["answer"]
    assert (await state_is(api, held, "ready"))["state"] == "ready"
    assert (await recorded(api, accepted["id"]))["state"] == "ready"


async def test_a_question_that_does_not_wait_says_what_is_missing(api: httpx.AsyncClient, kb: str, held: str) -> None:
    """It is answered at once from the index and counts the pending documents; so does a search."""
    await ready(api, kb, ("travel.txt", TRAVEL))
    accepted = await asked(api, kb, QUESTION)
    assert accepted["index"]["pending"] == 1
    reader = Reader(accepted["events_url"])
    await reader.read(api, 10_000)
    assert reader.last is not None
    assert reader.last[1]["found"] is True
    found = (await api.post(f"/knowledge-bases/{kb}/search", json={"query": QUESTION})).json()
    assert (found["index"]["state"], found["index"]["pending"]) == ("building", 1)


async def test_no_question_waits_for_documents_of_others(
    api: httpx.AsyncClient, kb: str, held: str, other: str
) -> None:
    """Another user's question is answered at once, and so is one on a knowledge base without pending documents."""
    await ready(api, kb, ("travel.txt", TRAVEL))
    headers = {"Authorization": f"Bearer {other}"}
    async with httpx.AsyncClient(base_url=api.base_url, headers=headers, timeout=60, trust_env=False) as eve:
        reader = Reader((await asked(eve, kb, QUESTION, wait_for_index=True))["events_url"])
        await reader.read(eve, 10_000)
    assert reader.last is not None
    assert reader.last[1]["found"] is True


@pytest.fixture
async def other(platform: Platform) -> AsyncIterator[str]:
    """A key of another user."""
    catalog = Catalog(platform.settings.catalog_url)
    yield await catalog.api_keys.create("eve", "admin")
    await catalog.close()


@pytest.mark.parametrize("how", ["cancel the question", "cancel the document", "delete the document"])
async def test_waiting_ends_when_there_is_nothing_to_wait_for(
    api: httpx.AsyncClient, kb: str, held: str, how: str
) -> None:
    """A canceled question ends as canceled; a document that will never be ready is not waited for."""
    await ready(api, kb, ("travel.txt", TRAVEL))
    accepted = await asked(api, kb, QUESTION, wait_for_index=True)
    reader = Reader(accepted["events_url"])
    await waiting(reader, api)
    if how == "cancel the question":
        assert (await api.post(f"/questions/{accepted['id']}/cancel")).status_code == 202
    elif how == "cancel the document":
        assert (await api.post(f"/documents/{held}/cancel")).status_code == 202
    else:
        assert (await api.delete(f"/documents/{held}")).status_code == 202
    await reader.read(api, 10_000)
    assert reader.last is not None
    name, data = reader.last
    assert (name, data.get("code")) == (("error", "canceled") if how == "cancel the question" else ("done", None))
