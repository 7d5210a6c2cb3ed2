"""The platform and its peers on one file, in turns: platform, peers, platform, …

A peer is compared with the platform's runs on both sides of it. The peers have their own environment
(``.venv-peers``, created on first use, and again when requirements.txt changes): nothing in the project depends
on it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.bench.embed import TORCH_VENV
from tests.bench.ingest import both
from tests.bench.instance import ROOT, Bench
from tests.bench.measures import Measure, machine, say
from tests.bench.shelf import Document, Run, Shelf
from tests.bench.texts import Library

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
VENV = ROOT / ".venv-peers"
PEERS = {"langchain": "LangChain + FAISS", "txtai": "txtai"}


async def peers(bench: Bench, library: Library, characters: int | None, rounds: int) -> list[Measure]:
    """Characters per second of each, and the platform's as a multiple of a peer's."""
    python = await asyncio.to_thread(_python)
    load = machine()
    model, prompt = await _model(bench), (await bench.stores.triton.card()).prompts.get("passage", "")
    shelf, document = await Shelf.create(bench), Document.of("book.txt", library.long(characters))
    say(f"peers: {document.characters:,} characters, {model.name}")
    await shelf.add([Document.of("warm-up.txt", "A document to warm up with.").fresh()])
    before, [job] = await shelf.add([document.fresh()])
    tokens = await _mean_tokens(bench, job)
    say(f"  platform: {before.speed:,.0f} characters/s, {before.chunks} chunks of {tokens:.0f} tokens")
    ours = [before]
    theirs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    ratios: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="holdfast-peers-") as folder:
        file = Path(folder) / "book.txt"
        file.write_bytes(document.content)
        for _ in range(rounds):
            found = {peer: await _run(python, peer, model, prompt, file, tokens) for peer in PEERS}
            ours.append((await shelf.add([document.fresh()]))[0])
            say(f"  platform: {ours[-1].speed:,.0f} characters/s")
            around = both(ours[-2], ours[-1])
            for peer, each in found.items():
                theirs[peer].append(each)
                ratios[peer].append(around.speed / _speed(each))
    await shelf.drop()
    return [
        *(_ratio(PEERS[peer], ratios[peer], load) for peer in PEERS),
        _platform(ours, tokens),
        *(_peer(PEERS[peer], theirs[peer]) for peer in PEERS),
    ]


def _speed(found: dict[str, Any]) -> float:
    characters, seconds = float(found["characters"]), float(found["seconds"])
    return characters / seconds


def _ratio(title: str, ratios: list[float], load: str) -> Measure:
    note = f"began with {load}; other work slows torch more than Triton, and flatters this ratio"
    return Measure(name=f"one file: platform ÷ {title}", values=ratios, target="≥ 1.5", note=note)


def _platform(runs: list[Run], tokens: float) -> Measure:
    note = f"{runs[0].chunks} chunks of {tokens:.0f} tokens"
    return Measure(name="one file: platform", values=[run.speed for run in runs], unit="characters/s", note=note)


def _peer(title: str, runs: list[dict[str, Any]]) -> Measure:
    note = f"{runs[0]['chunks']} chunks of {runs[0]['tokens']:.0f} tokens"
    return Measure(name=f"one file: {title}", values=[_speed(run) for run in runs], unit="characters/s", note=note)


async def _run(python: Path, peer: str, model: Path, prompt: str, file: Path, tokens: float) -> dict[str, Any]:
    """One run of a peer, in its own process."""
    arguments = ["--model", str(model), "--prompt", prompt, "--file", str(file), "--tokens", str(tokens)]
    printed = await _output(str(python), str(HERE / "measure.py"), peer, *arguments)
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    say(f"  {PEERS[peer]}: {_speed(found):,.0f} characters/s, {found['chunks']} chunks of {found['tokens']:.0f} tokens")
    return found


async def _output(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    printed, errors = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{command[1]} failed:\n{errors.decode()[-2000:]}")
    return printed.decode()


async def _model(bench: Bench) -> Path:
    """The folder of the model that Triton serves, in the environment with PyTorch, where it has its weights."""
    python = TORCH_VENV / "bin" / "python"
    await _output(str(python), str(ROOT / "triton_models" / "prepare.py"))
    program = f"import sys; sys.path.insert(0, {str(ROOT / 'triton_models')!r})\nimport model_files\n"
    program += f"print(model_files.embed_model({bench.settings.embed.model!r}).folder)"
    return Path((await _output(str(python), "-c", program)).strip())


async def _mean_tokens(bench: Bench, job: dict[str, Any]) -> float:
    chunks = [int(chunk["tokens"]) async for chunk in bench.api.pages(f"/documents/{job['id']}/chunks", limit="1000")]
    return sum(chunks) / len(chunks)


def _python() -> Path:
    """The interpreter of the peers' environment, which is created or recreated if necessary."""
    wanted, stamp = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest(), VENV / "installed"
    python = VENV / "bin" / "python"
    if not stamp.is_file() or stamp.read_text() != wanted:
        say(f"making {VENV.name} (about 2 GB, some minutes) …")
        shutil.rmtree(VENV, ignore_errors=True)
        quiet = ("--quiet", "--disable-pip-version-check", "--no-input", "--root-user-action=ignore")
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", *quiet, "-r", str(REQUIREMENTS)], check=True)
        stamp.write_text(wanted)
    return python
