"""Versions have remarks: what their file holds and could not be read"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; versions that were read before have no remarks."""
    op.add_column("versions", sa.Column("remarks", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("versions", "remarks")
