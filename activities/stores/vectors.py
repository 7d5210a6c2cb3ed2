"""Vectors of texts: in memory, and as stored in blobs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt


class VectorSet(msgspec.Struct, frozen=True):
    """Blob of vectors: ``vectors`` holds a float32 matrix, row by row in the order of ``hashes``."""

    hashes: list[str]
    dimension: int
    vectors: bytes

    def matrix(self) -> Vectors:
        """The vectors as a float32 array, shape (hashes, dimension)."""
        return np.frombuffer(self.vectors, np.float32).reshape(len(self.hashes), self.dimension)


def vector_set(hashes: Sequence[str], matrix: Vectors) -> VectorSet:
    """The VectorSet of a matrix, shape (hashes, dimension)."""
    return VectorSet(list(hashes), matrix.shape[1], np.ascontiguousarray(matrix, np.float32).tobytes())


Vectors = npt.NDArray[np.float32]
