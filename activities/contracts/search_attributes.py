"""Search attributes of workflows, used to filter runs in the Temporal UI."""

from __future__ import annotations

from temporalio.common import SearchAttributeKey

KNOWLEDGE_BASE = SearchAttributeKey.for_keyword("KnowledgeBase")
DOCUMENT = SearchAttributeKey.for_keyword("Document")
OWNER = SearchAttributeKey.for_keyword("Owner")
STAGE = SearchAttributeKey.for_keyword("Stage")
