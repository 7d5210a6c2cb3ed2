"""Wire types of Temporal's codec protocol: payloads as protobuf's JSON writes them, with base64 for bytes."""

from __future__ import annotations

import msgspec

#: Payloads of one request.
MAX_PAYLOADS = 1000


class EncodedPayload(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A value of a run, with what it says of its encoding. Fields of later versions of Temporal are left out."""

    metadata: dict[str, bytes] = {}
    data: bytes = msgspec.field(default_factory=bytes)


class EncodedPayloads(msgspec.Struct, kw_only=True, frozen=True):
    """The values of one place of a run."""

    payloads: list[EncodedPayload]
