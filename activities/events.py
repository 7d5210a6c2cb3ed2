"""Events of a question's stream (DESIGN §6). The tag is the name of the server-sent event."""

from __future__ import annotations

from activities.contracts import AnswerMode, Citation, Contract, Source
from activities.errors import Reason


class StateEvent(Contract, frozen=True, tag_field="event", tag="state"):
    """The question has entered a stage: ``retrieve``, ``generate`` or ``record``."""

    stage: str


class SourcesEvent(Contract, frozen=True, tag_field="event", tag="sources"):
    """The passages that the answer will be drawn from, best first."""

    sources: list[Source]


class DeltaEvent(Contract, frozen=True, tag_field="event", tag="delta"):
    """The next piece of the answer's text."""

    text: str


class ResetEvent(Contract, frozen=True, tag_field="event", tag="reset"):
    """Forget the text so far: the answer starts over."""


class DoneEvent(Contract, frozen=True, tag_field="event", tag="done"):
    """The whole answer, as it was recorded; the last event."""

    answer: str
    citations: list[Citation]
    mode: AnswerMode
    found: bool


class ErrorEvent(Contract, frozen=True, tag_field="event", tag="error"):
    """There will be no answer, and why; the last event."""

    reason: Reason


QuestionEvent = StateEvent | SourcesEvent | DeltaEvent | ResetEvent | DoneEvent | ErrorEvent
