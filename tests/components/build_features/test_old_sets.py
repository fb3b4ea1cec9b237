"""Sets that other feature definitions wrote do not stand in the way, and the one that is recommended from stays."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.build_features.snapshots import build_features
from components.contracts.errors import FeatureError
from components.features.snapshots.sets import FeatureSet, point_current, read_set, write_set
from components.home.runs import RunRecord, save_run, write_json
from components.home.step_records import StepRecord
from pipelines.recommendations import last_features
from tests.components.build_features.homes import home_of, quiet, small_shop
from tests.components.features.frames import PLAIN, on

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
    with pytest.raises(FeatureError, match=r"other feature definitions.*`rankloop run` builds them again"):
        read_set(old.folder)


def test_a_current_set_of_other_definitions_is_replaced(tmp_path: Path) -> None:
    old, new = a_set(tmp_path), a_set(tmp_path, ttl_days=30)
    assert point_current(tmp_path, old)
    forget_a_field(old.folder)
    assert point_current(tmp_path, new)
    assert (tmp_path / "current").resolve() == new.folder


@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")  # Ibis 12 on DuckDB 2
def test_monitoring_leaves_the_set_that_recommendations_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.features.snapshots.sets.KEPT_SETS", 1)
    home, clean = home_of(tmp_path)

    def run(run_id: str, pipeline: str, day: int, state: str = "done") -> FeatureSet:
        at = replace(clean, as_of=on(day).isoformat())
        features = build_features(small_shop(), home, at, quiet).features
        record = StepRecord("build_features", "done", handles={"features": features})
        write_json(home.run(run_id) / "steps" / "build_features.json", asdict(record))
        save_run(home, RunRecord(run_id, pipeline, "small", "shop.toml", None, state))
        return read_set(Path(features.uri))

    earlier = run("1", "training", 70)
    trained = run("2", "training", 71)
    run("3", "training", 72, state="failed")
    for day in (73, 74):
        watched = run(str(day), "monitoring", day)

    assert last_features(home) == trained
    assert sorted(path.name for path in (home.features / "sets").iterdir()) == sorted([trained.digest, watched.digest])
    assert not earlier.folder.exists()
