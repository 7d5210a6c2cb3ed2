"""The Triton model `generate`: llama.cpp with the tensors of Triton's vLLM backend (see ../config.pbtxt)."""

import json
import os
import secrets
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]
import xllamacpp  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import model_files
import model_metrics

DEFAULT_MAX_TOKENS = 16
"""vLLM's default for requests without `max_tokens`."""

PROMPT_STEP = 64
"""Prompt tokens per step. A cancelled prompt is dropped after its next step, so a new request waits for up to one
step per slot when all slots process prompts."""

WAITING_ANSWERS = 64
"""Threads, and thereby requests in flight: in llama.cpp's slots and in its queue."""

SAMPLING = {
    "temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "min_p": "min_p", "seed": "seed",
    "max_tokens": "max_tokens", "stop": "stop", "ignore_eos": "ignore_eos",
    "presence_penalty": "presence_penalty", "frequency_penalty": "frequency_penalty",
    "repetition_penalty": "repeat_penalty",
}  # fmt: skip
"""vLLM's names of sampling parameters and their names in llama.cpp."""


class Question(NamedTuple):
    """A validated request."""

    prompt: str
    stream: bool
    prepend_prompt: bool
    """Whether the answer starts with the prompt (vLLM's default unless streaming)."""
    sampling: dict[str, Any]


