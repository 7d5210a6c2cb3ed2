"""An S3 server in the tests' own process."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import obstore
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer
from obstore.store import S3Store


class Bucket:
    """A bucket of a running server; objects are written through a client of its own."""

    def __init__(self, url: str, server: ThreadedMotoServer) -> None:
        self.url, self._server = url, server
        self.name = f"library-{uuid.uuid4().hex}"  # servers of one process share their buckets
        httpx.put(f"{url}/{self.name}", trust_env=False).raise_for_status()
        self._store = S3Store(
            self.name,
            endpoint=url,
            access_key_id="test",
            secret_access_key="test",
            region="us-east-1",
            client_options={"allow_http": True},
        )

    def put(self, objects: Mapping[str, str]) -> None:
        """Write objects by key."""
        for key, text in objects.items():
            obstore.put(self._store, key, text.encode())

    def put_raw(self, *paths: str) -> None:
        """Write objects whose keys the client would refuse, by the paths of their addresses; empty ones end with /."""
        for path in paths:
            content = "" if path.endswith("/") else "x"
            httpx.put(f"{self.url}/{self.name}/{path}", content=content, trust_env=False).raise_for_status()

    def delete(self, *keys: str) -> None:
        """Delete objects."""
        for key in keys:
            obstore.delete(self._store, key)

    def stop(self) -> None:
        """End the server."""
        self._server.stop()


def date_back(bucket: str, key: str, timestamp: float) -> None:
    """Let an object be from this POSIX time."""
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[bucket].keys[key].last_modified = datetime.fromtimestamp(
        timestamp, UTC
    ).replace(tzinfo=None)


@contextmanager
def serving_s3() -> Iterator[Bucket]:
    """A server with an empty bucket, to which the ``AWS_…`` variables lead."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    variables = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield Bucket(url, server)
    server.stop()
