"""Signing in by a real provider, up to a session in the catalogue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from msgspec.structs import replace

from activities.errors import ProviderRefused, TooManyRequests
from activities.phrases import Phrase
from activities.settings import OidcSettings, Settings, load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.people.records import NewUser, Tokens
from api.oidc.people import Person
from api.oidc.service import REFUSALS_PER_MINUTE, TRIES, Answer, OidcSignIn, names_for
from tests.api.oidc.identity import CLIENT_ID, SECRET, running_provider, signed_in_at

PAGE = "http://127.0.0.1:1"
PEOPLE = {
    "ana": {"name": "Ana Li", "groups": ["staff", "hr"]},
    "bo": {"name": "Bo", "groups": ["staff", "it"]},
}
KEY = b"k" * 32


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with running_provider(PAGE, PEOPLE) as found:
        yield found


@pytest.fixture
async def settings(issuer: str, tmp_path: Path) -> Settings:
    oidc = OidcSettings(issuer=issuer, client_id=CLIENT_ID, client_secret=SECRET, admin_groups="it")
    settings = replace(load({"HOLDFAST_DATA": str(tmp_path)}), public_url=PAGE, oidc=oidc)
    await upgrade(settings)
    return settings


@pytest.fixture
async def catalog(settings: Settings) -> AsyncIterator[Catalog]:
    opened = Catalog(settings.catalog_url)
    yield opened
    await opened.close()


@pytest.fixture
async def oidc(settings: Settings, catalog: Catalog) -> AsyncIterator[OidcSignIn]:
    async with aclosing(OidcSignIn(settings, catalog, KEY)) as service:
        yield service


async def signed_in(oidc: OidcSignIn, person: str, **changes: Any) -> Tokens:
    """Sign a person in, with changes to the provider's answer; ``cookies`` are those that the browser has."""
    url, attempt, sealed = await oidc.begin()
    with httpx.Client() as browser:
        location = signed_in_at(browser, url, person).headers["location"]
    found = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    cookies = changes.pop("cookies", {attempt.cookie: sealed})
    return await oidc.finish(Answer(**(found | changes)), cookies, "192.0.2.1", "test")


async def test_the_first_sign_in_makes_a_user_with_groups(oidc: OidcSignIn, catalog: Catalog, issuer: str) -> None:
    """The next one changes it: groups and roles follow the provider, local memberships stay."""
    found = await signed_in(oidc, "ana")
    user = found.user
    assert (user.name, user.display_name, user.issuer, user.subject) == ("ana", "Ana Li", issuer, "ana")
    assert await catalog.users.groups_of(user.id) == ["hr", "staff"]
    assert found.session.external_sid
    await catalog.groups.create("local", "root")
    await catalog.groups.add_member("local", "ana", "root")
    await catalog.groups.set_external(user.id, ["gone"], "root")
    again = await signed_in(oidc, "ana")
    assert again.user.id == user.id
    assert await catalog.users.groups_of(user.id) == ["hr", "local", "staff"]


async def test_groups_of_the_settings_give_roles(oidc: OidcSignIn, catalog: Catalog) -> None:
    """And take them: what an administrator gave beside them is gone at the next sign-in."""
    assert (await signed_in(oidc, "bo")).user.roles == ("admin",)
    await catalog.users.create(NewUser(name="root", roles=("admin",)), "test")
    ana = (await signed_in(oidc, "ana")).user
    await catalog.users.change(ana.name, {"roles": ["auditor"]}, "root")
    assert (await signed_in(oidc, "ana")).user.roles == ()


async def test_a_name_is_no_identity(oidc: OidcSignIn, catalog: Catalog) -> None:
    """A user of the same name, with a password, is another one; it gets no session."""
    local = await catalog.users.create(NewUser(name="ana", password_hash="x"), "test")
    first, second = await asyncio.gather(signed_in(oidc, "ana"), signed_in(oidc, "ana"))
    assert first.user.id == second.user.id != local.id
    assert first.user.name == "ana-2"


async def test_refusals_are_recorded_with_their_reason(oidc: OidcSignIn, catalog: Catalog) -> None:
    """An answer that this browser did not ask for, of another provider, an error, and a disabled user."""
    wrong: list[tuple[dict[str, Any], Phrase]] = [
        ({"cookies": {}}, Phrase.SIGN_IN_STATE),
        ({"state": "other"}, Phrase.SIGN_IN_STATE),
        ({"iss": "https://other.example.org"}, Phrase.SIGN_IN_ISSUER),
        ({"iss": ""}, Phrase.SIGN_IN_ISSUER),
        ({"error": "access_denied", "code": ""}, Phrase.SIGN_IN_ENDED),
        ({"code": "invented"}, Phrase.SIGN_IN_CODE),
    ]
    for changes, _ in wrong:
        with pytest.raises(ProviderRefused):
            await signed_in(oidc, "ana", **changes)
    await signed_in(oidc, "ana")
    await catalog.users.change("ana", {"disabled": True}, "test")
    with pytest.raises(ProviderRefused):
        await signed_in(oidc, "ana")
    events = [event for event in await catalog.audit.page(None, 50) if event.action == "session.refused"]
    reasons = [event.detail["reason"] for event in reversed(events)]
    assert reasons == [phrase.code for _, phrase in wrong] + [Phrase.SIGN_IN_DISABLED.code]
    assert all(event.detail["address"] == "192.0.2.1" for event in events)
    calls = [oidc.finish(Answer(state="other"), {}, "192.0.2.1", "") for _ in range(2 * REFUSALS_PER_MINUTE)]
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(each) for each in found} == {ProviderRefused, TooManyRequests}
    recorded = [event for event in await catalog.audit.page(None, 100) if event.action == "session.refused"]
    assert len(recorded) < 2 * REFUSALS_PER_MINUTE


async def test_without_a_provider_there_is_no_button(catalog: Catalog, settings: Settings) -> None:
    """Its name is that of the setting, or its host's."""
    named = replace(settings, oidc=replace(settings.oidc, name="Example SSO"))
    without = replace(settings, oidc=OidcSettings())
    names = []
    for each in (settings, named, without):
        async with aclosing(OidcSignIn(each, catalog, KEY)) as service:
            names.append(service.name)
    assert names == ["127.0.0.1", "Example SSO", None]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Ana.Li@example.org", "ana.li@example.org"),
        ("Ana Li", "ana-li"),
        ("李 安娜", "李-安娜"),
        ("//", "user"),
        ("\u0430dmin", "user"),
    ],
    ids=["address", "space", "chinese", "nothing", "mixed scripts"],
)
def test_names_become_names_of_users(given: str, name: str) -> None:
    """The first that is tried; the last one belongs to nobody else."""
    names = names_for(Person("https://id.example.org", "1", given, given, None, None))
    assert names[0] == name
    assert len(set(names)) == TRIES
    assert all(len(each) <= 100 for each in names)
