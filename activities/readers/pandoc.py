"""Markup that pandoc understands, turned into HTML by it, and then read like any web page.

pandoc is a program of its own: it runs without access to files or network (``--sandbox``), inherits the limits
of this process, has a limit on its own heap, and dies with this process.
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

from activities.contracts.documents import Element
from activities.errors import DamagedDocument, DocumentTooLarge, ParserCrashed, ParserTimedOut
from activities.phrases import Phrase
from activities.readers.html import elements_of
from activities.settings import ParseSettings

_PROGRAM = Path(pypandoc.__file__).parent / "files" / "pandoc"  # the one of the package, not one on the PATH
_PR_SET_PDEATHSIG = 1
_HEAP_EXHAUSTED = 251  # pandoc's exit status under +RTS -M
_OPTIONS = ("--to=html5", "--wrap=none", "--sandbox", "--quiet", "--syntax-highlighting=none", "--standalone")
# The heading that a document gives itself is metadata to pandoc; its own template would put it into a <header>.
_TEMPLATE = (
    "<html><body>$if(title)$<h1>$title$</h1>$endif$$if(subtitle)$<h2>$subtitle$</h2>$endif$"
    "$for(author)$<p>$author$</p>$endfor$$if(date)$<p>$date$</p>$endif$$abstract$$body$</body></html>"
)

_MARKS = (
    (re.compile(r'<a [^>]*class="footnote-ref"[^>]*><sup>(\d+)</sup></a>'), r" [\1]"),
    (re.compile(r'<a [^>]*class="footnote-back"[^>]*>.*?</a>'), ""),
    (re.compile(r'(?:&nbsp;|\s)*<span class="tag"[^>]*><span class="smallcaps">[^<]*</span></span>'), ""),
)
"""What pandoc adds for browsers: links of footnotes to and fro, and Org's tags as words of the heading."""


def markup(content: bytes, kind: str, limits: ParseSettings) -> list[Element]:
    """The elements of a document in one of pandoc's formats (``odt``, ``rst``, …)."""
    html = _html(content, kind, limits)
    for pattern, replacement in _MARKS:
        html = pattern.sub(replacement, html)
    return elements_of(html) if html.strip() else []


def _html(content: bytes, kind: str, limits: ParseSettings) -> str:
    parent = os.getpid()
    template = _template()
    try:
        done = subprocess.run(  # noqa: S603 — the program that comes with pypandoc; the document is its input
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
            timeout=limits.max_seconds,
            check=False,
            pass_fds=(template,),
            preexec_fn=lambda: _die_with(parent),  # a parser has one thread
        )
    except subprocess.TimeoutExpired as exc:
        raise ParserTimedOut(seconds=limits.max_seconds) from exc
    finally:
        os.close(template)
    if done.returncode == _HEAP_EXHAUSTED:
        raise DocumentTooLarge(detail=Phrase.MEMORY, limit=limits.max_memory_mb)
    if done.returncode < 0:
        raise ParserCrashed(detail=f"pandoc: {signal.Signals(-done.returncode).name}")
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"status {done.returncode}"]
        raise DamagedDocument(format=kind, detail=said[0][:200])
    return done.stdout.decode("utf-8", "replace")


def _template() -> int:
    """The template as an open file that only pandoc sees."""
    handle = os.memfd_create("template")
    os.write(handle, _TEMPLATE.encode())
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


def _die_with(parent: int) -> None:
    """Ask the kernel to end pandoc with its parent, which may be killed at any time."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
