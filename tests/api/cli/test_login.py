"""`holdfast login`, `logout`, `whoami` and `profile`: sign-ins that work from any folder."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from activities.settings import load
from api.cli.main import cli
from api.client import local_env, profiles
from api.client.client import Target
from api.client.problems import Problem
from api.client.profiles import Profile, Profiles
from api.identity.schemas import IdentityInfo
from api.knowledge_bases.schemas import KnowledgeBaseInfo
from tests.api.cli.fake_api import CHINESE, ENGLISH, FakeApi, Reply, Request, serving, whole
from tests.api.cli.terminal import Terminal
from tests.conftest import Platform
from tests.ports import free_port

KEY = "hf_ada"
ADA = whole(IdentityInfo, subject="ada", role="manager", key_id="k1")
LISTED = {"items": [whole(KnowledgeBaseInfo, name="hr", documents={})]}


def only(key: str, answer: dict[str, object]) -> object:
    """Answers who sends this key; a 401 for all others."""

    def reply(request: Request) -> Reply:
        if request.headers["Authorization"] != f"Bearer {key}":
            body = {"status": 401, "code": "unauthenticated", "detail": "A valid API key is needed."}
            return Reply(json.dumps(body).encode(), 401, "application/problem+json")
        return Reply(json.dumps(answer).encode())

    return reply


@pytest.fixture
def server(fake: FakeApi) -> FakeApi:
    """An API that knows one key."""
    fake.routes["GET /api/v1/me"] = only(KEY, ADA)  # type: ignore[assignment]
    fake.routes["GET /api/v1/knowledge-bases"] = only(KEY, LISTED)  # type: ignore[assignment]
    return fake


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration folder, and a folder without a platform."""
    for name in ("HOLDFAST_URL", "HOLDFAST_API_KEY", "HOLDFAST_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LC_ALL", ENGLISH)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "config" / "holdfast"


def holdfast(*argv: str, key: str = "", env: dict[str, str] | None = None) -> Result:
    """Run a command with a key on its standard input."""
    return CliRunner().invoke(cli, list(argv), input=key, env=env, catch_exceptions=False)


def sign_in(url: str, *argv: str, key: str = KEY) -> Result:
    return holdfast("login", url, "--key-stdin", *argv, key=f"{key}\n")


# --- login -----------------------------------------------------------------------------------------


