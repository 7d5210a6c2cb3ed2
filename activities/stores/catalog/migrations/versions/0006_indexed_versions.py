"""Chunks and vectors of a version for each index generation, instead of for a single one"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

#: All existing data belongs to the live generation.
INDEXED = """
INSERT INTO indexed_versions (document_id, version, generation, chunks_key, vectors_key, rows, created_at)
SELECT versions.document_id, versions.version, knowledge_bases.generation, versions.chunks_key,
       coalesce(versions.vectors_key, ''), versions.chunks, coalesce(versions.published_at, versions.updated_at)
FROM versions
JOIN documents ON documents.id = versions.document_id
JOIN knowledge_bases ON knowledge_bases.id = documents.knowledge_base_id
WHERE versions.chunks_key IS NOT NULL
"""

#: Copies one column of the live generation's rows back to ``versions`` (downgrade).
BACK = """
UPDATE versions SET {column} = (
    SELECT indexed_versions.{column} FROM indexed_versions
    JOIN documents ON documents.id = indexed_versions.document_id
    JOIN knowledge_bases ON knowledge_bases.id = documents.knowledge_base_id
    WHERE indexed_versions.document_id = versions.document_id AND indexed_versions.version = versions.version
      AND indexed_versions.generation = knowledge_bases.generation
)
"""


def upgrade() -> None:
    op.create_table(
        "indexed_versions",
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("chunks_key", sa.String(length=300), nullable=False),
        sa.Column("vectors_key", sa.String(length=300), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id", "version"],
            ["versions.document_id", "versions.version"],
            name=op.f("fk_indexed_versions_document_id_version"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("document_id", "version", "generation", name=op.f("pk_indexed_versions")),
    )
    op.execute(INDEXED)
    with op.batch_alter_table("versions", schema=None) as batch_op:
        batch_op.drop_column("chunks_key")
        batch_op.drop_column("vectors_key")


def downgrade() -> None:
    with op.batch_alter_table("versions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("chunks_key", sa.String(length=300), nullable=True))
        batch_op.add_column(sa.Column("vectors_key", sa.String(length=300), nullable=True))
    for column in ("chunks_key", "vectors_key"):
        op.execute(BACK.format(column=column))
    op.drop_table("indexed_versions")
