"""Whether answers are correct: quotes, refusals, generated text and citations, on SQuAD-style questions.

A folder (``--answers DIR``) holds one JSON file for each language (``en.json``, ``zh.json``): articles with
paragraphs and questions, whose answers are spans of the paragraphs. Each paragraph becomes a document. Two
knowledge bases get questions: one has every article; the other has every second article, so the questions on the
rest have no answer in it. Everything goes through the API, a few questions at a time.

An answer holds the gold answer if its text contains one of the spans, in any case. Questions that were wrongly
refused count as answered wrongly. ``found_threshold`` of the bundled embedding model was chosen on the even
articles; the table shows the odd ones beside all of them.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activities.contracts.addresses import PREFIX
from tests.bench.instance import Bench
from tests.bench.measures import Measure, say
from tests.bench.shelf import Document, Shelf

AT_ONCE = 3
TARGETS = {"en": ("≥ 0.9", "≥ 0.95"), "zh": ("≥ 0.88", "≥ 0.88")}
"""By language: answers that hold the gold answer, and correct refusals of absent ones."""

_NUMBERED = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True)
class Question:
    """A question on a paragraph of an article, and the spans that answer it."""

    article: int
    text: str
    gold: tuple[str, ...]


@dataclass(frozen=True)
class Reply:
    """The response to a question: its ``done`` event."""

    question: Question
    done: dict[str, Any]

    @property
    def found(self) -> bool:
        """Whether it was answered at all."""
        return bool(self.done["found"])

    @property
    def right(self) -> bool:
        """Whether it was answered with a gold answer."""
        answer = self.done["answer"].casefold()
        return self.found and any(gold.casefold() in answer for gold in self.question.gold)


def load(path: Path) -> tuple[list[tuple[int, Document]], list[Question]]:
    """The paragraphs as (article, document), and the questions."""
    documents: list[tuple[int, Document]] = []
    questions: list[Question] = []
    for number, article in enumerate(json.loads(path.read_text(encoding="utf-8"))["data"]):
        for paragraph in article["paragraphs"]:
            documents.append((number, Document.of(f"paragraph-{len(documents):04}.txt", paragraph["context"])))
            questions += [
                Question(number, each["question"], tuple(answer["text"] for answer in each["answers"]))
                for each in paragraph["qas"]
            ]
    return documents, questions


def some(questions: Sequence[Question], count: int) -> list[Question]:
    """This many of the questions, evenly spread."""
    return [questions[at * len(questions) // count] for at in range(min(count, len(questions)))]


async def believed(bench: Bench, folder: Path, count: int, written: int) -> list[Measure]:
    """All languages of the folder; ``written`` questions also go to the language model, in languages that it writes."""
    measures: list[Measure] = []
    for path in sorted(folder.glob("*.json")):
        language = path.stem
        documents, questions = load(path)
        every, half = await Shelf.create(bench), await Shelf.create(bench)
        await every.add([document for _, document in documents])
        await half.add([document for article, document in documents if article % 2 == 0])
        say(f"{language}: {len(documents)} documents, {count} questions of {len(questions)}")
        present = await _asked(bench, every, some(questions, count), "extractive")
        measures += _quoted(language, present)
        missing = [question for question in questions if question.article % 2]
        absent = await _asked(bench, half, some(missing, count), "extractive")
        kept = [question for question in questions if question.article % 2 == 0]
        there = await _asked(bench, half, some(kept, count // 2), "extractive")
        measures += _refused(language, absent, present, there)
        replies = present
        if bench.settings.generate.writes(language) and written:
            texts = await _asked(bench, every, some(questions, written), "generative")
            measures += _written(language, texts)
            replies = [*present, *texts]
        measures.append(await _citations(bench, language, replies))
        await every.drop()
        await half.drop()
    return measures


async def _asked(bench: Bench, shelf: Shelf, questions: Sequence[Question], mode: str) -> list[Reply]:
    turn = asyncio.Semaphore(AT_ONCE)

    async def ask(question: Question) -> Reply:
        async with turn:
            body = {"question": question.text, "mode": mode}
            job = await bench.api.call("POST", f"/knowledge-bases/{shelf.name}/questions", json=body)
            async with aclosing(bench.api.events(f"{PREFIX}/questions/{job['id']}/events")) as events:
                async for event in events:
                    if event.name == "done":
                        return Reply(question, event.data)
            raise RuntimeError(f"no answer to {question.text!r}")

    replies = await asyncio.gather(*map(ask, questions))
    say(f"    {mode}: {sum(reply.right for reply in replies)} right, {sum(reply.found for reply in replies)} answered, "
        f"of {len(replies)}")  # fmt: skip
    return replies


def _quoted(language: str, present: list[Reply]) -> list[Measure]:
    odd = [reply for reply in present if reply.question.article % 2]
    most = max(len(sentences_in(reply.done)) for reply in present)
    return [
        Measure(
            name=f"{language}: quoted answers that hold the gold answer",
            values=[_share(present, lambda reply: reply.right)],
            target=TARGETS.get(language, ("", ""))[0],
            note=f"of {len(present)}; odd articles {_share(odd, lambda reply: reply.right):.3f}; "
            f"of those answered {_share([each for each in present if each.found], lambda reply: reply.right):.3f}",
        ),
        Measure(name=f"{language}: quotes in an answer, at most", values=[most], target="≤ 2"),
    ]


def sentences_in(done: dict[str, Any]) -> list[str]:
    """The paragraphs of a quoted answer, one quote each."""
    return [part for part in done["answer"].split("\n\n") if part] if done["found"] else []


def _refused(language: str, absent: list[Reply], present: list[Reply], there: list[Reply]) -> list[Measure]:
    refused = _share(present, lambda reply: not reply.found)
    beside = _share(there, lambda reply: not reply.found)
    return [
        Measure(
            name=f"{language}: questions without an answer that are told so",
            values=[_share(absent, lambda reply: not reply.found)],
            target=TARGETS.get(language, ("", ""))[1],
            note=f"of {len(absent)}",
        ),
        Measure(
            name=f"{language}: false refusals",
            values=[max(refused, beside)],
            target="≤ 0.05",
            note=f"all articles {refused:.3f} of {len(present)}, half of them {beside:.3f} of {len(there)}",
        ),
    ]


def _written(language: str, texts: list[Reply]) -> list[Measure]:
    shown = [reply for reply in texts if reply.found and reply.done["mode"] == "generative"]
    quoted = [reply for reply in texts if reply.found and reply.done["mode"] == "extractive"]
    withheld = sum(reply.done["withheld"] for reply in texts)
    return [
        Measure(
            name=f"{language}: written answers, shown as supported, that hold the gold answer",
            values=[_share(shown, lambda reply: reply.right)],
            target="≥ 0.75",
            note=f"{len(shown)} shown, {len(quoted)} replaced by quotes, {withheld} sentences withheld, "
            f"of {len(texts)} questions",
        ),
        Measure(
            name=f"{language}: answers in generative mode that hold the gold answer",
            values=[_share(texts, lambda reply: reply.right)],
        ),
    ]


async def _citations(bench: Bench, language: str, replies: list[Reply]) -> Measure:
    """Every citation: its number is in the answer, its quote in its chunk; every number has a citation."""
    chunks: dict[str, dict[str, str]] = {}
    wrong = checked = 0
    for reply in replies:
        if not reply.found:
            continue
        citations = reply.done["citations"]
        wrong += {int(number) for number in _NUMBERED.findall(reply.done["answer"])} != {
            each["n"] for each in citations
        }
        for citation in citations:
            document = citation["document_id"]
            if document not in chunks:
                found = bench.api.pages(f"/documents/{document}/chunks")
                chunks[document] = {chunk["chunk_id"]: chunk["text"] async for chunk in found}
            checked += 1
            wrong += citation["quote"] not in chunks[document].get(citation["chunk_id"], "")
    answered = sum(reply.found for reply in replies)
    note = f"{checked} citations of {answered} answers"
    return Measure(name=f"{language}: citations that are wrong", values=[wrong], target="0", note=note)


def _share(replies: Sequence[Reply], holds: Callable[[Reply], bool]) -> float:
    return sum(map(holds, replies)) / len(replies) if replies else 1.0
