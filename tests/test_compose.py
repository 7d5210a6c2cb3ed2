"""docker-compose.yml and the Dockerfiles, checked against the compose schema and the code (no engine is needed)."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml
from temporalio.common import SearchAttributeKey

from activities.contracts import search_attributes
from activities.contracts.queues import Queue
from activities.settings import PREFIX, load, variables
from api.cli.main import cli
from api.stack.parts import SEARCH_ATTRIBUTES, TEMPORAL_CONFIG
from api.stack.up import RETENTION_DAYS

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
SCHEMA = json.loads((ROOT / "tests/data/compose-spec.json").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

Service = dict[str, Any]

#: ``${NAME:?why}`` (must be set), ``${NAME:-default}``, ``${NAME}``.
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")
SECRET = re.compile(r"PASSWORD|PWD|SECRET|TOKEN|API_KEY", re.IGNORECASE)


def _file() -> dict[str, Any]:
    loaded = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert isinstance(loaded, dict)
    return loaded


COMPOSE = _file()
SERVICES: dict[str, Service] = COMPOSE["services"]
ONE_SHOTS = {name for name, service in SERVICES.items() if str(service.get("restart")).startswith("on-failure")}
LONG_RUNNING = sorted(SERVICES.keys() - ONE_SHOTS)
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("holdfast/platform")]
WORKERS = [name for name in OURS if "workflows.worker" in SERVICES[name]["command"]]
OPTIONAL = {"rerank"}
"""Models that are loaded only when the settings name one."""
MODELS = sorted({config.parent.name for config in (ROOT / "triton_models").glob("*/config.pbtxt")} - OPTIONAL)
DOCKERFILES = sorted(path for path in DEPLOY.glob("Dockerfile*") if path.suffix != ".dockerignore")


def filled(text: str) -> str:
    """The text as compose interpolates it, with ``secret`` for required variables."""
    return VARIABLE.sub(lambda match: "secret" if match["kind"] == "?" else match["rest"] or "", str(text))


def environment(name: str) -> dict[str, str]:
    """A service's environment, interpolated."""
    return {key: filled(value) for key, value in SERVICES[name].get("environment", {}).items()}


def listens(address: str) -> bool:
    """Whether ``host:port`` is a service of this file that declares this port."""
    host, _, port = address.rpartition(":")
    service = SERVICES.get(host, {})
    published = [each.rpartition(":")[2] for each in service.get("ports", [])]
    return port in [*service.get("expose", []), *published]


# --- the compose file -------------------------------------------------------------------------------


def test_it_keeps_to_the_compose_schema() -> None:
    """Every key is in the Compose Specification, with a value of its type."""
    jsonschema.validate(COMPOSE, SCHEMA)


@pytest.mark.parametrize(
    "change", [{"restrat": "always"}, {"healthcheck": {"test": 5}}, {"depends_on": {"x": {"condition": "up"}}}]
)
def test_the_schema_refuses_mistakes(change: dict[str, Any]) -> None:
    """The schema is effective: a misspelt key or a wrong value does not pass."""
    broken = copy.deepcopy(COMPOSE)
    broken["services"]["api"] |= change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, SCHEMA)


def test_names_that_are_used_exist() -> None:
    """Networks, volumes and dependencies are declared in this file, and every declaration is used."""
    for service in SERVICES.values():
        assert set(service.get("depends_on", {})) <= SERVICES.keys()
    networks = {name for service in SERVICES.values() for name in service["networks"]}
    assert networks == COMPOSE["networks"].keys()
    sources = {each.partition(":")[0] for service in SERVICES.values() for each in service.get("volumes", [])}
    assert {each for each in sources if not each.startswith(".")} == COMPOSE["volumes"].keys()
    for mounted in (each for each in sources if each.startswith(".")):
        assert (ROOT / mounted).is_dir()


def test_conditions_fit_the_awaited_services() -> None:
    """One-shot services are waited for until they succeed, the others until they are healthy (or started)."""
    for service in SERVICES.values():
        for name, need in service.get("depends_on", {}).items():
            assert (need["condition"] == "service_completed_successfully") == (name in ONE_SHOTS), name


