"""Mailboxes (.mbox): mails one after another, each below a line ``From sender date``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

MAX_MAILS = 10_000
"""Maximum number of mails that are read of one mailbox; those after them are counted."""

_DATED = re.compile(rb"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b.{1,20}\d\d:\d\d.{1,20}\d{4}")
_LONGEST = 512  # bytes of a line that are looked at
_QUOTED = re.compile(rb"^>(>*+From )", re.M)


def is_mailbox(path: Path) -> bool:
    """Whether the file begins with the line that stands above a mail in a mailbox."""
    with path.open("rb") as file:
        return _separates(file.readline(_LONGEST))


def mails(path: Path) -> Iterator[tuple[bytes, int]]:
    """Each mail, without the line above it, and where in the file it ends."""
    lines: list[bytes] = []
    at = 0
    with path.open("rb") as file:
        for line in file:
            if _separates(line) and lines:
                yield _mail(lines), at
                lines = []
            lines.append(line)
            at += len(line)
    if lines:
        yield _mail(lines), at


def _separates(line: bytes) -> bool:
    return line.startswith(b"From ") and _DATED.search(line[:_LONGEST]) is not None


def _mail(lines: list[bytes]) -> bytes:
    """The mail of these lines; those of its text that begin with “From ” were written with a “>” before it."""
    return _QUOTED.sub(rb"\1", b"".join(lines[1:]))
