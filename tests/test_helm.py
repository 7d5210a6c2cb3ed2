"""The Helm chart: rendered by Helm's own code, checked against the schemas of Kubernetes, KEDA, and the code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject, TriggerAuthentication
from cloudcoil.models.prometheus_operator.v1 import PodMonitor, PrometheusRule
from pydantic import BaseModel

from activities.contracts.queues import Queue
from activities.contracts.stages import PENDING
from activities.settings import FILE, PREFIX, SECRETS, load, variables
from tests.test_compose import COMPOSE, DEPLOY, ELSEWHERE, PROJECT, SERVICES

CHART = DEPLOY / "helm" / "holdfast"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())

#: The oldest version that the chart admits, and the newest whose schemas are known.
KUBERNETES = ("1.30.0", "1.37.0")

#: Kinds of KEDA and of Prometheus' operator.
OTHERS: dict[str, type[BaseModel]] = {
    "ScaledObject": ScaledObject,
    "TriggerAuthentication": TriggerAuthentication,
    "PodMonitor": PodMonitor,
    "PrometheusRule": PrometheusRule,
}

REQUIRED = {
    "image": {"repository": "registry.example.org/holdfast"},
    "triton": {"image": {"repository": "registry.example.org/triton"}},
    "temporal": {"address": "temporal-frontend.temporal:7233"},
    "milvus": {"uri": "http://milvus.milvus:19530"},
    "blobs": {"url": "s3://holdfast"},
}

EVERYTHING = REQUIRED | {
    "image": REQUIRED["image"] | {"pullSecrets": ["registry"]},
    "secret": {"milvusToken": True, "oidcClientSecret": True, "variables": ["AWS_SECRET_ACCESS_KEY", "HF_TOKEN"]},
    "temporal": REQUIRED["temporal"] | {"uiUrl": "https://temporal.example.org"},
    "settings": {"HOLDFAST_EMBED_MODEL": "BAAI/bge-m3", "HOLDFAST_PARSE_MAX_PAGES": 300, "HOLDFAST_LOG_LEVEL": "debug"},
    "variables": {"AWS_REGION": "eu-central-1", "AWS_ALLOW_HTTP": True},
    "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/holdfast"}},
    "api": {
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "host": "kb.example.org",
            "annotations": {"nginx.ingress.kubernetes.io/proxy-buffering": "off"},
            "tlsSecret": "kb-tls",
        }
    },
    "autoscaling": {"enabled": True, "catalog": True},
    "monitoring": {"enabled": True, "namespace": "observability", "labels": {"release": "prometheus"}},
    "triton": REQUIRED["triton"] | {"gpus": 1, "replicas": 2, "models": {"storageClass": "shared"}},
    "nodeSelector": {"pool": "holdfast"},
    "tolerations": [{"key": "spot", "operator": "Exists"}],
}

#: Temporal Cloud, a Triton elsewhere, and nothing of Kubernetes that a cluster may not have.
ELSEWHERE_RUN = REQUIRED | {
    "secret": {"variables": ["TEMPORAL_API_KEY"]},
    "temporal": {"address": "kb.a1b2c.tmprl.cloud:7233", "namespace": "kb.a1b2c", "setup": False},
    "variables": {"TEMPORAL_TLS": "true"},
    "triton": {"enabled": False, "address": "triton.gpu:8001"},
    "networkPolicies": {"enabled": False},
    "autoscaling": {"enabled": True},
}

VALUES = {"required": REQUIRED, "everything": EVERYTHING, "elsewhere": ELSEWHERE_RUN}
each_values = pytest.mark.parametrize("name", VALUES)

Manifest = dict[str, Any]


def render(values: Manifest) -> dict[str, str]:
    """The chart's files with these values, as an installation makes them."""
    with helm.Chart.load(CHART) as chart:
        chart.validate_schema(chart.merge_values(values))
        return chart.render(values, name="kb", namespace="holdfast")


@cache
def rendered(name: str) -> list[Manifest]:
    """The manifests of ``VALUES``."""
    files = render(VALUES[name])
    return [
        manifest
        for file, text in files.items()
        if file.endswith(".yaml")
        for manifest in yaml.safe_load_all(text)
        if manifest
    ]


def found(name: str, kind: str) -> dict[str, Manifest]:
    """Manifests of a kind by their names, without that of the release."""
    return {each["metadata"]["name"].removeprefix("kb-"): each for each in rendered(name) if each["kind"] == kind}


def pods(name: str) -> Iterator[tuple[str, Manifest]]:
    """The pods of deployments and jobs."""
    for kind in ("Deployment", "Job"):
        for part, manifest in found(name, kind).items():
            yield part, manifest["spec"]["template"]["spec"]


