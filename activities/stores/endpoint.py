"""Failures of the endpoint that Triton's ``generate`` asks, as ``triton_models/endpoint.py`` words them."""

from __future__ import annotations

from typing import Literal

import msgspec

from activities.errors import (
    HoldfastError,
    LanguageModelKeyRefused,
    LanguageModelNotFound,
    LanguageModelNotTrusted,
    LanguageModelRefused,
    LanguageModelUnavailable,
)
from activities.phrases import Phrase

#: How Triton's message begins that has such a failure.
ENDPOINT = '{"endpoint": '


class EndpointProblem(msgspec.Struct, frozen=True, kw_only=True):
    """``said`` is the service's own sentence, ``retry_after`` its wish in seconds, 0 for none."""

    kind: Literal["key", "model", "certificate", "refused", "busy", "unreachable", "silent", "broken"]
    said: str = ""
    status: int = 0
    retry_after: float = 0


_REFUSALS: dict[str, type[HoldfastError]] = {
    "key": LanguageModelKeyRefused,
    "model": LanguageModelNotFound,
    "certificate": LanguageModelNotTrusted,
    "refused": LanguageModelRefused,
}
_SILENCES = {
    "silent": Phrase.NO_ANSWER_WITHIN,
    "unreachable": Phrase.NOT_REACHED,
    "broken": Phrase.BROKEN_OFF,
}


class _Failure(EndpointProblem, frozen=True, kw_only=True):
    model: str
    host: str


class _Message(msgspec.Struct, frozen=True):
    endpoint: _Failure


def failure_of(message: str) -> HoldfastError:
    """The error of a message that begins with ``ENDPOINT``."""
    failure = msgspec.json.decode(message, type=_Message).endpoint
    return endpoint_error(failure, failure.model, failure.host)


def endpoint_error(problem: EndpointProblem, model: str, host: str) -> HoldfastError:
    """The error that says what to do about a problem."""
    said = problem.said
    if (refusal := _REFUSALS.get(problem.kind)) is not None:
        return refusal(host=host, model=model, detail=said)
    detail = _SILENCES.get(problem.kind, said)
    return LanguageModelUnavailable(problem.retry_after, host=host, model=model, detail=detail, seconds=said, said=said)
