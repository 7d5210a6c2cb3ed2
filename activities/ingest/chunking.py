"""Turns a parsed document into chunks: segments of it, joined where its structure is weakest.

Adjacent segments are merged, weakest boundary first, while the result fits. Boundaries of equal strength are ordered
by a hash of the text after them: this order depends on local text only, so that an edit changes only the chunks around
it (packing from the start would change all chunks that follow).

``chunk_file`` runs in a child process. Its tokenizer, which is large, is loaded once by the process that forks the
children.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import msgspec
from tokenizers import Tokenizer

from activities.contracts.documents import Chunk, Chunking, ParsedDocument
from activities.errors import NoText
from activities.ingest.contexts import context_tokens, contexts, room_beside_context
from activities.ingest.splitting import Boundary, CountTokens, Segment, segments
from activities.sandbox.protocol import Progress
from activities.stores.blob_keys import digest
from activities.text.sentences import sentences

_COUNT_BATCH = 512
_MIN_TOKENS = 16

TOKENIZERS = 3
"""Most tokenizers that are loaded at once; that of a multilingual model takes 300 MB."""

_loaded: dict[str, Tokenizer] = {}  # by the fingerprint of the model, latest last


CHUNKER_VERSION = "4"
"""To be raised when a change makes the same document give other chunks."""


class TokenizerInfo(msgspec.Struct, frozen=True):
    """``prompt_tokens`` are those around a passage: its prompt and special tokens."""

    fingerprint: str
    prompt_tokens: int

    def fitted(self, chunking: Chunking, window: int) -> Chunking:
        """``chunking`` with ``max_tokens`` limited to the model's window, less prompt, special tokens and context."""
        room = max(_MIN_TOKENS, room_beside_context(window - self.prompt_tokens))
        return msgspec.structs.replace(chunking, max_tokens=min(chunking.max_tokens, room))


class ChunkCounts(msgspec.Struct, frozen=True):
    chunks: int
    tokens: int


