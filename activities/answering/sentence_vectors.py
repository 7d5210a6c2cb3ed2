"""Vectors of passages' sentences, which tell what answers a question and what supports an answer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from activities.stores.triton import ModelCard, Triton
from activities.stores.vectors import Vectors

#: Texts in one request to Triton: the most that its `embed` model takes.
REQUEST = 64

#: Vectors in the cache.
CACHED = 8192


class SentenceVectors:
    """Embeds short texts ahead of bulk work, with a cache of those used last."""

    def __init__(self, triton: Triton) -> None:
        self._triton = triton
        self._cache: OrderedDict[tuple[str, str], Vectors] = OrderedDict()

    async def embed(self, card: ModelCard, texts: Sequence[str]) -> Vectors:
        """Shape (texts, dimension), float32, of length 1.

        One request after the other: side by side they only take the cores from one another (measured: 33
        sentences in 5 requests at once 700 ms, in one request 240 ms).
        """
        prompt = card.prompts.get("passage", "")
        new = [text for text in dict.fromkeys(texts) if (card.fingerprint, text) not in self._cache]
        found: dict[str, Vectors] = {}
        for start in range(0, len(new), REQUEST):
            some = new[start : start + REQUEST]
            vectors = await self._triton.embed([prompt + text for text in some], urgent=True, model=card.identity)
            found.update(zip(some, vectors, strict=True))
        rows = [found[text] if text in found else self._cache[card.fingerprint, text] for text in texts]
        for text, row in found.items():
            self._cache[card.fingerprint, text] = row
        while len(self._cache) > CACHED:
            self._cache.popitem(last=False)
        return np.stack(rows) if rows else np.empty((0, card.dimension), np.float32)
