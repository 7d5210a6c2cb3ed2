"""Versions know their knowledge base and when they were replaced, and indexes hold only what is still to be done"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

FILLED = """
UPDATE versions SET
    knowledge_base_id = (
        SELECT documents.knowledge_base_id FROM documents WHERE documents.id = versions.document_id
    ),
    replaced_at = (
        SELECT min(newer.created_at) FROM versions AS newer
        WHERE newer.document_id = versions.document_id AND newer.version > versions.version
    )
"""

#: Table, columns and condition of each new index, by name.
INDEXES = {
    "ix_documents_knowledge_base_id_id": ("documents", ["knowledge_base_id", "id"], None),
    "ix_documents_live": ("documents", ["knowledge_base_id", "id"], "live_version IS NOT NULL"),
    "ix_documents_deleted": ("documents", ["knowledge_base_id", "id"], "deleted_at IS NOT NULL"),
    "ix_versions_knowledge_base_id_published_at": ("versions", ["knowledge_base_id", "published_at"], None),
    "ix_versions_pending": (
        "versions",
        ["knowledge_base_id", "actor", "state", "eta_seconds"],
        "state IN ('queued', 'running', 'waiting', 'paused')",
    ),
    "ix_versions_latest": (
        "versions",
        ["knowledge_base_id", "state", "document_id", "replaced_at"],
        "replaced_at IS NULL",
    ),
    "ix_versions_outbox": (
        "versions",
        ["created_at"],
        "state = 'queued' AND dispatched_at IS NULL AND (batch_id IS NULL OR batch_page = 'alone')",
    ),
    "ix_versions_batch_queue": (
        "versions",
        ["batch_id", "created_at", "document_id"],
        "state = 'queued' AND batch_page IS NULL",
    ),
    "ix_versions_batch_page": (
        "versions",
        ["batch_id", "batch_page"],
        "state = 'queued' AND batch_page IS NOT NULL",
    ),
    "ix_versions_batch_ended": (
        "versions",
        ["batch_id", "updated_at"],
        "state IN ('canceled', 'failed', 'ready')",
    ),
}

#: The same of the indexes that they take the place of.
FORMER = {
    "ix_documents_knowledge_base_id": ("documents", ["knowledge_base_id"], None),
    "ix_versions_state": ("versions", ["state"], None),
    "ix_versions_published_at": ("versions", ["published_at"], None),
    "ix_versions_undispatched": ("versions", ["created_at"], "dispatched_at IS NULL"),
}


def upgrade() -> None:
    op.add_column("versions", sa.Column("knowledge_base_id", sa.String(length=32), nullable=True))
    op.add_column("versions", sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(FILLED)
    _drop(FORMER)
    with op.batch_alter_table("versions", schema=None) as batch_op:
        batch_op.alter_column("knowledge_base_id", existing_type=sa.String(length=32), nullable=False)
    _create(INDEXES)


def downgrade() -> None:
    _drop(INDEXES)
    with op.batch_alter_table("versions", schema=None) as batch_op:
        batch_op.drop_column("replaced_at")
        batch_op.drop_column("knowledge_base_id")
    _create(FORMER)


def _create(indexes: dict[str, tuple[str, list[str], str | None]]) -> None:
    for name, (table, columns, where) in indexes.items():
        condition = sa.text(where) if where else None
        op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def _drop(indexes: dict[str, tuple[str, list[str], str | None]]) -> None:
    for name, (table, _, _) in indexes.items():
        op.drop_index(name, table_name=table)
