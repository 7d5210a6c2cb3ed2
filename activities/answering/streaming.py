"""Streams a generated answer: each sentence stays with the number of its source, or is taken back."""

from __future__ import annotations

import re
from collections.abc import Callable

from activities.answering.grounding import MARKER, GroundedSentence, GroundingChecker
from activities.contracts.events import DeltaEvent, QuestionEvent, ResetEvent
from activities.text.sentences import sentences

#: The beginning of a number in brackets, whose end has not come yet.
_OPEN_MARKER = re.compile(r"(?<!\s)\s*+\[[\d,\s]*+$")

_END = re.compile(r"[.。!！?？…:：][\"'”’」』）)\]》】]*\s*$")


class StreamedText:
    """The text of a stream as its readers have it; ``set`` publishes what changes it."""

    def __init__(self, publish: Callable[[QuestionEvent], None]) -> None:
        self._publish = publish
        self.text = ""

    def set(self, text: str) -> None:
        """Append to the text, or reset it when the new text does not begin with the old one."""
        if not text.startswith(self.text):
            self._publish(ResetEvent())
            self.text = ""
        if len(text) > len(self.text):
            self._publish(DeltaEvent(text=text[len(self.text) :]))
        self.text = text


class GroundedStream:
    """Streams a sentence while it is generated, and checks it when it is complete.

    One that a source supports gets the source's number and stays; any other is taken back. So a reader sees
    words as soon as they come, and an invention only until its full stop.
    """

    def __init__(self, checker: GroundingChecker, text: StreamedText) -> None:
        self._checker, self._text = checker, text
        self._kept, self._space, self._rest = "", "", ""
        self.grounded: list[GroundedSentence] = []
        self.ungrounded = 0

    async def add(self, piece: str) -> None:
        """Append a piece of generated text."""
        self._rest += piece
        while (sentence := self._complete()) is not None:
            await self._check(sentence)
        live = _OPEN_MARKER.sub("", MARKER.sub("", self._rest)).strip()
        self._text.set(self._joined(live) if live else self._kept)

    async def finish(self, *, cut: bool = False) -> str:
        """The text that is kept in the end; ``cut`` drops an unfinished last sentence, at the limit of tokens."""
        last, self._rest = self._rest, ""
        for sentence in sentences(last):
            if not cut or _END.search(MARKER.sub("", sentence)):
                await self._check(sentence)
            else:
                self.ungrounded += 1
        self._text.set(self._kept)
        return self._kept

    def _complete(self) -> str | None:
        """Remove and return the first sentence, once another has begun after it and its numbers."""
        first = next(iter(sentences(self._rest)), "")
        after = self._rest[len(first) :]
        following = _OPEN_MARKER.sub("", MARKER.sub("", after))
        if not first or not following.strip():
            return None
        while (marker := MARKER.match(after)) is not None:  # the number of the sentence before it
            after = after[marker.end() :].lstrip(" ")
        self._rest = after
        return first

    async def _check(self, sentence: str) -> None:
        if not MARKER.sub("", sentence).strip():
            return
        grounded = await self._checker.check(sentence)
        if grounded is None:
            self.ungrounded += 1
            self._text.set(self._kept)
            return
        self.grounded.append(grounded)
        self._kept = self._joined(grounded.numbered)
        self._space = sentence[len(sentence.rstrip()) :] or " "
        self._text.set(self._kept)

    def _joined(self, text: str) -> str:
        return f"{self._kept}{self._space}{text}" if self._kept else text
