"""The result of one check."""

from __future__ import annotations

from typing import NamedTuple

from api.client.problems import Message

#: A text in the terminal's language, or a name that is the same in all.
Text = Message | str


class Finding(NamedTuple):
    """``do`` says what to do; None if there is nothing to do."""

    check: Text
    ok: bool
    found: Text
    do: Message | None = None
