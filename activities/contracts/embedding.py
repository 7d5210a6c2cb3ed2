"""Which embedding model made vectors."""

from __future__ import annotations

from activities.contracts import Contract


class EmbeddingModel(Contract, frozen=True):
    """An embedding model: ``fingerprint`` identifies it (see ``activities.stores.triton``), ``name`` is for people."""

    name: str
    fingerprint: str


def embedding_of(name: str | None, fingerprint: str | None) -> EmbeddingModel | None:
    """The model that the catalogue records; None if it records none."""
    return None if fingerprint is None else EmbeddingModel(name=name or "", fingerprint=fingerprint)
