"""Where sources may be: locations are read here, and held against the settings, without a look at what is there."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from activities.errors import InvalidRequest, SyncNotAllowed
from activities.phrases import Phrase
from activities.settings import SyncSettings

_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[^/]+)*)/?")


class Folder(NamedTuple):
    """A folder: ``parts`` below ``root``, which an operator named."""

    root: str
    parts: tuple[str, ...]


class Prefix(NamedTuple):
    """What lies below ``parts`` in a bucket."""

    bucket: str
    parts: tuple[str, ...]


def parse_location(location: str) -> tuple[str, Prefix | tuple[str, ...]]:
    """The location in its one spelling, and what it names: a prefix, or the parts of a folder's path.

    Raises InvalidRequest for what names neither, or steps out by ``..``.
    """
    if location.startswith("s3://"):
        prefix = _prefix(location)
        return f"s3://{'/'.join((prefix.bucket, *prefix.parts))}", prefix
    parts = _parts(location)
    return f"/{'/'.join(parts)}", parts


def place_of(location: str, settings: SyncSettings) -> Folder | Prefix:
    """The place that a source is read from. Raises SyncNotAllowed unless the settings allow it, and InvalidRequest."""
    _, named = parse_location(location)
    if isinstance(named, Prefix):
        for allowed in map(_prefix, _listed(settings.buckets)):
            if allowed.bucket == named.bucket and named.parts[: len(allowed.parts)] == allowed.parts:
                return named
        raise SyncNotAllowed(setting="HOLDFAST_SYNC_BUCKETS")
    roots = sorted(map(_parts, _listed(settings.folders)), key=len, reverse=True)
    for root in roots:
        if named[: len(root)] == root:
            return Folder(f"/{'/'.join(root)}", named[len(root) :])
    raise SyncNotAllowed(setting="HOLDFAST_SYNC_FOLDERS")


def _listed(setting: str) -> list[str]:
    return [entry.strip() for entry in setting.split(",") if entry.strip()]


def _prefix(location: str) -> Prefix:
    found = _BUCKET.fullmatch(location)
    parts = tuple(found[2].split("/")[1:]) if found else ()
    if found is None or not _are_names(parts):
        raise InvalidRequest(detail=Phrase.LOCATION_FORM)
    return Prefix(found[1], parts)


def _parts(path: str) -> tuple[str, ...]:
    parts = tuple(path.rstrip("/").split("/")[1:])
    if not path.startswith("/") or not _are_names(parts):
        raise InvalidRequest(detail=Phrase.LOCATION_FORM)
    return parts


def _are_names(parts: tuple[str, ...]) -> bool:
    return all(part not in ("", os.curdir, os.pardir) and part.isprintable() for part in parts)
