"""Events of a question's stream; the tag is the name of the server-sent event."""

from __future__ import annotations

from typing import Literal

from activities.contracts import Contract
from activities.contracts.answers import AnswerMode, Citation, Fallback, Source
from activities.errors import Reason


class DeltaEvent(Contract, frozen=True, tag_field="event", tag="delta"):
    """The next piece of the answer's text."""

    text: str


class ResetEvent(Contract, frozen=True, tag_field="event", tag="reset"):
    """The answer starts over: the reader discards the text received so far."""


class StateEvent(Contract, frozen=True, tag_field="event", tag="state"):
    """The question has entered a stage: ``wait_for_index``, ``retrieve``, ``generate`` or ``record``.

    During ``wait_for_index``, ``pending`` is the number of documents that are not ready yet, and ``eta_seconds`` the
    estimated time until they are. A stage that waits for something that is down is ``waiting``; it is ``running`` again
    when that is back. Readers are told so as it is now, outside of the recorded events.
    """

    stage: str
    state: Literal["running", "waiting"] = "running"
    pending: int | None = None
    eta_seconds: float | None = None
    waiting_for: str | None = None


class SourcesEvent(Contract, frozen=True, tag_field="event", tag="sources"):
    """The passages from which the answer is made, best first."""

    sources: list[Source]


class DoneEvent(Contract, frozen=True, tag_field="event", tag="done"):
    """The complete answer as recorded; the last event."""

    answer: str
    citations: list[Citation]
    mode: AnswerMode
    found: bool
    fallback: Fallback | None = None
    withheld: int = 0


class ErrorEvent(Contract, frozen=True, tag_field="event", tag="error"):
    """The question failed, with the reason; the last event."""

    reason: Reason


QuestionEvent = StateEvent | SourcesEvent | DeltaEvent | ResetEvent | DoneEvent | ErrorEvent
