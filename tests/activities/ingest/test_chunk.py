"""Chunks: sizes, structure, and how few of them an edit changes."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import cast

import msgspec
import pytest
from temporalio.testing import ActivityEnvironment
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from activities.contracts.documents import Chunk, Chunking, Element, ParsedDocument
from activities.contracts.embedding import EmbeddingModel
from activities.contracts.ingest import ChunkInput
from activities.errors import DocumentTooLarge, NoText
from activities.ingest.chunk import ChunkActivities
from activities.ingest.chunking import chunk_document, counter
from activities.ingest.splitting import _starts_table
from activities.runtime.lanes import Lane
from activities.sandbox import runner
from activities.settings import ParseSettings
from activities.stores.blobs import Blobs
from activities.stores.triton import ModelCard, Triton
from activities.text.sentences import clauses, sentences

WORDS = (
    "the",
    "leave",
    "policy",
    "grants",
    "every",
    "employee",
    "twenty",
    "days",
    "of",
    "paid",
    "holiday",
    "in",
    "time",
)


TOKEN = re.compile(r"[\u2e80-\u9fff]|[^\W\u2e80-\u9fff]{1,8}|[^\w\s]")


def count(texts: list[str]) -> list[int]:
    """A stand-in for a tokenizer: a Chinese character, a word of up to eight letters or a sign is a token."""
    return [_tokens(text) for text in texts]


@cache
def _tokens(text: str) -> int:
    return len(TOKEN.findall(text))


def paragraph(random_: random.Random, mean: int = 70) -> str:
    """Random sentences of about ``mean`` tokens together."""
    words = [random_.choice(WORDS) + str(random_.randrange(1000)) for _ in range(max(4, int(random_.gauss(mean, 25))))]
    return " ".join(words).capitalize() + "."


def document(elements: list[Element]) -> ParsedDocument:
    return ParsedDocument(elements=elements, media_type="text/plain")


def text(*paragraphs: str) -> ParsedDocument:
    return document([Element(text=item) for item in paragraphs])


def chunks(parsed: ParsedDocument, max_tokens: int = 350, overlap_tokens: int = 0) -> list[Chunk]:
    return chunk_document(parsed, Chunking(max_tokens=max_tokens, overlap_tokens=overlap_tokens), count)


def squeezed(*texts: str) -> str:
    return "".join("".join(texts).split())


def test_a_short_document_is_one_chunk() -> None:
    """A paragraph that fits, or a few that fit together, are not split."""
    exactly = " ".join(["word"] * 350)
    assert [chunk.text for chunk in chunks(text(exactly))] == [exactly]
    assert [chunk.text for chunk in chunks(text("One.", "Two.", "Three."))] == ["One.\nTwo.\nThree."]


@pytest.mark.parametrize("max_tokens", [40, 120, 350])
def test_chunks_fit_and_lose_nothing(max_tokens: int) -> None:
    """No chunk is larger than allowed, numbers run from 0, and together they are the whole text in order."""
    random_ = random.Random(1)
    items = [paragraph(random_, random_.choice((5, 60, 900))) for _ in range(200)]
    found = chunks(text(*items), max_tokens)
    assert max(count([chunk.text for chunk in found])) <= max_tokens
    assert max(chunk.tokens for chunk in found) <= max_tokens
    assert [chunk.ordinal for chunk in found] == list(range(len(found)))
    assert squeezed(*(chunk.text for chunk in found)) == squeezed(*items)


def test_chunks_are_filled_well() -> None:
    """On average a chunk has more than half of the tokens that it may have."""
    random_ = random.Random(2)
    found = chunks(text(*(paragraph(random_) for _ in range(1000))))
    assert sum(chunk.tokens for chunk in found) / len(found) > 0.6 * 350


def test_long_paragraphs_are_cut_at_sentences_in_both_languages() -> None:
    """A paragraph that does not fit is split after sentences, English or Chinese, not within them."""
    english = " ".join(f"This is sentence number {n} about Mr. Smith's leave." for n in range(60))
    chinese = "".join(f"员工第{n}条规定要求提前三天申请！他说：“好的。”" for n in range(60))
    for whole in (english, chinese):
        found = chunks(text(whole), 100)
        assert len(found) > 3
        assert all(chunk.text.rstrip().endswith((".", "！", "”")) for chunk in found)
        assert not any("Mr.\n" in chunk.text or chunk.text.endswith("Mr.") for chunk in found)
        assert squeezed(*(chunk.text for chunk in found)) == squeezed(whole)


def test_text_without_any_punctuation_is_cut_too() -> None:
    """A single endless word, or Chinese without a full stop, still yields chunks that fit."""
    for whole in ("x" * 20_000, "规" * 3000):
        found = chunks(text(whole), 100)
        assert max(count([chunk.text for chunk in found])) <= 100
        assert squeezed(*(chunk.text for chunk in found)) == whole


def test_headings_open_chunks_and_name_sections() -> None:
    """A heading begins a chunk, is part of its text, and its path is the section."""
    random_ = random.Random(3)
    found = chunks(
        document(
            [
                Element(text="Handbook", kind="title", level=1),
                Element(text="Leave", kind="title", level=2),
                Element(text=paragraph(random_, 100)),
                Element(text="Travel", kind="title", level=2),
                Element(text=paragraph(random_, 100)),
                Element(text="Annex", kind="title", level=1),
                Element(text=paragraph(random_, 100)),
            ]
        )
    )
    assert [chunk.section for chunk in found] == ["Handbook › Leave", "Handbook › Travel", "Annex"]
    assert [chunk.text.split("\n")[0] for chunk in found] == ["Handbook", "Travel", "Annex"]
    assert found[0].text.startswith("Handbook\nLeave\n")


def test_very_short_sections_share_a_chunk() -> None:
    """Questions with one-line answers share a chunk; its section is their common heading path."""
    entries = [Element(text="FAQ", kind="title", level=1)]
    for n in range(6):
        entries += [Element(text=f"Question {n}?", kind="title", level=2), Element(text=f"Answer {n}.")]
    found = chunks(document(entries))
    assert len(found) == 1
    assert found[0].section == "FAQ"
    assert all(f"Question {n}?\nAnswer {n}." in found[0].text for n in range(6))


def test_a_heading_stays_with_its_section() -> None:
    """No chunk ends with a heading whose section continues in the next chunk."""
    random_ = random.Random(4)
    entries: list[Element] = []
    for n in range(60):
        entries += [Element(text=f"Heading {n}", kind="title", level=1 + n % 3)]
        entries += [Element(text=paragraph(random_, 80)) for _ in range(random_.randrange(1, 8))]
    assert not any(re.fullmatch(r"Heading \d+", chunk.text.split("\n")[-1]) for chunk in chunks(document(entries)))


def test_long_tables_repeat_their_header() -> None:
    """A table that does not fit is split between rows, and every chunk of it begins with the header row."""
    rows = [f"employee {n} | {n * 3} days | office {n % 7}" for n in range(200)]
    table = "\n".join(["name | leave | office", *rows])
    found = chunks(document([Element(text=table, kind="table")]), 120)
    assert len(found) > 5
    assert all(chunk.text.startswith("name | leave | office\n") for chunk in found)
    assert [line for chunk in found for line in chunk.text.split("\n") if "employee" in line] == rows
    assert max(count([chunk.text for chunk in found])) <= 120


def test_code_keeps_its_lines() -> None:
    """Code is split between lines, and indentation stays."""
    code = "\n".join(f"    step_{n} = run({n})" for n in range(100))
    found = chunks(document([Element(text=code, kind="code")]), 100)
    assert "\n".join(chunk.text for chunk in found) == code


def test_a_chunk_has_the_page_it_begins_on() -> None:
    """Pages are preferred as boundaries, and a chunk that spans two has the number of the first."""
    random_ = random.Random(5)
    entries = [Element(text=paragraph(random_, 100), page=1 + n // 3) for n in range(30)]
    found = chunks(document(entries))
    pages = {entry.text: entry.page for entry in entries}
    assert all(chunk.page == pages[chunk.text.split("\n")[0]] for chunk in found)


def test_overlap_repeats_the_last_sentences() -> None:
    """With an overlap a chunk begins with the end of the one before it, and still fits."""
    items = [" ".join(f"Rule {n} of item {at} is short." for n in range(9)) for at in range(40)]
    found = chunks(text(*items), 200, 40)
    for before, after in pairwise(found):
        lines = after.text.split("\n")
        assert any(before.text.endswith("\n".join(lines[:taken])) for taken in range(1, len(lines)))
    assert max(count([chunk.text for chunk in found])) <= 200


def _edit(entries: list[Element], at: int, how: str, random_: random.Random) -> list[Element]:
    new = Element(text=paragraph(random_))
    if how == "delete":
        return entries[:at] + entries[at + 1 :]
    return [*entries[:at], new, *entries[at + (how == "change") :]]


@pytest.mark.parametrize("shape", ["plain", "headings", "long paragraphs"])
def test_an_edit_changes_only_the_chunks_around_it(shape: str) -> None:
    """One paragraph of many is changed, inserted or deleted: 1 to 3 chunks have new text, rarely up to 5."""
    random_ = random.Random(7)
    entries = [Element(text=paragraph(random_)) for _ in range(2000)]
    if shape == "long paragraphs":
        entries = [Element(text=" ".join(paragraph(random_, 25) for _ in range(20))) for _ in range(200)]
    if shape == "headings":
        for n, at in enumerate(range(0, 2000, 9)):
            entries[at] = Element(text=f"Section {n}", kind="title", level=1 + n % 2)
    before = {chunk.text for chunk in chunks(document(entries))}
    moved = []
    for at in range(1, len(entries), len(entries) // 33):
        for how in ("change", "insert", "delete"):
            after = chunks(document(_edit(entries, at, how, random_)))
            moved.append(len({chunk.text for chunk in after} - before))
    assert sum(moved) / len(moved) < 2
    assert sum(new <= 3 for new in moved) >= 0.95 * len(moved)
    assert max(moved) <= 5


def test_sentences_are_lossless() -> None:
    """Joined, the sentences and the clauses of a text are that text."""
    sample = 'He said "No." Then Dr. J. Smith left, e.g. at 3.5 p.m. 他说：“好。”然后走了；再见！\nNew… line?'
    assert "".join(sentences(sample)) == sample
    assert "".join(clauses(sample)) == sample
    assert sentences("他说：“好。”然后走了。") == ["他说：“好。”", "然后走了。"]
    assert sentences("See Fig. 3 and No. 7. Then stop.") == ["See Fig. 3 and No. 7. ", "Then stop."]


@pytest.fixture(scope="module")
def fork_server() -> Iterator[None]:
    """Closes the fork server that the activity starts after the module."""
    yield
    runner.close()


OTHER = EmbeddingModel(name="other", fingerprint="o")


class FakeTriton:
    """A model card and a tokenizer, without a server; the tokenizer of the model ``OTHER`` counts letters."""

    def __init__(self, max_tokens: int) -> None:
        self._card = ModelCard(
            model="fake",
            fingerprint="f",
            dimension=4,
            max_tokens=max_tokens,
            batch_size=8,
            prompts={"passage": "passage: "},
        )
        self._tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
        self._tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        self.fetched: list[str] = []

    async def card(self, model: EmbeddingModel | None = None) -> ModelCard:
        if model == OTHER:
            return msgspec.structs.replace(self._card, model=OTHER.name, fingerprint=OTHER.fingerprint)
        return self._card

    async def tokenizer_file(self, model: EmbeddingModel | None = None) -> bytes:
        self.fetched.append(model.name if model else "")
        if model == OTHER:
            letters = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
            letters.pre_tokenizer = pre_tokenizers.Split(Regex(r"\S"), "isolated")
            return letters.to_str().encode()
        return self._tokenizer.to_str().encode()


def activity_on(folder: Path, max_tokens: int = 512) -> tuple[Blobs, ChunkActivities]:
    blobs = Blobs(folder.as_uri())
    return blobs, ChunkActivities(blobs, cast(Triton, FakeTriton(max_tokens)), ParseSettings(), Lane(4))


@pytest.mark.usefixtures("fork_server")
def test_the_activity_stores_chunks_once(tmp_path: Path) -> None:
    """The same document and settings lead to the same blob; other settings lead to another."""

    async def run() -> None:
        blobs, activities = activity_on(tmp_path)
        random_ = random.Random(8)
        await blobs.save("parsed/a/p", text(*(paragraph(random_) for _ in range(50))))
        job = ChunkInput(parsed_key="parsed/a/p", chunking=Chunking(max_tokens=100))
        first = await ActivityEnvironment().run(activities.chunk, job)
        stored = await blobs.load(first.chunks_key, list[Chunk])
        assert first.chunks == len(stored) > 10
        assert first.tokens == sum(chunk.tokens for chunk in stored)
        assert await ActivityEnvironment().run(activities.chunk, job) == first
        other = msgspec.structs.replace(job, chunking=Chunking(max_tokens=50))
        assert (await ActivityEnvironment().run(activities.chunk, other)).chunks_key != first.chunks_key

    asyncio.run(run())


@pytest.mark.usefixtures("fork_server")
def test_each_model_counts_with_its_own_tokenizer(tmp_path: Path) -> None:
    """In turn, as while an index changes its model: each tokenizer is loaded once, and cuts as it would alone."""

    async def run() -> None:
        triton, blobs = FakeTriton(512), Blobs(tmp_path.as_uri())
        activities = ChunkActivities(blobs, cast(Triton, triton), ParseSettings(), Lane(4))
        random_ = random.Random(8)
        await blobs.save("parsed/a/p", text(*(paragraph(random_) for _ in range(50))))
        counts = []
        for tokens in (100, 90):
            for model in (None, OTHER):
                job = ChunkInput(parsed_key="parsed/a/p", chunking=Chunking(max_tokens=tokens), embedding=model)
                counts.append((await ActivityEnvironment().run(activities.chunk, job)).chunks)
        words, letters, *_ = counts
        assert letters > 3 * words
        assert triton.fetched == ["fake", "other"]

    asyncio.run(run())


@pytest.mark.usefixtures("fork_server")
def test_chunks_fit_the_models_window(tmp_path: Path) -> None:
    """Whatever size is requested, a chunk with its prompt is no longer than the model's window."""

    async def run() -> None:
        blobs, activities = activity_on(tmp_path, max_tokens=64)
        await blobs.save("parsed/a/p", text(" ".join(["word"] * 1000)))
        job = ChunkInput(parsed_key="parsed/a/p", chunking=Chunking(max_tokens=400))
        done = await ActivityEnvironment().run(activities.chunk, job)
        prompt = counter(Tokenizer.from_buffer(await FakeTriton(64).tokenizer_file()))(["passage: "])[0]
        assert all(chunk.tokens + prompt <= 64 for chunk in await blobs.load(done.chunks_key, list[Chunk]))

    asyncio.run(run())


