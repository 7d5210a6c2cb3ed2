"""Measures a peer on one text file: run in the peers' environment, prints one line of JSON.

    .venv-peers/bin/python tests/bench/peers/measure.py langchain --model FOLDER --file BOOK --tokens 220

Timed is the wait of a user of the library: reading the file, splitting it, embedding, and the index. Not timed:
imports, loading the model and one warm-up batch, as the platform's model is loaded too, and finding the chunk size
whose chunks have about `--tokens` tokens, so that both sides embed texts of the same size.
"""

# ruff: noqa: PLC0415 -- each peer imports its own libraries

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

SAMPLE = 300_000
STEPS = 12
WARM_UP = 32

CountTokens = Callable[[Sequence[str]], int]
Index = Callable[[Path], list[str]]
"""Reads a file, splits it, embeds it, indexes it; returns the chunks."""


def splitter(size: int) -> Any:
    """LangChain's, as its documentation recommends for text; size in characters."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter  # type: ignore[import-not-found]

    return RecursiveCharacterTextSplitter(chunk_size=size, chunk_overlap=0)


def size_for(text: str, tokens: float, count: CountTokens) -> int:
    """The chunk size in characters that gives this many tokens on average."""
    low, high = 50, 20_000
    for _ in range(STEPS):
        middle = (low + high) // 2
        pieces = splitter(middle).split_text(text)
        low, high = (middle, high) if count(pieces) / len(pieces) < tokens else (low, middle)
    return high


def langchain(model: str, prompt: str, size: int) -> Index:
    """TextLoader → RecursiveCharacterTextSplitter → HuggingFaceEmbeddings → FAISS."""
    from langchain_community.document_loaders import TextLoader  # type: ignore[import-not-found]
    from langchain_community.vectorstores import FAISS  # type: ignore[import-not-found]
    from langchain_huggingface import HuggingFaceEmbeddings  # type: ignore[import-not-found]

    encode = {"prompt": prompt, "normalize_embeddings": True}
    embeddings = HuggingFaceEmbeddings(model_name=model, model_kwargs={"device": "cpu"}, encode_kwargs=encode)
    embeddings.embed_documents(["a text to warm up with"] * WARM_UP)

    def index(file: Path) -> list[str]:
        documents = splitter(size).split_documents(TextLoader(str(file), encoding="utf-8").load())
        FAISS.from_documents(documents, embeddings)
        return [document.page_content for document in documents]

    return index


def txtai(model: str, prompt: str, size: int) -> Index:
    """txtai.Embeddings with its content store, over the same splitter's chunks."""
    from txtai import Embeddings  # type: ignore[import-not-found]

    loaded: dict[str, Any] = {}

    def made() -> Any:
        instructions = {"query": prompt, "data": prompt}
        return Embeddings(path=model, instructions=instructions, content=True, gpu=False, models=loaded)

    made().index(["a text to warm up with"] * WARM_UP)

    def index(file: Path) -> list[str]:
        chunks: list[str] = splitter(size).split_text(file.read_text(encoding="utf-8"))
        made().index(chunks)
        return chunks

    return index


PEERS: dict[str, Callable[[str, str, int], Index]] = {"langchain": langchain, "txtai": txtai}


def counter(model: str) -> CountTokens:
    """Counts tokens without special ones, as the platform does."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(model) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda texts: sum(map(len, tokenizer.encode_batch(list(texts), add_special_tokens=False)))


def main() -> None:
    """Measure one peer once."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--model", required=True, help="folder in the layout of sentence-transformers")
    parser.add_argument("--prompt", default="", help="what goes before a passage")
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--tokens", type=float, required=True, help="mean tokens of a chunk")
    options = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
    warnings.simplefilter("ignore")
    count, text = counter(options.model), options.file.read_text(encoding="utf-8")
    size = size_for(text[:SAMPLE], options.tokens, count)
    index = PEERS[options.peer](options.model, options.prompt, size)
    began = time.perf_counter()
    chunks = index(options.file)
    seconds = time.perf_counter() - began
    found = {"seconds": seconds, "characters": len(text), "chunks": len(chunks), "tokens": count(chunks) / len(chunks)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
