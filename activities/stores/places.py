"""Where a generation's rows are: in a collection of its own, or in one that several generations share.

Its name, as the catalogue gives it, is ``kb_<id>_g<n>``, which is its collection; or, past
``HOLDFAST_MILVUS_COLLECTIONS`` of these, ``kb_<id>_g<n>@shared_<fingerprint>``, in the collection that all such
generations of its embedding model share: Milvus holds some thousands of collections, and any number of partition keys.
A row of a shared collection has the field ``generation``, its partition key, and an id that ends with the generation's
number, as a document is in two generations while its knowledge base is re-indexed.
"""

from __future__ import annotations

import msgspec

#: Stands between a generation and the collection that it shares.
SHARED = "@"

#: Beginning of the names of shared collections; a name without a fingerprint is that of no collection.
SHARED_PREFIX = "shared"

#: Characters of a model's fingerprint in the name of a shared collection.
FINGERPRINT = 16


class Place(msgspec.Struct, frozen=True):
    """A collection, and the generation in it; empty for one that has the collection to itself."""

    collection: str
    generation: str = ""

    @classmethod
    def parse(cls, name: str) -> Place:
        """The place of a generation, by the name that the catalogue gives it."""
        generation, shared, collection = name.rpartition(SHARED)
        return cls(collection, generation) if shared else cls(name)

    def row_id(self, id: str) -> str:
        """The id of a row as Milvus stores it."""
        return id + self._suffix

    def own_id(self, stored: str) -> str:
        """The id of a row without its generation."""
        return stored.removesuffix(self._suffix)

    @property
    def _suffix(self) -> str:
        return self.generation and f"/{self.generation.rpartition('_')[2]}"

    def filter(self, expression: str) -> str:
        """A filter that finds rows of this generation only."""
        if not self.generation:
            return expression
        of_it = f'generation == "{self.generation}"'
        return f"{of_it} and {expression}" if expression else of_it


def generation_name(knowledge_base_id: str, number: int, *, shared: bool) -> str:
    """The name of a generation, as the catalogue stores it before its model is known."""
    own = f"kb_{knowledge_base_id}_g{number}"
    return f"{own}{SHARED}{SHARED_PREFIX}" if shared else own


def place_name(name: str, fingerprint: str | None) -> str:
    """``name`` with the collection that generations of the model with this fingerprint share."""
    of_model = fingerprint is not None and name.endswith(f"{SHARED}{SHARED_PREFIX}")
    return f"{name}_{(fingerprint or '')[:FINGERPRINT]}" if of_model else name
