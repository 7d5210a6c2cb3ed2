"""`holdfast backup` and `holdfast restore`: on the data folder and its databases, not over the API."""

# ruff: noqa: PLC0415 - commands import slow modules themselves

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from api.cli.output import Output, json_option
from api.cli.texts.messages import say, text_of
from api.client.problems import Message

_PATH = click.Path(path_type=Path)


@click.command("backup", help=say("help.backup"))
@click.argument("path", type=_PATH)
@click.option("--with-keys", is_flag=True, help=say("help.backup.keys"))
@click.option("--with-files", is_flag=True, help=say("help.backup.files"))
@json_option
def backup(path: Path, with_keys: bool, with_files: bool, as_json: bool) -> None:
    """Write a backup; --json prints its manifest, and progress to stderr."""
    out = Output(as_json)
    with out.problems():
        from activities.settings import load
        from api.backup.create import create

        path = path.absolute()
        manifest = asyncio.run(create(load(), path, with_keys=with_keys, with_files=with_files, tell=_teller(out.json)))
    out.document({"path": str(path), **msgspec.to_builtins(manifest)})
    out.text(say("backup.done", path=path, size=manifest.size / 1e6))
    if manifest.files:
        out.text(say("backup.files-elsewhere", url=manifest.files))
    if manifest.keys_left_out:
        out.text(say("backup.keys-left-out", names=", ".join(manifest.keys_left_out)))
    elif manifest.keys:
        out.text(say("backup.has-keys", names=", ".join(manifest.keys)))


@click.command("restore", help=say("help.restore"))
@click.argument("path", type=_PATH)
@click.option("--replace", is_flag=True, help=say("help.restore.replace"))
@click.option("--take-over", is_flag=True, help=say("help.restore.take-over"))
@json_option
def restore(path: Path, replace: bool, take_over: bool, as_json: bool) -> None:
    """Restore a backup; --json prints its manifest with the keys that are missing, and progress to stderr."""
    out = Output(as_json)
    with out.problems():
        from activities.settings import load
        from api.stack.restoring import run

        manifest, missing = run(load(), path.absolute(), replace, _teller(out.json), take_over=take_over)
    out.document({"missing_keys": missing, **msgspec.to_builtins(manifest)})
    out.text(say("restore.done", at=f"{manifest.created_at:%Y-%m-%d %H:%M} UTC", **manifest.counts))
    if missing:
        out.text(say("restore.missing-keys", names=", ".join(missing)))
    out.text(say("restore.next"))


def _teller(as_json: bool) -> Callable[[Message], None]:
    return lambda message: click.echo(text_of(message), err=as_json)
