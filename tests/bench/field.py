"""Everyday documents and what people ask of them, by kind: right, partly or wrong, through the API.

A folder (``--field DIR``; the tests' own without it) has ``docs/`` and ``cases.jsonl``. All documents are in one
knowledge base, so that each question has competitors. A case is right if all it wants is in the answer and nothing
that it must not hold, partly right if some of it is.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections import Counter, defaultdict
from contextlib import aclosing
from pathlib import Path
from typing import Any, Literal

import msgspec

from activities.contracts.addresses import PREFIX
from activities.contracts.stages import FINAL_STATES
from api.client.client import Api
from tests.bench.instance import Bench
from tests.bench.measures import Measure, say
from tests.bench.shelf import Shelf

FIELD = Path(__file__).resolve().parents[1] / "data" / "field"

LONGEST = 700
"""Characters; a longer answer is only partly right."""

Verdict = Literal["right", "partly", "wrong"]


class Case(msgspec.Struct, frozen=True):
    """A question (or several of one conversation, of which the last counts) to a file, and what is expected.

    ``want`` and ``avoid`` are regular expressions. With ``state`` only the document's state counts, with ``chunk``
    its passages; ``refuse`` says that the documents do not hold the answer. ``manual`` marks those that a person
    should look at too.
    """

    kind: str
    file: str
    q: str | list[str] | None
    want: list[str]
    avoid: list[str] = []
    state: bool | int | str = False
    chunk: bool | int = False
    refuse: bool | int = False
    manual: bool | int = False


class Outcome(msgspec.Struct, frozen=True):
    """What came back for a case; ``quotes`` are (document id, quote)."""

    case: Case
    verdict: Verdict
    got: str
    quotes: list[tuple[str, str]] = []


def load(folder: Path) -> list[Case]:
    """The cases of a folder."""
    lines = (folder / "cases.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Case) for line in lines if line.strip()]


async def asked(api: Api, kb: str, folder: Path) -> list[Outcome]:
    """Upload the folder's documents into the knowledge base, wait for them, and go through the cases."""
    documents = await _uploaded(api, kb, folder)
    return [await _outcome(api, kb, documents.get(case.file), case) for case in load(folder)]


async def _uploaded(api: Api, kb: str, folder: Path) -> dict[str, dict[str, Any]]:
    for path in sorted((folder / "docs").iterdir()):
        with path.open("rb") as file:
            await api.upload(kb, [(path.name, file)], uuid.uuid4().hex)
    while True:
        items = [document.json async for document in api.documents.all(kb)]
        if all(item["state"] in FINAL_STATES for item in items):
            return {item["name"]: item for item in items}
        await asyncio.sleep(0.5)


async def _outcome(api: Api, kb: str, document: dict[str, Any] | None, case: Case) -> Outcome:
    if case.state:
        state = document["state"] if document else "refused"
        wanted = ("failed", "refused") if case.state == "failed" else ("ready",)
        return Outcome(case, "right" if state in wanted else "wrong", f"{state}: {(document or {}).get('reason')}")
    if case.chunk:
        chunks = api.pages(f"/documents/{document['id']}/chunks") if document else None
        text = "\n".join([chunk["text"] async for chunk in chunks]) if chunks else ""
        return Outcome(case, "right" if all(re.search(want, text) for want in case.want) else "wrong", text[:400])
    done = await _answer(api, kb, [case.q] if isinstance(case.q, str) else case.q or [])
    quotes = [(citation["document_id"], citation["quote"]) for citation in done["citations"]] if done["found"] else []
    return Outcome(case, judged(case, done["answer"], bool(done["found"])), done["answer"], quotes)


async def _answer(api: Api, kb: str, questions: list[str]) -> dict[str, Any]:
    """The last answer of a conversation."""
    done: dict[str, Any] = {}
    conversation: dict[str, str] = {}
    for question in questions:
        job = await api.call("POST", f"/knowledge-bases/{kb}/questions", json={"question": question, **conversation})
        conversation = {"conversation_id": job["conversation_id"]}
        async with aclosing(api.events(f"{PREFIX}/questions/{job['id']}/events")) as events:
            async for event in events:
                if event.name == "done":
                    done = event.data
    return done


def judged(case: Case, answer: str, found: bool) -> Verdict:
    """How right an answer is."""
    if case.refuse:
        return "wrong" if found else "right"
    has = [found and bool(re.search(want, answer)) for want in case.want]
    if not any(has):
        return "wrong"
    clean = not any(re.search(avoid, answer) for avoid in case.avoid) and len(answer) < LONGEST
    return "right" if all(has) and clean else "partly"


async def check(bench: Bench, folder: Path | None) -> list[Measure]:
    """All cases of a folder, each kind with what was not right in it."""
    shelf = await Shelf.create(bench)
    outcomes = await asked(bench.api, shelf.name, folder or FIELD)
    await shelf.drop()
    kinds: dict[str, Counter[Verdict]] = defaultdict(Counter)
    for outcome in outcomes:
        kinds[outcome.case.kind][outcome.verdict] += 1
        if outcome.verdict != "right":
            say(f"    {outcome.verdict:7} {outcome.case.kind:18} {outcome.case.q or outcome.case.file}\n"
                f"            {outcome.got[:200]!r}")  # fmt: skip
    for kind, counts in sorted(kinds.items(), key=lambda pair: pair[1]["right"] / pair[1].total()):
        say(f"    {kind:24} right {counts['right']:2}  partly {counts['partly']:2}  wrong {counts['wrong']:2}")
    total: Counter[Verdict] = sum(kinds.values(), Counter())
    ours = folder is None
    return [
        Measure(name="answers that are right", values=[total["right"]], target="≥ 95" if ours else "",
                note=f"of {total.total()}"),
        Measure(name="answers that are wrong", values=[total["wrong"]], target="≤ 6" if ours else ""),
    ]  # fmt: skip
