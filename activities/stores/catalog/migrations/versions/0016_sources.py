"""Sources that knowledge bases follow, and their syncs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

UNFINISHED = sa.text("finished_at IS NULL AND NOT preview")
OF_SOURCE = sa.text("source_id IS NOT NULL")


def upgrade() -> None:
    """Add them; every document so far was uploaded by a person."""
    op.add_column("documents", sa.Column("source_id", sa.String(32), nullable=True))
    op.add_column("documents", sa.Column("source_stamp", sa.String(200), nullable=True))
    op.create_index(
        "ix_documents_source", "documents", ["source_id", "id"], sqlite_where=OF_SOURCE, postgresql_where=OF_SOURCE
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("knowledge_base_id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("location", sa.String(1000), nullable=False),
        sa.Column("include", sa.JSON(), nullable=False),
        sa.Column("exclude", sa.JSON(), nullable=False),
        sa.Column("max_delete_share", sa.Double(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["knowledge_base_id"], ["knowledge_bases.id"], name=op.f("fk_sources_knowledge_base_id_knowledge_bases")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
    )
    op.create_index("uq_sources_name", "sources", ["knowledge_base_id", "name"], unique=True)
    op.create_table(
        "syncs",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("source_id", sa.String(32), nullable=False),
        sa.Column("knowledge_base_id", sa.String(32), nullable=False),
        sa.Column("occurrence", sa.String(200), nullable=False),
        sa.Column("preview", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("waiting_for", sa.String(32), nullable=True),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.Column("applied", sa.JSON(), nullable=True),
        sa.Column("batch_id", sa.String(32), nullable=True),
        sa.Column("reason", sa.JSON(), nullable=True),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("confirmed_by", sa.String(200), nullable=True),
        sa.Column("canceled_by", sa.String(200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_syncs_source_id_sources"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_syncs")),
    )
    op.create_index("uq_syncs_occurrence", "syncs", ["source_id", "occurrence"], unique=True)
    op.create_index("ix_syncs_source_id_id", "syncs", ["source_id", "id"])
    op.create_index(
        "uq_syncs_unfinished",
        "syncs",
        ["source_id"],
        unique=True,
        sqlite_where=UNFINISHED,
        postgresql_where=UNFINISHED,
    )


def downgrade() -> None:
    """Drop them; the documents of sources stay."""
    op.drop_table("syncs")
    op.drop_table("sources")
    op.drop_index("ix_documents_source", "documents")
    op.drop_column("documents", "source_stamp")
    op.drop_column("documents", "source_id")
