"""Sets that other feature definitions wrote do not stand in the way, and the one that is recommended from stays."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from components.build_features.snapshots import build_features
from components.contracts.errors import FeatureError
from components.features.snapshots.sets import FeatureSet, current_set, open_set, point_current, read_set
from components.home.runs.records import RunRecord, save_run, write_json
from components.home.runs.step_records import StepRecord
from pipelines.recommendations import last_features
from tests.components.build_features.homes import home_of, quiet, small_shop
from tests.components.features.frames import on
from tests.components.features.snapshots.feature_sets import MONDAY, a_set, snapshot

pytestmark = pytest.mark.slow(seconds=15)


def plain_set(features: Path, ttl_days: int = 60) -> FeatureSet:
    return a_set(features, ttl_days, {MONDAY: snapshot(features, "a", "1")})


def drop_a_field(manifest: Path) -> None:
    document = json.loads(manifest.read_text())
    del document["shape"]["success"]
    manifest.write_text(json.dumps(document))


def test_a_set_of_other_definitions_is_refused_in_words(tmp_path: Path) -> None:
    old = plain_set(tmp_path)
    drop_a_field(old.manifest)
    with pytest.raises(FeatureError, match=r"other feature definitions.*`rankloop run` builds them again"):
        read_set(tmp_path, old.digest)


def test_a_current_set_of_other_definitions_is_replaced(tmp_path: Path) -> None:
    old, new = plain_set(tmp_path), plain_set(tmp_path, ttl_days=30)
    assert point_current(old)
    drop_a_field(old.manifest)
    assert point_current(new)
    assert current_set(tmp_path) == new


@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")  # Ibis 12 on DuckDB 2
def test_monitoring_leaves_the_set_that_recommendations_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.features.snapshots.sets.KEPT_SETS", 1)
    home, clean = home_of(tmp_path)

    def run(run_id: str, pipeline: str, day: int, state: str = "done") -> FeatureSet:
        at = replace(clean, as_of=on(day).isoformat())
        features = build_features(small_shop(), home, at, quiet).handle
        record = StepRecord("build_features", "done", handles={"features": features})
        write_json(home.run(run_id) / "steps" / "build_features.json", asdict(record))
        save_run(home, RunRecord(run_id, pipeline, "small", "shop.toml", None, state))
        return open_set(features)

    earlier = run("1", "training", 70)
    trained = run("2", "training", 71)
    run("3", "training", 72, state="failed")
    for day in (73, 74):
        watched = run(str(day), "monitoring", day)

    assert last_features(home) == trained
    assert sorted(path.stem for path in (home.features / "sets").iterdir()) == sorted([trained.digest, watched.digest])
    assert not earlier.manifest.exists()
