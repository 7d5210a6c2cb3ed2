"""Settings: each is documented, a wrong one is named with its value, a secret is never shown."""

from __future__ import annotations

import ast
import os
import re
import stat
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import msgspec
import pytest

from activities import settings as module
from activities.errors import SettingsError
from activities.runtime.converter import converter_for
from activities.settings import FILE, PayloadKeys, Section, Settings, TemporalEnvironment, load, variables
from api.stack import payload_keys


def documented(source: str) -> dict[str, dict[str, str | None]]:
    """For each section of the source its fields, with the docstring below each."""
    found: dict[str, dict[str, str | None]] = {}
    for kind in ast.parse(source).body:
        if not isinstance(kind, ast.ClassDef):
            continue
        for field, after in zip(kind.body, [*kind.body[1:], ast.Pass()], strict=True):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                text = after.value if isinstance(after, ast.Expr) else None
                doc = text.value if isinstance(text, ast.Constant) and isinstance(text.value, str) else None
                found.setdefault(kind.name, {})[field.target.id] = doc
    return found


def test_every_setting_is_documented() -> None:
    """Each field is followed by a docstring that ends like a sentence."""
    docs = documented(Path(str(module.__file__)).read_text())
    checked = 0
    for section in Section.__subclasses__():
        for field in msgspec.structs.fields(section):
            if field.type in (TemporalEnvironment, PayloadKeys):
                continue
            if not (isinstance(field.type, type) and issubclass(field.type, Section)):
                doc = docs[section.__name__][field.name]
                assert doc is not None, f"{section.__name__}.{field.name}"
                assert doc.strip().endswith("."), f"{section.__name__}.{field.name}"
                checked += 1
    assert checked == len(variables()) > 25


def test_a_variable_is_named_by_its_field() -> None:
    """`HOLDFAST_`, the section, the field; each variable sets exactly that field."""
    assert variables()["HOLDFAST_TRITON_ADDRESS"] == ("triton", "address")
    assert variables()["HOLDFAST_DATA"] == ("data",)
    defaults = Settings()
    for name, path in variables().items():
        before: object = defaults
        for part in path:
            before = getattr(before, part)
        for value in (
            "17",
            "plain",
            "json",
            "debug",
            "off",
            "none",
            "read",
            "/srv",
            "s3://docs",
            "10.0.0.0/8",
            "https://a.test",
            "hd=example.org",
            "text",
            "HNSW",
            "strong",
            "sixteen-or-more-characters",
            "0.5",
        ):
            try:
                loaded: object = load({name: value})
            except SettingsError:
                continue
            for part in path:
                loaded = getattr(loaded, part)
            assert str(loaded) == value
            assert type(loaded) is type(before)
            break
        else:
            pytest.fail(f"no value was accepted for {name}")


