"""Access control: every route declares what it needs, one guard checks it, handlers receive the authorised records.

::

    @patch(access=needs("contributor", "document"), summary="Change its tags")
    async def change(self, document: Document, …) -> DocumentInfo: …

``needs`` names the lowest sufficient role and the resource that the path addresses. ``authorize``, the guard of the
whole application, loads that resource before the body of the request is read, finds the caller's role in its knowledge
base, and provides the records as the parameters ``knowledge_base``, ``document``, ``bulk_change``, ``batch``,
``question`` and ``conversation``. A handler never checks an id itself. A route without a declaration is refused to all
callers; routes that need no key declare ``PUBLIC``. A knowledge base named in the body (chat completions) is loaded by
``Access.named``.

Roles in a knowledge base, each including those before it:

* ``reader`` reads, searches and asks; has conversations of its own and gives feedback on its answers.
* ``contributor`` uploads, tags documents, opens and closes batches, and controls the jobs of both.
* ``manager`` creates, changes and deletes knowledge bases, and deletes documents.

Roles in the platform, which read every knowledge base:

* ``operator`` runs the platform: reconciles the stores, reads the metrics, and controls jobs (pause, resume, cancel,
  retry, parallelism), including those of other users' uploads. It says which folders and buckets a knowledge base
  follows. It uploads and deletes nothing else and reads no questions.
* ``auditor`` reads the audit trail and the record of every question.
* ``admin`` has all permissions of every role.

Questions and conversations belong to their asker: all other callers, administrators included, get 404. A caller
without a role in a knowledge base gets 404 for it and its contents; a caller whose role is too low gets 403.

A user has the roles in knowledge bases that it and its groups are granted; its keys have at most those. A key without
an owner has its role in every knowledge base. ``Access.role_in`` says which role a caller has in one. ``own_role``
applies outside of a knowledge base, such as to creating one: who manages any may create others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, get_args

import msgspec
import structlog
from async_lru import alru_cache
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import Scope

from activities.errors import Forbidden, NotFound, PasswordChangeNeeded, Unauthenticated
from activities.stores.catalog.bulk_changes import BulkChange
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import (
    Batch,
    Conversation,
    Document,
    KnowledgeBase,
    Principal,
    Question,
    Record,
    Reindex,
)
from activities.stores.catalog.roles import (
    LADDER,
    LOWEST,
    SYSTEM_ROLES,
    KnowledgeBaseRole,
    Role,
    SystemRole,
    higher,
    includes,
)
from activities.stores.catalog.schedule_records import Schedule
from activities.stores.catalog.source_records import Source, Sync
from activities.stores.catalog.webhooks.records import Delivery, Endpoint
from activities.telemetry import names, tracing

#: Kinds of resources inside a knowledge base.
Inner = Literal[
    "document",
    "bulk_change",
    "batch",
    "reindex",
    "schedule",
    "source",
    "sync",
    "question",
    "conversation",
    "webhook",
    "delivery",
]
Resource = Literal["knowledge_base", Inner]
InnerRecord = (
    Document | BulkChange | Batch | Reindex | Schedule | Source | Sync | Question | Conversation | Endpoint | Delivery
)

RESOURCES: tuple[Resource, ...] = get_args(Resource)

#: The path parameter that addresses a resource, unless a declaration names another.
PARAMETERS: dict[Resource, str] = {
    "knowledge_base": "kb",
    "document": "document_id",
    "bulk_change": "bulk_id",
    "batch": "batch_id",
    "reindex": "reindex_id",
    "schedule": "schedule_name",
    "source": "source_id",
    "sync": "sync_id",
    "question": "id",
    "conversation": "id",
    "webhook": "webhook_id",
    "delivery": "delivery_id",
}

#: The handler's option that holds its declaration: ``@get(access=…)``.
OPTION = "access"

#: The declaration of a route that needs no key, because it shows no stored data.
PUBLIC: Final = "public"

#: The option of a route that the holder of the token for metrics may call too: ``opt={SCRAPED: True}``.
SCRAPED = "scraped"

#: Seconds for which the knowledge base of a resource is cached; its id and name never change.
KNOWN_SECONDS = 1.0

#: The state of a request that has the records that the guard loaded, and whether it refused what it has not loaded.
GRANTED = "granted"
REFUSED = "refused"

log = structlog.get_logger()


class Needs(msgspec.Struct, frozen=True):
    """What a route requires: ``role`` or one of ``also``, in the knowledge base of ``resource`` if there is one.

    ``parameter`` is the path parameter with the resource's id. ``recent`` accepts a record cached for up to
    ``KNOWN_SECONDS``. ``restricted`` admits a user who must set a password of its own first.
    """

    role: Role
    resource: Resource | None
    parameter: str
    also: tuple[SystemRole, ...]
    recent: bool
    restricted: bool = False


def needs(
    role: Role,
    resource: Resource | None = None,
    *,
    at: str | None = None,
    also: tuple[SystemRole, ...] = (),
    recent: bool = False,
    restricted: bool = False,
) -> Needs:
    """The declaration of a route, see ``Needs``; ``at`` is its ``parameter``."""
    return Needs(role, resource, at or (PARAMETERS[resource] if resource else ""), also, recent, restricted)


def has(principal: Principal, role: SystemRole) -> bool:
    """Whether the caller has a platform role; ``admin`` has all of them."""
    return bool({role, "admin"} & set(principal.platform))


def own_role(principal: Principal) -> KnowledgeBaseRole:
    """The caller's role outside of a knowledge base; a key of single knowledge bases has the lowest."""
    if principal.within is not None:
        return LOWEST
    return max((principal.everywhere or LOWEST, *principal.granted.values()), key=LADDER.index)


