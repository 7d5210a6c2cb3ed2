"""Imports and warms up all readers; the sandbox server preloads it, and child processes are forked from that state."""

from __future__ import annotations

from importlib import import_module

from activities.ingest import chunking, members, parse
from activities.readers.formats import readable
from activities.readers.partition import QUIET, paragraph, partition_html

for _format in readable():
    import_module(_format.reader)

# The first call builds the pipeline and compiles regular expressions.
for _text in ("One paragraph. And a sentence.", "- an item"):
    paragraph(_text)
partition_html(text="<h1>Title</h1><p>One paragraph.</p>", **QUIET)

__all__ = ["chunking", "members", "parse"]
