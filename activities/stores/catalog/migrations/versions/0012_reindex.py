"""Re-indexes, and the state and chunking of index generations"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

UNFINISHED = sa.text("finished_at IS NULL")


def upgrade() -> None:
    """Add them; every generation so far is the live one of its knowledge base."""
    with op.batch_alter_table("generations") as generations:
        generations.add_column(sa.Column("phase", sa.String(16), nullable=False, server_default="live"))
        generations.add_column(sa.Column("max_tokens", sa.BigInteger(), nullable=True))
        generations.add_column(sa.Column("overlap_tokens", sa.BigInteger(), nullable=True))
    op.add_column("indexed_versions", sa.Column("reading", sa.JSON(), nullable=True))
    op.create_table(
        "reindexes",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("knowledge_base_id", sa.String(32), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("previous", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("max_tokens", sa.BigInteger(), nullable=False),
        sa.Column("overlap_tokens", sa.BigInteger(), nullable=False),
        sa.Column("plan_only", sa.Boolean(), nullable=False),
        sa.Column("approve", sa.Boolean(), nullable=False),
        sa.Column("approved_by", sa.String(200), nullable=True),
        sa.Column("canceled_by", sa.String(200), nullable=True),
        sa.Column("parallelism", sa.BigInteger(), nullable=False),
        sa.Column("throttle", sa.Double(), nullable=False),
        sa.Column("window", sa.String(80), nullable=False),
        sa.Column("soak_seconds", sa.Double(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("plan", sa.JSON(), nullable=True),
        sa.Column("verified", sa.JSON(), nullable=True),
        sa.Column("reason", sa.JSON(), nullable=True),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("built_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("switched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rolled_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["knowledge_base_id"],
            ["knowledge_bases.id"],
            name=op.f("fk_reindexes_knowledge_base_id_knowledge_bases"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reindexes")),
    )
    op.create_index("ix_reindexes_knowledge_base_id_id", "reindexes", ["knowledge_base_id", "id"])
    op.create_index(
        "uq_reindexes_unfinished",
        "reindexes",
        ["knowledge_base_id"],
        unique=True,
        sqlite_where=UNFINISHED,
        postgresql_where=UNFINISHED,
    )


def downgrade() -> None:
    """Drop them; what was built and not switched to becomes unknown to the catalogue, and is purged by Reconcile."""
    op.drop_table("reindexes")
    op.execute(
        "DELETE FROM indexed_versions WHERE generation <> (SELECT knowledge_bases.generation FROM knowledge_bases"
        " JOIN documents ON documents.knowledge_base_id = knowledge_bases.id"
        " WHERE documents.id = indexed_versions.document_id)"
    )
    op.execute(
        "DELETE FROM generations WHERE generation <> (SELECT knowledge_bases.generation FROM knowledge_bases"
        " WHERE knowledge_bases.id = generations.knowledge_base_id)"
    )
    op.drop_column("indexed_versions", "reading")
    with op.batch_alter_table("generations") as generations:
        generations.drop_column("overlap_tokens")
        generations.drop_column("max_tokens")
        generations.drop_column("phase")
