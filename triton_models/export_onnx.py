"""Exports a whole sentence-transformers pipeline to ONNX with int8 weights, for serving on a CPU."""

# ruff: noqa: PLC0415 -- heavy or optional libraries are imported where they are needed

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

OPSET = 17


def export(folder: Path, target: Path) -> None:
    """Writes `model.onnx` into `target`: input_ids, attention_mask [batch, tokens] -> sentence_embedding.

    The model contains everything after the tokenizer (transformer, pooling, dense layers, normalisation), so the
    server needs neither torch nor knowledge of the pipeline. Takes 30 s and 3 GB for 118 million parameters.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped]
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]
    float_model = target / "float32.onnx"
    # Attention in plain operations: the fused form traces into a graph that only torch can run.
    pipeline = SentenceTransformer(str(folder), device="cpu", model_kwargs={"attn_implementation": "eager"})
    _trace(pipeline, float_model)
    logging.getLogger().setLevel(logging.ERROR)
    # 7 of 8 bits: without VNNI instructions, 8-bit products overflow. Costs .0003 of cosine and no time.
    quantize_dynamic(
        float_model, target / "model.onnx", per_channel=True, reduce_range=True, weight_type=QuantType.QInt8
    )
    for part in target.glob("float32.onnx*"):
        part.unlink()


def _trace(pipeline: "SentenceTransformer", path: Path) -> None:
    """Traces the pipeline for inputs of any batch size and length."""
    import torch

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
