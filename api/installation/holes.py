"""Versions of servers with known holes, as far as this release knows; renewed with the pins in docker-compose.yml."""

from __future__ import annotations

import re
from typing import NamedTuple

from api.client.problems import Message
from api.installation.findings import Finding, Text

Version = tuple[int, ...]


class Least(NamedTuple):
    """The least version of a server that has no hole known here, and what it is called."""

    version: Version
    name: str


#: Triton: code execution by a bypass of authentication before 26.03, further ones before 26.07 (server 2.71).
TRITON = Least((2, 71), "26.07")

#: Milvus: a critical hole of its Go before 2.6.14, wrong BM25 results before 2.6.15.
MILVUS = Least((2, 6, 17), "2.6.17")

#: Temporal: holes of its Go before 1.29.4.
TEMPORAL = Least((1, 29, 4), "1.29.4")

#: PostgreSQL, by major version: the security releases of August 2026.
POSTGRESQL = {
    14: Least((14, 24), "14.24"),
    15: Least((15, 19), "15.19"),
    16: Least((16, 15), "16.15"),
    17: Least((17, 11), "17.11"),
    18: Least((18, 5), "18.5"),
}


def version_of(text: str) -> Version:
    """The numbers at the beginning of a version, also after a ``v``; empty if there are none."""
    found = re.match(r"v?(\d{1,9}(?:\.\d{1,9})*)", text.strip())
    return tuple(map(int, found[1].split("."))) if found else ()


def temporal(text: str) -> Finding:
    """What is known of a Temporal server of this version."""
    return _compared("Temporal", text, TEMPORAL)


def milvus(text: str) -> Finding:
    """What is known of a Milvus of this version."""
    return _compared("Milvus", text, MILVUS)


def triton(text: str, *, embedded: bool) -> Finding:
    """What is known of a Triton of this version, which is empty for the embedded one.

    There is none without holes for the embedded one. They need its load API, which is closed, or a request of a
    stranger, and it listens on this machine only.
    """
    if embedded and version_of(text) < TRITON.version:
        return Finding(
            "Triton", True, text or Message("doctor.embedded"), Message("doctor.triton_embedded", least=TRITON.name)
        )
    return _compared("Triton", text or Message("doctor.untold"), TRITON)


def postgresql(text: str) -> Finding:
    """What is known of a PostgreSQL of this version."""
    found = version_of(text)
    if not found or found[0] > max(POSTGRESQL):
        return Finding("PostgreSQL", True, text)
    return _compared("PostgreSQL", text, POSTGRESQL.get(found[0], POSTGRESQL[min(POSTGRESQL)]))


def _compared(name: Text, text: Text, least: Least) -> Finding:
    found = version_of(text) if isinstance(text, str) else ()
    if not found or found >= least.version:
        return Finding(name, True, text)
    return Finding(name, False, text, Message("doctor.too_old", least=least.name))
