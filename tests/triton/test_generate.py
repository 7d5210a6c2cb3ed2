"""The served language model streams, stops on request, and reports clearly what it does not support."""

import time
from typing import Any

import pytest
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from tests.triton.tensors import once, pieces, question

PROMPT = "Name three animals and what they eat."
SLOTS = 4


async def answer(client: InferenceServerClient, request: dict[str, Any]) -> list[bytes]:
    """All pieces of one answer."""
    return [piece async for piece in pieces(client.stream_infer(once(request)))]


async def test_an_answer_comes_in_pieces(client: InferenceServerClient) -> None:
    """Each response has only the new text."""
    got = await answer(client, question(PROMPT, max_tokens=30, temperature=0, ignore_eos=True))
    assert len(got) > 10
    assert 40 < len(b"".join(got)) < 400


async def test_the_template_is_that_of_the_file(client: InferenceServerClient) -> None:
    """The model answers the question instead of continuing it, and its end of turn is a token, not text."""
    text = b"".join(await answer(client, question("What is the capital of France?", max_tokens=40, temperature=0)))
    assert b"Paris" in text
    assert b"<|im" not in text


async def test_a_stop_string_ends_the_answer(client: InferenceServerClient) -> None:
    """The stop string itself is not sent."""
    whole = b"".join(await answer(client, question(PROMPT, max_tokens=20, temperature=0)))
    word = whole.split()[3].decode()
    text = b"".join(await answer(client, question(PROMPT, max_tokens=20, temperature=0, stop=[word])))
    assert whole.startswith(text)
    assert text.rstrip() == whole.partition(word.encode())[0].rstrip()


async def test_a_piece_never_ends_inside_a_character(client: InferenceServerClient) -> None:
    """A character of several tokens waits until it is complete."""
    prompt = "汉字🐉漢字🐼" * 6
    got = await answer(client, question(prompt, max_tokens=24, temperature=0, ignore_eos=True))
    assert any(not piece.decode().isascii() for piece in got)


@pytest.mark.long
@pytest.mark.parametrize(
    ("prompt", "seconds"), [(PROMPT, 0.0), ("a long prompt " * 1200, 0.5)], ids=["answering", "reading"]
)
async def test_cancelling_frees_the_slots(client: InferenceServerClient, prompt: str, seconds: float) -> None:
    """Every slot has a long answer or a long prompt; cancelling admits the next question.

    Four answers of 2,000 tokens, or four prompts of 3,600, would block it for longer than the test may take.
    """
    request = question(prompt, max_tokens=2000, ignore_eos=True)
    streams = [client.stream_infer(once(request)) for _ in range(SLOTS)]
    if seconds:
        started = time.monotonic()
        while time.monotonic() < started + seconds:
            await client.is_server_live()
    else:
        for stream in streams:
            await anext(aiter(stream))
    for stream in streams:
        stream.cancel()
    assert await answer(client, question(PROMPT, max_tokens=3))


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (question("word " * 9000, max_tokens=5), "exceeds the available context size"),
        (question(PROMPT, max_tokens=5, colour="red"), "unknown sampling parameters: colour"),
        (question(PROMPT, temperature="hot"), "temperature"),
    ],
    ids=["prompt too long", "unknown parameter", "wrong type"],
)
async def test_an_unsupported_request_ends_with_an_error(
    client: InferenceServerClient, request_: dict[str, Any], message: str
) -> None:
    """The stream ends with an error that names the reason; the server keeps running."""
    with pytest.raises(InferenceServerException, match=message):
        await answer(client, request_)
    assert await answer(client, question(PROMPT, max_tokens=3))


async def test_parameters_may_be_left_out(client: InferenceServerClient) -> None:
    """Only the messages are required, and they have to be messages."""
    request = question("Say yes.")
    tensors = request["inputs"]
    request["inputs"] = [tensor for tensor in tensors if tensor.name() == "messages"]
    assert await answer(client, request)
    request["inputs"] = [tensor for tensor in tensors if tensor.name() != "messages"]
    with pytest.raises(InferenceServerException, match="messages"):
        await answer(client, request)
