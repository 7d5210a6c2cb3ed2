"""Documents are listed by name, change and size, found by parts of their names, and changed in bulk"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

from activities.contracts.names import search_key

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

KEY = sa.String(400).with_variant(sa.String(400, collation="C"), "postgresql")

#: Table, columns and condition of each index, by name.
INDEXES = {
    "ix_documents_name_key": ("documents", ["knowledge_base_id", "name_key", "id"], "deleted_at IS NULL"),
    "ix_versions_updated_at": ("versions", ["knowledge_base_id", "updated_at", "document_id"], "replaced_at IS NULL"),
    "ix_versions_bytes": ("versions", ["knowledge_base_id", "bytes", "document_id"], "replaced_at IS NULL"),
    "ix_bulk_changes_knowledge_base_id_id": ("bulk_changes", ["knowledge_base_id", "id"], None),
    "ix_bulk_changes_unfinished": ("bulk_changes", ["id"], "finished_at IS NULL"),
}

#: Documents whose keys are written by one statement.
PAGE = 5000


def upgrade() -> None:
    op.add_column("documents", sa.Column("name_key", KEY, nullable=False, server_default=""))
    _fill()
    op.create_table(
        "bulk_changes",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("knowledge_base_id", sa.String(32), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("tag", sa.String(64), nullable=True),
        sa.Column("ids", sa.JSON(), nullable=True),
        sa.Column("filter", sa.JSON(), nullable=True),
        sa.Column("until", sa.String(32), nullable=False),
        sa.Column("after", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("unchanged", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.JSON(), nullable=True),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["knowledge_base_id"],
            ["knowledge_bases.id"],
            name=op.f("fk_bulk_changes_knowledge_base_id_knowledge_bases"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_changes")),
    )
    for name, (table, columns, where) in INDEXES.items():
        condition = sa.text(where) if where else None
        op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    for name, (table, _, _) in INDEXES.items():
        op.drop_index(name, table_name=table)
    op.drop_table("bulk_changes")
    op.drop_column("documents", "name_key")


def _fill() -> None:
    """Write the keys of the documents that are there; a printed script has PostgreSQL make them."""
    if context.is_offline_mode():
        op.execute("UPDATE documents SET name_key = left(lower(normalize(name, NFKC)), 400)")
        return
    documents = sa.table("documents", sa.column("id"), sa.column("name"), sa.column("name_key"))
    connection, after = op.get_bind(), ""
    change = documents.update().where(documents.c.id == sa.bindparam("of")).values(name_key=sa.bindparam("key"))
    while True:
        query = sa.select(documents.c.id, documents.c.name).where(documents.c.id > after)
        page = list(connection.execute(query.order_by(documents.c.id).limit(PAGE)))
        if not page:
            return
        connection.execute(change, [{"of": id, "key": search_key(name)} for id, name in page])
        after = page[-1][0]
