"""Text that the language model writes to a question, begun before the step that needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from tokenizers import Tokenizer

from activities.passages import SourceTexts
from activities.prompts import build_prompt, max_tokens, sampling
from activities.settings import GenerateSettings
from activities.stores.triton import Triton
from activities.text.scripts import query_language
from activities.tokens import Tokens

#: Drafts that wait to be taken at one time. With more, the language model would have its hands full with them.
AHEAD = 2

#: A draft that nobody takes for so long is stopped; canceling a question promises that after a second.
KEPT_SECONDS = 0.8


class Draft(NamedTuple):
    """What is being written to what was ``found``, of which ``used`` had room; at most ``max_tokens`` long."""

    found: SourceTexts
    used: list[str]
    max_tokens: int
    tokens: Tokens


class Drafts:
    """Where writing begins, in a process that runs both steps, `retrieve` and `answer`.

    The first reads the prompt to the language model while the workflow is on its way to the second, which
    ``take``s what has come by then. When that runs in another process, or too late, it starts anew there.
    """

    def __init__(self, triton: Triton, settings: GenerateSettings) -> None:
        self._triton, self._settings = triton, settings
        self._begun: dict[str, Draft] = {}

    async def begin(self, key: str, found: SourceTexts) -> None:
        """Start to write what will be taken by ``key``; does nothing when that would hold up others."""
        self._forget(key, self._begun.get(key))
        if len(self._begun) >= AHEAD or not self._settings.writes(query_language(found.question)):
            return
        draft = self._begun[key] = await self._write(found)
        asyncio.get_running_loop().call_later(KEPT_SECONDS, self._forget, key, draft)

    async def take(self, key: str, found: SourceTexts) -> Draft:
        """What was begun, or another one. The caller stops it: ``async with draft.tokens``."""
        begun = self._begun.get(key)
        if begun is not None and begun.found == found:
            return self._begun.pop(key)
        return await self._write(found)

    async def _write(self, found: SourceTexts) -> Draft:
        used = within_budget(await self._triton.tokenizer(), found.texts, self._settings.context_tokens)
        prompt = build_prompt(found.question, used, self._settings.prompt_format, found.settings.instructions)
        parameters = sampling(self._settings, found.settings)
        tokens = Tokens(self._triton.generate(prompt, parameters))
        return Draft(found, used, max_tokens(self._settings, found.settings), tokens)

    def _forget(self, key: str, draft: Draft | None) -> None:
        if draft is not None and self._begun.get(key) is draft:
            del self._begun[key]
            draft.tokens.stop()


def within_budget(tokenizer: Tokenizer, texts: Sequence[str], room: int) -> list[str]:
    """As many of the best passages as ``room`` tokens hold; the first one always, cut if it must be."""
    used: list[str] = []
    for text in texts:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        if len(encoding.ids) > room:
            if not used:
                used.append(text[: encoding.offsets[room - 1][1]])
            break
        used.append(text)
        room -= len(encoding.ids)
    return used
