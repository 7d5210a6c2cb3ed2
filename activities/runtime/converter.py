"""Temporal's data converter for msgspec: Structs, lists of them and tagged unions travel as JSON.

Shaped like ``temporalio.contrib.pydantic``.
"""

from __future__ import annotations

from typing import Any

import msgspec
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
)


class MsgspecPayloadConverter(EncodingPayloadConverter):
    """JSON by msgspec: exact types in, exact types out."""

    @property
    def encoding(self) -> str:
        """The same encoding name as Temporal's own JSON, so that the UI shows the values."""
        return "json/plain"

    def to_payload(self, value: Any) -> Payload | None:
        """Encode any value that msgspec knows (Structs, dataclasses, datetimes, containers of them)."""
        return Payload(metadata={"encoding": self.encoding.encode()}, data=msgspec.json.encode(value))

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Decode into ``type_hint``. Raises msgspec.ValidationError when the value does not fit."""
        return msgspec.json.decode(payload.data, type=Any if type_hint is None else type_hint)


class HoldfastPayloadConverter(CompositePayloadConverter):
    """Temporal's default converters with JSON replaced by msgspec's."""

    def __init__(self) -> None:
        super().__init__(
            *(
                MsgspecPayloadConverter() if isinstance(converter, JSONPlainPayloadConverter) else converter
                for converter in DefaultPayloadConverter.default_encoding_payload_converters
            )
        )


data_converter = DataConverter(payload_converter_class=HoldfastPayloadConverter)
