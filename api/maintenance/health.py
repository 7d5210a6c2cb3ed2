"""Whether the API lives, and whether everything that it needs answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from litestar import Controller, Request, Response, get
from litestar.openapi import ResponseSpec

from activities.errors import DependencyError, HoldfastError, Language
from activities.phrases import Phrase
from activities.runtime.loops import Loop
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Overdue
from activities.stores.connections import Stores
from api.http.access import PUBLIC
from api.http.language import language_of
from api.maintenance.schemas import DependencyState, LoopState, OverdueInfo, Readiness
from workflows.client.jobs import Jobs

Ping = Callable[[], Awaitable[None]]

#: Seconds that a dependency may take to answer.
PING_TIMEOUT = 5

#: What has no run this long after it was accepted is overdue.
OVERDUE_AFTER = timedelta(minutes=1)


class HealthController(Controller):
    path = "/health"
    tags = ["Operation"]

    @get("/live", access=PUBLIC, summary="Report that the process runs")
    async def live(self) -> dict[str, bool]:
        return {"live": True}

    @get(
        "/ready",
        access=PUBLIC,
        summary="Check all dependencies and loops; 503 while one does not answer",
        responses={503: ResponseSpec(Readiness, generate_examples=False, description="One of them does not answer")},
    )
    async def ready(
        self, request: Request[Any, Any, Any], stores: Stores, jobs: Jobs, loops: list[Loop]
    ) -> Response[Readiness]:
        language = language_of(request)
        states = await asyncio.gather(*(_state(name, ping, language) for name, ping in pings(stores, jobs).items()))
        turning = [_loop_state(loop, language) for loop in loops]
        ready = all(state.ready for state in states) and all(state.ready for state in turning)
        found = Readiness(
            ready=ready,
            dependencies=list(states),
            loops=turning,
            overdue=_overdue_info(await overdue(stores.catalog), language),
            audit_log=await _tampered(stores.catalog, language),
        )
        return Response(found, status_code=200 if ready else 503)


def pings(stores: Stores, jobs: Jobs) -> dict[str, Ping]:
    """The dependencies by name. A ping raises the HoldfastError that says why it is not ready."""
    return {
        "temporal": jobs.ping,
        "catalog": stores.catalog.ping,
        "blobs": stores.blobs.ping,
        "milvus": stores.milvus.ping,
        "triton": stores.triton.ping,
    }


async def overdue(catalog: Catalog) -> Overdue | None:
    """What was accepted more than OVERDUE_AFTER ago and has no run; None while the catalogue does not say."""
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            return await catalog.outbox.overdue(datetime.now(UTC) - OVERDUE_AFTER)
    except (TimeoutError, DependencyError):
        return None


async def tampering(catalog: Catalog) -> str | None:
    """What is wrong with the audit log, "" if nothing is; None while the catalogue does not say."""
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            return await catalog.audit_log.problem() or ""
    except (TimeoutError, DependencyError):
        return None


async def _tampered(catalog: Catalog, language: Language) -> str | None:
    problem = await tampering(catalog)
    return Phrase.AUDIT_LOG_TAMPERED.render(language, problem=problem) if problem else None


def seconds_overdue(found: Overdue) -> float:
    """Seconds since the oldest was accepted; 0 if nothing is overdue."""
    return (datetime.now(UTC) - found.since).total_seconds() if found.since else 0.0


def _overdue_info(found: Overdue | None, language: Language) -> OverdueInfo | None:
    if found is None or not found.count:
        return None
    seconds = seconds_overdue(found)
    detail = Phrase.OVERDUE.render(language, count=found.count, seconds=round(seconds))
    return OverdueInfo(count=found.count, oldest_seconds=seconds, detail=detail)


def _loop_state(loop: Loop, language: Language) -> LoopState:
    if loop.healthy:
        return LoopState(name=loop.name, ready=True)
    detail = Phrase.LOOP_BROKEN.render(language, seconds=round(loop.seconds_since_success))
    return LoopState(name=loop.name, ready=False, detail=detail)


async def _state(name: str, ping: Ping, language: Language) -> DependencyState:
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            await ping()
    except TimeoutError:
        return DependencyState(
            name=name, ready=False, detail=Phrase.NO_ANSWER_WITHIN.render(language, seconds=PING_TIMEOUT)
        )
    except HoldfastError as exc:
        return DependencyState(name=name, ready=False, detail=exc.reason.render(language))
    return DependencyState(name=name, ready=True)
