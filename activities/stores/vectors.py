"""Vectors of texts: in memory, and as blobs keep them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt


class VectorSet(msgspec.Struct, frozen=True):
    """Vectors as a blob: ``vectors`` holds float32, row by row, of the texts with these hashes."""

    hashes: list[str]
    dimension: int
    vectors: bytes

    def matrix(self) -> Vectors:
        """Shape (hashes, dimension), float32."""
        return np.frombuffer(self.vectors, np.float32).reshape(len(self.hashes), self.dimension)


def vector_set(hashes: Sequence[str], matrix: Vectors) -> VectorSet:
    """The blob of a matrix, shape (hashes, dimension)."""
    return VectorSet(list(hashes), matrix.shape[1], np.ascontiguousarray(matrix, np.float32).tobytes())


Vectors = npt.NDArray[np.float32]
