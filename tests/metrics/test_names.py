"""Dashboards and alert rules: their metrics exist, their labels are few, and each alert is tested and explained."""

from __future__ import annotations

import importlib
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

from activities.telemetry import metrics
from tests.chaos.alarms import shortened
from tests.metrics.queries import DASHBOARDS, PROMETHEUS, ROOT, alerts, names, panels, queries

#: The labels of our metrics. Each has few values, which the code names: no text, id or name that a person gave.
LABELS = {
    *("method", "path", "status_code", "reason", "rating", "loop", "dependency", "state", "kind", "queue", "version"),
    *("step", "outcome", "retried", "media_type", "source", "lane", "mode", "fallback", "stage"),
    *("operation", "volume"),
}


def test_names_are_found_in_queries() -> None:
    """Functions, labels, groupings, texts and durations are none."""
    query = (
        'histogram_quantile(0.9, sum by (le, path) (rate(a_bucket{x="b_total"}[5m]))) / on (job) group_left (z) c > 2'
    )
    assert names(query) == {"a_bucket", "c"}
    assert names("time() - max(d) > 3 * 60 or vector(0) unless e offset 5m") == {"d", "e"}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_metrics_of_dashboards_exist(dashboard: Path) -> None:
    """In the module that names them all."""
    found = {name for query in queries(dashboard) for name in names(query)}
    assert found
    assert found <= metrics.known()


def test_metrics_of_alerts_exist() -> None:
    """In the module that names them all."""
    assert {name for rule in alerts() for name in names(rule["expr"])} <= metrics.known()


def test_each_metric_is_shown_or_watched() -> None:
    """What nobody looks at need not be counted."""
    used = {name for dashboard in DASHBOARDS for query in queries(dashboard) for name in names(query)}
    used |= {name for rule in alerts() for name in names(rule["expr"])}
    bare = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used}
    ours = {re.sub(r"_(bucket|sum|count)$", "", name) for name in metrics.ours()} | set(metrics.TRITON_MODELS)
    assert ours | set(metrics.FOREIGN) <= bare | used


def test_labels_have_few_values() -> None:
    """Only those that are listed here exist, and the histograms have a bound at what is alerted on."""
    found = {
        label
        for collector in list(REGISTRY._collector_to_names)
        for label in getattr(collector, "_labelnames", ())
        if getattr(collector, "_name", "").startswith("holdfast_")
    }
    assert found == LABELS
    assert 0.2 in metrics.FAST


def test_the_models_have_the_names_of_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton's models run elsewhere, and cannot import them."""
    monkeypatch.syspath_prepend(str(ROOT / "triton_models"))
    models = importlib.import_module("model_metrics")
    assert {*models.EMBED, *models.GENERATE} == set(metrics.TRITON_MODELS)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_are_named_in_both_languages(dashboard: Path) -> None:
    """English first; each in a place of its own, on the provisioned data source."""
    source = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())
    places = [tuple(panel["gridPos"].values()) for panel in panels(dashboard)]
    assert len(places) == len(set(places))
    for panel in panels(dashboard):
        assert re.search(r"[a-zA-Z]", panel["title"])
        assert panel["datasource"]["uid"] == source["datasources"][0]["uid"]
        assert re.search(r"[\u4e00-\u9fff]", panel["title"])


def test_each_alert_is_explained() -> None:
    """In two languages, with its place in the runbook, which has no others."""
    runbook = (ROOT / "docs/runbook.md").read_text()
    assert re.findall(r"^### (\w+)$", runbook, re.M) == [rule["alert"] for rule in alerts()]
    for rule in alerts():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert re.search(r"[\u4e00-\u9fff]", rule["annotations"]["summary_zh"])
        english, chinese = runbook.partition(f"### {rule['alert']}\n\n")[2].split("\n\n")[:2]
        assert not re.search(r"[\u4e00-\u9fff]", english)
        assert re.search(r"[\u4e00-\u9fff]", chinese)


def test_each_alert_is_tested() -> None:
    """By a case of its name, which expects it to fire, on series of metrics that its rule reads."""
    cases = {case["name"]: case for case in yaml.safe_load((PROMETHEUS / "tests.yml").read_text())["tests"]}
    assert cases.keys() == {"an ordinary day"} | {rule["alert"] for rule in alerts()}
    for rule in alerts():
        case = cases[rule["alert"]]
        [expected] = case["promql_expr_test"]
        assert expected["expr"] == f'count(ALERTS{{alertname="{rule["alert"]}", alertstate="firing"}})'
        assert expected["exp_samples"] == [{"labels": "{}", "value": 1}]
        assert {each["series"].partition("{")[0] for each in case["input_series"]} <= names(rule["expr"])
    ordinary = {each["series"].partition("{")[0] for each in cases["an ordinary day"]["input_series"]}
    assert ordinary >= {name for rule in alerts() for name in names(rule["expr"])}


def test_alerts_fire_when_they_should(promtool: str) -> None:
    """`promtool` runs the cases; it also checks the configuration."""
    for arguments in (["test", "rules", "tests.yml"], ["check", "config", "--syntax-only", "prometheus.yml"]):
        done = subprocess.run([promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_an_alert_that_does_not_fire_is_noticed(promtool: str, tmp_path: Path) -> None:
    """The cases are effective: with another threshold, `promtool` names the alert."""
    rules = (PROMETHEUS / "rules.yml").read_text().replace("up == 0", "up == 7")
    (tmp_path / "rules.yml").write_text(rules)
    cases = yaml.safe_load((PROMETHEUS / "tests.yml").read_text())
    cases["tests"] = [case for case in cases["tests"] if case["name"] == "HoldfastTargetDown"]
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(cases))
    done = subprocess.run(
        [promtool, "test", "rules", "tests.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "HoldfastTargetDown" in done.stdout + done.stderr


def test_rules_that_a_run_of_alarms_shortens_are_the_rules(promtool: str, tmp_path: Path) -> None:
    """Only their times differ, each by the same factor or the shortest range; Prometheus takes them."""
    text = (PROMETHEUS / "rules.yml").read_text()
    (tmp_path / "rules.yml").write_text(shortened(text))
    subprocess.run([promtool, "check", "rules", str(tmp_path / "rules.yml")], check=True, capture_output=True)
    before, after = ([rule for group in yaml.safe_load(each)["groups"] for rule in group["rules"]]
                     for each in (text, (tmp_path / "rules.yml").read_text()))  # fmt: skip
    times = re.compile(r"\[\d+[smh]\]")
    for old, new in zip(before, after, strict=True):
        assert times.sub("", new["expr"]) == times.sub("", old["expr"])
        assert old | {"expr": "", "for": ""} == new | {"expr": "", "for": ""}
    fails = {rule["alert"]: rule for rule in after}["HoldfastRequestsFail"]
    assert (fails["for"], "[15s]" in fails["expr"]) == ("15s", True)
