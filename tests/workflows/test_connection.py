"""Connections to Temporal: TLS, client certificates and API keys by Temporal's own variables."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import traceback
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from activities.errors import TemporalRefused, TemporalUnavailable
from activities.runtime import temporal
from activities.runtime.temporal import connect
from activities.settings import TemporalSettings, load
from api.stack.probes import temporal_ready


@dataclass(frozen=True)
class Secured:
    """A TLS address before the server that requires a client certificate, and the files for it."""

    address: str
    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        """Temporal's own variables for this server."""
        return {
            "TEMPORAL_ADDRESS": self.address,
            "TEMPORAL_TLS_SERVER_NAME": "temporal.example.org",
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(self.folder / "ca.pem"),
            "TEMPORAL_TLS_CLIENT_CERT_PATH": str(self.folder / "client.pem"),
            "TEMPORAL_TLS_CLIENT_KEY_PATH": str(self.folder / "client.key"),
        }


def openssl(folder: Path, *arguments: str) -> None:
    """Run openssl in a folder."""
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def certify(folder: Path) -> None:
    """Create a certificate authority, and certificates of a server and of a client signed by it."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    usage = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    openssl(
        folder, "req", "-x509", *key, "-subj", "/CN=ca", "-days", "2", *usage, "-keyout", "ca.key", "-out", "ca.pem"
    )
    for name, host in (("server", "temporal.example.org"), ("client", "worker")):
        (folder / "names").write_text(f"subjectAltName=DNS:{host}")
        openssl(folder, "req", *key, "-subj", f"/CN={host}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem")


@pytest.fixture
async def secured(temporal_server: TemporalSettings, tmp_path: Path) -> AsyncIterator[Secured]:
    """The server behind TLS that requires a client certificate (mTLS)."""
    certify(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    tls.load_verify_locations(tmp_path / "ca.pem")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.set_alpn_protocols(["h2"])
    port = int(temporal_server.address.rpartition(":")[2])

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    yield Secured(f"127.0.0.1:{proxy.sockets[0].getsockname()[1]}", tmp_path)
    proxy.close()


async def test_a_secured_server_is_reached_with_temporals_own_variables(secured: Secured) -> None:
    """Certificates from files, from the variables themselves, and from a profile of a configuration file."""
    settings = load(secured.variables)
    assert await temporal.describe(await connect(settings.temporal), "no/such") is None
    assert await temporal.describe(await connect(settings.temporal, lazy=True), "no/such") is None
    assert await temporal_ready(settings)
    data = {
        name.replace("_PATH", "_DATA"): Path(value).read_text() if name.endswith("_PATH") else value
        for name, value in secured.variables.items()
    }
    assert await temporal_ready(load(data))
    names = {"server_ca_cert_path": "ca.pem", "client_cert_path": "client.pem", "client_key_path": "client.key"}
    lines = ["[profile.secured.tls]", 'server_name = "temporal.example.org"']
    lines += [f'{name} = "{secured.folder / file}"' for name, file in names.items()]
    (secured.folder / "temporal.toml").write_text("\n".join(lines))
    file = {"TEMPORAL_CONFIG_FILE": str(secured.folder / "temporal.toml"), "TEMPORAL_PROFILE": "secured"}
    assert await temporal_ready(load(file | {"HOLDFAST_TEMPORAL_ADDRESS": secured.address}))


@pytest.mark.parametrize(
    "missing",
    [
        ("TEMPORAL_TLS_SERVER_CA_CERT_PATH",),
        ("TEMPORAL_TLS_SERVER_NAME",),
        ("TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_CLIENT_KEY_PATH"),
    ],
    ids="/".join,
)
async def test_neither_side_is_trusted_without_its_certificate(secured: Secured, missing: tuple[str, ...]) -> None:
    """A server with another authority or name is rejected, and it rejects a client without a certificate."""
    environ = {name: value for name, value in secured.variables.items() if name not in missing}
    with pytest.raises(TemporalUnavailable):
        await connect(load(environ).temporal)


@pytest.fixture
async def keyed() -> AsyncIterator[tuple[dict[str, str], list[tuple[str | None, str | None]]]]:
    """Variables for a plaintext server that accepts one API key, and the (key, metadata) pairs that it receives."""
    heard: list[tuple[str | None, str | None]] = []

    async def answer(request: bytes, context: Any) -> bytes:
        metadata = dict(context.invocation_metadata())
        heard.append((metadata.get("authorization"), metadata.get("x-team")))
        if metadata.get("authorization") != "Bearer the-key":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the key is not known")
        return b""

    class Greet(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Greet(),))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield {"HOLDFAST_TEMPORAL_ADDRESS": address, "TEMPORAL_TLS": "false", "TEMPORAL_GRPC_META_X_TEAM": "search"}, heard
    await server.stop(None)


async def test_an_api_key_is_sent_with_every_call(
    keyed: tuple[dict[str, str], list[tuple[str | None, str | None]]],
) -> None:
    """As a bearer token, with the configured metadata."""
    environ, heard = keyed
    client = await connect(load(environ | {"TEMPORAL_API_KEY": "the-key"}).temporal)
    await client.get_workflow_handle("any").signal("more")
    assert heard == [("Bearer the-key", "search")] * 2


async def test_an_api_key_that_is_refused_is_no_outage(
    keyed: tuple[dict[str, str], list[tuple[str | None, str | None]]],
) -> None:
    """The error repeats the server's message, on connect or on a lazy client's first call, never the key."""
    key = "-".join(["hush"] * 2)
    settings = load(keyed[0] | {"TEMPORAL_API_KEY": key}).temporal
    late = await connect(settings, lazy=True)
    for call in (connect(settings), temporal.signal(late, "any", "more")):
        with pytest.raises(TemporalRefused, match="the key is not known") as caught:
            await call
        assert key not in "".join(traceback.format_exception(caught.value))
    assert not await temporal_ready(load(keyed[0]))
