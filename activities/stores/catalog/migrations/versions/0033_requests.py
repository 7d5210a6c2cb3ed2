"""The request that asked for a version or a batch, which its run names in logs and traces"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

TABLES = ("versions", "batches")


def upgrade() -> None:
    """Add the columns; nothing is known of what was accepted before."""
    for table in TABLES:
        op.add_column(table, sa.Column("request", sa.String(100), nullable=True))


def downgrade() -> None:
    """Drop them."""
    for table in TABLES:
        op.drop_column(table, "request")
