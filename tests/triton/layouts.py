"""Makes tiny models with the file lists of real ones, and loads them from a hub: ``python layouts.py FOLDER``.

``FOLDER/tiny/NAME`` has the files of a repository, which the hub at ``HF_ENDPOINT`` serves. Prints, for each, which
files were fetched, the type of 16 bits in which a GPU would compute it, and how far the vectors of the torch encoder
are from those of sentence-transformers itself. Batches that do not fit into the memory of a device have these too.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "triton_models"))

import model_files  # noqa: E402
from encoders import Floats, Ids  # noqa: E402
from scheduling import Finish  # noqa: E402
from torch_encoder import TorchEncoder  # noqa: E402

PIECES = ["<s>", "<pad>", "</s>", "<unk>", *map(chr, range(97, 123))]
SIZES = {
    "vocab_size": len(PIECES), "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 66, "pad_token_id": 1, "initializer_range": 0.5,
}  # fmt: skip
TEXTS = ["abc", "", "the quick brown fox jumps over the lazy dog " * 4, "z"] + ["k" * n for n in range(1, 70, 7)]


def tokenizer() -> PreTrainedTokenizerFast:
    """Letters, with RoBERTa's special tokens."""
    made = Tokenizer(models.WordLevel({piece: at for at, piece in enumerate(PIECES)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    names = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=64, **names)


def pickled(folder: Path) -> None:
    """Replaces the safetensors of a folder by a file of PyTorch."""
    from safetensors.torch import load_file  # noqa: PLC0415

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def transformer(target: Path, *, roberta: bool = False, shards: str = "1GB", dtype: str = "float32") -> Path:
    """A folder as transformers saves it."""
    torch.manual_seed(1)
    model = XLMRobertaModel(XLMRobertaConfig(**SIZES)) if roberta else BertModel(BertConfig(**SIZES))
    model.to(getattr(torch, dtype)).save_pretrained(target, max_shard_size=shards)
    tokenizer().save_pretrained(target)
    return target


def pipeline(root: Path, name: str, *further: torch.nn.Module, pooling: str = "mean", roberta: bool = False) -> Path:
    """A folder as sentence-transformers saves it."""
    base = Transformer(str(transformer(root / "plain" / name, roberta=roberta)), max_seq_length=64)
    target = root / "tiny" / name
    SentenceTransformer(modules=[base, Pooling(32, pooling_mode=pooling), *further], device="cpu").save(str(target))
    return target


def other_runtimes(folder: Path) -> None:
    """Files for other runtimes, which are not to be fetched."""
    (folder / "onnx").mkdir()
    for name in ("onnx/model.onnx", "onnx/model.onnx_data", "colbert_linear.pt", "tf_model.h5"):
        (folder / name).write_bytes(b"-")
    (folder / "onnx" / "config.json").write_text("{}")


def make(root: Path) -> list[str]:
    """The repositories."""
    torch.manual_seed(2)
    pickled(pipeline(root, "bge-m3", Normalize(), pooling="cls", roberta=True))
    other_runtimes(root / "tiny" / "bge-m3")
    both = pipeline(root, "e5-large", Normalize())
    (both / "pytorch_model.bin").write_bytes(b"not fetched")
    other_runtimes(both)
    dense = pipeline(root, "dense", Dense(32, 16))
    pickled(dense / "2_Dense")
    sharded = transformer(root / "tiny" / "sharded", shards="20KB")
    assert (sharded / "model.safetensors.index.json").is_file()
    transformer(root / "tiny" / "bfloat", dtype="bfloat16")
    return ["bge-m3", "e5-large", "dense", "sharded", "bfloat"]


@contextmanager
def little_memory(encoder: TorchEncoder) -> Iterator[None]:
    """A device that has no room for more than three texts."""
    launch = encoder._launch

    def limited(rows: Sequence[Ids]) -> Finish[Floats]:
        if len(rows) > 3:
            raise torch.OutOfMemoryError("no room")
        return launch(rows)

    encoder._launch = limited
    yield
    assert encoder.scheduler.totals.rows > len(TEXTS)
    encoder._launch = launch


def loaded(name: str) -> dict[str, object]:
    """What a model fetched and how it computes."""
    model = model_files.embed_model(f"tiny/{name}")
    encoder = TorchEncoder(model, "cpu")
    expected = SentenceTransformer(str(model.folder), device="cpu", model_kwargs={"dtype": torch.float32}).encode(
        TEXTS, normalize_embeddings=True, show_progress_bar=False
    )
    files = sorted(str(path.relative_to(model.folder)) for path in model.folder.rglob("*") if path.is_file())
    vectors = encoder.encode(TEXTS)
    with little_memory(encoder):
        assert np.abs(encoder.encode(TEXTS) - vectors).max() < 1e-5
        assert np.abs(encoder.encode(TEXTS * 9) - np.concatenate([vectors] * 9)).max() < 1e-5
    return {
        "files": files,
        "half": model_files.half_precision(model.folder),
        "difference": float(np.abs(vectors - expected).max()),
        "spread": float(vectors.std(axis=0).max()),
        "fingerprint": model.fingerprint,
        "dimension": encoder.dimension,
    }


if __name__ == "__main__":
    print(json.dumps({name: loaded(name) for name in make(Path(sys.argv[1]))}))
