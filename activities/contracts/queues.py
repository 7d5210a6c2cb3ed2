"""Task queues and the priorities within them."""

from __future__ import annotations


class Queue:
    """Task queues: one for each kind of scarce resource."""

    WORKFLOWS = "workflows"
    CPU = "cpu"
    GPU = "gpu"
    STORE = "store"
    ANSWER = "answer"
    ALL = (WORKFLOWS, CPU, GPU, STORE, ANSWER)


class Priority:
    """Temporal priority keys; tasks with a lower key are dispatched first."""

    QUESTION = 1
    UPLOAD = 2
    BATCH = 4
    REINDEX = 5
