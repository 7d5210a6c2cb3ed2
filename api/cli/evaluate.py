"""`holdfast eval`: measures search and answers with questions whose answers are known."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.output import Output, talks_to_api, write_file
from api.cli.texts.messages import TEXTS, say
from api.client.problems import Message, Problem

if TYPE_CHECKING:
    from activities.contracts.answers import AnswerMode
    from activities.contracts.gate import Item
    from activities.contracts.search import SearchMode
    from api.client.client import Api

#: Endings of the figures for which a smaller value is better.
SMALLER_IS_BETTER = ("_ms", ".not_found", ".fell_back", ".withheld", "failed")

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("eval", help=say("help.eval"))
@click.argument("file", type=FILE, required=False)
@click.option("--kb", metavar="NAME", help=say("help.in_kb"))
@click.option("--answers", is_flag=True, help=say("help.eval.answers"))
@click.option("--mode", type=click.Choice(["extractive", "generative"]), help=say("help.mode"))
@click.option("--search-mode", type=click.Choice(["hybrid", "dense", "keyword"]), help=say("help.eval.search_mode"))
@click.option("--limit", type=click.IntRange(1), help=say("help.eval.limit"))
@click.option("--parallel", type=click.IntRange(1, 64), default=4, show_default=True, help=say("help.eval.parallel"))
@click.option("--save", type=FILE, help=say("help.eval.save"))
@click.option("--compare", type=FILE, nargs=2, metavar="A.json B.json", help=say("help.eval.compare"))
@talks_to_api
async def evaluate(
    api: Api,
    out: Output,
    file: Path | None,
    kb: str | None,
    compare: tuple[Path, Path] | None,
    save: Path | None,
    limit: int | None,
    **how: Any,
) -> None:
    """Search with each question, and with --answers also ask it; exit 1 if one of them failed."""
    if compare:
        _compare(out, *(_load(path) for path in compare))
        return
    if file is None or kb is None:
        raise click.UsageError(say("eval.need-file"))
    from api.evaluation.question_set import read_set

    measured = await _measure(api, out, read_set(file)[:limit], file.name, kb, **how)
    if save is not None:
        write_file(save, json.dumps(measured, ensure_ascii=False, indent=1).encode())
    out.document(measured)
    figures = measured["summary"]
    out.table(("metric", "value"), [(_name(out, name), _figure(name, value)) for name, value in figures.items()])
    errors = [each["error"] for each in measured["items"] if each["error"]]
    if errors:
        click.echo(say("eval.failed", count=len(errors), reason=errors[0]), err=True)
        sys.exit(1)


async def _measure(
    api: Api,
    out: Output,
    items: list[Item],
    name: str,
    kb: str,
    answers: bool,
    mode: AnswerMode | None,
    search_mode: SearchMode | None,
    parallel: int,
) -> dict[str, Any]:
    from api.evaluation.runner import Evaluation, result

    knowledge_base = await api.knowledge_bases.get(kb)
    await _warn_of_unknown(api, kb, items)
    evaluation = Evaluation(api, kb, search_mode, answers, mode)
    began = datetime.now(UTC)
    with _progress(out, len(items)) as advance:
        outcomes = await evaluation.run(items, parallel, advance)
    return result(
        outcomes,
        file=name,
        knowledge_base=knowledge_base.json,
        search_mode=search_mode,
        mode=mode,
        at=began.isoformat(timespec="seconds"),
    )


async def _warn_of_unknown(api: Api, kb: str, items: list[Item]) -> None:
    """Warn of expected documents that are missing from the knowledge base, because they lower the figures."""
    expected = {name for item in items for name in item.documents}
    if not expected:
        return
    async for document in api.documents.all(kb, limit=1000):
        expected -= {document.value.name, document.value.id}
    if expected:
        click.echo(say("eval.unknown-documents", count=len(expected), example=min(expected)), err=True)


@contextmanager
def _progress(out: Output, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on terminals; nothing in pipes and under --json."""
    if not out.live:
        yield lambda: None
        return
    from rich.progress import Progress

    with Progress(transient=True) as progress:
        task = progress.add_task(say("eval.progress"), total=total)
        yield lambda: progress.advance(task)


def _load(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise Problem("unreadable", path=path, detail=exc.strerror or exc) from exc
    except ValueError as exc:
        raise Problem("eval.bad-file", path=path, problem=Message("eval.no-result")) from exc
    if not isinstance(value, dict) or value.get("holdfast_eval") != 1:
        raise Problem("eval.bad-file", path=path, problem=Message("eval.no-result"))
    return value


def _compare(out: Output, a: dict[str, Any], b: dict[str, Any]) -> None:
    """Print the figures of both runs, their differences, and the number of questions that got better or worse."""
    names = [name for name in TEXTS if name.startswith("metric.")]
    keys = [key for name in names if (key := name.removeprefix("metric.")) in a["summary"].keys() & b["summary"].keys()]
    differences = {key: round(b["summary"][key] - a["summary"][key], 4) for key in keys}
    changed = {"search": _changed(a, b, _reciprocal), "answers": _changed(a, b, lambda item: item["contains"])}
    out.document({"a": a["summary"], "b": b["summary"], "difference": differences, "changed": changed})
    rows = [
        (
            _name(out, key),
            _figure(key, a["summary"][key]),
            _figure(key, b["summary"][key]),
            f"{differences[key]:+g}{_mark(key, differences[key])}",
        )
        for key in keys
    ]
    out.table(("metric", "a", "b", "difference"), rows)
    before, after = _by_question(a).keys(), _by_question(b).keys()
    shared = len(before & after)
    if shared < len(before | after):
        out.text(say("eval.other-questions", shared=shared))
    for what, key in (("search", "metric.search.mrr"), ("answers", "metric.answers.contain_expected")):
        better, worse = changed[what]["better"], changed[what]["worse"]
        if better or worse:
            out.text(say("eval.changed", metric=say(key), better=len(better), worse=len(worse)))


def _changed(
    a: dict[str, Any], b: dict[str, Any], value: Callable[[dict[str, Any]], float | None]
) -> dict[str, list[str]]:
    """The questions with a better and with a worse value in B than in A."""
    before, after = _by_question(a), _by_question(b)
    changed: dict[str, list[str]] = {"better": [], "worse": []}
    for question in before.keys() & after.keys():
        old, new = value(before[question]), value(after[question])
        if old is not None and new is not None and old != new:
            changed["better" if new > old else "worse"].append(question)
    return {kind: sorted(questions) for kind, questions in changed.items()}


def _by_question(run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["question"]: item for item in run["items"]}


def _reciprocal(item: dict[str, Any]) -> float | None:
    rank = item["rank"]
    return None if rank is None else 1 / rank if rank else 0.0


def _name(out: Output, key: str) -> str:
    """The name of a figure: in words on a terminal, its JSON key in a pipe."""
    return say(f"metric.{key}") if out.live else key


def _figure(key: str, value: float) -> str:
    return f"{value:.0f}" if key.endswith("_ms") or isinstance(value, int) else f"{value:.3f}"


def _mark(key: str, difference: float) -> str:
    if not difference or key in ("questions", "answers.citations"):
        return ""
    return " ✓" if (difference < 0) == key.endswith(SMALLER_IS_BETTER) else " ✗"
