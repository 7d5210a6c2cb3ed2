"""reStructuredText, read by pandoc, without the content that a document includes from other files."""

from __future__ import annotations

import re
from pathlib import Path

from activities.readers.pandoc import markup
from activities.readers.partition import Progress
from activities.readers.reading import Reading
from activities.readers.text import decode_file
from activities.settings import ParseSettings

# pandoc rejects a document that includes files it cannot read, so the directive and its options are removed.
_INCLUDE = re.compile(r"^([ \t]*)\.\.[ \t]+(?:include|literalinclude)::.*(?:\n\1[ \t]+:.*)*", re.M)
_FROM_FILE = re.compile(r"^[ \t]+:(?:file|url):.*\n?", re.M)


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of a reStructuredText file."""
    text = decode_file(path).replace("\r\n", "\n")
    text = _FROM_FILE.sub("", _INCLUDE.sub("", text))
    reading = markup(text.encode("utf-8", "replace"), "rst", limits)
    progress(1, 1)
    return reading
