"""What the two engines of the Triton model `generate` have in common: requests, endings, failures."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Protocol

DEFAULT_MAX_TOKENS = 16
"""Longest answer to a request without `max_tokens`."""

SAMPLING = ("temperature", "top_p", "top_k", "min_p", "seed", "max_tokens", "stop", "ignore_eos", "presence_penalty",
            "frequency_penalty", "repetition_penalty")  # fmt: skip
"""The sampling parameters that a request may have. An endpoint is sent those of OpenAI's API."""

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Chat:
    """A validated request."""

    messages: list[dict[str, str]]
    sampling: dict[str, Any]


@dataclass
class Ending:
    """How an answer ended: the model, its `finish_reason` (empty until there is one), tokens as the engine counts."""

    model: str
    finish: str = ""
    prompt_tokens: int | None = None
    tokens: int | None = None

    def note(self, event: dict[str, Any]) -> str:
        """Takes over what a chunk of a chat completion tells; returns its text."""
        text = ""
        for choice in event.get("choices") or ():
            text += (choice.get("delta") or choice.get("message") or {}).get("content") or ""
            self.finish = choice.get("finish_reason") or self.finish
        usage = event.get("usage") or {}
        self.prompt_tokens = _count(usage.get("prompt_tokens"), self.prompt_tokens)
        self.tokens = _count(usage.get("completion_tokens"), self.tokens)
        return text

    def json(self) -> bytes:
        """For the output `ending`."""
        return json.dumps(asdict(self)).encode()


class GenerationError(RuntimeError):
    """The engine rejected a request or failed; `code` is a status like that of HTTP."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Reader(Protocol):
    """Whoever asked. To be used in the thread that got it, and in no other."""

    def send(self, text: str) -> None:
        """Sends a piece of the answer, unless the reader has left."""

    @property
    def left(self) -> bool:
        """Whether nobody waits for the answer any more."""


class Engine(Protocol):
    """A language model."""

    def answer(self, chat: Chat, reader: Reader) -> Ending:
        """Sends an answer piece by piece; ends soon after the reader has left. Raises `GenerationError`."""

    def load(self) -> object:
        """Makes it ready before the first request."""

    def close(self) -> None:
        """Ends it; answers in flight may be lost."""

    def card(self) -> dict[str, Any]:
        """Describes itself: `engine`, `model`, `host`, and `problem`, null while there is none."""


def chat_of(messages: str, sampling: str) -> Chat:
    """Parses a request. Raises `ValueError` with the reason."""
    parsed, parameters = json.loads(messages), json.loads(sampling)
    if not isinstance(parsed, list) or not parsed or not all(_is_message(each) for each in parsed):
        raise ValueError("messages must be a JSON list of {role, content}")
    if not isinstance(parameters, dict):
        raise ValueError("sampling_parameters must be a JSON object")  # noqa: TRY004 -- the client's mistake
    unknown = sorted(set(parameters) - set(SAMPLING))
    if unknown:
        raise ValueError(f"unknown sampling parameters: {', '.join(unknown)} (known: {', '.join(SAMPLING)})")
    given = {name: value for name, value in parameters.items() if value is not None}
    return Chat(parsed, {"max_tokens": DEFAULT_MAX_TOKENS, **given})


def _is_message(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"role", "content"}
        and value["role"] in ROLES
        and isinstance(value["content"], str)
    )


def _count(value: object, otherwise: int | None) -> int | None:
    return value if isinstance(value, int) else otherwise
