"""Whether the API lives, and whether everything that it needs answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Controller, Request, Response, get

from activities.errors import HoldfastError, Language
from activities.phrases import Phrase
from activities.stores.connections import Stores
from api.http.access import PUBLIC
from api.http.language import language_of
from api.maintenance.schemas import DependencyState, Readiness
from workflows.client.jobs import Jobs

#: Seconds that a dependency may take to answer.
PING_TIMEOUT = 5


class HealthController(Controller):
    path = "/health"
    tags = ["Operation"]

    @get("/live", access=PUBLIC, summary="Report that the process runs")
    async def live(self) -> dict[str, bool]:
        return {"live": True}

    @get("/ready", access=PUBLIC, summary="Check all dependencies; 503 while one does not answer")
    async def ready(self, request: Request[Any, Any, Any], stores: Stores, jobs: Jobs) -> Response[Readiness]:
        pings: dict[str, Callable[[], Awaitable[None]]] = {
            "temporal": jobs.ping,
            "catalog": stores.catalog.ping,
            "blobs": stores.blobs.ping,
            "milvus": stores.milvus.ping,
            "triton": stores.triton.ping,
        }
        language = language_of(request)
        states = await asyncio.gather(*(_state(name, ping, language) for name, ping in pings.items()))
        ready = all(state.ready for state in states)
        return Response(Readiness(ready=ready, dependencies=list(states)), status_code=200 if ready else 503)


async def _state(name: str, ping: Callable[[], Awaitable[None]], language: Language) -> DependencyState:
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
