"""What `holdfast doctor` finds in settings and servers; the live servers are looked at in ``tests/api/backup``."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from activities.settings import Settings, load
from activities.stores.catalog.revision import REVISIONS
from api.cli.texts.messages import text_of
from api.client.problems import Message
from api.installation import holes
from api.installation.contradictions import RULES, contradictions
from api.installation.findings import Finding, Text
from api.installation.servers import servers
from api.installation.space import space
from tests import http_server
from tests.ports import free_port
from tests.stores.catalog.conftest import sql

#: Settings that contradict each other, one for each rule in its order; all other settings are the defaults.
CONTRADICTING = (
    {"METRICS_PORT": "9100"},
    {"API_MAX_PENDING": "10"},
    {"API_MAX_UPLOADS": "10"},
    {"PARSE_MAX_SECONDS": "10"},
    {"RECONCILE_MINUTES": "0", "RECONCILE_KEEP_VERSIONS_DAYS": "7"},
    {"ARCHIVE_MINUTES": "0", "ARCHIVE_KEEP_DAYS": "7"},
    {"GENERATE_API_KEY": "secret"},
    {"GENERATE_MODEL": "http://127.0.0.1/v1#m", "GENERATE_API_KEY": "secret", "GENERATE_API_KEY_FILE": "/key"},
    {"OIDC_CLIENT_ID": "holdfast"},
    {"OIDC_ISSUER": "https://sso.example.org", "OIDC_CLIENT_ID": "holdfast"},
    {"OIDC_ADMIN_GROUPS": "admins", "OIDC_GROUPS_CLAIM": ""},
    {"PUBLIC_URL": "https://kb.example.org", "API_HOST": "0.0.0.0"},
    {"SYNC_FOLDERS": "/srv", "DATA": "/srv/holdfast"},
    {"CATALOG_URL": "postgresql+asyncpg://db/holdfast", "TEMPORAL_ADDRESS": "temporal:7233"},
)


def given(values: dict[str, str]) -> Settings:
    """Settings of an environment with these values."""
    return load({f"HOLDFAST_{name}": value for name, value in values.items()})


def shown(text: Text) -> str:
    """A text in English."""
    return text if isinstance(text, str) else text_of(text)


def test_defaults_contradict_nothing() -> None:
    """One good line says so."""
    (finding,) = contradictions(given({}))
    assert finding.ok


@pytest.mark.parametrize("number", range(len(RULES)))
def test_each_contradiction_is_found(number: int) -> None:
    """By its own rule alone; the settings are named, and what to do."""
    found = list(contradictions(given(CONTRADICTING[number])))
    _, names, do = RULES[number]
    assert [(each.ok, each.found, each.do) for each in found] == [
        (False, ", ".join(f"HOLDFAST_{name}" for name in names), do)
    ]


@pytest.mark.parametrize(
    ("finding", "ok"),
    [
        (holes.temporal("1.32.0"), True),
        (holes.temporal("1.29.3"), False),
        (holes.temporal("1.29.4-154.2"), True),
        (holes.milvus("v2.6.16"), False),
        (holes.milvus("v2.6.22"), True),
        (holes.triton("2.51.0", embedded=False), False),
        (holes.triton("2.51.0", embedded=True), True),
        (holes.triton("2.71.0", embedded=False), True),
        (holes.triton("", embedded=True), True),
        (holes.triton("", embedded=False), True),
        (holes.postgresql("16.14 (Debian 16.14-1)"), False),
        (holes.postgresql("16.15"), True),
        (holes.postgresql("12.22"), False),
        (holes.postgresql("19beta1"), True),
        (holes.milvus("9" * 5000), True),
    ],
    ids=lambda value: shown(value.found)[:40] if isinstance(value, Finding) else None,
)
def test_known_holes(finding: Finding, ok: bool) -> None:
    """Older servers than the table's are not in order, and the line says which to use."""
    assert finding.ok == ok
    assert ok or isinstance(finding.do, Message)


def test_an_embedded_server_with_holes_says_what_keeps_it_safe() -> None:
    """It is in order as long as nobody opens it."""
    do = holes.triton("2.51.0", embedded=True).do
    assert do is not None
    assert "26.07" in text_of(do)