def test_images_are_pinned() -> None:
    """Each image has an exact version; Temporal's server and tools have the same one."""
    for service in SERVICES.values():
        _, colon, tag = service["image"].partition(":")
        assert colon
        assert re.search(r"\d+\.\d+|\d{4}-\d\d-\d\d", tag), service["image"]
    assert SERVICES["temporal"]["image"].partition(":")[2] == SERVICES["temporal-schema"]["image"].partition(":")[2]
    assert SERVICES["temporal-schema"]["image"] == SERVICES["temporal-namespace"]["image"]


def test_our_images_have_the_version_of_the_project() -> None:
    """Images built here are tagged with the version in pyproject.toml."""
    built = {service["image"] for service in SERVICES.values() if "build" in service}
    assert {image.partition(":")[2] for image in built} == {PROJECT["version"]}


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_long_running_services_are_watched(name: str) -> None:
    """Each has a health check with a limit, a restart policy, and a rotated log."""
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= service["healthcheck"].keys()
    assert service["logging"] == {"driver": "local"}


def test_only_the_page_and_the_ui_are_published_and_only_here() -> None:
    """Ports are published on 127.0.0.1; only the API, the UI and the model server have outbound access."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"api", "temporal-ui"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert COMPOSE["networks"]["inside"]["internal"] is True
    outside = {name for name, service in SERVICES.items() if "outside" in service["networks"]}
    assert outside == {"api", "temporal-ui", "triton"}
    assert all("inside" in service["networks"] for service in SERVICES.values())


# --- secrets ---------------------------------------------------------------------------------------


def test_no_password_stands_in_the_file() -> None:
    """Secrets are variables without a default, and so are the passwords in addresses."""
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if SECRET.search(key):
                assert VARIABLE.fullmatch(value), f"{name}: {key}"
            if urlsplit(filled(value)).password is not None:
                assert urlsplit(filled(value)).password == "secret", f"{name}: {key}"
    kinds = {match["kind"] for match in VARIABLE.finditer(json.dumps(COMPOSE)) if SECRET.search(match["name"])}
    assert kinds == {"?"}


def test_env_example_lists_the_required_variables() -> None:
    """Exactly the variables without a default are in it, empty; the optional ones are commented out."""
    text = (DEPLOY / "env.example").read_text()
    found = list(VARIABLE.finditer(json.dumps(COMPOSE)))
    assert set(re.findall(r"^(\w+)=$", text, re.M)) == {match["name"] for match in found if match["kind"] == "?"}
    assert not re.findall(r"^\w+=.+$", text, re.M)
    optional = set(re.findall(r"^#(\w+)=.+$", text, re.M))
    assert optional == {match["name"] for match in found if match["kind"] != "?"}
    assert optional <= variables().keys()


def test_secrets_cannot_get_into_an_image() -> None:
    """Each Dockerfile's ignore file admits its copied paths and nothing else: no .env, no data, no environment."""
    for dockerfile in DOCKERFILES:
        lines = dockerfile.with_name(f"{dockerfile.name}.dockerignore").read_text().splitlines()
        rules = [line for line in lines if line and not line.startswith("#")]
        assert rules[0] == "*"
        admitted = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
        assert admitted == {source.partition("/")[0] for source in _copied(dockerfile)}


# --- settings and addresses ------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVICES)
def test_settings_exist_and_load(name: str) -> None:
    """Every HOLDFAST_ variable is a setting of the code, with a valid value."""
    load({key: value for key, value in environment(name).items() if key.startswith(PREFIX)})


def test_addresses_lead_to_the_services() -> None:
    """The platform's settings point at services of this file, on ports where those listen."""
    for name in OURS:
        environ = environment(name)
        settings = load({key: value for key, value in environ.items() if key.startswith(PREFIX)})
        assert listens(settings.temporal.address)
        assert listens(settings.triton.address)
        for url in (settings.milvus.uri, settings.catalog_url, environ["AWS_ENDPOINT_URL"]):
            assert listens(urlsplit(url).netloc.rpartition("@")[2]), url


