"""`holdfast up`: its checks, the settings of its children, and a real run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from activities.settings import load
from api.cli.texts.messages import text_of
from api.client import local_env
from api.client.problems import Problem
from api.stack import ports as ports_of
from api.stack import processes
from api.stack.parts import Part, all_parts, environment, of_this_machine
from api.stack.up import pids as pids_in
from api.stack.up import places, run
from tests.api.stack.test_supervisor import DEADLINE, ROOT, alive, eventually
from tests.conftest import Platform
from tests.ports import free_port


@pytest.fixture
def settings_env(tmp_path: Path) -> dict[str, str]:
    """Settings of a platform on free ports."""
    ports = [free_port() for _ in range(6)]
    return {
        "HOLDFAST_DATA": str(tmp_path / "data"),
        "HOLDFAST_API_PORT": str(ports[0]),
        "HOLDFAST_TEMPORAL_ADDRESS": f"127.0.0.1:{ports[1]}",
        "HOLDFAST_TEMPORAL_UI_URL": f"http://127.0.0.1:{ports[2]}",
        "HOLDFAST_MILVUS_URI": f"http://127.0.0.1:{ports[3]}",
        "HOLDFAST_TRITON_ADDRESS": f"127.0.0.1:{ports[4]}",
        "HOLDFAST_TRITON_METRICS_PORT": str(ports[5]),
    }


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


def start(env: dict[str, str], *only: str) -> None:
    """`holdfast up --only …`, for starts that must be refused."""
    run(load(env), only, (), lambda line: None, lambda places, seconds: None)


@contextlib.contextmanager
def taken(port: int) -> Iterator[None]:
    """Listens on the port, in the way of gRPC servers, which let others share their port."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        yield


@pytest.mark.parametrize("locale", ["C.UTF-8", "zh_CN.UTF-8"])
def test_all_taken_ports_are_named_with_setting_and_process(
    settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch, locale: str
) -> None:
    """Nothing starts on a taken port; one message names every conflict, who uses the port, and what changes it."""
    monkeypatch.setenv("LC_ALL", locale)
    settings = ("HOLDFAST_MILVUS_URI", "HOLDFAST_TEMPORAL_UI_URL")
    ports = [int(settings_env[name].rpartition(":")[2]) for name in settings]
    with taken(ports[0]), taken(ports[1]), pytest.raises(Problem) as caught:
        start(settings_env, "milvus", "temporal")
    sentence = text_of(caught.value)
    assert all(str(port) in sentence for port in ports)
    assert all(name in sentence for name in settings)
    assert sentence.count(str(os.getpid())) == 2
    assert ("已被占用" in sentence) == (locale == "zh_CN.UTF-8")
    assert not Path(settings_env["HOLDFAST_DATA"], "run", "stack.json").exists()


def before_installing(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """What `make up` runs first, without any installed package."""
    command = [sys.executable, "-S", "-m", "api.cli.ports", *arguments]
    environ = {"LC_ALL": "C.UTF-8", **env}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=30)


def test_ports_are_checked_before_anything_is_installed(settings_env: dict[str, str]) -> None:
    """With the standard library alone: all conflicts in one message, but none for parts that are left out."""
    settings = ("HOLDFAST_API_PORT", "HOLDFAST_TRITON_METRICS_PORT")
    with taken(int(settings_env[settings[0]])), taken(int(settings_env[settings[1]])):
        refused = before_installing(settings_env)
        assert refused.returncode == 1
        assert all(name in refused.stderr and settings_env[name] in refused.stderr for name in settings)
        assert before_installing(settings_env, "--without", "api", "--without", "triton").returncode == 0
        assert before_installing(settings_env, "--only", "temporal").returncode == 0
    assert before_installing(settings_env).returncode == 0


