"""The blob store in a local folder: blobs come back unchanged, a missing blob is reported, an outage is an outage."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import msgspec
import obstore
import pytest
from obstore.exceptions import GenericError

from activities.contracts.documents import Chunk
from activities.errors import BlobsUnavailable
from activities.stores.blob_keys import digest, original_key
from activities.stores.blobs import Blobs
from activities.telemetry import metrics
from tests.s3 import serving_s3

MIB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The store's folder, not created yet; its name needs escaping in a URL."""
    return tmp_path / "a b" / "blobs"


@pytest.fixture
def blobs(folder: Path) -> Blobs:
    """A store in that folder."""
    folder.parent.mkdir()
    return Blobs(f"file://{folder}")


def files(root: Path) -> set[Path]:
    """All files below a folder."""
    return {path for path in root.rglob("*") if path.is_file()}


async def test_a_blob_comes_back_as_it_was_put(blobs: Blobs) -> None:
    """Byte for byte; a second put changes nothing."""
    for data in (b"", b"some bytes", bytes(range(256)) * 10):
        for _ in range(2):
            await blobs.put("originals/x", data)
            assert await blobs.get("originals/x") == data
            assert await blobs.size("originals/x") == len(data)
            assert await blobs.exists("originals/x")


async def test_a_struct_comes_back_with_its_type(blobs: Blobs) -> None:
    """Loading it as another type fails."""
    chunks = [Chunk(ordinal=0, text="文字", tokens=2, page=3), Chunk(ordinal=1, text="text", tokens=1)]
    await blobs.save("chunks/a/b", chunks)
    assert await blobs.load("chunks/a/b", list[Chunk]) == chunks
    with pytest.raises(msgspec.ValidationError):
        await blobs.load("chunks/a/b", Chunk)


