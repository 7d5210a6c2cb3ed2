"""No regular expression takes more than linear time on hostile text, whatever file, name or request it comes from."""

from __future__ import annotations

import ast
import math
import pkgutil
import re
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from re import _constants as sre  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any, NamedTuple, NoReturn

import pytest

import activities
import api
import workflows

ROOT = Path(__file__).parents[1]
PACKAGES = (activities, api, workflows)

CHARACTERS = 4_000
"""Length of the hostile texts; where matching one takes long, it is compared with that of a longer one."""

LONGER = 4
"""Linear patterns take so many times as long for a text so many times longer; quadratic ones the square of it."""

SUSPICIOUS_SECONDS = 0.005
"""CPU time that few linear patterns take for a hostile text."""

ENDLESS_SECONDS = 3
"""CPU time after which a match is given up: exponential patterns take for ever."""

ATOMS = (" ", "\n", "\r\n", "\t", "a", "A", "1", "-", "_", ".", ",", ":", ";", "<", ">", "<!---->", "[", "]", '"', "'",
         "|", "=", "&nbsp;", "中", "[1]", "1.", "a.", "a b ")  # fmt: skip


class Endless(Exception):
    """A pattern used more CPU time than any other."""


def modules() -> Iterator[ModuleType]:
    """All modules of the packages, imported."""
    for package in PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__") and ".migrations" not in found.name:
                yield import_module(found.name)


def compiled(value: object, depth: int = 3) -> Iterator[re.Pattern[Any]]:
    """The patterns in a module's variable, also in tuples, tables and classes."""
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, list | tuple | set | frozenset):
        yield from chain.from_iterable(compiled(item, depth - 1) for item in value)
    elif depth and isinstance(value, dict):
        yield from chain.from_iterable(compiled(item, depth - 1) for item in [*value, *value.values()])
    elif depth and isinstance(value, type) and value.__module__.partition(".")[0] in ("activities", "api", "workflows"):
        yield from chain.from_iterable(compiled(item, depth - 1) for item in vars(value).values())


