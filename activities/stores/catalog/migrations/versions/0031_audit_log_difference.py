"""What Reconcile found when it compared the audit events with the tree of their log"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; the next look says what it has."""
    op.add_column("audit_log", sa.Column("difference", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("audit_log", "difference")
