"""Keys of blobs, derived from the blob's inputs: if the key exists, the activity's output is already there."""

from __future__ import annotations

import hashlib


def vectors_prefix(chunks_key: str, model_fingerprint: str) -> str:
    """Prefix of the vectors of these chunks by this model."""
    return f"vectors/{digest(chunks_key)}/{model_fingerprint}"


def digest(*parts: str | bytes) -> str:
    """A stable fingerprint of the parts: the first 32 hexadecimal digits of SHA-256 over length-prefixed parts."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()[:32]


def original_key(sha256: str) -> str:
    """Key of the uploaded bytes with this SHA-256 (64 hexadecimal digits)."""
    return f"originals/{sha256}"
