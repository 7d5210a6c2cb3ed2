"""Embedding on a GPU: through Triton, as a multiple of the model alone at its best batch, and how busy the GPU is.

The model alone is sentence-transformers in the same precision, in a process of Triton's environment (this file), on
texts sorted by length. Rounds are measured in turns. Without a GPU there is nothing to measure, and the bench says so.
"""

# ruff: noqa: PLC0415 -- one side runs in an environment without the other side's libraries

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]

if TYPE_CHECKING:
    from tests.bench.instance import Bench
    from tests.bench.measures import Measure

TARGET = 0.9
IN_FLIGHT = 32
BATCHES = (32, 64, 128, 256, 512, 1024)
PAUSE = 0.1
"""Seconds between questions."""

QUERY = "query: how many days of leave are left"
UTILIZATION = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop-ms=200"]


async def busy(bench: Bench, texts: int, rounds: int, python: Path) -> list[Measure]:
    """Triton ÷ model alone, the GPU's utilization, and questions meanwhile. No measures without a GPU."""
    from tests.bench.embed import _made_up
    from tests.bench.measures import Measure, milliseconds, quantile, say

    card = await bench.stores.triton.card()
    if card.device != "cuda":
        say(f"  skipped: there is no GPU, Triton serves {card.model} on the {card.device}")
        return []
    passages = [card.prompts.get("passage", "") + _made_up(seed) for seed in range(texts)]
    ratios, used = [], []
    async with _alone(python, passages) as alone:
        await _through(bench, passages[: IN_FLIGHT * card.batch_size], card.batch_size)
        for _ in range(rounds):
            theirs = await alone()
            sampled = asyncio.create_task(_utilization())
            ratios.append(theirs / await _through(bench, passages, card.batch_size))
            sampled.cancel()
            used.append(await sampled)
    questions = asyncio.create_task(_questions(bench))
    await _through(bench, passages, card.batch_size)
    questions.cancel()
    waits = milliseconds(await questions)
    return [
        Measure(name="GPU: Triton ÷ model alone", values=ratios, target=f"≥ {TARGET}", note=f"{texts} texts"),
        Measure(name="GPU: busy", values=used, unit="%"),
        Measure(name="GPU: a question beside it, p50", values=[quantile(waits, 0.5)], unit="ms"),
        Measure(name="GPU: a question beside it, p95", values=[quantile(waits, 0.95)], unit="ms"),
    ]


async def _through(bench: Bench, texts: list[str], batch: int) -> float:
    """Seconds to embed all texts with many requests in flight."""
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def one(some: list[str]) -> None:
        async with slots:
            await bench.stores.triton.embed(some)

    began = time.perf_counter()
    await asyncio.gather(*(one(texts[start : start + batch]) for start in range(0, len(texts), batch)))
    return time.perf_counter() - began


async def _questions(bench: Bench) -> list[float]:
    """Seconds of questions, until it is cancelled."""
    waits = []
    try:
        while True:
            began = time.perf_counter()
            await bench.stores.triton.embed([QUERY], urgent=True)
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE)
    except asyncio.CancelledError:
        return waits


async def _utilization() -> float:
    """The mean utilization of the GPU in percent, until it is cancelled."""
    program = shutil.which("nvidia-smi") or "nvidia-smi"
    process = await asyncio.create_subprocess_exec(program, *UTILIZATION, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    samples = []
    try:
        async for line in process.stdout:
            samples.append(float(line))
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
    return sum(samples) / max(1, len(samples))


@asynccontextmanager
async def _alone(python: Path, texts: list[str]) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """A function that measures the model alone, in a process that stays up between rounds."""
    process = await asyncio.create_subprocess_exec(
        str(python), "-W", "ignore", __file__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    answers, commands = process.stdout, process.stdin

    async def say(line: str) -> float:
        commands.write(line.encode() + b"\n")
        await commands.drain()
        return float(await answers.readline())

    try:
        await say(json.dumps(texts))
        yield lambda: say("encode")
    finally:
        process.terminate()
        await process.wait()


def main() -> None:
    """The model alone: texts on the first line, which is answered with the best batch; then one round per line."""
    sys.path.insert(0, str(ROOT / "triton_models"))
    import model_files  # type: ignore[import-not-found]
    import torch  # type: ignore[import-not-found]
    from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found]

    texts = sorted(json.loads(sys.stdin.readline()), key=len)
    model_file = model_files.embed_model()
    kwargs = {"dtype": getattr(torch, model_files.half_precision(model_file.folder))}
    model = SentenceTransformer(str(model_file.folder), device="cuda", model_kwargs=kwargs)
    model.max_seq_length = model_file.max_tokens

    def seconds(batch: int) -> float:
        began = time.perf_counter()
        model.encode(texts, batch_size=batch, show_progress_bar=False)
        return time.perf_counter() - began

    seconds(BATCHES[0])
    best = min(BATCHES, key=seconds)
    print(best, flush=True)
    for _ in sys.stdin:
        print(seconds(best), flush=True)


if __name__ == "__main__":
    main()
