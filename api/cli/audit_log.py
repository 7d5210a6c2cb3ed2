"""`holdfast audit verify|prove|export-log|key|continue|hold`: the tamper-evident log of audit events."""

# ruff: noqa: PLC0415 - commands import slow modules themselves

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from api.cli.names import id_of
from api.cli.output import Output, json_option, talks_to_api, write_file
from api.cli.texts.messages import language, say
from api.client.problems import Problem

if TYPE_CHECKING:
    from activities.audit_log.export import Signed
    from activities.audit_log.notes import PublicKey
    from activities.audit_log.verify import Report
    from api.client.client import Api

#: Findings that a terminal shows.
SHOWN = 100

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUTPUT = click.Path(dir_okay=False, path_type=Path)


@click.command("verify", help=say("help.audit.verify"))
@click.argument("export", type=_FILE)
@click.option("--key", "keys", required=True, multiple=True, metavar="KEY", help=say("help.audit.verify.key"))
@click.option("--checkpoints", multiple=True, type=_FILE, help=say("help.audit.verify.checkpoints"))
@json_option
def audit_verify(export: Path, keys: tuple[str, ...], checkpoints: tuple[Path, ...], as_json: bool) -> None:
    """Verify a file without the API; exit 1 if it was tampered with."""
    from activities.audit_log.export import NotAnExport
    from activities.audit_log.verify import verify

    out = Output(as_json)
    with out.problems():
        known = [_public_key(text) for text in keys]
        outside = [record for path in checkpoints for record in _checkpoints(path)]
        try:
            report = verify(export, known, outside, lambda done, total: _progress(out, done, total))
        except NotAnExport as exc:
            raise Problem("not-an-export", path=export, detail=exc) from exc
        _show(out, report)


def _progress(out: Output, done: int, total: int) -> None:
    if out.live:
        click.echo(f"\r{say('audit.verify.reading', done=done, total=total)}\033[K", nl=done >= total, err=True)


def _show(out: Output, report: Report) -> None:
    out.document(msgspec.to_builtins(report) | {"tampered": report.tampered})
    wrong = [finding for finding in report.findings if finding.tampered]
    if wrong:
        out.text(say("audit.verify.tampered", origin=report.origin, count=len(wrong)))
    else:
        outside = min(report.outside, report.covered)
        out.text(say("audit.verify.whole", origin=report.origin, events=report.covered, outside=outside))
    for finding in [*wrong, *(each for each in report.findings if not each.tampered)][:SHOWN]:
        given = {"index": finding.index, "end": finding.end, "detail": finding.detail}
        out.text(f"  {say(f'audit.finding.{finding.kind}', **given)}")
    if len(report.findings) > SHOWN:
        out.text("  …")
    if report.tampered:
        sys.exit(1)


def _public_key(text: str) -> PublicKey:
    from activities.audit_log.notes import NoteInvalid, PublicKey

    try:
        path = Path(text)
        return PublicKey(path.read_text("utf-8") if "+" not in text or path.is_file() else text)
    except (NoteInvalid, OSError, ValueError) as exc:
        raise Problem("not-a-key", text=text) from exc


def _checkpoints(path: Path) -> list[Signed]:
    from activities.audit_log.export import NotAnExport, checkpoints_in

    try:
        return checkpoints_in(path)
    except NotAnExport as exc:
        raise Problem("not-an-export", path=path, detail=exc) from exc


@click.command("export-log", help=say("help.audit.export-log"))
@click.option("--output", "-o", type=_OUTPUT, required=True, help=say("help.output"))
@talks_to_api
async def audit_export_log(api: Api, out: Output, output: Path) -> None:
    """GET /audit/log/export, piece by piece, because it may be long."""
    size = 0
    try:
        with output.open("wb") as file:
            async with aclosing(api.audit.log_export()) as pieces:
                async for piece in pieces:
                    size += file.write(piece)
    except OSError as exc:
        raise Problem("unwritable", path=output, detail=exc.strerror or exc) from exc
    out.document({"file": str(output), "bytes": size})
    out.text(say("written", path=output))