class Access:
    """Loads the records that a caller may access.

    Methods raise NotFound, Forbidden, and CatalogUnavailable while the database is down.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._named_recently = alru_cache(maxsize=1024, ttl=KNOWN_SECONDS)(catalog.knowledge_bases.get)
        self._by_id = alru_cache(maxsize=1024, ttl=KNOWN_SECONDS)(catalog.knowledge_bases.by_id)

    async def role_in(self, principal: Principal, knowledge_base: KnowledgeBase) -> KnowledgeBaseRole | None:
        """The caller's role in a knowledge base; None hides it from the caller."""
        if principal.within is not None and knowledge_base.id not in principal.within:
            return None
        return higher(principal.everywhere, principal.granted.get(knowledge_base.id))

    async def goes_on(self, before: Principal, now: Principal, handler: BaseRouteHandler, scope: Scope) -> bool:
        """Whether a request that began with the rights ``before`` may go on with those of ``now``.

        In a knowledge base it needs the role that its route needs there; elsewhere all that it began with.
        """
        declared, records = declaration(handler), scope["state"].get(GRANTED, {})
        if not isinstance(declared, Needs) or "knowledge_base" not in records:
            return covers(now, before)
        try:
            await self._require(now, declared, records["knowledge_base"], "")
        except (NotFound, Forbidden):
            return False
        return True

    async def strongest_role(self, principal: Principal, knowledge_base: KnowledgeBase) -> Role | None:
        """The caller's role in a knowledge base; ``operator`` for an operator who only reads it otherwise."""
        role = await self.role_in(principal, knowledge_base)
        return "operator" if role == LOWEST and has(principal, "operator") else role

    async def readable(self, principal: Principal, knowledge_bases: Sequence[KnowledgeBase]) -> list[KnowledgeBase]:
        """The knowledge bases that the caller may see."""
        return [each for each in knowledge_bases if await self.role_in(principal, each) is not None]

    async def named(self, principal: Principal, needed: Needs, name: str) -> KnowledgeBase:
        """The knowledge base ``name``, if the caller has the needed role in it."""
        found = await (self._named_recently if needed.recent else self._catalog.knowledge_bases.get)(name)
        await self._require(principal, needed, found, name)
        return found

    def note(self, scope: Scope, knowledge_base: KnowledgeBase) -> None:
        """Make a request one in a knowledge base that its body names, see ``goes_on``."""
        scope["state"][GRANTED] = {"knowledge_base": knowledge_base}

    async def may(self, principal: Principal, needed: Needs, knowledge_base_id: str) -> bool:
        """Whether the caller has the needed role in a knowledge base, for lists across several."""
        try:
            await self._require(principal, needed, await self._by_id(knowledge_base_id), knowledge_base_id)
        except (NotFound, Forbidden):
            return False
        return True

    async def granted(self, principal: Principal, needed: Needs, id: str) -> dict[Resource, Record]:
        """The resource ``id`` and its knowledge base; empty if the route addresses none."""
        match needed.resource:
            case None:
                _compare(principal, own_role(principal), needed)
                return {}
            case "knowledge_base":
                return {"knowledge_base": await self.named(principal, needed, id)}
            case resource:
                found = await self._load(resource, principal, id)
                if found.knowledge_base_id is None:  # of the platform, for those who run it
                    if not has(principal, "operator"):
                        raise NotFound(kind=resource, id=id)
                    return {resource: found}
                knowledge_base = await self._by_id(found.knowledge_base_id)
                await self._require(principal, needed, knowledge_base, id)
                return {resource: found, "knowledge_base": knowledge_base}

    async def _load(self, resource: Inner, principal: Principal, id: str) -> InnerRecord:
        found: InnerRecord
        match resource:
            case "document":
                found = await self._catalog.documents.get(id)
            case "bulk_change":
                found = await self._catalog.bulk_changes.get(id)
            case "batch":
                found = await self._catalog.batches.get(id)
            case "reindex":
                found = await self._catalog.reindexes.get(id)
            case "schedule":
                found = await self._catalog.schedules.get(id)
            case "source":
                found = await self._catalog.sources.get(id)
            case "sync":
                found = await self._catalog.syncs.get(id)
            case "question":
                found = await self._catalog.questions.get(id)
                if found.actor != principal.subject:
                    raise NotFound(kind="question", id=id)
            case "conversation":
                found = await self._catalog.conversations.get(id, principal.subject)
            case "webhook" | "delivery":
                webhooks = self._catalog.webhooks if resource == "webhook" else self._catalog.deliveries
                found = await webhooks.get(id)
        return found

    async def _require(self, principal: Principal, needed: Needs, knowledge_base: KnowledgeBase, id: str) -> None:
        """Check the caller's role in ``knowledge_base``; ``id`` names the requested resource in NotFound."""
        role = await self.role_in(principal, knowledge_base)
        if role is None:
            raise NotFound(kind=(needed.resource or "knowledge_base").replace("_", " "), id=id)
        _compare(principal, role, needed)


