"""The Triton model `embed`: encodes texts as vectors (see ../config.pbtxt for the tensors).

`embed_loader` serves further models with this code, each under a name of its own.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import model_files
import model_metrics
from encoders import Encoder, OnnxEncoder, lanes
from scheduling import CancelledJobError

WAITING_REQUESTS = 64
"""Threads, and thereby requests in flight, for urgent and for other requests each."""


class TritonPythonModel:
    """Runs each request in a thread, so that an urgent one never waits for earlier requests."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the model on the GPU that Triton chose, or on the CPU."""
        parameters = json.loads(args["model_config"]).get("parameters", {})
        setting = parameters.get("model", {}).get("string_value")
        self._model = model_files.embed_model(setting)
        others = model_files.embed_models()[1:] if setting is None else []
        on_gpu = args["model_instance_kind"] == "GPU" and model_files.cuda_usable()
        self._encoder = _encoder(self._model, f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu")
        self._card = json.dumps(
            self._model.card(
                dimension=self._encoder.dimension,
                batch_size=self._encoder.batch_size,
                device=self._encoder.device,
                precision=self._encoder.precision,
            )
            | {"others": [{"name": other.name, "fingerprint": other.fingerprint} for other in others]}
        ).encode()
        self._urgent, self._others = lanes(WAITING_REQUESTS)
        self._metrics = model_metrics.ModelMetrics(pb_utils, model_metrics.EMBED, args)
        for name in model_metrics.EMBED:
            for lane in ("urgent", "bulk") if name == "holdfast_embed_waiting" else ("",):
                self._metrics.add(name, 0, lane)

    def execute(self, requests: list[Any]) -> None:
        """Submits the requests; each response goes out through its request's own sender."""
        for request in requests:
            parameters = json.loads(request.parameters() or "{}")
            urgent = bool(parameters.get("urgent", False))
            sender = request.get_response_sender()
            if parameters.get("fingerprint", self._model.fingerprint) != self._model.fingerprint:
                # The client looks again which models there are, and does not take these vectors for those it wanted.
                response = _failure(f"{self._model.name} is served here now", pb_utils.TritonError.UNAVAILABLE)
                sender.send(response, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
                continue
            lane = self._urgent if urgent else self._others
            self._metrics.add("holdfast_embed_waiting", 1, _lane(urgent))
            lane.submit(self._serve, request, urgent, sender)

    def finalize(self) -> None:
        """Stops accepting work; requests in flight end with the process."""
        for lane in (self._urgent, self._others):
            lane.shutdown(wait=False, cancel_futures=True)
        self._encoder.close()
        self._metrics.close()

    def _serve(self, request: Any, urgent: bool, sender: Any) -> None:
        """Answers one request; any failure becomes its error response."""
        began = time.monotonic()
        try:
            response = self._answer(request, urgent, sender)
        except UnicodeDecodeError as exc:
            response = _failure(f"text is not UTF-8: {exc}", pb_utils.TritonError.INVALID_ARG)
        except CancelledJobError as exc:
            response = _failure(str(exc), pb_utils.TritonError.CANCELLED)
        except Exception as exc:  # noqa: BLE001 -- the edge of a thread: the exception would be lost
            response = _failure(f"embedding failed: {exc}", pb_utils.TritonError.INTERNAL)
        sender.send(response, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
        self._metrics.add("holdfast_embed_waiting", -1, _lane(urgent))
        self._metrics.add("holdfast_embed_requests_total")
        self._metrics.add("holdfast_embed_seconds_total", time.monotonic() - began)

    def _answer(self, request: Any, urgent: bool, sender: Any) -> Any:
        """The requested outputs: embedding [rows, dimension], card and tokenizer [rows, 1]."""
        if sender.is_cancelled():
            return _failure("the client cancelled the request", pb_utils.TritonError.CANCELLED)
        values = pb_utils.get_input_tensor_by_name(request, "text").as_numpy().reshape(-1)
        texts = [value.decode() for value in values]
        names = request.requested_output_names()
        tensors = []
        if "embedding" in names:
            tensors.append(pb_utils.Tensor("embedding", self._embed(texts, urgent, sender)))
        if "card" in names:
            tensors.append(pb_utils.Tensor("card", _repeated(self._card, len(texts))))
        if "tokenizer" in names:
            tensors.append(pb_utils.Tensor("tokenizer", _repeated(self._model.tokenizer.read_bytes(), len(texts))))
        return pb_utils.InferenceResponse(output_tensors=tensors)

    def _embed(self, texts: list[str], urgent: bool, sender: Any) -> Any:
        vectors = self._encoder.encode(texts, urgent=urgent, cancelled=sender.is_cancelled)
        totals = self._encoder.scheduler.totals
        self._metrics.set("holdfast_embed_batch_rows", totals.latest_rows)
        self._metrics.set("holdfast_embed_batches_total", totals.batches)
        self._metrics.set("holdfast_embed_rows_total", totals.rows)
        self._metrics.set("holdfast_embed_tokens_total", totals.tokens)
        return vectors


def _encoder(model: model_files.EmbedModel, device: str) -> Encoder:
    if device == "cpu":
        return OnnxEncoder(model)
    from torch_encoder import TorchEncoder  # noqa: PLC0415 -- imports PyTorch, which a CPU does not need

    return TorchEncoder(model, device)


def _lane(urgent: bool) -> str:
    return "urgent" if urgent else "bulk"


def _repeated(content: bytes, rows: int) -> Any:
    """A string tensor of shape [rows, 1] with `content` in every row."""
    return np.full((rows, 1), content, dtype=np.object_)


def _failure(message: str, code: int) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
