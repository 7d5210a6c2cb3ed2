"""Whoever reaches the model server's port can ask for inference and health, and for nothing else."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from pathlib import Path

import grpc
import psutil  # type: ignore[import-untyped]
import pytest
from tritonclient.grpc import service_pb2

from activities.errors import TritonUnavailable
from activities.stores.triton import ChatMessage, Triton
from tests.conftest import Platform, assert_eventually
from tests.triton.conftest import TritonPython

HELLO = [ChatMessage("user", "Hello")]

SERVICE = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
OPEN = {"ServerLive", "ServerReady", "ModelReady", "ModelInfer", "ModelStreamInfer"}
CLOSED = sorted(method.name for method in SERVICE.methods if method.name not in OPEN)

CODE = """
import pathlib
pathlib.Path({marker!r}).touch()
class TritonPythonModel:
    def execute(self, requests): return []
"""


def tritonserver(platform: Platform) -> psutil.Process:
    return psutil.Process(platform.pid_of("triton"))


def secret(platform: Platform) -> tuple[str, str]:
    """Name and value of the header that opens what is closed, as every account of the machine can read it."""
    [option] = [each for each in tritonserver(platform).cmdline() if each.startswith("--grpc-restricted-protocol=")]
    name, _, value = option.rpartition(":")[2].partition("=")
    return f"triton-grpc-protocol-{name}", value


async def call(address: str, method: str, request: bytes = b"", *headers: tuple[str, str]) -> None:
    """Call a method of Triton with an encoded request. Raises grpc.aio.AioRpcError."""
    async with grpc.aio.insecure_channel(address) as channel:
        await channel.unary_unary(f"/{SERVICE.full_name}/{method}")(request, metadata=headers, timeout=20)


@pytest.mark.parametrize("method", CLOSED)
async def test_control_of_the_server_is_refused(triton_url: str, method: str) -> None:
    """Models, configuration, shared memory, statistics, traces and logs: every method that does not infer."""
    for headers in ((), (("triton-grpc-protocol-closed", "x"),), (("triton-grpc-protocol-admin-key", "x"),)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(triton_url, method, b"", *headers)
        assert "restricted" in (caught.value.details() or "")


async def test_a_model_with_code_in_it_is_refused(platform: Platform, triton_url: str, tmp_path: Path) -> None:
    """A stranger cannot have his Python run, not even with what the command line of the server shows."""
    marker = tmp_path / "code-has-run"
    request = service_pb2.RepositoryModelLoadRequest(model_name="stranger")
    request.parameters["config"].string_param = json.dumps({"backend": "python", "max_batch_size": 0})
    request.parameters["file:1/model.py"].bytes_param = CODE.format(marker=str(marker)).encode()
    name, value = secret(platform)
    for headers in ((), ((name.lower(), value),)):
        with pytest.raises(grpc.aio.AioRpcError, match="restricted"):
            await call(triton_url, "RepositoryModelLoad", request.SerializeToString(), *headers)
    encoded = request.SerializeToString()
    assert not await asyncio.to_thread(answered, triton_url, "RepositoryModelLoad", encoded, {name: value})
    assert await asyncio.to_thread(answered, triton_url, "ServerLive", b"", {})  # it would have come through
    assert not marker.exists()


async def test_the_server_speaks_no_http(platform: Platform, triton: Triton) -> None:
    """None of its ports, nor those of its models, takes the request of a web page that unloads a model."""
    async for _ in triton.generate(HELLO, {"max_tokens": 1}):
        pass  # loads the language model, which listens then
    server = tritonserver(platform)
    own = {int(platform.settings.triton.address.rpartition(":")[2]), platform.settings.triton.metrics_port}

    async def listening() -> set[int] | None:
        found = {
            connection.laddr.port
            for process in (server, *server.children(recursive=True))
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        return found if found > own else None  # the language model listens too, once it has been loaded

    for port in await assert_eventually(listening):
        assert not await asyncio.to_thread(posted, port, "/v2/repository/models/embed/unload")


async def test_inference_is_open(triton: Triton) -> None:
    """The platform describes its model, embeds and generates as ever."""
    await triton.ping()
    assert (await triton.embed(["text"])).shape == (1, (await triton.card()).dimension)
    assert [piece async for piece in triton.generate(HELLO, {"max_tokens": 3, "temperature": 0})]


@pytest.mark.parametrize("model", ["embed", "generate"])
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
async def test_a_model_whose_process_died_comes_back(
    platform: Platform, triton: Triton, model: str, busy: bool
) -> None:
    """By itself, as an outage that is waited for: a new server takes the place of the one that lost a model.

    Requests that it had taken end too; Triton would let them wait for ever. An embedding model that was loaded beside
    the default one is there again for the next request.
    """
    beside = await triton.named("tiny-96")
    await triton.embed(["text"], model=beside)
    server = tritonserver(platform)
    [process] = [each for each in server.children() if f"/{model}/1/model.py" in " ".join(each.cmdline())]
    requests = [asyncio.create_task(infer(triton, model, tokens=4000)) for _ in range(4 * busy)]
    if busy:
        await asyncio.wait(requests, timeout=1)
    process.kill()
    for request in requests:
        with pytest.raises(TritonUnavailable):
            await request

    async def serves() -> bool:
        try:
            await triton.ping()
            await infer(triton, "embed")
            await triton.embed(["text"], model=beside)
            await infer(triton, "generate")
        except TritonUnavailable:
            return False
        return bool(tritonserver(platform).pid != server.pid)

    await assert_eventually(serves)


async def infer(triton: Triton, model: str, tokens: int = 3) -> None:
    """One request; with many tokens it takes minutes."""
    if model == "embed":
        await triton.embed(["word " * 400] * min(tokens, 64))
    else:
        async for _ in triton.generate(HELLO, {"max_tokens": tokens, "temperature": 0, "ignore_eos": True}):
            pass


def test_the_key_of_each_start_is_another(triton_python: TritonPython) -> None:
    """It is made at the start, and its header's name has a capital, which HTTP/2 has no way to send."""
    script = """
import sys; sys.path.insert(0, "triton_models")
import serve
for _ in range(2):
    print([each for each in serve.command(*serve.arguments([])) if each.startswith("--grpc-restricted-protocol")][0])
"""
    first, second = triton_python("-c", script).splitlines()
    assert first != second
    assert first.rpartition(":")[2].partition("=")[0] != first.rpartition(":")[2].partition("=")[0].lower()


