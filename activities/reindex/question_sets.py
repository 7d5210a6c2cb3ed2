"""Question sets of quality gates, as blobs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from activities.contracts.gate import Item
from activities.stores.blob_keys import gate_key
from activities.stores.blobs import Blobs


async def save_questions(blobs: Blobs, knowledge_base_id: str, items: Sequence[Item]) -> str:
    """Store a question set by its content; returns its key."""
    content = msgspec.msgpack.encode(items)
    key = gate_key(knowledge_base_id, content)
    await blobs.put(key, content)
    return key
