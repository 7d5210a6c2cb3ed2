"""A history as a file: gzip of ``temporal.api.export.v1.WorkflowExecutions``, as Temporal Cloud exports them.

Payloads stay as they are in the history: what is encrypted there is encrypted in the file.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence

from temporalio.api.export.v1 import WorkflowExecution, WorkflowExecutions
from temporalio.api.history.v1 import History, HistoryEvent

from activities.errors import HistoryLost, HistoryTampered
from activities.stores.blobs import Blobs
from activities.stores.catalog.runs.records import ArchivedRun


def pack(events: Sequence[HistoryEvent]) -> bytes:
    """The file of a history; the same bytes for the same events."""
    whole = WorkflowExecutions(items=[WorkflowExecution(history=History(events=events))])
    return gzip.compress(whole.SerializeToString(deterministic=True), mtime=0)


def unpack(data: bytes) -> list[HistoryEvent]:
    """The events of such a file, whose hash was compared before."""
    whole = WorkflowExecutions.FromString(gzip.decompress(data))
    return [event for item in whole.items for event in item.history.events]


async def load(blobs: Blobs, run: ArchivedRun, sha256: str) -> bytes:
    """The file of an archived run, if its hash is the one in the audit trail.

    Raises HistoryLost and HistoryTampered.
    """
    try:
        data = await blobs.get(run.blob_key)
    except KeyError as exc:
        raise HistoryLost(run=run.run_id) from exc
    if hashlib.sha256(data).hexdigest() != sha256:
        raise HistoryTampered(run=run.run_id)
    return data
