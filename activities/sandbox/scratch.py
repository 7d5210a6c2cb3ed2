"""Temporary folders of a worker; those that a killed worker left behind are removed by the next one."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

_PREFIX = "holdfast-worker-"
_LOCK = "lock"


def folder(purpose: str) -> tempfile.TemporaryDirectory[str]:
    """A new folder below that of this process, for use in a ``with`` statement."""
    return tempfile.TemporaryDirectory(prefix=f"{purpose}-", dir=_own())


@cache
def _own() -> Path:
    """The folder of this process. It holds a lock on it for life, which tells others that the folder is in use."""
    _remove_abandoned()
    own = Path(tempfile.mkdtemp(prefix=_PREFIX))
    handle = os.open(own / "new", os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    (own / "new").rename(own / _LOCK)  # whoever sees it sees it locked
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return own


def _remove_abandoned() -> None:
    for other in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            handle = os.open(other / _LOCK, os.O_RDWR)
        except OSError:
            continue  # another user's, or made at this moment
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(other, ignore_errors=True)
        except BlockingIOError:
            pass  # in use
        finally:
            os.close(handle)
