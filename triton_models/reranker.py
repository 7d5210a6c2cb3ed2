"""Scores pairs of query and text with a CrossEncoder of sentence-transformers."""

# ruff: noqa: PLC0415 -- heavy libraries are imported where they are needed

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from model_files import ModelUnavailableError, half_precision

BATCH = {"cpu": 8, "cuda": 64}
"""Pairs per forward pass: small batches suit the caches of a CPU."""

MAX_TOKENS = 512
"""Maximum length of query and text together; longer pairs are truncated."""


class Reranker:
    """A rerank model with one score per pair (`num_labels` 1). Raises `ModelUnavailableError` for other models."""

    def __init__(self, folder: Path, device: str) -> None:
        import torch
        from sentence_transformers import CrossEncoder

        on_gpu = device.startswith("cuda")
        kwargs = {"dtype": getattr(torch, half_precision(folder))} if on_gpu else {}
        self._batch = BATCH["cuda" if on_gpu else "cpu"]
        self._model = CrossEncoder(str(folder), device=device, model_kwargs=kwargs)
        if self._model.num_labels != 1:
            raise ModelUnavailableError(
                f"{folder.name} gives {self._model.num_labels} scores, not one: no rerank model"
            )
        self._model.max_length = min(self._model.max_length or MAX_TOKENS, MAX_TOKENS)
        self._squash = torch.nn.Sigmoid()

    def score(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        """Relevance of each text to its query, from 0 to 1; shape [len(pairs)]."""
        if not pairs:
            return np.empty(0, np.float32)
        scores = self._model.predict(
            list(pairs),
            batch_size=self._batch,
            activation_fn=self._squash,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return np.asarray(scores, dtype=np.float32).reshape(-1)
