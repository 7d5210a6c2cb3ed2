"""Which embedding model made vectors."""

from __future__ import annotations

from activities.contracts import Contract


class EmbeddingModel(Contract, frozen=True):
    """An embedding model: ``fingerprint`` identifies it (see ``activities.stores.triton``), ``name`` is for people."""

    name: str
    fingerprint: str
