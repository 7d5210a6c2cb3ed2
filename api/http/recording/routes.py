"""What the audit trail records of each route: its action, the kind of its object, and when a read is recorded.

A route without a row fails a test. ``refused`` and ``failed`` events have the action of the row too.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

#: When a request is recorded that was answered:
#:
#: * ``content``: it shows what documents, questions and answers say; recorded unless HOLDFAST_AUDIT_READS is ``none``.
#: * ``metadata``: it shows names and states; recorded with ``all``.
#: * ``always``: it shows the audit trail, or exports.
#: * ``own``: the handler, or the transaction of its change, records it.
#: * ``control``: as ``own``, after a run was signalled: so it is tried first whether an event can be written.
#: * ``never``: it shows nothing of users.
When = Literal["content", "metadata", "always", "own", "control", "never"]

Reads = Literal["all", "content", "none"]


class Row(NamedTuple):
    """A route in the audit trail; ``at`` is the path parameter with an id that the guard does not load."""

    action: str
    when: When
    at: str | None = None


#: Which reads are recorded under each value of HOLDFAST_AUDIT_READS.
RECORDED: Final[dict[Reads, frozenset[When]]] = {
    "all": frozenset({"always", "content", "metadata"}),
    "content": frozenset({"always", "content"}),
    "none": frozenset({"always"}),
}

_AUDIT: Final = """
GET    /api/v1/audit/events                                   audit.list           always
GET    /api/v1/audit/export                                   audit.export         own
GET    /api/v1/audit/questions/{id}                           audit.read           own        id
GET    /api/v1/audit/documents/{id}/answers                   audit.answers        always     id
GET    /api/v1/audit/log                                      audit.checkpoint     metadata
POST   /api/v1/audit/log/continue                             audit.continue       own
GET    /api/v1/audit/log/checkpoint                           audit.checkpoint     metadata
GET    /api/v1/audit/log/checkpoints                          audit.checkpoint     metadata
GET    /api/v1/audit/log/proof/{event_id}                     audit.prove          always
GET    /api/v1/audit/log/export                               audit.export-log     own
GET    /api/v1/audit/questions/{id}/proof                     audit.prove          own     id
GET    /api/v1/audit/holds                                    hold.list            metadata
POST   /api/v1/audit/holds                                    hold.set             own
POST   /api/v1/audit/holds/end                                hold.remove          own
GET    /api/v1/audit/views                                    run.list             metadata
GET    /api/v1/audit/runs                                     run.list             always
GET    /api/v1/audit/runs/{run_id}                            run.read             own        run_id
GET    /api/v1/audit/runs/{run_id}/history                    run.download         own        run_id
POST   /api/v1/audit/runs/{run_id}/replay                     run.replay           own        run_id
POST   /codec/decode                                          codec.decode         own
POST   /codec/session                                         codec.sign-in        always
DELETE /codec/session                                         codec.sign-out       always
"""

_DOCUMENTS: Final = """
GET    /api/v1/knowledge-bases                                knowledge_base.list  metadata
POST   /api/v1/knowledge-bases                                knowledge_base.create own
GET    /api/v1/knowledge-bases/{kb}                           knowledge_base.read  metadata
PATCH  /api/v1/knowledge-bases/{kb}                           knowledge_base.update own
DELETE /api/v1/knowledge-bases/{kb}                           knowledge_base.delete own
GET    /api/v1/knowledge-bases/{kb}/documents                 document.list        metadata
POST   /api/v1/knowledge-bases/{kb}/documents                 document.upload      own
GET    /api/v1/knowledge-bases/{kb}/documents/bulk            bulk_change.read     metadata
POST   /api/v1/knowledge-bases/{kb}/documents/bulk            documents.change     own
GET    /api/v1/bulk-changes/{bulk_id}                         bulk_change.read     metadata
POST   /api/v1/bulk-changes/{bulk_id}/cancel                  documents.cancel     own
GET    /api/v1/documents/{document_id}                        document.read        content
PATCH  /api/v1/documents/{document_id}                        document.tag         own
DELETE /api/v1/documents/{document_id}                        document.delete      own
GET    /api/v1/documents/{document_id}/status                 document.status      metadata
GET    /api/v1/documents/{document_id}/events                 document.status      metadata
WS     /api/v1/documents/{document_id}/ws                     document.status      metadata
GET    /api/v1/documents/{document_id}/chunks                 document.chunks      content
GET    /api/v1/documents/{document_id}/content                document.download    content
POST   /api/v1/documents/{document_id}/pause                  document.pause       control
POST   /api/v1/documents/{document_id}/resume                 document.resume      control
POST   /api/v1/documents/{document_id}/cancel                 document.cancel      control
POST   /api/v1/documents/{document_id}/retry                  document.retry       control
GET    /api/v1/knowledge-bases/{kb}/batches                   batch.read           metadata
POST   /api/v1/knowledge-bases/{kb}/batches                   batch.create         own
GET    /api/v1/batches/{batch_id}                             batch.read           metadata
GET    /api/v1/batches/{batch_id}/events                      batch.read           metadata
POST   /api/v1/batches/{batch_id}/pause                       batch.pause          control
POST   /api/v1/batches/{batch_id}/resume                      batch.resume         control
POST   /api/v1/batches/{batch_id}/cancel                      batch.cancel         control
POST   /api/v1/batches/{batch_id}/set-parallelism             batch.set-parallelism control
POST   /api/v1/batches/{batch_id}/retry-failed                batch.retry-failed   control
POST   /api/v1/batches/{batch_id}/close                       batch.close          own
GET    /api/v1/lookup                                         catalog.read         metadata
"""

_QUESTIONS: Final = """
POST   /api/v1/knowledge-bases/{kb}/search                    knowledge_base.search content
POST   /api/v1/dify/retrieval                                 knowledge_base.search content
POST   /api/v1/knowledge-bases/{kb}/questions                 question.ask         own
GET    /api/v1/questions/{id}                                 question.read        content
GET    /api/v1/questions/{id}/events                          question.read        content
POST   /api/v1/questions/{id}/cancel                          question.cancel      control
POST   /api/v1/questions/{id}/feedback                        question.feedback    own
GET    /api/v1/conversations                                  conversation.list    content
GET    /api/v1/conversations/{id}                             conversation.read    content
PATCH  /api/v1/conversations/{id}                             conversation.rename  own
DELETE /api/v1/conversations/{id}                             conversation.delete  own
GET    /api/v1/conversations/{id}/export                      conversation.export  always
POST   /v1/chat/completions                                   question.ask         own
POST   /v1/vector_stores/{kb}/search                          knowledge_base.search content
GET    /v1/models                                             model.list           metadata
GET    /v1/models/{model}                                     model.list           metadata
POST   /v1/embeddings                                         model.embed          metadata
"""

_JOBS: Final = """
GET    /api/v1/embedding-models                               model.list           metadata
GET    /api/v1/language-model                                 model.list           metadata
POST   /api/v1/knowledge-bases/{kb}/reindex                   reindex.start        own
POST   /api/v1/knowledge-bases/{kb}/reindex-plan              reindex.plan         metadata
GET    /api/v1/knowledge-bases/{kb}/reindexes                 reindex.list         metadata
GET    /api/v1/reindexes/{reindex_id}                         reindex.read         metadata
GET    /api/v1/reindexes/{reindex_id}/events                  reindex.read         metadata
POST   /api/v1/reindexes/{reindex_id}/pause                   reindex.pause        control
POST   /api/v1/reindexes/{reindex_id}/resume                  reindex.resume       control
POST   /api/v1/reindexes/{reindex_id}/cancel                  reindex.cancel       control
POST   /api/v1/reindexes/{reindex_id}/control                 reindex.control      control
POST   /api/v1/reindexes/{reindex_id}/approve                 reindex.approve      control
POST   /api/v1/reindexes/{reindex_id}/override                reindex.override     control
POST   /api/v1/reindexes/{reindex_id}/finish                  reindex.finish       control
POST   /api/v1/reindexes/{reindex_id}/rollback                reindex.rollback     control
GET    /api/v1/reindex-all                                    reindex_all.read     metadata
POST   /api/v1/reindex-all                                    reindex_all.start    own
GET    /api/v1/reindex-all/{many_id}                          reindex_all.read     metadata   many_id
GET    /api/v1/reindex-all/{many_id}/events                   reindex_all.read     metadata   many_id
POST   /api/v1/reindex-all/{many_id}/pause                    reindex_all.pause    control    many_id
POST   /api/v1/reindex-all/{many_id}/resume                   reindex_all.resume   control    many_id
POST   /api/v1/reindex-all/{many_id}/cancel                   reindex_all.cancel   control    many_id
GET    /api/v1/schedules                                      schedule.read        metadata
POST   /api/v1/schedules                                      schedule.create      own
GET    /api/v1/schedules/{schedule_name}                      schedule.read        metadata
PATCH  /api/v1/schedules/{schedule_name}                      schedule.change      own
DELETE /api/v1/schedules/{schedule_name}                      schedule.delete      own
POST   /api/v1/schedules/{schedule_name}/pause                schedule.pause       control
POST   /api/v1/schedules/{schedule_name}/resume               schedule.resume      control
POST   /api/v1/schedules/{schedule_name}/run                  schedule.run         control
POST   /api/v1/schedules/{schedule_name}/backfill             schedule.backfill    control
POST   /api/v1/schedules/{schedule_name}/confirm              schedule.confirm     control
POST   /api/v1/schedules/{schedule_name}/cancel               schedule.cancel      control
GET    /api/v1/schedules/reconcile                            schedule.read        metadata
PATCH  /api/v1/schedules/reconcile                            schedule.change      control
DELETE /api/v1/schedules/reconcile                            schedule.delete      control
POST   /api/v1/schedules/reconcile/pause                      schedule.pause       control
POST   /api/v1/schedules/reconcile/resume                     schedule.resume      control
POST   /api/v1/schedules/reconcile/run                        schedule.run         control
POST   /api/v1/knowledge-bases/{kb}/retention-preview         schedule.preview     metadata
GET    /api/v1/knowledge-bases/{kb}/sources                   source.read          metadata
POST   /api/v1/knowledge-bases/{kb}/sources                   source.create        own
GET    /api/v1/sources/{source_id}                            source.read          metadata
PATCH  /api/v1/sources/{source_id}                            source.change        own
DELETE /api/v1/sources/{source_id}                            source.delete        own
POST   /api/v1/sources/{source_id}/sync                       sync.start           own
GET    /api/v1/sources/{source_id}/syncs                      sync.read            metadata
GET    /api/v1/syncs/{sync_id}                                sync.read            metadata
GET    /api/v1/syncs/{sync_id}/events                         sync.read            metadata
POST   /api/v1/syncs/{sync_id}/pause                          sync.pause           control
POST   /api/v1/syncs/{sync_id}/resume                         sync.resume          control
POST   /api/v1/syncs/{sync_id}/cancel                         sync.cancel          control
POST   /api/v1/syncs/{sync_id}/confirm                        sync.confirm         control
"""

_PEOPLE: Final = """
POST   /api/v1/auth/logout                                    session.end          own
POST   /api/v1/auth/password                                  user.password        own
GET    /api/v1/users                                          user.list            metadata
POST   /api/v1/users                                          user.create          own
GET    /api/v1/users/{user}                                   user.read            metadata
PATCH  /api/v1/users/{user}                                   user.update          own
DELETE /api/v1/users/{user}                                   user.remove          own
POST   /api/v1/users/{user}/invitation                        user.invite          own
POST   /api/v1/users/{user}/sign-out                          user.sign-out        own
GET    /api/v1/groups                                         group.list           metadata
POST   /api/v1/groups                                         group.create         own
GET    /api/v1/groups/{group}                                 group.read           metadata
DELETE /api/v1/groups/{group}                                 group.remove         own
PUT    /api/v1/groups/{group}/members/{user}                  group.add-member     own
DELETE /api/v1/groups/{group}/members/{user}                  group.remove-member  own
GET    /api/v1/keys                                           key.list             metadata
POST   /api/v1/keys                                           key.create           own
DELETE /api/v1/keys/{key_id}                                  key.revoke           own
GET    /api/v1/knowledge-bases/{kb}/grants                    grant.list           metadata
PUT    /api/v1/knowledge-bases/{kb}/grants/user/{name}        grant.set            own
DELETE /api/v1/knowledge-bases/{kb}/grants/user/{name}        grant.remove         own
PUT    /api/v1/knowledge-bases/{kb}/grants/group/{name}       grant.set            own
DELETE /api/v1/knowledge-bases/{kb}/grants/group/{name}       grant.remove         own
"""

_PLATFORM: Final = """
GET    /api/v1/webhooks                                       webhook.read         metadata
POST   /api/v1/webhooks                                       webhook.create       own
GET    /api/v1/webhooks/{webhook_id}                          webhook.read         metadata
PATCH  /api/v1/webhooks/{webhook_id}                          webhook.update       own
DELETE /api/v1/webhooks/{webhook_id}                          webhook.delete       own
POST   /api/v1/webhooks/{webhook_id}/rotate-secret            webhook.rotate-secret own
POST   /api/v1/webhooks/{webhook_id}/test                     webhook.test         own
GET    /api/v1/webhooks/{webhook_id}/deliveries               delivery.list        metadata
POST   /api/v1/webhooks/deliveries/{delivery_id}/retry        webhook.retry        own
POST   /api/v1/reconcile                                      reconcile.start      always
GET    /api/v1/reconcile/{id}                                 reconcile.read       metadata   id
GET    /api/v1/operations                                     operations.read      metadata
GET    /api/v1/operations/events                              operations.read      metadata
GET    /api/v1/operations/jobs                                operations.read      metadata
POST   /api/v1/operations/failures/retry                      failures.retry       own
GET    /api/v1/me                                             access.refuse        never
POST   /mcp                                                   access.refuse        never
GET    /api/v1/formats                                        access.refuse        never
GET    /metrics                                               operations.read      never
"""

#: Calls of tools of the Model Context Protocol, all of which come by ``POST /mcp``.
TOOLS: Final[dict[str, Row]] = {
    "list_knowledge_bases": Row("knowledge_base.list", "metadata"),
    "search": Row("knowledge_base.search", "content"),
    "fetch": Row("document.chunks", "content"),
    "ask": Row("question.ask", "own"),
}


def _parsed(*tables: str) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for line in "".join(tables).split("\n"):
        if line:
            method, path, action, when, *at = line.split()
            rows[f"{method} {path}"] = Row(action, when, *at)  # type: ignore[arg-type]
    return rows


#: Every route that needs a key, as ``GET /path/{parameter}``; sockets are ``WS``.
ROUTES: Final = _parsed(_AUDIT, _DOCUMENTS, _QUESTIONS, _JOBS, _PEOPLE, _PLATFORM)
