"""API keys in the catalogue: hashes, roles and revocation."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, update

from activities.errors import InvalidRequest, NotFound, UnknownRole
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.people.api_keys import KEY_PREFIX, MAX_KEYS, hash_key
from activities.stores.catalog.people.records import NewUser
from activities.stores.catalog.people.tables import ApiKeyRow
from activities.stores.catalog.tables import now
from tests.stores.catalog.conftest import MISSING, sql

EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))


async def test_a_key_is_known_by_its_hash_only(settings: Settings, catalog: Catalog) -> None:
    """The key finds its owner; neither the table nor a file of the database has it in clear text."""
    key = await catalog.api_keys.create("ann", "admin")
    principal = await catalog.api_keys.find(key)
    assert key.startswith(KEY_PREFIX)
    assert principal is not None
    assert (principal.subject, principal.role) == ("ann", "admin")
    assert await catalog.api_keys.count() == 1
    for other in (key[:-1], hash_key(key), "", key.removeprefix(KEY_PREFIX)):
        assert await catalog.api_keys.find(other) is None
    rows = await sql(settings, "SELECT * FROM api_keys")
    stored = str(rows).encode() + b"".join(path.read_bytes() for path in settings.data_dir.glob("catalog.db*"))
    assert hash_key(key).encode() in stored
    assert key.removeprefix(KEY_PREFIX).encode() not in stored


async def test_an_unknown_role_is_refused(catalog: Catalog) -> None:
    """The error names the known ones; no key is created."""
    for role in ("king", "", "Reader", "admin "):
        with pytest.raises(UnknownRole, match="reader, contributor, manager, operator, auditor, admin"):
            await catalog.api_keys.create("ann", role)
    assert await catalog.api_keys.all() == []


async def test_a_key_with_an_unknown_role_is_a_reader(settings: Settings, catalog: Catalog) -> None:
    """A key from before roles were checked counts as the lowest role, wherever it is shown."""
    key = await catalog.api_keys.create("ann", "admin")
    await sql(settings, update(ApiKeyRow).values(role="superuser"))
    principal = await catalog.api_keys.find(key)
    assert principal is not None
    assert principal.role == "reader"
    assert [each.role for each in await catalog.api_keys.all()] == ["reader"]


async def test_a_revoked_key_has_no_owner(catalog: Catalog) -> None:
    """It stays in the list; revoking it again, or an unknown one, changes nothing."""
    key, other = await catalog.api_keys.create("ann", "manager"), await catalog.api_keys.create("bob", "reader")
    principal = await catalog.api_keys.find(key)
    assert principal is not None
    revoked = await catalog.api_keys.revoke(principal.key_id, "carl")
    assert (revoked.subject, revoked.role) == ("ann", "manager")
    assert revoked.revoked_at is not None
    assert await catalog.api_keys.revoke(principal.key_id, "dora") == revoked
    with pytest.raises(NotFound):
        await catalog.api_keys.revoke(MISSING, "carl")
    assert await catalog.api_keys.find(key) is None
    assert await catalog.api_keys.find(other) is not None
    assert await catalog.api_keys.count() == 1
    assert [(each.subject, each.revoked_at) for each in await catalog.api_keys.all()] == [
        ("ann", revoked.revoked_at), ("bob", None),
    ]  # fmt: skip
    (event,) = await catalog.audit.page(None, 10, action="key.revoke")
    assert (event.actor, event.object_id) == ("carl", principal.key_id)
    assert event.detail == {"subject": "ann", "role": "manager"}


async def test_a_user_has_so_many_keys(settings: Settings, catalog: Catalog) -> None:
    """Those that ended do not count; a list of knowledge bases has each once, and the end is a time of the calendar."""
    rita = await catalog.users.create(NewUser(name="rita"), "admin")
    made, _ = await catalog.api_keys.create_for(rita, "rita", knowledge_bases=["1", "2", "1"])
    assert made.knowledge_bases == ["1", "2"]
    fields = {"subject": "rita", "owner_id": rita.id, "role": "reader", "created_at": now()}
    rows = [fields | {"id": f"{n:032x}", "secret_sha256": f"{n:064x}"} for n in range(MAX_KEYS - 2)]
    await sql(settings, insert(ApiKeyRow).values(rows))
    last, _ = await catalog.api_keys.create_for(rita, "rita")
    with pytest.raises(InvalidRequest, match=str(MAX_KEYS)):
        await catalog.api_keys.create_for(rita, "rita")
    await catalog.api_keys.revoke(last.id, "rita")
    for impossible in (datetime.min.replace(tzinfo=EAST), datetime.max.replace(tzinfo=WEST)):
        with pytest.raises(InvalidRequest, match="ISO 8601"):
            await catalog.api_keys.create_for(rita, "rita", expires_at=impossible)
    await catalog.api_keys.create_for(rita, "rita", expires_at=now() - timedelta(days=1))
    await catalog.api_keys.create_for(rita, "rita")
    assert await catalog.api_keys.all(subject="nobody") == []
