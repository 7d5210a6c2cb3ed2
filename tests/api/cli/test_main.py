"""The command line as a whole: errors, languages, exit codes, `doctor`."""

from __future__ import annotations

import json
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from activities.settings import load
from api.cli.main import cli
from api.cli.texts.messages import TEXTS
from api.client import local_env
from api.client.client import Target
from tests.api.cli.fake_api import CHINESE, ENGLISH, FakeApi, Holdfast, Reply
from tests.ports import free_port

# --- errors ----------------------------------------------------------------------------------------


def test_a_refusal_is_one_sentence_and_exit_code_1(fake: FakeApi, holdfast: Holdfast) -> None:
    """stderr shows the API's own `detail`."""
    fake.problem("GET /api/v1/knowledge-bases/hr", 404, "There is no knowledge base “hr”.")
    result = holdfast("kb", "show", "hr")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "There is no knowledge base “hr”.\n"


def test_json_has_errors_too(fake: FakeApi, holdfast: Holdfast) -> None:
    """A program reads the error from stdout."""
    fake.problem("GET /api/v1/knowledge-bases/hr", 404, "gone")
    result = holdfast("kb", "show", "hr", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"error": {"code": "refused", "detail": "gone"}}


@pytest.mark.parametrize(("locale", "language"), [(ENGLISH, "en"), (CHINESE, "zh"), ("", "en")])
def test_requests_carry_key_and_language(fake: FakeApi, holdfast: Holdfast, locale: str, language: str) -> None:
    """The API responds in the terminal's language."""
    fake.on("GET /api/v1/documents/d1/status", {"state": "ready"})
    assert holdfast("status", "d1", env={"LC_ALL": locale, "LANG": ""}).exit_code == 0
    headers = fake.requests[0].headers
    assert headers["Accept-Language"] == language
    assert headers["Authorization"] == "Bearer hf_key"


@pytest.mark.parametrize(
    ("locale", "sentence"),
    [
        (ENGLISH, "The platform does not answer at {url}; start it with `make up`, or check the address."),
        (CHINESE, "平台在 {url} 没有响应；请用 `make up` 启动，或检查地址。"),
    ],
)
@pytest.mark.parametrize("argv", [("kb", "list"), ("events", "d1"), ("ask", "Why?", "--kb", "hr")])
def test_a_platform_that_is_down_is_named(
    holdfast: Holdfast, argv: tuple[str, ...], locale: str, sentence: str
) -> None:
    """Connection refused is one sentence in the terminal's language that says what to do."""
    url = f"http://127.0.0.1:{free_port()}"
    result = holdfast(*argv, env={"HOLDFAST_URL": url, "LC_ALL": locale})
    assert (result.exit_code, result.stderr) == (1, sentence.format(url=url) + "\n")


def test_a_foreign_response_points_at_the_url(fake: FakeApi, holdfast: Holdfast) -> None:
    """Another server on the port is recognised."""
    fake.routes["GET /api/v1/knowledge-bases"] = Reply(b"<html>", kind="text/html")
    result = holdfast("kb", "list")
    assert result.exit_code == 1
    assert "HOLDFAST_URL" in result.stderr


def test_an_unknown_setting_is_named(holdfast: Holdfast) -> None:
    """A misspelt variable is refused with its name, in the terminal's language."""
    result = holdfast("kb", "list", env={"HOLDFAST_PROT": "1", "LC_ALL": CHINESE})
    assert result.exit_code == 1
    assert "HOLDFAST_PROT" in result.stderr
    assert "设置" in result.stderr


@pytest.mark.parametrize(
    "argv",
    [
        ("ls",),
        ("ask", "Why?", "--kb", "hr", "--mode", "poetic"),
        ("add", "--kb", "hr"),
        ("search", "x", "--kb", "hr", "--limit", "0"),
        ("up", "--only", "api", "--without", "triton"),
        ("frobnicate",),
    ],
)
def test_usage_errors_exit_with_2(holdfast: Holdfast, argv: tuple[str, ...]) -> None:
    """Scripts can distinguish a wrong call from a failure."""
    assert holdfast(*argv).exit_code == 2


# --- doctor ----------------------------------------------------------------------------------------


def test_doctor_succeeds_on_a_healthy_platform(fake: FakeApi, holdfast: Holdfast) -> None:
    """Exit 0 if settings, key, API and all dependencies are in order."""
    fake.on("GET /health/live", {"ok": True})
    fake.on("GET /health/ready", {"dependencies": [{"name": "milvus", "ready": True, "detail": None}]})
    fake.on("GET /api/v1/knowledge-bases?limit=1", {"items": []})
    fake.on("GET /api/v1/language-model", {"name": "m", "host": "models.example", "ready": True, "detail": None})
    result = holdfast("doctor", "--json")
    assert json.loads(result.stdout)["ok"], result.stdout
    assert "m at models.example, which gets questions" in result.stdout
    assert result.exit_code == 0


def test_doctor_names_a_language_model_that_cannot_answer(fake: FakeApi, holdfast: Holdfast) -> None:
    """With what to do about it, as the API says it."""
    fake.on("GET /health/live", {"ok": True})
    fake.on("GET /health/ready", {"dependencies": []})
    fake.on("GET /api/v1/knowledge-bases?limit=1", {"items": []})
    model = {"name": "m", "host": "models.example", "ready": False, "detail": "Set another key."}
    fake.on("GET /api/v1/language-model", model)
    result = holdfast("doctor")
    assert result.exit_code == 1
    [bad] = [line for line in result.stdout.splitlines() if line.startswith("✗")]
    assert bad.split("\t")[1:] == ["m at models.example, which gets questions and passages", "Set another key."]


