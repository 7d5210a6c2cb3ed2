"""Takes committed events into the log, signs checkpoints, and sends them outside.

One process keeps the log at a time. It goes on only from a log that still has the last checkpoint that is kept outside:
a log that contradicts it was rewritten, or is an old backup, and is neither extended nor signed. Reconcile compares the
events with the tree.
"""

from __future__ import annotations

import math
import os
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import structlog

from activities.audit_log.continuations import Continuation
from activities.audit_log.export import Signed, signed
from activities.audit_log.notes import Checkpoint, NoteInvalid, SigningKey, checkpoint_of
from activities.audit_log.tiles import TileLost
from activities.errors import DependencyError, NotSignedYet
from activities.runtime.loops import Loop
from activities.stores.catalog.audit_log.log import LogState, Undeclarable
from activities.stores.catalog.catalog import Catalog
from api.background.audit_log.continuation import declare
from api.background.audit_log.places import Place

#: Seconds between two turns, those for which a process keeps the log, and those between two words about a problem.
POLL_SECONDS, KEEP_SECONDS, SHOUT_SECONDS = 2.0, 90.0, 60.0

#: A checkpoint is signed after this time or number of events, whichever is first.
SIGN_SECONDS, SIGN_EVENTS = 30.0, 1000

#: Leaves that a record outside holds at most: those of a log that was there before its first checkpoint are many.
LEAVES = 200_000

log = structlog.get_logger()


class Kept(NamedTuple):
    """The last checkpoint that is kept outside of the catalogue."""

    size: int
    root: bytes


class Contradiction(Exception):
    """The log does not have the last checkpoint that is kept outside. The text is for operators."""


class AuditLogKeeper:
    """Keeps the log inside of ``loop``. Without a key, events enter the log and no checkpoint is signed."""

    def __init__(
        self, catalog: Catalog, key_file: Path, places: list[Place], days: int = 0, sign_seconds: float = SIGN_SECONDS
    ) -> None:
        self._log, self._retention = catalog.audit_log, catalog.log_retention
        self._key_file, self._places, self._days = key_file, places, days
        self._sign_seconds = sign_seconds
        self._name = f"{socket.gethostname()}/{os.getpid()}"[-64:]
        self._kept: Kept | None = None
        self._sent: dict[str, int] = {}
        self._signed_at = -math.inf
        self._shouted_at = -math.inf
        self.loop = Loop("audit-log", self.once, POLL_SECONDS)

    def signing_key(self) -> SigningKey | None:
        """The key of the file; None without a file. Raises NoteInvalid for another content."""
        try:
            return SigningKey(self._key_file.read_text("utf-8").strip())
        except FileNotFoundError:
            return None

    async def once(self) -> bool:
        """One turn; True if there is more to do. Raises DependencyError while a place does not take a checkpoint."""
        if not await self._log.keep(self._name, KEEP_SECONDS):
            self._kept = None  # another process signs; what is kept outside is read again afterwards
            return False
        state = await self._log.state()
        try:
            key = self.signing_key()
            if key is not None:
                await self._require_consistent(key, state)
            taken = await self._log.append() if state.waiting else 0
        except (Contradiction, TileLost, NoteInvalid, Undeclarable) as exc:
            await self._shout(f"{exc}" if not isinstance(exc, TileLost) else f"a tile of the tree is lost: {exc}")
            return False
        if key is not None:
            await self._sign(key, state.size + taken, more=bool(taken))
        if state.problem is not None:
            await self._log.report(None)
        if taken:
            return True
        return key is not None and await self._drop(key, state)

    async def go_on(self, actor: str, reason: str) -> Continuation:
        """Declare lost what is signed outside and not in the log. Raises NotSignedYet, Conflict, DependencyError."""
        key = self.signing_key()
        if key is None:
            raise NotSignedYet()
        return await declare(self._log, key, self._places, actor, reason)

    async def _require_consistent(self, key: SigningKey, state: LogState) -> None:
        """Raises Contradiction unless the log has the last checkpoint that is kept outside."""
        kept = self._kept if self._kept is not None else await self._read_outside(key, state)
        if state.size < kept.size:
            raise Contradiction(
                f"the log has {state.size} events and a checkpoint of {kept.size} is kept outside: "
                "an old backup was restored (then `holdfast audit continue`), or the end was cut off"
            )
        if await self._log.root(kept.size) != kept.root:
            raise Contradiction(f"the log is not the one whose checkpoint of {kept.size} events is kept outside")
        self._kept = kept

    async def _read_outside(self, key: SigningKey, state: LogState) -> Kept:
        newest = Kept(0, await self._log.root(0))
        records = {place.name: await place.newest(state.size) for place in self._places}
        for name, record in records.items():
            if record is None:
                continue
            try:
                checkpoint = checkpoint_of(record.note, [key.public])
            except NoteInvalid as exc:
                raise Contradiction(f"the last checkpoint of {name} is not signed by this key: {exc}") from exc
            self._sent[name] = checkpoint.size
            newest = max(newest, Kept(checkpoint.size, checkpoint.root))
        return newest

    async def _sign(self, key: SigningKey, size: int, *, more: bool) -> None:
        kept = self._kept or Kept(0, b"")
        behind = [place for place in self._places if self._sent.get(place.name, 0) < kept.size]
        waited = time.monotonic() - self._signed_at >= self._sign_seconds
        if size - kept.size >= SIGN_EVENTS or (size > kept.size and waited and not more):
            checkpoint = Checkpoint(key.public.name, size, await self._log.root(size), datetime.now(UTC))
            note = key.sign(checkpoint.text)
            await self._log.record(checkpoint, note)
            self._kept, self._signed_at = Kept(size, checkpoint.root), time.monotonic()
            await self._send(self._places, size, note)
        elif behind and waited:
            found, note = await self._log.newest()
            self._signed_at = time.monotonic()
            await self._send(behind, found, note)

    async def _send(self, places: list[Place], size: int, note: str) -> None:
        """Send a checkpoint to all of the places. Raises the DependencyError of one that did not take it."""
        outage: DependencyError | None = None
        for place in places:
            first = max(self._sent.get(place.name, 0), size - LEAVES)
            try:
                await place.send(size, await self._record(note, first, size))
            except DependencyError as exc:
                outage = exc
            else:
                self._sent[place.name] = size
        if outage is not None:
            raise outage

    async def _record(self, note: str, first: int, size: int) -> Signed:
        leaves = await self._log.leaves(first, size)
        return signed(note, first, leaves) if len(leaves) == size - first else Signed(note)

    async def _drop(self, key: SigningKey, state: LogState) -> bool:
        """Drop events that are past their time, if nothing is wrong with the log; True if there may be more."""
        before = datetime.now(UTC) - timedelta(days=self._days)
        if not self._days or state.problem is not None or state.difference is not None:
            return False
        size = await self._retention.droppable(before)
        if size:
            anchor = Checkpoint(key.public.name, size, await self._log.root(size), datetime.now(UTC))
            await self._retention.drop(size, key.sign(anchor.text), before)
        return size > 0

    async def _shout(self, problem: str) -> None:
        await self._log.report(problem)
        if time.monotonic() - self._shouted_at >= SHOUT_SECONDS:
            self._shouted_at = time.monotonic()
            log.error("the audit log contradicts what was signed", problem=problem)
