"""Keys of blobs: each names what the blob was made from, so that a step whose output exists is done.

========================================= ==========================================================
key                                       holds
========================================= ==========================================================
``originals/<sha256>``                    the uploaded bytes
``parsed/<sha256>/<parser>``              msgpack ``ParsedDocument``
``chunks/<parsed>/<chunking>``            msgpack ``list[Chunk]``
``vectors/<chunks>/<model>/…``            msgpack ``VectorSet``: ``all``, or ``part-…`` while a step is under way
``questions/<id>/sources``                msgpack ``SourceTexts``: the passages that a question was given
``questions/<id>/history``                msgpack ``list[Turn]``: the turns that a client sent with its question
``syncs/<id>/listing``                    msgpack ``Listing``: the files of a source, while it is synced
``syncs/<id>/changes``                    msgpack ``list[Change]``: what the sync is to apply
``gates/<knowledge base>/<digest>``       msgpack ``list[Item]``: the questions of a re-index's quality gate
``histories/<date>/<workflow>/<run>``     gzip of a ``temporal.api.export.v1.WorkflowExecutions`` with one run
``audit/checkpoints/<size>``              JSON line of a signed checkpoint of the audit log, with the leaves it added
``owner``                                 JSON ``Owner``: the platform whose files these are
========================================= ==========================================================

``<parsed>`` and ``<chunks>`` are digests of the whole key that they were made from.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

OWNER = "owner"
"""Key of what tells whose files these are."""


def digest(*parts: str | bytes) -> str:
    """A short, stable fingerprint of the parts (32 hexadecimal digits of SHA-256)."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()[:32]


def original_key(sha256: str) -> str:
    """Key of the uploaded bytes with this SHA-256 (64 hexadecimal digits)."""
    return f"originals/{sha256}"


def parsed_prefix(sha256: str) -> str:
    """Where all that was parsed from these bytes lies."""
    return f"parsed/{sha256}"


def parsed_key(sha256: str, fingerprint: str) -> str:
    """Key of the elements that a parser with this fingerprint made of the bytes."""
    return f"{parsed_prefix(sha256)}/{fingerprint}"


def chunks_prefix(parsed_key: str) -> str:
    """Where all chunks of a parsed document lie."""
    return f"chunks/{digest(parsed_key)}"


def chunks_key(parsed_key: str, fingerprint: str) -> str:
    """Key of the chunks that a chunker with this fingerprint made of a parsed document."""
    return f"{chunks_prefix(parsed_key)}/{fingerprint}"


def vectors_prefix(chunks_key: str, model_fingerprint: str = "") -> str:
    """Where the vectors of these chunks lie: those of one model, or without a fingerprint all of them."""
    return f"vectors/{digest(chunks_key)}" + (f"/{model_fingerprint}" if model_fingerprint else "")


def vectors_key(chunks_key: str, model_fingerprint: str) -> str:
    """Key of all vectors of these chunks by a model."""
    return f"{vectors_prefix(chunks_key, model_fingerprint)}/all"


def question_prefix(question_id: str) -> str:
    """Where all blobs of a question lie."""
    return f"questions/{question_id}"


def sources_key(question_id: str) -> str:
    """Key of the passages that a question was given."""
    return f"{question_prefix(question_id)}/sources"


def history_key(question_id: str) -> str:
    """Key of the turns that a client sent with its question."""
    return f"{question_prefix(question_id)}/history"


def sync_prefix(sync_id: str) -> str:
    """What the keys of a sync begin with."""
    return f"syncs/{sync_id}"


def sync_listing_key(sync_id: str) -> str:
    """Key of the files that a source had when it was listed for a sync."""
    return f"{sync_prefix(sync_id)}/listing"


def sync_changes_key(sync_id: str, piece: int) -> str:
    """Key of one piece of the changes that a sync is to apply."""
    return f"{sync_prefix(sync_id)}/changes-{piece}"


def gate_key(knowledge_base_id: str, content: bytes) -> str:
    """Key of a question set with this content."""
    return f"gates/{knowledge_base_id}/{digest(content)}"


def run_history_key(closed_at: datetime, workflow_id: str, run_id: str) -> str:
    """Key of a run's archived history. Ids of workflows may hold anything, so that their digest stands for them."""
    return f"histories/{closed_at:%Y-%m-%d}/{digest(workflow_id)}/{digest(run_id)}"


#: Where the signed checkpoints of the audit log lie.
CHECKPOINTS = "audit/checkpoints"


def checkpoint_key(size: int) -> str:
    """Key of the checkpoint of this size; keys sort by size."""
    return f"{CHECKPOINTS}/{size:016d}"
