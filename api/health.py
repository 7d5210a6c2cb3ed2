"""Whether the API lives, and whether everything that it needs answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from litestar import Controller, Response, get

from activities.errors import HoldfastError
from activities.registry import Stores
from api.access import PUBLIC
from api.schemas import DependencyState, Readiness
from workflows.connect import Jobs

#: Seconds that a dependency may take to answer.
PING_TIMEOUT = 5


class HealthController(Controller):
    path = "/health"
    tags = ["Operation"]

    @get("/live", access=PUBLIC, summary="The process answers")
    async def live(self) -> dict[str, bool]:
        return {"live": True}

    @get("/ready", access=PUBLIC, summary="All dependencies answer; 503 while one does not")
    async def ready(self, stores: Stores, jobs: Jobs) -> Response[Readiness]:
        pings: dict[str, Callable[[], Awaitable[None]]] = {
            "temporal": jobs.ping,
            "catalog": stores.catalog.ping,
            "blobs": stores.blobs.ping,
            "milvus": stores.milvus.ping,
            "triton": stores.triton.ping,
        }
        states = await asyncio.gather(*(_state(name, ping) for name, ping in pings.items()))
        ready = all(state.ready for state in states)
        return Response(Readiness(ready=ready, dependencies=list(states)), status_code=200 if ready else 503)


async def _state(name: str, ping: Callable[[], Awaitable[None]]) -> DependencyState:
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            await ping()
    except TimeoutError:
        return DependencyState(name=name, ready=False, detail=f"no answer within {PING_TIMEOUT} s")
    except HoldfastError as exc:
        return DependencyState(name=name, ready=False, detail=str(exc))
    return DependencyState(name=name, ready=True)
