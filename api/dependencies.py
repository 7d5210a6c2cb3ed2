"""Dependencies of handlers by name: stores and services of the process, the caller, and authorised records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

from litestar import Litestar, Request
from litestar.datastructures import State
from litestar.di import Provide

from activities.retrieval.retriever import Retriever
from activities.runtime.correlation import interceptors
from activities.runtime.loops import Loop
from activities.runtime.temporal import connect
from activities.settings import Settings
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Principal
from activities.stores.connections import Stores
from activities.telemetry import metrics, tracing
from activities.telemetry.measuring import process_runtime
from activities.webhooks.addresses import Gate
from api.background.audit_log.keeper import AuditLogKeeper
from api.background.audit_log.places import places_of
from api.background.dispatcher import Dispatcher
from api.background.watches import BatchWatches, DocumentWatches
from api.background.webhooks import WebhookDispatcher
from api.batches.control import BatchControl
from api.codec.reading import PayloadReader
from api.documents.control import DocumentControl
from api.documents.status import DocumentStatus
from api.documents.uploads import Uploads
from api.http.access import RECORDS, Access
from api.http.admission import Admission
from api.http.callers import Callers
from api.http.recording.recorder import Recorder, Refusals
from api.http.tokens import KEYS_FILE, AccessTokens
from api.identity.sign_in import SignIn
from api.mcp.http import McpOverHttp
from api.mcp.tools import Tools
from api.oidc.service import OidcSignIn
from api.operations.monitor import Monitor
from api.operations.retries import FailureRetries
from api.questions.asking import Asking
from api.questions.searching import Searching
from api.reindex_all.control import ReindexAllControl
from api.reindexes.control import ReindexControl
from api.schedules.control import ScheduleControl
from api.schedules.managed import ReconcileSchedule
from api.sources.control import SourceControl
from api.webhooks.control import WebhookControl
from workflows.client.jobs import Jobs


@asynccontextmanager
async def open_services(app: Litestar) -> AsyncIterator[None]:
    """Open the services of the process; close them when it ends. The API starts while its dependencies are down."""
    settings: Settings = app.state.settings
    async with AsyncExitStack() as resources:
        resources.push_async_callback(asyncio.to_thread, tracing.close)  # after it a signal may end the process
        stores = await resources.enter_async_context(Stores.open(settings, interactive=True))
        metrics.show_build()
        metrics.watch_connections(stores.catalog.connections)
        client = await connect(settings.temporal, lazy=True, runtime=process_runtime(), interceptors=interceptors())
        catalog, jobs = stores.catalog, Jobs(client)
        dispatcher, watches, batch_watches = Dispatcher(catalog, jobs), DocumentWatches(catalog), BatchWatches(catalog)
        webhooks, tokens = WebhookDispatcher(catalog, jobs), AccessTokens(settings.data_dir / KEYS_FILE)
        key = tokens.derived(b"oidc attempts")
        oidc = await resources.enter_async_context(aclosing(OidcSignIn(settings, catalog, key)))
        recorder = Recorder(catalog.audit)
        refusals = Refusals(recorder)
        keeper = AuditLogKeeper(
            catalog, settings.audit_key_file, places_of(settings, stores.blobs), settings.audit.days
        )
        access, retriever = Access(catalog), Retriever(stores.milvus, stores.triton, catalog)
        asking = await resources.enter_async_context(aclosing(Asking(stores, jobs, settings)))
        tools = Tools(settings, catalog, stores.blobs, access, Searching(asking, retriever), asking)
        loops = [refusals.loop, dispatcher.loop, watches.loop, batch_watches.loop, webhooks.loop, keeper.loop]
        app.state.update(
            {
                "stores": stores,
                "jobs": jobs,
                "dispatcher": dispatcher,
                "loops": loops,
                "recorder": recorder,
                "refusals": refusals,
                "keeper": keeper,
                "callers": Callers(catalog, tokens),
                "sign_in": SignIn(catalog, tokens),
                "oidc": oidc,
                "access": access,
                "admission": Admission(catalog, settings.api),
                "status": DocumentStatus(catalog, jobs),
                "watches": watches,
                "batch_watches": batch_watches,
                "monitor": Monitor(stores, jobs),
                "retriever": retriever,
                "asking": asking,
                "mcp": McpOverHttp(tools),
                "runs": PayloadReader(catalog, jobs),
                "webhook_control": WebhookControl(catalog, webhooks.loop, Gate(settings.webhook.networks())),
                "uploads": Uploads(stores.blobs, catalog, jobs, dispatcher, settings.api),
            }
        )
        for loop in loops:
            await resources.enter_async_context(loop)
        resources.push_async_callback(refusals.close)
        await resources.enter_async_context(app.state.mcp.opened())
        yield


def _settings(state: State) -> Settings:
    return state.settings  # type: ignore[no-any-return]


def _stores(state: State) -> Stores:
    return state.stores  # type: ignore[no-any-return]


def _catalog(state: State) -> Catalog:
    return state.stores.catalog  # type: ignore[no-any-return]


def _blobs(state: State) -> Blobs:
    return state.stores.blobs  # type: ignore[no-any-return]


def _jobs(state: State) -> Jobs:
    return state.jobs  # type: ignore[no-any-return]


def _status(state: State) -> DocumentStatus:
    return state.status  # type: ignore[no-any-return]


def _watches(state: State) -> DocumentWatches:
    return state.watches  # type: ignore[no-any-return]


def _batch_watches(state: State) -> BatchWatches:
    return state.batch_watches  # type: ignore[no-any-return]


def _dispatcher(state: State) -> Dispatcher:
    return state.dispatcher  # type: ignore[no-any-return]


def _loops(state: State) -> list[Loop]:
    return state.loops  # type: ignore[no-any-return]


def _keeper(state: State) -> AuditLogKeeper:
    return state.keeper  # type: ignore[no-any-return]


def _retriever(state: State) -> Retriever:
    return state.retriever  # type: ignore[no-any-return]


def _asking(state: State) -> Asking:
    return state.asking  # type: ignore[no-any-return]


def _mcp(state: State) -> McpOverHttp:
    return state.mcp  # type: ignore[no-any-return]


def _searching(state: State) -> Searching:
    return Searching(state.asking, state.retriever)


def _uploads(state: State) -> Uploads:
    return state.uploads  # type: ignore[no-any-return]


def _control(state: State) -> DocumentControl:
    return DocumentControl(state.stores.catalog, state.jobs, state.dispatcher)


def _batch_control(state: State) -> BatchControl:
    return BatchControl(state.stores.catalog, state.jobs, state.dispatcher)


def _reindex_control(state: State) -> ReindexControl:
    return ReindexControl(state.stores.catalog, state.stores.triton, state.stores.blobs, state.jobs)


def _all_control(state: State) -> ReindexAllControl:
    return ReindexAllControl(state.stores.catalog, state.jobs, _reindex_control(state))


def _monitor(state: State) -> Monitor:
    return state.monitor  # type: ignore[no-any-return]


def _failure_retries(state: State) -> FailureRetries:
    return FailureRetries(state.stores.catalog, state.jobs)


def _schedule_control(state: State) -> ScheduleControl:
    return ScheduleControl(state.stores.catalog, state.jobs)


def _reconcile_schedule(state: State) -> ReconcileSchedule:
    return ReconcileSchedule(state.stores.catalog, state.jobs)


def _source_control(state: State) -> SourceControl:
    return SourceControl(state.stores.catalog, state.jobs, state.settings.sync)


def _webhook_control(state: State) -> WebhookControl:
    return state.webhook_control  # type: ignore[no-any-return]


def _runs(state: State) -> PayloadReader:
    return state.runs  # type: ignore[no-any-return]


def _callers(state: State) -> Callers:
    return state.callers  # type: ignore[no-any-return]


def _sign_in(state: State) -> SignIn:
    return state.sign_in  # type: ignore[no-any-return]


def _oidc(state: State) -> OidcSignIn:
    return state.oidc  # type: ignore[no-any-return]


def _admission(state: State) -> Admission:
    return state.admission  # type: ignore[no-any-return]


def _access(state: State) -> Access:
    return state.access  # type: ignore[no-any-return]


def _principal(request: Request[Any, Any, Any]) -> Principal:
    return request.user  # type: ignore[no-any-return]


_BY_NAME: dict[str, Callable[..., Any]] = {
    "settings": _settings,
    "stores": _stores,
    "catalog": _catalog,
    "blobs": _blobs,
    "jobs": _jobs,
    "status": _status,
    "watches": _watches,
    "batch_watches": _batch_watches,
    "dispatcher": _dispatcher,
    "loops": _loops,
    "keeper": _keeper,
    "control": _control,
    "batch_control": _batch_control,
    "reindex_control": _reindex_control,
    "monitor": _monitor,
    "failure_retries": _failure_retries,
    "schedule_control": _schedule_control,
    "reconcile_schedule": _reconcile_schedule,
    "source_control": _source_control,
    "webhook_control": _webhook_control,
    "all_control": _all_control,
    "retriever": _retriever,
    "asking": _asking,
    "searching": _searching,
    "mcp": _mcp,
    "uploads": _uploads,
    "runs": _runs,
    "admission": _admission,
    "access": _access,
    "callers": _callers,
    "sign_in": _sign_in,
    "oidc": _oidc,
    "principal": _principal,
}

PROVIDERS = {name: Provide(provider, sync_to_thread=False) for name, provider in _BY_NAME.items()} | RECORDS
