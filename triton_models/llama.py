"""The engine of GGUF files: llama.cpp, with the chat template that the file holds."""

import os
import secrets
import threading
from typing import Any

import model_files
import xllamacpp  # type: ignore[import-untyped]
from chat import Chat, Ending, GenerationError, Reader

PROMPT_STEP = 64
"""Prompt tokens per step. A cancelled prompt is dropped after its next step, so a new request waits for up to one
step per slot when all slots process prompts."""

OWN_NAMES = {"repetition_penalty": "repeat_penalty"}
"""Sampling parameters that llama.cpp calls otherwise."""


class Llama:
    """Loads the GGUF for the first request (a second), unless `load` is called before."""

    def __init__(self, *, context: int, slots: int) -> None:
        self._context, self._slots = context, slots
        self._loading = threading.Lock()
        self._loaded: Any = None

    def load(self) -> Any:
        """The model: on a GPU when xllamacpp is a GPU build, otherwise on the CPU."""
        with self._loading:
            if self._loaded is None:
                self._loaded = xllamacpp.Server(self._params())
            return self._loaded

    def close(self) -> None:
        """See `chat.Engine`: it ends with the process."""

    def card(self) -> dict[str, Any]:
        """See `chat.Engine`."""
        return {"engine": "llama.cpp", "model": model_files.generate_name(), "host": "", "problem": None}

    def answer(self, chat: Chat, reader: Reader) -> Ending:
        """See `chat.Engine`."""
        ending = Ending(model_files.generate_name())
        failures: list[GenerationError] = []

        def receive(event: dict[str, Any]) -> bool:
            """Handles one event of llama.cpp; True stops the generation at this token."""
            if "error" in event:
                error = event["error"]
                failures.append(GenerationError(error.get("message", "unknown"), int(error.get("code", 500))))
                return True
            if text := ending.note(event):
                reader.send(text)
            return reader.left

        # `return_progress` has it call `receive` while it reads the prompt, too.
        task = {OWN_NAMES.get(name, name): value for name, value in chat.sampling.items()}
        task |= {"messages": chat.messages, "stream": True, "return_progress": True}
        self.load().handle_chat_completions({**task, "stream_options": {"include_usage": True}}, receive)
        if failures:
            raise failures[0]
        return ending

    def _params(self) -> Any:
        """Takes the memory of all slots at once."""
        params = xllamacpp.CommonParams()
        params.model.path = str(model_files.generate_model())
        params.n_parallel = self._slots
        params.n_ctx = self._slots * self._context
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
        return params
