"""Queries of dashboards and alert rules, and the names of the metrics in them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
PROMETHEUS = ROOT / "deploy/prometheus"

#: What a query has besides names of metrics: texts, labels of a selector or grouping, durations.
_NO_NAMES = re.compile(
    r"""'[^']*'|"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"""
)
_WORDS = {"and", "or", "unless", "bool", "offset"}


def panels(dashboard: Path) -> list[dict[str, Any]]:
    """The panels of a dashboard."""
    found: list[dict[str, Any]] = json.loads(dashboard.read_text())["panels"]
    return found


def queries(dashboard: Path) -> list[str]:
    """The queries of a dashboard, with Grafana's variable filled in."""
    return [
        target["expr"].replace("$__rate_interval", "1m") for panel in panels(dashboard) for target in panel["targets"]
    ]


def alerts() -> list[dict[str, Any]]:
    """The alert rules."""
    groups = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def names(query: str) -> set[str]:
    """The metrics that a query names."""
    bare = _NO_NAMES.sub(" ", query.replace("\n", " "))
    return {word for word, call in re.findall(r"(?<![\w:])([a-zA-Z_:][\w:]*)(\s*\()?", bare) if not call} - _WORDS
