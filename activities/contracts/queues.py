"""Task queues and the priorities within them."""

from __future__ import annotations

from hashlib import blake2b


class Queue:
    """Task queues: one for each kind of scarce resource."""

    WORKFLOWS = "workflows"
    CPU = "cpu"
    GPU = "gpu"
    STORE = "store"
    ANSWER = "answer"
    ALL = (WORKFLOWS, CPU, GPU, STORE, ANSWER)


def fairness_key(knowledge_base_id: str, actor: str) -> str:
    """The share of a queue that work belongs to: one for each user of each knowledge base. At most 64 bytes."""
    return f"{knowledge_base_id[:40]}:{blake2b(actor.encode(), digest_size=8).hexdigest()}"


class Priority:
    """Temporal priority keys; tasks with a lower key are dispatched first."""

    QUESTION = 1
    UPLOAD = 2
    BATCH = 4
    REINDEX = 5