@pytest.mark.usefixtures("fork_server")
def test_a_document_without_text_fails(tmp_path: Path) -> None:
    """No chunk at all is an error that users see, not an empty success."""

    async def run() -> None:
        blobs, activities = activity_on(tmp_path)
        await blobs.save("parsed/a/p", document([Element(text="  ")]))
        with pytest.raises(NoText):
            await ActivityEnvironment().run(activities.chunk, ChunkInput(parsed_key="parsed/a/p", chunking=Chunking()))

    asyncio.run(run())


def test_a_megabyte_in_one_line_is_chunked_without_being_tokenized_whole() -> None:
    """The tokenizer sees only texts of a few thousand characters, and no word is lost."""
    counted: list[int] = []

    def measuring(texts: list[str]) -> list[int]:
        counted.extend(map(len, texts))
        return count(texts)

    line = " ".join(f"word{number}" for number in range(80_000))
    found = chunk_document(text(line), Chunking(max_tokens=350), measuring)
    assert squeezed(*(chunk.text for chunk in found)) == squeezed(line)
    assert max(counted) <= 8_000
    assert sum(counted) < 8 * len(line)


@pytest.mark.parametrize(
    "unbroken", ["汉字" * 600_000, "word " * 250_000, "w1" * 600_000], ids=["cjk", "words", "data"]
)
def test_text_without_an_end_is_refused(unbroken: str) -> None:
    """Megabytes without the end of a sentence or line are data; the reason says so, and how much is allowed."""
    with pytest.raises(DocumentTooLarge, match="1000000"):
        chunk_document(text(unbroken), Chunking(), count)


def test_a_long_paragraph_of_sentences_is_chunked() -> None:
    """What ends its sentences may be of any length."""
    whole = "A sentence that ends. " * 60_000
    assert squeezed(*(chunk.text for chunk in chunk_document(text(whole), Chunking(), count))) == squeezed(whole)


@pytest.mark.parametrize("filler", [" " * 7000, "\U00013000" * 7000], ids=["spaces", "unknown"])
def test_what_is_one_token_of_any_length_is_cut_too(filler: str) -> None:
    """A tokenizer counts no length; an index does, and would cut what is left."""
    found = chunk_document(text("\n".join(f"a{filler}b" for _ in range(30))), Chunking(max_tokens=350), count)
    assert max(len(chunk.text) for chunk in found) <= 350 * 16


def test_a_table_of_equal_rows_repeats_its_header_seldom() -> None:
    """Also when their hash says that each of them may start a chunk."""
    header = " | ".join(f"column {number} of many" for number in range(30))
    row = next(f"{number} | 1" for number in range(1000) if _starts_table(f"{number} | 1"))
    table = Element(text="\n".join([header, *[row] * 500]), kind="table")
    found = chunk_document(document([table]), Chunking(max_tokens=350), count)
    assert len(found) < 100
