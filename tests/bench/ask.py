"""Questions: the platform's overhead over the language model's own time, quoted answers, and search.

**How the first token is compared.** llama.cpp caches the prompts of its slots: a cached prompt starts in a tenth of
the time. So each round first starts an answer, untimed, with exactly the prompt that the platform will build (the
same sources by `/search`, the same budget, ``build_prompt``). A slot then holds that prompt, and both timed calls,
the platform's and the direct one, find it there; they alternate in going first, and each is stopped after its first
words, so that nothing else is generated while the other runs. The untimed start also proves that the prompts are
the same: decoding is greedy, so the platform must stream the same words. With cold prompts both sides would read
the same prompt for seconds, and the difference would be lost in that. DIFFERENT questions, fewer than slots, take
turns: only the first time is cold.

A question is made from a sentence of the documents, so that the platform finds an answer and generates; questions
that it declines (without asking the language model) are left out and counted.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import aclosing
from dataclasses import dataclass, field

from activities.answering.answer import NOT_FOUND
from activities.answering.generation import within_budget
from activities.answering.prompts import build_prompt, sampling
from activities.contracts.addresses import PREFIX
from activities.retrieval.retriever import PASSAGES
from activities.stores.triton import ChatMessage
from activities.text.sentences import sentences
from tests.bench.instance import Bench
from tests.bench.measures import Measure, milliseconds, quantile, say
from tests.bench.shelf import Document, Shelf
from tests.bench.texts import Library

SEARCHES = 100
DIFFERENT = 3
WARM_PIECES = 24
SETTLE_SECONDS = 0.1
"""A generation that was cut off needs a token's time to notice."""

PLAIN = re.compile(r"[A-Za-z0-9 ,;'\-]+\.")
CHINESE = re.compile(r"[\u4e00-\u9fff，、0-9]{10,60}。")


@dataclass
class Asked:
    """A question as its client saw it: seconds after asking by event (``state`` with its stage), first ``delta``."""

    at: dict[str, float] = field(default_factory=dict)
    text: str = ""
    found: bool = False
    same: bool = False


async def questions(bench: Bench, library: Library, count: int) -> list[Measure]:
    """DESIGN §9, row 4, and beside it quoted answers and search."""
    shelf = await Shelf.create(bench)
    texts = library.small(100)
    await shelf.add([Document.of(f"{number:03}.txt", text) for number, text in enumerate(texts)])
    english, chinese = asked_of(texts, PLAIN), asked_of(texts, CHINESE)
    if len(english) < DIFFERENT:
        raise SystemExit("the texts have too few plain English sentences to ask about")
    say(f"questions: {len(texts)} documents, {count} questions")
    measures = await first_token(bench, shelf, [english[number % DIFFERENT] for number in range(count)])
    measures += await quoted(bench, shelf, mixed(english, chinese, count))
    measures += await searches(bench, shelf, mixed(english, chinese, SEARCHES))
    await shelf.drop()
    return measures


def asked_of(texts: list[str], kind: re.Pattern[str]) -> list[str]:
    """Questions made from sentences of a kind, one or two of a document."""
    found: list[str] = []
    for text in texts:
        whole = [sentence.strip() for sentence in sentences(" ".join(text.split()))]
        plain = [sentence for sentence in whole if kind.fullmatch(sentence) and 30 <= len(sentence.encode()) <= 200]
        found += [
            f"Is it so that {sentence[:-1]}?" if kind is PLAIN else f"{sentence[:-1]}，是这样吗？"
            for sentence in plain[2:4]
        ]
    return found


def mixed(english: list[str], chinese: list[str], count: int) -> list[str]:
    """This many questions, alternating between the languages."""
    both = [question for pair in zip(english, chinese, strict=False) for question in pair] or english
    return [both[number % len(both)] for number in range(count)]


# --- first token -----------------------------------------------------------------------------------


async def first_token(bench: Bench, shelf: Shelf, asked: list[str]) -> list[Measure]:
    """The platform's first ``delta`` against the first piece of a direct call with the same prompt."""
    added: list[float] = []
    direct: list[float] = []
    runs: list[Asked] = []
    declined = 0
    for number, question in enumerate(asked):
        prompt = await prompt_of(bench, shelf, question)
        expected = await beginning(bench, prompt)
        if number % 2 == 0:
            alone = await first_piece(bench, prompt)
            ours = await ask(bench, shelf, question, "generative", stop=True)
        else:
            ours = await ask(bench, shelf, question, "generative", stop=True)
            alone = await first_piece(bench, prompt)
        if ours.text.startswith(tuple(NOT_FOUND.values())):
            declined += 1
            continue
        ours.same = ours.text.startswith(expected) or expected.startswith(ours.text)
        direct.append(alone)
        added.append(ours.at["delta"] - alone)
        say(f"    round {number + 1}: first token after {ours.at['delta'] * 1000:.0f} ms, direct {alone * 1000:.0f}")
        runs.append(ours)
    if not runs:
        raise RuntimeError("the platform saw no answer to any question")
    for name in ("accepted", "state retrieve", "sources", "state generate", "delta"):
        values = milliseconds([run.at[name] for run in runs])
        say(f"    {name:<15} p50 {quantile(values, 0.5):6.0f} ms after asking  ({min(values):.0f}–{max(values):.0f})")
    same = sum(run.same for run in runs)
    return [
        Measure(
            name="question → first token, added to a direct call, p50",
            values=milliseconds(added),
            unit="ms",
            target="≤ 80 ms",
            note=f"{declined} declined, {same}/{len(runs)} began with the same words",
        ),
        Measure(
            name="question → first token: platform", values=milliseconds([run.at["delta"] for run in runs]), unit="ms"
        ),
        Measure(
            name="cancel → the language model stopped",
            values=milliseconds([run.at["error"] - run.at["cancel"] for run in runs if "error" in run.at]) or [0.0],
            unit="ms",
            target="≤ 1,000 ms",
        ),
        Measure(name="question → first token: direct", values=milliseconds(direct), unit="ms"),
    ]


