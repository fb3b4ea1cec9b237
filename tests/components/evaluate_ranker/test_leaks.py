"""The gate refuses what learned, or could have learned, from the future."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from components.contracts.ranking_examples import read_split
from components.evaluate_ranker.future_poison import LeakProbe
from tests.components.evaluate_ranker.judging import Bench, check, failed


def test_a_feature_that_saw_the_future_is_refused(bench: Bench) -> None:
    verdict = replace(bench, found=LeakProbe(10, 400, 3, ("taste",))).judge()
    assert failed(verdict) == {"leak_future"}
    assert "3 of 400 feature values of 10 requests changed (in taste)" in verdict.reasons[0]


@pytest.mark.parametrize("found", [None, LeakProbe(0, 0, 0)])
def test_without_evidence_a_leak_from_the_future_cannot_be_ruled_out(bench: Bench, found: LeakProbe | None) -> None:
    verdict = replace(bench, found=found).judge()
    assert failed(verdict) == {"leak_future"}
    assert "cannot be ruled out" in verdict.reasons[0]


def test_a_held_out_request_that_was_trained_on_is_found(bench: Bench) -> None:
    folder = Path(bench.examples.uri)
    for name in ("features.npy", "baselines.npy", "rows.parquet", "requests.parquet"):
        shutil.copy(folder / f"heldout_{name}", folder / f"train_{name}")
    verdict = bench.judge()
    assert {"leak_times", "leak_overlap"} <= failed(verdict)
    assert "120 of 120 held-out requests were also trained or tuned on" in check(verdict, "leak_overlap").reason


@pytest.mark.parametrize(
    "change",
    [{"train_end": "2024-05-21T00:00:00+00:00"}, {"heldout_start": "2024-05-19T00:00:00+00:00"}, {"horizon_days": 8}],
)
def test_training_and_held_out_weeks_must_not_touch(bench: Bench, change: dict[str, object]) -> None:
    bench.amend_manifest(**change)
    assert not check(bench.judge(), "leak_times").passed


def test_trees_that_live_on_request_constants_are_refused(bench: Bench) -> None:
    bench.amend_manifest(request_constant=["taste", "user_age"])
    verdict = bench.judge()
    assert failed(verdict) == {"leak_constant_gain"}
    assert "2 of 4; limit 20%" in verdict.reasons[0]


def test_positives_that_come_first_are_caught_by_shuffled_labels(bench: Bench) -> None:
    """Equal scores keep the rows' order: when that order knows the outcome, shuffled labels score well."""
    for name in ("train", "heldout"):
        split = read_split(Path(bench.examples.uri), name)
        features = np.zeros(split.features.shape, dtype=np.float32)
        features[0] = 5  # one list that scores order
        bench.redraw(name, features=features)
    split = read_split(Path(bench.examples.uri), "heldout")
    label, request = split.rows["label"].to_numpy(), split.rows["request"].to_numpy()
    order = np.lexsort((-label, request))
    rows = split.rows.set_column(3, "label", [label[order]])
    pq.write_table(rows, Path(bench.examples.uri) / "heldout_rows.parquet")
    assert "leak_label_shuffle" in failed(bench.judge())
