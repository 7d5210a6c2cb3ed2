"""Finds runs where they are: in Temporal, or archived in the file store."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from datetime import UTC, datetime, timedelta
from uuid import UUID

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowExecution

from activities.errors import InvalidRequest, NotFound, TemporalRefused, TemporalUnavailable
from activities.histories import export, listing
from activities.histories.archive import OVERLAP
from activities.phrases import Phrase
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Record
from activities.stores.catalog.runs.records import ArchivedRun, Run, RunFilter
from api.audit.runs.schemas import RunState
from workflows.client.jobs import Jobs

#: Pages of Temporal's list that one request looks through; what follows is behind the cursor.
PAGES = 10

_CURSOR = re.compile(r"(?:t\.([\w+/=-]*)|a\.(\d{1,17})\.([\w-]{1,36}))", re.ASCII)

_EPOCH = datetime.fromtimestamp(0, UTC)


class Found(Record, frozen=True):
    """A run, its state, and its archived form if it has one."""

    run: Run
    state: RunState
    closed_at: datetime | None
    archived: ArchivedRun | None


class RunReader:
    """Raises NotFound, and DependencyErrors."""

    def __init__(self, catalog: Catalog, blobs: Blobs, jobs: Jobs) -> None:
        self._archive, self._blobs, self._jobs, self._client = catalog.run_archive, blobs, jobs, jobs.client

    async def page(self, wanted: RunFilter, cursor: str | None, limit: int) -> tuple[list[Found], str | None]:
        """Runs that are not archived, newest first, then archived ones; there may be more behind a short page.

        Raises InvalidRequest for a foreign cursor, and NotFound for a knowledge base that never was.
        """
        if wanted.knowledge_base is not None:
            await self._archive.require_name(wanted.knowledge_base)
        position = _position(cursor)
        if isinstance(position, str):
            return await self._live(wanted, position, limit)
        runs = await self._archive.page(wanted, position, limit)
        found = [Found(run=run, state=run.status, closed_at=run.closed_at, archived=run) for run in runs]
        return found, _behind(runs[-1]) if len(runs) == limit else None

    async def _live(self, wanted: RunFilter, token: str, limit: int) -> tuple[list[Found], str | None]:
        """What is asked for by texts is compared here: no text of a caller gets into a query of Temporal."""
        mark = await self._archive.mark("archive")
        query = listing.OURS
        if mark is not None:
            query += f" AND (ExecutionStatus = 'Running' OR CloseTime >= '{listing.moment(mark - OVERLAP)}')"
        found: list[Found] = []
        for turn in range(PAGES):
            try:
                page, token = await listing.page(self._client, query, token, size=limit)
            except (TemporalRefused, TemporalUnavailable) as exc:  # of a token that it does not know it says either
                if turn or not token:
                    raise
                await self._jobs.ping()
                raise InvalidRequest(detail=Phrase.FOREIGN_CURSOR) from exc
            known = await self._archive.known(run.run_id for run in page)
            live = [run for run in page if run.run_id not in known]
            found += [_found(run) for run in live if wanted.matches(listing.run_of(run))]
            if not token:
                return found, _behind(None)
            if found:
                break
        return found, f"t.{token}"

    async def find(self, run_id: str) -> Found:
        """A run by its id, archived or not."""
        try:
            id = str(UUID(run_id))
        except ValueError as exc:
            raise NotFound(kind="run", id=run_id[:60]) from exc
        try:
            run = await self._archive.get(id)
        except NotFound:
            page, _ = await listing.page(self._client, f"{listing.OURS} AND RunId = '{id}'")
            if not page:
                raise
            return _found(page[0])
        return Found(run=run, state=run.status, closed_at=run.closed_at, archived=run)

    async def sha256(self, found: Found) -> str | None:
        """The hash of the archived file, as the audit trail has it."""
        return await self._archive.sha256(found.archived) if found.archived else None

    async def file(self, found: Found) -> bytes:
        """The file of a history, made now if it is not archived. Raises HistoryLost and HistoryTampered."""
        if found.archived is not None:
            return await export.load(self._blobs, found.archived, await self._archive.sha256(found.archived))
        return export.pack(await self._of_temporal(found.run))

    async def events(self, found: Found) -> list[HistoryEvent]:
        """The events of a history. Raises HistoryLost and HistoryTampered."""
        if found.archived is not None:
            return export.unpack(await self.file(found))
        return await self._of_temporal(found.run)

    async def _of_temporal(self, run: Run) -> list[HistoryEvent]:
        events = await listing.history(self._client, run)
        if events is None:
            raise NotFound(kind="run", id=run.run_id)
        return events


def _found(execution: WorkflowExecution) -> Found:
    state = listing.ended_as(execution) or "running"
    return Found(run=listing.run_of(execution), state=state, closed_at=execution.close_time, archived=None)


def _position(cursor: str | None) -> str | tuple[datetime, str] | None:
    """Temporal's token, or the archived run behind which to go on; None for the first archived one."""
    if cursor is None:
        return ""
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise InvalidRequest(detail=Phrase.FOREIGN_CURSOR)
    if match[1] is not None:
        try:
            b64decode(match[1], validate=True)
        except NotBase64 as exc:
            raise InvalidRequest(detail=Phrase.FOREIGN_CURSOR) from exc
        return match[1]
    return (_EPOCH + timedelta(microseconds=int(match[2])), match[3]) if match[3] != "-" else None


def _behind(run: ArchivedRun | None) -> str:
    if run is None:
        return "a.0.-"
    return f"a.{(run.closed_at - _EPOCH) // timedelta(microseconds=1)}.{run.run_id}"
