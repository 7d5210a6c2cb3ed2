"""Pure modules are cheap to import: contracts, catalogue records and wire types load msgspec and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

#: Loads a module in a fresh interpreter and prints the modules that it loads beside msgspec.
LOAD = """
import importlib, json, sys
import msgspec, msgspec.json, msgspec.structs
before = set(sys.modules)
importlib.import_module(sys.argv[1])
print(json.dumps(sorted(set(sys.modules) - before)))
"""

#: The only contracts that need the SDK: signatures are its decorators, search attributes its typed keys.
OF_THE_SDK = {"activities.contracts.signatures", "activities.contracts.search_attributes"}

OURS = {"activities", "workflows", "api"}

#: Modules that a wire type may load beside msgspec, ours included.
MOST_MODULES = 150


def named(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


CONTRACTS = {named(path) for path in (ROOT / "activities" / "contracts").glob("*.py")} - OF_THE_SDK
SCHEMAS = {named(path) for path in (ROOT / "api").rglob("schemas.py")}
PURE = sorted({*CONTRACTS, *SCHEMAS, "activities.stores.catalog.records", "workflows.contracts"})


def test_the_modules_are_found() -> None:
    """The lists contain all subjects of the API and all contracts."""
    assert len(SCHEMAS) >= 8
    assert len(CONTRACTS) >= 10


@pytest.mark.parametrize("module", PURE)
def test_a_contract_loads_only_msgspec_and_the_standard_library(module: str) -> None:
    """A client or a workflow that imports a contract loads no service client and no server."""
    command = [sys.executable, "-c", LOAD, module]
    loaded = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout)
    foreign = {name.split(".")[0] for name in loaded} - OURS - {"msgspec"} - set(sys.stdlib_module_names)
    assert foreign == set()
    assert len(loaded) < MOST_MODULES
