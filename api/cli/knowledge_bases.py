"""`holdfast kb`: knowledge bases and their settings."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from api.cli.output import Output, counted, talks_to_api, yes_option
from api.cli.reindex import chunking_options, chunking_with, describe_plan, planned
from api.cli.texts.messages import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.client.client import Api

#: Options of the answer settings, with the fields of the API.
ANSWERS = {
    "mode": "mode",
    "instructions": "instructions",
    "temperature": "temperature",
    "top-p": "top_p",
    "answer-tokens": "max_tokens",
}


@click.group(name="kb", help=say("help.kb"))
def kb_group() -> None:
    """Group of the commands on knowledge bases."""


@kb_group.command("create", help=say("help.kb.create"))
@click.argument("name")
@click.option("--title", help=say("help.title"))
@click.option("--description", help=say("help.description"))
@click.option("--model", help=say("help.embedding_model"))
@talks_to_api
async def kb_create(
    api: Api, out: Output, name: str, title: str | None, description: str | None, model: str | None
) -> None:
    """POST /knowledge-bases."""
    made = await api.knowledge_bases.create(name, title, description, model)
    out.document(made.json)
    out.text(say("kb.created", name=name))


@kb_group.command("list", help=say("help.kb.list"))
@talks_to_api
async def kb_list(api: Api, out: Output) -> None:
    """GET /knowledge-bases."""
    found = [kb async for kb in api.knowledge_bases.all()]
    out.document({"items": [kb.json for kb in found]})
    rows = [] if out.json else [(kb.value.name, kb.value.title, _documents(kb.value.documents)) for kb in found]
    out.table_or_nothing(("name", "title", "documents"), rows, whole=("name",))


@kb_group.command("show", help=say("help.kb.show"))
@click.argument("name")
@talks_to_api
async def kb_show(api: Api, out: Output, name: str) -> None:
    """GET /knowledge-bases/{kb}."""
    kb = await api.knowledge_bases.get(name)
    out.document(kb.json)
    for key, value in _settings(kb.json):
        out.text(f"{key}: {value}")


def answer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of the answer settings; each is a parameter named like its option."""
    for option in (
        click.option("--reset", type=click.Choice(list(ANSWERS)), multiple=True, help=say("help.kb.reset")),
        click.option("--answer-tokens", type=click.IntRange(1, 4096), help=say("help.kb.answer_tokens")),
        click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), help=say("help.kb.top_p")),
        click.option("--temperature", type=click.FloatRange(0, 2), help=say("help.kb.temperature")),
        click.option("--instructions", help=say("help.kb.instructions")),
        click.option("--mode", type=click.Choice(["extractive", "generative"]), help=say("help.mode")),
    ):
        command = option(command)
    return command


@kb_group.command("set", help=say("help.kb.set"))
@click.argument("name")
@click.option("--title", help=say("help.title"))
@click.option("--description", help=say("help.description"))
@answer_options
@chunking_options
@talks_to_api
async def kb_set(
    api: Api,
    out: Output,
    name: str,
    title: str | None,
    description: str | None,
    max_tokens: int | None,
    overlap_tokens: int | None,
    model: str | None,
    reset: tuple[str, ...],
    **answers: Any,
) -> None:
    """PATCH /knowledge-bases/{kb}; another chunking or model changes nothing yet, but is planned and shown."""
    given = {"title": title, "description": description}
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if told := _answers(answers, reset):
        changes["answers"] = told
    options = {"max-tokens": max_tokens, "overlap-tokens": overlap_tokens, "model": model}
    index = {option: value for option, value in options.items() if value is not None}
    if not changes and not index:
        raise click.UsageError(say("kb.set_nothing"))
    plan = None
    if index:  # first, so that nothing is changed if it cannot be planned
        chunking = await chunking_with(api, name, max_tokens, overlap_tokens)
        plan = await planned(api, out, name, chunking=chunking, embedding_model=model)
    kb = await (api.knowledge_bases.change(name, changes) if changes else api.knowledge_bases.get(name))
    words = ["holdfast", "reindex", "start", "--kb", name]
    command = shlex.join([*words, *(word for option, value in index.items() for word in (f"--{option}", str(value)))])
    out.document({**kb.json, "reindex_plan": plan, "next_command": command if plan else None})
    if changes:
        out.text(say("kb.set", name=name))
    if plan:
        out.text(describe_plan(plan["plan"]))
        out.text(say("kb.reindex_next", command=command))


@kb_group.command("delete", help=say("help.kb.delete"))
@click.argument("name")
@yes_option
@talks_to_api
async def kb_delete(api: Api, out: Output, name: str, yes: bool) -> None:
    """DELETE /knowledge-bases/{kb}."""
    if not yes:
        documents = (await api.knowledge_bases.get(name)).value.documents
        out.confirm(say("kb.sure", name=name, count=documents.get("total", 0)), yes)
    answer = await api.knowledge_bases.delete(name)
    out.document(answer.json or {"name": name, "deleted": True})
    out.text(say("kb.deleted", name=name))


def _answers(given: dict[str, Any], reset: tuple[str, ...]) -> dict[str, Any]:
    """The answer settings that change; null is as the platform's settings say."""
    chosen = {option: given[option.replace("-", "_")] for option in ANSWERS}
    both = [option for option in reset if chosen[option] is not None]
    if both:
        raise click.UsageError(say("kb.set_and_reset", option=both[0]))
    told = {ANSWERS[option]: value for option, value in chosen.items() if value is not None}
    return told | dict.fromkeys([ANSWERS[option] for option in reset])


def _settings(kb: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """All fields, those of a group by ``group.field``; an answer setting that is not set says so."""
    for key, value in kb.items():
        if key == "documents":
            yield key, _documents(value)
        elif isinstance(value, dict):
            yield from ((f"{key}.{field}", say("kb.unset") if it is None else it) for field, it in value.items())
        else:
            yield key, "" if value is None else value


def _documents(counts: dict[str, int]) -> str:
    """``3 ready, 1 failed``: a knowledge base's documents by state."""
    return counted(counts) or "0"
