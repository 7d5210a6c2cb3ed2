"""Search attributes of workflows, used to filter runs in the Temporal UI. Temporal never encrypts them."""

from __future__ import annotations

from typing import Any

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

KNOWLEDGE_BASE = SearchAttributeKey.for_keyword("KnowledgeBase")
DOCUMENT = SearchAttributeKey.for_keyword("Document")
DOCUMENT_NAME = SearchAttributeKey.for_keyword("DocumentName")
OWNER = SearchAttributeKey.for_keyword("Owner")
STAGE = SearchAttributeKey.for_keyword("Stage")

#: The longest keyword that Temporal's databases hold, in characters.
MAX_KEYWORD = 255


def attributes(
    knowledge_base: str | None,
    actor: str,
    document_id: str | None = None,
    document_name: str | None = None,
    stage: str = "queued",
) -> TypedSearchAttributes:
    """The initial search attributes of a run; None values are left out."""
    pairs: list[SearchAttributePair[Any]] = [SearchAttributePair(OWNER, actor), SearchAttributePair(STAGE, stage)]
    given = ((KNOWLEDGE_BASE, knowledge_base), (DOCUMENT, document_id), (DOCUMENT_NAME, document_name))
    pairs += [SearchAttributePair(key, value[:MAX_KEYWORD]) for key, value in given if value is not None]
    return TypedSearchAttributes(pairs)
