"""Generation that starts before the step that needs it: claimed once, and only for the same passages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import msgspec
import pytest

from activities import drafts
from activities.drafts import MAX_PENDING, GenerationPrefetch, PendingGeneration
from activities.errors import ModelError
from activities.passages import SourceTexts
from activities.settings import GenerateSettings
from activities.stores.triton import Triton
from tests.conftest import assert_eventually

FOUND = SourceTexts(["Unused leave is lost on 31 March."], b"", "When is unused leave lost?")


class Watched(Triton):
    """Knows how many generations were asked of it, and how many of those have ended."""

    begun = ended = 0

    async def generate(self, prompt: str, sampling: dict[str, object]) -> AsyncIterator[str]:
        """See `Triton.generate`."""
        self.begun += 1
        try:
            async with aclosing(super().generate(prompt, sampling)) as pieces:  # type: ignore[type-var]
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
    """What is written, to its end."""
    async with pending.tokens as tokens:
        return "".join([piece async for piece in tokens])


async def test_the_answer_goes_on_with_what_was_begun(watched: Watched) -> None:
    """One generation, whose words came meanwhile; a second attempt has one of its own, and they say the same."""
    prefetch = GenerationPrefetch(watched, GenerateSettings(max_tokens=12))
    await prefetch.start("q", FOUND)
    await asyncio.sleep(0.1)
    assert watched.begun == 1
    pending = await prefetch.claim("q", FOUND)
    assert pending.used == FOUND.texts
    first = await text_of(pending)
    assert watched.begun == watched.ended == 1
    assert first == await text_of(await prefetch.claim("q", FOUND))
    assert watched.begun == 2


async def test_other_passages_are_written_from_anew(watched: Watched) -> None:
    """A retrieval that was made again may have found something else."""
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
    """The question was canceled, or its answer is written by another worker."""
    monkeypatch.setattr(drafts, "CLAIM_SECONDS", 0.2)
    prefetch = GenerationPrefetch(watched, GenerateSettings(max_tokens=4000))
    await prefetch.start("q", FOUND)
    await asyncio.sleep(0)
    assert (watched.begun, watched.ended) == (1, 0)

    async def stopped() -> bool:
        return watched.ended == 1

    await assert_eventually(stopped)


async def test_few_are_begun_at_a_time_and_only_what_can_be_used(watched: Watched) -> None:
    """More would hold up those that are being answered; in a language that the model does not write, none."""
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


async def test_an_error_belongs_to_who_takes_it(watched: Watched) -> None:
    """Beginning fails silently; the step that needs the text has the reason."""
    prefetch = GenerationPrefetch(watched, GenerateSettings(max_tokens=-5))
    await prefetch.start("q", FOUND)
    pending = await prefetch.claim("q", FOUND)
    with pytest.raises(ModelError, match="max_tokens"):
        await text_of(pending)
