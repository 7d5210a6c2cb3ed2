"""Sources and control of their syncs: create, change, start, pause, resume, cancel, confirm."""

from __future__ import annotations

import msgspec

from activities.contracts.ids import sync_workflow_id
from activities.contracts.names import clean_tags
from activities.contracts.stages import FINAL_STATES
from activities.contracts.sync import MAX_SOURCE_NAME
from activities.errors import WrongState
from activities.settings import SyncSettings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase
from activities.stores.catalog.source_records import NewSource, Source, Sync
from activities.sync.places import Prefix, parse_location, place_of
from activities.sync.start import start_sync
from api.sources.schemas import SourceChange, SourceRequest
from workflows.client.jobs import Jobs


class SourceControl:
    """Raises WrongState and DependencyErrors."""

    def __init__(self, catalog: Catalog, jobs: Jobs, settings: SyncSettings) -> None:
        self._catalog, self._jobs, self._settings = catalog, jobs, settings

    async def create(self, knowledge_base: KnowledgeBase, asked: SourceRequest, actor: str) -> Source:
        """Record a source, which is not looked at before its first sync.

        Raises SyncNotAllowed, InvalidRequest and SourceNameTaken.
        """
        location, named = parse_location(asked.location)
        place_of(location, self._settings)
        source = NewSource(
            knowledge_base_id=knowledge_base.id,
            name=asked.name or location.rpartition("/")[2][:MAX_SOURCE_NAME] or location,
            kind="s3" if isinstance(named, Prefix) else "folder",
            location=location,
            include=asked.include,
            exclude=asked.exclude,
            max_delete_share=asked.max_delete_share,
            tags=clean_tags(asked.tags),
        )
        return await self._catalog.sources.create(source, actor)

    async def change(self, source: Source, asked: SourceChange, actor: str) -> Source:
        """Change what a source takes and how. Raises InvalidRequest and SourceNameTaken."""
        changes = {name: value for name, value in msgspec.structs.asdict(asked).items() if value is not None}
        if asked.tags is not None:
            changes["tags"] = clean_tags(asked.tags)
        return await self._catalog.sources.change(source.id, changes, actor) if changes else source

    async def delete(self, source: Source, actor: str) -> None:
        """Forget a source; its documents stay. Raises SyncRuns."""
        await self._catalog.sources.delete(source.id, actor)

    async def start(self, source: Source, actor: str, *, preview: bool) -> Sync:
        """Start a sync; while one goes on, it is that one. Raises SyncNotAllowed."""
        place_of(source.location, self._settings)
        await self._jobs.ping()
        return await start_sync(self._catalog, self._jobs.client, source.id, actor, preview=preview)

    async def signal(self, sync: Sync, name: str, actor: str) -> None:
        """Tell a sync that goes on: ``pause``, ``resume`` or ``cancel``."""
        self._require(sync)
        if name == "pause" and sync.waiting_for == "confirmation":  # it does nothing that could be paused
            raise WrongState(state=sync.state)
        await self._catalog.syncs.note(sync.id, actor, name)
        await self._send(sync, name, actor)

    async def confirm(self, sync: Sync, actor: str) -> None:
        """Allow the deletions that a sync asks about."""
        if sync.waiting_for != "confirmation":
            raise WrongState(state=sync.state)
        await self._catalog.syncs.note(sync.id, actor, "confirm")
        await self._send(sync, "confirm", actor)

    def _require(self, sync: Sync) -> None:
        if sync.state in FINAL_STATES:
            raise WrongState(state=sync.state)

    async def _send(self, sync: Sync, name: str, actor: str) -> None:
        if not await self._jobs.signal(sync_workflow_id(sync.source_id, sync.occurrence), name, actor):
            raise WrongState(state=(await self._catalog.syncs.get(sync.id)).state)
