"""Requests to the two models, tensor by tensor, without the platform's own client."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient


def strings(name: str, values: Sequence[str | bytes], *, batched: bool) -> InferInput:
    """A string tensor, [n, 1] for a batching model, [n] for one without batching."""
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    array = np.array(encoded, dtype=np.object_).reshape((-1, 1) if batched else (-1,))
    tensor = InferInput(name, list(array.shape), "BYTES")
    tensor.set_data_from_numpy(array)
    return tensor


async def embed(
    client: InferenceServerClient, texts: Sequence[str | bytes], *, urgent: bool = False
) -> npt.NDArray[np.float32]:
    """Vectors [len(texts), dimension]."""
    result = await client.infer(
        "embed", [strings("text", texts, batched=True)],
        outputs=[InferRequestedOutput("embedding")], parameters={"urgent": urgent},
    )  # fmt: skip
    vectors: npt.NDArray[np.float32] = result.as_numpy("embedding")
    return vectors


async def described(client: InferenceServerClient, output: str) -> bytes:
    """The embedding model's output `card` or `tokenizer`."""
    inputs = [strings("text", [""], batched=True)]
    result = await client.infer("embed", inputs, outputs=[InferRequestedOutput(output)])
    assert result.as_numpy("embedding") is None
    content: bytes = result.as_numpy(output)[0, 0]
    return content


def question(text: str, **sampling: Any) -> dict[str, Any]:
    """Keyword arguments of one request to `generate`, with a message of the system and one of a user."""
    messages = [{"role": "system", "content": "You answer questions."}, {"role": "user", "content": text}]
    inputs = [
        strings("messages", [json.dumps(messages)], batched=False),
        strings("sampling_parameters", [json.dumps(sampling)], batched=False),
    ]
    return {"model_name": "generate", "inputs": inputs, "enable_empty_final_response": True}


async def once(request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """A stream of requests with one request in it."""
    yield request


async def pieces(stream: Any) -> AsyncIterator[bytes]:
    """The pieces of one answer, until the server marks it complete. Raises the server's error."""
    async for result, error in stream:
        if error is not None:
            raise error
        output = result.as_numpy("text_output")
        if output is not None and len(output):
            yield output[0]
        if result.get_response().parameters["triton_final_response"].bool_param:
            return
