"""The Triton client against the platform's real Triton: the model's card, vectors, generated text, and outages."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc
import numpy as np
import pytest

from activities.errors import ModelError, TritonUnavailable
from activities.stores.triton import ChatMessage, Generated, Triton
from tests.ports import free_port

PROMPT = [ChatMessage("user", "Name three animals and what they eat.")]


async def test_both_models_are_ready(triton: Triton) -> None:
    """A running platform answers a ping."""
    await triton.ping()


async def test_the_model_describes_itself_once(triton: Triton) -> None:
    """The card has all that the platform needs, and is requested once."""
    card = await triton.card()
    assert card.dimension > 0
    assert card.batch_size > 0
    assert card.fingerprint
    assert {"en", "zh"} <= set(card.languages)
    assert await triton.card() is card


async def test_the_tokenizer_counts_the_models_own_tokens(triton: Triton) -> None:
    """Whole texts of any length are counted, in both languages; the tokenizer is fetched once."""
    tokenizer = await triton.tokenizer()
    short = tokenizer.encode("annual leave", add_special_tokens=False)
    assert 2 <= len(short.ids) <= 4
    assert "".join(short.tokens).replace("▁", " ").strip() == "annual leave"
    card = await triton.card()
    long = "年假最多可以结转五天。" * card.max_tokens
    assert len(tokenizer.encode(long).ids) > 2 * card.max_tokens
    assert len({len(encoding.ids) for encoding in tokenizer.encode_batch(["a", "a " * 50])}) == 2
    assert await triton.tokenizer() is tokenizer


async def test_many_at_once_share_one_tokenizer(triton: Triton) -> None:
    """Concurrent documents do not each build a tokenizer of 300 MB."""
    first, *others = await asyncio.gather(*(triton.tokenizer() for _ in range(4)))
    assert all(other is first for other in others)


async def test_embeddings_have_length_one(triton: Triton) -> None:
    """One row for each text, in order, whatever else the request has; also for empty and overlong texts."""
    card = await triton.card()
    texts = ["passage: annual leave", "passage: 年假", "", "word " * 5000]
    vectors = await triton.embed(texts)
    assert vectors.shape == (4, card.dimension)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-3)
    for text, vector in zip(texts[:2], vectors[:2], strict=True):
        alone = (await triton.embed([text], urgent=True))[0]
        assert float(alone @ vector) > 0.999


async def test_a_questions_vector_has_the_models_prompt(triton: Triton) -> None:
    """It equals the embedding of prompt and question, and is nearest to the passage that answers it."""
    card = await triton.card()
    question = "How much unused leave can I carry over?"
    vector = await triton.embed_query(question)
    assert vector.shape == (card.dimension,)
    (same,) = await triton.embed([card.prompts["query"] + question])
    assert float(vector @ same) > 0.999
    passages = ["Five days of annual leave may be carried over.", "消防演习每年一次。", "The printer is on floor two."]
    cosines = await triton.embed([card.prompts["passage"] + text for text in passages]) @ vector
    assert int(np.argmax(cosines)) == 0


async def test_text_comes_in_pieces(triton: Triton) -> None:
    """The answer is streamed and ends by itself, and the model tells how; it describes itself too."""
    endings: list[Generated] = []
    pieces = [piece async for piece in triton.generate(PROMPT, {"max_tokens": 24, "temperature": 0}, endings.append)]
    assert len(pieces) > 3
    assert len("".join(pieces)) > 20
    [ending] = endings
    assert (ending.model, ending.finish, ending.tokens) == ("bundled", "length", 24)
    assert 20 < (ending.prompt_tokens or 0) < 60
    described = await triton.language_model()
    assert (described.name, described.error) == ("bundled", None)


async def test_leaving_the_iterator_stops_the_generation(triton: Triton) -> None:
    """Long answers that the client leaves after one piece end in Triton too, so that the next question is answered.

    Each of the answers would take minutes, and there are more of them than the model has slots.
    """
    for _ in range(6):
        pieces = triton.generate(PROMPT, {"max_tokens": 3000, "temperature": 0, "ignore_eos": True})
        assert await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]
    assert [piece async for piece in triton.generate(PROMPT, {"max_tokens": 3, "temperature": 0})]


async def test_an_input_that_the_model_refuses_is_not_an_outage(triton: Triton) -> None:
    """Waiting would not help: it is a ModelError with the model's message."""
    with pytest.raises(ModelError) as caught:
        async for _ in triton.generate(PROMPT, {"no_such_parameter": 1}):
            pass
    assert "no_such_parameter" in str(caught.value)


