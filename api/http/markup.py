"""Text of documents for readers of Markdown, which must not make a program load or run anything."""

from __future__ import annotations

import re

#: The beginning of a picture, and of what may be HTML.
_LOADING = re.compile(r"(?<=!)\[|<(?=[A-Za-z/!?])")


def harmless(text: str) -> str:
    """The text with pictures and HTML shown as they are written; other Markdown stays."""
    return _LOADING.sub(r"\\\g<0>", text)
