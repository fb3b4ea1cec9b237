"""From live tables to a report and its metrics."""

import math
import re

import numpy as np
import pyarrow as pa
import pytest

from components.contracts.errors import FeatureError
from components.detect_drift.detection import detect_drift
from components.detect_drift.metrics import drift_metrics
from components.drift.kinds import column_kinds
from components.drift.quality import JudgedQuality, KnownOutcomes
from components.drift.report import Verdict
from components.drift.sketches import Sketches, sketch_table


def features(rows: int = 1000, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    users = [f"u{n}" for n in range(rows)]
    return pa.table({"user_id": users, "spend": rng.lognormal(size=rows), "brand": rng.choice(["a", "b", "c"], rows)})


def predictions(shift: float = 0.0, seed: int = 0) -> pa.Table:
    return pa.table({"score": np.random.default_rng(seed).normal(shift, 1, 1000)})


@pytest.fixture(scope="module")
def reference() -> Sketches:
    tables = {"features": features(), "predictions": predictions()}
    return Sketches({name: sketch_table(t.to_batches(), column_kinds(t.schema)) for name, t in tables.items()})


def test_unchanged_tables_are_stable(reference: Sketches) -> None:
    report = detect_drift(reference, {"features": features(seed=1), "predictions": predictions(seed=1)})
    assert (report.verdict, report.reasons) == (Verdict.STABLE, ())


def test_moved_scores_are_prediction_drift(reference: Sketches) -> None:
    report = detect_drift(reference, {"features": features(seed=1), "predictions": predictions(1.0, seed=1)})
    assert report.reasons[0].startswith("predictions.score: the distribution moved")
    assert [table.verdict for table in report.tables] == [Verdict.STABLE, Verdict.DRIFTED]


def test_readers_and_lists_of_batches_are_read_as_tables_are(reference: Sketches) -> None:
    live = features(seed=2)
    as_table = detect_drift(reference, {"features": live})
    assert detect_drift(reference, {"features": live.to_reader(max_chunksize=300)}) == as_table
    assert detect_drift(reference, {"features": live.to_batches(max_chunksize=7)}) == as_table


def test_units_are_counted(reference: Sketches) -> None:
    report = detect_drift(reference, {"features": features(seed=1)}, units={"features": "user_id"})
    assert report.tables[0].live_units == pytest.approx(1000, rel=0.05)


def test_a_column_that_vanished_is_drift_and_an_extra_one_is_ignored(reference: Sketches) -> None:
    live = features(seed=1).drop_columns("spend").append_column("extra", pa.array(np.zeros(1000)))
    assert detect_drift(reference, {"features": live}).reasons == (
        "features.spend: the column is absent from the live window",
    )


def test_an_empty_window_is_too_small_not_drifted(reference: Sketches) -> None:
    for rows in (features().slice(0, 0), []):
        report = detect_drift(reference, {"features": rows})
        assert report.verdict is Verdict.TOO_SMALL
        assert drift_metrics(report)["rankloop_drift_judged"] == 0


def test_a_table_without_reference_is_refused(reference: Sketches) -> None:
    with pytest.raises(FeatureError, match="no reference for data"):
        detect_drift(reference, {"data": features()})


def test_quality_is_judged_once_outcomes_are_known(reference: Sketches) -> None:
    live = {"predictions": predictions(seed=1)}
    judged = JudgedQuality(0.3, 0.29, 0.31, confidence=0.95, k=5)
    fallen = KnownOutcomes(judged, np.random.default_rng(0).uniform(0, 0.4, 500), np.arange(500))
    report = detect_drift(reference, live, outcomes=fallen)
    assert report.quality is not None
    assert report.reasons[0].startswith("quality: NDCG@5 0.3000 → 0.2")
    metrics = drift_metrics(report)
    assert metrics["rankloop_drift_quality_drifted"] == 1
    assert metrics["rankloop_drift_quality_live_ndcg"] == pytest.approx(0.2, abs=0.02)
    assert metrics["rankloop_drift_quality_reference_ndcg"] == 0.3
    small = detect_drift(reference, live, outcomes=KnownOutcomes(judged, np.zeros(3), np.arange(3)))
    assert (small.verdict, small.reasons[0][:25]) == (Verdict.STABLE, "quality: too few users wi")
    assert "rankloop_drift_quality_live_ndcg" not in drift_metrics(small)


def test_metrics_have_names_that_prometheus_takes(reference: Sketches) -> None:
    odd = features().rename_columns(["user_id", "spend (€) 28d", "brand"])
    sketches = Sketches({"features": sketch_table(odd.to_batches(), column_kinds(odd.schema))})
    metrics = drift_metrics(detect_drift(sketches, {"features": odd}))
    assert all(re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name) for name in metrics)
    assert all(math.isfinite(value) for value in metrics.values())
    assert metrics["rankloop_drift_drifted"] == 0
    assert metrics["rankloop_drift_features_columns"] == 2
    assert metrics["rankloop_drift_features_spend_28d_psi"] == 0
    assert metrics["rankloop_drift_features_brand_new_category_share"] == 0
    assert metrics["rankloop_drift_features_brand_missing_share"] == 0


def test_columns_whose_names_meet_share_the_larger_value() -> None:
    before = pa.table({"a b": np.arange(500.0), "a-b": np.arange(500.0)})
    sketches = Sketches({"data": sketch_table(before.to_batches(), column_kinds(before.schema))})
    after = pa.table({"a b": np.arange(500.0) * 3, "a-b": np.arange(500.0)})
    assert drift_metrics(detect_drift(sketches, {"data": after}))["rankloop_drift_data_a_b_psi"] > 0.5
