"""`holdfast user`, `group` and `grant`: requests to the API, and output."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from api.cli.main import cli
from api.identity.schemas import GrantInfo, GroupDetail, GroupInfo, IdentityInfo, InvitationInfo, UserDetail, UserInfo
from tests.api.cli.fake_api import CHINESE, FakeApi, Holdfast, whole

USERS, GROUPS, GRANTS = "/api/v1/users", "/api/v1/groups", "/api/v1/knowledge-bases/hr/grants"
PASSWORD = "correct horse battery"
RITA = whole(UserInfo, name="rita", kind="person", roles=["auditor"], created_at="2026-11-01T00:00:00Z")


def typed(*argv: str, text: str) -> Result:
    """Run a command with lines on its standard input."""
    return CliRunner().invoke(cli, list(argv), input=text, catch_exceptions=False)


def sent(fake: FakeApi, route: str) -> Any:
    """The body of the last request of a route."""
    return json.loads(fake.asked(route)[-1].body)


def test_a_user_is_added_and_invited(fake: FakeApi, holdfast: Holdfast) -> None:
    """What is not given is left to the API; the link is that of the page where a password is chosen."""
    fake.on(f"POST {USERS}", RITA, 201)
    assert "user invite rita" in holdfast("user", "add", "rita", "--role", "auditor").stdout
    assert sent(fake, f"POST {USERS}") == {"name": "rita", "roles": ["auditor"]}
    holdfast("user", "add", "bot", "--service")
    assert sent(fake, f"POST {USERS}") == {"name": "bot", "kind": "service"}
    fake.on(f"POST {USERS}/rita/invitation", whole(InvitationInfo, token="t1", expires_at="2026-12-08T00:00:00Z"))
    link = f"{fake.url}/#/invitation/t1"
    assert holdfast("user", "invite", "rita").stdout.splitlines()[-1] == link
    assert json.loads(holdfast("user", "invite", "rita", "--json").stdout)["url"] == link


def test_a_password_is_read_and_never_shown(fake: FakeApi, holdfast: Holdfast) -> None:
    """From standard input or a terminal; a first one has to be changed. No argument takes one."""
    fake.on(f"POST {USERS}", RITA, 201)
    fake.on(f"PATCH {USERS}/rita", RITA)
    for argv, route in ((["add", "rita"], f"POST {USERS}"), (["password", "rita"], f"PATCH {USERS}/rita")):
        result = typed("user", *argv, "--password-stdin", text=f"{PASSWORD}\n")
        assert result.exit_code == 0, result.stderr
        assert PASSWORD not in result.output
        assert sent(fake, route)["password"] == PASSWORD
    assert sent(fake, f"POST {USERS}")["must_change_password"] is True
    refused = holdfast("user", "password", "rita")
    assert (refused.exit_code, "--password-stdin" in refused.stderr) == (2, True)
    assert holdfast("user", "password", "rita", PASSWORD).exit_code == 2


def test_ones_own_password_needs_the_present_one(fake: FakeApi, holdfast: Holdfast) -> None:
    """And a session: a key has no password."""
    fake.on("GET /api/v1/me", whole(IdentityInfo, subject="admin", role="admin", key_id="k1"))
    assert holdfast("user", "password").exit_code == 2
    fake.on("GET /api/v1/me", whole(IdentityInfo, subject="rita", name="rita", role="reader", session_id="s1"))
    fake.on("POST /api/v1/auth/password", None, 200)
    result = typed("user", "password", "--password-stdin", text=f"old password\n{PASSWORD}\n")
    assert result.exit_code == 0, result.stderr
    assert sent(fake, "POST /api/v1/auth/password") == {"current": "old password", "new": PASSWORD}


@pytest.mark.parametrize(
    ("words", "body", "said"),
    [
        (["disable", "rita"], {"disabled": True}, "已停用"),
        (["enable", "rita"], {"disabled": False}, "已启用"),
        (["role", "rita", "auditor"], {"roles": ["auditor"]}, "auditor"),
        (["role", "rita", "--none"], {"roles": []}, "没有平台角色"),
    ],
)
def test_a_user_is_changed(fake: FakeApi, holdfast: Holdfast, words: list[str], body: object, said: str) -> None:
    """One field, and a sentence in the terminal's language."""
    fake.on(f"PATCH {USERS}/rita", RITA)
    shown = holdfast("user", *words, env={"LC_ALL": CHINESE})
    assert said in shown.stdout, shown.stderr
    assert sent(fake, f"PATCH {USERS}/rita") == body


