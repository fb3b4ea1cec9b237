"""Sets that other feature definitions wrote do not stand in the way."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.contracts.errors import FeatureError
from components.features.sets import FeatureSet, point_current, read_set, write_set
from tests.components.features.frames import PLAIN

MONDAY = datetime(2024, 1, 8, tzinfo=UTC)


def a_set(features: Path, ttl_days: int = 60) -> FeatureSet:
    described = FeatureSet(Path(), "shop", "rev", PLAIN, ttl_days, 7, MONDAY, (MONDAY,), {"events": 1})
    (features / "sets").mkdir(parents=True, exist_ok=True)
    snapshot = features / "snapshot.parquet"
    snapshot.write_bytes(b"rows")
    views = ("user_features", "item_features")
    return write_set(features / "sets", described, {(view, MONDAY): snapshot for view in views})


def forget_a_field(folder: Path) -> None:
    found = json.loads((folder / "set.json").read_text())
    del found["shape"]["success"]
    (folder / "set.json").write_text(json.dumps(found))


def test_a_set_of_other_definitions_is_refused_in_words(tmp_path: Path) -> None:
    old = a_set(tmp_path)
    forget_a_field(old.folder)
    with pytest.raises(FeatureError, match=r"other feature definitions.*build features again"):
        read_set(old.folder)


def test_a_current_set_of_other_definitions_is_replaced(tmp_path: Path) -> None:
    old, new = a_set(tmp_path), a_set(tmp_path, ttl_days=30)
    assert point_current(tmp_path, old)
    forget_a_field(old.folder)
    assert point_current(tmp_path, new)
    assert (tmp_path / "current").resolve() == new.folder
