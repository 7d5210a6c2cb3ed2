"""Text to vectors on a GPU: sentence-transformers' pipeline, run by one thread that owns the device."""

# ruff: noqa: PLC0415 -- heavy libraries are imported where they are needed

from collections.abc import Sequence
from typing import Any

import numpy as np
from encoders import Encoder, Floats, Ids
from model_files import EmbedModel, half_precision
from scheduling import Finish, Lane, Limits

BULK = Limits(rows=1024, tokens=32_768, window=4, padding=2048)
"""Batches fill a GPU from some 10,000 tokens on. A text of more tokens than the limit is a batch of its own."""

URGENT = Limits(rows=1024, tokens=32_768, padding=2048)

AHEAD = 1
"""Batches that are begun while one is computed: the next is copied to the device meanwhile."""


class TorchEncoder(Encoder):
    """The pipeline of a model in half precision on a GPU (`device` as PyTorch names it), in float32 on a CPU.

    Batches that do not fit into the GPU's memory are halved, and so are later ones.
    """

    batch_size = 64

    def __init__(self, model: EmbedModel, device: str) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        super().__init__(model, BULK, URGENT)
        self.device = device.partition(":")[0]
        self._on_gpu = self.device == "cuda"
        self.precision = half_precision(model.folder) if self._on_gpu else "float32"
        if self.precision == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False):
            self.precision = "float32"
        self._torch, self._target = torch, torch.device(device)
        kwargs = {"dtype": getattr(torch, self.precision)}
        self._model = SentenceTransformer(str(model.folder), device=device, model_kwargs=kwargs).eval()
        self._padding = self._model.tokenizer.pad_token_id or 0
        self._serve(self._start, Lane.URGENT, Lane.BULK, ahead=AHEAD)
        self.dimension = int(self.encode(["warm up"]).shape[1])

    def _start(self, rows: Sequence[Ids]) -> Finish[Floats]:
        """Starts the computation of a batch, or of its halves."""
        try:
            return self._launch(rows)
        except self._torch.OutOfMemoryError:
            if len(rows) == 1:
                raise
        self._torch.cuda.empty_cache()
        self.scheduler.shrink(len(rows) * max(map(len, rows)) // 2)
        middle = len(rows) // 2
        halves = [self._start(rows[:middle])(), self._start(rows[middle:])()]
        return lambda: np.concatenate(halves)

    def _launch(self, rows: Sequence[Ids]) -> Finish[Floats]:
        """Queues copies and kernels on the device; only the returned function waits for them."""
        torch = self._torch
        shape = len(rows), max(1, *map(len, rows))
        ids = torch.full(shape, self._padding, dtype=torch.int64, pin_memory=self._on_gpu)
        mask = torch.zeros(shape, dtype=torch.int64, pin_memory=self._on_gpu)
        for row, row_ids, row_mask in zip(rows, ids.numpy(), mask.numpy(), strict=True):
            row_ids[: len(row)], row_mask[: len(row)] = row, 1
        with torch.inference_mode():
            features = {"input_ids": ids, "attention_mask": mask}
            features = {name: each.to(self._target, non_blocking=True) for name, each in features.items()}
            vectors = self._model(features)["sentence_embedding"][:, : self._model.truncate_dim].float()
            vectors = torch.nn.functional.normalize(vectors, dim=1)
            result = torch.empty(vectors.shape, dtype=torch.float32, pin_memory=self._on_gpu)
            result.copy_(vectors, non_blocking=True)
        done: Any = torch.cuda.Event() if self._on_gpu else None
        if done:
            done.record(torch.cuda.current_stream(self._target))

        def finish() -> Floats:
            if done:
                done.synchronize()
            vectors: Floats = result.numpy()
            return vectors

        return finish
