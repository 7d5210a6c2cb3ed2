"""The filter of audit events as requests give it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from litestar.params import Parameter, QueryParameter

from activities.stores.catalog.audit.events import Outcome
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import EventFilter

Text = Annotated[str | None, Parameter(max_length=300)]
Action = Annotated[
    str | None,
    Parameter(
        max_length=64, description="An action such as `document.upload`, or `document` for all actions on documents."
    ),
]
Object = Annotated[str | None, QueryParameter(name="object", max_length=64, description="The id of an object.")]
Name = Annotated[
    str | None, QueryParameter(name="name", max_length=300, description="The name that an object had at that time.")
]
Version = Annotated[int | None, Parameter(ge=1, le=2**53, description="A version of a document.")]
Ended = Annotated[Outcome | None, Parameter(description="How it ended; `refused` has what was not allowed.")]


async def event_filter(
    catalog: Catalog,
    kb: Text = None,
    actor: Text = None,
    action: Action = None,
    object_id: Object = None,
    object_name: Name = None,
    version: Version = None,
    outcome: Ended = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> EventFilter:
    """The wanted events. Raises NotFound for an unknown knowledge base, and InvalidRequest for an unknown action."""
    await catalog.audit.require_known(kb, action)
    return EventFilter(
        knowledge_base=kb,
        actor=actor,
        action=action,
        object_id=object_id,
        object_name=object_name,
        version=version,
        outcome=outcome,
        since=since,
        until=until,
    )
