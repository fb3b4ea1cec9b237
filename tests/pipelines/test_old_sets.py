"""Batch lists rest on the features of the last training run, however often drift was looked at since."""

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from components.features.snapshots.sets import KEPT_SETS, read_set
from tests.pipelines.tiny_shop import LivingHome

pytestmark = pytest.mark.slow(seconds=15)


def leave_later_sets(trained_on: Path) -> None:
    """Leave as many newer sets as a home keeps, as drift runs on later days would."""
    written = (trained_on / "set.json").stat().st_mtime
    for number in range(KEPT_SETS):
        later = shutil.copytree(trained_on, trained_on.with_name(f"{number:016x}"))
        os.utime(later / "set.json", (written + number + 1, written + number + 1))


def test_lists_can_be_made_after_many_drift_runs(baseline_home: LivingHome) -> None:
    living = baseline_home
    before = living.answer("recommend", "--all-users")
    trained_on = Path(living.records()["build_features"].handles["features"].uri)
    leave_later_sets(trained_on)
    next_day = read_set(trained_on).as_of + timedelta(days=1)
    living.answer("drift", "--as-of", next_day.isoformat())
    assert living.records()["build_features"].handles["features"].uri != str(trained_on)
    assert living.answer("recommend", "--all-users") == before
