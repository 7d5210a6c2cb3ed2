"""Text to vectors: ONNX Runtime on a CPU and sentence-transformers on a GPU behind one protocol."""

# ruff: noqa: PLC0415 -- heavy or optional libraries are imported where they are needed

import mmap
import os
import struct
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import numpy.typing as npt
from model_files import EmbedModel, ModelUnavailableError

Floats = npt.NDArray[np.float32]


GIVE_WAY = 10
"""Niceness of threads with bulk work, which lowers their priority below everything else on the machine."""

ANSWER_SECONDS = 0.15
"""Bulk work pauses this long after an urgent text, about the time that the rest of an answer takes."""

PAUSE_SECONDS = 0.2
"""Longest pause of bulk work: under any load of questions, one bulk text per two cores starts this often."""


class Encoder(Protocol):
    """The interface of an encoder to the Triton model."""

    dimension: int
    device: str
    precision: str
    batch_size: int
    """Number of texts that one request should carry."""
    tokens: int
    """Tokens that were embedded so far; 0 if they are not counted."""

    def encode(self, texts: Sequence[str], *, urgent: bool = False) -> Floats:
        """Vectors of shape [len(texts), dimension] in the order of the texts; long texts are truncated.

        Thread-safe. Urgent calls do not wait for others.
        """


class OnnxEncoder:
    """The int8 export on a CPU. Imports neither torch nor transformers and starts within a second.

    Each text runs alone on one core, and as many texts run at once as there are cores. On two cores this is as fast
    as batches of 8 over both (no padding, no waiting for each other), and it makes a text's vector depend only on
    the text: int8 activations share one scale per batch, so other texts in the batch would shift it.
    Urgent texts have their own threads. The other threads leave the cores to them, also for a moment afterwards,
    because the request that needs the vector has more work to do.
    """

    device = "cpu"
    precision = "int8"
    batch_size = 8

    def __init__(self, model: EmbedModel) -> None:
        import onnxruntime  # type: ignore[import-untyped]
        from tokenizers import Tokenizer

        if not model.onnx.is_file():
            raise ModelUnavailableError(f"no int8 export of {model.name}: run triton_models/prepare.py")
        self._tokenizer = Tokenizer.from_file(str(model.tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(model.max_tokens)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model.onnx), options, providers=["CPUExecutionProvider"])
        cores = len(os.sched_getaffinity(0))
        self._urgent, self._others = lanes(cores)
        self._clock = UrgencyClock()
        self._bulk_slots = threading.Semaphore(max(1, cores // 2))
        self.tokens = 0
        self.dimension = int(self.encode(["warm up"]).shape[1])

    def encode(self, texts: Sequence[str], *, urgent: bool = False) -> Floats:
        """Implements `Encoder.encode`."""
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        self.tokens += sum(map(len, tokens))  # two threads may lose a count to each other: it is a metric
        # Longest first, so that no core starts a long text at the end.
        order = sorted(range(len(tokens)), key=lambda i: -len(tokens[i]))
        if urgent:
            self._clock.set()
        lane, run = (self._urgent, self._run) if urgent else (self._others, self._run_bulk)
        rows = lane.map(run, [tokens[i] for i in order])
        vectors = dict(zip(order, rows, strict=True))
        return np.concatenate([vectors[i] for i in range(len(tokens))])

    def _run_bulk(self, ids: list[int]) -> Floats:
        """Like `_run`, but waits while urgent texts were encoded recently."""
        with self._bulk_slots:
            latest = time.monotonic() + PAUSE_SECONDS
            while (pause := min(self._clock.latest() + ANSWER_SECONDS, latest) - time.monotonic()) > 0:
                time.sleep(pause)
        return self._run(ids)

    def _run(self, ids: list[int]) -> Floats:
        """The vector [1, dimension] of one text's token ids."""
        row = np.array([ids], dtype=np.int64)
        feed = {"input_ids": row, "attention_mask": np.ones_like(row)}
        vector: Floats = self._session.run(None, feed)[0]
        return vector


class TorchEncoder:
    """sentence-transformers in float16 on a GPU; runs at most one urgent and one other request at a time."""

    device = "cuda"
    precision = "float16"
    batch_size = 64
    tokens = 0

    def __init__(self, model: EmbedModel, device_id: int) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        kwargs = {"dtype": torch.float16}
        self._model = SentenceTransformer(str(model.folder), device=f"cuda:{device_id}", model_kwargs=kwargs)
        self._model.max_seq_length = model.max_tokens
        self._locks = {True: threading.Lock(), False: threading.Lock()}
        self.dimension = int(self.encode(["warm up"]).shape[1])

    def encode(self, texts: Sequence[str], *, urgent: bool = False) -> Floats:
        """Implements `Encoder.encode`. The texts already contain their prompts, so none is added here."""
        with self._locks[urgent]:
            vectors = self._model.encode(
                list(texts), prompt="", batch_size=self.batch_size, convert_to_numpy=True, show_progress_bar=False
            )
        return np.asarray(vectors, dtype=np.float32)


class UrgencyClock:
    """The time of the latest urgent text, shared by the processes of all embedding models of a server."""

    def __init__(self) -> None:
        path = os.environ.get("HOLDFAST_URGENCY_CLOCK")
        file = -1
        if path:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(file, 8)
        self._memory = mmap.mmap(file, 8)
        if path:
            os.close(file)

    def set(self) -> None:
        """Records that there is an urgent text now."""
        struct.pack_into("=d", self._memory, 0, time.monotonic())

    def latest(self) -> float:
        """The time of the latest one, on the machine's monotonic clock; 0 before the first."""
        seconds: float = struct.unpack_from("=d", self._memory)[0]
        return seconds


def lanes(threads: int) -> tuple[ThreadPoolExecutor, ThreadPoolExecutor]:
    """Two thread pools of this size: for urgent work, and for other work at a lower priority."""
    return (
        ThreadPoolExecutor(threads, thread_name_prefix="urgent"),
        ThreadPoolExecutor(threads, thread_name_prefix="other", initializer=give_way),
    )


def give_way() -> None:
    """Lowers the priority of the running thread; on Linux each thread has its own."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), GIVE_WAY)
