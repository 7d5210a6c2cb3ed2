"""The audit trail: one row for each deed, in the deed's own transaction."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from activities.stores.catalog.tables import AuditRow


def audit(
    session: AsyncSession,
    actor: str,
    action: str,
    knowledge_base_id: str | None,
    object_id: str | None,
    **detail: object,
) -> None:
    """Note that ``actor`` did ``action``; committed, or not, together with what was done."""
    session.add(
        AuditRow(
            actor=actor,
            action=action,
            knowledge_base_id=knowledge_base_id,
            object_id=object_id,
            detail=dict(detail) or None,
        )
    )
