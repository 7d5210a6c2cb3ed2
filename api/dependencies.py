"""What handlers can ask for by name: the stores and services of the process, and who is calling."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request
from litestar.datastructures import State
from litestar.di import Provide

from activities.registry import Stores
from activities.retrieve import Retriever
from activities.settings import Settings
from activities.stores.blobs import Blobs
from activities.stores.catalog import Catalog
from activities.stores.catalog.records import Principal
from api.status import DocumentStatus, Watches
from api.uploads import Uploads
from workflows.connect import Jobs, connect


@asynccontextmanager
async def open_services(app: Litestar) -> AsyncIterator[None]:
    """Build the services of the process; close them when it ends. Nothing has to be up for the API to start."""
    settings: Settings = app.state.settings
    async with Stores.open(settings) as stores:
        jobs = Jobs(await connect(settings.temporal, lazy=True))
        status = DocumentStatus(stores.catalog, jobs)
        app.state.update(
            {
                "stores": stores,
                "jobs": jobs,
                "status": status,
                "watches": Watches(status),
                "retriever": Retriever(stores.milvus, stores.triton, stores.catalog),
                "uploads": Uploads(stores.blobs, stores.catalog, jobs),
            }
        )
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


def _watches(state: State) -> Watches:
    return state.watches  # type: ignore[no-any-return]


def _retriever(state: State) -> Retriever:
    return state.retriever  # type: ignore[no-any-return]


def _uploads(state: State) -> Uploads:
    return state.uploads  # type: ignore[no-any-return]


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
    "retriever": _retriever,
    "uploads": _uploads,
    "principal": _principal,
}

PROVIDERS = {name: Provide(provider, sync_to_thread=False) for name, provider in _BY_NAME.items()}
