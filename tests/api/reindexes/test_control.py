"""What waits for a person does nothing that could be paused: a 202 would promise what does not come."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from activities.contracts.stages import JobStateName
from activities.errors import TemporalUnavailable, WrongState
from activities.runtime.temporal import connect
from activities.settings import SyncSettings, TemporalSettings
from api.reindexes.control import ReindexControl
from api.sources.control import SourceControl
from tests.api.http.test_access import IsolatedApi, isolated_api
from workflows.client.jobs import Jobs

__all__ = ["isolated_api"]  # a fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]


async def down() -> Jobs:
    """A Temporal that does not answer."""
    return Jobs(await connect(TemporalSettings(address="127.0.0.1:1"), lazy=True))


async def test_a_reindex_that_waits_for_a_person_is_not_paused(isolated_api: IsolatedApi) -> None:
    """One that waits for its window is, and each of them can be canceled."""
    control = ReindexControl(isolated_api.catalog, cast(Any, None), cast(Any, None), await down())
    kb = await isolated_api.catalog.knowledge_bases.get("handbook")
    (reindex,) = await isolated_api.catalog.reindexes.page(kb.id, None, 10)

    def at(stage: str, state: JobStateName) -> Any:
        return msgspec.structs.replace(reindex, stage=stage, state=state)

    for stage in ("gate", "approve"):
        with pytest.raises(WrongState):
            await control.signal(at(stage, "waiting"), "pause", "bob")
        with pytest.raises(TemporalUnavailable):
            await control.signal(at(stage, "waiting"), "cancel", "bob")
    for stage, state in (("build", "waiting"), ("gate", "running")):
        with pytest.raises(TemporalUnavailable):
            await control.signal(at(stage, cast(JobStateName, state)), "pause", "bob")


async def test_a_sync_that_waits_for_a_confirmation_is_not_paused(isolated_api: IsolatedApi) -> None:
    """One that waits for its source is."""
    catalog = isolated_api.catalog
    control = SourceControl(catalog, await down(), SyncSettings())
    kb = await catalog.knowledge_bases.get("handbook")
    sync = next(source.last_sync for source in await catalog.sources.page(kb.id, None, 10) if source.last_sync)
    waiting = msgspec.structs.replace(sync, state="waiting", waiting_for="source")
    with pytest.raises(TemporalUnavailable):
        await control.signal(waiting, "pause", "bob")
    with pytest.raises(WrongState):
        await control.signal(msgspec.structs.replace(waiting, waiting_for="confirmation"), "pause", "bob")
