"""The documents, checked against the code: settings, commands, formats, targets, versions."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from activities.contracts.version import VERSION
from activities.readers.formats import CONVERTED, FORMATS
from activities.settings import FILE, PREFIX, SECRETS, Settings, variables
from api.cli.main import cli

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MAKEFILE = (ROOT / "Makefile").read_text()
READMES = {name: (ROOT / name).read_text() for name in ("README.md", "README.zh.md")}
DOCUMENTS = READMES | {f"docs/{path.name}": path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))}
OF_THE_MACHINE = {("worker", "cpu_slots")}
"""Settings whose default depends on the machine; the text describes it."""

ROW = re.compile(r"^\| ((?:`HOLDFAST_[^`]+` ?)+)\| .+ \|$", re.M)
TOP = "deploy|api|workflows|activities|triton_models|tests"
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.S)

readmes = pytest.mark.parametrize("readme", READMES.values(), ids=READMES)
documents = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[str]:
    """All commands of the command line, as typed after `holdfast`."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield " ".join((*path, name))


def command_at(words: list[str]) -> click.Command | None:
    """The command that these words name; None if there is none."""
    current: click.Command = cli
    for word in words:
        if not isinstance(current, click.Group):
            return current
        if word not in current.commands:
            return None
        current = current.commands[word]
    return current


@readmes
def test_a_readme_is_short(readme: str) -> None:
    """At most 150 lines."""
    assert len(readme.splitlines()) <= 150


@readmes
def test_every_setting_has_its_place(readme: str) -> None:
    """Each setting is in the table once, with the code's default; the table has no others."""
    cells = [cell for row in ROW.findall(readme) for cell in re.findall(r"`([^`]+)`", row)]
    listed = [tuple(cell.partition("=")[::2]) for cell in cells]
    assert sorted(listed) == sorted((name, _default(path)) for name, path in variables().items())


def _default(path: tuple[str, ...]) -> str:
    value: object = Settings()
    for field in path:
        value = getattr(value, field)
    return "" if path in OF_THE_MACHINE else str(value)


@documents
def test_no_setting_is_invented(document: str) -> None:
    """Every HOLDFAST_… in a document is a setting, or names the file of a secret one."""
    files = {name + FILE for name, path in variables().items() if path in SECRETS}
    assert set(re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]\b", document)) <= variables().keys() | files


@readmes
def test_every_command_is_there(readme: str) -> None:
    """A README shows each command as a person types it."""
    missing = [command for command in leaves(cli) if not re.search(rf"`holdfast {command}[` ]", readme)]
    assert not missing


@documents
def test_commands_in_the_text_exist(document: str) -> None:
    """Every `holdfast …` in code is a command, and its options exist."""
    for code in CODE.findall(document):
        for line in re.findall(r"\bholdfast ((?:[a-z]+(?:-[a-z]+)* ?)+[^`&\n]*)", code):
            words = re.match(r"(?:[a-z]+(?:-[a-z]+)* ?)+", line)
            command = command_at(words[0].split()) if words else None
            assert command is not None, line
            known = {option for parameter in command.params for option in parameter.opts}
            assert set(re.findall(r"--[a-z-]+", line)) <= known, line


@readmes
def test_the_formats_are_those_that_are_read(readme: str) -> None:
    """The table of formats has exactly the formats of the code; those of one row have their extensions."""
    rows = re.findall(r"^\| ((?:`\w+` )+)\| ((?:`\.\w+` )+)\| .+ \|$", readme, re.M)
    listed = [tuple(re.findall(r"`(\w+)`", names)) for names, _ in rows]
    formats = (*FORMATS, *CONVERTED)
    assert sorted(name for names in listed for name in names) == sorted(item.name for item in formats)
    extensions = {item.name: item.extensions for item in formats}
    for names, (_, shown) in zip(listed, rows, strict=True):
        assert tuple(re.findall(r"`(\.\w+)`", shown)) == tuple(it for name in names for it in extensions[name])