def test_doctor_names_a_dead_loop_and_what_has_no_run(fake: FakeApi, holdfast: Holdfast) -> None:
    """Each is a bad line, although the API answers and all dependencies are ready."""
    fake.on("GET /health/live", {"ok": True})
    loop = {"name": "dispatcher", "ready": False, "detail": "no turn has ended well for 99 s"}
    overdue = {"count": 3, "oldest_seconds": 90.0, "detail": "3 accepted uploads have no run yet"}
    fake.on("GET /health/ready", {"dependencies": [], "loops": [loop], "overdue": overdue}, 503)
    fake.on("GET /api/v1/knowledge-bases?limit=1", {"items": []})
    result = holdfast("doctor")
    assert result.exit_code == 1
    bad = [line for line in result.stdout.splitlines() if line.startswith("✗")]
    assert [line.split("\t")[1] for line in bad] == [loop["detail"], overdue["detail"]]


def test_doctor_names_the_dependency_that_is_down(fake: FakeApi, holdfast: Holdfast) -> None:
    """A bad line says where to look, and the exit code is 1."""
    fake.on("GET /health/live", {"ok": True})
    down = {"dependencies": [{"name": "milvus", "ready": False, "detail": "refused"}]}
    fake.on("GET /health/ready", down, 503)
    fake.problem("GET /api/v1/knowledge-bases?limit=1", 401, "A valid API key is needed.")
    result = holdfast("doctor")
    assert result.exit_code == 1
    bad = [line for line in result.stdout.splitlines() if line.startswith("✗")]
    assert [line.split("\t")[1] for line in bad] == ["refused", "A valid API key is needed."]
    assert "api.log, and where it runs" in bad[0]


def test_doctor_without_a_platform_says_make_up(holdfast: Holdfast) -> None:
    """Without a running platform and without a key: it reports both, and says what to do."""
    nowhere = {"HOLDFAST_URL": f"http://127.0.0.1:{free_port()}", "HOLDFAST_API_KEY": ""}
    result = holdfast("doctor", env=nowhere)
    assert result.exit_code == 1
    assert result.stdout.count("✗") == 2
    assert "make up" in result.stdout


def test_doctor_explains_a_bad_setting(holdfast: Holdfast) -> None:
    """An invalid setting is a failed check, not a crash."""
    result = holdfast("doctor", env={"HOLDFAST_API_PORT": "many"})
    assert result.exit_code == 1
    assert "HOLDFAST_API_PORT=many" in result.stdout


# --- all commands -------------------------------------------------------------------------------------


def test_the_local_key_is_not_sent_elsewhere(tmp_path: Path) -> None:
    """The admin key of this machine's platform must not reach another host that HOLDFAST_URL names."""
    local_env.write(tmp_path, "http://127.0.0.1:8700", "hf_local")
    data = {"HOLDFAST_DATA": str(tmp_path)}
    assert Target.of(load(data)) == Target("http://127.0.0.1:8700", "hf_local")
    elsewhere = data | {"HOLDFAST_URL": "https://kb.example.org/"}
    assert Target.of(load(elsewhere)) == Target("https://kb.example.org", "")
    assert Target.of(load(elsewhere | {"HOLDFAST_API_KEY": "hf_there"})).key == "hf_there"


def test_both_languages_say_the_same() -> None:
    """Every text exists in both languages with the same parameters."""

    def values(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for key, (english, chinese) in TEXTS.items():
        assert english, key
        assert chinese, key
        assert values(english) == values(chinese), key


def test_the_command_line_imports_little() -> None:
    """Help is immediate: slow imports wait for the command that needs them."""
    slow = {"httpx", "rich.table", "temporalio", "grpc", "litestar", "sqlalchemy", "numpy"}
    code = f"import sys, api.cli; print(sorted({slow!r} & set(sys.modules)))"
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout == "[]\n"


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command."""
    for name, command in group.commands.items():
        yield from commands(command, (*path, name)) if hasattr(command, "commands") else [(*path, name)]


@pytest.mark.parametrize("words", list(commands(cli)), ids=" ".join)
def test_every_command_has_help_and_json(holdfast: Holdfast, words: tuple[str, ...]) -> None:
    """Each has a line of help and the option --json."""
    result = holdfast(*words, "--help")
    assert result.exit_code == 0
    assert "--json" in result.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_the_shell(holdfast: Holdfast, shell: str) -> None:
    """It begins with a comment that says where it belongs; the shell asks `holdfast` itself for the words."""
    result = holdfast("completion", shell)
    assert result.exit_code == 0
    assert result.stdout.startswith("# ")
    assert f"_HOLDFAST_COMPLETE={shell}_complete" in result.stdout
    assert json.loads(holdfast("completion", shell, "--json").stdout)["shell"] == shell


def test_the_words_of_a_command_are_completed() -> None:
    """As bash asks for them."""
    asked = {"_HOLDFAST_COMPLETE": "bash_complete", "COMP_WORDS": "holdfast batch wa", "COMP_CWORD": "2"}
    result = CliRunner().invoke(cli, [], env=asked, prog_name="holdfast")
    assert result.stdout == "plain,watch\n"
