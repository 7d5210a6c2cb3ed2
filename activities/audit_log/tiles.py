"""Hashes of a tree in tiles, as in C2SP tlog-tiles: 256 hashes of one level stand together.

Only each eighth level is stored; those between are made from the tile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from activities.audit_log.tree import Node, folded

#: Levels of the tree between two levels of tiles, hashes of a full tile, and bytes of a hash.
HEIGHT, WIDTH, BYTES = 8, 256, 32

#: A tile is named by its level of tiles and its index in that.
Place = tuple[int, int]


class TileLost(LookupError):
    """A tile that the tree needs is not there, or is too short."""


class Tiles:
    """Some tiles of a tree; enough of them for what is asked or appended."""

    def __init__(self, tiles: dict[Place, bytes]) -> None:
        self._tiles = tiles
        self.changed: dict[Place, bytes] = {}

    def append(self, size: int, leaf: bytes) -> None:
        """Add the leaf with the index ``size``; ``changed`` has the tiles that are to be stored."""
        level, index, hash = 0, size, leaf
        while True:
            place, offset = (level, index // WIDTH), index % WIDTH
            tile = self._tiles.get(place, b"")
            if len(tile) != offset * BYTES:
                raise TileLost(place)
            self._tiles[place] = self.changed[place] = tile + hash
            if offset + 1 < WIDTH:
                return
            hash = folded_tile(self._tiles[place], 0, WIDTH)
            level, index = level + 1, index // WIDTH

    def node(self, node: Node) -> bytes:
        """The hash of a complete node. Raises TileLost."""
        place, offset, count = within(node)
        tile = self._tiles.get(place, b"")
        if len(tile) < (offset + count) * BYTES:
            raise TileLost(place)
        return folded_tile(tile, offset, count)


def within(node: Node) -> tuple[Place, int, int]:
    """The tile in which a node's hashes stand, the first of them, and their number."""
    level, index = node
    count = 1 << (level % HEIGHT)
    first = index * count
    return (level // HEIGHT, first // WIDTH), first % WIDTH, count


def folded_tile(tile: bytes, offset: int, count: int) -> bytes:
    """The hash over ``count`` hashes of a tile, a power of two."""
    hashes = list(split(tile[offset * BYTES : (offset + count) * BYTES]))
    while len(hashes) > 1:
        hashes = [folded(hashes[at : at + 2]) for at in range(0, len(hashes), 2)]
    return hashes[0]


def split(data: bytes) -> Iterator[bytes]:
    """The hashes in ``data``."""
    return (data[at : at + BYTES] for at in range(0, len(data), BYTES))


def places(nodes: Iterable[Node]) -> set[Place]:
    """The tiles that are needed for these nodes."""
    return {within(node)[0] for node in nodes}


def edge(size: int) -> set[Place]:
    """The tiles that the next leaf of a tree goes into, of all levels that there are."""
    found, level = {(0, size // WIDTH)}, 0
    while size:
        size //= WIDTH
        level += 1
        found.add((level, size // WIDTH))
    return found
