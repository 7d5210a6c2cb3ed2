"""The Triton model `embed`: texts to vectors (see ../config.pbtxt for the tensors)."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import sources
from encoders import Encoder, Floats, OnnxEncoder, TorchEncoder


class TritonPythonModel:
    """Merges the texts of all waiting requests, and answers each request on its own."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model: on the GPU that Triton chose, or on the CPU."""
        parameters = json.loads(args["model_config"]).get("parameters", {})
        self._model = sources.embed_model(parameters.get("model", {}).get("string_value"))
        on_gpu = args["model_instance_kind"] == "GPU" and sources.cuda_usable()
        self._encoder: Encoder = (
            TorchEncoder(self._model, int(args["model_instance_device_id"])) if on_gpu else OnnxEncoder(self._model)
        )
        self._card = json.dumps(
            self._model.card(
                dimension=self._encoder.dimension,
                batch_size=self._encoder.batch_size,
                device=self._encoder.device,
                precision=self._encoder.precision,
            )
        ).encode()

    def execute(self, requests: list[Any]) -> list[Any]:
        """One response per request; a request that cannot be read fails alone."""
        wanted: list[list[str] | pb_utils.TritonError] = [_texts(request) for request in requests]
        batch = [
            text
            for request, texts in zip(requests, wanted, strict=True)
            if isinstance(texts, list) and "embedding" in request.requested_output_names()
            for text in texts
        ]
        vectors = self._encoder.encode(batch) if batch else np.empty((0, 0), np.float32)
        responses, start = [], 0
        for request, texts in zip(requests, wanted, strict=True):
            if not isinstance(texts, list):
                responses.append(pb_utils.InferenceResponse(error=texts))
                continue
            names = request.requested_output_names()
            end = start + len(texts) if "embedding" in names else start
            responses.append(self._response(names, len(texts), vectors[start:end]))
            start = end
        return responses

    def _response(self, names: list[str], rows: int, vectors: Floats) -> Any:
        """The outputs that were asked for: embedding [rows, dimension], card and tokenizer [rows, 1]."""
        tensors = []
        if "embedding" in names:
            tensors.append(pb_utils.Tensor("embedding", vectors))
        if "card" in names:
            tensors.append(pb_utils.Tensor("card", np.full((rows, 1), self._card, dtype=np.object_)))
        if "tokenizer" in names:
            content = self._model.tokenizer.read_bytes()
            tensors.append(pb_utils.Tensor("tokenizer", np.full((rows, 1), content, dtype=np.object_)))
        return pb_utils.InferenceResponse(output_tensors=tensors)


def _texts(request: Any) -> "list[str] | pb_utils.TritonError":
    """The texts of a request, or what is wrong with it."""
    if request.is_cancelled():
        return pb_utils.TritonError("the client cancelled the request", pb_utils.TritonError.CANCELLED)
    values = pb_utils.get_input_tensor_by_name(request, "text").as_numpy().reshape(-1)
    try:
        return [value.decode() for value in values]
    except UnicodeDecodeError as exc:
        return pb_utils.TritonError(f"text is not UTF-8: {exc}", pb_utils.TritonError.INVALID_ARG)
