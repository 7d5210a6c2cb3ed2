"""Org files, read by pandoc, without the content that a document includes from other files."""

from __future__ import annotations

import re
from pathlib import Path

from activities.readers.pandoc import markup
from activities.readers.partition import Progress
from activities.readers.reading import Reading
from activities.readers.text import decode_file
from activities.settings import ParseSettings

_INCLUDE = re.compile(r"^[ \t]*#\+(?:include|setupfile):.*\n?", re.M | re.I)


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of an Org file."""
    text = _INCLUDE.sub("", decode_file(path).replace("\r\n", "\n"))
    reading = markup(text.encode("utf-8", "replace"), "org-smart", limits)
    progress(1, 1)
    return reading