def test_without_variables_there_are_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting is required, and variables of other programs are ignored."""
    monkeypatch.chdir(tmp_path)  # a platform that was started in the checkout has keys there
    assert load({}) == Settings()
    assert load({"PATH": "/bin", "holdfast_data": "x", "TRITON_ADDRESS": "x"}) == Settings()


def test_variables_are_read_into_their_sections() -> None:
    """Several at once, in any order, with the defaults of the others kept."""
    loaded = load({"HOLDFAST_API_PORT": "9000", "HOLDFAST_DATA": "/data", "HOLDFAST_API_HOST": "0.0.0.0"})
    assert (loaded.api.port, loaded.api.host, loaded.data) == (9000, "0.0.0.0", "/data")
    assert loaded.api_url == "http://127.0.0.1:9000"
    assert loaded.api.max_upload_bytes == Settings().api.max_upload_bytes
    assert loaded.catalog_url == "sqlite+aiosqlite:////data/catalog.db"
    assert loaded.blobs_url == "file:///data/blobs"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("HOLDFAST_API_PORT", "no port"),
        ("HOLDFAST_API_PORT", "0"),
        ("HOLDFAST_API_PORT", "65536"),
        ("HOLDFAST_API_PORT", ""),
        ("HOLDFAST_WORKER_GPU_SLOTS", "-1"),
        ("HOLDFAST_WORKER_GPU_SLOTS", "1.5"),
        ("HOLDFAST_LOG_LEVEL", "loud"),
        ("HOLDFAST_GENERATE_MODEL", "https://host/v1"),
    ],
)
def test_a_wrong_value_is_named(key: str, value: str) -> None:
    """The error names the setting and its value and explains the mistake, in both languages, in one line."""
    with pytest.raises(SettingsError) as caught:
        load({"HOLDFAST_DATA": "/data", key: value})
    for text in (caught.value.reason.render("en"), caught.value.reason.render("zh")):
        assert f"{key}={value}" in text
        assert len(text.splitlines()) == 1
    assert len(caught.value.reason.params["problem"]) > 10
    assert "$" not in caught.value.reason.params["problem"]


@pytest.mark.parametrize("key", ["HOLDFAST_TRITON_ADRESS", "HOLDFAST_", "HOLDFAST_TRITON", "HOLDFAST_SETTINGS_DATA"])
def test_an_unknown_variable_is_refused(key: str) -> None:
    """A misspelt name is always reported; its value, which may be a secret, is not shown."""
    with pytest.raises(SettingsError) as caught:
        load({key: "hush-hush"})
    assert key in str(caught.value)
    assert "hush-hush" not in str(caught.value)


SECRETS = {
    "HOLDFAST_METRICS_TOKEN": "hush-hush-for-metrics",
    "HOLDFAST_MILVUS_TOKEN": "root:hush-hush",
    "HOLDFAST_API_KEY": "holdfast_hush-hush",
    "HOLDFAST_OIDC_CLIENT_SECRET": "hush-hush",
    "HOLDFAST_GENERATE_API_KEY": "hush-hush",
    "HOLDFAST_CATALOG_URL": "postgresql+asyncpg://me:hush-hush@db/catalog",
}


def test_the_secrets_are_those_that_their_docstring_says() -> None:
    """This module tests each setting whose docstring ends with "A secret." as one."""
    docs = documented(Path(str(module.__file__)).read_text())
    kinds: dict[str, Any] = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    for name, path in variables().items():
        section = "Settings" if len(path) == 1 else kinds[path[0]].__name__
        assert str(docs[section][path[-1]]).endswith("A secret.") == (name in SECRETS), name


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_is_never_shown(key: str) -> None:
    """Neither in the error about another setting nor in its cause."""
    with pytest.raises(SettingsError) as caught:
        load({key: SECRETS[key], "HOLDFAST_API_PORT": "x"})
    assert "hush-hush" not in str(caught.value)
    assert "hush-hush" not in repr(caught.value.__cause__)


@pytest.mark.parametrize("key", [key for key in SECRETS if key + FILE not in variables()])
def test_a_secret_may_stand_in_a_file(key: str, tmp_path: Path) -> None:
    """As orchestrators mount it, with an empty line at its end; a wrong file, or both, are an error."""
    file = tmp_path / "secret"
    file.write_text(SECRETS[key] + "\n")
    assert load({key + FILE: str(file)}) == load({key: SECRETS[key]})
    assert load({key + FILE: "", key: SECRETS[key]}) == load({key: SECRETS[key]})
    for environ in ({key + FILE: str(file), key: SECRETS[key]}, {key + FILE: str(tmp_path / "none")}):
        with pytest.raises(SettingsError) as caught:
            load(environ)
        assert key + FILE in str(caught.value)
        assert "hush-hush" not in str(caught.value)
    with pytest.raises(SettingsError, match="no such setting"):
        load({"HOLDFAST_LOG_LEVEL" + FILE: str(file)})


CRASH = """
import structlog
from activities.settings import Settings, load
from activities.telemetry.logs import configure

def step(settings: Settings, text: str) -> None:
    raise RuntimeError("unforeseen")

settings = load()
configure(settings.log, "worker")
try:
    step(settings, "the text of a document")
except RuntimeError:
    structlog.get_logger().warning("step failed", exc_info=True)
"""


@pytest.mark.parametrize("format", ["console", "json"])
def test_a_crash_logs_no_secret(format: str) -> None:
    """The traceback of an unexpected error has its lines, but no values of variables: settings, keys, documents."""
    environ = {**os.environ, **SECRETS, "TEMPORAL_API_KEY": "hush-hush", "HOLDFAST_LOG_FORMAT": format}
    done = subprocess.run(
        [sys.executable, "-c", CRASH], env=environ, capture_output=True, text=True, check=True, timeout=30
    )
    assert "RuntimeError" in done.stderr
    assert "step failed" in done.stderr
    assert "hush" not in done.stderr
    assert "the text of a document" not in done.stderr


def test_the_keys_of_payloads_are_those_of_the_data_folder_or_named(tmp_path: Path) -> None:
    """What `holdfast up` made there is used by every process of the folder; a named file goes first."""
    environ = {"HOLDFAST_DATA": str(tmp_path)}
    assert load(environ).temporal.payload_keys.file == ""
    assert payload_keys.create(load(environ).keys_file)
    made = tmp_path / "payload.keys"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert load(environ).temporal.payload_keys.file == str(made)
    assert converter_for(str(made), "default").payload_codec is not None
    before = made.read_bytes()
    assert not payload_keys.create(made)
    assert made.read_bytes() == before
    assert load(environ | {"HOLDFAST_PAYLOAD_KEYS": "/etc/keys"}).temporal.payload_keys.file == "/etc/keys"


def test_settings_cannot_be_changed() -> None:
    """No code can change a setting at run time."""
    with pytest.raises(AttributeError):
        load({}).api.port = 1  # type: ignore[misc]


# --- Temporal's own variables ----------------------------------------------------------------------

PROFILES = """
[profile.default]
address = "default.example.org:7233"