async def prompt_of(bench: Bench, shelf: Shelf, question: str) -> list[ChatMessage]:
    """The prompt that the platform builds for a question: same search, same budget, same template."""
    body = {"query": question, "limit": PASSAGES}
    found = await bench.api.call("POST", f"/knowledge-bases/{shelf.name}/search", json=body)
    settings = bench.settings.generate
    texts = [hit["text"] for hit in found["hits"]]
    used = within_budget(await bench.stores.triton.tokenizer(), texts, settings.context_tokens)
    return build_prompt(question, used)


async def beginning(bench: Bench, prompt: list[ChatMessage]) -> str:
    """The first words of a direct call's answer; leaves the prompt in a slot."""
    pieces: list[str] = []
    async with aclosing(bench.stores.triton.generate(prompt, sampling(bench.settings.generate))) as coming:  # type: ignore[type-var]
        async for piece in coming:
            pieces.append(piece)
            if len(pieces) == WARM_PIECES:
                break
    await asyncio.sleep(SETTLE_SECONDS)
    return "".join(pieces)


async def first_piece(bench: Bench, prompt: list[ChatMessage]) -> float:
    """Seconds from a direct call to its first piece."""
    began = time.perf_counter()
    async with aclosing(bench.stores.triton.generate(prompt, sampling(bench.settings.generate))) as pieces:  # type: ignore[type-var]
        await anext(pieces)
        seconds = time.perf_counter() - began
    await asyncio.sleep(SETTLE_SECONDS)
    return seconds


async def ask(bench: Bench, shelf: Shelf, question: str, mode: str, *, stop: bool = False) -> Asked:
    """Ask and follow the answer to its end, as the web page does; ``stop`` cancels it after its first words."""
    asked = Asked()
    began = time.perf_counter()
    body = {"question": question, "mode": mode}
    job = await bench.api.call("POST", f"/knowledge-bases/{shelf.name}/questions", json=body)
    asked.at["accepted"] = time.perf_counter() - began
    async with aclosing(bench.api.events(f"{PREFIX}/questions/{job['id']}/events")) as events:
        async for event in events:
            name = f"state {event.data['stage']}" if event.name == "state" else event.name
            new = name not in asked.at
            asked.at.setdefault(name, time.perf_counter() - began)
            if event.name == "delta" and new:
                asked.text = str(event.data["text"])
                if stop:
                    asked.at["cancel"] = time.perf_counter() - began
                    await bench.api.call("POST", f"/questions/{job['id']}/cancel")
            elif event.name == "done":
                asked.found = bool(event.data["found"])
            elif event.name == "error" and not stop:
                raise RuntimeError(f"no answer: {event.data}")
    return asked


# --- quotes and search -----------------------------------------------------------------------------


async def quoted(bench: Bench, shelf: Shelf, asked: list[str]) -> list[Measure]:
    """Complete extractive answers."""
    runs = [await ask(bench, shelf, question, "extractive") for question in asked]
    found = sum(run.found for run in runs)
    return [
        Measure(
            name="quoted answer: question → complete, p50",
            values=milliseconds([run.at["done"] for run in runs]),
            unit="ms",
            target="≤ 350 ms",
            note=f"{found}/{len(runs)} found",
        ),
        Measure(
            name="quoted answer: question → first words, p50",
            values=milliseconds([run.at["delta"] for run in runs]),
            unit="ms",
        ),
    ]


async def searches(bench: Bench, shelf: Shelf, queries: list[str]) -> list[Measure]:
    """Hybrid searches, one after the other on an idle platform."""
    values: list[float] = []
    for query in queries:
        began = time.perf_counter()
        await bench.api.call("POST", f"/knowledge-bases/{shelf.name}/search", json={"query": query})
        values.append((time.perf_counter() - began) * 1000)
    return [
        Measure(name="search, p50", values=values, unit="ms"),
        Measure(name="search, p95", values=[quantile(values, 0.95)], unit="ms", note=f"of {len(values)} searches"),
    ]