def posted(port: int, path: str) -> bool:
    """Whether a cross-site POST, as a form sends it, is taken."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: text/plain\r\n"
            "Content-Length: 2\r\nConnection: close\r\n\r\n{}".encode()
        )
        try:
            return connection.recv(64).startswith(b"HTTP/1.1 200")
        except ConnectionError:
            return False


def answered(address: str, method: str, request: bytes, headers: dict[str, str]) -> bool:
    """Whether a gRPC call is answered with a message.

    Written frame by frame (RFC 9113), because no client of HTTP/2 sends a header whose name has a capital.
    """

    def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload

    def literal(name: str, value: str) -> bytes:
        return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()

    data, head, reset, goaway, end = 0, 1, 3, 7, 0x1
    fields = {":method": "POST", ":scheme": "http", ":path": f"/{SERVICE.full_name}/{method}", ":authority": "x"}
    fields |= {"content-type": "application/grpc", "te": "trailers"} | headers
    message = struct.pack(">BI", 0, len(request)) + request
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection, connection.makefile("rb") as answer:
        connection.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + frame(4, 0, 0, b"")
            + frame(head, 0x4, 1, b"".join(literal(*field) for field in fields.items()))
            + frame(data, end, 1, message)
        )
        while len(prefix := answer.read(9)) == 9:
            kind, flags = prefix[3], prefix[4]
            answer.read(int.from_bytes(prefix[:3], "big"))
            if kind == data:
                return True
            if kind in (reset, goaway) or (kind == head and flags & end):
                return False
    return False
