"""Text to vectors: what encoders have in common, and ONNX Runtime on a CPU (on a GPU: `torch_encoder`)."""

# ruff: noqa: PLC0415 -- heavy or optional libraries are imported where they are needed

import atexit
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import numpy.typing as npt
from model_files import EmbedModel, ModelUnavailableError
from scheduling import Finish, Lane, Limits, Scheduler, serve

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Start = Callable[[Sequence[Ids]], Finish[Floats]]

GIVE_WAY = 10
"""Niceness of threads with bulk work, which lowers their priority below everything else on the machine."""

ANSWER_SECONDS = 0.15
"""Bulk work pauses this long after an urgent text, about the time that the rest of an answer takes."""

PAUSE_SECONDS = 0.2
"""Longest pause of bulk work: under any load of questions, one bulk text per two cores starts this often."""

CANCEL_SECONDS = 0.5
"""How often a waiting request is asked whether its client has cancelled it."""


class Encoder:
    """Tokenizes the texts of requests where they arrive, and has a scheduler put them into batches."""

    dimension: int
    device: str
    precision: str
    batch_size: int
    """Number of texts that one request should carry."""

    def __init__(self, model: EmbedModel, limits: Limits, urgent: Limits) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(model.tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(model.max_tokens)
        # Other requests are tokenized by at most half of the cores, so that the threads of the encoder have the rest.
        self._tokenizing = threading.Semaphore(max(1, cores() // 2))
        self.scheduler: Scheduler[Ids, Floats] = Scheduler(limits, urgent)
        self._threads: list[threading.Thread] = []
        atexit.register(self.close)  # a thread that the interpreter's end finds inside a library aborts the process

    def encode(
        self, texts: Sequence[str], *, urgent: bool = False, cancelled: Callable[[], bool] = lambda: False
    ) -> Floats:
        """Vectors of shape [len(texts), dimension] in the order of the texts; long texts are truncated.

        Thread-safe. Raises `CancelledJobError` soon after `cancelled` is true, and when the encoder is closed.
        """
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        with nullcontext() if urgent else self._tokenizing:
            ids = [np.array(encoding.ids, np.int64) for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        job = self.scheduler.submit(ids, list(map(len, ids)), Lane.URGENT if urgent else Lane.BULK)
        while not job.wait(CANCEL_SECONDS):
            if cancelled():
                job.cancel()
        return np.stack(job.outputs())

    def close(self) -> None:
        """Ends the threads, each after the batch that it computes; requests that wait fail."""
        atexit.unregister(self.close)
        self.scheduler.close()
        for thread in self._threads:
            thread.join()

    def _serve(self, start: Start, *lanes: Lane, ahead: int = 0, polite: bool = False) -> None:
        """Starts a thread that computes the batches of these lanes; a polite one has a low priority."""

        def run() -> None:
            if polite:
                give_way()
            serve(self.scheduler, lanes, start, ahead)

        thread = threading.Thread(target=run, name=lanes[0].value, daemon=True)
        self._threads.append(thread)
        thread.start()


class OnnxEncoder(Encoder):
    """The int8 export on a CPU. Imports neither torch nor transformers and starts within a second.

    Each text is a batch of its own on one core, and as many texts run at once as there are cores. On two cores this is
    as fast as batches of 8 over both (no padding, no waiting for each other), and it makes a text's vector depend only
    on the text: int8 activations share one scale per batch, so other texts in the batch would shift it.
    Urgent texts have their own threads. The other threads leave the cores to them, also for a moment afterwards,
    because the request that needs the vector has more work to do.
    """

    device = "cpu"
    precision = "int8"
    batch_size = 8

    def __init__(self, model: EmbedModel) -> None:
        import onnxruntime  # type: ignore[import-untyped]

        if not model.onnx.is_file():
            raise ModelUnavailableError(f"no int8 export of {model.name}: run triton_models/prepare.py")
        super().__init__(model, Limits(), Limits())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model.onnx), options, providers=["CPUExecutionProvider"])
        self._clock = UrgencyClock()
        self._bulk_slots = threading.Semaphore(max(1, cores() // 2))
        for _ in range(cores()):
            self._serve(self._run, Lane.URGENT)
            self._serve(self._run_bulk, Lane.BULK, polite=True)
        self.dimension = int(self.encode(["warm up"]).shape[1])

    def encode(
        self, texts: Sequence[str], *, urgent: bool = False, cancelled: Callable[[], bool] = lambda: False
    ) -> Floats:
        """Implements `Encoder.encode`."""
        if urgent:
            self._clock.set()
        return super().encode(texts, urgent=urgent, cancelled=cancelled)

    def _run_bulk(self, rows: Sequence[Ids]) -> Finish[Floats]:
        """Like `_run`, but waits while urgent texts were encoded recently."""
        with self._bulk_slots:
            latest = time.monotonic() + PAUSE_SECONDS
            while (pause := min(self._clock.latest() + ANSWER_SECONDS, latest) - time.monotonic()) > 0:
                time.sleep(pause)
        return self._run(rows)

    def _run(self, rows: Sequence[Ids]) -> Finish[Floats]:
        """The vector of one text's token ids."""
        row = np.stack(rows)
        vectors: Floats = self._session.run(None, {"input_ids": row, "attention_mask": np.ones_like(row)})[0]
        return lambda: vectors


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


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def lanes(threads: int) -> tuple[ThreadPoolExecutor, ThreadPoolExecutor]:
    """Two thread pools of this size: for urgent work, and for other work at a lower priority."""
    return (
        ThreadPoolExecutor(threads, thread_name_prefix="urgent"),
        ThreadPoolExecutor(threads, thread_name_prefix="other", initializer=give_way),
    )


def give_way() -> None:
    """Lowers the priority of the running thread; on Linux each thread has its own."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), GIVE_WAY)
