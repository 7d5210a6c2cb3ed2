"""Answers while documents are replaced and deleted: no citation is of a version that was no longer live."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from datetime import datetime
from random import Random
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from activities.stores.catalog.engine import Engine
from activities.stores.catalog.tables import AuditRow
from tests.conftest import Platform, finished, upload
from tests.workflows.test_streams import Reader, asked, recorded

QUESTIONS = int(os.environ.get("LIVE_QUESTIONS", "12"))
OFFICES = ("Vienna", "Lisbon", "Oslo", "Athens", "Dublin", "Prague")


def policy(office: str, days: int) -> tuple[str, bytes]:
    """One version of a document."""
    text = f"Employees in the {office} office may carry over {days} days of unused annual leave into the next year."
    return f"{office}.txt", text.encode()


async def replaced(api: httpx.AsyncClient, kb: str, dice: Random, stop: asyncio.Event) -> None:
    """Replace documents, and delete and restore some, until the event is set."""
    days = 5
    while not stop.is_set():
        days += 1
        (document,) = await upload(api, kb, policy(dice.choice(OFFICES), days))
        await finished(api, document["id"])
        if days % 3 == 0:
            await api.delete(f"/documents/{document['id']}")


class Lives:
    """The time in which each version of each document was live, from the audit trail."""

    def __init__(self, rows: list[AuditRow]) -> None:
        self._began: dict[tuple[str, int], datetime] = {}
        self._ended: dict[tuple[str, int], datetime] = {}
        live: dict[str, int] = defaultdict(int)
        for row in rows:
            document = str(row.object_id)
            if document in live:
                self._ended[document, live[document]] = row.at
            if row.action == "document.publish":
                live[document] = int((row.detail or {})["version"])
                self._began[document, live[document]] = row.at

    def overlap(self, document: str, version: int, since: datetime, until: datetime) -> bool:
        """Whether a version was live at some moment between the two times."""
        began, ended = self._began.get((document, version)), self._ended.get((document, version))
        return began is not None and began <= until and (ended is None or ended >= since)


async def lives(platform: Platform) -> Lives:
    """The times according to the current audit trail."""
    engine = Engine(platform.settings.catalog_url)
    query = select(AuditRow).where(AuditRow.action.in_(("document.publish", "document.delete"))).order_by(AuditRow.id)
    async with engine.read() as session:
        rows = list(await session.scalars(query))
    await engine.close()
    return Lives(rows)


@pytest.mark.long
@pytest.mark.timeout(300 + 3 * QUESTIONS)
async def test_no_citation_is_of_a_version_that_was_gone(api: httpx.AsyncClient, kb: str, platform: Platform) -> None:
    """Neither quotes nor sources; and the cited version contains the quote."""
    for document in await upload(api, kb, *(policy(office, 5) for office in OFFICES)):
        await finished(api, document["id"])
    dice, stop, turn = Random(7), asyncio.Event(), asyncio.Semaphore(2)
    replacing = asyncio.create_task(replaced(api, kb, Random(8), stop))

    async def one() -> dict[str, Any]:
        async with turn:
            question = f"How many days of leave may employees in {dice.choice(OFFICES)} carry over?"
            accepted = await asked(api, kb, question)
            await Reader(accepted["events_url"]).read(api, 10_000)
            return await recorded(api, accepted["id"])

    records = await asyncio.gather(*(one() for _ in range(QUESTIONS)))
    stop.set()
    await replacing
    known = await lives(platform)
    cited = 0
    for record in records:
        since, until = (datetime.fromisoformat(record[key]) for key in ("created_at", "finished_at"))
        for each in (*record["citations"], *record["sources"]):
            assert known.overlap(each["document_id"], each["version"], since, until), (record, each)
        cited += len(record["citations"])
    assert cited >= QUESTIONS
