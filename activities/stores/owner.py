"""The owner of a file store: the one platform whose files these are.

A platform removes files that its catalogue does not refer to. Two of them on one store, such as a restored one beside
the one that made the backup, would remove each other's; the second one does not start.
"""

from __future__ import annotations

import msgspec

from activities.errors import BlobsUnavailable, FilesOfAnother
from activities.stores.blob_keys import OWNER
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog


class Owner(msgspec.Struct, frozen=True):
    """What the store holds of it: the id of the platform's catalogue."""

    platform: str


async def own(blobs: Blobs, catalog: Catalog) -> None:
    """Makes this platform the owner of a store that has none. Raises FilesOfAnother if it has another."""
    platform = await catalog.platform.id()
    if await owner(blobs) is None:
        content = msgspec.json.encode(Owner(platform))
        try:
            await blobs.create(OWNER, content)
        except BlobsUnavailable:  # some S3 servers have no conditional writes
            await blobs.put(OWNER, content)
    if await owner(blobs) != platform:
        raise FilesOfAnother(key=OWNER)


async def owner(blobs: Blobs) -> str | None:
    """The id of the platform that owns the store, if one does."""
    try:
        return (await blobs.load_json(OWNER, Owner)).platform
    except KeyError:
        return None