def load_tokenizer(model: str, path: Path) -> None:
    """Loads the tokenizer of ``model``, a fingerprint, and forgets the earliest one above ``TOKENIZERS``."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    _loaded.pop(model, None)
    _loaded[model] = tokenizer
    for earliest in list(_loaded)[:-TOKENIZERS]:
        del _loaded[earliest]


def describe_tokenizer(model: str, prompt: str, progress: Progress) -> TokenizerInfo:
    """Describes the loaded tokenizer."""
    return info_of(_loaded[model], prompt)


def info_of(tokenizer: Tokenizer, prompt: str) -> TokenizerInfo:
    """Describes a tokenizer; takes a large fraction of a second."""
    return TokenizerInfo(digest(tokenizer.to_str()), len(tokenizer.encode(prompt, add_special_tokens=True).ids))


def chunk_file(
    model: str, parsed: Path, chunks: Path, chunking: Chunking, name: str, progress: Progress
) -> ChunkCounts:
    """Writes the chunks of the document in the file ``parsed`` to the file ``chunks``. Raises NoText."""
    document = msgspec.msgpack.decode(parsed.read_bytes(), type=ParsedDocument)
    found = chunk_document(document, chunking, counter(_loaded[model]), name)
    if not found:
        raise NoText()
    chunks.write_bytes(msgspec.msgpack.encode(found))
    return ChunkCounts(len(found), sum(chunk.tokens for chunk in found))


def chunk_document(
    parsed: ParsedDocument, chunking: Chunking, count_tokens: CountTokens, name: str = ""
) -> list[Chunk]:
    """The document's chunks in reading order; ``count_tokens`` counts the tokens of a batch of texts.

    Each chunk has at most ``chunking.max_tokens`` tokens, including the overlap, and a context of at most
    ``context_tokens``, in which ``name`` stands for the document. Linear in the document's size.
    """
    overlap = min(chunking.overlap_tokens, chunking.max_tokens // 2)
    room = max(_MIN_TOKENS, chunking.max_tokens - overlap)
    groups = list(_merged(segments(parsed.elements, room, count_tokens), room))
    texts = [
        "".join(segment.separator * bool(at) + segment.text for at, segment in enumerate(group)).strip("\n")
        for group in groups
    ]
    sections = [_section([path for path, _ in groupby(segment.section for segment in group)]) for group in groups]
    around = contexts(groups, texts, sections, name, context_tokens(chunking.max_tokens), count_tokens)
    chunks: list[Chunk] = []
    for at, (group, text) in enumerate(zip(groups, texts, strict=True)):
        front, extra = "", 0
        if overlap and at and group[0].boundary < Boundary.SECTION and groups[at - 1][-1].section == group[0].section:
            front, extra = _tail(texts[at - 1], overlap, count_tokens)
        tokens = sum(segment.tokens for segment in group) + extra
        page = next((segment.page for segment in group if not segment.is_heading), group[0].page)
        chunks.append(
            Chunk(
                ordinal=at,
                text=front + text,
                tokens=tokens,
                page=page,
                section=" › ".join(sections[at]),
                context=around[at],
            )
        )
    return chunks


def _merged(segments: list[Segment], room: int) -> Iterator[list[Segment]]:
    """Merges adjacent segments, weakest boundary first, while they fit in ``room`` tokens."""
    count = len(segments)
    sizes = [segment.tokens for segment in segments]
    first, last = list(range(count)), list(range(count))  # of the group that ends, or begins, at this index
    cut = [True] * count
    order = sorted(
        (at for at in range(1, count) if segments[at].boundary < Boundary.FIXED),
        key=lambda at: segments[at].order,
    )
    for at in order:
        begin, end = first[at - 1], last[at]
        if sizes[begin] + sizes[at] <= room:
            sizes[begin] += sizes[at]
            cut[at] = False
            last[begin], first[end] = end, begin
    starts = [at for at in range(count) if cut[at]]
    for start, end in zip(starts, [*starts[1:], count], strict=False):
        yield segments[start:end]


def _section(paths: list[tuple[str, ...]]) -> tuple[str, ...]:
    """The heading path of a chunk: the common prefix of ``paths``, or the deepest path if all lie on it."""
    common = paths[0]
    for path in paths[1:]:
        if path[: len(common)] == common:
            common = path if len(paths) == 1 or _contains_all(paths, path) else common
        else:
            common = tuple(a for a, b in zip(common, path, strict=False) if a == b)
    return common or paths[0]


def _contains_all(paths: list[tuple[str, ...]], path: tuple[str, ...]) -> bool:
    """Whether every one of ``paths`` is a prefix of ``path``."""
    return all(path[: len(other)] == other for other in paths)


def _tail(text: str, overlap: int, count_tokens: CountTokens) -> tuple[str, int]:
    """The last sentences of ``text`` that fit in ``overlap`` tokens, and their number of tokens."""
    parts = sentences(text)[-overlap:]
    taken, total = 0, 0
    for tokens in reversed(count_tokens(parts)):
        if total + tokens > overlap:
            break
        taken, total = taken + 1, total + tokens
    front = "".join(parts[len(parts) - taken :]).rstrip()
    return (f"{front}\n", total) if front else ("", 0)


def counter(tokenizer: Tokenizer) -> CountTokens:
    """A function that counts the tokens of texts, in batches and without special tokens."""

    def count(texts: list[str]) -> list[int]:
        counts: list[int] = []
        for start in range(0, len(texts), _COUNT_BATCH):
            batch = texts[start : start + _COUNT_BATCH]
            counts += map(len, tokenizer.encode_batch_fast(batch, add_special_tokens=False))
        return counts

    return count


def chunking_fingerprint(chunking: Chunking, tokenizer: TokenizerInfo, name: str) -> str:
    """Digest of all that determines the chunks: chunker's version, tokenizer, limits, and words of the name."""
    return digest(CHUNKER_VERSION, tokenizer.fingerprint, str(chunking.max_tokens), str(chunking.overlap_tokens), name)
