"""Comparing a live window with its reference: what alarms, what does not, and what is said."""

import json
import math
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from components.contracts.errors import ConfigurationError, FeatureError
from components.drift.comparison import compare
from components.drift.kinds import column_kinds
from components.drift.report import ColumnDrift, DriftReport, Verdict
from components.drift.sketches import Sketches, sketch_table
from components.drift.thresholds import DriftThresholds
from components.ranking.features import AGES, FEATURE_NAMES

Frame = dict[str, object]


def sketches(frame: Frame, like: Frame | None = None, unit: str | None = None) -> Sketches:
    rows = pa.table(frame)
    kinds = column_kinds(pa.table(like or frame).schema)
    present = {name: kind for name, kind in kinds.items() if name in rows.column_names}
    return Sketches({"features": sketch_table(rows.to_batches(), present, unit)})


def compared(reference: Frame, live: Frame, thresholds: DriftThresholds | None = None) -> DriftReport:
    return compare(sketches(reference), sketches(live, like=reference), thresholds)


def only(report: DriftReport) -> ColumnDrift:
    (column,) = report.tables[0].columns
    return column


def shop(rows: int, rng: np.random.Generator) -> Frame:
    """Columns of the shapes that shops have: bell, heavy tail, counts, mostly zero, flat far from zero, categories."""
    return {
        "score": rng.normal(size=rows),
        "spend": rng.lognormal(2, 1.5, rows),
        "visits": rng.poisson(2, rows),
        "returns": np.where(rng.random(rows) < 0.9, 0.0, rng.exponential(size=rows)),
        "week": rng.uniform(2016, 2018, rows),
        "recency": np.where(rng.random(rows) < 0.3, np.nan, rng.gamma(2, 10, rows)),
        "brand": np.array([f"b{n}" for n in range(30)])[rng.integers(0, 30, rows)],
        "item": [f"i{n}" for n in np.minimum(rng.zipf(1.5, rows), 50_000)],
        "member": rng.random(rows) < 0.02,
    }


def test_psi_and_ks_of_a_hand_made_frame() -> None:
    report = compared({"x": [0.0] * 500 + [1.0] * 500}, {"x": [0.0] * 800 + [1.0] * 200})
    column = only(report)
    assert column.value("psi") == pytest.approx(0.3 * math.log(4))
    assert column.value("ks") == pytest.approx(0.3)
    assert column.value("outside_share") == 0
    assert report.drifted


def test_psi_of_hand_made_categories() -> None:
    report = compared({"x": ["a"] * 500 + ["b"] * 500}, {"x": ["a"] * 800 + ["b"] * 200})
    assert only(report).value("psi") == pytest.approx(0.3 * math.log(4))
    assert "'a' 50.0% → 80.0%" in only(report).reason


def test_ks_is_close_to_the_exact_distance() -> None:
    rng = np.random.default_rng(0)
    reference, live = np.sort(rng.normal(size=20_000)), np.sort(rng.normal(0.3, 1, 20_000))
    grid = np.concatenate([reference, live])
    exact = np.abs(np.searchsorted(reference, grid, "right") - np.searchsorted(live, grid, "right")).max() / 20_000
    value = only(compared({"x": reference}, {"x": live})).value("ks")
    assert value == pytest.approx(exact, abs=0.02)
    assert value <= exact + 1e-12


def test_a_window_equal_to_its_reference_has_no_drift_at_all() -> None:
    frame = shop(2000, np.random.default_rng(0))
    report = compared(frame, frame)
    assert report.verdict is Verdict.STABLE
    assert {measure.value for column in report.tables[0].columns for measure in column.measures} == {0.0}


@pytest.mark.parametrize(
    ("reference_rows", "live_rows"), [(20_000, 100), (20_000, 500), (20_000, 3000), (1000, 1000), (200, 2000)]
)
def test_noise_alone_does_not_alarm(reference_rows: int, live_rows: int) -> None:
    rng = np.random.default_rng([reference_rows, live_rows])
    frame = shop(reference_rows, rng)
    reference = sketches(frame)
    windows = [compare(reference, sketches(shop(live_rows, rng), like=frame)) for _ in range(200)]
    alarms = [window.reasons for window in windows if window.drifted]
    assert all(window.verdict is not Verdict.TOO_SMALL for window in windows)
    assert len(alarms) <= 4, alarms  # 1 % of 200 windows, and two for luck


