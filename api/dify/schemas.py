"""What Dify's external knowledge API takes and gives (docs.dify.ai). Other fields are ignored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from api.http.schemas import Schema

#: Most passages of one retrieval.
MAX_PASSAGES = 100


class RetrievalSetting(msgspec.Struct, frozen=True, kw_only=True):
    """At most ``top_k`` passages whose score (0–1) is at least ``score_threshold``."""

    top_k: Annotated[int, Meta(ge=1, le=MAX_PASSAGES)] = 10
    score_threshold: Annotated[float, Meta(ge=0, le=1)] | None = None


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A condition on a field of the document."""

    name: Annotated[str, Meta(max_length=64)]
    comparison_operator: Annotated[str, Meta(max_length=20)]
    value: Annotated[str, Meta(max_length=300)] | int | float | list[str] | None = None


class MetadataCondition(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions that passages must fulfil, all of them."""

    logical_operator: Literal["and", "or"] = "and"
    conditions: Annotated[list[Condition], Meta(max_length=20)] = []


class RetrievalRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A retrieval from the knowledge base ``knowledge_id`` (its name)."""

    knowledge_id: Annotated[str, Meta(min_length=1, max_length=255)]
    query: Annotated[str, Meta(min_length=1)]
    retrieval_setting: RetrievalSetting = RetrievalSetting()
    metadata_condition: MetadataCondition | None = None


class PassageRecord(Schema, frozen=True):
    """A passage; ``title`` is the name of its document."""

    content: str
    score: float
    title: str
    metadata: dict[str, Any]


class Retrieved(Schema, frozen=True):
    """The passages, the best first."""

    records: list[PassageRecord]
