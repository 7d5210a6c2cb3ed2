"""Users over HTTP: what a grant opens and what stays closed, and how sign-ins, keys and streams end."""

from __future__ import annotations

import asyncio
import re
import secrets
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from activities.contracts.documents import Chunking
from activities.errors import SessionEnded, SignInRefused, TooManyRequests
from activities.stores.catalog.people.records import NewUser
from api.http.access import Access, declaration
from api.http.callers import KEY_SECONDS
from api.http.tokens import KEYS_FILE, AccessTokens
from api.identity.lockouts import WRONG_PASSWORDS
from api.identity.sign_in import HASHED_AT_ONCE, HASHED_OF_ADDRESS, REFUSALS_PER_MINUTE, SignIn
from tests.api.http.test_access import CONVERSATION, KB, MAY, QUESTION, IsolatedApi, handlers, isolated_api
from tests.conftest import assert_eventually

__all__ = ["isolated_api"]  # a fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]

PASSWORD = "correct horse battery staple"

#: Routes in a knowledge base, but questions and conversations: those are their asker's alone.
INSIDE = [
    route
    for route in MAY
    if re.search(
        r"{(kb|document_id|bulk_id|batch_id|reindex_id|schedule_name|source_id|sync_id|webhook_id|model)}", route
    )
    and not route.split(" ")[1].startswith((QUESTION, CONVERSATION))
]
#: Kinds of callers without any right in the knowledge base, and the status that each route answers.
WITHOUT = {"no grant": 404, "grant elsewhere": 404, "key scoped elsewhere": 404, "expired key": 401, "disabled": 401}


def client(api: IsolatedApi, credential: str = "") -> httpx.AsyncClient:
    """A client with a key or token."""
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {credential}"} if credential else {}
    return httpx.AsyncClient(transport=transport, base_url="http://holdfast", headers=headers, timeout=30)


async def caller(api: IsolatedApi, kind: str) -> str:
    """A key of a new user in this situation."""
    catalog, name = api.catalog, f"u{secrets.token_hex(4)}"
    user = await catalog.users.create(NewUser(name=name), "ann")
    here = (await catalog.knowledge_bases.get("handbook")).id
    elsewhere = (await catalog.knowledge_bases.create(name, "", "", Chunking(), "ann")).id
    granted = {"no grant": None, "grant elsewhere": elsewhere}.get(kind, here)
    if granted:
        role = "reader" if kind == "reader" else "manager"
        await catalog.grants.set(granted, "user", name, role, "ann")  # type: ignore[arg-type]
    within = [elsewhere] if kind == "key scoped elsewhere" else None
    expires_at = datetime.now(UTC) - timedelta(seconds=1) if kind == "expired key" else None
    _, key = await catalog.api_keys.create_for(user, "ann", knowledge_bases=within, expires_at=expires_at)
    if kind == "disabled":
        await catalog.users.change(name, {"disabled": True}, "ann")
    return key


async def answers(api: IsolatedApi, key: str, routes: list[str]) -> dict[str, int]:
    """The status of each route for a caller; a refused socket is 404."""
    before = api.keys["manager"]
    api.keys["manager"] = key
    try:
        found = {}
        for route in routes:
            if route.startswith("WS "):
                path = route.split(" ")[1].format_map(api.ids["manager"])
                found[route] = 200 if await api.socket(key, path) == "websocket.accept" else 404
            else:
                found[route] = (await api.call("manager", route)).status_code
        return found
    finally:
        api.keys["manager"] = before


@pytest.mark.parametrize("kind", WITHOUT)
async def test_who_has_no_right_in_a_knowledge_base_finds_nothing_of_it(isolated_api: IsolatedApi, kind: str) -> None:
    """Every route in it answers as if it were not there."""
    key = await caller(isolated_api, kind)
    routes = [route for route in INSIDE if not route.startswith("WS ") or WITHOUT[kind] == 404]
    found = await answers(isolated_api, key, routes)
    assert {route: status for route, status in found.items() if status != WITHOUT[kind]} == {}
    if WITHOUT[kind] == 404:
        async with client(isolated_api, key) as each:
            assert "handbook" not in (await each.get("/api/v1/knowledge-bases")).text
            assert "handbook" not in (await each.get("/v1/models")).text
            assert "handbook" not in (await each.get("/api/v1/me")).text