def test_published_ports_are_those_of_the_settings() -> None:
    """The API's port and the address of Temporal's UI are the documented ones."""
    settings = load({key: value for key, value in environment("api").items() if key.startswith(PREFIX)})
    assert settings.api.host == "0.0.0.0"
    assert SERVICES["api"]["ports"] == [f"127.0.0.1:{settings.api.port}:{settings.api.port}"]
    assert f":{settings.api.port}/health/live" in SERVICES["api"]["healthcheck"]["test"][-1]
    ui = urlsplit(settings.temporal.ui_url)
    assert [port.rpartition(":")[0] for port in SERVICES["temporal-ui"]["ports"]] == [ui.netloc]


def test_databases_and_buckets_are_made() -> None:
    """The catalogue's database and user, Temporal's, and both buckets are created before their use."""
    catalog = urlsplit(environment("api")["HOLDFAST_CATALOG_URL"])
    script = (DEPLOY / "postgres/databases.sh").read_text()
    made = set(re.findall(r"CREATE DATABASE (\w+) OWNER (\w+);", script))
    assert made == {
        (catalog.path.strip("/"), catalog.username),
        ("temporal", environment("temporal")["POSTGRES_USER"]),
        ("temporal_visibility", environment("temporal")["POSTGRES_USER"]),
    }
    for variable in re.findall(r"\\getenv \w+ (\w+)", script):
        assert variable in environment("postgres")
    buckets = {urlsplit(environment("api")["HOLDFAST_BLOBS_URL"]).netloc, environment("milvus")["MINIO_BUCKET_NAME"]}
    assert {each.removeprefix("store/") for each in SERVICES["buckets"]["command"][2:]} == buckets
    key = environment("api")["AWS_ACCESS_KEY_ID"], environment("api")["AWS_SECRET_ACCESS_KEY"]
    assert key == (environment("minio")["MINIO_ROOT_USER"], environment("minio")["MINIO_ROOT_PASSWORD"])
    assert key == (environment("milvus")["MINIO_ACCESS_KEY_ID"], environment("milvus")["MINIO_SECRET_ACCESS_KEY"])


# --- commands --------------------------------------------------------------------------------------


def test_each_queue_has_its_own_worker() -> None:
    """There is one worker service for each task queue, named after it, and none is missing."""
    queues = {name: _after(SERVICES[name]["command"], "--queue") for name in WORKERS}
    assert sorted(queues.values()) == sorted([queue] for queue in Queue.ALL)
    assert all(name == f"worker-{queue}" for name, [queue] in queues.items())


def test_a_worker_is_healthy_once_it_polls() -> None:
    """The health check tests for the file that the worker touches, in a folder that each start empties."""
    for name in WORKERS:
        [ready] = _after(SERVICES[name]["command"], "--ready-file")
        assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "test", "-e", ready]
        assert SERVICES[name]["tmpfs"][0].startswith(f"{Path(ready).parent}:")


def test_commands_of_the_platform_exist() -> None:
    """Commands are modules of this code, or commands of the `holdfast` script."""
    for name in OURS:
        match SERVICES[name]["command"]:
            case ["python", "-m", module, *_]:
                assert importlib.util.find_spec(module), name
            case [script, command, *_]:
                assert script in PROJECT["scripts"]
                assert command in cli.commands, name
            case other:
                pytest.fail(f"{name}: {other}")


def test_triton_loads_the_models_that_the_platform_asks_for() -> None:
    """Model control is explicit, with the models and the port that the embedded server's clients use."""
    command: list[str] = SERVICES["triton"]["command"]
    assert "--model-control-mode=explicit" in command
    loaded = [each.partition("=")[2] for each in command if each.startswith("--load-model=")]
    assert loaded == MODELS
    assert f"--grpc-port={environment('api')['HOLDFAST_TRITON_ADDRESS'].rpartition(':')[2]}" in command
    assert all(f"'{model}'" in SERVICES["triton"]["healthcheck"]["test"][-1] for model in MODELS)
    [device] = SERVICES["triton"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]


# --- Temporal --------------------------------------------------------------------------------------


