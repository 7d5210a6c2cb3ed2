"""Keys of users, over the API, for `holdfast key`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar

from api.cli.names import CANDIDATES, ID
from api.cli.output import Output, runs_with_api
from api.cli.texts.messages import say
from api.client.problems import Problem

if TYPE_CHECKING:
    from api.client.client import Api
    from api.identity.schemas import KeyInfo


class Key(Protocol):
    """What tells keys apart."""

    @property
    def id(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def revoked_at(self) -> datetime | None: ...


K = TypeVar("K", bound=Key)


def create(out: Output, role: str, kbs: Sequence[str], days: int | None, name: str | None) -> None:
    """POST /keys: of the user that is signed in."""

    async def make(api: Api) -> None:
        end = (datetime.now(UTC) + timedelta(days=days)).isoformat() if days else None
        made = await api.keys.create(role=role, name=name, knowledge_bases=list(kbs) or None, expires_at=end)
        out.document(made.json)
        out.text(made.value.key)

    runs_with_api(out, make)


def show(out: Output) -> None:
    """GET /keys."""

    async def ask(api: Api) -> None:
        found = await api.keys.all()
        out.document({"items": [key.json for key in found]})
        rows = [] if out.json else [_row(key.value) for key in found]
        out.table_or_nothing(("id", "subject", "name", "role", "created", "expires", "revoked"), rows)

    runs_with_api(out, ask)


def revoke(out: Output, text: str, yes: bool) -> None:
    """DELETE /keys/{id}."""

    async def end(api: Api) -> None:
        key = chosen(out, [each.value for each in await api.keys.all()], text)
        out.confirm(say("key.sure", id=key.id, subject=key.subject, role=key.role), yes)
        await api.keys.revoke(key.id)
        out.document({"id": key.id, "subject": key.subject, "revoked": True})
        out.text(say("key.revoked", id=key.id, subject=key.subject))

    runs_with_api(out, end)


def chosen(out: Output, known: Sequence[K], text: str) -> K:
    """The key with this id or beginning of one, or the only valid one of this subject. Raises Problem."""
    found = (
        [key for key in known if key.id == text]
        or [key for key in known if key.subject == text and key.revoked_at is None]
        or [key for key in known if ID.fullmatch(text) and key.id.startswith(text)]
    )
    if not found:
        raise Problem("no-key", id=text)
    if len(found) > 1:
        lines = [f"  {key.id}  {key.subject}  {key.role}" for key in found[:CANDIDATES]]
        lines += ["  …"] if len(found) > CANDIDATES else []
        out.fail("ambiguous", "\n".join([say("ambiguous", text=text), *lines]), 2)
    return found[0]


def _row(key: KeyInfo) -> tuple[object, ...]:
    times = (_time(at) for at in (key.created_at, key.expires_at, key.revoked_at))
    return (key.id, key.subject, key.name, key.role, *times)


def _time(at: datetime | None) -> str:
    return at.isoformat(" ", "seconds").removesuffix("+00:00") if at else ""
