"""Passwords, asked for without showing them. They are never arguments: other users of the machine see those."""

from __future__ import annotations

import sys

import click

from api.cli.output import Output, clean
from api.cli.texts.messages import say

#: Longest password that is read.
MAX_PASSWORD = 1024

password_stdin = click.option("--password-stdin", is_flag=True, help=say("help.password_stdin"))


def ask(out: Output, question: str, from_stdin: bool, *, twice: bool = False) -> str:
    """A line of stdin, or of the terminal, there ``twice`` for a new one."""
    if from_stdin:
        return sys.stdin.readline(MAX_PASSWORD + 1).removesuffix("\n").removesuffix("\r")
    if out.json or not sys.stdin.isatty():
        raise click.UsageError(say("password.no-terminal"))
    again = clean(say("password.again")) if twice else False
    return str(click.prompt(clean(question), hide_input=True, confirmation_prompt=again, err=True))
