"""The first administrator, whom the first `holdfast up` makes, with a password that is shown once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from argon2 import PasswordHasher

from activities.errors import NameInUse
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.people.records import NewUser
from api.client.problems import Message

NAME = "admin"


async def introduce(settings: Settings, tell: Callable[[Message], None]) -> None:
    """Create the user and tell the password, if there is no user and never was one.

    Only the hash of the password is stored, and it has to be changed at the first sign-in.
    """
    catalog = Catalog(settings.catalog_url)
    try:
        if await catalog.users.count():
            return
        password = secrets.token_urlsafe(15)
        hashed = await asyncio.to_thread(PasswordHasher().hash, password)
        new = NewUser(name=NAME, roles=("admin",), password_hash=hashed, must_change_password=True)
        await catalog.users.create(new, NAME)
    except NameInUse:  # another `holdfast up` with this catalogue was faster
        return
    finally:
        await catalog.close()
    tell(Message("up.first_user", name=NAME, password=password))
