from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.home.storage.locations import BucketPath, parse_location


@pytest.mark.parametrize(
    ("address", "location"),
    [
        ("s3://bucket", BucketPath("bucket")),
        ("s3://bucket/", BucketPath("bucket")),
        ("s3://bucket/a home/ü/", BucketPath("bucket", "a home/ü")),
        ("s3://bucket/100%25", BucketPath("bucket", "100%25")),
        ("/a/../b", Path("/b")),
    ],
)
def test_an_address_is_a_path_or_a_key_of_a_bucket(address: str, location: object) -> None:
    assert parse_location(address) == location


@pytest.mark.parametrize("address", ["s3://", "s3:///key", "s3://b/a//b", "s3://b/../c", "s3://b/a\n", "gs://b/a"])
def test_an_address_without_a_usable_key_is_refused_in_one_line(address: str) -> None:
    with pytest.raises(ConfigurationError, match="expected a folder, or s3://BUCKET/PREFIX") as refusal:
        parse_location(address)
    assert "\n" not in str(refusal.value)


def test_parts_of_a_key_go_by_the_names_of_pathlib() -> None:
    run = BucketPath("b", "home") / "runs" / "1"
    assert (run.name, run.parent.name, run.with_name("2").key) == ("1", "runs", "home/runs/2")
    assert run.relative_to(BucketPath("b", "home")) == "runs/1"
    assert (str(BucketPath("b", "ü 1")), BucketPath("b", "ü 1").url) == ("s3://b/ü 1", "s3://b/%C3%BC%201")
    with pytest.raises(ValueError, match="does not lie in"):
        run.relative_to(BucketPath("other", "home"))
