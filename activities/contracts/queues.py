"""Task queues and the priorities within them (DESIGN §3)."""

from __future__ import annotations


class Queue:
    """Task queues: one for each kind of scarce resource (DESIGN §3)."""

    WORKFLOWS = "workflows"
    CPU = "cpu"
    GPU = "gpu"
    STORE = "store"
    ANSWER = "answer"
    ALL = (WORKFLOWS, CPU, GPU, STORE, ANSWER)


class Priority:
    """Priority keys of task queues; lower goes first."""

    QUESTION = 1
    UPLOAD = 2
    BATCH = 4
    REINDEX = 5
