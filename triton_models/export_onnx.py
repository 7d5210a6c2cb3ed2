"""Exports an embedding model to ONNX with int8 weights, for serving on a CPU."""

# ruff: noqa: PLC0415 -- heavy or optional libraries are imported where they are needed

import logging
import warnings
from pathlib import Path
from typing import Any

import model_files

OPSET = 17


def export(model: model_files.EmbedModel, target: Path) -> None:
    """Writes `model.onnx` into `target`: input_ids, attention_mask [batch, tokens] -> sentence_embedding.

    The graph contains everything after the tokenizer (transformer, pooling, dense layers, normalisation), so the
    server needs neither torch nor knowledge of the pipeline. The bundled model's graph is built from its weights; any
    other pipeline is traced with PyTorch. Takes 3 GB and 12 s or 30 s for 118 million parameters. Raises
    `ModelUnavailableError` when PyTorch is needed and not installed.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped]

    float_model: Any = target / "float32.onnx"
    if model.is_bundled:
        import build_onnx

        float_model = build_onnx.build()
    else:
        model_files.require_torch(model.name)
        trace(model.folder, float_model)
    logging.getLogger().setLevel(logging.ERROR)
    # 7 of 8 bits: without VNNI instructions, 8-bit products overflow. Costs .0003 of cosine and no time.
    # Weights in a file of their own are mapped: of the word embeddings (95 MB) only the rows in use take memory.
    quantize_dynamic(
        float_model, target / "model.onnx", per_channel=True, reduce_range=True, weight_type=QuantType.QInt8,
        use_external_data_format=True,
    )  # fmt: skip
    for part in target.glob("float32.onnx*"):
        part.unlink()


def trace(folder: Path, path: Path) -> None:
    """Traces a sentence-transformers pipeline for inputs of any batch size and length."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]
    # Attention in plain operations: the fused form traces into a graph that only torch can run.
    pipeline = SentenceTransformer(str(folder), device="cpu", model_kwargs={"attn_implementation": "eager"})

    class Pipeline(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pipeline = pipeline

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            result: torch.Tensor = self.pipeline(features)["sentence_embedding"]
            return result

    ids = torch.tensor([[5, 6, 7, 8, 9], [5, 6, 7, 1, 1]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    free = {0: "batch", 1: "tokens"}
    with torch.inference_mode(), warnings.catch_warnings():
        # The tracer warns of branches that depend on shapes; here they take the same path for every input.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Pipeline().eval(), (ids, mask), str(path), opset_version=OPSET, dynamo=False,
            input_names=["input_ids", "attention_mask"], output_names=["sentence_embedding"],
            dynamic_axes={"input_ids": free, "attention_mask": free, "sentence_embedding": {0: "batch"}},
        )  # fmt: skip
