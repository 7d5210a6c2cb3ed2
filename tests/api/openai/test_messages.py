"""Messages of a chat become a question, its turns and its instructions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from activities.contracts.questions import Turn
from activities.errors import InvalidRequest
from api.openai.messages import HISTORY_TURNS, parse_messages
from api.openai.schemas import Message


def message(role: str, content: Any) -> Message:
    """A message as parsed from a request."""
    return msgspec.convert({"role": role, "content": content}, Message)


def test_messages_become_turns() -> None:
    """Questions and answers are paired; an unanswered question joins the next one."""
    found = parse_messages(
        [
            message("system", "Be brief."),
            message("user", "One?"),
            message("user", "I mean two?"),
            message("assistant", "Two."),
            message("assistant", "Really."),
            message("tool", "ignored"),
            message("assistant", None),
            message("user", "Three?"),
        ]
    )
    assert found.question == "Three?"
    assert found.turns == [Turn(question="One?\nI mean two?", answer="Two.\nReally.")]
    assert found.instructions == "Be brief."


def test_a_long_conversation_is_cut_at_its_beginning() -> None:
    """The newest turns stay."""
    messages = [message(role, f"{role} {n}") for n in range(50) for role in ("user", "assistant")]
    found = parse_messages([*messages, message("user", "Now?")])
    assert [turn.question for turn in found.turns] == [f"user {n}" for n in range(50 - HISTORY_TURNS, 50)]


def test_a_greeting_of_the_assistant_is_no_turn() -> None:
    """Clients often begin with one."""
    assert parse_messages([message("assistant", "Hello!"), message("user", "Why?")]).turns == []


def test_a_question_must_come_last() -> None:
    """Without a question at the end the request is invalid."""
    with pytest.raises(InvalidRequest):
        parse_messages([message("user", "Why?"), message("assistant", "So.")])
