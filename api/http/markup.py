"""Text of documents for readers of Markdown, which must not make a program load or run anything.

Nor may it make links of the numbers of sources, by a line that gives one an address: ``[ 1 ]: https://…``.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt

#: The beginning of a picture, and of what may be HTML.
_LOADING = re.compile(r"(?<=!)\[|<(?=[A-Za-z/!?])")

#: The beginning of a line that gives a number an address, also in lists and quotes.
_ADDRESS = re.compile(r"((?:^|\r)(?:[ \t>*+-]|\d{1,9}[.)])*+)(?=\[\s*+\d++\s*+\]:)", re.MULTILINE)

_MARKDOWN = MarkdownIt("commonmark")


def harmless(text: str) -> str:
    """The text with pictures, HTML and addresses of numbers shown as they are written; other Markdown stays."""
    return _ADDRESS.sub(r"\1\\", _LOADING.sub(r"\\\g<0>", text))


def end_of_code(text: str) -> str:
    """What ends code at the end of a text that would go on behind it."""
    if "```" not in text and "~~~" not in text:
        return ""
    last = _MARKDOWN.parse(f"{text}\n\n.")[-1]
    return f"\n{last.markup}" if last.type == "fence" else ""