def test_ports_of_the_own_platform_are_no_conflict(settings_env: dict[str, str]) -> None:
    """`holdfast up` says that it runs already, or ends what a killed one has left."""
    program = (
        "import socket,sys; s=socket.create_server(('127.0.0.1', int(sys.argv[1]))); print(flush=True); s.accept()"
    )
    argv = [sys.executable, "-c", program, settings_env["HOLDFAST_API_PORT"]]
    with subprocess.Popen(argv, env=settings_env, stdout=subprocess.PIPE) as own:
        assert own.stdout is not None
        own.stdout.readline()
        assert before_installing(settings_env).returncode == 0
        assert before_installing(settings_env | {"HOLDFAST_DATA": "/elsewhere"}).returncode == 1
        own.kill()


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"HOLDFAST_TEMPORAL_ADDRESS": "localhost:7000", "HOLDFAST_TEMPORAL_UI_URL": "https://ui.example.org"},
        {"HOLDFAST_MILVUS_URI": "http://milvus:19530", "HOLDFAST_TRITON_ADDRESS": "10.0.0.7:8001"},
        {"HOLDFAST_METRICS_PORT": "9100"},
        {"HOLDFAST_METRICS_PORT": "9100", "HOLDFAST_METRICS_TOKEN": "sixteen-characters"},
        {"HOLDFAST_API_HOST": "0.0.0.0", "HOLDFAST_API_PORT": "80", "HOLDFAST_TRITON_ADDRESS": "[::1]:9001"},
    ],
)
def test_they_are_the_ports_that_the_parts_listen_on(changed: dict[str, str]) -> None:
    """The check before the installation reads the settings as the platform does."""
    parts = [each for each in all_parts(load(changed)) if each.local]
    assert ports_of.needed(changed) == [port for each in parts for port in each.ports]


def test_a_second_platform_on_the_same_data_is_refused(settings_env: dict[str, str]) -> None:
    """Two supervisors on one data folder would corrupt it; the error names the first one's process."""
    lock = Path(settings_env["HOLDFAST_DATA"]) / "run" / "lock"
    with processes.only_one(lock), pytest.raises(Problem, match=str(os.getpid())):
        start(settings_env, "milvus")
    with processes.only_one(lock):
        pass


def test_a_missing_environment_names_make_setup(settings_env: dict[str, str]) -> None:
    """Without Triton's virtual environment the error names the command that creates it."""
    with pytest.raises(Problem) as caught:
        start(settings_env | {"HOLDFAST_TRITON_VENV": "/no/such/venv"}, "triton")
    assert "make setup" in text_of(caught.value)
    assert "Triton" in text_of(caught.value)


def test_a_data_folder_that_cannot_be_made_is_named(settings_env: dict[str, str]) -> None:
    """A data folder below a file is refused in one sentence."""
    with pytest.raises(Problem) as caught:
        start(settings_env | {"HOLDFAST_DATA": "/dev/null/data"}, "milvus")
    assert "HOLDFAST_DATA" in text_of(caught.value)


@pytest.mark.parametrize("setting", ["HOLDFAST_TEMPORAL_ADDRESS", "HOLDFAST_MILVUS_URI", "HOLDFAST_TRITON_ADDRESS"])
@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
def test_a_service_without_a_password_is_not_opened_to_others(
    settings_env: dict[str, str], setting: str, host: str
) -> None:
    """Temporal, Milvus and Triton trust whoever reaches them: they listen on this machine only."""
    settings_env[setting] = settings_env[setting].replace("127.0.0.1", host)
    with pytest.raises(Problem) as caught:
        start(settings_env, "temporal", "milvus", "triton")
    assert setting in text_of(caught.value)


def test_the_data_folder_is_its_owners_alone(settings_env: dict[str, str]) -> None:
    """What an earlier version left open is closed at the next start, and what is made from then on is private."""
    data = Path(settings_env["HOLDFAST_DATA"])
    (data / "blobs" / "originals").mkdir(parents=True)
    (data / "blobs" / "originals" / "report").write_text("confidential")
    (data / "catalog.db").touch()
    (data / "blobs" / "elsewhere").symlink_to(Path(__file__))
    (data / "notes").touch(0o644)
    for path in (data, data / "blobs", data / "blobs" / "originals"):
        path.chmod(0o755)
    mode = Path(__file__).stat().st_mode
    before = os.umask(0o022)
    try:
        with pytest.raises(Problem):
            start(settings_env | {"HOLDFAST_TRITON_VENV": "/no/such/venv"}, "triton")
        assert os.umask(0o022) == 0o022  # the caller's own files are his business
    finally:
        os.umask(before)
    assert open_to_others(data) == [data / "notes"]  # which is not Holdfast's
    assert (data / "blobs" / "originals" / "report").read_text() == "confidential"
    assert Path(__file__).stat().st_mode == mode


