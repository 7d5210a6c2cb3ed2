"""Users, sessions, groups and grants in the catalogue."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from activities.errors import (
    InvalidName,
    InvalidRequest,
    LastAdministrator,
    NameInUse,
    NotFound,
    SessionEnded,
    SignInRefused,
)
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.people.leftovers import SLICE
from activities.stores.catalog.people.names import RESERVED
from activities.stores.catalog.people.records import NewUser, Tokens, User
from activities.stores.catalog.people.sessions import GRACE, REFRESH_PREFIX
from activities.stores.catalog.people.tables import GroupRow, InvitationRow, SessionRow
from activities.stores.catalog.people.users import LOCKED_AFTER
from activities.stores.catalog.records import KnowledgeBase, Principal
from activities.stores.catalog.tables import now
from tests.stores.catalog.conftest import sql

DAY = timedelta(days=1)
CYRILLIC_A = "\u0430"


async def user(catalog: Catalog, name: str = "rita", **fields: object) -> User:
    """A new user."""
    return await catalog.users.create(NewUser(name=name, **fields), "admin")  # type: ignore[arg-type]


async def rights(catalog: Catalog, tokens: Tokens) -> Principal:
    """What a session may do now."""
    found = await catalog.sessions.find(tokens.session.id)
    assert found is not None
    return found


async def test_a_name_is_given_once(catalog: Catalog) -> None:
    """In one spelling; not again after its user was removed, nor where a key without an owner acts under it."""
    assert (await user(catalog, " Rita@Example.org ")).name == "rita@example.org"
    with pytest.raises(NameInUse):
        await user(catalog, "RITA@example.org")
    await catalog.users.remove("rita@example.org", "admin")
    with pytest.raises(NameInUse):
        await user(catalog, "rita@example.org")
    with pytest.raises(NotFound):
        await catalog.users.get("rita@example.org")
    await catalog.api_keys.create("ann", "reader")
    with pytest.raises(NameInUse):
        await user(catalog, "ann")
    await user(catalog, "bob")
    with pytest.raises(InvalidName, match="create a key of that user"):
        await catalog.api_keys.create("bob", "reader")
    for name in RESERVED:
        with pytest.raises(NameInUse):
            await user(catalog, name.upper())
        with pytest.raises(InvalidName, match="audit trail"):
            await catalog.api_keys.create(name, "reader")
    for name in ("", " ", "a/b", "-a", "a b", "a" * 101, "a\nb", "a\0", "a\u200bb", "\u202eb", CYRILLIC_A + "dmin"):
        with pytest.raises(InvalidName):
            await user(catalog, name)


async def test_a_name_is_found_in_every_spelling(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Full-width letters, letters with their accents apart, and capitals are those of the name; scripts stay apart."""
    made = [(await user(catalog, name)).name for name in ("Jose\u0301", "ＲＩＴＡ", "иван", "李雷-hr")]
    assert made == ["josé", "rita", "иван", "李雷-hr"]
    for name in ("JOSE\u0301", " josé", "ｒｉｔａ"):
        assert (await catalog.users.get(name)).name in made
        assert await catalog.users.credentials(name)
        with pytest.raises(NameInUse):
            await user(catalog, name)
    with pytest.raises(InvalidName):
        await catalog.api_keys.create("Rita", "reader")
    await catalog.groups.create("Cafe\u0301", "admin")
    await catalog.grants.set(kb.id, "group", "Café", "reader", "admin")
    for name in ("staff\u200b", "\u202estaff", "a/b", " "):
        with pytest.raises(InvalidName):
            await catalog.groups.create(name, "admin")


