"""The quality gates of re-indexes, and re-indexes of many knowledge bases"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

COLUMNS = ("questions", "questions_key", "gate", "gate_seconds", "overridden_by", "override_reason")


def upgrade() -> None:
    """Add them; re-indexes so far have none."""
    with op.batch_alter_table("reindexes") as reindexes:
        reindexes.add_column(sa.Column("questions", sa.String(16), nullable=False, server_default=""))
        reindexes.add_column(sa.Column("questions_key", sa.String(200), nullable=True))
        reindexes.add_column(sa.Column("gate", sa.JSON(), nullable=True))
        reindexes.add_column(sa.Column("gate_seconds", sa.Double(), nullable=False, server_default="604800"))
        reindexes.add_column(sa.Column("overridden_by", sa.String(200), nullable=True))
        reindexes.add_column(sa.Column("override_reason", sa.String(500), nullable=True))
    op.create_table(
        "reindex_alls",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("wanted", sa.String(16), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("canceled_by", sa.String(200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reindex_alls")),
    )
    op.create_table(
        "reindex_all_items",
        sa.Column("reindex_all_id", sa.String(32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("knowledge_base_id", sa.String(32), nullable=False),
        sa.Column("knowledge_base", sa.String(63), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.JSON(), nullable=True),
        sa.Column("reindex_id", sa.String(32), nullable=True),
        sa.ForeignKeyConstraint(
            ["reindex_all_id"],
            ["reindex_alls.id"],
            name=op.f("fk_reindex_all_items_reindex_all_id_reindex_alls"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["knowledge_base_id"],
            ["knowledge_bases.id"],
            name=op.f("fk_reindex_all_items_knowledge_base_id_knowledge_bases"),
        ),
        sa.PrimaryKeyConstraint("reindex_all_id", "position", name=op.f("pk_reindex_all_items")),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("reindex_all_items")
    op.drop_table("reindex_alls")
    with op.batch_alter_table("reindexes") as reindexes:
        for name in reversed(COLUMNS):
            reindexes.drop_column(name)