def written(source: str) -> Iterator[tuple[re.Pattern[Any], bool]]:
    """The patterns that stand in calls such as ``re.sub("…", …)``, and whether these search."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and node.func.attr != "compile"  # found in its module
        ):
            yield re.compile(node.args[0].value), node.func.attr not in ("match", "fullmatch")


def patterns() -> list[Any]:
    """(pattern, whether it searches a text rather than matching from its beginning), each pattern of the code once."""
    found: dict[re.Pattern[Any], tuple[str, bool]] = {}
    paths = [
        path
        for folder in ("activities", "api", "workflows", "triton_models")
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]
    uses: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        for name, method in re.findall(r"\b(\w+)\.(\w+)\(", path.read_text()):
            uses[name].add(method)
    for module in modules():
        for name, value in list(vars(module).items()):
            anchored = isinstance(value, re.Pattern) and name in uses and uses[name] <= {"match", "fullmatch"}
            for pattern in compiled(value):
                place, searches = found.get(pattern, (f"{module.__name__}.{name}", False))
                found[pattern] = place, searches or not anchored
    for path in paths:
        for pattern, searches in written(path.read_text()):
            found.setdefault(pattern, (str(path.relative_to(ROOT)), searches))
    return [pytest.param(pattern, searches, id=place) for pattern, (place, searches) in found.items()]


def sample(tree: Any, groups: dict[int, str], choice: int = 0) -> str:
    """A text that a part of a pattern matches; ``choice`` selects among alternatives."""
    return "".join(_sample(operation, argument, groups, choice) for operation, argument in tree)


def _sample(operation: Any, argument: Any, groups: dict[int, str], choice: int) -> str:
    match operation:
        case sre.LITERAL:
            return chr(argument)
        case sre.NOT_LITERAL:
            return "a" if argument != ord("a") else "b"
        case sre.ANY:
            return "a"
        case sre.IN:
            return _one_of(argument, choice)
        case sre.BRANCH:
            return sample(argument[1][choice % len(argument[1])], groups, choice)
        case sre.SUBPATTERN:
            text = sample(argument[3], groups, choice)
            groups[argument[0] or 0] = text
            return text
        case sre.ATOMIC_GROUP:
            return sample(argument, groups, choice)
        case sre.MAX_REPEAT | sre.MIN_REPEAT | sre.POSSESSIVE_REPEAT:
            return sample(argument[2], groups, choice) * max(int(argument[0]), min(1, int(argument[1])))
        case sre.GROUPREF:
            return groups.get(argument, "")
    return ""  # anchors and assertions


def _one_of(members: Any, choice: int) -> str:
    """A character of a class; for a negated one, an ASCII character that it does not name."""
    negated = members[0][0] is sre.NEGATE
    named = [text for member in members for text in _member(*member)]
    if negated:
        return next(letter for letter in "a -1<.,;:x" if letter not in named)
    return str(named[choice % len(named)])


def _member(operation: Any, argument: Any) -> list[str]:
    categories = {sre.CATEGORY_SPACE: [" ", "\n"], sre.CATEGORY_DIGIT: ["1"], sre.CATEGORY_WORD: ["a", "1", "_"]}
    match operation:
        case sre.LITERAL:
            return [chr(argument)]
        case sre.RANGE:
            return [chr(argument[0]), chr(argument[1])]
        case sre.CATEGORY:
            return categories.get(argument, ["!"])
    return []


def pumped(tree: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """(text before, text to repeat) for every repetition in a pattern, also nested ones."""
    for operation, argument in tree:
        if operation in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT) and argument[1] > 1:
            for choice in range(4):
                yield before, sample(argument[2], {}, choice)
            yield from pumped(argument[2], before)
        elif operation is sre.SUBPATTERN:
            yield from pumped(argument[3], before)
        elif operation is sre.ATOMIC_GROUP:
            yield from pumped(argument, before)
        elif operation is sre.BRANCH:
            for branch in argument[1]:
                yield from pumped(branch, before)
        before += _sample(operation, argument, {}, 0)


class Hostile(NamedTuple):
    """A text that makes a backtracking engine try again and again: a repetition that ends in no match."""

    before: str
    repeated: str

    def of(self, characters: int) -> str:
        """The text with about so many characters."""
        return self.before + self.repeated * (characters // len(self.repeated)) + "\0"


def hostile(pattern: re.Pattern[Any]) -> Iterator[Hostile]:
    """Every repetition of the pattern, and of common characters."""
    tree = re._parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)  # type: ignore[attr-defined]
    whole = sample(tree, {})
    begun = {("", atom) for atom in ATOMS} | {("", whole), ("", whole[:-1])} | set(pumped(tree))
    return (Hostile(before, repeated) for before, repeated in sorted(begun) if repeated)


def endless(number: int, frame: object) -> NoReturn:
    raise Endless


def seconds(pattern: re.Pattern[Any], text: str, *, searches: bool) -> float:
    """CPU time of matching and searching the text."""
    value: Any = text.encode("utf-8", "replace") if isinstance(pattern.pattern, bytes) else text
    previous = signal.signal(signal.SIGVTALRM, endless)
    signal.setitimer(signal.ITIMER_VIRTUAL, ENDLESS_SECONDS)
    began = time.thread_time()
    try:
        pattern.fullmatch(value)
        pattern.match(value)
        for _ in pattern.finditer(value) if searches else ():
            pass
        return time.thread_time() - began
    except Endless:
        return math.inf
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)


def is_linear(pattern: re.Pattern[Any], text: Hostile, *, searches: bool = True) -> bool:
    """Whether the time for a text grows as its length, not as a power of it."""
    once = seconds(pattern, text.of(CHARACTERS), searches=searches)
    if once < SUSPICIOUS_SECONDS or once == math.inf:
        return once < SUSPICIOUS_SECONDS
    short = min(seconds(pattern, text.of(CHARACTERS), searches=searches) for _ in range(3))
    return seconds(pattern, text.of(LONGER * CHARACTERS), searches=searches) < LONGER * short * LONGER**0.5


@pytest.mark.parametrize(("pattern", "searches"), patterns())
def test_a_pattern_is_linear(pattern: re.Pattern[Any], searches: bool) -> None:
    """Each repetition of the pattern is pumped up to a text that does not match in the end."""
    assert [text for text in hostile(pattern) if not is_linear(pattern, text, searches=searches)] == []


@pytest.mark.parametrize("expression", [r"(?:a+)+b", r"\s*x", r"(?:<!--.*?-->\s*)*<html", r"a.*b.*c"])
def test_patterns_that_are_not_linear_are_found(expression: str) -> None:
    """Exponential and quadratic expressions, of the kinds that once stopped a worker."""
    pattern = re.compile(expression, re.S)
    assert not all(is_linear(pattern, text) for text in hostile(pattern))


def test_no_field_of_a_request_takes_a_line_break_at_its_end() -> None:
    """``$`` also matches before one: a knowledge base could have the name of another one, with a line break."""
    given = [
        (path.name, line.strip())
        for path in (ROOT / "api").rglob("*.py")
        for line in path.read_text().splitlines()
        if "pattern=" in line and "$" in line
    ]
    assert len(given) >= 8
    assert [each for each in given if r"$(?!\n)" not in each[1]] == []
