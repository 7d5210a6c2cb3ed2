"""The actions of the audit trail, each with the kind of object that its events name by ``object_id``.

The texts that readers see stand in ``api/web/texts/audit.js``; an action without a row here fails a test.
"""

from __future__ import annotations

from typing import Final

#: First part of an action -> the kind of its object, and the second parts.
_KINDS: Final[dict[str, tuple[str | None, str]]] = {
    "access": (None, "refuse"),
    "audit": (None, "answers checkpoint continue differ expire export export-log list prove read"),
    "backup": (None, "create restore"),
    "batch": ("batch", "cancel close create pause read resume retry-failed set-parallelism"),
    "bulk_change": ("bulk_change", "read"),
    "catalog": (None, "read"),
    "codec": (None, "decode sign-in sign-out"),
    "conversation": ("conversation", "delete export list read rename"),
    "delivery": ("webhook", "list"),
    "document": (
        "document",
        "cancel chunks delete download expire fail list pause publish read resume retry status tag upload",
    ),
    "documents": ("bulk_change", "cancel change delete retry tag untag"),
    "failures": (None, "retry"),
    "grant": ("subject", "list remove set"),
    "group": ("group", "add-member create list read remove remove-member"),
    "hold": ("knowledge_base", "list remove set"),
    "key": ("key", "create list refused revoke"),
    "knowledge_base": ("knowledge_base", "create delete list read search update"),
    "model": (None, "embed list"),
    "operations": (None, "read"),
    "question": ("question", "ask cancel feedback read"),
    "reconcile": ("reconcile", "finish read start"),
    "reindex": (
        "reindex",
        "approve cancel control fail finish finish-soak list override pause plan read resume rollback start switch",
    ),
    "reindex_all": ("reindex_all", "cancel finish pause read resume start"),
    "run": (
        "run",
        "archive canceled_outside changed_outside download expire list read replay reset_outside signalled_outside "
        "started_outside terminated_outside updated_outside",
    ),
    "schedule": ("schedule", "backfill cancel change confirm create delete pause preview ran read resume run undo"),
    "session": ("session", "address-locked create end refresh-reused refused"),
    "source": ("source", "change create delete read"),
    "sync": ("sync", "cancel confirm finish pause read resume start"),
    "user": (
        "user",
        "accept-invitation create invite link list lock password read remove sign-out update",
    ),
    "webhook": ("webhook", "create delete disable read retry rotate-secret test update"),
}

#: Actions on another kind of object than the others of their first part.
_OTHER: Final = {"audit.answers": "document", "audit.prove": "question", "audit.read": "question"}

#: Every action -> the kind of its object.
ACTIONS: Final[dict[str, str | None]] = {
    f"{first}.{second}": _OTHER.get(f"{first}.{second}", kind)
    for first, (kind, seconds) in _KINDS.items()
    for second in seconds.split()
}


def object_type_of(action: str) -> str | None:
    """The kind of object that events of an action name."""
    return _OTHER.get(action) or _KINDS.get(action.split(".", maxsplit=1)[0], (None, ""))[0]


def is_known(action: str) -> bool:
    """Whether it is an action, or the first part of one."""
    return action in ACTIONS or action in _KINDS
