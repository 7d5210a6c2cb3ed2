"""The code's shape: small functions, errors handled where they are meant to be, nothing left to do."""

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

#: The edges of processes and threads: the only places that handle whatever may come, and why.
EDGES = {
    "activities/ingest/progress.py": "the edge of a background task; the next write must still happen",
    "activities/sandbox/server.py": "a reader may raise anything; that is a crash of the parser",
    "activities/runtime/interceptor.py": "the edge of every activity, where the retry is decided",
    "api/cli/progress.py": "a count is taken back, whatever happened; the error goes on",
    "triton_models/embed/1/model.py": "the edge of a thread, where nobody else would see it",
    "triton_models/generate/1/model.py": "the edge of a thread, where nobody else would see it",
}

#: Those of them that may swallow what they caught instead of raising; they make another report of it.
REPORTING = {
    "activities/ingest/progress.py",
    "activities/sandbox/server.py",
    "triton_models/embed/1/model.py",
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
    """The handlers of `Exception`, `BaseException` or of nothing in particular."""
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
    """All packages are looked at."""
    assert {file.split("/")[0] for file in FILES} == set(PACKAGES)
    assert len(FILES) > 80


@pytest.mark.parametrize("file", FILES)
def test_a_module_says_what_it_is_for(file: str) -> None:
    """Its first statement says what it is for."""
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


def test_only_edges_handle_whatever_may_come() -> None:
    """Everywhere else a handler names what it expects: an outage is never read as an empty result."""
    found = {file: broad_handlers(parsed(file)) for file in FILES}
    assert {file for file, handlers in found.items() if handlers} == set(EDGES)
    assert all(len(handlers) <= 1 for handlers in found.values())


@pytest.mark.parametrize("file", sorted(set(EDGES) - REPORTING))
def test_an_edge_passes_on_what_it_caught(file: str) -> None:
    """It raises again, itself or translated."""
    for handler in broad_handlers(parsed(file)):
        assert any(isinstance(node, ast.Raise) for node in ast.walk(handler))


@pytest.mark.parametrize("file", FILES)
def test_nothing_is_suppressed_broadly(file: str) -> None:
    """`suppress(Exception)` is an `except Exception: pass`."""
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "suppress":
            assert not BROAD & {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}


def test_there_is_no_bag_of_things() -> None:
    """A module is named by what it is for."""
    bags = re.compile(r"(^|/)(utils?|helpers?|common|misc|base|shared|types|core)(\.py|/)")
    assert [file for file in FILES if bags.search(file)] == []


@pytest.mark.parametrize("file", FILES)
def test_nothing_is_left_to_do(file: str) -> None:
    """What is not done is an issue, not a comment."""
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", (ROOT / file).read_text())


#: What reads the environment beside the settings, and why.
ENVIRONMENT = {
    "activities/settings.py": "loads the settings",
    "activities/readers/partition.py": "tells a library to send nothing home, before it is imported",
    "api/cli/texts/messages.py": "the language of the terminal is not a setting of ours",
    "api/stack/parts.py": "hands it on to the processes that it starts",
}


@pytest.mark.parametrize("file", [file for file in FILES if not file.startswith("triton_models/")])
def test_only_settings_read_the_environment(file: str) -> None:
    """A setting has one way into the code."""
    assert file in ENVIRONMENT or not re.search(r"\bos\.(environ|getenv)\b", (ROOT / file).read_text())
