"""Temporal data converter for msgspec: Structs, containers of Structs and tagged unions are encoded as JSON.

Shaped like ``temporalio.contrib.pydantic``. With keys, payloads and failures are encrypted (``encryption``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
    PayloadConverter,
)
from temporalio.exceptions import ApplicationError

from activities.contracts.summaries import Summary
from activities.runtime.encryption import IN_CLEAR, EncryptionCodec, KeyRing


class MsgspecPayloadConverter(EncodingPayloadConverter):
    """Encodes and decodes JSON with msgspec, by type hint."""

    @property
    def encoding(self) -> str:
        """Name of the encoding; the same as Temporal's own JSON, so that the Web UI shows the values."""
        return "json/plain"

    def to_payload(self, value: Any) -> Payload | None:
        """Encodes any value that msgspec supports (Structs, dataclasses, datetimes, containers of them)."""
        metadata = {"encoding": self.encoding.encode()}
        if isinstance(value, Summary):
            metadata[IN_CLEAR], value = b"summary", str(value)
        return Payload(metadata=metadata, data=msgspec.json.encode(value))

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Decodes into ``type_hint``. Raises msgspec.ValidationError when the value does not match."""
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


class ShortFailures(DefaultFailureConverter):
    """Leaves out the trace of an error that stands for its cause (`failures.in_short`): it shows who caught that one.

    Temporal replaces a failure of more than 4 KB whose activity is tried again by one without its type and reason.
    """

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Fills ``failure`` from the exception."""
        if isinstance(exception, ApplicationError) and isinstance(exception.__cause__, ApplicationError):
            exception.__traceback__ = None
        super().to_failure(exception, payload_converter, failure)


class ShortEncodedFailures(ShortFailures, DefaultFailureConverterWithEncodedAttributes):
    """The same with messages and traces in payloads, which are encrypted."""


data_converter = DataConverter(payload_converter_class=HoldfastPayloadConverter, failure_converter_class=ShortFailures)


def converter_for(keys: str, namespace: str) -> DataConverter:
    """The converter of a process: encrypts with the keys of a file, unless it is "". Raises SettingsError."""
    if not keys:
        return data_converter
    return DataConverter(
        payload_converter_class=HoldfastPayloadConverter,
        payload_codec=EncryptionCodec(KeyRing(Path(keys)), namespace),
        failure_converter_class=ShortEncodedFailures,
    )
