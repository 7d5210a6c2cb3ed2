"""Requests that lead elsewhere: names that are paths, packed bodies, and addresses that a server would fetch."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest

from activities.contracts.names import clean_name
from activities.errors import HoldfastError
from activities.settings import SyncSettings
from activities.stores.blobs import Blobs
from activities.sync.places import place_of
from api.http.ranges import content_response
from tests.activities.webhooks.test_addresses import NOT_PUBLIC
from tests.api.http.test_access import IsolatedApi, isolated_api
from tests.attacks.test_files import POLYGLOTS

__all__ = ["isolated_api"]  # a fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]

#: Ways to write "the folder above", which names and addresses meet.
PATHS = [
    "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "..%252f..%252fetc%252fpasswd", "....//....//etc/passwd",
    "/etc/passwd", "//etc/passwd", "..\\..\\etc\\passwd", "%2e%2e/%2e%2e/etc/passwd", "..;/..;/etc/passwd",
    "\u2025/\u2025/etc/passwd", "file:///etc/passwd", "~root/.bashrc", "..%c0%af..%c0%afetc/passwd",
]  # fmt: skip

#: Routes with a name or an id in them.
NAMED = [
    "/api/v1/knowledge-bases/{}", "/api/v1/knowledge-bases/{}/documents", "/api/v1/documents/{}/content",
    "/api/v1/documents/{}", "/api/v1/batches/{}", "/api/v1/conversations/{}/export", "/api/v1/questions/{}",
    "/api/v1/schedules/{}", "/api/v1/webhooks/{}", "/api/v1/sources/{}", "/v1/models/{}", "/api/v1/audit/questions/{}",
    "/web/{}", "/schema-assets/{}", "/schema/{}",
]  # fmt: skip


def caller(api: IsolatedApi, role: str = "admin") -> httpx.AsyncClient:
    """A client with the key of a role."""
    headers = {"Authorization": f"Bearer {api.keys[role]}"}
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://holdfast", headers=headers, timeout=30)


@pytest.mark.parametrize("route", NAMED)
async def test_an_address_is_no_path(isolated_api: IsolatedApi, route: str) -> None:
    """Nothing of this machine is read by it, and nothing breaks."""
    async with caller(isolated_api) as client:
        for path in PATHS:
            for asked in (route.format(path), route.format(path.replace("/", "%2F"))):
                answer = await client.get(asked)
                assert answer.status_code in (200, 400, 404, 405), (asked, answer.status_code)
                assert "root:" not in answer.text


@pytest.mark.parametrize("path", PATHS)
def test_a_document_name_stays_relative(path: str) -> None:
    """It keeps its folders and never leaves them."""
    parts = clean_name(path).split("/")
    assert not {"", ".", ".."} & set(parts)
    assert "\\" not in "".join(parts)


async def test_names_in_bodies_are_no_paths(isolated_api: IsolatedApi) -> None:
    """Of knowledge bases, batches and schedules; a tag or a title may look as it likes, as it is text."""
    async with caller(isolated_api) as client:
        for path in PATHS:
            made = await client.post("/api/v1/knowledge-bases", json={"name": path})
            assert made.status_code == 400, path
            body = {"name": path, "kind": "reindex", "knowledge_base": "handbook", "every_minutes": 5}
            assert (await client.post("/api/v1/schedules", json=body)).status_code == 400, path


async def test_a_packed_body_is_not_unpacked(isolated_api: IsolatedApi) -> None:
    """A gzip bomb costs its own size: what is packed is not JSON."""
    packed = gzip.compress(b'{"query": "' + b" " * (64 << 20) + b'"}')
    async with caller(isolated_api) as client:
        for coding in ("gzip", "deflate", "br", "zstd"):
            headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
            answer = await client.post("/api/v1/knowledge-bases/handbook/search", content=packed, headers=headers)
            assert answer.status_code in (400, 413, 415), coding


@pytest.mark.parametrize("name", POLYGLOTS)
async def test_an_original_is_never_shown(tmp_path: Path, name: str) -> None:
    """Not even one that is a picture or a page as well."""
    blobs = Blobs(tmp_path.as_uri())
    await blobs.create("original", POLYGLOTS[name])
    for asked in (None, "bytes=0-"):
        answer = await content_response(blobs, "original", name, asked)
        assert answer.media_type == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="{name}"')


# --- addresses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_a_webhook_does_not_lead_inside(isolated_api: IsolatedApi, scheme: str) -> None:
    """When it is made and when it is changed; nothing is recorded."""
    async with caller(isolated_api, "manager") as client:
        before = (await client.get("/api/v1/webhooks")).json()
        (webhook, *_) = [each["id"] for each in before["items"]]
        for address in (*NOT_PUBLIC, "localhost", "metadata.google.internal", "127.1", "0x7f000001"):
            url = f"{scheme}://{f'[{address}]' if ':' in address else address}/hook"
            made = await client.post("/api/v1/webhooks", json={"url": url, "knowledge_base": "handbook"})
            assert made.status_code == 400, url
            changed = await client.patch(f"/api/v1/webhooks/{webhook}", json={"url": url})
            assert changed.status_code == 400, url
        assert (await client.get("/api/v1/webhooks")).json() == before


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest", "s3://169.254.169.254:80/x", "s3://user@evil.example/x", "s3://a/../b",
        "s3://a?endpoint=http://evil.example/", "s3://a#b", "gs://bucket/x", "az://container", "memory:///x",
        "file:///etc", "//server/share", "\\\\server\\share", "ftp://evil.example/x", "s3://", "s3:///etc",
        "s3://A/b", "s3://a/b\r\nHost: evil",
    ],
)  # fmt: skip
def test_a_source_has_no_address_of_its_own(location: str) -> None:
    """A place is a folder or a bucket's name below those of the operator; where the buckets are is not for users."""
    with pytest.raises(HoldfastError):
        place_of(location, SyncSettings(folders="/srv/docs", buckets="s3://docs"))
