"""The Triton model `rerank`: scores how well texts answer queries (see ../config.pbtxt for the tensors)."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import model_files
from reranker import Reranker


class TritonPythonModel:
    """Processes each request separately, as one request contains all texts of its query."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the model on the GPU that Triton chose, or on the CPU."""
        on_gpu = args["model_instance_kind"] == "GPU" and model_files.cuda_usable()
        device = f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu"
        self._reranker = Reranker(model_files.rerank_model(), device)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Returns one response per request; an invalid request fails without affecting the others."""
        return [self._response(request) for request in requests]

    def _response(self, request: Any) -> Any:
        if request.is_cancelled():
            error = pb_utils.TritonError("the client cancelled the request", pb_utils.TritonError.CANCELLED)
            return pb_utils.InferenceResponse(error=error)
        try:
            queries, texts = (_strings(request, name) for name in ("query", "text"))
        except UnicodeDecodeError as exc:
            error = pb_utils.TritonError(f"text is not UTF-8: {exc}", pb_utils.TritonError.INVALID_ARG)
            return pb_utils.InferenceResponse(error=error)
        scores = self._reranker.score(list(zip(queries, texts, strict=True)))
        tensor = pb_utils.Tensor("score", scores.reshape(-1, 1).astype(np.float32))
        return pb_utils.InferenceResponse(output_tensors=[tensor])


def _strings(request: Any, name: str) -> list[str]:
    values = pb_utils.get_input_tensor_by_name(request, name).as_numpy().reshape(-1)
    return [value.decode() for value in values]
