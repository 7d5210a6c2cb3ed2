"""Encrypts payloads before they leave for Temporal: AES-GCM with keys of a file, of which the first one writes.

What a payload says of itself stays in clear: the id of its key, and the workflow that it belongs to. Both are
authenticated, together with the namespace, so that a payload which was moved to another workflow is not read there.
Payloads without encryption are passed on: runs that began before it, and what is in clear by design
(``contracts.summaries``).

The SDK gives the workflow's id wherever it encodes or decodes one of our payloads: client calls, signals, queries,
updates, schedules, activities with their heartbeats, child workflows and continue-as-new. Two things are peculiar:

* The runs of a schedule have its id and a time; arguments are encrypted for the former, and the result of one run is
  handed to the next. So the time is no part of the identity (``identity``).
* The codec endpoint and tools that look at a history know no workflow: the payload's own word is taken, which still
  has to be the one it was encrypted with.

``holdfast up`` makes the file (``api.stack.payload_keys``). ``docs/encryption.md`` is the page for operators.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec, SerializationContext, WithSerializationContext

from activities.errors import SettingsError
from activities.phrases import Phrase

SETTING = "HOLDFAST_PAYLOAD_KEYS"

ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
WORKFLOW = "encryption-workflow"

#: Metadata of payloads that are not encrypted: summaries.
IN_CLEAR = "in-clear"

KEY_BYTES = 32
NONCE_BYTES = 12

_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

#: What Temporal adds to the id of a schedule's runs.
_TIME = re.compile(r"-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


class PayloadUnreadable(ValueError):
    """A payload of an unknown key, of another workflow, or not as it was written."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(f"a payload cannot be decrypted (key {key_id})")


class KeyRing:
    """The keys of a file, read again when a payload has a key that is not known: keys are added while we run.

    Each line is an id and 32 bytes in base64; lines that begin with ``#`` are comments. The first key encrypts, all
    decrypt. Raises SettingsError.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._keys = _read(file)
        self.first = next(iter(self._keys))

    def key(self, id: str) -> AESGCM:
        """The key of this id. Raises PayloadUnreadable."""
        if id not in self._keys:
            try:
                self._keys |= _read(self._file)
            except SettingsError as exc:
                raise PayloadUnreadable(id) from exc
        if id not in self._keys:
            raise PayloadUnreadable(id)
        return self._keys[id]


def _read(file: Path) -> dict[str, AESGCM]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, ValueError) as exc:
        problem = exc.strerror if isinstance(exc, OSError) and exc.strerror else Phrase.NOT_KEYS
        raise SettingsError(key=SETTING, value=file, problem=problem, line=1) from exc
    keys: dict[str, AESGCM] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        id, _, secret = line.strip().partition(" ")
        try:
            key = base64.b64decode(secret.strip(), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not _KEY_ID.fullmatch(id) or len(key) != KEY_BYTES or id in keys:
            raise SettingsError(key=SETTING, value=file, problem=Phrase.NOT_KEYS, line=number)
        keys[id] = AESGCM(key)
    if not keys:
        raise SettingsError(key=SETTING, value=file, problem=Phrase.NOT_KEYS, line=1)
    return keys


def identity(workflow_id: str) -> str:
    """What payloads of a workflow are bound to: its id; for a run of a schedule, that of all its runs."""
    return _TIME.sub("", workflow_id)


class EncryptionCodec(PayloadCodec, WithSerializationContext):
    """Encrypts the payloads of one namespace; with a context, those of one workflow."""

    def __init__(self, keys: KeyRing, namespace: str, workflow: str | None = None) -> None:
        self._keys, self._namespace, self._workflow = keys, namespace, workflow

    def with_context(self, context: SerializationContext) -> Self:
        """The codec for the payloads of the context's workflow."""
        workflow_id = getattr(context, "workflow_id", None) or ""
        return type(self)(self._keys, self._namespace, identity(workflow_id))

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt all but those that are in clear by design."""
        return [payload if IN_CLEAR in payload.metadata else self._sealed(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt those that are encrypted. Raises PayloadUnreadable."""
        return [self._opened(payload) if is_encrypted(payload) else payload for payload in payloads]

    def _sealed(self, payload: Payload) -> Payload:
        id, workflow, nonce = self._keys.first, self._workflow or "", os.urandom(NONCE_BYTES)
        text = payload.SerializeToString()
        data = nonce + self._keys.key(id).encrypt(nonce, text, self._associated(id, workflow))
        metadata = {"encoding": ENCODING, KEY_ID: id.encode(), WORKFLOW: workflow.encode()}
        return Payload(metadata=metadata, data=data)

    def _opened(self, payload: Payload) -> Payload:
        id, workflow = _text(payload, KEY_ID), workflow_of(payload)
        if self._workflow is not None and workflow != self._workflow:
            raise PayloadUnreadable(id)
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            return Payload.FromString(self._keys.key(id).decrypt(nonce, sealed, self._associated(id, workflow)))
        except (InvalidTag, ValueError, DecodeError) as exc:
            raise PayloadUnreadable(id) from exc

    def _associated(self, key_id: str, workflow: str) -> bytes:
        return "\0".join(("holdfast payload", key_id, self._namespace, workflow)).encode()


def is_encrypted(payload: Payload) -> bool:
    """Whether a payload was encrypted by this codec."""
    return payload.metadata.get("encoding") == ENCODING


def workflow_of(payload: Payload) -> str:
    """The identity of the workflow that an encrypted payload says it belongs to."""
    return _text(payload, WORKFLOW)


def _text(payload: Payload, name: str) -> str:
    return payload.metadata.get(name, b"").decode("utf-8", "replace")