async def test_a_file_object_is_put_whole(blobs: Blobs, tmp_path: Path) -> None:
    """From its beginning to its end, larger than one part; also from memory."""
    data = bytes(range(251)) * (12 * MIB // 251)
    path = tmp_path / "upload"
    path.write_bytes(data)
    with path.open("rb") as file:
        await blobs.put("originals/file", file)
    assert await blobs.get("originals/file") == data
    await blobs.put("originals/memory", io.BytesIO(data))
    assert await blobs.size("originals/memory") == len(data)


async def test_a_missing_blob_is_a_key_error(blobs: Blobs, tmp_path: Path) -> None:
    """Every way of reading raises it with the key; `exists` returns False."""
    await blobs.put("originals/there", b"x")
    assert not await blobs.exists("originals/missing")
    for key in ("originals/missing", "nowhere/at/all", "originals"):
        for reading in (
            blobs.get(key),
            blobs.size(key),
            blobs.load(key, bytes),
            blobs.download(key, tmp_path / "target"),
            anext(blobs.stream(key)),
            anext(blobs.stream(key, 0, 1)),
        ):
            with pytest.raises(KeyError) as caught:
                await reading
            assert caught.value.args == (key,)


async def test_a_prefix_is_a_whole_segment(blobs: Blobs) -> None:
    """`parsed/ab` lists the keys below it, not its neighbour `parsed/abc`; an unknown prefix lists nothing."""
    for key in ("parsed/ab/1", "parsed/ab/2", "parsed/ab/deep/3", "parsed/abc/4", "parsed2/ab/5"):
        await blobs.put(key, b"x")
    assert sorted(await blobs.list("parsed/ab")) == ["parsed/ab/1", "parsed/ab/2", "parsed/ab/deep/3"]
    assert len(await blobs.list("parsed")) == 4
    assert await blobs.list("parsed/a") == []
    assert await blobs.list("missing") == []


async def test_more_keys_than_one_batch_are_listed(blobs: Blobs) -> None:
    """A listing is complete."""
    for n in range(1100):
        await blobs.put(f"parts/{n}", b"")
    assert len(set(await blobs.list("parts"))) == 1100


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, None), (1, None), (MIB - 1, MIB + 1), (MIB, 2 * MIB), (0, 1), (2 * MIB + 4, None), (5, 5), (3 * MIB, None)],
)
async def test_a_range_is_streamed(blobs: Blobs, start: int, end: int | None) -> None:
    """Exactly the bytes from `start` up to `end`, in pieces of at most 1 MiB; none beyond the end of the blob."""
    data = bytes(range(251)) * (2 * MIB // 251) + b"the rest"
    await blobs.put("originals/long", data)
    pieces = [piece async for piece in blobs.stream("originals/long", start, end)]
    assert b"".join(pieces) == data[start:end]
    assert all(0 < len(piece) <= MIB for piece in pieces)


async def test_an_empty_blob_is_streamed(blobs: Blobs, tmp_path: Path) -> None:
    """It yields nothing, and downloads as an empty file."""
    await blobs.put("originals/empty", b"")
    assert [piece async for piece in blobs.stream("originals/empty")] == []
    await blobs.download("originals/empty", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b""


async def test_a_blob_is_downloaded(blobs: Blobs, tmp_path: Path) -> None:
    """The file has its bytes, whatever the file contained before."""
    data = bytes(range(256)) * (3 * MIB // 256) + b"!"
    await blobs.put("originals/long", data)
    (tmp_path / "target").write_bytes(bytes(5 * MIB))
    await blobs.download("originals/long", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == data


async def test_deleting_is_idempotent(blobs: Blobs) -> None:
    """A missing blob can be deleted again; neighbours stay."""
    await blobs.put("originals/a", b"a")
    await blobs.put("originals/b", b"b")
    for _ in range(2):
        await blobs.delete("originals/a")
    await blobs.delete("nowhere/at/all")
    assert not await blobs.exists("originals/a")
    assert await blobs.get("originals/b") == b"b"


async def test_the_folder_is_made_when_it_is_missing(blobs: Blobs, folder: Path) -> None:
    """A store in a new folder answers at once and is empty."""
    await blobs.ping()
    assert folder.is_dir()
    assert await blobs.list("originals") == []


async def test_a_store_that_cannot_be_used_is_an_outage(blobs: Blobs, folder: Path) -> None:
    """The folder is a file: every operation raises BlobsUnavailable, none reports a missing blob."""
    await blobs.put("originals/a", b"a")
    (folder / "originals" / "a").unlink()
    (folder / "originals").rmdir()
    folder.rmdir()
    folder.write_bytes(b"not a folder")
    for action in (
        blobs.put("originals/a", b"a"),
        blobs.get("originals/a"),
        blobs.exists("originals/a"),
        blobs.delete("originals/a"),
    ):
        with pytest.raises(BlobsUnavailable) as caught:
            await action
        assert len(str(caught.value).splitlines()) == 1


async def test_a_blob_that_cannot_be_written_is_an_outage(blobs: Blobs, folder: Path) -> None:
    """A file is where a folder is needed: not even root can write there."""
    folder.mkdir(exist_ok=True)
    (folder / "originals").write_bytes(b"not a folder")
    with pytest.raises(BlobsUnavailable) as caught:
        await blobs.put("originals/a", b"a")
    assert str(caught.value).startswith("The file store cannot be used: Not a directory (os error 20).")


async def test_a_bucket_that_is_gone_is_an_outage() -> None:
    """Its files are not lost: a server says of them the same as of a file that is missing."""
    with serving_s3() as bucket:
        there, gone = Blobs(f"s3://{bucket.name}"), Blobs("s3://gone")
        with pytest.raises(KeyError):
            await there.get("originals/a")
        assert not await there.exists("originals/a")
        await there.delete("originals/a")
        for action in (
            gone.put("originals/a", b"a"),
            gone.create("originals/a", b"a"),
            gone.get("originals/a"),
            gone.size("originals/a"),
            gone.exists("originals/a"),
            gone.delete("originals/a"),
        ):
            with pytest.raises(BlobsUnavailable) as caught:
                await action
            assert "404 Not Found. Work" in str(caught.value) or "no such bucket" in str(caught.value)


async def test_an_outage_names_no_address(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the server nor the bucket or the key: whoever uploads reads it."""
    said = "Generic S3 error: Error performing PUT http://10.0.0.7:9000/b/originals/a in 1ms - {}\n\nDebug source:"

    async def fails(*_: object, **__: object) -> None:
        raise GenericError(said.format(cause))

    monkeypatch.setattr(obstore, "put_async", fails)
    for cause in (
        "HTTP error: error sending request",
        "Server returned non-2xx status code: 503 Busy: ",
    ):
        with pytest.raises(BlobsUnavailable) as caught:
            await blobs.put("originals/a", b"a")
        assert str(caught.value).startswith(f"The file store cannot be used: {cause.strip(': ')}. Work waits")


@pytest.mark.parametrize(
    "key",
    ["../escaped", "originals/../../escaped", "/../escaped", "..", "originals/..%2f..%2fescaped", "..\\escaped"],
)
async def test_keys_never_leave_the_folder(blobs: Blobs, folder: Path, tmp_path: Path, key: str) -> None:
    """A hostile key is an error or a name inside the folder; nothing outside is read, written or deleted."""
    secret = folder.parent / "escaped"
    secret.write_bytes(b"secret")
    before = files(tmp_path)
    with contextlib.suppress(KeyError, BlobsUnavailable, ValueError):
        await blobs.put(key, b"written")
        assert await blobs.get(key) == b"written"
        await blobs.delete(key)
    with contextlib.suppress(KeyError, BlobsUnavailable, ValueError):
        assert await blobs.get(key) != b"secret"
    assert secret.read_bytes() == b"secret"
    assert {path for path in files(tmp_path) - before if not path.is_relative_to(folder)} == set()


async def test_a_url_with_escapes_names_the_folder(tmp_path: Path) -> None:
    """The default URL is `Path.as_uri()`: a data folder with a space or a Chinese name works unchanged."""
    folder = tmp_path / "我的 data" / "blobs"
    folder.parent.mkdir()
    assert quote(str(folder)) in folder.as_uri()
    await Blobs(folder.as_uri()).put("originals/a", b"a")
    assert (folder / "originals" / "a").read_bytes() == b"a"


def test_digests_tell_parts_apart() -> None:
    """Stable, short, and different for other parts, another order or another split between them."""
    assert digest("a", b"bc") == digest(b"a", "bc")
    assert len({digest(), digest(""), digest("abc"), digest("a", "bc"), digest("ab", "c"), digest("bc", "a")}) == 6
    assert len(digest("文")) == 32
    assert original_key("f" * 64) == f"originals/{'f' * 64}"


async def test_a_listing_has_the_time_of_each_blob(blobs: Blobs) -> None:
    """Every blob under the prefix once, with the time of its storage; an empty prefix lists nothing."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    for number in range(3):
        await blobs.put(f"chunks/{number}/x", b"text")
    await blobs.put("originals/x", b"text")
    entries = [entry async for page in blobs.entries("chunks") for entry in page]
    assert {entry.key for entry in entries} == {"chunks/0/x", "chunks/1/x", "chunks/2/x"}
    assert len(entries) == 3
    assert all(before < entry.modified_at <= datetime.now(UTC) for entry in entries)
    assert [page async for page in blobs.entries("missing")] == []


async def test_a_request_that_is_not_waited_for_is_not_done(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch, outcomes: Callable[[], dict[str, int]]
) -> None:
    """Requests are counted by what came of them; one that its caller gave up, or that broke, is no success."""
    await blobs.put("x", b"1")
    with pytest.raises(KeyError):
        await blobs.get("y")

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    async def broken(*_: object) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(obstore, "get_async", never)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await blobs.get("x")
    monkeypatch.setattr(obstore, "get_async", broken)
    with pytest.raises(ValueError, match="broken"):
        await blobs.get("x")
    assert outcomes() == {"done": 1, "missing": 1, "stopped": 1, "failed": 1}


@pytest.fixture
def outcomes() -> Callable[[], dict[str, int]]:
    """Counts requests by outcome from now on."""

    def counted() -> Counter[str]:
        samples = [sample for metric in metrics.FILE_STORE_SECONDS.collect() for sample in metric.samples]
        found: Counter[str] = Counter()
        for sample in samples:
            if sample.name.endswith("_count"):
                found[sample.labels["outcome"]] += int(sample.value)
        return found

    before = counted()
    return lambda: dict(counted() - before)