def test_after_a_login_commands_work_from_any_folder(
    server: FakeApi, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is checked, kept where only this user may read it, shown nowhere, and sent from then on."""
    result = sign_in(server.url)
    assert result.exit_code == 0, result.stderr
    host = server.url.removeprefix("http://")
    assert result.stdout == f"Signed in to {server.url} as ada (manager), kept as {host}.\n"
    assert KEY not in result.output
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert [path.name for path in home.iterdir()] == ["profiles.json"]
    assert stat.S_IMODE((home / "profiles.json").stat().st_mode) == 0o600
    monkeypatch.chdir(tmp_path)
    assert holdfast("kb", "list").stdout == "hr\t\t0\n"
    shown = holdfast("whoami").stdout
    assert shown == f"ada (manager) at {server.url}, by the sign-in {host}\n"
    told = json.loads(holdfast("whoami", "--json").stdout)
    assert told == ADA | {"url": server.url, "source": "profile", "profile": host}


def test_the_folder_becomes_private(server: FakeApi, home: Path) -> None:
    """Also if it was there before, open to others."""
    home.mkdir(parents=True, mode=0o755)
    (home / "profiles.json").write_text("{}")
    (home / "profiles.json").chmod(0o644)
    sign_in(server.url)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "profiles.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(("locale", "said"), [(ENGLISH, "does not accept this key"), (CHINESE, "不接受该密钥")])
def test_a_refused_key_is_not_kept(server: FakeApi, home: Path, locale: str, said: str) -> None:
    """Exit 1; an earlier sign-in stays as it was."""
    result = holdfast("login", server.url, "--key-stdin", key="hf_wrong\n", env={"LC_ALL": locale})
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert "hf_wrong" not in result.output
    assert not home.exists()
    sign_in(server.url)
    before = (home / "profiles.json").read_bytes()
    assert sign_in(server.url, key="hf_wrong").exit_code == 1
    assert (home / "profiles.json").read_bytes() == before


def test_who_does_not_answer_is_not_kept(home: Path) -> None:
    """A clear sentence with the address."""
    url = f"http://127.0.0.1:{free_port()}"
    result = sign_in(url)
    assert result.exit_code == 1
    assert f"does not answer at {url}" in result.stderr
    assert not home.exists()


def test_another_server_is_not_kept(fake: FakeApi, home: Path) -> None:
    """A page that is not Holdfast's API."""
    for reply in (Reply(b"<html>", 200, "text/html"), Reply(b"no", 404, "text/plain"), Reply(b'{"a": 1}')):
        fake.routes["GET /api/v1/me"] = reply
        result = sign_in(fake.url)
        assert result.exit_code == 1
        assert "not Holdfast's API" in result.stderr, reply
    assert not home.exists()


@pytest.mark.parametrize("key", ["", "two words", "schlüssel", "x" * 5000, "a\x07b"])
def test_what_is_no_key_is_not_sent(server: FakeApi, key: str) -> None:
    """Nothing is asked of the API."""
    result = sign_in(server.url, key=key)
    assert result.exit_code == 1
    assert "no API key" in result.stderr
    assert not server.requests


@pytest.mark.parametrize("url", ["ftp://kb", "http://", "http://a:b@kb", "https://kb?x=1", "https://kb:port", "a b\n"])
def test_what_is_no_address_is_refused(url: str) -> None:
    """Before a key is read."""
    result = sign_in(url)
    assert result.exit_code == 1
    assert "is no address" in result.stderr


def test_addresses_are_kept_in_one_form() -> None:
    """https unless another scheme is given; no slash at the end; a path before the API's stays."""
    for typed, kept in {
        "kb.example.org": "https://kb.example.org",
        "kb.example.org:8443/": "https://kb.example.org:8443",
        "http://KB.example.org/holdfast/": "http://kb.example.org/holdfast",
        "http://[::1]:8700": "http://[::1]:8700",
    }.items():
        assert profiles.address(typed) == kept


def test_a_key_needs_a_terminal_or_standard_input(server: FakeApi) -> None:
    """Exit 2 names the option."""
    result = holdfast("login", server.url)
    assert result.exit_code == 2
    assert "--key-stdin" in result.stderr


@pytest.mark.parametrize(("scheme", "warned"), [("http", True), ("https", False)])
def test_an_open_connection_is_warned_of(scheme: str, warned: bool) -> None:
    """Whatever becomes of it: before the key is sent."""
    assert ("not encrypted" in sign_in(f"{scheme}://0.0.0.0:{free_port()}").stderr) == warned


def test_this_machine_is_not_warned_of(server: FakeApi) -> None:
    """A loopback address leaves no wire."""
    assert sign_in(server.url).stderr == ""


def test_a_terminal_asks_for_the_key_without_showing_it(server: FakeApi, terminal: Terminal, tmp_path: Path) -> None:
    """It is not on the screen, and it is kept."""
    terminal.environ = {"HOLDFAST_URL": "", "HOLDFAST_API_KEY": ""}
    screen = terminal.run("login", server.url, "--name", "mine", typed=f"{KEY}\n", prompt="API key")
    assert screen.exit_code == 0, screen.text
    assert f"API key for {server.url}:" in screen.text
    assert KEY not in screen.text
    assert profiles.read() == Profiles("mine", {"mine": Profile(server.url, KEY)})


# --- several sign-ins ------------------------------------------------------------------------------


def test_sign_ins_have_names_and_one_is_current(server: FakeApi) -> None:
    """The last login is; `profile use` chooses another; no list shows a key."""
    sign_in(server.url, "--name", "work")
    sign_in(server.url, "--name", "test")
    assert holdfast("profile", "list").stdout == f"test\t{server.url}\t*\nwork\t{server.url}\t\n"
    assert holdfast("profile", "use", "work").exit_code == 0
    listed = holdfast("profile", "list", "--json")
    assert [each["name"] for each in json.loads(listed.stdout)["items"] if each["current"]] == ["work"]
    assert KEY not in listed.stdout
    missing = holdfast("profile", "use", "home")
    assert missing.exit_code == 1
    assert "“home”" in missing.stderr
    assert "test, work" in missing.stderr
    again = holdfast("login", "--key-stdin", key=f"{KEY}\n")  # to the address of the current one
    assert server.url in again.stdout


def test_a_logout_forgets_the_key(server: FakeApi, home: Path) -> None:
    """The current one, a named one, or all; afterwards no other is taken in its place."""
    for name in ("work", "test", "home"):
        sign_in(server.url, "--name", name)
    assert "(home)" in holdfast("logout").stdout
    assert profiles.read().current == ""
    assert holdfast("whoami").exit_code == 1
    assert json.loads(holdfast("logout", "work", "--json").stdout) == {"removed": ["work"]}
    assert holdfast("logout", "--all").exit_code == 0
    assert KEY not in (home / "profiles.json").read_text()
    nobody = holdfast("logout")
    assert nobody.exit_code == 1
    assert "holdfast login" in nobody.stderr


def test_a_damaged_file_is_named(home: Path) -> None:
    """It is not overwritten, and commands that need it say so."""
    home.mkdir(parents=True)
    (home / "profiles.json").write_text('{"current": 5')
    for words in (("whoami",), ("kb", "list"), ("profile", "list"), ("logout", "--all")):
        result = holdfast(*words)
        assert result.exit_code == 1
        assert str(home / "profiles.json") in result.stderr
    assert "profiles.json" in holdfast("doctor").stdout
    with pytest.raises(Problem):
        profiles.read()
    assert (home / "profiles.json").read_text() == '{"current": 5'


# --- which one is used -----------------------------------------------------------------------------

LOCAL, ELSEWHERE = "http://127.0.0.1:8700", "https://kb.example.org"


def test_variables_go_before_the_folder_and_the_folder_before_the_login(tmp_path: Path) -> None:
    """Each source by itself, and what wins."""
    none, platform = str(tmp_path / "none"), tmp_path / "platform"
    platform.mkdir()
    local_env.write(platform, LOCAL, "hf_local")
    assert of(none) == (LOCAL, "", "default")
    profiles.write(Profiles("work", {"work": Profile(ELSEWHERE, "hf_work")}))
    assert of(none) == (ELSEWHERE, "hf_work", "profile")
    assert of(str(platform)) == (LOCAL, "hf_local", "local")
    given = {"HOLDFAST_URL": "https://other.example.org", "HOLDFAST_API_KEY": "hf_given"}
    for data in (none, str(platform)):
        assert of(data, **given) == (*given.values(), "environment")


def test_a_key_is_sent_only_where_it_belongs(tmp_path: Path) -> None:
    """Neither the platform's nor a login's key to another address, scheme or port; one machine's names are one."""
    local_env.write(tmp_path, LOCAL, "hf_local")
    profiles.write(Profiles("work", {"work": Profile(ELSEWHERE, "hf_work"), "old": Profile(ELSEWHERE, "hf_old")}))
    data = str(tmp_path)
    for url in ("https://other.example.org", "http://kb.example.org", f"{ELSEWHERE}:444", "http://127.0.0.1:9",
                f"{ELSEWHERE}.evil.org", f"{ELSEWHERE}@evil.org"):  # fmt: skip
        assert of(data, HOLDFAST_URL=url) == (url, "", "environment")
    assert of(data, HOLDFAST_URL=f"{ELSEWHERE}/") == (ELSEWHERE, "hf_work", "profile")
    assert of(data, HOLDFAST_URL="http://localhost:8700") == ("http://localhost:8700", "hf_local", "local")
    assert of(data, HOLDFAST_API_KEY="hf_given") == (LOCAL, "hf_given", "environment")
    assert of(str(tmp_path / "none"), HOLDFAST_API_KEY="hf_given") == (LOCAL, "hf_given", "environment")


def test_a_folder_does_not_choose_where_a_variables_key_goes(tmp_path: Path) -> None:
    """A folder from somebody else may have a `local.env` with any address: only HOLDFAST_URL names a remote one."""
    local_env.write(tmp_path, "https://evil.example.org", "hf_evil")
    data = str(tmp_path)
    assert of(data, HOLDFAST_API_KEY="hf_given") == ("https://evil.example.org", "", "environment")
    assert of(data, HOLDFAST_API_KEY="hf_given", HOLDFAST_URL=ELSEWHERE) == (ELSEWHERE, "hf_given", "environment")
    profiles.write(Profiles("work", {"work": Profile(ELSEWHERE, "hf_work")}))
    assert of(data)[1] == "hf_evil"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://localhost:8701", "http://[::1]:8700", f"{LOCAL}/x"])
def test_this_machine_is_no_exception(tmp_path: Path, url: str) -> None:
    """Another user's program may listen there: a folder's file draws neither a variable's key nor that of a login."""
    profiles.write(Profiles("here", {"here": Profile(LOCAL, "hf_here")}))
    data = str(tmp_path)
    (tmp_path / local_env.NAME).write_text(f"HOLDFAST_URL={url}\n")
    assert of(data, HOLDFAST_API_KEY="hf_given") == (url, "", "environment")
    assert of(data) == (url, "", "local")
    local_env.write(tmp_path, url, "hf_folder")
    assert of(data, HOLDFAST_API_KEY="hf_given") == (url, "", "environment")
    assert of(data) == (url, "hf_folder", "local")
    told = holdfast("whoami", env={"HOLDFAST_DATA": data, "HOLDFAST_API_KEY": "hf_given"})
    assert "HOLDFAST_URL" in told.stderr


COMBINATIONS = [
    (url, key, local, login)
    for url in ("", LOCAL, ELSEWHERE, "http://127.0.0.1:9")
    for key in ("", "hf_given")
    for local in ("", LOCAL, ELSEWHERE, "http://127.0.0.1:9")
    for login in ("", LOCAL, ELSEWHERE, "http://127.0.0.1:9")
]


@pytest.mark.parametrize(("url", "key", "local", "login"), COMBINATIONS)
def test_in_each_combination_a_key_goes_where_it_belongs(
    tmp_path: Path, url: str, key: str, local: str, login: str
) -> None:
    """Or no key is sent: of variables, the folder's file and the login, each with an address of its own."""
    if local:
        local_env.write(tmp_path, local, "hf_folder")
    if login:
        profiles.write(Profiles("mine", {"mine": Profile(login, "hf_login")}))
    environ = {name: value for name, value in (("HOLDFAST_URL", url), ("HOLDFAST_API_KEY", key)) if value}
    chosen, sent, _ = of(str(tmp_path), **environ)
    belongs = {"hf_given": url or LOCAL, "hf_folder": local, "hf_login": login, "": chosen}
    assert belongs[sent] == chosen
    assert sent or chosen in (url, local, LOCAL)


def test_a_login_that_is_not_used_here_says_so(server: FakeApi, tmp_path: Path) -> None:
    """In a folder with a platform of its own, that one goes first."""
    data = Path(".holdfast")
    data.mkdir()
    local_env.write(data, LOCAL, "hf_local")
    result = sign_in(server.url, "--name", "mine")
    assert result.exit_code == 0
    assert f"In this folder {LOCAL} is used first" in result.stderr


def test_without_a_key_the_way_in_is_named(server: FakeApi) -> None:
    """A 401 names the command that signs in; so does `whoami` without a key."""
    refused = holdfast("kb", "list", env={"HOLDFAST_URL": server.url, "HOLDFAST_API_KEY": "hf_wrong"})
    assert refused.exit_code == 1
    assert refused.stderr.startswith("A valid API key is needed.")
    assert "holdfast login" in refused.stderr
    assert "holdfast login" in holdfast("whoami").stderr


def test_a_redirect_does_not_carry_the_key_away(server: FakeApi, home: Path) -> None:
    """Whoever answers at the address cannot send the key on to another one."""
    with serving() as other:
        server.routes["GET /api/v1/me"] = Reply(b"", 307, headers={"Location": f"{other.url}/api/v1/me"})
        assert sign_in(server.url).exit_code == 1
        assert not other.requests
    assert not home.exists()


def test_a_login_to_the_real_platform(platform: Platform, tmp_path: Path) -> None:
    """From a folder that has nothing of the platform: a wrong key is refused, the right one works from then on."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    environ = kept | {"PYTHONPATH": str(Path(__file__).resolve().parents[3])}

    def run(*argv: str, key: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "api.cli", *argv]
        return subprocess.run(
            command, input=key, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    refused = run("login", platform.url, "--key-stdin", key="holdfast_wrong\n")
    assert (refused.returncode, refused.stderr) == (1, f"{platform.url} does not accept this key.\n")
    assert run("login", platform.url, "--key-stdin", key=platform.key).returncode == 0
    assert run("kb", "list").returncode == 0


def of(data: str, **environ: str) -> tuple[str, str, str]:
    target = Target.of(load({"HOLDFAST_DATA": data, **environ}))
    return target.url, target.key, target.source
