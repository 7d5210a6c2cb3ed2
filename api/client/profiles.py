"""Sign-ins of this user: addresses with their keys, in the user's configuration.

``holdfast login`` writes them, so that the command line works from any folder. One of them is the current one.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec

from api.client import private_files
from api.client.problems import Problem

LOOPBACK = ("127.0.0.1", "localhost", "::1")

#: How often a process asks for a lock that another one has.
LOCK_SECONDS = 0.05


class Profile(msgspec.Struct, frozen=True, omit_defaults=True):
    """An address and the key for it, which is sent nowhere else. A secret.

    Of a ``user`` that signed in with a password, the key is an access token, which ends at ``expires_at`` (seconds) and
    is renewed with the refresh token.
    """

    url: str
    key: str
    user: str = ""
    refresh_token: str = ""
    expires_at: float = 0


class Profiles(msgspec.Struct, frozen=True):
    """All sign-ins by their names; ``current`` is empty if none is chosen."""

    current: str = ""
    profiles: dict[str, Profile] = {}

    def using(self, name: str) -> Profiles:
        """With this one as the current one."""
        return msgspec.structs.replace(self, current=name)

    def adding(self, name: str, profile: Profile) -> Profiles:
        """With this one as well, which becomes the current one."""
        return Profiles(name, {**self.profiles, name: profile})

    def keeping(self, name: str, profile: Profile) -> Profiles:
        """With new tokens of this one."""
        return msgspec.structs.replace(self, profiles={**self.profiles, name: profile})

    def without(self, name: str) -> Profiles:
        """Without this one; then none is current if it was."""
        kept = {other: profile for other, profile in self.profiles.items() if other != name}
        return Profiles("" if self.current == name else self.current, kept)

    def name_of(self, url: str, *, named: bool = True) -> str:
        """The name of a sign-in at an address, the current one first; empty if there is none."""
        names = sorted(self.profiles, key=lambda name: name != self.current)
        return next((name for name in names if same_place(self.profiles[name].url, url, named=named)), "")


def file() -> Path:
    """Where they are kept."""
    return Path(click.get_app_dir("holdfast")) / "profiles.json"


def read() -> Profiles:
    """All of them; none if there is no file. Raises Problem."""
    path = file()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Profiles)
    except FileNotFoundError:
        return Profiles()
    except OSError as exc:
        raise Problem("unreadable", path=path, detail=exc.strerror) from exc
    except msgspec.DecodeError as exc:
        raise Problem("profiles-broken", path=path) from exc


def write(profiles: Profiles) -> None:
    """Keep them in a file that only this user may read, in a folder that only this user may enter. Raises Problem."""
    path = file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        private_files.write(path, msgspec.json.format(msgspec.json.encode(profiles)).decode())
    except OSError as exc:
        raise Problem("unwritable", path=path, detail=exc.strerror) from exc


@asynccontextmanager
async def locked() -> AsyncIterator[None]:
    """For one process of this user at a time. Raises Problem."""
    path = file().with_suffix(".lock")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise Problem("unwritable", path=path, detail=exc.strerror) from exc
    try:
        while not _is_taken(handle):  # noqa: ASYNC110 - another process has it
            await asyncio.sleep(LOCK_SECONDS)
        yield
    finally:
        os.close(handle)


def _is_taken(handle: int) -> bool:
    """Whether the lock of a file could be taken."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def address(text: str) -> str:
    """An address as it is kept: with its scheme, without a slash at the end. Raises Problem."""
    text = text.strip()
    parts = urlsplit(text if "://" in text else f"https://{text}")
    try:
        port = parts.port
    except ValueError as exc:
        raise Problem("no-address", url=text) from exc
    is_plain = text.isprintable() and not set(text) & set(" @?#\\")
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
        raise Problem("no-address", url=text)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path.rstrip('/')}"


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own."""
    return urlsplit(url).hostname in LOOPBACK


def same_place(one: str, other: str, *, named: bool = True) -> bool:
    """Whether two addresses are the same place.

    Of one that the user ``named``, any name of this machine is; one that a file names has to be the same to the letter,
    since another user may have another program at the same port of ``::1``.
    """
    if one == other or not named:
        return one == other
    parts = [urlsplit(url) for url in (one, other)]
    return is_loopback(one) and is_loopback(other) and len({(each.scheme, each.port, each.path) for each in parts}) == 1