def test_users_with_many_rows_each_do_not_alarm_when_users_are_counted() -> None:
    rng = np.random.default_rng(5)

    def window(users: int, candidates: int) -> Frame:
        ids = np.array([f"u{n}" for n in rng.integers(0, 10**9, users)])
        return {"user_id": np.repeat(ids, candidates), "spend": np.repeat(rng.normal(size=users), candidates)}

    frame = window(2000, 20)
    by_row, by_user = sketches(frame), sketches(frame, unit="user_id")
    lives = [window(users, candidates) for users, candidates in [(30, 100)] * 50 + [(150, 20)] * 50]
    naive = [compare(by_row, sketches(live)).drifted for live in lives]
    counted = [compare(by_user, sketches(live, unit="user_id")) for live in lives]
    assert sum(naive) > 10
    assert sum(report.drifted for report in counted) == 0
    assert counted[0].verdict is Verdict.TOO_SMALL
    assert counted[-1].verdict is Verdict.STABLE
    assert counted[-1].tables[0].live_units == pytest.approx(150, abs=10)


def doubled(frame: Frame) -> Frame:
    return {**frame, "spend": np.asarray(frame["spend"]) * 2.5}


def shifted(frame: Frame) -> Frame:
    return {**frame, "score": np.asarray(frame["score"]) + 0.6}


def holed(frame: Frame) -> Frame:
    values = np.array(frame["spend"], dtype=np.float64)
    values[::8] = np.nan
    return {**frame, "spend": values}


def emptied(frame: Frame) -> Frame:
    return {**frame, "brand": pa.nulls(len(np.asarray(frame["score"])), pa.string())}


def renamed(frame: Frame) -> Frame:
    return {**frame, "brand": ["b99" if row % 10 == 0 else name for row, name in enumerate(np.asarray(frame["brand"]))]}


def sentinel(frame: Frame) -> Frame:
    values = np.array(frame["week"])
    values[::20] = -1
    return {**frame, "week": values}


def frozen(frame: Frame) -> Frame:
    return {**frame, "visits": np.full(len(np.asarray(frame["visits"])), 2)}


def concentrated(frame: Frame) -> Frame:
    return {**frame, "item": ["i7" if row % 2 else name for row, name in enumerate(frame["item"])]}  # type: ignore[call-overload]


def absent(frame: Frame) -> Frame:
    return {name: column for name, column in frame.items() if name != "visits"}


def flipped(frame: Frame) -> Frame:
    return {**frame, "member": np.random.default_rng(9).random(len(np.asarray(frame["member"]))) < 0.5}


@pytest.mark.parametrize("rows", [500, 5000])
@pytest.mark.parametrize(
    ("change", "column", "words"),
    [
        (doubled, "spend", "the distribution moved"),
        (shifted, "score", "KS distance"),
        (holed, "spend", "missing 0.0% → 12."),
        (emptied, "brand", "missing 0.0% → 100.0%"),
        (renamed, "brand", "10.0% of rows have a category that the reference does not know"),
        (sentinel, "week", "5.0% of values lie outside the reference's range"),
        (frozen, "visits", "the distribution moved"),
        (concentrated, "item", "the distribution moved"),
        (absent, "visits", "absent from the live window"),
        (flipped, "member", "'false' 98."),
    ],
)
def test_known_shifts_are_found_and_named(change: Callable[[Frame], Frame], column: str, words: str, rows: int) -> None:
    rng = np.random.default_rng(rows)
    frame = shop(20_000, rng)
    report = compare(sketches(frame), sketches(change(shop(rows, rng)), like=frame))
    assert [drift.column for drift in report.tables[0].drifted_columns] == [column]
    assert words in report.reasons[0]
    assert report.reasons[0].startswith(f"features.{column}: ")


@pytest.mark.parametrize(("reference_rows", "live_rows", "side"), [(5000, 99, "live window"), (99, 5000, "reference")])
def test_a_small_window_is_not_judged(reference_rows: int, live_rows: int, side: str) -> None:
    report = compared({"x": np.zeros(reference_rows)}, {"x": np.ones(live_rows)})
    assert (report.verdict, report.drifted) == (Verdict.TOO_SMALL, False)
    assert only(report).measures == ()
    assert report.reasons == (f"features: the {side} is too small to judge: 99 rows, at least 100 are needed",)


def test_a_window_is_measured_in_users_where_they_are_named() -> None:
    def window(users: int) -> Frame:
        return {"user_id": np.repeat([f"u{n}" for n in range(users)], 200), "x": np.arange(200.0 * users)}

    reference = sketches(window(300), unit="user_id")
    few = compare(reference, sketches(window(40), unit="user_id"))
    assert few.reasons == ("features: the live window is too small to judge: 40 users, at least 100 are needed",)
    assert compare(reference, sketches(window(290), unit="user_id")).verdict is not Verdict.TOO_SMALL


