"""`holdfast audit`: events of the audit trail, the full record of a question, the answers that used a document."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.names import id_of, reference
from api.cli.output import Output, talks_to_api
from api.cli.questions import print_sources
from api.cli.texts.messages import say, say_or
from api.client.problems import Problem

if TYPE_CHECKING:
    from api.audit.schemas import AnswerUseInfo, AuditEventInfo
    from api.client.client import Api


@click.group(name="audit", help=say("help.audit"))
def audit_group() -> None:
    """Group of the commands on the audit trail."""


def narrowed(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that filter events."""
    for option in (
        click.option("--outcome", type=click.Choice(["done", "refused", "failed"]), help=say("help.audit.outcome")),
        click.option("--name", metavar="NAME", help=say("help.audit.name")),
        click.option("--version", type=click.IntRange(1, 2**53), metavar="N", help=say("help.audit.version")),
        click.option("--object", metavar="ID", help=say("help.audit.object")),
        click.option(
            "--until", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help=say("help.audit.event_until")
        ),
        click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help=say("help.audit.since")),
        click.option("--action", metavar="NAME", help=say("help.audit.action")),
        click.option("--actor", metavar="SUBJECT", help=say("help.audit.actor")),
        click.option("--kb", metavar="NAME", help=say("help.in_kb")),
    ):
        command = option(command)
    return command


@audit_group.command("events", help=say("help.audit.events"))
@narrowed
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help=say("help.limit"))
@talks_to_api
async def audit_events(api: Api, out: Output, limit: int, **chosen: Any) -> None:
    """GET /audit/events, the newest ones."""
    found = await api.audit.page(limit, **_params(**chosen))
    out.document({"items": [event.json for event in found]})
    rows = [] if out.json else [_row(event.value) for event in found]
    out.table_or_nothing(("at", "actor", "action", "kb", "object", "detail"), rows, whole=("object",))


def _row(event: AuditEventInfo) -> tuple[object, ...]:
    detail = json.dumps(event.detail, ensure_ascii=False) if event.detail else ""
    return f"{event.at:%Y-%m-%d %H:%M:%S}", event.actor, event.action, event.knowledge_base, event.object_id, detail


@audit_group.command("question", help=say("help.audit.question"))
@click.argument("question")
@talks_to_api
async def audit_question(api: Api, out: Output, question: str) -> None:
    """GET /audit/questions/{id}; --json has every field."""
    record = await api.audit.question(await id_of(api, out, "question", question))
    out.document(record)
    out.text("\n".join(f"{label}: {value}" for label, value in _lines(record) if value))
    out.text(f"\n{record['answer'] or record['reason'] or record['state']}\n")
    print_sources(out, record["citations"])
    if record["sources"]:
        out.text(f"\n{say('audit.passages')}")
    for source in record["sources"]:
        out.text(f"  [{source['n']}] {source['score']:.3f}  {source['document_name']} v{source['version']}  "
                 f"{source['chunk_id']}")  # fmt: skip


@audit_group.command("answers", help=say("help.audit.answers"))
@click.option("--version", type=click.IntRange(1, 2**53), metavar="N", help=say("help.audit.version"))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help=say("help.limit"))
@reference("document")
@talks_to_api
async def audit_answers(api: Api, out: Output, document: str, kb: str | None, version: int | None, limit: int) -> None:
    """GET /audit/documents/{id}/answers, the newest ones."""
    found = await api.audit.answers(await id_of(api, out, "document", document, kb), limit, version)
    out.document({"items": [use.json for use in found]})
    rows = [] if out.json else [_use(use.value) for use in found]
    columns = ("id", "at", "actor", "kb", "version", "passages", "quoted", "state")
    out.table_or_nothing(columns, rows)


def _use(use: AnswerUseInfo) -> tuple[object, ...]:
    quoted = say("audit.quoted" if use.cited else "audit.not_quoted")
    state = say("audit.erased") if use.deleted else say_or(f"state.{use.state}", use.state)
    at = f"{use.at:%Y-%m-%d %H:%M:%S}"
    return use.question_id, at, use.actor, use.knowledge_base, use.version, use.passages, quoted, state


@audit_group.command("export", help=say("help.audit.export"))
@narrowed
@click.option(
    "--format",
    type=click.Choice(["jsonl", "csv", "ocsf"]),
    default="jsonl",
    show_default=True,
    help=say("help.audit.format"),
)
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help=say("help.output"))
@talks_to_api
async def audit_export(api: Api, out: Output, format: str, output: Path | None, **chosen: Any) -> None:
    """GET /audit/export, streamed, because it may be long."""
    try:
        target: Any = nullcontext(sys.stdout.buffer) if output is None else output.open("wb")
    except OSError as exc:
        raise Problem("unwritable", path=output, detail=exc.strerror or exc) from exc
    lines = 0
    with target as file:
        async with aclosing(api.audit.export(format, **_params(**chosen))) as pieces:
            async for piece in pieces:
                lines += piece.count(b"\n")
                file.write(piece)
        file.flush()
    if output is not None:
        out.document({"events": lines - (format == "csv"), "file": str(output)})
        out.text(say("written", path=output))


def _params(since: datetime | None, until: datetime | None, **given: str | int | None) -> dict[str, str]:
    """Query parameters of the filter; a date without a zone is UTC, like all recorded times."""
    times = {"since": since, "until": until}
    found = {name: at.replace(tzinfo=UTC).isoformat() for name, at in times.items() if at is not None}
    return {name: str(value) for name, value in given.items() if value} | found


def _lines(record: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Label and value of the most important fields of a question's record."""
    yield say("audit.asked"), record["question"]
    yield say("audit.searched"), record["standalone"]
    yield say("audit.by"), f"{record['actor']}, {record['created_at'][:19].replace('T', ' ')} UTC"
    yield say("col.kb"), record["knowledge_base"]
    yield say("col.state"), f"{say_or('state.' + record['state'], record['state'])}, {record['mode']}"
    yield say("audit.fallback"), record["fallback"]
    yield say("audit.withheld"), record["withheld"]
    yield say("audit.index"), record["generation"]
    yield say("audit.embedding"), _model(record["embedding_model"], record["embedding_fingerprint"])
    yield say("audit.language_model"), _model(record["language_model"], record["prompt_version"], "prompt ")
    yield say("audit.tokens"), record["tokens"]
    times = record["milliseconds"] or {}
    yield say("audit.times"), ", ".join(f"{step} {value} ms" for step, value in times.items())
    yield say("audit.feedback"), " ".join(filter(None, (record["feedback_rating"], record["feedback_comment"])))


def _model(name: str | None, mark: str | None, before: str = "") -> str | None:
    return f"{name} ({before}{mark})" if name and mark else name
