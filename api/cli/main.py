"""`holdfast`: the command line. Each command imports its slow dependencies itself."""

# ruff: noqa: PLC0415 - commands import slow modules themselves

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from api.cli.access import grant_group, group_group
from api.cli.add import add
from api.cli.admin import key_group, migrate
from api.cli.audit import audit_group
from api.cli.audit_log import audit_continue, audit_export_log, audit_key, audit_prove, audit_verify, hold_group
from api.cli.backup import backup, restore
from api.cli.batches import batch_group
from api.cli.conversations import conversation_group
from api.cli.doctor import doctor
from api.cli.documents import cancel, events, ls, pause, resume, retry, rm, status
from api.cli.evaluate import evaluate
from api.cli.knowledge_bases import kb_group
from api.cli.login import login, logout, profile_group, whoami
from api.cli.mcp import mcp
from api.cli.operations.commands import ops_group
from api.cli.output import Output, json_option
from api.cli.questions import ask, search
from api.cli.reindex import reindex_group
from api.cli.runs import audit_replay, audit_run, audit_runs
from api.cli.schedules import schedule_group
from api.cli.sync import sync_group
from api.cli.texts.messages import TEXTS, say, text_of
from api.cli.users import user_group
from api.cli.webhooks import webhook_group
from api.client.problems import Message

PARTS = [key.removeprefix("part.") for key in TEXTS if key.startswith("part.")]


@click.group(help=say("help.main"), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="holdfast", message="%(version)s")
def cli() -> None:
    """Group of all commands."""


@cli.command("up", help=say("help.up"))
@click.option("--only", multiple=True, type=click.Choice([*PARTS, "worker"]), help=say("help.only"))
@click.option("--without", multiple=True, type=click.Choice([*PARTS, "worker"]), help=say("help.without"))
@json_option
def up(only: tuple[str, ...], without: tuple[str, ...], as_json: bool) -> None:
    """Run the platform; --json prints one document with the addresses once it is ready, and progress to stderr."""
    if only and without:
        raise click.UsageError(say("only-without"))
    out = Output(as_json)

    def tell(message: Message) -> None:
        with _outlived():
            click.echo(text_of(message), err=as_json)

    def ready(places: dict[str, str], seconds: float) -> None:
        with _outlived():
            out.document(places)
            out.text("\n".join(_summary(places, seconds)))

    with out.problems():
        from activities.settings import load
        from api.stack.up import run

        is_terminal = (sys.stderr if as_json else sys.stdout).isatty()
        run(load(), only, without, tell, ready, tell if is_terminal else None)


@contextmanager
def _outlived() -> Iterator[None]:
    """Output that may have no reader any more, as its terminal or pipe is closed: the platform runs on without."""
    try:
        yield
    except OSError:
        with open(os.devnull, "w") as null:
            for stream in (sys.stdout, sys.stderr):
                os.dup2(null.fileno(), stream.fileno())


def _summary(places: dict[str, str], seconds: float) -> Iterator[str]:
    """Addresses and paths in aligned lines."""
    from rich.cells import cell_len

    rows = {say(f"up.{key}"): places[key] for key in ("web", "schema", "ui", "logs") if key in places}
    for kind, text in (("key_file", "up.key_in"), ("key_gone", "up.key_gone_from")):
        if kind in places:
            rows[say("up.key")] = say(text, path=places[kind])
    rows[say("up.stop")] = "Ctrl-C"
    width = max(map(cell_len, rows))
    yield f"\n{say('up.all_ready', seconds=seconds)}\n"
    for label, value in rows.items():
        yield f"  {label}{' ' * (width - cell_len(label))}   {value}"
    yield ""


@click.command("completion", help=say("help.completion"))
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_option
def completion(shell: str, as_json: bool) -> None:
    """Print a script that a shell reads when it starts."""
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    kinds = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
    out = Output(as_json)
    source = kinds[shell](cli, {}, "holdfast", "_HOLDFAST_COMPLETE").source()
    out.document({"shell": shell, "script": source})
    out.text(f"{say('completion.' + shell)}\n{source}")


DOCUMENTS = (add, ls, status, events, pause, resume, cancel, retry, rm)

for command in (
    kb_group,
    *DOCUMENTS,
    batch_group,
    reindex_group,
    ops_group,
    schedule_group,
    sync_group,
    webhook_group,
    ask,
    search,
    conversation_group,
    evaluate,
    mcp,
    audit_group,
    user_group,
    group_group,
    grant_group,
    migrate,
    backup,
    restore,
    key_group,
    login,
    logout,
    whoami,
    profile_group,
    doctor,
    completion,
):
    cli.add_command(command)


for command in (
    audit_runs,
    audit_run,
    audit_replay,
    audit_verify,
    audit_prove,
    audit_export_log,
    audit_key,
    audit_continue,
    hold_group,
):
    audit_group.add_command(command)


def main() -> None:
    """Entry point of the `holdfast` script."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character still shows the rest
    cli()
