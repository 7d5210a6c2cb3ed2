"""The base of all contracts: its options hold for each of them."""

from __future__ import annotations

import inspect
from importlib import import_module
from pkgutil import walk_packages

from activities import contracts
from activities.contracts import Contract
from activities.contracts.search import PageRange, SearchFilter, TimeRange


def test_contracts_are_immutable_and_short() -> None:
    """Every contract is frozen, omits its defaults, and ignores unknown fields."""
    modules = [import_module(found.name) for found in walk_packages(contracts.__path__, f"{contracts.__name__}.")]
    members = [kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)]
    kinds = {kind for kind in members if issubclass(kind, Contract)}
    assert len(kinds) > 50
    assert {SearchFilter, PageRange, TimeRange} <= kinds
    for kind in kinds:
        config = kind.__struct_config__
        assert (config.frozen, config.omit_defaults, config.forbid_unknown_fields) == (True, True, False), kind
