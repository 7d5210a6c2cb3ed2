"""Wire types of the lookup by names and prefixes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from api.http.schemas import Schema

Kind = Literal["document", "batch", "reindex", "conversation", "question"]


class MatchInfo(Schema, frozen=True):
    """What a text may stand for; ``name`` is empty for another user's question, ``state`` for a conversation."""

    kind: Kind
    id: str
    name: str
    knowledge_base: str
    state: str
    created_at: datetime
