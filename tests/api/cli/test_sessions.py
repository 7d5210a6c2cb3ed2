"""`holdfast login --user`: tokens of a user, kept and renewed; `holdfast key` over the API."""

from __future__ import annotations

import asyncio
import json
import secrets
import stat
import time
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from activities.settings import load
from api.cli.main import cli
from api.client import profiles
from api.client.client import Api, Target
from api.client.profiles import Profile, Profiles
from api.identity.schemas import IdentityInfo, KeyInfo, KeySecret, TokenInfo
from tests.api.cli.fake_api import CHINESE, ENGLISH, FakeApi, Reply, Request, whole
from tests.conftest import Platform

PASSWORD = "correct horse battery"
TOKEN, REFRESH, ME = "POST /api/v1/auth/token", "POST /api/v1/auth/refresh", "GET /api/v1/me"
RITA = whole(IdentityInfo, subject="rita", name="rita", role="reader", session_id="s1")


def tokens(number: int, **fields: object) -> dict[str, object]:
    """The tokens of a session after so many renewals."""
    known = {"access_token": f"access{number}", "refresh_token": f"refresh{number}", "expires_in": 600}
    return whole(TokenInfo, **known | fields)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration folder, and a folder without a platform."""
    for name in ("HOLDFAST_URL", "HOLDFAST_API_KEY", "HOLDFAST_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LC_ALL", ENGLISH)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "config" / "holdfast"


def holdfast(*argv: str, text: str = "", env: dict[str, str] | None = None) -> Result:
    """Run a command with lines on its standard input."""
    return CliRunner().invoke(cli, list(argv), input=text, env=env, catch_exceptions=False)


def sign_in(url: str, *argv: str, user: str = "rita", password: str = PASSWORD) -> Result:
    return holdfast("login", url, "--user", user, "--password-stdin", *argv, text=f"{password}\n")


@pytest.fixture
def server(fake: FakeApi) -> FakeApi:
    """An API that knows Rita by her latest token."""
    latest = ["access0"]

    def me(request: Request) -> Reply:
        if request.headers["Authorization"] != f"Bearer {latest[0]}":
            return Reply(b'{"status": 401, "code": "unauthenticated", "detail": "No."}', 401)
        return Reply(json.dumps(RITA).encode())

    def refresh(request: Request) -> Reply:
        number = int(latest[0].removeprefix("access"))
        if json.loads(request.body) != {"refresh_token": f"refresh{number}"}:
            return Reply(b'{"status": 401, "code": "session-ended", "detail": "No."}', 401)
        latest[0] = f"access{number + 1}"
        return Reply(json.dumps(tokens(number + 1)).encode())

    fake.on(TOKEN, tokens(0))
    fake.routes |= {ME: me, REFRESH: refresh}
    return fake


def age(seconds: float) -> None:
    """Let the kept access token end in so many seconds."""
    known = profiles.read()
    for name, profile in known.profiles.items():
        kept = Profile(profile.url, profile.key, profile.user, profile.refresh_token, time.time() + seconds)
        known = known.keeping(name, kept)
    profiles.write(known)


def test_a_user_signs_in_with_a_password(server: FakeApi, home: Path) -> None:
    """Its tokens are kept where only this user may read them, and shown nowhere; the password is not kept."""
    result = sign_in(server.url)
    assert result.exit_code == 0, result.stderr
    assert json.loads(server.asked(TOKEN)[0].body) == {"username": "rita", "password": PASSWORD}
    assert not {word for word in (PASSWORD, "access0", "refresh0") if word in result.output}
    kept = home / "profiles.json"
    assert (stat.S_IMODE(kept.stat().st_mode), PASSWORD in kept.read_text()) == (0o600, False)
    name = f"rita@{server.url.removeprefix('http://')}"
    assert holdfast("whoami").stdout == f"rita (reader) at {server.url}, by the sign-in {name}\n"
    assert not server.asked(REFRESH)


def test_an_access_token_is_renewed_before_it_ends(server: FakeApi) -> None:
    """Once, also for requests at the same time; the next command has the new tokens."""
    sign_in(server.url)
    age(20)

    async def ask() -> list[str]:
        async with Api(Target.of(load())) as api:
            return [each.value.subject for each in await asyncio.gather(*(api.identity.me() for _ in range(4)))]

    assert asyncio.run(ask()) == ["rita"] * 4
    assert len(server.asked(REFRESH)) == 1
    (profile,) = profiles.read().profiles.values()
    assert (profile.key, profile.refresh_token, profile.user) == ("access1", "refresh1", "rita")
    assert "access0" not in [each.headers["Authorization"] for each in server.asked(ME)[1:]]
    assert holdfast("whoami").exit_code == 0
    age(-1000)
    assert holdfast("whoami").exit_code == 0
    assert len(server.asked(REFRESH)) == 2


def test_what_another_process_renewed_is_used(server: FakeApi) -> None:
    """A refresh token is used once: the second user of it would end the session."""
    sign_in(server.url)
    age(0)
    before = profiles.read()

    async def ask() -> None:
        async with Api(Target.of(load())) as api:
            async with profiles.locked():
                waiting = asyncio.create_task(api.identity.me())
                await asyncio.sleep(0.2)
                assert not server.asked(REFRESH)
                (name, profile) = next(iter(before.profiles.items()))
                fresh = Profile(profile.url, "access0", profile.user, "refresh0", time.time() + 600)
                profiles.write(before.keeping(name, fresh))
            await waiting

    asyncio.run(ask())
    assert not server.asked(REFRESH)


@pytest.mark.parametrize(("locale", "said"), [(ENGLISH, "has ended; sign in again"), (CHINESE, "重新登录")])
def test_a_session_that_ended_says_so(server: FakeApi, locale: str, said: str) -> None:
    """Where it is not renewed, and where an API that has trouble answers instead."""
    sign_in(server.url)
    age(-1)
    server.routes[REFRESH] = Reply(b"{}", 503)
    busy = holdfast("whoami", env={"LC_ALL": locale})
    assert (busy.exit_code, "503" in busy.stderr) == (1, True)
    server.routes[REFRESH] = Reply(b"{}", 401)
    ended = holdfast("whoami", env={"LC_ALL": locale})
    assert (ended.exit_code, said in ended.stderr) == (1, True), ended.stderr


@pytest.mark.parametrize(("locale", "said"), [(ENGLISH, "user name and password"), (CHINESE, "用户名和密码")])
def test_a_wrong_password_is_not_kept(server: FakeApi, home: Path, locale: str, said: str) -> None:
    """Exit 1 with a sentence."""
    server.problem(TOKEN, 401, "No.")
    result = holdfast("login", server.url, "--user", "rita", "--password-stdin", text="wrong\n", env={"LC_ALL": locale})
    assert (result.exit_code, said in result.stderr, home.exists()) == (1, True, False)


def test_who_has_to_change_the_password_is_told(server: FakeApi) -> None:
    """With the command that does it."""
    server.on(ME, RITA | {"must_change_password": True})
    assert "holdfast user password" in sign_in(server.url).stderr


@pytest.mark.parametrize("words", [("--user", "rita", "--key-stdin"), ("--password-stdin",), ("--user", "rita")])
def test_a_sign_in_is_with_a_key_or_a_password(server: FakeApi, words: tuple[str, ...]) -> None:
    """Anything else, and no terminal to ask on, is wrong usage."""
    assert holdfast("login", server.url, *words).exit_code == 2
    assert not server.requests


def test_signing_out_ends_the_session(server: FakeApi) -> None:
    """Where it can be told; it is forgotten in any case."""
    sign_in(server.url)
    server.on("POST /api/v1/auth/logout", None)
    done = holdfast("logout")
    assert (done.exit_code, done.stderr, "stays valid" in done.stdout) == (0, "", False)
    (told,) = server.asked("POST /api/v1/auth/logout")
    assert told.headers["Authorization"] == "Bearer access0"
    sign_in(server.url)
    server.problem("POST /api/v1/auth/logout", 503, "Later.")
    assert "could not be told" in holdfast("logout", "--all").stderr
    assert profiles.read() == Profiles()


def test_ones_own_keys(server: FakeApi) -> None:
    """Made for single knowledge bases and a time, listed and revoked over the API."""
    sign_in(server.url)
    key = whole(KeyInfo, id="0a" * 16, subject="rita", name="ci", role="reader", created_at="2026-11-01T00:00:00Z")
    server.on("POST /api/v1/keys", whole(KeySecret, **key, key="holdfast_new"), 201)
    assert holdfast("key", "create", "--kb", "hr", "--days", "30", "--name", "ci").stdout == "holdfast_new\n"
    asked = json.loads(server.asked("POST /api/v1/keys")[0].body)
    assert asked.pop("expires_at") > "2026"
    assert asked == {"role": "reader", "name": "ci", "knowledge_bases": ["hr"]}
    assert holdfast("key", "create", "--subject", "ada", "--kb", "hr").exit_code == 2
    server.on("GET /api/v1/keys", {"items": [key]})
    row = holdfast("key", "list", "--api").stdout.rstrip("\n").split("\t")
    assert row[:5] == [key["id"], "rita", "ci", "reader", "2026-11-01 00:00:00"]
    server.on(f"DELETE /api/v1/keys/{key['id']}", None)
    assert holdfast("key", "revoke", "0a0a", "--api").exit_code == 2
    assert holdfast("key", "revoke", "0a0a", "--api", "--yes").exit_code == 0
    assert len(server.asked(f"DELETE /api/v1/keys/{key['id']}")) == 1


def test_a_user_of_the_real_platform(platform: Platform) -> None:
    """From the first password to a key of its own for one knowledge base, and out again."""
    admin = {"HOLDFAST_URL": platform.url, "HOLDFAST_API_KEY": platform.key}
    rita, kb = f"rita{secrets.token_hex(4)}", f"kb{secrets.token_hex(4)}"
    assert holdfast("kb", "create", kb, env=admin).exit_code == 0
    added = holdfast("user", "add", rita, "--password-stdin", text=f"{PASSWORD}\n", env=admin)
    assert added.exit_code == 0, added.stderr
    assert holdfast("grant", "set", rita, "contributor", "--kb", kb, env=admin).exit_code == 0
    signed_in = sign_in(platform.url, user=rita)
    assert "holdfast user password" in signed_in.stderr
    assert holdfast("kb", "list").exit_code == 1
    changed = holdfast("user", "password", "--password-stdin", text=f"{PASSWORD}\n{PASSWORD} staple\n")
    assert changed.exit_code == 0, changed.stderr
    assert holdfast("kb", "list").stdout.startswith(kb)
    age(-1)
    key = holdfast("key", "create", "--kb", kb, "--days", "1").stdout.strip()
    headers = {"Authorization": f"Bearer {key}"}
    assert httpx.get(f"{platform.url}/api/v1/knowledge-bases/{kb}", headers=headers).status_code == 200
    (access,) = [each.key for each in profiles.read().profiles.values()]
    assert holdfast("logout").exit_code == 0
    time.sleep(1.5)
    headers = {"Authorization": f"Bearer {access}"}
    assert httpx.get(f"{platform.url}/api/v1/me", headers=headers).status_code == 401
