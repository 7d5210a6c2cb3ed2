"""Vectors of many mixed requests by the scheduler, beside the same model with its best batches and nothing around it.

The model runs in a process of Triton's environment (this file), without Triton: what is measured is the encoder of the
CPU. Each round has both sides embed the same texts, in turns: batches of token ids that were made before, and requests
of many sizes by many threads at once. A further run asks questions meanwhile.
"""

# ruff: noqa: PLC0415 -- one side runs in an environment without the other side's libraries

from __future__ import annotations

import asyncio
import json
import random
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

TARGET = 0.95
CLIENTS = 16
SIZES = (1, 2, 3, 5, 8, 8, 8, 13, 31, 64)
"""Texts of a request: 8 are a CPU's, 64 a GPU's."""

BATCHES = (1, 8)
"""Texts that the model alone is given at once: one for each core, or this many for all cores."""

PAUSE = 0.4
"""Seconds between questions."""


async def shares(texts: int, rounds: int, python: Path) -> list[Any]:
    """Scheduler ÷ model alone, and how long a question takes without and with bulk work."""
    from tests.bench.measures import Measure, milliseconds, quantile, say

    process = await asyncio.create_subprocess_exec(
        str(python), "-W", "ignore", __file__, str(texts), str(rounds), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"scheduler: the model's process ended with {process.returncode}")
    found = json.loads(printed)
    speeds = [f"{found['tokens'] / min(found[side])[0]:,.0f}" for side in ("alone", "scheduler")]
    say(f"  best rounds: {speeds[0]} tokens/s alone in batches of {found['batch']}, {speeds[1]} by the scheduler")
    rounds_of_both = list(zip(found["alone"], found["scheduler"], strict=True))
    ratios, processor = ([alone[n] / ours[n] for alone, ours in rounds_of_both] for n in (0, 1))
    return [
        Measure(name="scheduler ÷ model alone", values=ratios, target=f"≥ {TARGET}", note=f"{texts} texts"),
        Measure(name="… by processor time", values=processor, note="little depends on what else runs here"),
        Measure(name="a question, idle: p50", values=[quantile(milliseconds(found["idle"]), 0.5)], unit="ms"),
        Measure(name="… beside bulk work: p50", values=[quantile(milliseconds(found["busy"]), 0.5)], unit="ms"),
        Measure(name="… beside bulk work: p95", values=[quantile(milliseconds(found["busy"]), 0.95)], unit="ms"),
    ]


def timed(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


class Side:
    """The encoder of a CPU."""

    def __init__(self, count: int) -> None:
        sys.path.insert(0, str(ROOT / "triton_models"))
        import encoders  # type: ignore[import-not-found]
        import model_files  # type: ignore[import-not-found]
        import numpy as np

        from tests.bench.embed import paragraphs

        dice = random.Random(count)
        pool = paragraphs([])
        self.encoder = encoders.OnnxEncoder(model_files.embed_model())
        # Ends of paragraphs: some short, most of a chunk's length.
        made = (text[-dice.randint(20, len(text)) :] for text in dice.choices(pool, k=count))
        self.texts = [f"passage: {text}" for text in made]
        self.requests, left = [], list(self.texts)
        while left:
            size = dice.choice(SIZES)
            self.requests.append(left[:size])
            left = left[size:]
        encodings = self.encoder._tokenizer.encode_batch_fast(self.texts)
        self.ids = sorted((np.array(each.ids, np.int64) for each in encodings), key=len, reverse=True)
        self.tokens = sum(map(len, self.ids))
        self._threads = ThreadPoolExecutor(encoders.cores(), initializer=encoders.give_way)
        self._whole = _session(model_files.embed_model().onnx, encoders.cores())

    def alone(self, batch: int) -> None:
        """The model on token ids, sorted by length."""
        if batch == 1:
            list(self._threads.map(lambda ids: self.encoder._run([ids])(), self.ids))
        else:
            self._threads.submit(self._batches, batch).result()

    def _batches(self, batch: int) -> None:
        import numpy as np

        for start in range(0, len(self.ids), batch):
            rows = self.ids[start : start + batch]
            ids, mask = np.ones((2, len(rows), len(rows[0])), np.int64)
            for row, (row_ids, row_mask) in zip(rows, zip(ids, mask, strict=True), strict=True):
                row_ids[: len(row)], row_mask[len(row) :] = row, 0
            self._whole.run(None, {"input_ids": ids, "attention_mask": mask})

    def scheduled(self) -> None:
        """All requests, of `CLIENTS` threads."""
        with ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(self.encoder.encode, self.requests))

    def question(self) -> float:
        """Seconds of one question."""
        return timed(lambda: self.encoder.encode(["query: how many days of leave are left"], urgent=True))

    def questions_beside(self) -> list[float]:
        """Seconds of questions while all requests are computed."""
        bulk = threading.Thread(target=self.scheduled)
        bulk.start()
        waits = []
        while bulk.is_alive():
            time.sleep(PAUSE)
            waits.append(self.question())
        bulk.join()
        return waits


def _session(path: Path, threads: int) -> Any:
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def main(count: int, rounds: int) -> None:
    """Measures, and prints seconds as JSON."""
    side = Side(count)
    side.alone(1)
    best = min(BATCHES, key=lambda batch: timed(lambda: side.alone(batch)))
    alone, ours = [], []
    for number in range(rounds):
        turns = [(alone, lambda: side.alone(best)), (ours, side.scheduled)]
        for seconds, call in turns if number % 2 else reversed(turns):
            busy = time.process_time()
            seconds.append([timed(call), time.process_time() - busy])
    found = {"batch": best, "tokens": side.tokens, "alone": alone, "scheduler": ours}
    found |= {"idle": [side.question() for _ in range(50)], "busy": side.questions_beside()}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