def test_an_empty_window_is_too_small() -> None:
    report = compared({"x": np.zeros(500)}, {"x": np.empty(0)})
    assert report.verdict is Verdict.TOO_SMALL


LEVELS = {"x": ["garden"] * 600 + ["kitchen"] * 340 + ["toys"] * 60}


def test_a_category_that_vanished_is_named_and_counts_by_the_limit_of_categories() -> None:
    live = {"x": ["garden"] * 640 + ["kitchen"] * 360}
    column = only(compared(LEVELS, live))
    assert column.value("vanished_category_share") == pytest.approx(0.06)
    assert "categories of 6.0% of the reference's rows vanished (limit 5.0%): 'toys' 6.0%" in column.reason
    lenient = only(compared(LEVELS, live, DriftThresholds(new_category_share=0.07, psi=1.0)))
    assert (lenient.verdict, lenient.value("vanished_category_share")) == (Verdict.STABLE, pytest.approx(0.06))


def test_new_categories_are_named_largest_first() -> None:
    live = {"x": ["garden"] * 700 + ["e", "d", "d", "c", "c", "c", "b"] * 30 + ["a"] * 90}
    reason = only(compared(LEVELS, live)).reason
    assert "a category that the reference does not know (limit 5.0%): 'a' 9.0%, 'c' 9.0%, 'd' 6.0%, 2 more" in reason


def test_a_rare_category_that_chance_leaves_out_has_not_vanished() -> None:
    names = [f"b{n}" for n in range(400)]
    reference, live = {"x": names * 50}, {"x": names[:200] * 2}
    assert only(compared(reference, live)).value("vanished_category_share") == 0


def test_a_column_of_few_values_is_judged_by_what_is_missing_alone() -> None:
    mostly_missing = np.where(np.arange(5000) < 20, 1.0, np.nan)
    assert [measure.name for measure in only(compared({"x": mostly_missing}, {"x": mostly_missing})).measures] == [
        "missing_share_change"
    ]


def test_ages_grow_with_the_clock_and_only_their_gaps_are_judged() -> None:
    age = np.arange(5000.0)
    column = only(compared({"user_tenure_days": age}, {"user_tenure_days": age + 10_000}))
    assert (column.verdict, [measure.name for measure in column.measures]) == (Verdict.STABLE, ["missing_share_change"])
    holes = np.where(np.arange(5000) % 4 == 0, np.nan, age)
    assert only(compared({"user_tenure_days": age}, {"user_tenure_days": holes})).verdict is Verdict.DRIFTED


def test_the_ages_are_features_that_there_are() -> None:
    assert set(FEATURE_NAMES) >= AGES


def test_constants_that_differ_have_drifted() -> None:
    column = only(compared({"x": np.full(500, 3.0)}, {"x": np.full(500, 4.0)}))
    assert column.verdict is Verdict.DRIFTED
    assert "median 3 → 4" in column.reason
    assert column.value("psi") > 1  # type: ignore[operator]


def test_columns_that_the_reference_does_not_watch_are_ignored() -> None:
    report = compare(sketches({"x": np.zeros(500)}), sketches({"x": np.zeros(500), "y": np.ones(500)}))
    assert [column.column for column in report.tables[0].columns] == ["x"]


def test_tables_without_reference_and_kinds_that_differ_are_refused() -> None:
    reference = sketches({"x": np.zeros(500)})
    with pytest.raises(FeatureError, match="no reference for other; the bundle has features"):
        compare(reference, Sketches({"other": reference.tables["features"]}))
    with pytest.raises(FeatureError, match="column x: the reference is numeric, the live sketch is categorical"):
        compare(reference, sketches({"x": ["a"] * 500}))


def test_a_higher_threshold_lets_more_pass() -> None:
    reference, live = {"x": np.arange(1000.0)}, {"x": np.arange(1000.0) * 0.8}
    assert compared(reference, live).drifted
    assert not compared(reference, live, DriftThresholds(psi=3, ks=0.5)).drifted


@pytest.mark.parametrize("wrong", [{"psi": 0}, {"ks": 1.5}, {"min_users": 0}, {"false_alarm_rate": math.nan}])
def test_impossible_thresholds_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=f"drift.{next(iter(wrong))}"):
        DriftThresholds(**wrong)  # type: ignore[arg-type]


def test_the_report_is_plain_json() -> None:
    rng = np.random.default_rng(0)
    document = json.loads(json.dumps(compared(shop(500, rng), shifted(shop(500, rng))).to_dict(), allow_nan=False))
    assert document["verdict"] == "drifted"
    assert document["reasons"][0].startswith("features.score: ")
    assert {column["column"] for column in document["tables"][0]["columns"]} == set(shop(1, rng))
