"""People whose documents consist of numbered sentences, each in an own paragraph, and are found by a word of theirs."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from random import Random

from tests.bench.texts import ENDINGS, PEOPLE, SUBJECTS, VERBS
from tests.chaos.clients import Apis

#: Sentences of a document, each about as long as the smallest chunks.
PARAGRAPHS = 20

SENTENCE = re.compile(r"\bs\d+v\d+x\d+\b")

#: Documents with a smaller number are never replaced or deleted: they are always found.
STABLE = 100


def word(number: int, version: int) -> str:
    """The word by which a version of a document is found."""
    return f"zq{number:05d}v{version}"


def text(number: int, version: int) -> bytes:
    """A document whose first sentence holds its word."""
    random = Random(f"{number} {version}")
    return "\n\n".join(_sentence(number, version, part, random) for part in range(PARAGRAPHS)).encode()


def _sentence(number: int, version: int, part: int, random: Random) -> str:
    subject, verb, person, ending = (random.choice(each.split("|")) for each in (SUBJECTS, VERBS, PEOPLE, ENDINGS))
    mark = word(number, version) if part == 0 else f"s{number}v{version}x{part}"
    return f"{mark}: {subject} {verb} {person} {ending.format(n=random.randint(2, 99))}."


class Numbered:
    """Uploads, replaces and deletes; ``versions`` are the live ones by number, ``deleted`` those that are gone."""

    def __init__(self, apis: Apis, knowledge_base: str, random: Random) -> None:
        self._apis, self._knowledge_base, self._random = apis, knowledge_base, random
        self._next = 0
        self.versions: dict[int, int] = {}
        self.ids: dict[int, str] = {}
        self.deleted: dict[int, int] = {}
        self.done: Counter[str] = Counter()

    async def add(self, count: int) -> None:
        """Upload so many new documents."""
        numbers = range(self._next, self._next + count)
        self._next += count
        await self._upload(dict.fromkeys(numbers, 1))
        self.done["uploads"] += count

    async def replace(self, number: int) -> None:
        """Upload another version of a document."""
        await self._upload({number: self.versions[number] + 1})
        self.done["replacements"] += 1

    async def delete(self, number: int) -> None:
        """Delete a document."""
        await self._apis.patiently(lambda api: api.delete(f"/documents/{self.ids[number]}"), (202, 404))
        self.deleted[number] = self.versions.pop(number)
        self.done["deletions"] += 1

    async def change(self) -> None:
        """One of these at random."""
        changeable = sorted(number for number in self.versions if number >= STABLE)
        choice = self._random.random()
        if choice < 0.4 or not changeable:
            await self.add(1)
        elif choice < 0.75:
            await self.replace(self._random.choice(changeable))
        else:
            await self.delete(self._random.choice(changeable))

    async def settled(self) -> None:
        """Wait until nothing of the knowledge base is pending. Raises RuntimeError if a document failed."""
        while True:
            response = await self._apis.patiently(
                lambda api: api.get(f"/knowledge-bases/{self._knowledge_base}"), (200,)
            )
            counts = response.json()["documents"]
            if counts.get("failed"):
                raise RuntimeError(f"documents failed: {counts}")
            if counts.get("ready", 0) == counts["total"]:
                return
            await asyncio.sleep(0.5)

    async def _upload(self, versions: dict[int, int]) -> None:
        form = [
            ("files", (f"{number:05d}.txt", text(number, version), "text/plain"))
            for number, version in versions.items()
        ]
        path = f"/knowledge-bases/{self._knowledge_base}/documents"
        response = await self._apis.patiently(lambda api: api.post(path, files=form), (202,))
        for number, document in zip(versions, response.json()["documents"], strict=True):
            if self.ids.get(number, document["id"]) != document["id"] or document["version"] != versions[number]:
                raise RuntimeError(f"document {number}: version {document['version']}, not {versions[number]}")
            self.ids[number], self.versions[number] = document["id"], versions[number]
