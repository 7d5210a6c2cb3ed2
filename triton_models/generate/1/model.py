"""The Triton model `generate`: messages in, text out, by one of two engines (see ../config.pbtxt)."""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import model_files
import model_metrics
from chat import Chat, Engine, GenerationError, chat_of

WAITING_ANSWERS = 64
"""Threads, and thereby requests in flight: in llama.cpp's slots and in its queue, or at the endpoint."""

CARD = "card"


class TritonPythonModel:
    """Runs each request in a thread, so that `execute` never waits for an answer."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the language model if the settings name one.

        The bundled one takes half a GB, and many never ask it: it is loaded for the first request.
        """
        parameters = json.loads(args["model_config"]).get("parameters", {})
        self._engine = _engine({name: int(each["string_value"]) for name, each in parameters.items()})
        self._threads = ThreadPoolExecutor(WAITING_ANSWERS, thread_name_prefix="answer")
        self._metrics = model_metrics.ModelMetrics(pb_utils, model_metrics.GENERATE, args)
        for name in model_metrics.GENERATE:
            self._metrics.add(name, 0)
        if os.environ.get(model_files.GENERATE_VARIABLE):
            self._engine.load()

    def execute(self, requests: list[Any]) -> None:
        """Submits the requests; responses go out through each request's own sender."""
        for request in requests:
            self._threads.submit(self._serve, request, request.get_response_sender())

    def finalize(self) -> None:
        """Stops accepting work; answers in flight end with the process."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._metrics.close()
        self._engine.close()

    def _serve(self, request: Any, sender: Any) -> None:
        """Answers one request; any failure becomes its error response, and the stream always ends."""
        reader = Sender(sender, self._metrics)
        self._metrics.add("holdfast_generate_running", 1)
        try:
            if list(request.requested_output_names()) == [CARD]:
                reader.end(CARD, json.dumps(self._engine.card()).encode())
            else:
                reader.end("ending", self._engine.answer(_chat(request), reader).json())
        except ValueError as exc:
            reader.fail(str(exc), pb_utils.TritonError.INVALID_ARG)
        except GenerationError as exc:
            error = pb_utils.TritonError
            reader.fail(str(exc), error.INVALID_ARG if 400 <= exc.code < 500 else error.INTERNAL)
        except Exception as exc:  # noqa: BLE001 -- the edge of a thread: the exception would be lost
            reader.fail(f"generation failed: {exc}", pb_utils.TritonError.INTERNAL)
        finally:
            self._metrics.add("holdfast_generate_running", -1)


class Sender:
    """Triton's response sender as a `chat.Reader`; counts what it sends."""

    def __init__(self, sender: Any, metrics: model_metrics.ModelMetrics) -> None:
        self._sender, self._metrics = sender, metrics
        self._began: float | None = time.monotonic()

    @property
    def left(self) -> bool:
        """See `chat.Reader`."""
        return bool(self._sender.is_cancelled())

    def send(self, text: str) -> None:
        """See `chat.Reader`."""
        self._metrics.add("holdfast_generate_tokens_total")
        if self._began is not None:
            self._metrics.add("holdfast_generate_requests_total")
            self._metrics.add("holdfast_generate_first_token_seconds_total", time.monotonic() - self._began)
            self._began = None
        if not self.left:
            self._sender.send(_response("text_output", text.encode()))

    def end(self, output: str, content: bytes) -> None:
        """Ends the request, with a last output if there is a reader for it."""
        final = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
        if self.left:
            self._sender.send(flags=final)
        else:
            self._sender.send(_response(output, content), flags=final)

    def fail(self, message: str, code: int) -> None:
        """Ends the request with an error response."""
        response = pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
        self._sender.send(response, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)


def _engine(parameters: dict[str, int]) -> Engine:
    """What the settings name: an endpoint, or a GGUF file. Each engine imports a library that the other leaves out."""
    if model_files.generates_elsewhere():
        from endpoint import Endpoint  # noqa: PLC0415
        from endpoint_settings import address_of  # noqa: PLC0415

        return Endpoint(address_of(os.environ))
    from llama import Llama  # noqa: PLC0415

    return Llama(context=parameters["context"], slots=parameters["slots"])


def _chat(request: Any) -> Chat:
    """Parses and validates a request. Raises `ValueError` with the reason."""
    messages, sampling = (
        pb_utils.get_input_tensor_by_name(request, name) for name in ("messages", "sampling_parameters")
    )
    if messages is None:
        raise ValueError("messages are missing")
    return chat_of(_text(messages), "{}" if sampling is None else _text(sampling))


def _text(tensor: Any) -> str:
    return str(tensor.as_numpy().reshape(-1)[0].decode())


def _response(output: str, content: bytes) -> Any:
    tensor = pb_utils.Tensor(output, np.array([content], dtype=np.object_))
    return pb_utils.InferenceResponse(output_tensors=[tensor])
