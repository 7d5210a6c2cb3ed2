"""Encodes texts (JSON on stdin) to float32 vectors (JSON on stdout), in the model repository's environment."""

# ruff: noqa: PLC0415 -- one side runs in an environment without the other side's libraries

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "triton_models"))


def main() -> None:
    """Encode with sentence-transformers in torch float32, from the same folder that the server reads."""
    import model_files  # type: ignore[import-not-found]
    from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found]

    model = SentenceTransformer(str(model_files.embed_model().folder), device="cpu")
    vectors = model.encode(json.load(sys.stdin), show_progress_bar=False)
    print(json.dumps(vectors.astype(float).tolist()))


if __name__ == "__main__":
    main()
