"""Several Triton servers (scripted): who is asked, who is left out and comes back, and what goes to all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from activities.contracts.embedding import EmbeddingModel
from activities.errors import TritonUnavailable
from activities.stores import servers as servers_module
from activities.stores.servers import Servers, addresses_of
from activities.stores.triton import ChatMessage, Triton
from tests.conftest import assert_eventually
from tests.ports import free_port

OTHER = EmbeddingModel(name="other", fingerprint="0f")
CARD = (
    b'{"model":"m","fingerprint":"00","dimension":2,"max_tokens":9,"batch_size":8,'
    b'"others":[{"name":"other","fingerprint":"0f"}]}'
)


class Scripted(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """A Triton whose vectors tell which server made them; it counts requests, and can be held up."""

    def __init__(self, number: int, port: int) -> None:
        self.number, self.port = number, port
        self.asked = self.streams = 0
        self.loaded: set[str] = set()
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Listen, with nothing loaded, as a new process."""
        self.loaded.clear()
        self._server = grpc.aio.server()
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        assert self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        """Go, in the middle of requests too."""
        if self._server is not None:
            await self._server.stop(0)

    async def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        await self.goes_on.wait()
        return service_pb2.ModelReadyResponse(ready=True)

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        response = service_pb2.ModelInferResponse(model_name=request.model_name)
        if request.model_name == "embed_loader":
            self.loaded |= {"embed_0f"}
            return response
        if request.model_name not in {"embed", *self.loaded}:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown model")
        [wanted] = [each.name for each in request.outputs]
        if wanted == "card":
            response.outputs.add(name="card", datatype="BYTES", shape=[1, 1])
            response.raw_output_contents.append(len(CARD).to_bytes(4, "little") + CARD)
            return response
        self.asked += 1
        await self.goes_on.wait()
        response.outputs.add(name=wanted, datatype="FP32", shape=[1, 2])
        response.raw_output_contents.append(np.array([[self.number, 0]], np.float32).tobytes())
        return response

    async def ModelStreamInfer(self, requests: Any, context: Any) -> Any:  # noqa: N802
        self.streams += 1
        response = service_pb2.ModelInferResponse(model_name="generate")
        response.outputs.add(name="text_output", datatype="BYTES", shape=[1])
        text = str(self.number).encode()
        response.raw_output_contents.append(len(text).to_bytes(4, "little") + text)
        response.parameters["triton_final_response"].bool_param = True
        yield service_pb2.ModelStreamInferResponse(infer_response=response)


@pytest.fixture
async def two() -> AsyncIterator[list[Scripted]]:
    """Two servers."""
    both = [Scripted(number, free_port()) for number in (1, 2)]
    for each in both:
        await each.start()
    yield both
    for each in both:
        await each.stop()


@pytest.fixture
async def triton(two: list[Scripted], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Triton]:
    """A client of both."""
    monkeypatch.setattr(servers_module, "LOOK_SECONDS", 0.05)
    triton = Triton(", ".join(f"127.0.0.1:{each.port}" for each in two))
    yield triton
    await triton.close()


async def asked(triton: Triton, times: int) -> list[int]:
    """Which server answered each of some requests at once."""
    vectors = await asyncio.gather(*(triton.embed(["text"]) for _ in range(times)))
    return sorted(int(each[0][0]) for each in vectors)


async def test_the_one_with_less_to_do_is_asked(two: list[Scripted], triton: Triton) -> None:
    """Equal ones in turn; while one is held up, the other gets what it would have got."""
    assert await asked(triton, 8) == [1] * 4 + [2] * 4
    two[0].goes_on.clear()
    held = [asyncio.create_task(triton.embed(["text"])) for _ in range(2)]
    await assert_eventually(lambda: answer(two[0].asked == 5 and two[1].asked == 5))
    for _ in range(3):
        assert await asked(triton, 1) == [2]
    two[0].goes_on.set()
    await asyncio.gather(*held)


async def answer(value: bool) -> bool:
    """A value that is waited for."""
    return value


async def test_one_that_is_gone_is_left_out_and_comes_back(two: list[Scripted], triton: Triton) -> None:
    """No request fails while the other is there, not even those that the dead one had; streams go over too."""
    await triton.ping()
    two[0].goes_on.clear()
    under_way = asyncio.create_task(asked(triton, 4))
    await assert_eventually(lambda: answer(two[0].asked == 2))
    await two[0].stop()
    assert await under_way == [2, 2, 2, 2]
    assert await asked(triton, 6) == [2] * 6
    assert [piece async for piece in triton.generate([ChatMessage("user", "Hi")], {})] == ["2"]
    two[0].goes_on.set()
    await two[0].start()

    async def is_back() -> bool:
        return 1 in await asked(triton, 2)

    await assert_eventually(is_back)
    for each in two:
        await each.stop()
    with pytest.raises(TritonUnavailable):
        await asked(triton, 1)
    await two[1].start()
    assert await assert_eventually(lambda: answers(triton)) == [2]


