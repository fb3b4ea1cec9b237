"""Batch lists rest on the features of the last training run, however often drift was looked at since."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from components.features.snapshots.sets import KEPT_SETS, open_set
from tests.pipelines.homes.tiny_shop import LivingHome

pytestmark = pytest.mark.slow(seconds=15)


def leave_later_sets(manifest: Path) -> None:
    """Leave as many newer sets as a home keeps, as drift runs on later days would."""
    document = json.loads(manifest.read_text())
    for later in range(1, KEPT_SETS + 1):
        newer = document | {"number": document["number"] + later}
        manifest.with_name(f"{later:016x}.json").write_text(json.dumps(newer))


def test_lists_can_be_made_after_many_drift_runs(baseline_home: LivingHome) -> None:
    living = baseline_home
    before = living.answer("recommend", "--all-users")
    trained_on = living.records()["build_features"].handles["features"]
    leave_later_sets(Path(trained_on.uri))
    next_day = open_set(trained_on).as_of + timedelta(days=1)
    living.answer("drift", "--as-of", next_day.isoformat())
    assert living.records()["build_features"].handles["features"].uri != trained_on.uri
    assert living.answer("recommend", "--all-users") == before