def test_search_attributes_are_those_of_the_code() -> None:
    """Compose and `holdfast up` register the search attributes that workflows set."""
    script = (DEPLOY / "temporal/namespace.sh").read_text()
    registered = re.findall(r"--name (\w+) --type (\w+)", script)
    keys = {value.name for value in vars(search_attributes).values() if isinstance(value, SearchAttributeKey)}
    assert {name for name, _ in registered} == keys == set(SEARCH_ATTRIBUTES)
    assert {kind for _, kind in registered} == {"Keyword"}


def test_histories_are_kept_as_long_as_by_the_embedded_server() -> None:
    """The platform's namespace has the retention that `holdfast up` sets."""
    script = (DEPLOY / "temporal/namespace.sh").read_text()
    assert re.findall(r"^retention=(\d+)d\b", script, re.M) == [str(RETENTION_DAYS)]
    namespace = environment("temporal-namespace")["TEMPORAL_NAMESPACE"]
    assert namespace == environment("api")["HOLDFAST_TEMPORAL_NAMESPACE"]


def test_dynamic_config_is_that_of_the_embedded_server() -> None:
    """Priority, fairness and limits are the same in both deployments."""
    file = yaml.safe_load((DEPLOY / "temporal/dynamicconfig.yaml").read_text())
    values = {key: value if not isinstance(value, str) else json.loads(value) for key, value in TEMPORAL_CONFIG.items()}
    assert file == {key: [{"value": value}] for key, value in values.items()}
    path = environment("temporal")["DYNAMIC_CONFIG_FILE_PATH"]
    assert SERVICES["temporal"]["volumes"] == [f"./deploy/temporal:{Path(path).parent}:ro"]
    assert (DEPLOY / "temporal" / Path(path).name).is_file()


def test_scripts_that_are_mounted_exist() -> None:
    """The one-shot services run scripts of this repository."""
    for name in ("temporal-schema", "temporal-namespace"):
        shell, script = SERVICES[name]["entrypoint"]
        assert shell == "/bin/sh"
        assert (DEPLOY / "temporal" / Path(script).name).is_file()


# --- Dockerfiles -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_dockerfiles_copy_what_exists(dockerfile: Path) -> None:
    """Every source of a COPY, lock files included, is in the repository."""
    for source in _copied(dockerfile):
        assert (ROOT / source).exists(), source


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_dockerfiles_are_pinned_and_not_root(dockerfile: Path) -> None:
    """Base images have exact versions, and the last USER is not root."""
    words = list(_instructions(dockerfile))
    stages = {line[-1] for line in words if line[0] == "FROM" and "AS" in line}
    bases = {line[1] for line in words if line[0] == "FROM"} - stages
    assert all(re.search(r":\d+\.\d+", base) for base in bases)
    users = [line[1] for line in words if line[0] == "USER"]
    assert users
    assert not users[-1].startswith(("0", "root"))


def test_builds_use_the_dockerfiles() -> None:
    """Each Dockerfile is built by a service, and each build has its Dockerfile."""
    built = {ROOT / service["build"]["dockerfile"] for service in SERVICES.values() if "build" in service}
    assert built == set(DOCKERFILES)


def test_the_platform_image_has_the_python_of_the_project() -> None:
    """The image's Python is the one of the lock file, and all packages of the project are copied."""
    dockerfile = DEPLOY / "Dockerfile"
    bases = {line[1] for line in _instructions(dockerfile) if line[0] == "FROM"}
    assert all(base.startswith("python:3.11.") for base in bases)
    assert {"activities", "workflows", "api"} <= set(_copied(dockerfile))


def _after(command: list[str], option: str) -> list[str]:
    """The values of an option that can be repeated."""
    return [value for name, value in pairwise(command) if name == option]


def _instructions(dockerfile: Path) -> Iterator[list[str]]:
    """A Dockerfile's instructions, each as its words."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            yield shlex.split(line) if line.startswith("COPY") else line.split()


def _copied(dockerfile: Path) -> list[str]:
    """The paths that a Dockerfile copies from the repository."""
    copies = [line[1:-1] for line in _instructions(dockerfile) if line[0] == "COPY"]
    return [source for sources in copies if not sources[0].startswith("--from") for source in sources]