async def test_one_that_does_not_answer_is_left_out(
    two: list[Scripted], triton: Triton, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if who asked gave up before the time of the request ran out, as a question does."""
    monkeypatch.setattr(servers_module, "SILENT_SECONDS", 0.1)
    two[0].goes_on.clear()
    for _ in range(2):  # one of them asks it
        asking = asyncio.create_task(triton.embed(["text"]))
        await asyncio.wait([asking], timeout=0.5)
        while not (asking.done() or two[0].asked):
            await asyncio.sleep(0.05)
        await asyncio.wait([asking], timeout=0.5)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
    assert two[0].asked == 1
    assert [await asked(triton, 1) for _ in range(4)] == [[2]] * 4
    two[0].goes_on.set()

    async def is_back() -> bool:
        return 1 in await asked(triton, 2)

    await assert_eventually(is_back)


async def answers(triton: Triton) -> list[int] | None:
    """Which server answers; None if none does."""
    try:
        return await asked(triton, 1)
    except TritonUnavailable:
        return None


async def test_a_model_is_loaded_by_all(two: list[Scripted], triton: Triton) -> None:
    """With the first request for it, and again by one that was restarted without it."""
    await triton.embed(["text"], model=OTHER)
    assert [each.loaded for each in two] == [{"embed_0f"}] * 2
    await two[0].stop()
    await two[0].start()
    before = two[0].asked
    await assert_eventually(lambda: asked_again(triton, two[0], before))
    assert two[0].loaded == {"embed_0f"}
    await two[1].stop()
    await triton.keep_loaded([])  # the one that is gone is passed over


async def asked_again(triton: Triton, server: Scripted, before: int) -> bool:
    """Whether a request for the model beside the default one came to a server."""
    await asyncio.gather(*(triton.embed(["text"], model=OTHER) for _ in range(2)))
    return server.asked > before


async def test_one_that_goes_while_it_is_next_is_gone(two: list[Scripted], monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that was to fall back on a server whose name leads elsewhere by now fails as in an outage."""
    addresses = [f"127.0.0.1:{each.port}" for each in two]

    async def look_up(named: str) -> list[str]:
        return addresses

    triton = Triton("triton.gpu:8001")
    monkeypatch.setattr(triton, "_servers", Servers("triton.gpu:8001", look_up))
    two[0].goes_on.clear()
    under_way = asyncio.create_task(triton.embed(["text"]))
    await assert_eventually(lambda: answer(two[0].asked == 1))
    del addresses[1]
    monkeypatch.setattr(servers_module, "LOOKUP_SECONDS", -1.0)
    await triton._servers.in_turn()
    await two[0].stop()
    with pytest.raises(TritonUnavailable, match="no address"):
        await under_way
    await triton.close()


async def test_a_name_is_looked_up_once_for_all() -> None:
    """Requests that wait for the same lookup share what it finds, also nothing: they fail together."""
    lookups = 0

    async def look_up(named: str) -> list[str]:
        nonlocal lookups
        lookups += 1
        await asyncio.sleep(0.05)
        return []

    servers = Servers("triton.gpu:8001", look_up)
    found = await asyncio.gather(*(servers.in_turn() for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in found] == [TritonUnavailable] * 5
    assert lookups == 1
    await servers.close()


async def test_a_name_leads_to_all_of_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked up again: what is new is asked, what is gone is not; a name that is not known changes nothing."""
    monkeypatch.setattr(servers_module, "LOOKUP_SECONDS", -1.0)
    known = [["127.0.0.1:1"], ["127.0.0.1:1", "127.0.0.1:2"], [], ["127.0.0.1:2"]]

    async def look_up(named: str) -> list[str]:
        assert named == "triton.gpu:8001"
        return known.pop(0)

    servers = Servers("triton.gpu:8001", look_up)
    found = [sorted(each.address for each in await servers.in_turn()) for _ in range(4)]
    assert found == [["127.0.0.1:1"], ["127.0.0.1:1", "127.0.0.1:2"], ["127.0.0.1:1", "127.0.0.1:2"], ["127.0.0.1:2"]]
    await servers.close()
    assert await addresses_of("localhost:7") == ["127.0.0.1:7"]
    assert await addresses_of("[::1]:7") == ["[::1]:7"]
    assert await addresses_of("no.such.host.invalid:7") == []
    nowhere = Triton("no.such.host.invalid:7")
    with pytest.raises(TritonUnavailable, match="no address"):
        await nowhere.embed(["text"])
    await nowhere.close()