[profile.cloud]
address = "cloud.example.org:7233"
namespace = "ours.acct"
api_key = "hush-hush"
"""


@pytest.fixture
def profiles(tmp_path: Path) -> str:
    """The path of a configuration file with two profiles."""
    file = tmp_path / "temporal.toml"
    file.write_text(PROFILES)
    return str(file)


def test_our_settings_win_over_temporals_variables_and_those_over_its_file(profiles: str) -> None:
    """Address and namespace each come from the first of these that sets them; otherwise from Holdfast's defaults."""
    environ = {"TEMPORAL_CONFIG_FILE": profiles}
    where = [tuple(load(environ).temporal.connection().values())]
    more = {
        "TEMPORAL_PROFILE": "cloud",
        "TEMPORAL_NAMESPACE": "variable",
        "HOLDFAST_TEMPORAL_NAMESPACE": "default",
        "TEMPORAL_ADDRESS": "variable.example.org:7233",
        "HOLDFAST_TEMPORAL_ADDRESS": "127.0.0.1:7233",
    }
    for name, value in more.items():
        environ[name] = value
        connection = load(environ).temporal.connection()
        where.append((connection["target_host"], connection["namespace"]))
        assert connection["api_key"] == "hush-hush"
    assert where == [
        ("default.example.org:7233", "default"),
        ("cloud.example.org:7233", "ours.acct"),
        ("cloud.example.org:7233", "variable"),
        ("cloud.example.org:7233", "default"),
        ("variable.example.org:7233", "default"),
        ("127.0.0.1:7233", "default"),
    ]


def test_temporals_default_configuration_file_is_not_read(tmp_path: Path) -> None:
    """A person's configuration of Temporal's command line is no setting of a server."""
    folder = tmp_path / ".config" / "temporalio"
    folder.mkdir(parents=True)
    (folder / "temporal.toml").write_text(PROFILES)
    code = "from activities.settings import load; print(load().temporal.connection())"
    environ = {"HOME": str(tmp_path), "TEMPORAL_GRPC_META_X": "y", "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert "127.0.0.1:7233" in done.stdout
    environ["TEMPORAL_PROFILE"] = "cloud"
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert "cloud.example.org:7233" in done.stdout


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"TEMPORAL_CONFIG_FILE": "/no/such.toml"}, "TEMPORAL_CONFIG_FILE=/no/such.toml"),
        ({"TEMPORAL_PROFILE": "misspelt"}, "misspelt"),
        ({"TEMPORAL_TLS": "perhaps"}, "TEMPORAL_TLS=perhaps"),
        ({"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "/no/such.pem"}, "/no/such.pem"),
        ({"TEMPORAL_TLS_CLIENT_CERT_PATH": "/a", "TEMPORAL_TLS_CLIENT_CERT_DATA": "b"}, "TEMPORAL_TLS_CLIENT_CERT"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_invalid_connection_is_named(profiles: str, more: dict[str, str], named: str) -> None:
    """When it is made, not at load: most commands never connect. The API key is not shown."""
    temporal = load({"TEMPORAL_CONFIG_FILE": profiles, "TEMPORAL_API_KEY": "hush-hush", **more}).temporal
    with pytest.raises(SettingsError, match=re.escape(named)) as caught:
        temporal.connection()
    assert "hush" not in f"{caught.value} {caught.value.__cause__!r}"


def test_a_broken_file_is_named_without_its_secrets(tmp_path: Path) -> None:
    """The parser's message quotes the line that it cannot parse, which may contain the API key."""
    file = tmp_path / "temporal.toml"
    file.write_text('[profile.default]\napi_key = "hush-hush\n')
    with pytest.raises(SettingsError, match="line 2") as caught:
        load({"TEMPORAL_CONFIG_FILE": str(file)}).temporal.connection()
    assert str(file) in str(caught.value)
    assert "hush" not in "".join(traceback.format_exception(caught.value))


def test_settings_show_no_value_of_temporals_variables() -> None:
    """The names suffice to see which ones are set."""
    settings = load({"TEMPORAL_API_KEY": "hush-hush", "TEMPORAL_TLS_CLIENT_KEY_DATA": "hush-hush", "TEMPORAL_UI": "x"})
    shown = f"{settings!r} {settings.temporal.environment} {list(settings.temporal.environment.__rich_repr__())}"
    assert "hush" not in shown
    assert "TEMPORAL_API_KEY" in shown
    assert "TEMPORAL_UI" not in shown
