"""Objects of a bucket: what is listed and read, and what is told when the server is not there."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

import pytest

from activities.errors import SourceUnavailable
from activities.sync.bucket import BucketFiles
from activities.sync.listing import Collector, Listing, NotTaken
from activities.sync.places import Prefix
from tests.s3 import Bucket, serving_s3

LIMIT = 20 << 20


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    """A bucket with some objects."""
    with serving_s3() as found:
        found.put(
            {
                "handbook/a.md": "A",
                "handbook/en/b c.md": "B",
                "handbook/手册.md": "C",
                "handbook/.hidden": "x",
                "handbook/empty.md": "",
                "handbook2/secret.md": "Beside it.",
                "secret.md": "Above it.",
            }
        )
        yield found


async def listed(files: BucketFiles) -> Listing:
    """The listing of a prefix."""
    collector = Collector((), (), LIMIT)
    await files.list(collector)
    return collector.listing()


async def test_a_prefix_is_listed(bucket: Bucket) -> None:
    """By paths in it; what only begins with its name is not in it. The whole bucket is a prefix too."""
    found = await listed(BucketFiles(Prefix(bucket.name, ("handbook",))))
    assert [file.name for file in found.files] == ["a.md", "en/b c.md", "手册.md"]
    assert found.left_out == {"hidden": 1, "empty": 1}
    deeper = await listed(BucketFiles(Prefix(bucket.name, ("handbook", "en"))))
    assert [file.name for file in deeper.files] == ["b c.md"]
    everything = await listed(BucketFiles(Prefix(bucket.name, ())))
    assert {"secret.md", "handbook2/secret.md", "handbook/a.md"} <= {file.name for file in everything.files}


async def test_the_mark_of_a_folder_holds_nothing_in_it(bucket: Bucket) -> None:
    """Consoles write an empty object `folder/`; documents of the folder whose objects vanish are deleted."""
    bucket.put_raw("marked/folder/", "marked/folder/a.md")
    found = await listed(BucketFiles(Prefix(bucket.name, ("marked",))))
    assert [file.name for file in found.files] == ["folder/a.md"]
    assert (found.held, found.held_folders) == (["folder"], [])


async def test_a_key_that_is_no_path_leaves_out_only_its_folder(bucket: Bucket) -> None:
    """What is in the folder may be there: it is held. Nothing but the prefix itself is told as unavailable."""
    bucket.put_raw("odd/a//b.md", "odd/a/c.md", "odd/x/y.md", "odd/x/z/%2E%2E/w.md", "odd/top.md", "odd/.git/a//b")
    found = await listed(BucketFiles(Prefix(bucket.name, ("odd",))))
    assert [file.name for file in found.files] == ["top.md", "x/y.md"]
    assert found.left_out == {"bad_name": 2, "hidden": 1}
    assert found.held == found.held_folders == ["a", "x/z"]
    with pytest.raises(SourceUnavailable, match="is no path"):
        await listed(BucketFiles(Prefix(bucket.name, ("odd", "a"))))


async def test_an_object_is_read_in_pieces(bucket: Bucket) -> None:
    """All of them of one state, with the stamp of the listing."""
    text = "0123456789" * 1_800_000
    bucket.put({"big/big.txt": text})
    files, target = BucketFiles(Prefix(bucket.name, ("big",))), io.BytesIO()
    content = await files.read("big.txt", target, LIMIT)
    assert target.getvalue() == text.encode()
    assert content.sha256 == hashlib.sha256(text.encode()).hexdigest()
    (file,) = (await listed(files)).files
    assert (content.bytes, content.stamp) == (file.bytes, file.stamp)
    with pytest.raises(NotTaken, match="too_large"):
        await files.read("big.txt", None, 1000)


async def test_an_object_that_is_replaced_while_it_is_read_is_not_taken(bucket: Bucket) -> None:
    """Nobody gets half of the old content with half of the new."""
    bucket.put({"busy/busy.txt": "a" * 10_000_000})

    class Replacing(io.BytesIO):
        def write(self, piece: object) -> int:
            bucket.put({"busy/busy.txt": "b" * 10_000_000})
            return super().write(piece)  # type: ignore[arg-type]

    with pytest.raises(NotTaken, match="changing"):
        await BucketFiles(Prefix(bucket.name, ("busy",))).read("busy.txt", Replacing(), LIMIT)


async def test_what_exists(bucket: Bucket) -> None:
    """An object that is gone cannot be read either."""
    files = BucketFiles(Prefix(bucket.name, ("handbook",)))
    assert await files.exists("a.md")
    assert not await files.exists("gone.md")
    with pytest.raises(NotTaken, match="gone"):
        await files.read("gone.md", None, LIMIT)


async def test_a_bucket_that_cannot_be_read_is_told(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not there, and a server that is not: as unavailable, not as empty; without a name of either."""
    with pytest.raises(SourceUnavailable, match="no such bucket"):
        await listed(BucketFiles(Prefix("nowhere", ("handbook",))))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    files = BucketFiles(Prefix(bucket.name, ("handbook",)))
    for ask in (listed(files), files.exists("a.md"), files.read("a.md", None, LIMIT)):
        with pytest.raises(SourceUnavailable) as caught:
            await ask
        assert "127.0.0.1" not in str(caught.value)
