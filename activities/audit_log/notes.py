"""Signed notes and checkpoints as in C2SP (signed-note, tlog-checkpoint), with Ed25519.

A signing key is ``PRIVATE+KEY+<name>+<id>+<key>``, a public key ``<name>+<id>+<key>``, as Go's sumdb/note has them.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_NAME = re.compile(r"[^\s+]{1,200}")
_SIGNATURE = "— "
_PRIVATE = "PRIVATE+KEY+"
_TIME = "time "


class NoteInvalid(ValueError):
    """A key, a note or a checkpoint that is malformed, or that none of the keys signed."""


def _key_id(name: str, public: bytes) -> bytes:
    return sha256(f"{name}\n".encode() + _ED25519 + public).digest()[:4]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise NoteInvalid("it is not base64") from exc


def _parts(text: str) -> tuple[str, bytes, bytes]:
    """Name, key id and 32 bytes of key."""
    name, _, rest = text.strip().partition("+")
    id, _, key = rest.partition("+")
    data = _decoded(key)
    if not _NAME.fullmatch(name) or not re.fullmatch("[0-9a-f]{8}", id) or data[:1] != _ED25519 or len(data) != 33:
        raise NoteInvalid("it is no Ed25519 key of a signed note")
    return name, bytes.fromhex(id), data[1:]


class PublicKey:
    """Verifies notes of one name."""

    def __init__(self, text: str) -> None:
        self.name, self.id, key = _parts(text)
        if _key_id(self.name, key) != self.id:
            raise NoteInvalid("the key does not fit its id")
        self.text = text.strip()
        self._key = Ed25519PublicKey.from_public_bytes(key)

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether it is this key's signature of the text."""
        try:
            self._key.verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """Signs notes."""

    def __init__(self, text: str) -> None:
        if not text.startswith(_PRIVATE):
            raise NoteInvalid("it is no signing key of a signed note")
        name, id, seed = _parts(text.removeprefix(_PRIVATE))
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._key.public_key().public_bytes_raw()
        if _key_id(name, public) != id:
            raise NoteInvalid("the key does not fit its id")
        self.public = PublicKey(f"{name}+{id.hex()}+{base64.b64encode(_ED25519 + public).decode()}")

    def sign(self, text: str) -> str:
        """The note of a text, which ends with a newline."""
        signature = base64.b64encode(self.public.id + self._key.sign(text.encode())).decode()
        return f"{text}\n{_SIGNATURE}{self.public.name} {signature}\n"


def new_signing_key(name: str) -> str:
    """A new key of this name."""
    seed = os.urandom(32)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return f"{_PRIVATE}{name}+{_key_id(name, public).hex()}+{base64.b64encode(_ED25519 + seed).decode()}"


def opened(note: str, keys: Sequence[PublicKey]) -> str:
    """The text of a note that one of the keys signed. Raises NoteInvalid."""
    text, blank, signatures = note.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise NoteInvalid("it is no signed note")
    text += "\n"
    for line in signatures.splitlines():
        name, _, encoded = line.removeprefix(_SIGNATURE).partition(" ")
        if not line.startswith(_SIGNATURE) or not encoded:
            raise NoteInvalid("a line of signature is malformed")
        data = _decoded(encoded)
        for key in keys:
            if (key.name, key.id) == (name, data[:4]) and key.verifies(text, data[4:]):
                return text
    raise NoteInvalid("no signature is by a known key")


class Checkpoint(msgspec.Struct, frozen=True):
    """What a log signs: its size and the root of its tree; the time stands in a line of extension."""

    origin: str
    size: int
    root: bytes
    at: datetime | None = None

    @property
    def text(self) -> str:
        """The body of its note."""
        time = f"{_TIME}{self.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}\n" if self.at else ""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n{time}"


def checkpoint_of(note: str, keys: Sequence[PublicKey]) -> Checkpoint:
    """The checkpoint of a note that one of the keys signed. Raises NoteInvalid."""
    origin, *rest = opened(note, keys).splitlines()
    if len(rest) < 2 or not re.fullmatch("0|[1-9][0-9]{0,18}", rest[0]):
        raise NoteInvalid("it is no checkpoint")
    root = _decoded(rest[1])
    if not origin or len(root) != 32:
        raise NoteInvalid("it is no checkpoint")
    times = [line.removeprefix(_TIME) for line in rest[2:] if line.startswith(_TIME)]
    try:
        at = datetime.strptime(times[0], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) if times else None
    except ValueError as exc:
        raise NoteInvalid("it has no valid time") from exc
    return Checkpoint(origin, int(rest[0]), root, at)
