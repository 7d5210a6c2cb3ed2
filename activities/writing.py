"""A written answer as it is shown: sentence by sentence, each with the source that says the same, or withheld."""

from __future__ import annotations

import re
from collections.abc import Callable

from activities.events import DeltaEvent, QuestionEvent, ResetEvent
from activities.support import MARKER, Sources, Verified
from activities.text.sentences import sentences

#: The beginning of a number in brackets, of which more may come.
_OPEN_MARKER = re.compile(r"\s*\[[\d,\s]*$")


_END = re.compile(r"[.。!！?？…:：][\"'”’」』）)\]》】]*\s*$")


class Shown:
    """The text that a reader of the stream has now; what is published makes it the text that is ``set``."""

    def __init__(self, publish: Callable[[QuestionEvent], None]) -> None:
        self._publish = publish
        self.text = ""

    def set(self, text: str) -> None:
        """Add to the text, or start over when it does not go on from what is shown."""
        if not text.startswith(self.text):
            self._publish(ResetEvent())
            self.text = ""
        if len(text) > len(self.text):
            self._publish(DeltaEvent(text=text[len(self.text) :]))
        self.text = text


class Writing:
    """Shows a sentence while it is written, and checks it when it is complete.

    One that a source supports gets the source's number and stays; any other is taken back. So a reader sees
    words as soon as they come, and an invention only until its full stop.
    """

    def __init__(self, sources: Sources, shown: Shown) -> None:
        self._sources, self._shown = sources, shown
        self._kept, self._space, self._rest = "", "", ""
        self.verified: list[Verified] = []
        self.withheld = 0

    async def add(self, piece: str) -> None:
        """The next piece of text."""
        self._rest += piece
        while (sentence := self._complete()) is not None:
            await self._check(sentence)
        live = _OPEN_MARKER.sub("", MARKER.sub("", self._rest)).strip()
        self._shown.set(self._joined(live) if live else self._kept)

    async def finish(self, *, cut: bool = False) -> str:
        """The text that was kept, after its last sentence; ``cut`` when the text ended where its room did."""
        last, self._rest = self._rest, ""
        for sentence in sentences(last):
            if not cut or _END.search(MARKER.sub("", sentence)):
                await self._check(sentence)
            else:
                self.withheld += 1
        self._shown.set(self._kept)
        return self._kept

    def _complete(self) -> str | None:
        """Takes the first sentence off when another has begun after it and its numbers."""
        first = next(iter(sentences(self._rest)), "")
        after = self._rest[len(first) :]
        following = _OPEN_MARKER.sub("", MARKER.sub("", after))
        if not first or not following.strip():
            return None
        while (marker := MARKER.match(after)) is not None:  # it belongs to the sentence before it
            after = after[marker.end() :].lstrip(" ")
        self._rest = after
        return first

    async def _check(self, sentence: str) -> None:
        if not MARKER.sub("", sentence).strip():
            return
        verified = await self._sources.verify(sentence)
        if verified is None:
            self.withheld += 1
            self._shown.set(self._kept)
            return
        self.verified.append(verified)
        self._kept = self._joined(verified.shown)
        self._space = sentence[len(sentence.rstrip()) :] or " "
        self._shown.set(self._kept)

    def _joined(self, text: str) -> str:
        return f"{self._kept}{self._space}{text}" if self._kept else text
