"""A made-up run of a grocer: its shop, its step records, its verdict, its drift report."""

import math
from dataclasses import replace
from typing import Any

from components.contracts.verdict import Check, Comparison, Contender, Score, Verdict
from components.drift import report as drift_report
from components.drift.kinds import ColumnKind
from components.drift.report import ColumnDrift, DriftReport, Measure, QualityDrift, TableDrift
from components.home.runs.step_records import StepRecord
from components.shop.settings import Shop
from tests.components.write_report.sample_facts import AS_OF, FACTS, HANDLES

STARTED = 1_700_000_000.0
RUN: dict[str, Any] = {
    "run_id": "20170828T061502-3f9a",
    "pipeline": "training",
    "shop": "corner_grocer",
    "as_of": AS_OF,
    "state": "running",
    "started": "2026-11-22T06:15:02+00:00",
    "fingerprint": {"code": "sha256:5b0cf1d3e9aa", "shop": "sha256:77d1", "sources": "sha256:9e41"},
}


def shop() -> Shop:
    """Return the least that a shop file says."""
    return Shop.model_validate(
        {
            "name": "corner_grocer",
            "currency": "$",
            "events": [
                {
                    "name": "purchases",
                    "event_type": "purchase",
                    "source": {"kind": "csv", "path": "purchases.csv"},
                    "columns": {"user": "u", "item": "i", "time": "t"},
                }
            ],
        }
    )


def records() -> dict[str, StepRecord]:
    """Return the records of a run in which every step was done."""
    sizes = {
        "ingest_events": (7.9, 1_469_307, 1_469_307, 610.0),
        "validate_events": (6.2, 1_469_307, 1_468_895, 890.0),
        "build_features": (18.4, 1_468_895, 94_800, 1640.0),
        "materialize_features": (3.1, 94_800, 94_800, 520.0),
        "build_training_set": (14.8, 24_690, 5_311_004, 2210.0),
        "train_ranker": (21.7, 5_311_004, 300, 1810.0),
        "evaluate_ranker": (9.6, 1_402_331, 6, 1190.0),
        "publish_bundle": (1.2, 1, 1, 310.0),
        "propose_promotion": (0.4, 1, 1, 150.0),
        "detect_drift": (4.4, 96_000, 62, 940.0),
    }
    started, found = STARTED, {}
    for name, (seconds, rows_in, rows_out, peak_mb) in sizes.items():
        found[name] = StepRecord(
            name,
            "done",
            started,
            seconds,
            rows_in,
            rows_out,
            "",
            None,
            peak_mb,
            FACTS.get(name, {}),
            HANDLES.get(name, {}),
        )
        started += seconds + 0.6
    return found


def failed_records(step: str, error: str) -> dict[str, StepRecord]:
    """Return the records of a run that failed in a step: the later ones have none."""
    found = {}
    for name, record in records().items():
        if name == step:
            return found | {name: replace(record, state="failed", error=error, facts={}, handles={}, rows_out=None)}
        found[name] = record
    return found


def verdict(promote: bool = True) -> Verdict:
    """Return the gate's verdict on a challenger that leads, or that loses with new customers."""
    slices = {"regular": 0.311, "light": 0.214, "cold": 0.092 if promote else 0.071, "new": 0.118}
    contenders = (
        _contender("challenger", 0.2953, slices, 1.0),
        _contender("champion", 0.2931, slices, 0.985),
        _contender("buy_it_again", 0.2834, slices, 0.958),
        _contender("recent_popularity", 0.1093, slices, 0.45),
        _contender("popularity", 0.1058, slices, 0.43),
        _contender("no_op", 0.0312, slices, 0.2),
    )
    comparisons = (
        Comparison("buy_it_again", Score(0.0119, 0.0081, 0.0158), 0.2834, None, 1904),
        Comparison("champion", Score(0.0022, -0.0009, 0.0053), 0.2931, None, 1904),
        Comparison("buy_it_again", Score(0.001, -0.02, 0.022), 0.088, "cold", 138),
    )
    return Verdict(promote, _checks(promote), contenders, "buy_it_again", None, comparisons)


