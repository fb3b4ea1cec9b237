"""Feast's settings of a home say how Feast reads them, and a copy of them finds the home."""

import re
from pathlib import Path

import yaml

from components.home.layout import Home
from components.home.storage.locations import BucketPath
from components.materialize_features.registration import feast_settings


def test_feast_reads_the_settings_of_a_folder_where_they_are() -> None:
    content = feast_settings(Home(Path("/home of/it")), "r1")
    assert "feast -f /home of/it/feature_store/feature_store.yaml materialize" in content
    assert yaml.safe_load(content)["online_store"] == {
        "type": "feature_repo.packed_online_store.feast.online_store.PackedOnlineStore",
        "url": "home:///home of/it",
        "revision": "r1",
    }


def test_feast_reads_the_settings_of_a_bucket_from_a_copy() -> None:
    content = feast_settings(Home(BucketPath("shop", "ü")), "r1")
    assert re.findall(r"copy of it: feast -f (\S+)", content) == ["feature_store.yaml"]
    settings = yaml.safe_load(content)
    assert settings["online_store"]["url"] == "home://s3://shop/ü"
    assert settings["registry"]["path"].startswith("s3://shop/ü/feature_store/")
