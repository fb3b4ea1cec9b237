"""What doctor finds of a home in a bucket; those of folders stand with what they examine."""

from pathlib import Path

import pytest

from components.home.storage.locations import BucketPath
from pipelines.health import Finding, examine


def findings(home: BucketPath, shop_file: Path) -> dict[str, list[Finding]]:
    by_subject: dict[str, list[Finding]] = {}
    for finding in examine(shop_file, home):
        by_subject.setdefault(finding.subject, []).append(finding)
    return by_subject


def test_the_store_of_a_home_in_a_bucket_is_proved(bucket: BucketPath, tmp_path: Path) -> None:
    seen = findings(bucket, tmp_path / "shop.toml")
    assert [(finding.well, finding.found.partition(":")[0]) for finding in seen["store"]] == [
        (True, "write, read, delete"),
        (True, "conditional put"),
        (True, "compare-and-swap"),
    ]
    assert seen["cache"][0].well
    assert "disk" not in seen


def test_a_bucket_that_cannot_be_used_is_one_finding(bucket: BucketPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    (store,) = findings(bucket, Path("no-such.toml"))["store"]
    assert not store.well
    assert "the credentials are refused" in store.found
