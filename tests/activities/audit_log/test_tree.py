"""Trees, proofs, notes and checkpoints: the known vectors of RFC 6962 and sumdb/note, and all small trees."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from activities.audit_log import tiles, tree
from activities.audit_log.notes import (
    Checkpoint,
    NoteInvalid,
    PublicKey,
    SigningKey,
    checkpoint_of,
    new_signing_key,
    opened,
)

#: The leaves and roots of the tests of RFC 6962.
LEAVES = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)

SIGNING = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
NOTE = f"{TEXT}\n— PeterNeumann {SIGNATURE}\n"


def leaves(count: int) -> list[bytes]:
    """Hashes of some leaves."""
    return [tree.leaf_hash(b"%d" % number) for number in range(count)]


def stored(hashes: list[bytes]) -> tiles.Tiles:
    """All tiles of a tree."""
    found = tiles.Tiles({})
    for size, hash in enumerate(hashes):
        found.append(size, hash)
    return found


def test_roots_are_those_of_rfc_6962() -> None:
    """Of no leaf, and of the first one to eight of its tests."""
    assert tree.root_of(()).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    hashes = [tree.leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES]
    assert [tree.root_of(hashes[:size]).hex() for size in range(1, 9)] == list(ROOTS)


def test_an_inclusion_proof_is_that_of_rfc_6962() -> None:
    """Of the first of eight leaves."""
    hashes = [tree.leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES]
    proof = tree.hashes(tree.proof_ranges([0], 8), stored(hashes).node)
    assert [each.hex() for each in proof] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


def test_every_proof_of_small_trees_holds_and_no_other() -> None:
    """Inclusion of leaves, and consistency with each older tree; with another leaf, root or size it fails."""
    hashes = leaves(40)
    nodes = stored(hashes).node
    roots = [tree.root_of(hashes[:size]) for size in range(41)]
    for size in range(1, 41):
        for index in range(size):
            some = {at: hashes[at] for at in {index, index // 2, index * 7 % size}}
            proof = tree.hashes(tree.proof_ranges(list(some), size), nodes)
            assert tree.root_from_proof(some, size, proof) == roots[size]
            other = {**some, index: hashes[index - 1]}
            assert tree.root_from_proof(other, size, proof) != roots[size] or size == 1
            with pytest.raises(ValueError, match="too"):
                tree.root_from_proof(some, size, [*proof, roots[1]])
        for old in range(1, size + 1):
            proof = tree.hashes(tree.consistency_ranges(old, size), nodes)
            assert tree.is_consistent(old, roots[old], size, roots[size], proof)
            assert not tree.is_consistent(old, roots[old - 1], size, roots[size], proof)
            assert not tree.is_consistent(old, roots[old], size, roots[size - 1], proof)
            assert not tree.is_consistent(old, roots[old], size, roots[size], [*proof, roots[1]])


def test_tiles_have_the_nodes_of_a_tree_of_three_levels() -> None:
    """The root over 70,000 leaves, a proof of few hashes, and a tree that goes on from its edge alone."""
    hashes = leaves(70_000)
    whole = stored(hashes)
    root = tree.root_of(hashes)
    assert tree.folded([whole.node(node) for node in tree.covering(0, 70_000)]) == root
    proof = tree.hashes(tree.proof_ranges([256], 70_000), whole.node)
    assert len(proof) <= 17
    assert tree.root_from_proof({256: hashes[256]}, 70_000, proof) == root
    edge = tiles.Tiles({place: whole.changed[place] for place in tiles.edge(70_000) if place in whole.changed})
    edge.append(70_000, hashes[0])
    assert edge.changed[0, 70_000 // 256].endswith(hashes[0])
    with pytest.raises(tiles.TileLost):
        edge.append(70_100, hashes[0])
    with pytest.raises(tiles.TileLost):
        edge.node((0, 3))


def test_notes_are_those_of_go() -> None:
    """The example of sumdb/note, in both directions."""
    key = SigningKey(SIGNING)
    assert key.public.text == PUBLIC
    assert key.sign(TEXT) == NOTE
    assert opened(NOTE, [PublicKey(PUBLIC)]) == TEXT


@pytest.mark.parametrize(
    "note",
    [
        NOTE.replace("problem is", "problem was"),
        NOTE.replace("x08g", "x08h"),
        NOTE.replace("\n\n", "\n"),
        NOTE[:-1],
        "",
        TEXT,
    ],
    ids=["text", "key", "blank", "newline", "nothing", "unsigned"],
)
def test_what_nobody_signed_is_refused(note: str) -> None:
    """A changed text, another key, and what is no note."""
    with pytest.raises(NoteInvalid):
        opened(note, [PublicKey(PUBLIC)])


@pytest.mark.parametrize(
    "text",
    [PUBLIC.replace("c74f", "c74e"), PUBLIC[:-4], PUBLIC.replace("+AR", "+ZR"), "PeterNeumann", "", SIGNING],
    ids=["id", "length", "algorithm", "name", "nothing", "private"],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    """By its id, its length, or its algorithm."""
    with pytest.raises(NoteInvalid):
        PublicKey(text)


def test_a_checkpoint_survives_its_note() -> None:
    """Origin, size, root and time; a note that is none is refused, and so is one of another key."""
    key, other = SigningKey(new_signing_key("a.example/log")), SigningKey(new_signing_key("a.example/log"))
    checkpoint = Checkpoint("a.example/log", 20852163, b"r" * 32, datetime(2026, 1, 2, tzinfo=UTC))
    note = key.sign(checkpoint.text)
    assert note.startswith("a.example/log\n20852163\n")
    assert checkpoint_of(note, [other.public, key.public]) == checkpoint
    with pytest.raises(NoteInvalid):
        checkpoint_of(note, [other.public])
    with pytest.raises(NoteInvalid):
        checkpoint_of(key.sign("a.example/log\n007\nAAAA\n"), [key.public])
