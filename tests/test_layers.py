"""The code's shape: small functions, errors handled only where intended, no leftover to-dos."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("activities", "workflows", "api", "triton_models")
MIGRATIONS = "activities/stores/catalog/migrations/versions/"

FUNCTION_LINES = 60

#: The edges of processes and threads: the only places with a broad exception handler, and the reason for each.
EDGES = {
    "activities/ingest/progress.py": "what is wrong with the progress of one run must not lose that of the others",
    "activities/runtime/loops.py": "the edge of a background task; the next turn must still happen",
    "activities/sandbox/server.py": "a reader may raise anything; that is a crash of the parser",
    "activities/runtime/interceptor.py": "the edge of every activity, where the retry is decided",
    "activities/runtime/correlation.py": "the span of a run ends as the run does; the error goes on",
    "activities/telemetry/tracing.py": "a span ends as its block does; the error goes on",
    "api/http/recording/edge.py": "an answer that was withheld is answered already; every other error goes on",
    "api/http/recording/recorder.py": "requests wait for a write by a task of its own, whatever goes wrong there",
    "api/background/dispatcher.py": "what is wrong with one start must not hold up the others",
    "api/background/watches.py": "what is wrong with one job must not hold up the watchers of the others; they get it",
    "api/questions/streams.py": "the edge of a background task; the next poll must still happen",
    "api/mcp/calls.py": "the protocol's library would show the error's text to the client; ours is raised instead",
    "api/cli/progress.py": "a count is taken back, whatever happened; the error goes on",
    "triton_models/embed/1/model.py": "the edge of a thread, whose exceptions no caller sees",
    "triton_models/embed_loader/loaded.py": "Triton aborts when such a model fails; who asked for it gets the error",
    "triton_models/scheduling.py": "the thread of a device serves on; the error ends the requests of the batch",
    "triton_models/generate/1/model.py": "the edge of a thread, whose exceptions no caller sees",
}

#: Edges that may swallow the exception instead of raising; they report it in another way.
REPORTING = {
    "activities/ingest/progress.py",
    "activities/runtime/loops.py",
    "api/background/dispatcher.py",
    "api/background/watches.py",
    "api/http/recording/recorder.py",
    "activities/sandbox/server.py",
    "api/questions/streams.py",
    "triton_models/embed/1/model.py",
    "triton_models/embed_loader/loaded.py",
    "triton_models/scheduling.py",
    "triton_models/generate/1/model.py",
}

BROAD = {"Exception", "BaseException"}

FILES = sorted(path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def broad_handlers(tree: ast.AST) -> list[ast.ExceptHandler]:
    """The handlers of `Exception`, `BaseException` or without a type."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or BROAD & {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)})
    ]


def parsed(file: str) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse((ROOT / file).read_text())


def test_the_code_is_found() -> None:
    """The list of files covers all packages."""
    assert {file.split("/")[0] for file in FILES} == set(PACKAGES)
    assert len(FILES) > 80


@pytest.mark.parametrize("file", FILES)
def test_a_module_has_a_docstring(file: str) -> None:
    """Its first statement is a docstring."""
    text = (ROOT / file).read_text()
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "no docstring"


@pytest.mark.parametrize("file", [file for file in FILES if not file.startswith(MIGRATIONS)])
def test_a_function_fits_on_a_screen(file: str) -> None:
    """It has at most 60 lines, with its docstring."""
    long = {
        function.name: lines
        for function in functions(parsed(file))
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    }
    assert long == {}


def test_only_edges_have_broad_handlers() -> None:
    """Elsewhere a handler names its exceptions: an outage never becomes an empty result."""
    found = {file: broad_handlers(parsed(file)) for file in FILES}
    assert {file for file, handlers in found.items() if handlers} == set(EDGES)
    assert all(len(handlers) <= 1 for handlers in found.values())


@pytest.mark.parametrize("file", sorted(set(EDGES) - REPORTING))
def test_an_edge_raises_again(file: str) -> None:
    """The same exception, or a translated one."""
    for handler in broad_handlers(parsed(file)):
        assert any(isinstance(node, ast.Raise) for node in ast.walk(handler))


@pytest.mark.parametrize("file", FILES)
def test_nothing_is_suppressed_broadly(file: str) -> None:
    """`suppress(Exception)` is an `except Exception: pass`."""
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "suppress":
            assert not BROAD & {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}


def test_no_module_is_a_catch_all() -> None:
    """A module's name states its purpose."""
    bags = re.compile(r"(^|/)(utils?|helpers?|common|misc|base|shared|types|core)(\.py|/)")
    assert [file for file in FILES if bags.search(file)] == []


@pytest.mark.parametrize("file", FILES)
def test_no_comment_is_a_to_do(file: str) -> None:
    """Open work is an issue, not a comment."""
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", (ROOT / file).read_text())


#: Modules that read the environment beside the settings, and the reason for each.
ENVIRONMENT = {
    "activities/settings.py": "loads the settings",
    "api/cli/ports.py": "runs before what loads the settings is installed",
    "activities/readers/ocr/engine.py": "tells a library to send nothing home, before it is imported",
    "activities/sandbox/runner.py": "hands on the few variables that child processes get",
    "activities/readers/partition.py": "tells a library to send nothing home, before it is imported",
    "api/cli/texts/messages.py": "the language of the terminal is not a setting of ours",
    "api/stack/parts.py": "hands it on to the processes that it starts",
    "api/stack/up.py": "tells a library, before it is imported, that its process starts others",
}


@pytest.mark.parametrize("file", [file for file in FILES if not file.startswith("triton_models/")])
def test_only_settings_read_the_environment(file: str) -> None:
    """Settings are the only way of a variable into the code."""
    assert file in ENVIRONMENT or not re.search(r"\bos\.(environ|getenv)\b", (ROOT / file).read_text())