class GenerationError(RuntimeError):
    """llama.cpp rejected a request or aborted it; `code` is its HTTP-like status."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class TritonPythonModel:
    """Runs each request in a thread, so that `execute` never waits for an answer."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the language model if the settings name one.

        The bundled one takes half a GB, and many never ask it: it is loaded for the first request (a second).
        """
        self._parameters = json.loads(args["model_config"]).get("parameters", {})
        self._loading = threading.Lock()
        self._loaded: Any = None
        self._threads = ThreadPoolExecutor(WAITING_ANSWERS, thread_name_prefix="answer")
        self._metrics = model_metrics.ModelMetrics(pb_utils, model_metrics.GENERATE, args)
        for name in model_metrics.GENERATE:
            self._metrics.add(name, 0)
        if os.environ.get(model_files.GENERATE_VARIABLE):
            self._server()

    def _server(self) -> Any:
        """The GGUF in llama.cpp: on a GPU when xllamacpp is a GPU build, otherwise on the CPU."""
        with self._loading:
            if self._loaded is None:
                self._loaded = _load(self._parameters)
            return self._loaded

    def execute(self, requests: list[Any]) -> None:
        """Submits the requests; responses go out through each request's own sender."""
        for request in requests:
            self._threads.submit(self._serve, request, request.get_response_sender())

    def finalize(self) -> None:
        """Stops accepting work; answers in flight end with the process."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._metrics.close()

    def _serve(self, request: Any, sender: Any) -> None:
        """Answers one request; any failure becomes its error response, and the stream always ends."""
        self._metrics.add("holdfast_generate_running", 1)
        try:
            self._answer(_question(request), sender)
        except ValueError as exc:
            _fail(sender, str(exc), pb_utils.TritonError.INVALID_ARG)
        except GenerationError as exc:
            error = pb_utils.TritonError
            _fail(sender, str(exc), error.INVALID_ARG if 400 <= exc.code < 500 else error.INTERNAL)
        except Exception as exc:  # noqa: BLE001 -- the edge of a thread: the exception would be lost
            _fail(sender, f"generation failed: {exc}", pb_utils.TritonError.INTERNAL)
        finally:
            self._metrics.add("holdfast_generate_running", -1)

    def _answer(self, question: Question, sender: Any) -> None:
        """Sends the answer as a stream or as a whole. Raises `GenerationError`."""
        pieces: list[str] = []
        failures: list[GenerationError] = []
        began, written = time.monotonic(), 0

        def receive(event: dict[str, Any]) -> bool:
            """Handles one event of llama.cpp; True stops the generation at this token."""
            nonlocal written
            if "error" in event:
                error = event["error"]
                failures.append(GenerationError(error.get("message", "unknown"), int(error.get("code", 500))))
                return True
            text = "".join(choice.get("text") or "" for choice in event.get("choices", ()))
            if text:
                written += 1
                self._metrics.add("holdfast_generate_tokens_total")
            if text and written == 1:
                self._metrics.add("holdfast_generate_requests_total")
                self._metrics.add("holdfast_generate_first_token_seconds_total", time.monotonic() - began)
            if text and question.stream and not sender.is_cancelled():
                sender.send(_text_response(text))
            elif text:
                pieces.append(text)
            return bool(sender.is_cancelled())

        # Always streamed internally, so that a cancellation takes effect before the end.
        task = {**question.sampling, "prompt": question.prompt, "stream": True, "return_progress": True}
        self._server().handle_completions(task, receive)
        if failures:
            raise failures[0]
        final = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
        if question.stream or sender.is_cancelled():
            sender.send(flags=final)
        else:
            prompt = question.prompt if question.prepend_prompt else ""
            sender.send(_text_response(prompt + "".join(pieces)), flags=final)


def _load(parameters: dict[str, Any]) -> Any:
    """llama.cpp with the parameters of config.pbtxt; takes the memory of all slots at once."""
    slots = int(parameters["slots"]["string_value"])
    params = xllamacpp.CommonParams()
    params.model.path = str(model_files.generate_model())
    params.n_parallel = slots
    params.n_ctx = slots * int(parameters["context"]["string_value"])
    params.n_batch = params.n_ubatch = PROMPT_STEP
    params.cache_ram_mib = 0
    # Generating one token takes many small steps, after each of which all threads wait for the slowest. With
    # ingestion on the same cores, every step would wait for a thread without a core (measured on two cores:
    # 3 tokens/s). Generation therefore uses half of the cores, and waiting threads do not spin.
    params.cpuparams.n_threads = max(1, (os.cpu_count() or 2) // 2)
    params.cpuparams_batch.n_threads = os.cpu_count() or 2
    params.cpuparams.poll = params.cpuparams_batch.poll = 0
    params.verbosity = -1
    # The library always listens on a random local port; a secret key reserves it for this process.
    params.api_keys = [secrets.token_urlsafe()]
    params.ui = False
    return xllamacpp.Server(params)


def _question(request: Any) -> Question:
    """Parses and validates a request. Raises `ValueError` with the reason."""
    prompt = _value(request, "text_input").decode()
    stream = bool(_value(request, "stream", False))
    exclude = _value(request, "exclude_input_in_output")
    if stream and exclude is not None and not exclude:
        raise ValueError("when streaming, `exclude_input_in_output` = False is not allowed")
    given = _value(request, "sampling_parameters")
    sampling = json.loads(given if given is not None else request.parameters() or "{}")
    if not isinstance(sampling, dict):
        raise ValueError("sampling_parameters must be a JSON object")  # noqa: TRY004 -- the client's mistake
    unknown = sorted(set(sampling) - set(SAMPLING))
    if unknown:
        raise ValueError(f"unknown sampling parameters: {', '.join(unknown)} (known: {', '.join(SAMPLING)})")
    native = {SAMPLING[name]: value for name, value in sampling.items() if value is not None}
    return Question(prompt, stream, not stream and not exclude, {"max_tokens": DEFAULT_MAX_TOKENS, **native})


def _value(request: Any, name: str, default: Any = None) -> Any:
    """The single value of an input tensor, or `default` when the request lacks it."""
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return default if tensor is None else tensor.as_numpy().reshape(-1)[0]


def _text_response(text: str) -> Any:
    tensor = pb_utils.Tensor("text_output", np.array([text.encode()], dtype=np.object_))
    return pb_utils.InferenceResponse(output_tensors=[tensor])


def _fail(sender: Any, message: str, code: int) -> None:
    """Ends a request with an error response."""
    response = pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
    sender.send(response, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
