"""`holdfast login`, `logout`, `whoami` and `profile`: sign-ins that work from any folder."""

# ruff: noqa: PLC0415 - commands import slow modules themselves

from __future__ import annotations

import asyncio
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
import msgspec

from api.cli import passwords
from api.cli.output import Output, clean, json_option
from api.cli.passwords import password_stdin
from api.cli.texts.messages import language, say
from api.client.problems import Problem

if TYPE_CHECKING:
    from api.client.client import Target
    from api.client.profiles import Profile, Profiles
    from api.identity.schemas import IdentityInfo, TokenInfo

#: Longest key and longest name of a sign-in, in characters.
MAX_KEY, MAX_NAME = 4096, 100


@click.command("login", help=say("help.login"))
@click.argument("url", required=False)
@click.option("--name", help=say("help.login.name"))
@click.option("--key-stdin", is_flag=True, help=say("help.login.key_stdin"))
@click.option("--user", help=say("help.login.user"))
@password_stdin
@json_option
def login(
    url: str | None, name: str | None, key_stdin: bool, user: str | None, password_stdin: bool, as_json: bool
) -> None:
    """Keep an address and a key, or the tokens of a user, which the API accepted, and make them the current ones."""
    out = Output(as_json)
    if (user and key_stdin) or (password_stdin and not user):
        raise click.UsageError(say("login.user-or-key"))
    with out.problems():
        from activities.settings import load
        from api.client import profiles
        from api.client.client import Target

        known = profiles.read()
        current = known.profiles.get(known.current)
        url = profiles.address(url or (current.url if current else load().api_url))
        if name is None:
            name = f"{user}@{_named(url)}"[:MAX_NAME] if user else _named(url)
        if not name or len(name) > MAX_NAME or not name.isprintable():
            raise click.UsageError(say("login.bad-name", limit=MAX_NAME))
        if url.startswith("http:") and not profiles.is_loopback(url):
            click.echo(say("login.open", url=url), err=True)
        if user:
            profile = _with_password(url, user, passwords.ask(out, say("login.password", user=user), password_stdin))
        else:
            profile = profiles.Profile(url, _key(out, url, key_stdin))
        me = _identity(Target(url, profile.key))
        profiles.write(profiles.read().adding(name, profile))
        out.document({"profile": name, "url": url, "subject": me.subject, "role": me.role})
        out.text(say("login.done", url=url, subject=me.subject, role=me.role, name=name))
        if me.must_change_password:
            click.echo(say("login.must-change"), err=True)
        here = Target.of(load())
        if (here.source, here.profile) != ("profile", name):
            click.echo(say("login.shadowed", url=here.url, source=_source(here)), err=True)


@click.command("logout", help=say("help.logout"))
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help=say("help.logout.all"))
@json_option
def logout(name: str | None, everything: bool, as_json: bool) -> None:
    """Forget the current sign-in, the named one, or all; sessions of users end, keys stay valid."""
    out = Output(as_json)
    with out.problems():
        from api.client import profiles

        known = profiles.read()
        gone = list(known.profiles) if everything else [_known(known, name or known.current)]
        for each in gone:
            if known.profiles[each].refresh_token:
                _end(each, known.profiles[each].url)
            profiles.write(profiles.read().without(each))
        out.document({"removed": gone})
        out.text("\n".join(_gone(each, known.profiles[each]) for each in gone))


@click.command("whoami", help=say("help.whoami"))
@json_option
def whoami(as_json: bool) -> None:
    """GET /me, and where the address and the key come from."""
    out = Output(as_json)
    with out.problems():
        from activities.settings import load
        from api.client.client import Target

        target = Target.of(load())
        if not target.key:
            raise Problem("no-key-here", url=target.url)
        me = _identity(target)
        where = {"url": target.url, "source": target.source, "profile": target.profile or None}
        out.document({**msgspec.to_builtins(me), **where})
        out.text(say("whoami", subject=me.subject, role=me.role, url=target.url, source=_source(target)))


@click.group(name="profile", help=say("help.profile"))
def profile_group() -> None:
    """Group of the commands on sign-ins."""