async def test_a_triton_that_is_down_is_an_outage() -> None:
    """Nothing listens on the port: every call raises TritonUnavailable in one line."""
    triton = Triton(f"127.0.0.1:{free_port()}")
    for action in (
        triton.ping(),
        triton.card(),
        triton.tokenizer(),
        triton.embed(["text"]),
        triton.embed_query("text"),
        anext(triton.generate(PROMPT, {})),
    ):
        with pytest.raises(TritonUnavailable) as caught:
            await action
        assert caught.value.reason.params["detail"]
        assert len(str(caught.value).splitlines()) == 1
    await triton.close()


#: The meaning of each gRPC status: True for an outage that is waited for, False for a refusal. OK is no error.
OUTAGE = {
    grpc.StatusCode.CANCELLED: True,
    grpc.StatusCode.UNKNOWN: True,
    grpc.StatusCode.INVALID_ARGUMENT: False,
    grpc.StatusCode.DEADLINE_EXCEEDED: True,
    grpc.StatusCode.NOT_FOUND: True,  # the model is not loaded (yet)
    grpc.StatusCode.ALREADY_EXISTS: False,
    grpc.StatusCode.PERMISSION_DENIED: False,
    grpc.StatusCode.UNAUTHENTICATED: False,
    grpc.StatusCode.RESOURCE_EXHAUSTED: True,  # the queue is full
    grpc.StatusCode.FAILED_PRECONDITION: False,
    grpc.StatusCode.ABORTED: True,
    grpc.StatusCode.UNIMPLEMENTED: False,
    grpc.StatusCode.INTERNAL: False,
    grpc.StatusCode.UNAVAILABLE: True,
    grpc.StatusCode.DATA_LOSS: False,
    grpc.StatusCode.OUT_OF_RANGE: False,
}


@pytest.fixture(scope="module")  # one port for all: a new server on a port just released meets the old connection
async def refusing() -> AsyncIterator[tuple[Triton, list[grpc.StatusCode]]]:
    """A client of a gRPC server that answers every call with the last status of the list."""
    answers: list[grpc.StatusCode] = []

    class Refuse(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            async def unary(_request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
                await context.abort(answers[-1], "the reason\nand more of it")
                raise AssertionError("abort raises")

            async def stream(
                _requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]
            ) -> AsyncIterator[bytes]:
                await context.abort(answers[-1], "the reason\nand more of it")
                yield b""

            if str(handler_call_details.method).endswith("ModelStreamInfer"):
                return grpc.stream_stream_rpc_method_handler(stream)
            return grpc.unary_unary_rpc_method_handler(unary)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Refuse(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    triton = Triton(f"127.0.0.1:{port}")
    yield triton, answers
    await triton.close()
    await server.stop(None)


def test_the_error_table_is_complete() -> None:
    """Every status of gRPC is in the table."""
    assert set(OUTAGE) == set(grpc.StatusCode) - {grpc.StatusCode.OK}


@pytest.mark.parametrize("call", ["single", "stream"])
@pytest.mark.parametrize("status", list(OUTAGE), ids=lambda status: status.name)
async def test_each_state_of_grpc_is_translated(
    refusing: tuple[Triton, list[grpc.StatusCode]], status: grpc.StatusCode, call: str
) -> None:
    """Waited for or refused, for a single call as for a stream, with the first line of the server's message."""
    triton, answers = refusing
    answers.append(status)
    with pytest.raises((TritonUnavailable, ModelError)) as caught:
        await (triton.embed(["text"]) if call == "single" else anext(triton.generate(PROMPT, {})))
    assert type(caught.value) is (TritonUnavailable if OUTAGE[status] else ModelError)
    assert caught.value.reason.params == {"detail": "the reason"}


async def test_a_task_that_is_canceled_is_not_an_outage(triton: Triton) -> None:
    """Cancellation of the caller passes through unchanged.

    This version of Triton can crash when streams are canceled (``HandleCancellation called even when the context was
    not canceled``); it is started again, and the stream too.
    """
    started = asyncio.Event()

    async def read() -> None:
        while True:
            with contextlib.suppress(TritonUnavailable):
                async for _ in triton.generate(PROMPT, {"max_tokens": 3000, "temperature": 0, "ignore_eos": True}):
                    started.set()
            await asyncio.sleep(0.5)

    task = asyncio.create_task(read())
    async with asyncio.timeout(60):
        await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Frozen(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Takes every call, and answers none."""

    def service(self, _details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def wait(_request: bytes, _context: object) -> bytes:
            await asyncio.Event().wait()
            return b""

        return grpc.unary_unary_rpc_method_handler(wait)


async def test_a_server_that_stands_still_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes calls and never answers; who asks a question does not wait as long as bulk work may."""
    monkeypatch.setattr("activities.stores.triton.URGENT_TIMEOUT", 0.2)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Frozen(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    frozen = Triton(f"127.0.0.1:{port}")
    async with asyncio.timeout(60):
        with pytest.raises(TritonUnavailable):
            await frozen.embed(["How much leave?"], urgent=True)
    await frozen.close()
    await server.stop(0)
