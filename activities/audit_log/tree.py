"""Merkle trees as in RFC 6962: hashes, roots, inclusion and consistency proofs.

A node is named by (level, index): it covers the ``2 ** level`` leaves from ``index << level``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

#: The root of the empty tree.
EMPTY = sha256(b"").digest()

Node = tuple[int, int]

#: Returns the hash of a node that is complete.
Nodes = Callable[[Node], bytes]


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The complete subtrees of a growing tree, from the largest one on the left: enough for the next roots."""

    def __init__(self, size: int = 0, subtrees: Iterable[bytes] = ()) -> None:
        self.size, self.subtrees = size, list(subtrees)
        if len(self.subtrees) != size.bit_count():
            raise ValueError("the number of subtrees does not fit the size of the tree")

    def append(self, leaf: bytes) -> None:
        """Add the hash of a leaf."""
        hash, rest = leaf, self.size
        while rest & 1:
            hash = sha256(b"\x01" + self.subtrees.pop() + hash).digest()
            rest >>= 1
        self.subtrees.append(hash)
        self.size += 1

    def root(self) -> bytes:
        """The root hash of the tree."""
        return folded(self.subtrees)


def folded(subtrees: Sequence[bytes]) -> bytes:
    """The root of adjacent complete subtrees of decreasing size."""
    if not subtrees:
        return EMPTY
    hash = subtrees[-1]
    for left in reversed(subtrees[:-1]):
        hash = node_hash(left, hash)
    return hash


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root of a tree with these hashes of leaves."""
    tree = Frontier()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def covering(start: int, end: int) -> Iterator[Node]:
    """The largest complete nodes of the leaves from ``start``, which is aligned, up to ``end`` (exclusive)."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _split(start: int, end: int) -> int:
    return start + (1 << ((end - start - 1).bit_length() - 1))


def proof_ranges(indexes: Sequence[int], size: int) -> list[tuple[int, int]]:
    """The ranges of leaves whose hashes prove that all of these leaves are in the tree, from left to right.

    What several paths have in common is in none of them, or once.
    """
    if not all(0 <= index < size for index in indexes):
        raise ValueError("the leaf is not in the tree")
    return list(_beside(0, size, sorted(indexes)))


def _beside(start: int, end: int, indexes: Sequence[int]) -> Iterator[tuple[int, int]]:
    if not indexes:
        yield start, end
    elif end - start > 1:
        middle = _split(start, end)
        at = bisect_left(indexes, middle)
        yield from _beside(start, middle, indexes[:at])
        yield from _beside(middle, end, indexes[at:])


def consistency_ranges(old: int, size: int) -> list[tuple[int, int]]:
    """The ranges of leaves whose hashes prove that the tree of ``old`` leaves is a prefix of the tree."""
    if not 0 < old <= size:
        raise ValueError("the older tree is empty or larger")
    start, end, whole = 0, size, True
    path: list[tuple[int, int]] = []
    while old != end:
        middle = _split(start, end)
        if old <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start, whole = middle, False
    if not whole:
        path.append((start, end))
    return path[::-1]


def hashes(ranges: Iterable[tuple[int, int]], nodes: Nodes) -> list[bytes]:
    """The hash of each range of leaves."""
    return [folded([nodes(node) for node in covering(*each)]) for each in ranges]


def root_from_proof(leaves: Mapping[int, bytes], size: int, proof: Sequence[bytes]) -> bytes:
    """The root that the proof of several leaves leads to. Raises ValueError for a proof of the wrong length."""
    ranges = proof_ranges(list(leaves), size)
    if len(ranges) != len(proof) or not leaves:
        raise ValueError("the proof is too long or too short")
    known = dict(zip(ranges, proof, strict=True))

    def root(start: int, end: int) -> bytes:
        if (start, end) in known:
            return known[start, end]
        if end - start == 1:
            return leaves[start]
        middle = _split(start, end)
        return node_hash(root(start, middle), root(middle, end))

    return root(0, size)


def is_consistent(old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree of ``old`` leaves is a prefix of the tree of ``size`` leaves."""
    if not 0 < old <= size:
        return False
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if old == size:
        return old_root == root and not proof
    if not path:
        return False
    position, last = old - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    first = second = path[0]
    for each in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            first, second = node_hash(each, first), node_hash(each, second)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            second = node_hash(second, each)
        position, last = position >> 1, last >> 1
    return last == 0 and first == old_root and second == root
