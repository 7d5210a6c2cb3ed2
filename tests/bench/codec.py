"""What the encryption of payloads costs, for payloads of several sizes, beside the same converter without it."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from temporalio.converter import DataConverter, WorkflowSerializationContext

from activities.runtime.converter import converter_for, data_converter
from api.stack import payload_keys
from tests.bench.measures import Measure

#: Characters of a step's input, of a question with its sources, and of the largest result.
SIZES = (300, 4_000, 100_000)

ROUNDS = 7


async def payloads(repeats: int) -> list[Measure]:
    """CPU time to encode and decode one payload; each round measures both converters, in turn."""
    context = WorkflowSerializationContext("default", "ingest/0193a5b0c1d27e3f8a9b0c1d2e3f4a5b/1")
    measures = []
    with TemporaryDirectory() as folder:
        file = Path(folder) / "payload.keys"
        payload_keys.create(file)
        encrypting = converter_for(str(file), "default")
        for size in SIZES:
            value = {"text": "0123456789" * (size // 10)}
            plain, sealed = [], []
            for _ in range(ROUNDS):
                plain.append(await _microseconds(data_converter, context, value, repeats))
                sealed.append(await _microseconds(encrypting, context, value, repeats))
            more = [after - before for before, after in zip(plain, sealed, strict=True)]
            measures += [
                Measure(name=f"payload of {size:,} characters, there and back", values=plain, unit="µs"),
                Measure(name="… encrypted: more by", values=more, unit="µs"),
            ]
    return measures


async def _microseconds(
    converter: DataConverter, context: WorkflowSerializationContext, value: object, repeats: int
) -> float:
    """As the SDK does it: with the context of the workflow, for each payload."""
    began = time.process_time()
    for _ in range(repeats):
        mine = converter.with_context(context)
        await mine.decode(await mine.encode([value]))
    return (time.process_time() - began) / repeats * 1e6