def test_roles_are_named_or_taken_away(holdfast: Holdfast) -> None:
    """Neither and both are wrong usage."""
    assert holdfast("user", "role", "rita").exit_code == 2
    assert holdfast("user", "role", "rita", "admin", "--none").exit_code == 2


def test_users_are_listed_and_shown(fake: FakeApi, holdfast: Holdfast) -> None:
    """One line each; a user by its fields."""
    fake.on(f"GET {USERS}?limit=1000", {"items": [RITA | {"disabled": True}], "next_cursor": None})
    assert holdfast("user", "list").stdout == "rita\t\tperson\tauditor\tdisabled\t\n"
    fake.on(f"GET {USERS}/rita", whole(UserDetail, **RITA, groups=["staff", "hr"]))
    assert "groups: staff, hr" in holdfast("user", "show", "rita").stdout.splitlines()


@pytest.mark.parametrize(("group", "path"), [("user", USERS), ("group", GROUPS)])
def test_what_cannot_be_undone_needs_a_yes(fake: FakeApi, holdfast: Holdfast, group: str, path: str) -> None:
    """Without a terminal to ask on."""
    fake.on(f"DELETE {path}/old", None)
    assert holdfast(group, "remove", "old").exit_code == 2
    assert not fake.asked(f"DELETE {path}/old")
    assert json.loads(holdfast(group, "remove", "old", "--yes", "--json").stdout) == {"name": "old", "removed": True}
    assert fake.asked(f"DELETE {path}/old")


def test_sessions_of_a_user_end(fake: FakeApi, holdfast: Holdfast) -> None:
    """Also what the API says is handed on."""
    fake.problem(f"POST {USERS}/eve/sign-out", 404, "There is no user eve.")
    refused = holdfast("user", "sign-out", "eve")
    assert (refused.exit_code, refused.stderr) == (1, "There is no user eve.\n")
    fake.on(f"POST {USERS}/rita/sign-out", None)
    assert "have ended" in holdfast("user", "sign-out", "rita").stdout


def test_groups_have_members(fake: FakeApi, holdfast: Holdfast) -> None:
    """Added, listed, joined and left."""
    staff = whole(GroupInfo, name="staff", source="local", members=2)
    fake.on(f"POST {GROUPS}", staff, 201)
    assert holdfast("group", "add", "staff").exit_code == 0
    fake.on(f"GET {GROUPS}?limit=1000", {"items": [staff], "next_cursor": None})
    assert holdfast("group", "list").stdout == "staff\tlocal\t2\n"
    fake.on(f"GET {GROUPS}/staff", whole(GroupDetail, name="staff", members=["bob", "rita"]))
    assert holdfast("group", "show", "staff").stdout == "bob\nrita\n"
    member = f"{GROUPS}/staff/members/rita"
    fake.on(f"PUT {member}", None)
    fake.on(f"DELETE {member}", None)
    assert holdfast("group", "join", "staff", "rita").exit_code == 0
    assert holdfast("group", "leave", "staff", "rita").exit_code == 0
    assert (len(fake.asked(f"PUT {member}")), len(fake.asked(f"DELETE {member}"))) == (1, 1)


@pytest.mark.parametrize(("words", "kind"), [([], "user"), (["--group"], "group")])
def test_grants_of_users_and_groups(fake: FakeApi, holdfast: Holdfast, words: list[str], kind: str) -> None:
    """Set, listed and taken away in a knowledge base."""
    grant = whole(GrantInfo, kind=kind, name="hr staff", role="reader")
    path = f"{GRANTS}/{kind}/hr%20staff"
    fake.on(f"PUT {path}", grant)
    assert holdfast("grant", "set", "hr staff", "reader", "--kb", "hr", *words).exit_code == 0
    assert sent(fake, f"PUT {path}") == {"role": "reader"}
    fake.on(f"GET {GRANTS}?limit=1000", {"items": [grant], "next_cursor": None})
    assert holdfast("grant", "list", "--kb", "hr").stdout == f"{kind}\thr staff\treader\n"
    fake.on(f"DELETE {path}", None)
    assert holdfast("grant", "remove", "hr staff", "--kb", "hr", *words).exit_code == 0
    assert fake.asked(f"DELETE {path}")