def test_room_is_told_with_what_is_used(tmp_path: Path) -> None:
    """Of the folder that is there already, if the data folder is not."""
    (tmp_path / "file").write_bytes(b"0" * 200_000_000)
    (finding,) = space(given({"DATA": str(tmp_path)}))
    assert "takes 0.2 GB" in shown(finding.found)
    (finding,) = space(given({"DATA": str(tmp_path / "not" / "there")}))
    assert "takes 0.0 GB" in shown(finding.found)


class LateApi(http_server.Quiet, BaseHTTPRequestHandler):
    """An API of another version whose clock is in the last century."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return "Fri, 31 Dec 1999 23:59:59 GMT"

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"info": {"version": "0.0.9"}}')


@pytest.fixture
def late_api() -> Iterator[str]:
    """Its URL."""
    with http_server.serving(LateApi) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def nowhere() -> dict[str, str]:
    """Settings of servers that do not run."""
    return {
        "API_PORT": str(free_port()),
        "TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}",
        "MILVUS_URI": f"http://127.0.0.1:{free_port()}",
        "TRITON_ADDRESS": f"127.0.0.1:{free_port()}",
    }


async def test_servers_that_do_not_answer_are_left_out(nowhere: dict[str, str], tmp_path: Path) -> None:
    """The API says whether they are ready."""
    assert await servers(given(nowhere | {"DATA": str(tmp_path)})) == []


async def test_another_clock_and_version_are_named(nowhere: dict[str, str], late_api: str, tmp_path: Path) -> None:
    """Those of the API, by its answers."""
    found = await servers(given(nowhere | {"DATA": str(tmp_path), "URL": late_api}))
    assert [shown(each.check) for each in found if not each.ok] == ["clock of API", "version of the API"]
    assert all(each.do for each in found)


class OtherServer(http_server.Quiet, BaseHTTPRequestHandler):
    """Something else that listens where the API should, and answers whatever is asked."""

    body = b""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return "Fri, 31 Dec 1999 23:59:59"

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"null", b'{"info": 1}', b"[" * 100_000, b"\xff\xfe["], ids=range(6)
)
async def test_what_is_no_api_is_left_out(nowhere: dict[str, str], tmp_path: Path, body: bytes) -> None:
    """Its answers are not what the API's would be, and its clock has no time zone."""
    with http_server.serving(type("Other", (OtherServer,), {"body": body})) as port:
        assert await servers(given(nowhere | {"DATA": str(tmp_path), "URL": f"http://127.0.0.1:{port}"})) == []


async def test_addresses_that_are_none_are_left_out(nowhere: dict[str, str], tmp_path: Path) -> None:
    """Whatever they lack; the settings are looked at all the same."""
    wrong = {"TEMPORAL_ADDRESS": "temporal", "TRITON_ADDRESS": "triton:x", "MILVUS_URI": "http://milvus:99999"}
    settings = given(nowhere | wrong | {"DATA": str(tmp_path)})
    assert await servers(settings) == []
    assert [each.ok for each in contradictions(given(wrong | {"CATALOG_URL": "postgresql+asyncpg://db/holdfast"}))] == [
        True
    ]


@pytest.mark.parametrize(("revision", "words"), [(REVISIONS[-2], "holdfast migrate"), ("9999", "newer release")])
async def test_the_catalogue_is_looked_at(
    nowhere: dict[str, str], postgresql_url: str, tmp_path: Path, revision: str, words: str
) -> None:
    """Its version, its clock, and whether its tables are those of this code."""
    settings = given(nowhere | {"DATA": str(tmp_path), "CATALOG_URL": postgresql_url})
    found = {shown(each.check): each for each in await servers(settings)}
    assert list(found) == ["PostgreSQL", "clock of PostgreSQL", "tables of the catalogue"]
    assert found["clock of PostgreSQL"].ok
    assert found["tables of the catalogue"].ok
    await sql(settings, f"UPDATE alembic_version SET version_num = '{revision}'")
    finding = (await servers(settings))[-1]
    assert not finding.ok
    assert finding.do is not None
    assert words in text_of(finding.do)
