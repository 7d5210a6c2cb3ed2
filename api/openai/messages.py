"""What a client of the OpenAI API said so far: messages become a question and the turns before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from activities.contracts.questions import Turn
from activities.errors import InvalidRequest
from activities.phrases import Phrase
from api.openai.schemas import Message

#: What is kept of a long conversation: its newest turns, and the beginning of each text.
HISTORY_TURNS = 10
HISTORY_CHARACTERS = 4000


class ParsedConversation(NamedTuple):
    """``turns`` came before the question, oldest first; ``instructions`` are the system messages."""

    question: str
    turns: list[Turn]
    instructions: str


def parse_messages(messages: Sequence[Message]) -> ParsedConversation:
    """The last message is the question, and a person's. Raises InvalidRequest for what is not text, or no question."""
    instructions, turns = [], list[Turn]()
    open_question = ""
    for position, message in enumerate(messages):
        text = _text(message, position)
        if message.role in ("system", "developer"):
            instructions.append(text)
        elif message.role == "user":
            open_question = f"{open_question}\n{text}".strip()
        elif message.role == "assistant" and text:
            if open_question:
                turns.append(Turn(question=open_question, answer=text))
                open_question = ""
            elif turns:
                turns[-1] = Turn(question=turns[-1].question, answer=f"{turns[-1].answer}\n{text}")
    if not open_question:
        raise InvalidRequest(detail=Phrase.NO_USER_QUESTION, param="messages")
    kept = [
        Turn(question=turn.question[:HISTORY_CHARACTERS], answer=turn.answer[:HISTORY_CHARACTERS])
        for turn in turns[-HISTORY_TURNS:]
    ]
    return ParsedConversation(open_question, kept, "\n".join(filter(None, instructions)))


def _text(message: Message, position: int) -> str:
    if message.content is None or isinstance(message.content, str):
        return (message.content or "").strip()
    for part in message.content:
        if part.type != "text":
            raise InvalidRequest(detail=Phrase.ONLY_TEXT, value=part.type[:40], param=f"messages[{position}].content")
    return "\n".join(part.text for part in message.content).strip()
