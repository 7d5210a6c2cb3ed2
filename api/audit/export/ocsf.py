"""Audit events in the form of the Open Cybersecurity Schema Framework, which security tools read without a parser.

Sign-ins are Authentication (3002), changes of users and keys Account Change (3001), changes of groups Group Management
(3006), all else API Activity (6003). The names of attributes and numbers are those of https://schema.ocsf.io/1.3.0.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from activities.stores.catalog.records import AuditEvent
from activities.stores.catalog.tables import SYSTEM

SCHEMA: Final = "1.3.0"
VENDOR: Final = "Holdfast"

ACCOUNT_CHANGE: Final = 3001
AUTHENTICATION: Final = 3002
GROUP_MANAGEMENT: Final = 3006
API_ACTIVITY: Final = 6003

#: The activity for which a class has no number of its own.
OTHER: Final = 99

#: Actions of the other classes -> class and activity.
_ACTIVITIES: Final[dict[str, tuple[int, int]]] = {
    "access.refuse": (AUTHENTICATION, 1),
    "codec.sign-in": (AUTHENTICATION, 1),
    "codec.sign-out": (AUTHENTICATION, 2),
    "key.refused": (AUTHENTICATION, 1),
    "session.create": (AUTHENTICATION, 1),
    "session.end": (AUTHENTICATION, 2),
    "session.refused": (AUTHENTICATION, 1),
    "session.refresh-reused": (AUTHENTICATION, 3),
    "session.address-locked": (AUTHENTICATION, OTHER),
    "user.sign-out": (AUTHENTICATION, 2),
    "user.create": (ACCOUNT_CHANGE, 1),
    "user.password": (ACCOUNT_CHANGE, 3),
    "user.accept-invitation": (ACCOUNT_CHANGE, 3),
    "user.invite": (ACCOUNT_CHANGE, 4),
    "user.remove": (ACCOUNT_CHANGE, 6),
    "user.lock": (ACCOUNT_CHANGE, 9),
    "user.link": (ACCOUNT_CHANGE, OTHER),
    "user.update": (ACCOUNT_CHANGE, OTHER),
    "key.create": (ACCOUNT_CHANGE, 1),
    "key.revoke": (ACCOUNT_CHANGE, 6),
    "group.create": (GROUP_MANAGEMENT, 6),
    "group.remove": (GROUP_MANAGEMENT, 5),
    "group.add-member": (GROUP_MANAGEMENT, 3),
    "group.remove-member": (GROUP_MANAGEMENT, 4),
}

#: Sign-ins that are failures though the event itself was recorded as asked.
_REFUSALS: Final = frozenset(
    {"access.refuse", "key.refused", "session.refused", "session.refresh-reused", "session.address-locked"}
)

_CREATE: Final = frozenset({"add", "ask", "backfill", "create", "embed", "plan", "set", "start", "test", "upload"})
_READ: Final = frozenset(
    {
        *("answers", "checkpoint", "chunks", "decode", "download", "export", "export-log", "list", "preview", "prove"),
        *("read", "replay", "search", "status"),
    }
)
_UPDATE: Final = frozenset(
    {
        *("approve", "archive", "change", "close", "confirm", "continue", "control", "disable", "feedback"),
        *(
            "override",
            "pause",
            "publish",
            "rename",
            "resume",
            "rotate-secret",
            "set-parallelism",
            "switch",
            "tag",
            "undo",
            "untag",
        ),
        "update",
    }
)
_DELETE: Final = frozenset({"delete", "expire", "remove"})

#: What done, refused and failed events are: informational, medium, low.
_SEVERITY: Final = {"done": 1, "refused": 3, "failed": 2}


def ocsf_event(event: AuditEvent) -> dict[str, Any]:
    """One event; what OCSF has no attribute for is in ``unmapped``."""
    kind, activity = _ACTIVITIES.get(event.action) or (API_ACTIVITY, _of_api(event.action))
    succeeded = event.outcome == "done" and event.action not in _REFUSALS
    body: dict[str, Any] = {
        "class_uid": kind,
        "category_uid": kind // 1000,
        "activity_id": activity,
        "type_uid": kind * 100 + activity,
        "severity_id": _SEVERITY["refused" if event.action in _REFUSALS else event.outcome],
        "status_id": 1 if succeeded else 2,
        "time": int(event.at.timestamp() * 1000),
        "metadata": {
            "version": SCHEMA,
            "uid": event.id,
            "event_code": event.action,
            "product": {"name": "Holdfast", "vendor_name": VENDOR, "version": version("holdfast")},
        },
        "actor": {"user": _person(event.actor)},
        "src_endpoint": {"ip": event.address} if event.address else {"svc_name": "holdfast"},
    }
    if event.code:
        body["status_code"] = event.code
    if event.request_id:
        body["http_request"] = {"uid": event.request_id}
    if isinstance(repeated := event.detail.get("repeated"), int):
        body["count"] = repeated
    return body | _of_class(kind, event) | {"unmapped": _unmapped(event)}


def _of_api(action: str) -> int:
    verb = action.split(".", maxsplit=1)[1]
    for number, verbs in enumerate((_CREATE, _READ, _UPDATE, _DELETE), start=1):
        if verb in verbs:
            return number
    return OTHER


def _of_class(kind: int, event: AuditEvent) -> dict[str, Any]:
    """The attributes that only this class has."""
    match kind:
        case 6003:
            resource = {"uid": event.object_id, "name": event.object_name, "type": event.object_type}
            known = {name: value for name, value in resource.items() if value}
            named = {"resources": [known]} if event.object_id or event.object_name else {}
            return {"api": {"operation": event.action}, **named}
        case 3002:
            return {"user": _subject(event), "service": {"name": "Holdfast"}}
        case 3001:
            return {"user": _subject(event)}
        case _:
            member = event.detail.get("user")
            group = _named(event.object_name, event.object_id)
            return {"group": group, **({"user": {"name": member}} if isinstance(member, str) and member else {})}


def _subject(event: AuditEvent) -> dict[str, Any]:
    """Whose account or sign-in it is about: the object if that is a user, or the owner of the key."""
    if event.object_type == "user" and (event.object_id or event.object_name):
        return _named(event.object_name, event.object_id)
    for name in ("subject", "owner", "name"):
        if isinstance(value := event.detail.get(name), str) and value:
            return {"name": value}
    return _person(event.actor)


def _named(name: str | None, uid: str | None) -> dict[str, Any]:
    found = {"name": name, "uid": uid}
    return {key: value for key, value in found.items() if value} or {"name": "unknown"}


def _person(actor: str) -> dict[str, Any]:
    return {"name": actor, "type_id": 3 if actor == SYSTEM else 1}


def _unmapped(event: AuditEvent) -> dict[str, Any]:
    names = (
        *("outcome", "knowledge_base", "object_type", "object_id", "object_name", "version", "key_id"),
        *("workflow_id", "run_id", "detail"),
    )
    return {name: value for name in names if (value := getattr(event, name)) not in (None, {})}
