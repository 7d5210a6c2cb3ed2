"""What the servers of an installation say of themselves: versions, clocks, tables, workers and models.

A server that does not answer here is left out: the API says whether it is ready, and may reach it where this machine
does not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest

from activities.contracts.version import VERSION
from activities.errors import HoldfastError
from activities.runtime import temporal as calls
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.revision import REVISIONS
from activities.stores.milvus import Milvus
from activities.stores.triton import Triton
from api.backup.databases import database_of, sqlite_file
from api.client.problems import Message
from api.installation import holes
from api.installation.findings import Finding
from api.stack.ports import LOCAL_HOSTS, address_of
from api.stack.probes import port_open
from workflows.client.queues import describe_queues

#: Seconds that a server may take, and by which clocks may differ: a date in HTTP has whole seconds.
SECONDS, SKEW_SECONDS = 10.0, 5.0

#: Knowledge bases whose models are looked at.
MOST = 1000

#: What a look raises at an address that is none, or at an answer of something else that listens there.
ODD = (httpx.InvalidURL, ValueError, TypeError, RecursionError)

Look = Callable[[Settings], AsyncIterator[Finding]]


async def servers(settings: Settings) -> list[Finding]:
    """What is found of each server that answers."""
    looks: tuple[Look, ...] = (_temporal, _milvus, _triton, _catalogue, _api)
    found = await asyncio.gather(*(_look(look, settings) for look in looks))
    return [finding for findings in found for finding in findings]


async def _look(look: Look, settings: Settings) -> list[Finding]:
    found: list[Finding] = []
    try:
        async with asyncio.timeout(SECONDS):
            async for finding in look(settings):
                found.append(finding)
    except (HoldfastError, SQLAlchemyError, httpx.HTTPError, LookupError, OSError, *ODD):
        pass
    return found


async def _temporal(settings: Settings) -> AsyncIterator[Finding]:
    if not await _listens(settings.temporal.address):
        return
    client = await calls.connect(settings.temporal)
    async with calls.translated():
        info = await client.workflow_service.get_system_info(GetSystemInfoRequest())
    yield holes.temporal(info.server_version)
    yield _workers({worker.identity for queue in await describe_queues(client) for worker in queue.workers})
    async with httpx.AsyncClient(trust_env=False, timeout=SECONDS) as http:
        if (skew := _skew_of(await http.get(settings.temporal.ui_url))) is not None:
            yield _clock("Temporal", skew)


def _workers(identities: set[str]) -> Finding:
    """Whether all workers run this code, by what they say of themselves."""
    versions = {identity.rpartition("/")[2] if "/" in identity else "–" for identity in identities}
    check = Message("doctor.workers")
    if not versions:
        return Finding(check, False, Message("doctor.workers_none"), Message("doctor.workers_do"))
    others = sorted(versions - {VERSION})
    found = Message("doctor.workers_found", count=len(identities), versions=", ".join(sorted(versions)))
    return Finding(check, not others, found, Message("doctor.workers_other", version=VERSION) if others else None)


async def _milvus(settings: Settings) -> AsyncIterator[Finding]:
    uri = urlsplit(settings.milvus.uri)
    if not await _listens(f"{uri.hostname}:{uri.port or (443 if uri.scheme == 'https' else 19530)}"):
        return
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # Milvus Lite does not say its version, which is logged
    client = Milvus(settings.milvus)
    try:
        yield holes.milvus(await client.version())
    finally:
        await client.close()


async def _triton(settings: Settings) -> AsyncIterator[Finding]:
    if not any([await _listens(each.strip()) for each in settings.triton.address.split(",")]):
        return
    client = Triton(settings.triton.address)
    catalog = Catalog(settings.catalog_url)
    try:
        embedded = address_of(settings.triton.address)[0] in LOCAL_HOSTS
        yield holes.triton((await client.card()).server, embedded=embedded)
        served = {model.fingerprint: model.name for model in await client.models()}
        indexes = [generations[0] for _, generations in await catalog.references.generations("", MOST) if generations]
        used = {each.model_fingerprint: str(each.model) for each in indexes if each.model_fingerprint}
        yield _models({name for fingerprint, name in used.items() if fingerprint not in served}, served.values())
    finally:
        await client.close()
        await catalog.close()


def _models(missing: Collection[str], served: Collection[str]) -> Finding:
    """Whether Triton serves the models with which the indexes in use were made."""
    check = Message("doctor.models")
    if missing:
        names = ", ".join(sorted(missing))
        return Finding(check, False, Message("doctor.models_missing", names=names), Message("doctor.models_do"))
    return Finding(check, True, ", ".join(served))


async def _catalogue(settings: Settings) -> AsyncIterator[Finding]:
    file = sqlite_file(settings)
    if file is not None and not file.exists():
        return
    engine = create_async_engine(settings.catalog_url, hide_parameters=True)
    try:
        async with engine.connect() as connection:
            is_sqlite = database_of(settings) == "sqlite"
            version = str(
                await connection.scalar(text("SELECT sqlite_version()" if is_sqlite else "SHOW server_version"))
            )
            yield Finding("SQLite", True, version) if is_sqlite else holes.postgresql(version)
            if not is_sqlite:
                now: datetime = await connection.scalar(text("SELECT clock_timestamp()"))
                yield _clock("PostgreSQL", (now - datetime.now(UTC)).total_seconds())
            yield _schema(str(await connection.scalar(text("SELECT version_num FROM alembic_version"))))
    finally:
        await engine.dispose()


def _schema(found: str) -> Finding:
    check, known = Message("doctor.schema"), REVISIONS[-1]
    if found == known:
        return Finding(check, True, found)
    if found in REVISIONS:
        return Finding(check, False, found, Message("doctor.schema_migrate", known=known))
    return Finding(check, False, found, Message("doctor.schema_newer", known=known))


async def _api(settings: Settings) -> AsyncIterator[Finding]:
    async with httpx.AsyncClient(trust_env=False, timeout=SECONDS) as http:
        answer = await http.get(f"{settings.api_url}/schema/openapi.json")
        if (skew := _skew_of(answer)) is not None:
            yield _clock("API", skew)
        if answer.is_success:
            version = str(answer.json()["info"]["version"])
            same = version == VERSION
            do = None if same else Message("doctor.version_other", version=VERSION)
            yield Finding(Message("doctor.api_version"), same, version, do)


def _clock(name: str, skew: float) -> Finding:
    ok = abs(skew) <= SKEW_SECONDS
    found = Message("doctor.clock_skew", seconds=abs(skew))
    return Finding(Message("doctor.clock", name=name), ok, found, None if ok else Message("doctor.clock_do"))


def _skew_of(answer: httpx.Response) -> float | None:
    """Seconds by which the clock of a response is ahead of this machine's."""
    try:
        return (parsedate_to_datetime(answer.headers["Date"]) - datetime.now(UTC)).total_seconds()
    except (LookupError, ValueError, TypeError):  # TypeError: it does not say its time zone
        return None


async def _listens(address: str) -> bool:
    host, port = address_of(address)
    return await port_open(host, port)