def _compare(principal: Principal, role: KnowledgeBaseRole, needed: Needs) -> None:
    """Raises Forbidden with the missing role, unless ``role`` or a platform role suffices."""
    sufficient = [each for each in SYSTEM_ROLES if each == needed.role or each in needed.also]
    if not includes(role, needed.role) and not any(has(principal, each) for each in sufficient):
        raise Forbidden(role=needed.role)


def covers(now: Principal, before: Principal) -> bool:
    """Whether nothing of the rights ``before`` was taken away."""

    def at_least(present: KnowledgeBaseRole | None, past: KnowledgeBaseRole | None) -> bool:
        return past is None or (present is not None and includes(present, past))

    return (
        set(before.platform) <= set(now.platform)
        and at_least(now.everywhere, before.everywhere)
        and all(at_least(higher(now.everywhere, now.granted.get(id)), role) for id, role in before.granted.items())
        and (now.within is None or (before.within is not None and before.within <= now.within))
    )


def visible(principal: Principal) -> frozenset[str] | None:
    """The ids of the knowledge bases that the caller may see; None for all."""
    if principal.everywhere is not None:
        return principal.within
    granted = frozenset(principal.granted)
    return granted if principal.within is None else granted & principal.within


def declaration(handler: BaseRouteHandler) -> Needs | Literal["public"] | None:
    """The access declaration of a route; None if it has no valid one."""
    declared = handler.opt.get(OPTION)
    return declared if isinstance(declared, Needs) or declared == PUBLIC else None


def lists_methods(handler: BaseRouteHandler) -> bool:
    """Whether it is Litestar's own handler of OPTIONS, which only lists the methods of a path."""
    return (
        isinstance(handler, HTTPRouteHandler)
        and set(handler.http_methods) == {"OPTIONS"}
        and handler.fn.__module__ == HTTPRoute.__module__
    )


async def authorize(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The guard of the application: loads and authorises the records of a request.

    Raises Unauthenticated, Forbidden, NotFound and DependencyErrors.
    """
    declared = declaration(handler)
    if declared == PUBLIC or lists_methods(handler):
        return
    if declared is None:
        log.error("a route declares no access", route=str(handler))
        raise Forbidden(role="admin")
    principal = connection.scope.get("user")
    if not isinstance(principal, Principal):
        raise Unauthenticated()
    if principal.must_change_password and not declared.restricted:
        raise PasswordChangeNeeded()
    access: Access = connection.app.state.access
    id = connection.path_params.get(declared.parameter, "")
    state = connection.scope["state"]
    state[REFUSED] = True
    state[GRANTED] = await access.granted(principal, declared, id)
    state[REFUSED] = False
    _describe(state[GRANTED])


def _describe(records: dict[Resource, Record]) -> None:
    """Adds what a request is about to its log lines and its span: ids, no names."""
    ids = {f"{resource}_id": id for resource, each in records.items() if isinstance(id := getattr(each, "id", 0), str)}
    structlog.contextvars.bind_contextvars(**ids)
    tracing.note({names.OURS + name: id for name, id in ids.items()})


def _provider(resource: Resource) -> Callable[..., Any]:
    def provide(scope: Scope) -> Any:
        return scope["state"][GRANTED][resource]  # KeyError: the handler's declaration names another resource

    return provide


#: Dependencies of handlers by name: the records that the guard has authorised.
RECORDS = {resource: Provide(_provider(resource), sync_to_thread=False) for resource in RESOURCES}