def test_a_folder_of_everybody_is_refused(settings_env: dict[str, str]) -> None:
    """/tmp as a data folder would be taken from all others."""
    data = Path(settings_env["HOLDFAST_DATA"])
    data.mkdir()
    data.chmod(0o1777)
    with pytest.raises(Problem) as caught:
        start(settings_env, "milvus")
    assert "HOLDFAST_DATA" in text_of(caught.value)
    assert data.stat().st_mode & 0o7777 == 0o1777


def test_files_of_another_platform_are_not_touched(platform: Platform, tmp_path: Path) -> None:
    """The start ends with what to do about it: both would remove each other's files."""
    data, files = tmp_path / "data", tmp_path / "files"
    for folder in (data, files):
        folder.mkdir()
    (files / "owner").write_text('{"platform": "another"}')
    own = {"HOLDFAST_DATA": str(data), "HOLDFAST_BLOBS_URL": files.as_uri(), "HOLDFAST_API_PORT": str(free_port())}
    ended = subprocess.run(
        [sys.executable, "-m", "api.cli", "up", "--only", "api"],
        env=platform.environ | own, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "belong to another platform" in ended.stdout + ended.stderr
    assert [path.name for path in files.iterdir()] == ["owner"]


def open_to_others(data: Path) -> list[Path]:
    """Files and folders of which anybody but the owner may read, write or list something."""
    return [each for each in (data, *data.rglob("*")) if not each.is_symlink() and each.stat().st_mode & 0o077]


def part(parts: list[Part], name: str) -> Part:
    """The part with that name."""
    return next(each for each in parts if each.child.name == name)


def test_children_find_the_same_settings(settings_env: dict[str, str]) -> None:
    """Holdfast's own processes load the resolved settings, with an absolute data folder."""
    settings = load(settings_env | {"HOLDFAST_LOG_FORMAT": "json", "HOLDFAST_CATALOG_URL": "postgresql://x"})
    child_env = environment(settings, {"PATH": "/bin", "HOLDFAST_DATA": "elsewhere"})
    assert child_env["PATH"] == "/bin"
    assert child_env["TMPDIR"] == f"{settings.data_dir}/tmp"
    assert load(child_env) == settings


def test_foreign_programs_get_no_secret(settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporal, Milvus and Triton need no key, token or database password, and get none."""
    for name in ("HOLDFAST_API_KEY", "HOLDFAST_MILVUS_TOKEN", "HOLDFAST_CATALOG_URL"):
        settings_env[name] = "secret"
    elsewhere = ("AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "HOMEBREW_GITHUB_API_TOKEN", "PGPASSWORD")
    for name in (*settings_env.keys() & {"HOLDFAST_API_KEY", "HOLDFAST_CATALOG_URL"}, *elsewhere):
        monkeypatch.setenv(name, "secret")
    for each in all_parts(load(settings_env)):
        if each.dependency:
            assert "secret" not in each.child.env.values(), each.child.name
            assert each.child.env["PATH"] == os.environ["PATH"]
        else:
            assert each.child.env["HOLDFAST_CATALOG_URL"] == "secret"
            assert each.child.env["AWS_SECRET_ACCESS_KEY"] == "secret"


def test_the_endpoints_key_is_given_to_triton_only(settings_env: dict[str, str]) -> None:
    """Workers, which read what others wrote, do not have it."""
    given = {"HOLDFAST_GENERATE_API_KEY": "hush-hush", "HOLDFAST_GENERATE_API_KEY_FILE": "/run/key"}
    having = {each.child.name for each in all_parts(load(settings_env | given)) if given.keys() & each.child.env.keys()}
    assert having == {"triton"}


def test_only_triton_may_read_the_model_hub(settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The token of the hub, and the proxy on the way to it, reach the one program that downloads models."""
    hub = {"HF_TOKEN": "hf_1", "HTTPS_PROXY": "http://proxy:3128", "CUDA_VISIBLE_DEVICES": "1"}
    for name, value in hub.items():
        monkeypatch.setenv(name, value)
    found = {each.child.name: hub.keys() & each.child.env.keys() for each in all_parts(load(settings_env))}
    assert found["triton"] == hub.keys()
    assert not found["temporal"] | found["milvus"]


#: Variables of a shell that is set up for another cluster.
ANOTHER_CLUSTER = {
    "TEMPORAL_ADDRESS": "another.example.org:7233",
    "TEMPORAL_NAMESPACE": "another.namespace",
    "TEMPORAL_API_KEY": "hush-hush",
    "TEMPORAL_TLS": "true",
    "TEMPORAL_TLS_CLIENT_CERT_PATH": "/no/such/certificate.pem",
    "TEMPORAL_CONFIG_FILE": "/no/such/temporal.toml",
    "TEMPORAL_PROFILE": "another",
}


def test_variables_of_another_cluster_do_not_reach_our_own_temporal(
    settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the server nor any other child gets one of them."""
    for name, value in ANOTHER_CLUSTER.items():
        monkeypatch.setenv(name, value)
    settings = load(settings_env | ANOTHER_CLUSTER)
    for each in all_parts(settings):
        assert not ANOTHER_CLUSTER.keys() & each.child.env.keys(), each.child.name
        foreign = set(ANOTHER_CLUSTER.values()) - {"true"}  # which many a variable is
        assert not foreign & set(each.child.env.values()), each.child.name
    worker = load(part(all_parts(settings), "worker-cpu").child.env)
    ours = {"target_host": settings_env["HOLDFAST_TEMPORAL_ADDRESS"], "namespace": "default"}
    assert worker.temporal.connection() == of_this_machine(settings).temporal.connection() == ours


def test_a_temporal_elsewhere_is_reached_as_its_variables_say(
    settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Own processes connect with its API key, to its namespace; foreign programs do not get the key."""
    cloud = {"TEMPORAL_API_KEY": "hush-hush", "TEMPORAL_NAMESPACE": "ours.acct", "TEMPORAL_ADDRESS": "else.where:1"}
    for name, value in cloud.items():
        monkeypatch.setenv(name, value)
    address = "ours.acct.tmprl.example.org:7233"
    parts = all_parts(load(settings_env | cloud | {"HOLDFAST_TEMPORAL_ADDRESS": address}))
    assert not part(parts, "temporal").local
    for name in ("worker-cpu", "api"):
        connection = load(part(parts, name).child.env).temporal.connection()
        assert connection == {"target_host": address, "namespace": "ours.acct", "api_key": "hush-hush", "tls": True}
    for name in ("temporal", "milvus", "triton"):
        assert "hush-hush" not in part(parts, name).child.env.values()


def test_services_elsewhere_are_not_started(settings_env: dict[str, str]) -> None:
    """With an address on another machine, `holdfast up` only waits for the service."""
    parts = all_parts(load(settings_env | {"HOLDFAST_TRITON_ADDRESS": "gpu.example.org:8001"}))
    assert [each.child.name for each in parts if not each.local] == ["triton"]
    assert part(parts, "triton").address == "gpu.example.org:8001"


def test_no_two_parts_share_a_port(settings_env: dict[str, str]) -> None:
    """A setting moves each port, so two platforms can run side by side."""
    ports = [port.port for each in all_parts(load(settings_env)) for port in each.ports]
    assert len(ports) == len(set(ports)) == 6


def test_one_name_stands_for_all_workers(settings_env: dict[str, str]) -> None:
    """`--without worker` leaves out every worker."""
    named = [each.child.name for each in all_parts(load(settings_env)) if each.is_called(("worker",))]
    assert named == ["worker-interactive", "worker-cpu", "worker-bulk"]


def test_places_name_the_key_file_and_never_the_key(settings_env: dict[str, str]) -> None:
    """The final output can be copied into a ticket."""
    settings = load(settings_env)
    settings.data_dir.mkdir()
    local_env.write(settings.data_dir, "http://127.0.0.1:1", "hf_secret")
    shown = places(settings, all_parts(settings))
    assert shown["key_file"].endswith("local.env")
    assert "hf_secret" not in str(shown)


def test_temporal_and_milvus_come_up_restart_and_stop(settings_env: dict[str, str]) -> None:
    """`holdfast up` with the real servers: ready, again after `kill -9`, and nothing left after SIGINT.

    Also in a shell that is set up for another Temporal.
    """
    argv = [sys.executable, "-m", "api.cli", "up", "--json", "--only", "temporal", "--only", "milvus"]
    env = {key: value for key, value in os.environ.items() if not key.startswith("HOLDFAST_")}
    state = Path(settings_env["HOLDFAST_DATA"], "run", "stack.json")
    with subprocess.Popen(argv, env=env | ANOTHER_CLUSTER | settings_env, cwd=ROOT, stdout=subprocess.PIPE) as up:
        assert up.stdout is not None
        places_shown = json.loads(b"".join(iter(up.stdout.readline, b"}\n")) + b"}")
        assert places_shown["ui"] == settings_env["HOLDFAST_TEMPORAL_UI_URL"]
        os.kill(pids_in(state)[1], signal.SIGKILL)
        asyncio.run(eventually(lambda: json.loads(state.read_text())["milvus"]["restarts"] == 1))
        asyncio.run(eventually(lambda: len(pids_in(state)) == 2))
        pids = pids_in(state)
        up.send_signal(signal.SIGINT)
        assert up.wait(DEADLINE) == 0
    assert open_to_others(Path(settings_env["HOLDFAST_DATA"])) == []
    assert not any(map(alive, pids))


def test_it_outlives_whoever_reads_its_output(settings_env: dict[str, str]) -> None:
    """As in `holdfast up | head`, or in a terminal that is closed: what dies is still restarted, and all of it ends."""
    argv = [sys.executable, "-m", "api.cli", "up", "--only", "temporal"]
    env = {key: value for key, value in os.environ.items() if not key.startswith("HOLDFAST_")}
    state = Path(settings_env["HOLDFAST_DATA"], "run", "stack.json")
    with subprocess.Popen(
        argv, env=env | settings_env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as up:
        try:
            assert up.stdout is not None
            assert any(b"Ctrl-C" in line for line in iter(up.stdout.readline, b""))
            up.stdout.close()
            os.kill(pids_in(state)[0], signal.SIGKILL)
            asyncio.run(eventually(lambda: json.loads(state.read_text())["temporal"]["restarts"] == 1))
            asyncio.run(eventually(lambda: bool(pids_in(state))))
            [pid] = pids_in(state)
            up.send_signal(signal.SIGHUP)
            assert up.wait(DEADLINE) == 0
        finally:
            up.kill()
    assert not alive(pid)


def test_a_worker_that_waits_for_temporal_can_be_stopped(settings_env: dict[str, str], tmp_path: Path) -> None:
    """Nothing listens on the port: the worker reports what it waits for, and ends on request."""
    argv = [sys.executable, "-m", "workflows.worker", "--queue", "store"]
    env = {key: value for key, value in os.environ.items() if not key.startswith("HOLDFAST_")}
    said = tmp_path / "worker.log"
    with (
        said.open("wb") as log,
        subprocess.Popen(argv, env=env | settings_env, cwd=ROOT, stdout=log, stderr=log) as waiting,
    ):
        try:
            asyncio.run(eventually(lambda: "temporal" in said.read_text()))
            waiting.send_signal(signal.SIGTERM)
            assert waiting.wait(DEADLINE) == 0
        finally:
            waiting.kill()


def test_keys_that_cannot_be_used_are_named_before_anything_starts(
    settings_env: dict[str, str], tmp_path: Path
) -> None:
    """The file is the setting's, and nothing is made in its place."""
    file = tmp_path / "no" / "keys"
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "up", "--only", "temporal"],
        env=os.environ | settings_env | {"HOLDFAST_PAYLOAD_KEYS": str(file)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 1
    assert f"HOLDFAST_PAYLOAD_KEYS={file}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not file.exists()
    assert not Path(settings_env["HOLDFAST_DATA"], "payload.keys").exists()
