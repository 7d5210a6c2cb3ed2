"""Conversations: a follow-up is searched with the topic of earlier questions, and its record shows how."""

from __future__ import annotations

import httpx
import pytest

from activities.contracts.questions import Turn
from activities.runtime.temporal import connect
from activities.settings import Settings
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from tests.api.questions.test_questions import handbook
from tests.conftest import Platform, events
from tests.workflows.test_streams import asked
from workflows.client.jobs import Jobs
from workflows.contracts import QuestionJob

__all__ = ["handbook"]


async def standalone(settings: Settings, id: str) -> str | None:
    """The self-contained question that was searched for."""
    catalog = Catalog(settings.catalog_url)
    try:
        made = (await catalog.questions.get(id)).made
        assert made is not None
        return made.standalone
    finally:
        await catalog.close()


@pytest.mark.parametrize(
    ("first", "follow_up", "carried", "answer"),
    [
        ("When are travel costs refunded?", "After what does it begin?", "travel", "trip has ended"),
        ("签证费用由谁承担？", "那每年最多几次呢？", "签证费用", "每年最多报销一次"),
    ],
)
async def test_a_follow_up_is_searched_for_with_its_topic(
    api: httpx.AsyncClient, handbook: str, platform: Platform, first: str, follow_up: str, carried: str, answer: str
) -> None:
    """The record keeps both the searched question and the question as it was asked."""
    opening = await asked(api, handbook, first)
    await events(api, opening["events_url"])
    second = await asked(api, handbook, follow_up, conversation_id=opening["conversation_id"])
    done = (await events(api, second["events_url"]))[-1][1]
    assert answer in done["answer"]
    assert carried in str(await standalone(platform.settings, second["id"]))
    assert (await api.get(f"/questions/{second['id']}")).json()["question"] == follow_up
    assert await standalone(platform.settings, opening["id"]) is None


async def test_a_new_topic_in_a_conversation_is_searched_for_alone(
    api: httpx.AsyncClient, handbook: str, platform: Platform
) -> None:
    """A self-contained question stays unchanged."""
    opening = await asked(api, handbook, "When are travel costs refunded?")
    await events(api, opening["events_url"])
    question = "From which day of absence is a medical certificate needed?"
    second = await asked(api, handbook, question, conversation_id=opening["conversation_id"])
    assert "third day" in (await events(api, second["events_url"]))[-1][1]["answer"]
    assert await standalone(platform.settings, second["id"]) is None


async def test_turns_of_a_client_override_the_catalogues(
    api: httpx.AsyncClient, handbook: str, platform: Platform
) -> None:
    """A client that keeps its own history passes the key of a blob with it."""
    catalog, blobs = Catalog(platform.settings.catalog_url), Blobs(platform.settings.blobs_url)
    knowledge_base = await catalog.knowledge_bases.get(handbook)
    question = await catalog.questions.create(knowledge_base.id, "Until when?", "extractive", None, "admin")
    key = f"questions/{question.id}/history"
    await blobs.save(key, [Turn(question="When are travel costs refunded?", answer="Within ten working days.")])
    job = QuestionJob(
        question_id=question.id, knowledge_base_id=knowledge_base.id, knowledge_base=handbook, question="Until when?",
        mode="extractive", actor="admin", history_key=key,
    )  # fmt: skip
    await Jobs(await connect(platform.settings.temporal)).answer(job)
    done = (await events(api, f"/questions/{question.id}/events"))[-1][1]
    assert "ten working days" in done["answer"]
    assert "travel" in str(await standalone(platform.settings, question.id))
    await catalog.close()


async def test_the_record_shows_how_an_answer_was_made(
    api: httpx.AsyncClient, handbook: str, platform: Platform
) -> None:
    """Index generation, embedding model with fingerprint, language model, prompt, tokens, and time by stage."""
    accepted = await asked(api, handbook, "When are travel costs refunded?", mode="generative")
    done = (await events(api, accepted["events_url"]))[-1][1]
    catalog = Catalog(platform.settings.catalog_url)
    question = await catalog.questions.get(accepted["id"])
    generation = await catalog.knowledge_bases.generation(question.knowledge_base_id)
    await catalog.close()
    made = question.made
    assert made is not None
    assert (made.generation, made.embedding_fingerprint) == (generation.generation, generation.model_fingerprint)
    assert made.embedding_model
    assert (made.language_model, made.prompt_version) == ("bundled", "3")
    assert made.tokens > 0
    assert {"rewrite", "retrieve", "first_token", "generate", "total"} <= set(made.milliseconds)
    assert (question.fallback, question.withheld) == (done["fallback"], done["withheld"])
    info = (await api.get(f"/questions/{accepted['id']}")).json()
    assert (info["fallback"], info["withheld"]) == (done["fallback"], done["withheld"])
