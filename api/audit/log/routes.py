"""The tamper-evident log for auditors: its state, its checkpoints, proofs, and the export of the whole log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import msgspec
from litestar import Controller, Response, get, post
from litestar.openapi import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream

from activities.audit_log.export import Line, encoded
from activities.errors import NotSignedYet
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Principal
from api.audit.log.holds import Reason
from api.audit.log.proofs import proof_info, question_proof
from api.audit.log.schemas import CheckpointInfo, ContinuationInfo, LogInfo, ProofInfo
from api.background.audit_log.keeper import AuditLogKeeper
from api.http.access import needs
from api.http.schemas import Page, Request

Limit = Annotated[int, Parameter(ge=1, le=1000, description="Maximum number of items on a page.")]
After = Annotated[int, Parameter(ge=0, le=2**62, description="Only checkpoints of more events.")]
Cursor = Annotated[str | None, Parameter(pattern=r"^[0-9]{1,18}$(?!\n)")]

AUDITS = needs("auditor")
LINES = ResponseSpec(str, generate_examples=False, description="A line for each event", media_type="application/jsonl")
NOTE = ResponseSpec(str, generate_examples=False, description="A signed note", media_type="text/plain")


class ContinueRequest(Request, frozen=True):
    """Why an older state was restored."""

    reason: Reason


class AuditLogController(Controller):
    path = "/api/v1/audit/log"
    tags = ["Audit"]

    @get(access=AUDITS, summary="Show how the tamper-evident log stands, and its public key")
    async def state(self, catalog: Catalog, keeper: AuditLogKeeper) -> LogInfo:
        state, key = await catalog.audit_log.state(), keeper.signing_key()
        return LogInfo(
            public_key=key.public.text if key else None,
            size=state.size,
            first=state.first,
            waiting=state.waiting,
            problem=state.problem or state.difference,
            checked=state.checked,
            check_began_at=state.check_began_at,
            check_ended_at=state.check_ended_at,
        )

    @post(
        "/continue",
        access=needs("admin"),
        status_code=200,
        summary="Let the log go on after an older state was restored: declares, signed, which events are lost",
    )
    async def go_on(self, data: ContinueRequest, principal: Principal, keeper: AuditLogKeeper) -> ContinuationInfo:
        """Reads the checkpoints outside. 409 where nothing is lost, or where this is no older state of the log."""
        return ContinuationInfo(**msgspec.structs.asdict(await keeper.go_on(principal.subject, data.reason)))

    @get(
        "/checkpoint",
        access=AUDITS,
        summary="Get the newest signed checkpoint, in the form of C2SP tlog-checkpoint",
        responses={200: NOTE},
    )
    async def checkpoint(self, catalog: Catalog) -> Response[str]:
        _, note = await catalog.audit_log.newest()
        return Response(note, media_type="text/plain", headers={"Cache-Control": "no-store"})

    @get("/checkpoints", access=AUDITS, summary="List the signed checkpoints, the oldest first")
    async def checkpoints(self, catalog: Catalog, cursor: Cursor = None, limit: Limit = 100) -> Page[CheckpointInfo]:
        found = await catalog.audit_log.checkpoints(int(cursor or 0), limit)
        return Page(
            items=[CheckpointInfo(size=size, at=at, note=note) for size, note, at in found],
            next_cursor=str(found[-1][0]) if len(found) == limit else None,
        )

    @get("/proof/{event_id:str}", access=AUDITS, summary="Prove that an event is in the log")
    async def proof(self, event_id: str, catalog: Catalog, keeper: AuditLogKeeper) -> ProofInfo:
        return proof_info(await catalog.audit_log.prove(event_id=event_id), keeper, None)

    @get("/export", access=AUDITS, summary="Export the whole log, to verify it offline", responses={200: LINES})
    async def export(self, catalog: Catalog, principal: Principal, keeper: AuditLogKeeper) -> Stream:
        await catalog.audit_log.newest()  # 503 before the first checkpoint, instead of an export without an end
        await catalog.audit.note(principal.subject, "audit.export-log")
        lines = catalog.audit_log.export(origin(keeper))
        headers = {"Content-Disposition": 'attachment; filename="audit-log.jsonl"', "Cache-Control": "no-store"}
        return Stream(_encoded(lines), media_type="application/jsonl", headers=headers)


class QuestionProofController(Controller):
    path = "/api/v1/audit/questions"
    tags = ["Audit"]

    @get("/{id:str}/proof", access=AUDITS, summary="Prove the events of a question, for someone without this platform")
    async def proof(self, id: str, catalog: Catalog, principal: Principal, keeper: AuditLogKeeper) -> ProofInfo:
        await catalog.audit.question(id)
        found = await question_proof(catalog.audit_log, keeper, id)
        await catalog.audit.note(principal.subject, "audit.prove", id)
        return found


def origin(keeper: AuditLogKeeper) -> str:
    """The name of the log. Raises NotSignedYet without a key."""
    key = keeper.signing_key()
    if key is None:
        raise NotSignedYet()
    return key.public.name


async def _encoded(pages: AsyncIterator[Sequence[Line]]) -> AsyncIterator[bytes]:
    async for page in pages:
        yield encoded(page)