@readmes
def test_make_targets_exist(readme: str) -> None:
    """Every `make …` in a document is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.M))
    named = {target for code in CODE.findall(readme) for target in re.findall(r"\bmake ([a-z]+)\b", code)}
    assert {"up", "test", "lint"} <= named <= targets


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_are_named_exist(name: str) -> None:
    """Links, pictures and paths in code name files of this repository; an anchor is a heading there."""
    folder, text = (ROOT / name).parent, DOCUMENTS[name]
    found = [folder / path for path in re.findall(r'(?:src|href)="(?!https?:)([^"]+)"', text)]
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", text):
        found.append(folder / path if path else ROOT / name)
        assert not anchor or anchor in anchors(found[-1]), f"{path}#{anchor}"
    found += [ROOT / path for path in re.findall(rf"`((?:{TOP})/[\w./-]*)`", text)]
    found += [ROOT / path for path in re.findall(r"\b(deploy/[\w.]+|docker-compose\.yml|\.ci/run)\b", text)]
    assert [path for path in found if not path.exists()] == []


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_both_languages_say_the_same() -> None:
    """Both READMEs have the same sections, tables, addresses and blocks of code, in the same order."""
    marks = [re.findall(r"^(?:#+ |\| |```\w*|\* )", readme, re.M) for readme in READMES.values()]
    assert marks[0] == marks[1]
    addresses = [re.findall(r"<(http[^>]+)>", readme) for readme in READMES.values()]
    assert addresses[0] == addresses[1]
    cells = [re.findall(r"^\| (`[^|]+) \|", readme, re.M) for readme in READMES.values()]
    assert cells[0] == cells[1]


@readmes
def test_ci_runs_the_test_command(readme: str) -> None:
    """CI runs the README's test command last, after the checks."""
    script = (ROOT / ".ci/run").read_text()
    commands = [line.partition(" ||")[0] for line in script.splitlines() if line.startswith("make ")]
    assert commands == ["make lint", "make audit", "make test"]
    assert script.rstrip().endswith("make test")
    assert "set -euo pipefail" in script
    assert all(f"`{command}`" in readme for command in commands)


def test_the_version_is_one() -> None:
    """The changelog's newest version is the project's, and the one that processes tell each other."""
    changelog = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.M)
    assert versions[0] == PROJECT["version"] == VERSION


def test_the_versions_of_python_are_the_same_everywhere() -> None:
    """The project's, those that the Makefile takes, and those of the READMEs."""
    declared = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"])
    assert declared
    low, end = map(int, declared.groups())
    supported = {f"3.{minor}" for minor in range(low, end)}
    assert set(re.findall(r"python(3\.\d+) \|\|", MAKEFILE)) == supported
    assert set(re.findall(r"\(python (3\.\d+)\)", MAKEFILE)) == supported
    assert f"(3, {low}) <= sys.version_info[:2] <= (3, {end - 1})" in MAKEFILE
    for readme in READMES.values():
        assert set(re.findall(r"\b3\.1\d\b", readme)) == supported


def test_what_is_never_imported_is_not_installed() -> None:
    """The packages that `make lock` leaves out are in no lock; locks are installed as they are."""
    unused = re.search(r"--unsafe-package ,([\w -]+)\)", MAKEFILE)
    assert unused
    names = unused[1].split()
    for lock in ("requirements.lock", "requirements-dev.lock"):
        assert not set(re.findall(r"^([\w-]+)==", (ROOT / lock).read_text(), re.M)) & set(names)
        assert f"--no-deps -r {lock}" in MAKEFILE


def test_the_licence_is_the_one_that_is_declared() -> None:
    """LICENSE is the full text of the licence in pyproject.toml, and the package includes it."""
    text = (ROOT / "LICENSE").read_text()
    assert PROJECT["license"] == "Apache-2.0"
    assert PROJECT["license-files"] == ["LICENSE"]
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
