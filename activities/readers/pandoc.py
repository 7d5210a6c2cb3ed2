"""Markup formats that pandoc converts to HTML, which is then read like a web page.

pandoc runs as a subprocess without access to files or network (``--sandbox``). It inherits the limits of this
process, has a heap limit of its own, and is killed when this process dies.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pypandoc

from activities.errors import DamagedDocument, DocumentTooLarge, ParserCrashed, told
from activities.phrases import Phrase
from activities.readers.html import reading_of
from activities.readers.reading import Reading
from activities.settings import ParseSettings

_PROGRAM = Path(pypandoc.__file__).parent / "files" / "pandoc"  # the package's copy, not one on the PATH
_PR_SET_PDEATHSIG = 1
_HEAP_EXHAUSTED = 251  # pandoc's exit status under +RTS -M
_OPTIONS = ("--to=html5", "--wrap=none", "--sandbox", "--quiet", "--syntax-highlighting=none", "--standalone")
# pandoc treats a document's title as metadata; its default template would put it into a <header>.
_TEMPLATE = (
    "<html><body>$if(title)$<h1>$title$</h1>$endif$$if(subtitle)$<h2>$subtitle$</h2>$endif$"
    "$for(author)$<p>$author$</p>$endfor$$if(date)$<p>$date$</p>$endif$$abstract$$body$</body></html>"
)

_INDENTED = ("org-smart", "rst")  # formats whose lists are nested by indentation
_MAX_LEVELS = 200
_DEEP = re.compile(rb"^[ \t]{%d}[ \t]*+\S" % (2 * _MAX_LEVELS), re.M)
"""A line of a list that is nested too deeply: pandoc's time grows with the square of its levels."""

# A run of spaces is tried once, from its beginning.
_TAG = re.compile(
    r'(?<!\s)(?<!&nbsp;)(?:&nbsp;|\s)*+<span class="tag"[^<>]*+><span class="smallcaps">[^<]*+</span></span>'
)
"""Org's tags in headings."""


def markup(content: bytes, kind: str, limits: ParseSettings) -> Reading:
    """What a document in one of pandoc's formats (``odt``, ``rst``, …) says. Raises DocumentError."""
    if kind in _INDENTED and _DEEP.search(content):
        raise DocumentTooLarge(detail=Phrase.NESTED_LEVELS, limit=_MAX_LEVELS)
    html = _TAG.sub("", _html(content, kind, limits))
    return reading_of(html, limits) if html.strip() else Reading([])


def _html(content: bytes, kind: str, limits: ParseSettings) -> str:
    parent = os.getpid()
    template = _template()
    try:
        result = subprocess.run(  # noqa: S603 — pypandoc's own program; the document is its input
            [
                str(_PROGRAM),
                f"--from={kind}",
                *_OPTIONS,
                f"--template=/dev/fd/{template}",
                "+RTS",
                f"-M{limits.max_memory_mb}m",
                "-RTS",
            ],
            input=content,
            capture_output=True,
            check=False,
            pass_fds=(template,),
            preexec_fn=lambda: die_with(parent),  # safe: the parser process has one thread
        )
    finally:
        os.close(template)
    if result.returncode == _HEAP_EXHAUSTED:
        raise DocumentTooLarge(detail=Phrase.MEMORY, limit=limits.max_memory_mb)
    if result.returncode < 0:
        raise ParserCrashed(detail=f"pandoc: {signal.Signals(-result.returncode).name}")
    if result.returncode:
        lines = result.stderr.decode("utf-8", "replace").strip().splitlines() or [f"status {result.returncode}"]
        raise DamagedDocument(format=kind, detail=told(lines[0]))
    return result.stdout.decode("utf-8", "replace")


def _template() -> int:
    """A file descriptor of the template, in memory, that only pandoc inherits."""
    handle = os.memfd_create("template")
    os.write(handle, _TEMPLATE.encode())
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


def die_with(parent: int) -> None:
    """Makes the kernel kill this process when its parent dies, which may be killed at any time."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
