"""A question's events as server-sent events: the tag is the name, the id is the offset to resume from."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from activities.contracts.events import DoneEvent, ErrorEvent, QuestionEvent, SourcesEvent
from activities.errors import InvalidRequest, Language
from activities.phrases import Phrase
from activities.stores.catalog.records import Question
from api.http.sse import Event, EventStream, last_offset
from api.questions.asking import Asking
from api.questions.views import citation_info, source_info


async def resume_offset(asking: Asking, question: Question, last_event_id: str | None) -> int:
    """The offset to go on from. Raises InvalidRequest for an id that no event of the question can have had."""
    offset = last_offset(last_event_id)
    events = await asking.length(question) if offset else None
    if events is not None and offset > events:
        raise InvalidRequest(detail=Phrase.FOREIGN_EVENT_ID, value=offset)
    return offset


async def messages(events: AsyncIterator[tuple[int | None, QuestionEvent]], language: Language) -> EventStream:
    """The events of ``Asking.follow``; those without an offset have no id."""
    async for at, event in events:
        yield message(event, None if at is None else at + 1, language)


def message(event: QuestionEvent, id: int | None, language: Language) -> Event:
    """One event, every field of it written out."""
    match event:
        case SourcesEvent():
            body: object = {"sources": [source_info(source) for source in event.sources]}
        case DoneEvent():
            citations = [citation_info(citation) for citation in event.citations]
            body = msgspec.structs.asdict(event) | {"citations": citations}
        case ErrorEvent():
            body = {"code": event.reason.code, "message": event.reason.render(language)}
        case _:
            body = msgspec.structs.asdict(event)
    name = str(type(event).__struct_config__.tag)
    return Event(name, body, id)
