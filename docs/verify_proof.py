"""Verifies the proof of a question that `holdfast audit prove` wrote. Needs Python 3.9 and `pip install cryptography`.

    python verify_proof.py PROOF.json 'PUBLIC KEY'

The key is what `holdfast audit key` shows; get it from somebody whom you trust, not together with the proof. The
program prints the events that the log had when its checkpoint was signed, and exits with 1 if anything does not fit.
"""

import base64
import json
import sys
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PREFIX = b"holdfast audit event v1\n"


class Refused(Exception):
    """The proof does not hold; the text says why."""


def public_key(text):
    """Name, id and key of ``name+id+base64``."""
    name, _, rest = text.strip().partition("+")
    id, _, encoded = rest.partition("+")
    data = base64.b64decode(encoded, validate=True)
    if len(data) != 33 or data[:1] != b"\x01" or sha256(name.encode() + b"\n" + data).hexdigest()[:8] != id:
        raise Refused("that is not a public key as `holdfast audit key` shows it")
    return name, bytes.fromhex(id), Ed25519PublicKey.from_public_bytes(data[1:])


def checkpoint(note, name, id, key):
    """Size, root and time of a signed checkpoint."""
    text, blank, signatures = note.rpartition("\n\n")
    text += "\n"
    signed = False
    for line in signatures.splitlines():
        mark, signer, encoded = [*line.split(" "), "", ""][:3]
        signature = base64.b64decode(encoded)
        if (mark, signer, signature[:4]) == ("—", name, id):
            try:
                key.verify(signature[4:], text.encode())
                signed = True
            except InvalidSignature:
                raise Refused("the signature of the checkpoint is not by this key, or its text was changed") from None
    if not blank or not signed:
        raise Refused("the checkpoint is not signed by this key")
    origin, size, root, *more = text.splitlines()
    if origin != name:
        raise Refused("the checkpoint is of another log")
    time = [line[5:] for line in more if line.startswith("time ")]
    return int(size), base64.b64decode(root), time[0] if time else "no time"


def leaf(entry):
    """The hash of an entry's leaf: a commitment to its facts and its text, each with its salt."""
    facts = sha256(bytes.fromhex(entry["salt"]) + entry["facts"].encode()).digest()
    if entry["text"] is None:
        text = bytes.fromhex(entry["text_hash"])
    else:
        text = sha256(bytes.fromhex(entry["text_salt"]) + entry["text"].encode()).digest()
    return sha256(b"\x00" + PREFIX + facts + text).digest()


def root_of(leaves, start, end, hashes):
    """The root of the leaves from ``start`` to ``end`` (RFC 9162), by the events' own and the hashes beside them."""
    if not any(start <= index < end for index in leaves):
        return next(hashes)
    if end - start == 1:
        return leaves[start]
    middle = start + (1 << (end - start - 1).bit_length() - 1)
    left = root_of(leaves, start, middle, hashes)
    return sha256(b"\x01" + left + root_of(leaves, middle, end, hashes)).digest()


def require_in_log(entries, size, root, encoded):
    """Raises Refused unless the events and the hashes beside them lead to the root of the log."""
    leaves = {entry["index"]: leaf(entry) for entry in entries}
    if not all(isinstance(index, int) and 0 <= index < size for index in leaves):
        raise Refused("an event has a place that the log does not have")
    hashes = [base64.b64decode(each, validate=True) for each in encoded]
    rest = iter(hashes)
    try:
        found = root_of(leaves, 0, size, rest)
    except StopIteration:
        raise Refused("hashes are missing") from None
    if next(rest, None) is not None or any(len(each) != 32 for each in hashes):
        raise Refused("there are too many hashes, or not of 32 bytes")
    if found != root:
        raise Refused("an event was changed, or is not in this log")


def verify(proof, key_text):
    """The lines to print about a proof. Raises Refused."""
    if proof.get("format") != "holdfast-audit-proof-2":
        raise Refused("that is not a proof of `holdfast audit prove`")
    name, id, key = public_key(key_text)
    size, root, time = checkpoint(proof["checkpoint"], name, id, key)
    if not proof["entries"]:
        raise Refused("it proves no event")
    require_in_log(proof["entries"], size, root, proof["hashes"])
    lines, before = [f"{name}: {size} events, signed {time}"], -1
    for entry in proof["entries"]:
        index, facts = entry["index"], json.loads(entry["facts"])
        if proof["question"] is not None and facts.get("object_id") != proof["question"]:
            raise Refused(f"event {index} is not of this question")
        if index <= before:
            raise Refused("the events are not in the order of the log")
        before = index
        text = "(erased)" if entry["text"] is None else entry["text"]
        lines.append(f"{index}  {facts['at']}  {facts['actor']}  {facts['action']}  {text}")
    if proof.get("left_out"):
        lines.append(f"The proof says that {proof['left_out']} more events of this question are not in it.")
    return lines


def main():
    """Read the arguments; print the events, or why the proof is refused."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            print("\n".join(verify(json.load(file), sys.argv[2])))
    except Refused as exc:
        sys.exit(f"REFUSED: {exc}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        sys.exit(f"REFUSED: the file is malformed ({type(exc).__name__}: {exc})")
    print("The proof holds.")


if __name__ == "__main__":
    main()
