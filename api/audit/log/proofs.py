"""The file of a proof, which has at most 20 KB."""

from __future__ import annotations

import base64

import msgspec

from activities.stores.catalog.audit_log.log import AuditLog, Proof
from api.audit.log.schemas import EntryInfo, ProofInfo
from api.background.audit_log.keeper import AuditLogKeeper

#: What a proof's file says of its form.
FORMAT = "holdfast-audit-proof-2"

#: Bytes of a proof, and the events that it proves at most: fewer if they are long.
MAX_BYTES, MAX_EVENTS = 20_000, 64


async def question_proof(log: AuditLog, keeper: AuditLogKeeper, question: str) -> ProofInfo:
    """The proof of as many events of a question as fit. Raises NotSignedYet before the first one is signed."""
    events = MAX_EVENTS
    while True:
        proof = await log.prove(question_id=question, limit=events)
        found = proof_info(proof, keeper, question)
        size = len(msgspec.json.encode(found))
        if size <= MAX_BYTES or len(found.entries) == 1:
            return found
        events = max(1, min(len(found.entries) - 1, len(found.entries) * MAX_BYTES // size))


def proof_info(proof: Proof, keeper: AuditLogKeeper, question: str | None) -> ProofInfo:
    """The file of a proof."""
    key = keeper.signing_key()
    return ProofInfo(
        format=FORMAT,
        public_key_id=f"{key.public.name}+{key.public.id.hex()}" if key else "",
        question=question,
        checkpoint=proof.note,
        entries=[
            EntryInfo(**{name: getattr(each, name) for name in EntryInfo.__struct_fields__}) for each in proof.entries
        ],
        hashes=[base64.b64encode(each).decode() for each in proof.hashes],
        left_out=proof.left_out,
    )