@profile_group.command("list", help=say("help.profile.list"))
@json_option
def profile_list(as_json: bool) -> None:
    """Show names and addresses, never keys."""
    out = Output(as_json)
    with out.problems():
        from api.client import profiles

        known = profiles.read()
        rows = [(name, each.url, name == known.current) for name, each in sorted(known.profiles.items())]
    out.document({"items": [{"name": name, "url": url, "current": current} for name, url, current in rows]})
    shown = [(name, url, "*" if current else "") for name, url, current in rows]
    out.table_or_nothing(("name", "url", "current"), shown, whole=("name",))


@profile_group.command("use", help=say("help.profile.use"))
@click.argument("name")
@json_option
def profile_use(name: str, as_json: bool) -> None:
    """Make a sign-in the current one."""
    out = Output(as_json)
    with out.problems():
        from api.client import profiles

        known = profiles.read()
        name = _known(known, name)
        profiles.write(known.using(name))
        url = known.profiles[name].url
        out.document({"profile": name, "url": url})
        out.text(say("profile.used", name=name, url=url))


def _named(url: str) -> str:
    """The name of a sign-in that has no other: the host, with the port that is not the usual one."""
    return urlsplit(url).netloc[:MAX_NAME]


def _known(known: Profiles, name: str) -> str:
    """The name of a sign-in. Raises Problem."""
    if not known.profiles:
        raise Problem("not-signed-in")
    if name not in known.profiles:
        raise Problem("no-profile", name=name, known=", ".join(sorted(known.profiles)))
    return name


def _key(out: Output, url: str, from_stdin: bool) -> str:
    """The key: a line of stdin, or asked for without showing it."""
    if from_stdin:
        key = sys.stdin.readline(MAX_KEY + 1)
    elif sys.stdin.isatty() and not out.json:
        key = click.prompt(clean(say("login.ask", url=url)), hide_input=True, err=True)
    else:
        raise click.UsageError(say("login.no-terminal"))
    key = key.strip()
    if not key or len(key) > MAX_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise Problem("login.bad-key")
    return key


def _with_password(url: str, user: str, password: str) -> Profile:
    """The sign-in of a user. Raises Problem, and ApiError."""
    from api.client.client import Api, ApiError, Target
    from api.client.session import profile_of

    async def ask() -> TokenInfo:
        async with Api(Target(url), language()) as api:
            return (await api.identity.sign_in(user, password)).value

    try:
        return profile_of(url, user, asyncio.run(ask()))
    except ApiError as exc:
        if exc.status == HTTPStatus.UNAUTHORIZED:
            raise Problem("login.wrong", url=url) from exc
        if not exc.code:
            raise Problem("not-holdfast", url=url, detail=exc) from exc
        raise


def _end(name: str, url: str) -> None:
    """End the session of a sign-in; one that cannot be ended now is only forgotten, which is said."""
    from api.client.client import Api, ApiError, Target

    async def end() -> None:
        async with Api(Target(url, "", "profile", name, session=True), language()) as api:
            await api.identity.sign_out()

    try:
        asyncio.run(end())
    except Problem as exc:
        if exc.code != "login.expired":
            click.echo(say("logout.not-ended", url=url), err=True)
    except ApiError as exc:
        if exc.status != HTTPStatus.UNAUTHORIZED:
            click.echo(say("logout.not-ended", url=url), err=True)


def _gone(name: str, profile: Profile) -> str:
    return say("logout.ended" if profile.refresh_token else "logout.done", name=name, url=profile.url)


def _identity(target: Target) -> IdentityInfo:
    """As whom the key acts. Raises Problem, and ApiError where the API cannot tell."""
    from api.client.client import Api, ApiError

    async def ask() -> IdentityInfo:
        async with Api(target, language()) as api:
            return (await api.identity.me()).value

    try:
        return asyncio.run(ask())
    except ApiError as exc:
        if exc.status == HTTPStatus.UNAUTHORIZED:
            if target.session:
                raise Problem("login.expired", name=target.profile) from exc
            raise Problem("login.refused", url=target.url) from exc
        if not exc.code:  # no problem+json: some other server
            raise Problem("not-holdfast", url=target.url, detail=exc) from exc
        raise


def _source(target: Target) -> str:
    """Where the address and the key come from, as a phrase."""
    return say(f"source.{target.source}", profile=target.profile)
