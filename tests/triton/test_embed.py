"""The served embedding model gives sentence-transformers' vectors, and describes itself."""

import asyncio
import json

import numpy as np
from tokenizers import Tokenizer
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from tests.triton.conftest import TritonPython
from tests.triton.tensors import described, embed
from workflows.worker import BACKGROUND

TEXTS = [
    "query: how much paid leave do new employees get",
    "passage: Employees receive 25 days of paid leave per year. Unused days expire on 31 March.",
    "query: 新员工有多少天年假",
    "passage: 员工每年享有二十五天带薪年假，未使用的假期于次年三月三十一日失效。",
    "passage: Die Größe der Wohnung beträgt fünfundachtzig Quadratmeter, einschließlich des Balkons.",
    "passage: Ｆｕｌｌ　ｗｉｄｔｈ，café naïve\tand control\u200bcharacters…",
    "passage: " + " ".join(f"Section {n} says that request {n * 7} was answered in {n} days." for n in range(150)),
    "passage: " + "".join(f"第{n}条规定，申请应当在{n}日内答复。" for n in range(200)),
]


async def test_vectors_equal_those_of_sentence_transformers_in_float32(
    client: InferenceServerClient, torch_python: TritonPython
) -> None:
    """Cosine of at least .99 on English, Chinese, German, unusual characters and truncated texts."""
    expected = np.array(json.loads(torch_python("tests/triton/reference.py", text=json.dumps(TEXTS))))
    vectors = await embed(client, TEXTS)
    assert vectors.shape == expected.shape
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    assert (vectors * expected).sum(axis=1).min() >= 0.99


async def test_a_vector_depends_on_its_text_alone(client: InferenceServerClient) -> None:
    """Other texts of the request, their order and their lengths do not change a vector."""
    together = await embed(client, TEXTS)
    alone = np.concatenate([await embed(client, [text]) for text in reversed(TEXTS)])
    np.testing.assert_allclose(together, alone[::-1], atol=1e-3)


async def test_the_card_says_what_the_platform_must_know(client: InferenceServerClient) -> None:
    """Name, fingerprint, sizes, languages and prompts of the default model."""
    card = json.loads(await described(client, "card"))
    assert card["model"] == "multilingual-e5-small"
    assert len(card["fingerprint"]) == 16
    assert (card["dimension"], card["max_tokens"]) == (384, 512)
    assert {"en", "zh", "de", "ar"} <= set(card["languages"])
    assert card["prompts"] == {"query": "query: ", "passage": "passage: "}
    served = (card["device"], card["precision"], card["batch_size"])
    assert served in {("cpu", "int8", 8), ("cuda", "float16", 64)}
    assert all(0 < threshold < 2 for threshold in card["found_threshold"].values())


async def test_the_tokenizer_counts_as_the_model_does(client: InferenceServerClient) -> None:
    """`<s>`, the pieces, `</s>`, in any of the model's languages."""
    tokenizer = Tokenizer.from_str((await described(client, "tokenizer")).decode())
    encoding = tokenizer.encode("北京 is the capital")
    assert encoding.tokens[0] == "<s>"
    assert encoding.tokens[-1] == "</s>"
    assert "▁capital" in encoding.tokens
    assert "<unk>" not in encoding.tokens


async def test_an_urgent_text_is_embedded_first(client: InferenceServerClient) -> None:
    """A question is embedded before all earlier long texts, and these continue whatever is asked."""
    long = [[f"passage: {n} {part} " + "word " * 400 for part in range(16)] for n in range(4)]
    bulk = [asyncio.create_task(embed(client, texts)) for texts in long]
    await asyncio.sleep(0.2)
    question = await embed(client, ["query: hello"], urgent=True)
    assert not any(task.done() for task in bulk)
    while not any(task.done() for task in bulk):
        assert (await embed(client, ["query: hello"], urgent=True) == question).all()
    for texts, vectors in zip(long, await asyncio.gather(*bulk), strict=True):
        assert vectors.shape == (len(texts), 384)


CANCELLED = """
import json, sys
sys.path.insert(0, "triton_models")
import encoders, model_files, scheduling
encoder = encoders.OnnxEncoder(model_files.embed_model())
try:
    encoder.encode(["word " * 600] * 200, cancelled=lambda: True)
except scheduling.CancelledJobError as exc:
    error = str(exc)
"""
"""The beginning of a program: a request is cancelled while its first texts are computed."""


def test_a_cancelled_request_is_not_computed_to_its_end(triton_python: TritonPython) -> None:
    """The model looks for that while texts wait; the next request is computed at once."""
    program = f"""{CANCELLED}
rows = encoder.encode(["word"] * 3).shape[0]
print(json.dumps([error, rows, encoder.scheduler.totals.rows]))
"""
    error, rows, computed = json.loads(triton_python("-c", program))
    assert (error, rows) == ("the request was cancelled", 3)
    assert computed < 100


def test_a_process_ends_cleanly_while_a_text_is_computed(triton_python: TritonPython) -> None:
    """The thread inside ONNX Runtime ends before the interpreter does; a killed one aborts the process."""
    assert triton_python("-c", f"{CANCELLED}\nprint(error)") == "the request was cancelled\n"


def test_threads_of_bulk_embedding_have_a_lower_priority(triton_python: TritonPython) -> None:
    """As bulk workers have: urgent texts need not wait for a core either."""
    program = """
import json, os, sys, threading
sys.path.insert(0, "triton_models")
import encoders, model_files
def nice(thread): return os.getpriority(os.PRIO_PROCESS, thread)
encoder = encoders.OnnxEncoder(model_files.embed_model())
print(json.dumps([
    nice(0),
    [lane.submit(lambda: nice(threading.get_native_id())).result() for lane in encoders.lanes(1)],
    sorted({(thread.name, nice(thread.native_id)) for thread in threading.enumerate() if thread.daemon}),
]))
"""
    own, requests, batches = json.loads(triton_python("-c", program))
    assert requests == [own, BACKGROUND]
    assert batches == [["bulk", BACKGROUND], ["urgent", own]]


async def test_an_empty_text_has_a_vector(client: InferenceServerClient) -> None:
    """An empty chunk does not fail a document."""
    assert np.isfinite(await embed(client, ["", "passage: "])).all()


async def test_a_malformed_request_fails_alone(client: InferenceServerClient) -> None:
    """Waiting requests run together; one that is not UTF-8 does not fail the others."""
    good = [embed(client, [f"passage: number {n}"]) for n in range(6)]
    results = await asyncio.gather(*good[:3], embed(client, [b"\xff\xfe"]), *good[3:], return_exceptions=True)
    error = results.pop(3)
    assert isinstance(error, InferenceServerException)
    assert "not UTF-8" in str(error)
    assert error.status() == "StatusCode.INVALID_ARGUMENT"
    assert all(isinstance(result, np.ndarray) for result in results), results
