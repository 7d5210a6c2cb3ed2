"""Places of sources: what the settings allow, by whole names, and nothing beside or above it."""

from __future__ import annotations

import pytest

from activities.errors import InvalidRequest, SyncNotAllowed
from activities.settings import SyncSettings
from activities.sync.places import Folder, Prefix, parse_location, place_of

SETTINGS = SyncSettings(folders="/srv/docs, /data/hr/public", buckets="s3://library/handbook,s3://open")


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("/srv/docs", Folder("/srv/docs", ())),
        ("/srv/docs/", Folder("/srv/docs", ())),
        ("/srv/docs/手册/2024", Folder("/srv/docs", ("手册", "2024"))),
        ("/data/hr/public/a", Folder("/data/hr/public", ("a",))),
        ("s3://library/handbook/", Prefix("library", ("handbook",))),
        ("s3://library/handbook/en", Prefix("library", ("handbook", "en"))),
        ("s3://open", Prefix("open", ())),
        ("s3://open/any/thing", Prefix("open", ("any", "thing"))),
    ],
)
def test_a_place_below_an_allowed_one(location: str, place: Folder | Prefix) -> None:
    """The root is the operator's; the rest is what a sync walks down."""
    assert place_of(location, SETTINGS) == place


@pytest.mark.parametrize(
    "location",
    ["/", "/srv", "/srv/docs2", "/srv/docsecret/x", "/data/hr", "/data/hr/private", "/etc",
     "s3://library", "s3://library/handbook2", "s3://library/other", "s3://open2/x", "s3://openx"],
)  # fmt: skip
def test_a_place_beside_an_allowed_one_is_refused(location: str) -> None:
    """Also one whose name begins as an allowed one does."""
    with pytest.raises(SyncNotAllowed) as caught:
        place_of(location, SETTINGS)
    assert location not in str(caught.value)


@pytest.mark.parametrize(
    "location",
    ["", "docs", "./srv/docs", "/srv/docs/../../etc", "/srv/docs/./a", "/srv//docs", "/srv/docs/\x00",
     "/srv/docs/a\nb", "s3://", "s3://Library/x", "s3://open/../library", "s3://open//x", "file:///srv/docs",
     "http://open/x", "s3:/open", "s3://op en/x"],
)  # fmt: skip
def test_what_names_no_place_is_refused(location: str) -> None:
    """Before it is held against the settings."""
    with pytest.raises(InvalidRequest):
        place_of(location, SETTINGS)


@pytest.mark.parametrize("location", ["/srv/docs", "s3://open/x"])
def test_without_settings_nothing_is_allowed(location: str) -> None:
    """The error names the setting."""
    with pytest.raises(SyncNotAllowed, match="HOLDFAST_SYNC_"):
        place_of(location, SyncSettings())


def test_a_location_has_one_spelling() -> None:
    """A slash at the end makes no difference."""
    assert [parse_location(location)[0] for location in ("/srv/docs/", "s3://open/", "s3://open/a/")] == [
        "/srv/docs",
        "s3://open",
        "s3://open/a",
    ]
