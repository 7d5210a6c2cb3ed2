"""Generation that starts before the step that needs it: claimed once, and only for the same passages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing

import msgspec
import pytest

from activities.answering import generation
from activities.answering.generation import MAX_PENDING, GenerationPrefetch, PendingGeneration
from activities.errors import ModelError
from activities.retrieval.passages import SourceTexts
from activities.settings import GenerateSettings
from activities.stores.triton import ChatMessage, Generated, Triton
from tests.conftest import assert_eventually

FOUND = SourceTexts(["Unused leave is lost on 31 March."], b"", "When is unused leave lost?")


class Watched(Triton):
    """Counts how many generations were started and how many of them have ended."""

    begun = ended = 0

    async def generate(
        self,
        messages: Sequence[ChatMessage],
        sampling: dict[str, object],
        ended: Callable[[Generated], None] | None = None,
    ) -> AsyncIterator[str]:
        """See `Triton.generate`."""
        self.begun += 1
        try:
            async with aclosing(super().generate(messages, sampling, ended)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    yield piece
        finally:
            self.ended += 1


@pytest.fixture
async def watched(triton_url: str) -> AsyncIterator[Watched]:
    """A client of the platform's Triton."""
    client = Watched(triton_url)
    yield client
    await client.close()


async def text_of(pending: PendingGeneration) -> str:
    """The complete generated text."""
    async with pending.tokens as tokens:
        return "".join([piece async for piece in tokens])


async def test_the_answer_claims_the_prefetched_generation(watched: Watched) -> None:
    """One generation, whose words arrived in the meantime; a second attempt starts its own, with the same text."""
    prefetch = GenerationPrefetch(watched, GenerateSettings(max_tokens=12))
    await prefetch.start("q", FOUND)
    await asyncio.sleep(0.1)
    assert watched.begun == 1
    pending = await prefetch.claim("q", FOUND)
    assert pending.used == FOUND.texts
    first = await text_of(pending)
    assert (pending.ending.model, pending.ending.tokens, pending.is_cut) == ("bundled", 12, True)
    assert watched.begun == watched.ended == 1
    assert first == await text_of(await prefetch.claim("q", FOUND))
    assert watched.begun == 2


async def test_other_passages_start_a_new_generation(watched: Watched) -> None:
    """A repeated retrieval may have found different passages."""
    prefetch = GenerationPrefetch(watched, GenerateSettings(max_tokens=12))
    other = msgspec.structs.replace(FOUND, texts=["Unused leave is lost on 1 May."])
    await prefetch.start("q", FOUND)
    pending = await prefetch.claim("q", other)
    assert pending.used == other.texts
    await text_of(pending)
    await prefetch.start("r", FOUND)
    await prefetch.start("r", other)
    assert (await prefetch.claim("r", other)).found == other


async def test_an_unclaimed_generation_is_stopped(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question was canceled, or another worker generates its answer."""
    monkeypatch.setattr(generation, "CLAIM_SECONDS", 0.2)
    prefetch = GenerationPrefetch(watched, GenerateSettings(max_tokens=4000))
    await prefetch.start("q", FOUND)
    await asyncio.sleep(0)
    assert (watched.begun, watched.ended) == (1, 0)

    async def stopped() -> bool:
        return watched.ended == 1

    await assert_eventually(stopped)


async def test_prefetches_are_limited_and_only_in_languages_of_the_model(watched: Watched) -> None:
    """More would delay answers in progress; in a language that the model does not write, none starts."""
    prefetch = GenerationPrefetch(watched, GenerateSettings(max_tokens=12))
    await prefetch.start("zh", msgspec.structs.replace(FOUND, question="未休的年假什么时候作废？"))
    await asyncio.sleep(0)
    assert watched.begun == 0
    for n in range(MAX_PENDING + 2):
        await prefetch.start(str(n), FOUND)
    await asyncio.sleep(0)
    assert watched.begun == MAX_PENDING
    for n in range(MAX_PENDING):
        await text_of(await prefetch.claim(str(n), FOUND))


async def test_an_error_is_raised_when_the_generation_is_claimed(watched: Watched) -> None:
    """Starting fails silently; the step that needs the text gets the reason."""
    prefetch = GenerationPrefetch(watched, GenerateSettings(max_tokens=-5))
    await prefetch.start("q", FOUND)
    pending = await prefetch.claim("q", FOUND)
    with pytest.raises(ModelError, match="max_tokens"):
        await text_of(pending)
