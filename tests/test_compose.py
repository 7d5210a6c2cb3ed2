"""docker-compose.yml and the Dockerfiles, checked against the compose schema and the code (no engine is needed)."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
import shlex
import subprocess
import sys
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
from activities.settings import FILE, PREFIX, load, variables
from api.cli.main import cli
from api.codec.browsers import PATH
from api.stack.parts import TEMPORAL_CONFIG
from api.stack.probes import SEARCH_ATTRIBUTES
from api.stack.up import RETENTION_DAYS
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
SCHEMA = json.loads((ROOT / "tests/data/compose-spec.json").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

TEMPORAL = Path(sys.executable).with_name("temporal")

Service = dict[str, Any]

#: ``${NAME:?why}`` (must be set), ``${NAME:-default}``, ``${NAME}``.
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")
SECRET = re.compile(r"PASSWORD|PWD|SECRET|TOKEN|API_KEY", re.IGNORECASE)


def _file(name: str) -> dict[str, Any]:
    loaded = yaml.safe_load((ROOT / name).read_text())
    assert isinstance(loaded, dict)
    return loaded


def merged(below: Any, above: Any) -> Any:
    """A file with another one over it, as compose merges maps and single values."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        assert not isinstance(above, list), "lists are merged by rules of their own"
        return above
    return below | {key: merged(below[key], value) if key in below else value for key, value in above.items()}


COMPOSE = _file("docker-compose.yml")
GPU = _file("docker-compose.gpu.yml")
SERVICES: dict[str, Service] = COMPOSE["services"]
ONE_SHOTS = {name for name, service in SERVICES.items() if str(service.get("restart")).startswith("on-failure")}
LONG_RUNNING = sorted(SERVICES.keys() - ONE_SHOTS)
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("localhost/holdfast/platform:")]
WORKERS = [name for name in OURS if "workflows.worker" in SERVICES[name]["command"]]
OPTIONAL = {"rerank", "embed_loader"}
"""Models that are loaded only when the settings name one."""
MODELS = sorted({config.parent.name for config in (ROOT / "triton_models").glob("*/config.pbtxt")} - OPTIONAL)
DOCKERFILES = sorted(path for path in DEPLOY.glob("Dockerfile*") if path.suffix != ".dockerignore")


def filled(text: str) -> str:
    """The text as compose interpolates it, with ``secret`` for required variables."""
    return VARIABLE.sub(lambda match: "secret" if match["kind"] == "?" else match["rest"] or "", str(text))


def environment(name: str) -> dict[str, str]:
    """A service's environment, interpolated; without the variables that are passed on as they are."""
    variables = SERVICES[name].get("environment", {})
    return {key: filled(value) for key, value in variables.items() if value is not None}


def listens(address: str) -> bool:
    """Whether ``host:port`` is a service of this file that declares this port."""
    host, _, port = address.rpartition(":")
    service = SERVICES.get(host, {})
    published = [each.rpartition(":")[2] for each in service.get("ports", [])]
    return port in [*service.get("expose", []), *published]


# --- the compose file -------------------------------------------------------------------------------


def test_it_keeps_to_the_compose_schema() -> None:
    """Every key is in the Compose Specification, with a value of its type; also with a GPU."""
    for file in (COMPOSE, GPU, merged(COMPOSE, GPU)):
        jsonschema.validate(file, SCHEMA)