async def test_who_is_removed_meanwhile_has_no_grant_that_stays(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Nor is a member: whatever comes first, the other one finds no user, or takes it along."""
    await catalog.groups.create("hr", "admin")
    for turn in range(5):
        name = (await user(catalog, f"rita{turn}")).name
        done = await asyncio.gather(
            catalog.grants.set(kb.id, "user", name, "reader", "admin"),
            catalog.users.remove(name, "admin"),
            catalog.groups.add_member("hr", name, "admin"),
            return_exceptions=True,
        )
        assert [type(each) for each in done if isinstance(each, BaseException)] in ([], [NotFound], [NotFound] * 2)
    assert await catalog.grants.page(kb.id) == []
    assert (await catalog.groups.get("hr")).members == 0


async def test_grants_of_a_user_and_of_its_groups_add_up(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The higher one counts; what is taken away, or whose group is removed, is gone."""
    rita = await user(catalog)
    tokens = await catalog.sessions.create(rita.id, DAY)
    assert (await rights(catalog, tokens)).granted == {}
    await catalog.grants.set(kb.id, "user", "rita", "reader", "admin")
    await catalog.groups.create("hr", "admin")
    await catalog.grants.set(kb.id, "group", "hr", "contributor", "admin")
    assert (await rights(catalog, tokens)).granted == {kb.id: "reader"}
    await catalog.groups.add_member("hr", "rita", "admin")
    found = await rights(catalog, tokens)
    assert (found.granted, found.everywhere, found.platform) == ({kb.id: "contributor"}, None, ())
    assert [(grant.kind, grant.name, grant.role) for grant in await catalog.grants.page(kb.id)] == [
        ("group", "hr", "contributor"), ("user", "rita", "reader"),
    ]  # fmt: skip
    await catalog.groups.remove("hr", "admin")
    assert (await rights(catalog, tokens)).granted == {kb.id: "reader"}
    await catalog.grants.remove(kb.id, "user", "rita", "admin")
    assert (await rights(catalog, tokens)).granted == {}
    with pytest.raises(NotFound):
        await catalog.grants.remove(kb.id, "user", "rita", "admin")
    events = await catalog.audit.page(None, 20, action="grant")
    assert [(event.action, event.detail["before"], event.detail["after"]) for event in events] == [
        ("grant.remove", "reader", None), ("grant.set", None, "contributor"), ("grant.set", None, "reader"),
    ]  # fmt: skip


async def test_external_groups_follow_the_provider(catalog: Catalog) -> None:
    """They are created, joined and left; a local group of the same name is not joined."""
    rita = await user(catalog)
    await catalog.groups.create("local", "admin")
    await catalog.groups.add_member("local", "rita", "admin")
    await catalog.groups.create("other", "admin")
    await catalog.groups.set_external(rita.id, ["/eng/search", "other"], "rita")
    assert await catalog.users.groups_of(rita.id) == ["eng.search", "local"]
    await catalog.groups.set_external(rita.id, [], "rita")
    assert await catalog.users.groups_of(rita.id) == ["local"]


async def test_two_groups_of_the_provider_are_two_here(settings: Settings, catalog: Catalog) -> None:
    """Also where their names look the same here; one that was made before its name was kept goes on."""
    rita, tim = await user(catalog), await catalog.users.create(NewUser(name="tim"), "admin")
    await catalog.groups.set_external(rita.id, ["eng/search"], "rita")
    await sql(settings, update(GroupRow).values(external_name=None))
    await catalog.groups.set_external(rita.id, ["eng/search"], "rita")
    for _ in range(2):
        await catalog.groups.set_external(tim.id, ["eng.search"], "tim")
    (other,) = await catalog.users.groups_of(tim.id)
    assert await catalog.users.groups_of(rita.id) == ["eng.search"]
    assert re.fullmatch(r"eng\.search-[0-9a-f]{8}", other)
    assert [group.members for group in await catalog.groups.page(None, 10)] == [1, 1]


async def test_a_key_may_at_most_what_its_owner_may(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Cut by its role and its knowledge bases; it ends with its time and with its owner."""
    rita = await user(catalog, roles=("operator",))
    await catalog.grants.set(kb.id, "user", "rita", "manager", "admin")
    made = [
        await catalog.api_keys.create_for(rita, "rita", role=role, knowledge_bases=within)
        for role, within in (("admin", None), ("contributor", None), ("operator", None), ("admin", [kb.id]))
    ]
    found = [await catalog.api_keys.find(key) for _, key in made]
    assert [(each.granted, each.everywhere, each.platform, each.role) for each in found if each] == [
        ({kb.id: "manager"}, "reader", ("operator",), "operator"),
        ({kb.id: "contributor"}, "reader", (), "contributor"),
        ({kb.id: "reader"}, "reader", ("operator",), "operator"),
        ({kb.id: "manager"}, "reader", (), "manager"),
    ]
    assert [each.within for each in found if each] == [None, None, None, frozenset({kb.id})]
    with pytest.raises(InvalidRequest):
        await catalog.api_keys.create_for(rita, "rita", role="operator", knowledge_bases=[kb.id])
    _, ended = await catalog.api_keys.create_for(rita, "rita", expires_at=now() - timedelta(seconds=1))
    assert await catalog.api_keys.find(ended) is None
    assert await catalog.api_keys.find(ended) is None
    assert len(await catalog.audit.page(None, 10, action="key.refused")) == 1, "the first use after the end only"
    await catalog.users.change("rita", {"disabled": True}, "admin")
    assert [await catalog.api_keys.find(key) for _, key in made] == [None] * 4
    await catalog.users.change("rita", {"disabled": False}, "admin")
    assert await catalog.api_keys.find(made[0][1]) is not None


async def test_a_refresh_token_is_used_once(settings: Settings, catalog: Catalog) -> None:
    """Its successor is given again for some seconds; then a second use ends the session."""
    rita = await user(catalog)
    first = await catalog.sessions.create(rita.id, DAY)
    second = await catalog.sessions.refresh(first.refresh_token)
    assert second.refresh_token != first.refresh_token
    assert (await catalog.sessions.refresh(first.refresh_token)).refresh_token == second.refresh_token
    third = await catalog.sessions.refresh(second.refresh_token)
    assert (await catalog.sessions.refresh(second.refresh_token)).refresh_token == third.refresh_token
    await sql(settings, update(SessionRow).values(rotated_at=now() - GRACE - timedelta(seconds=1)))
    with pytest.raises(SessionEnded):
        await catalog.sessions.refresh(second.refresh_token)
    with pytest.raises(SessionEnded):
        await catalog.sessions.refresh(third.refresh_token)
    assert await catalog.sessions.find(first.session.id) is None
    (event,) = await catalog.audit.page(None, 10, action="session.refresh-reused")
    assert (event.actor, event.object_id) == ("rita", first.session.id)


async def test_the_token_before_the_last_ends_the_session_at_once(catalog: Catalog) -> None:
    """However soon it comes."""
    rita = await user(catalog)
    first = await catalog.sessions.create(rita.id, DAY)
    second = await catalog.sessions.refresh(first.refresh_token)
    third = await catalog.sessions.refresh(second.refresh_token)
    with pytest.raises(SessionEnded):
        await catalog.sessions.refresh(first.refresh_token)
    with pytest.raises(SessionEnded):
        await catalog.sessions.refresh(third.refresh_token)


@pytest.mark.parametrize("token", ["", REFRESH_PREFIX, f"{REFRESH_PREFIX}{'0' * 32}_x", "holdfast_x", "\0" * 60])
async def test_a_wrong_refresh_token_is_refused(catalog: Catalog, token: str) -> None:
    """Whatever its form."""
    with pytest.raises(SessionEnded):
        await catalog.sessions.refresh(token)


async def test_an_invented_token_ends_no_session(catalog: Catalog) -> None:
    """With the id of a session and a secret that it never gave out, with the form of one or not."""
    rita = await user(catalog)
    first = await catalog.sessions.create(rita.id, DAY)
    second = await catalog.sessions.refresh(first.refresh_token)
    given = first.refresh_token
    for invented in (f"{given[:-1]}{'A' if given[-1] != 'A' else 'B'}", f"{REFRESH_PREFIX}{first.session.id}_x.y"):
        with pytest.raises(SessionEnded):
            await catalog.sessions.refresh(invented)
    assert (await catalog.sessions.refresh(second.refresh_token)).session.id == first.session.id


async def test_a_logout_ends_sessions_that_the_provider_has_not_named(catalog: Catalog) -> None:
    """Those of the same user, whose ID token had no session; not other named ones, and none of other people."""
    rita = await user(catalog, issuer="https://id", subject="1")
    tim = await catalog.users.create(NewUser(name="tim", issuer="https://id", subject="2"), "admin")
    made = [
        (await catalog.sessions.create(id, DAY, external_sid=sid)).session.id
        for id, sid in ((rita.id, "s1"), (rita.id, ""), (rita.id, "s2"), (rita.id, None), (tim.id, ""))
    ]
    assert await catalog.sessions.end_external("https://id", "1", "s1", "provider") == 2
    assert [await catalog.sessions.find(id) is None for id in made] == [True, True, False, False, False]


async def test_sessions_end_with_their_user(catalog: Catalog) -> None:
    """When it is disabled, signed out, removed, gets a password, or is signed out at its provider."""
    rita = await user(catalog, issuer="https://id", subject="1")
    ends = [
        lambda: catalog.users.change("rita", {"disabled": True}, "admin"),
        lambda: catalog.users.sign_out("rita", "admin"),
        lambda: catalog.users.set_password(rita.id, "hash", "admin"),
        lambda: catalog.sessions.end_external("https://id", None, "s1", "provider"),
        lambda: catalog.sessions.end_external("https://id", "1", None, "provider"),
        lambda: catalog.users.remove("rita", "admin"),
    ]
    for end in ends:
        tokens = await catalog.sessions.create(rita.id, DAY, external_sid="s1")
        assert await catalog.sessions.find(tokens.session.id) is not None
        await end()
        assert await catalog.sessions.find(tokens.session.id) is None
        if end is ends[0]:
            with pytest.raises(SignInRefused):
                await catalog.sessions.create(rita.id, DAY)
            await catalog.users.change("rita", {"disabled": False}, "admin")


async def test_wrong_passwords_lock_a_user_for_a_time(catalog: Catalog) -> None:
    """For new addresses and passwords; a password set by an administrator opens it."""
    rita = await user(catalog, password_hash="hash")
    await catalog.sessions.create(rita.id, DAY, address="192.0.2.7")
    for _ in range(LOCKED_AFTER):
        assert (await catalog.sessions.create(rita.id, DAY)) is not None
        await catalog.users.refused(rita.id, "rita", "192.0.2.1")
        if _ == 0:
            await catalog.users.refused(None, "nobody", "192.0.2.1")
    for _ in range(LOCKED_AFTER - 1):  # the sign-ins between had set the count back
        await catalog.users.refused(rita.id, "rita", "192.0.2.1")
    for address in ("192.0.2.8", ""):
        assert await catalog.sessions.is_locked(rita.id, address)
        with pytest.raises(SignInRefused):
            await catalog.sessions.create(rita.id, DAY, address=address)
    assert not await catalog.sessions.is_locked(rita.id, "192.0.2.7")
    await catalog.sessions.create(rita.id, DAY, method="oidc")
    for _ in range(LOCKED_AFTER):
        await catalog.users.refused(rita.id, "rita", "192.0.2.1")
    await catalog.sessions.create(rita.id, DAY, address="192.0.2.7")
    for _ in range(LOCKED_AFTER):
        await catalog.users.refused(rita.id, "rita", "192.0.2.1")
    await catalog.users.set_password(rita.id, "other", "admin")
    await catalog.sessions.create(rita.id, DAY)
    locked, *_ = await catalog.audit.page(None, 10, action="user.lock")
    assert (locked.object_id, locked.detail["address"]) == (rita.id, "192.0.2.1")


async def test_an_invitation_sets_a_password_once(catalog: Catalog) -> None:
    """A newer one replaces it; a service account gets none."""
    await user(catalog)
    old, invitation = await catalog.users.invite("rita", "admin"), await catalog.users.invite("rita", "admin")
    with pytest.raises(SessionEnded):
        await catalog.users.accept(old.token, "hash")
    await catalog.users.accept(invitation.token, "hash")
    credentials = await catalog.users.credentials("rita")
    assert credentials is not None
    assert (credentials.password_hash, credentials.user.has_password) == ("hash", True)
    with pytest.raises(SessionEnded):
        await catalog.users.accept(invitation.token, "other")
    left = await catalog.users.invite("rita", "admin")
    await catalog.users.set_password((await catalog.users.get("rita")).id, "new hash", "admin")
    for check in (catalog.users.require_invited(left.token), catalog.users.accept(left.token, "other")):
        with pytest.raises(SessionEnded):
            await check
    await user(catalog, "robot", kind="service")
    with pytest.raises(InvalidRequest):
        await catalog.users.invite("robot", "admin")
    assert await catalog.users.credentials("robot") is None


async def test_a_removed_user_leaves_no_rights(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Its grants, memberships and keys are gone; the key stays in the list as revoked."""
    rita = await user(catalog)
    await catalog.grants.set(kb.id, "user", "rita", "reader", "admin")
    await catalog.groups.create("hr", "admin")
    await catalog.groups.add_member("hr", "rita", "admin")
    _, key = await catalog.api_keys.create_for(rita, "rita")
    await catalog.users.remove("rita", "admin")
    assert (await catalog.grants.page(kb.id), await catalog.groups.members("hr")) == ([], [])
    assert await catalog.api_keys.find(key) is None
    assert [each.revoked_at is None for each in await catalog.api_keys.all(rita.id)] == [False]


async def test_who_creates_a_knowledge_base_manages_it(catalog: Catalog, kb: KnowledgeBase) -> None:
    """If it is a user; the grant goes with the knowledge base."""
    rita = await user(catalog)
    made = await catalog.knowledge_bases.create("mine", "", "", kb.chunking, "rita", manager=rita.id)
    assert [(grant.name, grant.role) for grant in await catalog.grants.page(made.id)] == [("rita", "manager")]
    await catalog.knowledge_bases.delete("mine", "rita")
    assert await catalog.grants.page(made.id) == []


async def test_secrets_are_not_stored(settings: Settings, catalog: Catalog) -> None:
    """Neither refresh tokens nor invitations."""
    rita = await user(catalog)
    tokens = await catalog.sessions.create(rita.id, DAY)
    invitation = await catalog.users.invite("rita", "admin")
    stored = str(
        [await sql(settings, f"SELECT * FROM {table}") for table in ("sessions", "invitations", "audit_events")]
    )
    assert tokens.session.id in stored
    assert tokens.refresh_token.rpartition("_")[2] not in stored
    assert invitation.token.rpartition("_")[2] not in stored


async def test_the_last_administrator_stays(catalog: Catalog) -> None:
    """Of those with a password that are enabled; an administrator's key is another way in, while it is valid."""
    await user(catalog, "ann", roles=("admin",), password_hash="hash")
    await user(catalog, "bob", roles=("admin",), password_hash="hash")
    await user(catalog, "eve", roles=("admin",))
    ends = [
        lambda: catalog.users.change("ann", {"disabled": True}, "bob"),
        lambda: catalog.users.change("ann", {"roles": ["auditor"]}, "bob"),
        lambda: catalog.users.remove("ann", "bob"),
    ]
    await catalog.users.change("bob", {"disabled": True}, "ann")
    for end in ends:
        with pytest.raises(LastAdministrator, match="“ann” is the last administrator"):
            await end()
    assert (await catalog.users.change("ann", {"display_name": "Ann", "roles": ["admin"]}, "ann")).roles == ("admin",)
    await catalog.users.change("eve", {"disabled": True}, "ann")
    await catalog.api_keys.create("ops", "admin")
    for end in ends[:2]:
        await end()
        await catalog.users.change("ann", {"disabled": False, "roles": ["admin"]}, "ops")
    (key,) = await catalog.api_keys.all()
    await catalog.api_keys.revoke(key.id, "ops")
    with pytest.raises(LastAdministrator):
        await ends[2]()
    await catalog.users.change("bob", {"disabled": False}, "ann")
    await ends[2]()


async def test_what_is_left_of_sign_ins_is_removed_in_time(settings: Settings, catalog: Catalog) -> None:
    """Sessions and invitations that ended long ago, so many at once; what goes on, or ended lately, stays."""
    rita, bob = await user(catalog), await user(catalog, "bob")
    on, out, over = [(await catalog.sessions.create(rita.id, DAY)).session.id for _ in range(3)]
    await catalog.users.invite("rita", "admin")
    await catalog.users.accept((await catalog.users.invite("bob", "admin")).token, "hash")
    assert await catalog.leftovers.remove(now() - 30 * DAY) == 0
    old = now() - 31 * DAY
    await sql(settings, update(SessionRow).where(SessionRow.id == out).values(revoked_at=old))
    await sql(settings, update(SessionRow).where(SessionRow.id == over).values(expires_at=old))
    await sql(settings, update(InvitationRow).where(InvitationRow.user_id == bob.id).values(used_at=old))
    assert await catalog.leftovers.remove(now() - 30 * DAY) == 3
    assert await catalog.leftovers.remove(now() - 30 * DAY) == 0
    assert await sql(settings, "SELECT id FROM sessions") == [(on,)]
    assert await sql(settings, "SELECT user_id FROM invitations") == [(rita.id,)]
    await sql(settings, update(InvitationRow).values(expires_at=old))
    assert await catalog.leftovers.remove(now() - 30 * DAY) == 1
    fields = {"user_id": rita.id, "refresh_hash": "x", "expires_at": old, "rotated_at": old}
    rows = [fields | {"id": f"{n:032x}", "address": "", "user_agent": "", "created_at": old, "used_at": old}
            for n in range(SLICE + 1)]  # fmt: skip
    for first in range(0, len(rows), 100):
        await sql(settings, insert(SessionRow).values(rows[first : first + 100]))
    assert [await catalog.leftovers.remove(now()) for _ in range(3)] == [SLICE, 1, 0]
