"""Embedding speed through Triton, as a multiple of sentence-transformers in torch float32.

    python tests/bench/embed.py --triton 127.0.0.1:8001 --data en.json zh.json

Both sides embed the same paragraphs with the same model on the same machine, in turns: Triton over gRPC
(requests of `batch_size` texts sorted by length, two in flight, not urgent), and `encode()` with its
default batch of 32 in a process of the environment with PyTorch, which `make bench` sets up. The result
is the median ratio. It is meaningful only on a quiet machine: other work slows the two sides by different
factors. A load above the number of cores, or torch far below its usual speed, indicates a disturbed run.
"""

# ruff: noqa: PLC0415 -- one side runs in an environment without the other side's libraries

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
TORCH_VENV = ROOT / ".venv-torch"
IN_FLIGHT = 2
TORCH_BATCH = 32
TARGET = 1.6
ENGLISH = "leave policy employee request answer within working days before after annual report of the"
CHINESE = "员工 年假 申请 应当 在 工作日 内 提交 审批 部门 负责 报告 制度 规定"


def paragraphs(files: Sequence[Path]) -> list[str]:
    """The contexts of SQuAD-style files, or made-up English and Chinese paragraphs when there are none."""
    if not files:
        return [_made_up(seed) for seed in range(160)]
    articles = [article for file in files for article in json.loads(file.read_text())["data"]]
    return [paragraph["context"] for article in articles for paragraph in article["paragraphs"]]


def _made_up(seed: int) -> str:
    """A paragraph of 60 to 250 tokens; the same for the same seed."""
    dice = random.Random(seed)
    words, joint, stop = (ENGLISH.split(), " ", ". ") if seed % 2 else (CHINESE.split(), "", "。")
    sentences = (joint.join(dice.choices(words, k=dice.randint(8, 16))) for _ in range(dice.randint(6, 15)))
    return stop.join(sentences) + stop.strip()


class Triton:
    """The measured side: the real server over gRPC."""

    def __init__(self, address: str) -> None:
        from tritonclient.grpc.aio import InferenceServerClient

        self._client = InferenceServerClient(address)

    async def describe(self, output: str) -> bytes:
        """`card` or `tokenizer` of the served model."""
        result = await self._infer([""], output)
        content: bytes = result[0, 0]
        return content

    async def seconds(self, texts: Sequence[str], batch: int) -> float:
        """Embed everything as the platform's ingestion does."""
        batches = [texts[start : start + batch] for start in range(0, len(texts), batch)]
        slots = asyncio.Semaphore(IN_FLIGHT)

        async def one(some: Sequence[str]) -> None:
            async with slots:
                await self._infer(some, "embedding")

        started = time.perf_counter()
        await asyncio.gather(*(one(some) for some in batches))
        return time.perf_counter() - started

    async def query_seconds(self, text: str) -> float:
        """One question on an idle server."""
        started = time.perf_counter()
        await self._infer([text], "embedding", urgent=True)
        return time.perf_counter() - started

    async def _infer(self, texts: Sequence[str], output: str, urgent: bool = False) -> Any:
        import numpy as np
        from tritonclient.grpc import InferInput, InferRequestedOutput

        tensor = InferInput("text", [len(texts), 1], "BYTES")
        tensor.set_data_from_numpy(np.array([[text.encode()] for text in texts], dtype=np.object_))
        outputs = [InferRequestedOutput(output)]
        result = await self._client.infer("embed", [tensor], outputs=outputs, parameters={"urgent": urgent})
        return result.as_numpy(output)


class Torch:
    """The other side: `encode()` in a process that stays up between rounds."""

    def __init__(self, pipe: "subprocess.Popen[str]", texts: Sequence[str]) -> None:
        self._stdin, self._stdout = pipe.stdin, pipe.stdout
        self._say(json.dumps(list(texts)))

    def seconds(self) -> float:
        """Encode all texts once."""
        return float(self._say("encode"))

    def _say(self, line: str) -> str:
        assert self._stdin is not None
        assert self._stdout is not None
        print(line, file=self._stdin, flush=True)
        return self._stdout.readline()


@contextmanager
def torch_side(python: Path, texts: Sequence[str]) -> Iterator[Torch]:
    """Start this file as the torch side, which reads the weights that `prepare.py` writes there."""
    subprocess.run([str(python), str(ROOT / "triton_models" / "prepare.py")], check=True, stdout=subprocess.DEVNULL)
    command = [str(python), "-W", "ignore", __file__, "--torch-side"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as pipe:
        try:
            yield Torch(pipe, texts)
        finally:
            pipe.terminate()


def serve_torch(commands: IO[str]) -> None:
    """The torch side: texts on the first line, then one timed `encode()` per line."""
    sys.path.insert(0, str(ROOT / "triton_models"))
    import model_files  # type: ignore[import-not-found]
    from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found]

    texts = json.loads(commands.readline())
    model = SentenceTransformer(str(model_files.embed_model().folder), device="cpu")
    model.encode(texts[:TORCH_BATCH], batch_size=TORCH_BATCH, show_progress_bar=False)
    print("ready", flush=True)
    for _ in commands:
        started = time.perf_counter()
        model.encode(texts, batch_size=TORCH_BATCH, show_progress_bar=False)
        print(time.perf_counter() - started, flush=True)


async def compare(options: argparse.Namespace) -> float:
    """Print both speeds for each round, and return the median ratio."""
    from tokenizers import Tokenizer

    triton = Triton(options.triton)
    card = json.loads(await triton.describe("card"))
    tokenizer = Tokenizer.from_str((await triton.describe("tokenizer")).decode())
    tokenizer.no_padding()
    tokenizer.enable_truncation(card["max_tokens"])
    texts = [card["prompts"]["passage"] + text for text in paragraphs(options.data)]
    lengths = [len(encoding.ids) for encoding in tokenizer.encode_batch(texts)]
    by_length = [texts[i] for i in sorted(range(len(texts)), key=lengths.__getitem__)]
    print(f"{card['model']} on {card['device']}, {len(texts)} paragraphs, {sum(lengths)} tokens")
    ratios = []
    with torch_side(options.venv / "bin" / "python", texts) as torch:
        await triton.seconds(by_length[: 4 * card["batch_size"]], card["batch_size"])
        for number in range(1, options.rounds + 1):
            ours = sum(lengths) / await triton.seconds(by_length, card["batch_size"])
            theirs = sum(lengths) / torch.seconds()
            ratios.append(ours / theirs)
            speeds = f"{ours:,.0f} against {theirs:,.0f} tokens/s"
            print(f"round {number}: {speeds}, ratio {ratios[-1]:.2f}, load {os.getloadavg()[0]:.1f}")
    waits = [await triton.query_seconds("query: how many days of leave are left") for _ in range(100)]
    print(f"one question: p50 {statistics.median(waits) * 1000:.1f} ms")
    return statistics.median(ratios)


def main() -> int:
    """Exit 1 when the median ratio is under the target."""
    parser = argparse.ArgumentParser(description="Embedding speed: Triton against torch")
    parser.add_argument("--triton", default="127.0.0.1:8001", help="host:port of Triton's gRPC endpoint")
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="SQuAD-style files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--venv", type=Path, default=TORCH_VENV, help="the environment with PyTorch")
    parser.add_argument("--torch-side", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch_side:
        serve_torch(sys.stdin)
        return 0
    ratio = asyncio.run(compare(options))
    print(f"median ratio {ratio:.2f} (target {TARGET})")
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
