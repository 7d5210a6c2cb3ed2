"""Translates validation messages of msgspec and Litestar, which are English only, into phrases."""

from __future__ import annotations

import re
from typing import NamedTuple

from activities.phrases import Language, Phrase

#: The location that ends a message: `` - at `$.filter.pages` ``.
_PLACE = re.compile(r" - at (?P<place>`.+`)$")

#: Patterns in order; the first match counts. Named groups are the phrase's parameters.
_MESSAGES: tuple[tuple[re.Pattern[str], Phrase], ...] = (
    (re.compile(r"Expected (?P<expected>`.+?`), got (?P<got>`.+`)"), Phrase.WRONG_TYPE),
    (re.compile(r"Expected (?P<expected>`\w+`) of (?:at (?:least|most) )?length (?P<bound>.+)"), Phrase.WRONG_LENGTH),
    (re.compile(r"Expected (?P<expected>`\w+`) matching regex (?P<pattern>.+)"), Phrase.WRONG_FORM),
    (re.compile(r"Expected (?P<expected>`\w+`(?: [<>]=? \S+)?)"), Phrase.WRONG_VALUE),
    (re.compile(r"Object missing required field (?P<field>`.+`)"), Phrase.MISSING_FIELD),
    (re.compile(r"Object contains unknown field (?P<field>`.+`)"), Phrase.UNKNOWN_FIELD),
    (re.compile(r"Missing required \w+ parameter '(?P<field>.+)' for path .*"), Phrase.MISSING_PARAMETER),
    (re.compile(r"Invalid (?:enum )?value (?P<choice>.+)"), Phrase.UNKNOWN_CHOICE),
    (re.compile(r"(?:Number|Integer value) out of range"), Phrase.OUT_OF_RANGE),
    (re.compile(r"Input data was truncated"), Phrase.CUT_JSON),
    (re.compile(r"JSON is malformed: (?P<said>.+)"), Phrase.BAD_JSON),
    (re.compile(r"\A.*multipart.*"), Phrase.BAD_FORM),
    (re.compile(r"(?P<said>.*)", re.S), Phrase.UNUSABLE),
)


class Explained(NamedTuple):
    """A phrase and its parameters; ``place`` is the path of the invalid value, empty for the whole input."""

    phrase: Phrase
    params: dict[str, str]
    place: str

    def render(self, language: Language) -> str:
        """The phrase in one language, followed by the place in parentheses."""
        text = self.phrase.render(language, **self.params)
        if not self.place:
            return text
        return f"{text}（{self.place}）" if language == "zh" else f"{text} ({self.place})"


def explain(message: str) -> Explained:
    """The phrase for a message of msgspec or Litestar; ``Phrase.UNUSABLE`` quotes an unknown message."""
    place = _PLACE.search(message)
    text = message[: place.start()] if place else message
    for pattern, phrase in _MESSAGES:
        if match := pattern.fullmatch(text):
            params = {name: value for name, value in match.groupdict().items() if value is not None}
            return Explained(phrase, params, place["place"] if place else "")
    raise AssertionError("the last pattern matches everything")