def test_a_gpu_is_an_addition() -> None:
    """Without the second file no service asks for one; with it, the model server does, and nothing else changes."""
    assert "devices" not in json.dumps(COMPOSE)
    assert GPU.keys() == {"services"}
    assert GPU["services"].keys() == {"triton", "worker-gpu"} <= SERVICES.keys()
    both = merged(COMPOSE, GPU)["services"]
    [device] = both["triton"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert both["triton"]["command"] == SERVICES["triton"]["command"]
    assert both["worker-gpu"]["environment"].keys() == SERVICES["worker-gpu"]["environment"].keys()
    assert "docker-compose.yml:docker-compose.gpu.yml" in (DEPLOY / "env.example").read_text()


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
    mounts = [each for service in SERVICES.values() for each in service.get("volumes", [])]
    sources = {each.partition(":")[0] for each in mounts if ":" in each}
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


def test_our_images_are_built_once_and_never_pulled() -> None:
    """One service builds an image, the others wait for it; its name is one that no registry can serve.

    A tag that several services build at once fails on a clean machine, and a tag that is pulled first belongs to
    whoever registers the name.
    """
    builders = {service["image"]: name for name, service in SERVICES.items() if "build" in service}
    assert len(builders) == sum("build" in service for service in SERVICES.values()) == len(DOCKERFILES)
    for name, service in SERVICES.items():
        if not service["image"].startswith("localhost/"):
            assert "holdfast" not in service["image"]
            assert "pull_policy" not in service
            continue
        builder = builders[service["image"]]
        assert service["pull_policy"] == ("build" if name == builder else "never")
        assert name == builder or service["depends_on"][builder]["condition"] == "service_completed_successfully"
        assert service["image"].partition(":")[2] == PROJECT["version"]


def test_images_come_from_where_they_still_are() -> None:
    """MinIO's have been withdrawn."""
    assert not [service["image"] for service in SERVICES.values() if "minio" in service["image"]]


def test_temporal_is_the_tested_one() -> None:
    """Server and UI are those of the command line tool with which tests and `make up` run."""
    shown = subprocess.run([TEMPORAL, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"Server ([\d.]+), UI ([\d.]+)", shown)
    assert found, shown
    images = [SERVICES[name]["image"].partition(":")[2] for name in ("temporal", "temporal-ui")]
    assert images == list(found.groups())


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_can_take_the_machine(name: str) -> None:
    """Memory and processes are limited, no service gains privileges, and all but PostgreSQL drop what they have."""
    service = SERVICES[name]
    assert re.fullmatch(r"\d+[mg]", filled(service["mem_limit"]))
    assert service["pids_limit"] > 0
    assert "no-new-privileges:true" in service["security_opt"]
    assert service.get("cap_drop") == (None if name == "postgres" else ["ALL"])  # which changes its user at the start


def test_the_parser_fits_its_memory() -> None:
    """As many documents as are parsed at once may use all that one is allowed to use."""
    settings = load({key: value for key, value in environment("worker-cpu").items() if key.startswith(PREFIX)})
    gibibytes = int(filled(SERVICES["worker-cpu"]["mem_limit"]).removesuffix("g"))
    assert gibibytes * 1024 > settings.worker.cpu_slots * settings.parse.max_memory_mb


@pytest.mark.parametrize("name", [*OURS, "postgres", "etcd", "object-store"])
def test_what_is_installed_cannot_be_changed(name: str) -> None:
    """The root is read-only; what is written goes to volumes, and to memory where it is little."""
    assert SERVICES[name]["read_only"] is True
    written = [*SERVICES[name].get("volumes", []), *SERVICES[name].get("tmpfs", [])]
    assert name == "etcd" or any(each.partition(":")[0] == "/tmp" for each in written)


def test_the_data_folder_of_the_api_outlives_its_container() -> None:
    """It holds the keys of access tokens, and checkpoints of the audit log; the root is read-only."""
    (folder,) = re.findall(r"HOLDFAST_DATA=(\S+)", (ROOT / "deploy" / "Dockerfile").read_text())
    assert [each for each in SERVICES["api"]["volumes"] if each.endswith(f":{folder}")] == [f"api:{folder}"]


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
    assert published.keys() == {"api", "temporal-ui", "grafana", "jaeger"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert COMPOSE["networks"]["inside"]["internal"] is True
    outside = {name for name, service in SERVICES.items() if "outside" in service["networks"]}
    assert outside == {"api", "temporal-ui", "triton", "worker-workflows", "grafana", "jaeger"}
    assert all("inside" in service["networks"] for service in SERVICES.values())


# --- secrets ---------------------------------------------------------------------------------------


def test_no_password_stands_in_the_file() -> None:
    """Secrets are variables without a default, and so are the passwords in addresses."""
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if value is None or key.endswith("__FILE"):  # passed on from .env; a path
                continue
            if SECRET.search(key):
                assert VARIABLE.search(value), f"{name}: {key}"
                assert "secret" in filled(value), f"{name}: {key}"
            if urlsplit(filled(value)).password is not None:
                assert urlsplit(filled(value)).password == "secret", f"{name}: {key}"
    kinds = {match["kind"] for match in VARIABLE.finditer(json.dumps(COMPOSE)) if SECRET.search(match["name"])}
    assert kinds == {"?"}


def test_env_example_lists_the_required_variables() -> None:
    """Exactly the variables without a default are in it, empty; others are commented out, and all are used."""
    text = (DEPLOY / "env.example").read_text()
    found = list(VARIABLE.finditer(json.dumps([COMPOSE, GPU])))
    assert set(re.findall(r"^(\w+)=$", text, re.M)) == {match["name"] for match in found if match["kind"] == "?"}
    assert not re.findall(r"^\w+=.+$", text, re.M)
    passed = {
        key for service in SERVICES.values() for key, value in service.get("environment", {}).items() if not value
    }
    passed |= {secret["environment"] for secret in COMPOSE["secrets"].values() if "environment" in secret}
    optional = set(re.findall(r"^#(\w+)=.+$", text, re.M)) - {"COMPOSE_FILE", "COMPOSE_PROFILES"}
    assert optional <= passed | {match["name"] for match in found if match["kind"] != "?"}


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


#: Settings of the command line and of `holdfast up`, which the containers do not have.
ELSEWHERE = {
    *("HOLDFAST_DATA", "HOLDFAST_URL", "HOLDFAST_API_KEY", "HOLDFAST_API_HOST", "HOLDFAST_API_PORT"),
    *("HOLDFAST_TRITON_VENV", "HOLDFAST_TRITON_METRICS_PORT"),
}

#: Settings that the model server gets, and nothing else: the key of a language model's endpoint among them.
MODEL_SERVERS = {
    f"HOLDFAST_GENERATE_{name}" for name in ("API_KEY", "API_KEY_FILE", "CA_FILE", "EXTRA", "TIMEOUT_SECONDS")
}


@pytest.mark.parametrize("name", [*WORKERS, "api", "migrate"])
def test_every_setting_can_be_set(name: str) -> None:
    """Without an edit of the file: what compose does not set itself it takes from .env."""
    given = SERVICES[name]["environment"]
    settings = {key for key in given if key.startswith(PREFIX) and key.removesuffix(FILE) not in given.keys() - {key}}
    assert variables().keys() - ELSEWHERE - MODEL_SERVERS == settings - ELSEWHERE
    fixed = {key for key, value in given.items() if value is not None and f"${{{key}:-" not in value}
    addresses = ("_ADDRESS", "_NAMESPACE", "_URI", "_URL", "_TOKEN")
    assert all(key.endswith(addresses) for key in fixed if key.startswith(PREFIX) and key not in ELSEWHERE)


def test_models_are_named_to_triton_too() -> None:
    """The settings that say which model to serve reach the model server as well."""
    files = ("model_files.py", "endpoint_settings.py")
    read = {name for file in files for name in re.findall(r"HOLDFAST_\w+", (ROOT / "triton_models" / file).read_text())}
    given = {key for key in SERVICES["triton"]["environment"] if key.startswith(PREFIX)}
    assert read == given


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
    [made_buckets] = re.findall(r"^for bucket in (.+); do$", (DEPLOY / "object-store/buckets.sh").read_text(), re.M)
    assert set(made_buckets.split()) == buckets
    aws = ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    assert [SERVICES["buckets"]["environment"][name] for name in aws] == [
        SERVICES["api"]["environment"][name] for name in aws
    ]
    milvus, store = SERVICES["milvus"]["environment"], SERVICES["object-store"]["environment"]
    key = [SERVICES["api"]["environment"][name] for name in aws[2:]]
    assert key == [store["RUSTFS_ACCESS_KEY"], store["RUSTFS_SECRET_KEY"]]
    assert key == [milvus["MINIO_ACCESS_KEY_ID"], milvus["MINIO_SECRET_ACCESS_KEY"]]
    assert environment("api")["AWS_ENDPOINT_URL"] == f"http://{milvus['MINIO_ADDRESS']}"
    assert store["RUSTFS_ADDRESS"].rpartition(":")[2] == milvus["MINIO_ADDRESS"].rpartition(":")[2]


def test_milvus_asks_for_a_password() -> None:
    """The one of its first start is the one that the platform gives."""
    milvus = SERVICES["milvus"]["environment"]
    assert milvus["COMMON_SECURITY_AUTHORIZATIONENABLED"] == "true"
    password = milvus["COMMON_SECURITY_DEFAULTROOTPASSWORD"]
    assert VARIABLE.fullmatch(password)
    for name in OURS:
        assert SERVICES[name]["environment"]["HOLDFAST_MILVUS_TOKEN"] == f"root:{password}"


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


def test_triton_is_started_as_by_the_embedded_platform() -> None:
    """By serve.py, which closes it, with options that it has; the port is the one of the clients."""
    entry = next(line for line in _instructions(DEPLOY / "Dockerfile.triton") if line[0] == "ENTRYPOINT")
    assert entry[-1].strip('"],').endswith("triton_models/serve.py")
    options = dict(each.removeprefix("--").split("=") for each in SERVICES["triton"]["command"])
    declared = set(re.findall(r'add_argument\("--([\w-]+)"', (ROOT / "triton_models/serve.py").read_text()))
    assert options.keys() == declared
    assert options["grpc-port"] == environment("api")["HOLDFAST_TRITON_ADDRESS"].rpartition(":")[2]
    assert SERVICES["triton"]["expose"] == [options["grpc-port"], options["metrics-port"]]
    check = SERVICES["triton"]["healthcheck"]["test"][-1]
    assert f"127.0.0.1:{options['grpc-port']}" in check
    assert all(f"'{model}'" in check for model in MODELS)


def test_the_check_of_triton_can_fail() -> None:
    """Nothing listens here: the command compiles, and says so."""
    command = SERVICES["triton"]["healthcheck"]["test"][2:]
    checked = command[1].replace("127.0.0.1:8001", f"127.0.0.1:{free_port()}")
    done = subprocess.run([sys.executable, command[0], checked], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "UNAVAILABLE" in done.stderr


# --- Temporal --------------------------------------------------------------------------------------


def test_payloads_are_encrypted_and_the_ui_asks_the_api_for_them() -> None:
    """All that speak to Temporal have the same file of keys; browsers reach the endpoint where the API is published."""
    for name in OURS:
        speaks = name != "migrate"
        assert ("payload-keys" in SERVICES[name].get("secrets", [])) == speaks, name
        assert environment(name)["HOLDFAST_PAYLOAD_KEYS"] == "/run/secrets/payload-keys"
    assert {name for name, secret in COMPOSE["secrets"].items() if "file" in secret} == {"payload-keys", "audit-key"}
    assert [name for name in OURS if "audit-key" in SERVICES[name].get("secrets", [])] == ["api"]  # only it signs
    ui = environment("temporal-ui")
    assert ui["TEMPORAL_CODEC_INCLUDE_CREDENTIALS"] == "true"
    [port] = SERVICES["api"]["ports"]
    assert ui["TEMPORAL_CODEC_ENDPOINT"] == f"http://{port.rpartition(':')[0]}{PATH}"


def test_the_ui_changes_nothing() -> None:
    """Whoever reaches it reads; runs are ended and signalled through the API, which knows who asks."""
    assert environment("temporal-ui")["TEMPORAL_DISABLE_WRITE_ACTIONS"] == "true"


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
    for name in ("temporal-schema", "temporal-namespace", "buckets"):
        shell, script = SERVICES[name]["entrypoint"]
        assert shell == "/bin/sh"
        [mounted] = [each.split(":") for each in SERVICES[name]["volumes"]]
        assert mounted[1:] == [str(Path(script).parent), "ro"]
        assert (ROOT / mounted[0] / Path(script).name).is_file()


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


# --- monitoring ------------------------------------------------------------------------------------


def test_monitoring_is_started_by_those_who_want_it() -> None:
    """Prometheus and Grafana have a profile, and so has Jaeger; nothing else depends on them."""
    optional = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert optional == {"prometheus": ["monitoring"], "grafana": ["monitoring"], "jaeger": ["tracing"]}
    needed = {need for name in SERVICES.keys() - optional for need in SERVICES[name].get("depends_on", {})}
    assert not optional.keys() & needed


def test_prometheus_asks_where_something_listens() -> None:
    """Its targets are services on ports that they show; those that ask for a token or password get it."""
    config = _file("deploy/prometheus/prometheus.yml")
    secrets = {f"/run/secrets/{name}" for name in SERVICES["prometheus"]["secrets"]}
    asked = set()
    for job in config["scrape_configs"]:
        file = job.get("authorization", {}).get("credentials_file") or job.get("basic_auth", {}).get("password_file")
        assert file is None or file in secrets
        for found in job.get("static_configs", []):
            asked.update(target for target in found["targets"] if not target.startswith("127.0.0.1:"))
        for found in job.get("dns_sd_configs", []):
            assert file == "/run/secrets/metrics-token"
            asked.update(f"{name}:{found['port']}" for name in found["names"])
    metrics = load({key: value for key, value in environment("api").items() if key.startswith(PREFIX)}).metrics
    workers = {f"{name}:{metrics.port}" for name in WORKERS}
    assert metrics.host == "0.0.0.0"
    assert workers < asked
    assert all(listens(target) for target in asked - workers), asked
