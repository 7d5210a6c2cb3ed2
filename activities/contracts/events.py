"""Events of a question's stream (DESIGN §6). The tag is the name of the server-sent event."""

from __future__ import annotations

from typing import Literal

from activities.contracts import Contract
from activities.contracts.answers import AnswerMode, Citation, Fallback, Source
from activities.errors import Reason


class DeltaEvent(Contract, frozen=True, tag_field="event", tag="delta"):
    """The next piece of the answer's text."""

    text: str


class ResetEvent(Contract, frozen=True, tag_field="event", tag="reset"):
    """Forget the text so far: the answer starts over."""


class StateEvent(Contract, frozen=True, tag_field="event", tag="state"):
    """The question has entered a stage: ``wait_for_index``, ``retrieve``, ``generate`` or ``record``.

    While it waits for the index, ``pending`` documents are not ready, which may take ``eta_seconds``.
    """

    stage: str
    state: Literal["running", "waiting"] = "running"
    pending: int | None = None
    eta_seconds: float | None = None


class SourcesEvent(Contract, frozen=True, tag_field="event", tag="sources"):
    """The passages that the answer will be drawn from, best first."""

    sources: list[Source]


class DoneEvent(Contract, frozen=True, tag_field="event", tag="done"):
    """The whole answer, as it was recorded; the last event."""

    answer: str
    citations: list[Citation]
    mode: AnswerMode
    found: bool
    fallback: Fallback | None = None
    withheld: int = 0


class ErrorEvent(Contract, frozen=True, tag_field="event", tag="error"):
    """There will be no answer, and why; the last event."""

    reason: Reason


QuestionEvent = StateEvent | SourcesEvent | DeltaEvent | ResetEvent | DoneEvent | ErrorEvent
