"""Calls to Temporal: every status of the server has one meaning, and what is not there is no outage."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from temporalio.api.workflowservice.v1 import GetSystemInfoResponse
from temporalio.client import Client
from temporalio.service import RetryConfig, RPCStatusCode

from activities.contracts.deletion import DeleteJob
from activities.errors import TemporalRefused, TemporalUnavailable
from activities.runtime import temporal
from activities.runtime.temporal import ERRORS, RunNotFound
from activities.settings import Settings, TemporalSettings, load
from api.stack.parts import SEARCH_ATTRIBUTES
from api.stack.probes import temporal_ready
from api.stack.processes import free_port
from tests.conftest import assert_eventually
from workflows.client.connection import connect
from workflows.client.jobs import Jobs

#: Calls fail at once instead of trying for ten seconds.
ONCE = RetryConfig(initial_interval_millis=1, max_retries=1, max_elapsed_time_millis=1)


@pytest.fixture(scope="module")
def dev_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporalSettings]:
    """A Temporal server of its own, without workers."""
    settings = TemporalSettings(address=f"127.0.0.1:{free_port()}")
    argv = [str(Path(sys.executable).parent / "temporal"), "server", "start-dev", "--headless", "--log-level", "error"]
    argv += [part for name in SEARCH_ATTRIBUTES for part in ("--search-attribute", f"{name}=Keyword")]
    argv += ["--port", settings.address.rpartition(":")[2]]
    log = tmp_path_factory.mktemp("temporal") / "log"
    with log.open("w") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT)
    yield settings
    process.terminate()
    process.wait(20)


@pytest.fixture
async def server(dev_server: TemporalSettings) -> TemporalSettings:
    """The same, once it answers."""

    async def answers() -> bool:
        return await temporal_ready(Settings(temporal=dev_server))

    await assert_eventually(answers)
    return dev_server


@pytest.fixture
async def refusing() -> AsyncIterator[tuple[Client, list[grpc.StatusCode]]]:
    """A client, and the status with which its server answers everything but the greeting."""
    answers: list[grpc.StatusCode] = []

    async def answer(request: bytes, context: Any) -> bytes:
        await context.abort(answers[0], "the reason\nand more")
        raise AssertionError

    async def greet(request: bytes, context: Any) -> bytes:
        return GetSystemInfoResponse().SerializeToString()

    class Refuse(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(greet if details.method.endswith("GetSystemInfo") else answer)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Refuse(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield await Client.connect(f"127.0.0.1:{port}", retry_config=ONCE), answers
    await server.stop(None)


def test_the_error_table_is_complete() -> None:
    """Every status that the SDK knows, but OK, has its meaning here."""
    assert set(ERRORS) == set(RPCStatusCode) - {RPCStatusCode.OK}


@pytest.mark.parametrize("status", list(ERRORS), ids=lambda status: status.name)
async def test_each_status_is_translated(refusing: tuple[Client, list[grpc.StatusCode]], status: RPCStatusCode) -> None:
    """What raises has the table's type; a refusal repeats the first line of the server's words."""
    client, answers = refusing
    answers.append(grpc.StatusCode[status.name])
    with pytest.raises((TemporalUnavailable, TemporalRefused, RunNotFound)) as caught:
        async with temporal.translated():
            await client.get_workflow_handle("any").describe()
    assert type(caught.value) is ERRORS[status]
    if isinstance(caught.value, TemporalRefused):
        assert caught.value.reason.params == {"detail": "the reason"}


async def test_a_server_that_is_not_there_is_an_outage() -> None:
    """Also at the first call of a client that connects late."""
    nowhere = TemporalSettings(address=f"127.0.0.1:{free_port()}")
    with pytest.raises(TemporalUnavailable):
        await connect(nowhere)
    with pytest.raises(TemporalUnavailable):
        await temporal.is_running(await connect(nowhere, lazy=True), "any")
    with pytest.raises(TemporalUnavailable):
        await Jobs(await connect(nowhere, lazy=True)).ensure_available()


async def test_what_is_not_there_is_no_outage(server: TemporalSettings) -> None:
    """Describing, canceling, signalling and querying say so in their results."""
    client = await connect(server)
    assert await temporal.describe(client, "no/such") is None
    assert not await temporal.is_running(client, "no/such")
    assert not await temporal.cancel(client, "no/such")
    assert not await temporal.signal(client, "no/such", "pause")
    assert await temporal.query(client, "no/such", "state", dict) is None


async def test_a_missing_namespace_is_not_a_missing_run(server: TemporalSettings) -> None:
    """Otherwise all runs would be taken for ended when a namespace is misspelt."""
    client = await connect(TemporalSettings(address=server.address, namespace="elsewhere"))
    with pytest.raises(TemporalRefused, match="elsewhere"):
        await temporal.describe(client, "any")


async def test_a_start_begins_what_is_not_running_and_joins_what_is(server: TemporalSettings) -> None:
    """The same id is the same run; a signal reaches it in either case, and a canceled one can begin anew."""
    client = await connect(server)
    job = DeleteJob(knowledge_base_id="k", knowledge_base="kb", document_id="d", document_name="a.txt", actor="ada")

    async def start() -> str:
        attributes = temporal.attributes(None, "ada")
        return await temporal.start(
            client, "DeleteDocument", job, "delete/d", "Delete" * 100, attributes, first_signal="more"
        )

    assert await start() == await start() == "delete/d"
    run = await temporal.describe(client, "delete/d")
    assert run is not None
    assert run.typed_search_attributes == temporal.attributes(None, "ada")
    signals = [event async for event in client.get_workflow_handle("delete/d").fetch_history_events()]
    assert sum(event.HasField("workflow_execution_signaled_event_attributes") for event in signals) == 2
    await client.get_workflow_handle("delete/d").terminate()
    assert not await temporal.is_running(client, "delete/d")
    assert not await temporal.signal(client, "delete/d", "more")
    await start()
    assert await temporal.cancel(client, "delete/d")


# --- secured servers -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Secured:
    """A TLS address before the server that takes nobody without a client certificate, and the files for it."""

    address: str
    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        """What Temporal's own tools would be told."""
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
    """A certificate authority, and certificates of a server and of a client by it."""
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
async def secured(server: TemporalSettings, tmp_path: Path) -> AsyncIterator[Secured]:
    """The server behind TLS that asks for a client certificate (mTLS)."""
    certify(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    tls.load_verify_locations(tmp_path / "ca.pem")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.set_alpn_protocols(["h2"])
    port = int(server.address.rpartition(":")[2])

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
    """A server whose authority or name is another is not talked to; one that asks who we are refuses a stranger."""
    environ = {name: value for name, value in secured.variables.items() if name not in missing}
    with pytest.raises(TemporalUnavailable):
        await connect(load(environ).temporal)


@pytest.fixture
async def keyed() -> AsyncIterator[tuple[dict[str, str], list[tuple[str | None, str | None]]]]:
    """The variables of a server that knows one API key, without TLS, and what it hears: the key, and a team's name."""
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
    """As a bearer token, with the metadata that was asked for."""
    environ, heard = keyed
    client = await connect(load(environ | {"TEMPORAL_API_KEY": "the-key"}).temporal)
    await client.get_workflow_handle("any").signal("more")
    assert heard == [("Bearer the-key", "search")] * 2


async def test_an_api_key_that_is_refused_is_no_outage(
    keyed: tuple[dict[str, str], list[tuple[str | None, str | None]]],
) -> None:
    """The error says what the server said, at once or at a late client's first call, and never the key."""
    key = "-".join(["hush"] * 2)
    settings = load(keyed[0] | {"TEMPORAL_API_KEY": key}).temporal
    late = await connect(settings, lazy=True)
    for call in (connect(settings), temporal.signal(late, "any", "more")):
        with pytest.raises(TemporalRefused, match="the key is not known") as caught:
            await call
        assert key not in "".join(traceback.format_exception(caught.value))
    assert not await temporal_ready(load(keyed[0]))