def container(name: str, part: str) -> Manifest:
    """The one container of a pod."""
    [only] = dict(pods(name))[part]["containers"]
    assert isinstance(only, dict)
    return only


def environment(name: str, part: str) -> dict[str, str]:
    """Variables of a container that have their values in the chart."""
    return {each["name"]: each["value"] for each in container(name, part)["env"] if "value" in each}


def secrets_of(name: str, part: str) -> set[str]:
    """The keys of the Secret that a pod has as files."""
    volumes = dict(pods(name))[part]["volumes"]
    return {item["path"] for volume in volumes for item in volume.get("secret", {}).get("items", [])}


WORKERS = [f"worker-{queue}" for queue in Queue.ALL]
OURS = ["api", *WORKERS, "migrate"]


# --- schemas ---------------------------------------------------------------------------------------


@each_values
def test_helm_finds_nothing_wrong(name: str) -> None:
    """`helm lint --strict` has no word but that there is no icon."""
    report = helm.lint(CHART, VALUES[name], strict=True)
    assert report["errors"] == []
    assert [each["error"] for each in report["messages"]] == ["icon is recommended"]


@each_values
@pytest.mark.parametrize("version", KUBERNETES)
def test_every_manifest_keeps_to_its_schema(name: str, version: str) -> None:
    """Those of Kubernetes, strictly: no unknown field; and those of the operators that it needs."""
    for manifest in rendered(name):
        if model := OTHERS.get(manifest["kind"]):
            read = model.model_validate(manifest).model_dump(mode="json", by_alias=True, exclude_unset=True)
            assert json.loads(json.dumps(read)) == manifest  # a field that is not in the model would be gone
        else:
            kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schemas_refuse_mistakes() -> None:
    """A misspelt field passes neither."""
    deployment = json.loads(json.dumps(found("required", "Deployment")["api"]))
    deployment["spec"]["replcas"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, KUBERNETES[0], strict=True)
    scaled = {**found("everything", "ScaledObject")["worker-cpu"]}
    scaled["spec"] = scaled["spec"] | {"minReplicaCuont": 2}
    assert ScaledObject.model_validate(scaled).model_dump(mode="json", by_alias=True, exclude_unset=True) != scaled


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"image": {"repository": ""}}, "image.repository"),
        ({"temporal": {"address": ""}}, "temporal.address"),
        ({"milvus": {"uri": ""}}, "milvus.uri"),
        ({"blobs": {"url": ""}}, "blobs.url"),
        ({"triton": {"image": {"repository": ""}}}, "triton.image.repository"),
        ({"triton": {"enabled": False}}, "triton.address"),
        ({"api": {"ingress": {"enabled": True}}}, "api.ingress.host"),
        ({"settings": {"HOLDFAST_EMBED_MODLE": "x"}}, "HOLDFAST_EMBED_MODLE"),
        ({"settings": {"HOLDFAST_CATALOG_URL": "postgresql://…"}}, "HOLDFAST_CATALOG_URL"),
        ({"variables": {"HOLDFAST_LOG_LEVEL": "debug"}}, "HOLDFAST_LOG_LEVEL"),
        ({"workers": {"cpu": {"replicas": 0}}}, "replicas"),
        ({"replicas": 3}, "replicas"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_values_are_refused_by_name(change: Manifest, problem: str) -> None:
    """What is missing, misspelt or belongs elsewhere is named before anything is installed."""
    with pytest.raises(helm.HelmError, match=re.escape(problem)):
        render(REQUIRED | change)


# --- the code --------------------------------------------------------------------------------------

#: Settings that the chart sets from values of its own.
OF_THE_CHART = {
    *("HOLDFAST_TEMPORAL_ADDRESS", "HOLDFAST_TEMPORAL_NAMESPACE", "HOLDFAST_TEMPORAL_UI_URL", "HOLDFAST_PUBLIC_URL"),
    *("HOLDFAST_TRITON_ADDRESS", "HOLDFAST_MILVUS_URI", "HOLDFAST_BLOBS_URL"),
    *("HOLDFAST_PAYLOAD_KEYS", "HOLDFAST_AUDIT_KEY", "HOLDFAST_METRICS_HOST", "HOLDFAST_METRICS_PORT"),
}


def test_every_setting_can_be_set() -> None:
    """`settings` has every setting but secrets and those that have values of their own, and no other."""
    secret = {name for name, path in variables().items() if path in SECRETS}
    assert SCHEMA["properties"]["settings"]["properties"].keys() == (
        variables().keys() - ELSEWHERE - OF_THE_CHART - secret
    )


@each_values
def test_settings_load(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process gets settings that exist, with valid values; secrets come from files."""
    monkeypatch.setattr(Path, "read_text", lambda _: "mounted-from-a-secret")
    loaded = {}
    for part in OURS:
        given = environment(name, part)
        assert not [key for key in given if variables().get(key) in SECRETS]
        loaded[part] = load({key: value for key, value in given.items() if key.startswith(PREFIX)})
    assert all(loaded[part] == loaded["worker-cpu"] for part in WORKERS)
    assert (loaded["api"].api.host, loaded["api"].api.port) == ("0.0.0.0", 8700)


def test_values_reach_the_processes() -> None:
    """Settings, variables and secrets; Triton gets the settings of models, and only these."""
    given = environment("everything", "worker-cpu")
    assert (given["HOLDFAST_PARSE_MAX_PAGES"], given["AWS_ALLOW_HTTP"], given["HOLDFAST_LOG_LEVEL"]) == (
        "300",
        "true",
        "debug",
    )
    assert given["HOLDFAST_PUBLIC_URL"] == "https://kb.example.org"
    assert environment("everything", "triton") == {"HOLDFAST_EMBED_MODEL": "BAAI/bge-m3"}
    [named] = [each for each in container("everything", "api")["env"] if each["name"] == "AWS_SECRET_ACCESS_KEY"]
    assert named["valueFrom"] == {"secretKeyRef": {"name": "holdfast", "key": "AWS_SECRET_ACCESS_KEY"}}
    assert environment("required", "api").get("HOLDFAST_API_BATCH_PARALLELISM") is None
    assert environment("everything", "api")["HOLDFAST_API_BATCH_PARALLELISM"] == "64"


@each_values
def test_secrets_are_files_that_are_mounted(name: str) -> None:
    """Each variable that names a file names one that its pod has; only the API signs, and only it signs people in."""
    for part in OURS:
        files = {
            Path(value).name
            for key, value in environment(name, part).items()
            if key.endswith((FILE, "_KEYS", "_KEY")) and value.startswith("/run/secrets/holdfast/")
        }
        assert files | ({"token-keys"} if part == "api" else set()) == secrets_of(name, part)
        assert {"catalog-url", "payload-keys"} <= files
        assert ("audit-key" in files) == (part == "api")
    mounts = {each["mountPath"]: each for each in container(name, "api")["volumeMounts"]}
    assert mounts["/var/lib/holdfast/token.keys"]["subPath"] == "token-keys"


def test_there_is_a_worker_for_each_queue() -> None:
    """In deployments, disruption budgets, values and scaling."""
    assert {each for each in found("everything", "Deployment") if each.startswith("worker-")} == set(WORKERS)
    assert set(found("everything", "PodDisruptionBudget")) == {*WORKERS, "api", "triton"}
    assert set(SCHEMA["properties"]["workers"]["required"]) == set(Queue.ALL)
    for part, scaled in found("everything", "ScaledObject").items():
        [temporal, *_] = scaled["spec"]["triggers"]
        assert part == f"worker-{temporal['metadata']['taskQueue']}"
        assert scaled["spec"]["scaleTargetRef"]["name"] == f"kb-{part}"
        assert "replicas" not in found("everything", "Deployment")[part]["spec"]  # an upgrade would reset them
    assert set(found("everything", "ScaledObject")) == set(WORKERS)


def test_workers_are_scaled_by_what_waits() -> None:
    """Queues of workflows by their tasks; documents that are not handed over yet count from the catalogue."""
    kinds = {
        part: scaled["spec"]["triggers"][0]["metadata"]["queueTypes"]
        for part, scaled in found("everything", "ScaledObject").items()
    }
    assert {part: kind for part, kind in kinds.items() if kind != "activity"} == {
        "worker-workflows": "workflow",
        "worker-answer": "workflow,activity",
    }
    [catalog] = [
        trigger
        for scaled in found("everything", "ScaledObject").values()
        for trigger in scaled["spec"]["triggers"]
        if trigger["type"] == "postgresql"
    ]
    assert set(re.findall(r"'(\w+)'", catalog["metadata"]["query"])) == set(PENDING) - {"paused"}
    [account] = found("everything", "TriggerAuthentication").values()
    assert account["metadata"]["name"] == catalog["authenticationRef"]["name"]
    for scaled in found("elsewhere", "ScaledObject").values():  # Temporal Cloud
        [trigger] = scaled["spec"]["triggers"]
        assert trigger["metadata"]["enableTLS"] == "true"
        assert trigger["authenticationRef"]["name"] in {
            each["metadata"]["name"] for each in found("elsewhere", "TriggerAuthentication").values()
        }


# --- the compose file ------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [*OURS, "triton"])
def test_commands_are_those_of_compose(part: str) -> None:
    """The same command, image version and user."""
    ours, service = container("required", part), SERVICES[part]
    assert ours.get("command", ours.get("args")) == service["command"]
    assert ours["image"].rpartition(":")[2] == service["image"].rpartition(":")[2] == PROJECT["version"]
    pod = dict(pods("required"))[part]
    dockerfile = (DEPLOY / ("Dockerfile.triton" if part == "triton" else "Dockerfile")).read_text()
    assert f"USER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" in dockerfile


def test_ports_and_probes_are_those_of_compose() -> None:
    """What is probed is what listens, and as in compose."""
    [http] = container("required", "api")["ports"]
    assert str(http["containerPort"]) == environment("required", "api")["HOLDFAST_API_PORT"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        path = container("required", "api")[probe]["httpGet"]["path"]
        assert f":{http['containerPort']}{path}'" in SERVICES["api"]["healthcheck"]["test"][-1]
    for part in WORKERS:
        assert ["CMD", *container("required", part)["readinessProbe"]["exec"]["command"]] == (
            SERVICES[part]["healthcheck"]["test"]
        )
    ports = {each["name"]: str(each["containerPort"]) for each in container("required", "triton")["ports"]}
    assert list(ports.values()) == SERVICES["triton"]["expose"]
    [served] = found("required", "Service")["triton"]["spec"]["ports"]
    assert environment("required", "api")["HOLDFAST_TRITON_ADDRESS"] == f"kb-triton:{served['port']}"
    assert container("required", "triton")["readinessProbe"]["grpc"]["port"] == served["port"]


def test_prometheus_and_grafana_get_what_compose_gives_them() -> None:
    """The same alerts and dashboards; jobs have the names that they have there."""
    [rules] = found("everything", "PrometheusRule").values()
    assert rules["spec"] == yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())
    dashboards = {path.name: path.read_text() for path in (DEPLOY / "grafana" / "dashboards").glob("*.json")}
    assert found("everything", "ConfigMap")["dashboards"]["data"] == dashboards
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    monitors = found("everything", "PodMonitor")
    assert monitors.keys() == {each["job_name"] for each in scraped} & monitors.keys() == {"api", "workers", "triton"}
    for job, monitor in monitors.items():
        [endpoint] = monitor["spec"]["podMetricsEndpoints"]
        [rule] = monitor["spec"]["selector"]["matchExpressions"]
        assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": job}]
        for part in rule["values"]:
            assert endpoint["port"] in {each["name"] for each in container("everything", part)["ports"]}
    assert environment("everything", "worker-cpu")["HOLDFAST_METRICS_PORT"] == "9100"
    assert not found("required", "PodMonitor")


def test_temporal_is_set_up_as_by_compose() -> None:
    """By the same script, with the same tools, before the first process of a version."""
    script = found("required", "ConfigMap")["temporal-namespace"]["data"]["namespace.sh"]
    assert script == (DEPLOY / "temporal" / "namespace.sh").read_text()
    assert container("required", "temporal-namespace")["image"] == SERVICES["temporal-namespace"]["image"]
    assert set(environment("required", "temporal-namespace")) >= {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"}
    for name in ("migrate", "temporal-namespace"):
        assert found("required", "Job")[name]["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert "temporal-namespace" not in found("elsewhere", "Job")


@each_values
def test_no_pod_can_do_more_than_it_must(name: str) -> None:
    """No root, no capability, no token of the cluster; the root is read-only but Triton's; memory is limited."""
    for part, pod in pods(name):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        [ours] = pod["containers"]
        security = ours["securityContext"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is (part != "triton")
        assert "memory" in ours["resources"]["limits"]


def test_parsers_cannot_connect_out() -> None:
    """As in compose: only the API, workflows and Triton reach more than what is inside; Triton is reached by ours."""
    policies = found("required", "NetworkPolicy")
    [rule] = policies["inside"]["spec"]["podSelector"]["matchExpressions"]
    outside = {each for each in (*WORKERS, "api", "triton") if "outside" in SERVICES[each]["networks"]}
    assert set(rule["values"]) == {*WORKERS, "api", "triton"} - outside
    assert policies["closed"]["spec"]["policyTypes"] == ["Ingress"]
    assert "ingress" not in policies["closed"]["spec"]
    reached = {name: policy["spec"]["ingress"] for name, policy in policies.items() if "ingress" in policy["spec"]}
    assert reached.keys() == {"api", "triton"}
    assert "monitoring" in found("everything", "NetworkPolicy")
    assert reached["triton"][0]["from"] == [{"podSelector": policies["closed"]["spec"]["podSelector"]}]
    assert not found("elsewhere", "NetworkPolicy")


def test_the_chart_has_the_version_of_the_project() -> None:
    """Whose images it starts."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == PROJECT["version"]
    assert COMPOSE["name"] == chart["name"]
