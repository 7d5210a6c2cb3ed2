"""Batches, the outbox of runs to be started, progress of runs, idempotency keys"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("knowledge_base_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("parallelism", sa.BigInteger(), nullable=False),
        sa.Column("archive_sha256", sa.String(length=64), nullable=True),
        sa.Column("skipped", sa.JSON(), nullable=True),
        sa.Column("reason", sa.JSON(), nullable=True),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["knowledge_base_id"], ["knowledge_bases.id"], name=op.f("fk_batches_knowledge_base_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_batches_knowledge_base_id"), ["knowledge_base_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_batches_state"), ["state"], unique=False)

    op.create_table(
        "idempotency_keys",
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("actor", "key", name=op.f("pk_idempotency_keys")),
    )
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_keys_created_at"), ["created_at"], unique=False)

    with op.batch_alter_table("versions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("stage", sa.String(length=16), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("done", sa.BigInteger(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("total", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("attempt", sa.BigInteger(), nullable=False, server_default="1"))
        batch_op.add_column(sa.Column("waiting_for", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("eta_seconds", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("batch_id", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("batch_page", sa.String(length=80), nullable=True))
        batch_op.add_column(sa.Column("retry_from", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("supersedes", sa.BigInteger(), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_versions_batch_id"), "batches", ["batch_id"], ["id"])
        batch_op.create_index("ix_versions_batch_id_state", ["batch_id", "state"], unique=False)
    op.execute("UPDATE versions SET dispatched_at = created_at")
    op.create_index(
        "ix_versions_undispatched",
        "versions",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("dispatched_at IS NULL"),
        postgresql_where=sa.text("dispatched_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_versions_undispatched", table_name="versions")
    with op.batch_alter_table("versions", schema=None) as batch_op:
        batch_op.drop_index("ix_versions_batch_id_state")
        batch_op.drop_constraint(batch_op.f("fk_versions_batch_id"), type_="foreignkey")
        for column in (
            "supersedes",
            "retry_from",
            "batch_page",
            "batch_id",
            "dispatched_at",
            "eta_seconds",
            "next_attempt_at",
            "waiting_for",
            "attempt",
            "total",
            "done",
            "stage",
        ):
            batch_op.drop_column(column)
    op.drop_table("idempotency_keys")
    op.drop_table("batches")
