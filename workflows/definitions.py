"""The workflows of this version: what workers run, and what replays hold against histories."""

from __future__ import annotations

from workflows.answer import AnswerQuestion
from workflows.archive import ArchiveHistories
from workflows.batch import IngestBatch
from workflows.bulk import ChangeDocuments
from workflows.deletion import DeleteDocument, DeleteKnowledgeBase
from workflows.ingest import IngestDocument
from workflows.reconcile import Reconcile
from workflows.reindex import ReindexKnowledgeBase
from workflows.reindex_all import ReindexAll
from workflows.retention import ApplyRetention
from workflows.retry_failures import RetryFailures
from workflows.scheduled import RunScheduled
from workflows.sync import SyncKnowledgeBase
from workflows.webhooks import DeliverWebhook

#: Workflows on the queue of their activities: their worker starts an activity eagerly, without another round trip to
#: the server. (The queue of the other workflows still serves questions that started there.)
ANSWER_WORKFLOWS = [AnswerQuestion]

WORKFLOWS = [
    IngestDocument,
    IngestBatch,
    DeleteDocument,
    DeleteKnowledgeBase,
    ReindexKnowledgeBase,
    ChangeDocuments,
    SyncKnowledgeBase,
    ReindexAll,
    AnswerQuestion,
    Reconcile,
    ArchiveHistories,
    RetryFailures,
    RunScheduled,
    ApplyRetention,
    DeliverWebhook,
]
