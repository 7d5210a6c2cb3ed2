"""Exceptions in logs: where they happened, and what they say only if that cannot quote a document or a question.

What the libraries that read, search and store say often quotes what they were given. The log level ``debug`` shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TextIO

from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import ExcInfo

from activities.errors import DependencyError, HoldfastError, SettingsError

HIDDEN = "… (log level debug shows it)"


def _family(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)


#: Exceptions that say in our own words, or the system's, what is wrong with a service.
TELLING = {
    *(each.__name__ for kind in (DependencyError, SettingsError) for each in _family(kind)),
    *(each.__name__ for each in _family(OSError) if each.__module__ == "builtins"),
}


def shown(exc: BaseException) -> str:
    """What a log line says of an exception: its sentence, or only its code or class."""
    if type(exc).__name__ in TELLING:
        return str(exc)[:300]
    return exc.reason.code if isinstance(exc, HoldfastError) else type(exc).__name__


class Exceptions:
    """Renders an exception with its causes, without local variables, and without messages unless they are telling."""

    def __init__(self, *, messages: bool) -> None:
        self._messages = messages
        self._transform = ExceptionDictTransformer(show_locals=False)

    def __call__(self, exc_info: ExcInfo) -> list[dict[str, Any]]:
        """For JSON: the exceptions, outermost first, each with its frames."""
        found = self._transform(exc_info)
        if not self._messages:
            for each in found:
                _hide(each)
        return found

    def console(self, out: TextIO, exc_info: ExcInfo) -> None:
        """For people: as Python prints it, innermost first."""
        for each in reversed(self(exc_info)):
            for line in _lines(each, ""):
                out.write(f"\n{line}")


def _hide(found: dict[str, Any]) -> None:
    if found["exc_value"] and found["exc_type"] not in TELLING:
        found["exc_value"] = HIDDEN
    found["exc_notes"] = []
    for stack in found["exceptions"]:
        for each in stack:
            _hide(each)


def _lines(found: dict[str, Any], indent: str) -> Iterator[str]:
    for frame in found["frames"]:
        yield f'{indent}  File "{frame["filename"]}", line {frame["lineno"]}, in {frame["name"]}'
    yield f"{indent}{found['exc_type']}: {found['exc_value']}".rstrip(": ")
    for stack in found["exceptions"]:
        for each in reversed(stack):
            yield from _lines(each, f"{indent}  | ")