@click.command("prove", help=say("help.audit.prove"))
@click.argument("question")
@click.option("--output", "-o", type=_OUTPUT, help=say("help.output"))
@talks_to_api
async def audit_prove(api: Api, out: Output, question: str, output: Path | None) -> None:
    """GET /audit/questions/{id}/proof."""
    id = await id_of(api, out, "question", question)
    path = output or Path(f"proof-{id}.json")
    content = await api.audit.question_proof(id)
    write_file(path, content)
    out.document({"file": str(path), "bytes": len(content)})
    out.text(say("written", path=path))


@click.command("key", help=say("help.audit.key"))
@click.option("--new", type=_OUTPUT, metavar="FILE", help=say("help.audit.key.new"))
@json_option
def audit_key(new: Path | None, as_json: bool) -> None:
    """Print the public key, and nothing else of the key."""
    out = Output(as_json)
    with out.problems():
        if new is None:
            asyncio.run(_show_key(out))
            return
        from activities.audit_log.notes import SigningKey
        from api.stack import audit_key as keys

        try:
            if not keys.create(new):
                raise Problem("file-exists", path=new)
        except OSError as exc:
            raise Problem("unwritable", path=new, detail=exc.strerror or exc) from exc
        key = SigningKey(new.read_text("utf-8").strip()).public.text
        out.document({"public_key": key, "file": str(new)})
        out.text(key)


async def _show_key(out: Output) -> None:
    from activities.settings import load
    from api.client.client import Api, Target

    async with Api(Target.of(load()), language()) as api:
        found = await api.audit.log()
    out.document(found.json)
    out.text(found.value.public_key or say("audit.log.unsigned"))
    if out.live:
        state = found.value
        out.text(say("audit.log.size", size=state.size, waiting=state.waiting, checked=state.checked))
        out.text(state.problem or "")


@click.command("continue", help=say("help.audit.continue"))
@click.option("--reason", required=True, metavar="TEXT", help=say("help.audit.continue.reason"))
@talks_to_api
async def audit_continue(api: Api, out: Output, reason: str) -> None:
    """POST /audit/log/continue."""
    found = await api.audit.continue_log(reason)
    out.document(found.json)
    out.text(say("audit.continued", kept=found.value.kept, size=found.value.size))


@click.group(name="hold", help=say("help.audit.hold"))
def hold_group() -> None:
    """Group of the commands on legal holds."""


_reason = click.option("--reason", required=True, metavar="TEXT", help=say("help.audit.hold.reason"))


@hold_group.command("set", help=say("help.audit.hold.set"))
@click.argument("kb")
@_reason
@talks_to_api
async def hold_set(api: Api, out: Output, kb: str, reason: str) -> None:
    """POST /audit/holds."""
    out.document((await api.audit.hold(kb, reason)).json)
    out.text(say("audit.hold.set", kb=kb))


@hold_group.command("list", help=say("help.audit.hold.list"))
@talks_to_api
async def hold_list(api: Api, out: Output) -> None:
    """GET /audit/holds."""
    found = await api.audit.holds()
    out.document({"items": [hold.json for hold in found]})
    rows = [
        (each.knowledge_base, f"{each.at:%Y-%m-%d %H:%M}", each.actor, each.reason) for each in (h.value for h in found)
    ]
    out.table_or_nothing(("kb", "at", "actor", "reason"), rows, whole=("kb",))


@hold_group.command("remove", help=say("help.audit.hold.remove"))
@click.argument("kb")
@_reason
@talks_to_api
async def hold_remove(api: Api, out: Output, kb: str, reason: str) -> None:
    """POST /audit/holds/end."""
    await api.audit.end_hold(kb, reason)
    out.document({"knowledge_base": kb, "held": False})
    out.text(say("audit.hold.removed", kb=kb))
