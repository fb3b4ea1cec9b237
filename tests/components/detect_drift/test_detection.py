"""From live tables to a report and its metrics."""

import json
from typing import Any

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
        assert set(drift_metrics(report)) == {"rankloop_drift_rows", "rankloop_drift_columns"}, "no verdict at all"


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
    assert value(metrics, "rankloop_drift_table_verdict", table="quality") == 1
    assert value(metrics, "rankloop_drift_quality_ndcg", window="live") == pytest.approx(0.2, abs=0.02)
    assert value(metrics, "rankloop_drift_quality_ndcg", window="reference") == 0.3
    small = detect_drift(reference, live, outcomes=KnownOutcomes(judged, np.zeros(3), np.arange(3)))
    assert (small.verdict, small.reasons[0][:25]) == (Verdict.STABLE, "quality: too few users wi")
    assert value(drift_metrics(small), "rankloop_drift_quality_ndcg", window="live") is None


def value(metrics: dict[str, list[dict[str, Any]]], name: str, **labels: str) -> float | None:
    """The value of the one sample with these labels; None where there is none."""
    values = [sample["value"] for sample in metrics.get(name, []) if sample == {**labels, "value": sample["value"]}]
    assert len(values) <= 1
    return values[0] if values else None


def test_each_statistic_has_its_limit_and_each_column_and_table_its_verdict() -> None:
    before = pa.table({"a b": np.arange(500.0), "a-b (€)": np.arange(500.0)})
    sketches = Sketches({"data": sketch_table(before.to_batches(), column_kinds(before.schema))})
    after = pa.table({"a b": np.arange(500.0) * 3, "a-b (€)": np.arange(500.0)})
    metrics = drift_metrics(detect_drift(sketches, {"data": after}))
    assert value(metrics, "rankloop_drift_window_verdict") == 1
    assert value(metrics, "rankloop_drift_table_verdict", table="data") == 1
    assert value(metrics, "rankloop_drift_rows", table="data") == 500
    assert value(metrics, "rankloop_drift_columns", table="data", verdict="drifted") == 1
    for column, moved in (("a b", 1), ("a-b (€)", 0)):
        assert value(metrics, "rankloop_drift_verdict", table="data", column=column) == moved
        psi = value(metrics, "rankloop_drift_statistic", table="data", column=column, statistic="psi")
        limit = value(metrics, "rankloop_drift_limit", table="data", column=column, statistic="psi")
        assert psi is not None
        assert limit is not None
        assert (psi >= limit) == bool(moved)
        assert value(metrics, "rankloop_drift_statistic", table="data", column=column, statistic="missing_share") == 0


def test_all_numbers_are_finite_and_fit_into_json(reference: Sketches) -> None:
    metrics = drift_metrics(detect_drift(reference, {"features": features(), "predictions": predictions()}))
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
