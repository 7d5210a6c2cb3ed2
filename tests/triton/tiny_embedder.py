"""Makes two embedding models without PyTorch, ``tiny-96`` and ``broken``: ``python tiny_embedder.py FOLDER``.

``broken`` cannot be loaded. In ``tiny-96`` a text's vector, of 96 dimensions, is the normalized mean of random vectors
of its tokens, whose tokenizer is learnt from this repository's licence. ``holdfast.json`` gives the model a threshold
and languages of its own.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

ROOT = Path(__file__).resolve().parents[2]
DIMENSION, VOCABULARY, LENGTH = 96, 2000, 256

sys.path.insert(0, str(ROOT / "triton_models"))

import model_files  # noqa: E402


def tokenizer() -> Tokenizer:
    """Byte pairs, which leave no text without tokens."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=["<s>"], initial_alphabet=sorted(alphabet))
    made.train_from_iterator((ROOT / "LICENSE").read_text(encoding="utf-8").splitlines(), trainer)
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return made


def graph(tokens: int) -> onnx.ModelProto:
    """input_ids, attention_mask [batch, tokens] -> sentence_embedding [batch, DIMENSION]."""
    table = np.random.default_rng(1).normal(size=(tokens, DIMENSION)).astype(np.float32)
    shape = ["batch", "tokens"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", DIMENSION])
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("ReduceMean", ["words"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("LpNormalization", ["mean"], ["sentence_embedding"], axis=-1, p=2),
    ]
    made = helper.make_graph(nodes, "tiny", inputs, [output], [numpy_helper.from_array(table, "table")])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write(folder: Path, length: int, model: bytes) -> None:
    """The folder in sentence-transformers' layout, and the export beside those of other models."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": length}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": length}))
    (folder / "holdfast.json").write_text(json.dumps({"languages": ["en"], "found_threshold": {"*": 0.9}}))
    (folder / "model.safetensors").write_bytes(b"tiny")
    export = model_files.embed_model(str(folder)).onnx
    export.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=export.parent, delete=False) as unfinished:
        unfinished.write(model)
    Path(unfinished.name).rename(export)


tokens = tokenizer()
write(Path(sys.argv[1]) / "tiny-96", LENGTH, graph(tokens.get_vocab_size()).SerializeToString())
write(Path(sys.argv[1]) / "broken", LENGTH - 1, b"no model")