def _checks(promote: bool) -> tuple[Check, ...]:
    """Return the gate's conditions in the words that ``evaluate_ranker`` uses."""
    lost = "1 of 4 customer groups lose more than the 5% allowed: cold: -21.0% (-29.1% to -12.4%)"
    kept = "none of 4 customer groups loses more than the 5% allowed beyond noise"
    reasons = {
        "evidence": "1,904 users with 5,101 held-out requests were judged (at least 100 users needed)",
        "superiority": "NDCG@10 beats the best baseline, buy_it_again, beyond noise: +4.2% (+2.9% to +5.6%)",
        "non_inferiority": "NDCG@10 is not inferior to the champion (a loss of 1.0% is allowed): +0.8% (-0.3% to"
        " +1.8%)",
        "slices": kept if promote else lost,
        "coverage": "the lists show 14.2% of the candidate items, those of buy_it_again 16.0% (at least 8.0% needed)",
        "latency": "scoring one request's 274 candidates takes 1.9 ms at the median (budget 50 ms)",
        "leak_times": "training outcomes end 2017-08-07 00:00, held-out requests start 2017-08-07 00:00 and their"
        " outcomes end 2017-08-28 00:00, the run stands at 2017-08-28 00:00: each before the next (times in UTC)",
        "leak_overlap": "0 of 5,101 held-out requests were also trained or tuned on",
        "leak_future": "with everything after the request made absurd, 0 of 89,337 feature values of 35 requests"
        " changed; none may",
        "leak_label_shuffle": "12 models taught with shuffled labels order the held-out requests by luck alone: NDCG@10"
        " 0.081 on average, their reversed orders 0.084, difference -0.003 (-0.012 to +0.006; a leak lies above zero"
        " and beyond +0.058); random order gives 0.062, the challenger 0.295",
        "leak_constant_gain": "4.2% of the model's gain comes from features of the customer alone, which cannot tell"
        " items apart (7 of 51; limit 20%)",
    }
    return tuple(Check(name, promote or name != "slices", reason) for name, reason in reasons.items())


def _contender(name: str, mean: float, slices: dict[str, float], share: float) -> Contender:
    width = 0.0071 * math.sqrt(mean / 0.29)
    return Contender(
        name=name,
        ndcg=Score(mean, mean - width, mean + width),
        metrics={
            "map": mean * 0.61,
            "hit_rate": min(1.0, mean * 2.4),
            "recall": mean * 0.55,
            "coverage": 0.142 if name == "challenger" else 0.16 * share,
            "novelty": 11.2 - 3 * (1 - share),
        },
        slices={each: Score(m * share, m * share - 2 * width, m * share + 2 * width) for each, m in slices.items()},
        slice_users={each: round(1500 * m) for each, m in slices.items()},
        intervals={"map": Score(mean * 0.61, mean * 0.61 - width, mean * 0.61 + width)},
    )


def drift() -> DriftReport:
    """Return a drift report: one column of many has moved."""
    reason = "the distribution moved: PSI 0.41 (limit 0.20); median 1.2 → 2.9"
    moved = _column("purchases_decay_7", 0.41, 0.18, drift_report.Verdict.DRIFTED, reason)
    stable = drift_report.Verdict.STABLE
    calm = [_column(f"feature_{index}", 0.01 * index, 0.004 * index, stable) for index in range(1, 19)]
    columns = (*calm, moved)
    table = TableDrift("features", moved.verdict, "1 of 19 columns drifted", 94_800, 96_000, None, None, columns)
    quality = QualityDrift(stable, "NDCG@10 0.2953 → 0.2911 over 1,204 users; no proven fall", 1204, 0.2953)
    return DriftReport((table,), quality)


def _column(
    name: str, psi: float, ks: float, verdict: drift_report.Verdict, reason: str = "within its limits"
) -> ColumnDrift:
    measures = (Measure("psi", psi, 0.2), Measure("ks", ks, 0.1), Measure("missing_share_change", 0.002, 0.05))
    median = 1.3 if verdict is drift_report.Verdict.STABLE else 2.9
    return ColumnDrift(name, ColumnKind.NUMERIC, verdict, reason, measures, 0.031, 0.033, 1.2, median)