async def test_a_reader_here_reads_and_changes_nothing(isolated_api: IsolatedApi) -> None:
    """Exactly what the table gives to readers; the rest is refused."""
    key = await caller(isolated_api, "reader")
    found = await answers(isolated_api, key, INSIDE)
    wrong = {
        route: status
        for route, status in found.items()
        if (status in (401, 403, 404))
        if "reader" in MAY[route] or status != 403
    }
    assert wrong == {}
    assert {route for route, status in found.items() if status == 403} == {
        route for route in INSIDE if "reader" not in MAY[route]
    }


async def signed_in(api: IsolatedApi, name: str, **fields: Any) -> dict[str, Any]:
    """The tokens of a new user."""
    async with client(api, api.keys["admin"]) as admin:
        made = await admin.post("/api/v1/users", json={"name": name, "password": PASSWORD, **fields})
        assert made.status_code == 201, made.text
        given = await admin.post("/api/v1/auth/token", json={"username": name, "password": PASSWORD})
        assert given.status_code == 200, given.text
    tokens: dict[str, Any] = given.json()
    return tokens


async def test_sign_in_refresh_and_logout(isolated_api: IsolatedApi) -> None:
    """The session ends at once for its tokens; a wrong password and an unknown name get the same answer."""
    tokens = await signed_in(isolated_api, "sue")
    async with client(isolated_api) as anyone:
        refused = [
            await anyone.post("/api/v1/auth/token", json={"username": name, "password": "wrong"})
            for name in ("sue", "nobody-of-that-name")
        ]
        assert [answer.status_code for answer in refused] == [401, 401]
        assert refused[0].json() == refused[1].json()
        new = await anyone.post("/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        assert new.status_code == 200
    async with client(isolated_api, new.json()["access_token"]) as sue:
        me = (await sue.get("/api/v1/me")).json()
        assert (me["name"], me["kind"], me["roles"], me["key_id"]) == ("sue", "person", [], "")
        assert (await sue.get("/api/v1/users")).status_code == 403
        assert (await sue.post("/api/v1/auth/logout")).status_code == 204

        async def refused_now() -> bool:
            return (await sue.get("/api/v1/me")).status_code == 401

        await assert_eventually(refused_now, KEY_SECONDS + 5)


async def test_a_first_password_is_changed_before_anything_else(isolated_api: IsolatedApi) -> None:
    """Until then only the caller's identity is shown."""
    tokens = await signed_in(isolated_api, "sid", must_change_password=True)
    assert tokens["must_change_password"]
    async with client(isolated_api, tokens["access_token"]) as sid:
        assert (await sid.get("/api/v1/me")).status_code == 200
        refused = await sid.get("/api/v1/knowledge-bases")
        assert (refused.status_code, refused.json()["code"]) == (403, "password-change-needed")
        short = await sid.post("/api/v1/auth/password", json={"current": PASSWORD, "new": "short"})
        assert short.status_code == 400
        changed = await sid.post("/api/v1/auth/password", json={"current": PASSWORD, "new": PASSWORD[::-1]})
        assert changed.status_code == 204
        assert (await sid.get("/api/v1/knowledge-bases")).status_code == 200


async def test_keys_are_made_in_a_session_only(isolated_api: IsolatedApi) -> None:
    """A key with a scope makes none without; another user's keys are neither seen nor revoked."""
    tokens = await signed_in(isolated_api, "kim")
    async with client(isolated_api, tokens["access_token"]) as kim:
        made = await kim.post("/api/v1/keys", json={"role": "reader", "name": "ci"})
        assert made.status_code == 201, made.text
        assert (await kim.post("/api/v1/keys", json={"owner": "granted"})).status_code == 403
        assert [key["name"] for key in (await kim.get("/api/v1/keys")).json()["items"]] == ["ci"]
        other = isolated_api.ids["admin"]["key_id"]
        assert (await kim.delete(f"/api/v1/keys/{other}")).status_code == 404
        whole = made.json()["id"]
        scoped = (await kim.post("/api/v1/keys", json={"name": "scoped", "knowledge_bases": []})).json()
    async with client(isolated_api, scoped["key"]) as key:
        assert [each["name"] for each in (await key.get("/api/v1/keys")).json()["items"]] == ["scoped"]
        assert (await key.delete(f"/api/v1/keys/{whole}")).status_code == 404
    async with client(isolated_api, made.json()["key"]) as key:
        assert (await key.post("/api/v1/keys", json={})).status_code == 403


async def test_a_stream_goes_on_only_with_its_grant(isolated_api: IsolatedApi) -> None:
    """In its knowledge base, the role that its route needs; elsewhere, the same rights as when it began."""
    catalog, access = isolated_api.catalog, Access(isolated_api.catalog)
    kb = await catalog.knowledge_bases.get("handbook")
    key = await caller(isolated_api, "reader")
    begun = await catalog.api_keys.find(key)
    assert begun is not None
    of = dict(handlers(isolated_api.app))
    inside, outside = of["GET /api/v1/documents/{document_id}/events"], of["POST /v1/chat/completions"]
    assert declaration(inside) is not None

    async def goes_on() -> tuple[bool, bool]:
        present = await catalog.api_keys.find(key)
        assert present is not None
        scope: Any = {"state": {"_": None, "granted": {"knowledge_base": kb}}}
        return (
            await access.goes_on(begun, present, inside, scope),
            await access.goes_on(begun, present, outside, {"state": {}}),  # type: ignore[typeddict-item]
        )

    assert await goes_on() == (True, True)
    await catalog.grants.remove(kb.id, "user", begun.subject, "ann")
    assert await goes_on() == (False, False)


async def test_managers_grant_in_their_knowledge_base(isolated_api: IsolatedApi) -> None:
    """And nobody in another one; the list has what was granted."""
    name = f"own-{secrets.token_hex(4)}"
    tokens = await signed_in(isolated_api, f"m{secrets.token_hex(4)}")
    async with client(isolated_api, isolated_api.keys["admin"]) as admin:
        assert (await admin.post("/api/v1/knowledge-bases", json={"name": name})).status_code == 201
        me = await client(isolated_api, tokens["access_token"]).get("/api/v1/me")
        path = f"/api/v1/knowledge-bases/{name}/grants"
        put = await admin.put(f"{path}/user/{me.json()['name']}", json={"role": "manager"})
        assert put.status_code == 200, put.text
    async with client(isolated_api, tokens["access_token"]) as manager:

        async def manages() -> bool:
            return (await manager.get(path)).status_code == 200

        await assert_eventually(manages, KEY_SECONDS + 5)
        assert (await manager.put(f"{path}/group/granted", json={"role": "reader"})).status_code == 200
        found = (await manager.get(path, params={"limit": 1})).json()
        rest = (await manager.get(path, params={"cursor": found["next_cursor"]})).json()
        assert [(each["kind"], each["role"]) for each in found["items"] + rest["items"]] == [
            ("group", "reader"), ("user", "manager"),
        ]  # fmt: skip
        assert (await manager.get(f"{KB}/grants".replace("{kb}", "handbook"))).status_code == 404


async def test_who_creates_a_knowledge_base_manages_it_at_once(isolated_api: IsolatedApi) -> None:
    """From the next request on, though rights are cached: a page goes there right after."""
    key = await caller(isolated_api, "grant elsewhere")
    async with client(isolated_api, key) as manager:
        name = f"mine-{secrets.token_hex(4)}"
        assert (await manager.post("/api/v1/knowledge-bases", json={"name": name})).status_code == 201
        assert (await manager.get(f"/api/v1/knowledge-bases/{name}")).json()["role"] == "manager"


async def test_the_record_of_a_question_is_as_closed_as_the_question(isolated_api: IsolatedApi) -> None:
    """Without a right in the knowledge base any more, or by a key of another one, its passages are not shown."""
    catalog, handbook = isolated_api.catalog, await isolated_api.catalog.knowledge_bases.get("handbook")
    user = await catalog.users.create(NewUser(name="quinn"), "ann")
    await catalog.grants.set(handbook.id, "user", "quinn", "reader", "ann")
    asked = await catalog.questions.create(handbook.id, "How much leave?", "extractive", None, "quinn")
    _, whole = await catalog.api_keys.create_for(user, "ann")
    _, scoped = await catalog.api_keys.create_for(user, "ann", knowledge_bases=["0" * 32])

    async def statuses(key: str) -> list[int]:
        async with client(isolated_api, key) as quinn:
            paths = (f"/api/v1/audit/questions/{asked.id}", f"/api/v1/questions/{asked.id}")
            return [(await quinn.get(path)).status_code for path in paths]

    assert await statuses(whole) == [200, 200]
    assert await statuses(scoped) == [404, 404]
    await catalog.grants.remove(handbook.id, "user", "quinn", "ann")

    async def closed() -> bool:
        return await statuses(whole) == [404, 404]

    await assert_eventually(closed, KEY_SECONDS + 5)


async def test_a_page_of_webhooks_tells_nothing_of_others(isolated_api: IsolatedApi) -> None:
    """A cursor would be the id of one, and its number of pages their number."""
    for role, status in (("reader", None), ("manager", str)):
        answer = await isolated_api.call(role, "GET /api/v1/webhooks?limit=1")
        assert answer.status_code == 200, answer.text
        assert isinstance(answer.json()["next_cursor"], status or type(None)), role


async def test_strangers_lock_nobody_out(isolated_api: IsolatedApi) -> None:
    """Five wrong passwords make their own address wait, for a known name as for an unknown one, and no other."""
    tokens = await signed_in(isolated_api, "vic")
    sign_in = SignIn(isolated_api.catalog, AccessTokens(isolated_api.app.state.settings.data_dir / KEYS_FILE))
    for name in ("vic", "unknown-vic"):
        for _ in range(WRONG_PASSWORDS):
            with pytest.raises(SignInRefused):
                await sign_in.with_password(name, "wrong", "192.0.2.66", "")
        with pytest.raises(TooManyRequests):
            await sign_in.with_password(name, PASSWORD, "192.0.2.66", "")
    assert (await sign_in.with_password("vic", PASSWORD, "192.0.2.7", "")).access_token
    session = AccessTokens(isolated_api.app.state.settings.data_dir / KEYS_FILE).session_of(tokens["access_token"])
    assert session
    user = await isolated_api.catalog.users.get("vic")
    with pytest.raises(TooManyRequests):  # the password of a session is not guessed either
        await sign_in.change_password(user.id, session, PASSWORD, PASSWORD[::-1], "192.0.2.66")


class Slow:
    """A hasher that waits until it is let go."""

    def __init__(self) -> None:
        self.hashed, self.go = 0, threading.Event()

    def verify(self, stored: str, password: str) -> bool:
        """Wait, and refuse."""
        self.hashed += 1
        self.go.wait(60)
        return False


async def test_an_address_keeps_no_others_from_signing_in(isolated_api: IsolatedApi) -> None:
    """Its passwords do not queue up; a wrong invitation costs no hash; a locked address refreshes its sessions."""
    tokens = await signed_in(isolated_api, "lou")
    sign_in = SignIn(isolated_api.catalog, AccessTokens(isolated_api.app.state.settings.data_dir / KEYS_FILE))
    sign_in._hasher = slow = Slow()  # type: ignore[assignment]
    calls = [asyncio.create_task(sign_in.with_password("lou", "wrong", "192.0.2.1", "")) for _ in range(100)]

    async def others_are_refused() -> bool:
        waiting = sum(not call.done() for call in calls)
        return (waiting, slow.hashed) == (HASHED_OF_ADDRESS, HASHED_AT_ONCE)

    await assert_eventually(others_are_refused)
    await asyncio.sleep(1)
    assert await others_are_refused()
    slow.go.set()
    await asyncio.wait(calls)
    assert slow.hashed == HASHED_OF_ADDRESS
    assert not sign_in._hashing
    for _ in range(REFUSALS_PER_MINUTE + 1):
        with pytest.raises((SessionEnded, TooManyRequests)):
            await sign_in.accept("holdfast_invitation_x", PASSWORD, "192.0.2.2", "")
    with pytest.raises(TooManyRequests):
        await sign_in.accept("holdfast_invitation_x", PASSWORD, "192.0.2.2", "")
    assert (await sign_in.refresh(tokens["refresh_token"], "192.0.2.2")).access_token
