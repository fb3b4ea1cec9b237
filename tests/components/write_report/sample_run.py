"""A made-up run of a grocer: what its steps would have recorded."""

import math
import random
from dataclasses import replace
from typing import Any

from components.contracts.handles import Handle
from components.contracts.recommendations import CustomerExample, PastItem, RecommendedItem, examples_as_facts
from components.contracts.shop import Shop
from components.contracts.steps import StepRecord
from components.contracts.verdict import Check, Comparison, Contender, Score, Verdict

AS_OF = "2017-08-28T00:00:00+00:00"
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
    slices = {
        "all regulars": 0.311,
        "light buyers": 0.214,
        "cold start": 0.092 if promote else 0.071,
        "new items": 0.118,
    }
    contenders = (
        _contender("challenger", 0.2953, slices, 1.0),
        _contender("champion", 0.2931, slices, 0.985),
        _contender("buy_it_again", 0.2834, slices, 0.958),
        _contender("recent_popularity", 0.1093, slices, 0.45),
        _contender("popularity", 0.1058, slices, 0.43),
        _contender("no_op", 0.0312, slices, 0.2),
    )
    worst = "cold start: -21.0% (-29.1% to -12.4%)"
    checks = (
        Check("evidence", True, "1,904 users with 5,101 held-out requests were judged (at least 100 users needed)"),
        Check(
            "superiority", True, "NDCG@10 beats the best baseline, buy_it_again, beyond noise: +4.2% (+2.9% to +5.6%)"
        ),
        Check(
            "non_inferiority", True, "NDCG@10 is not inferior to the champion (margin -1.0%): +0.8% (-0.3% to +1.8%)"
        ),
        Check(
            "slices",
            promote,
            "none of 4 slices loses more than its allowance of 5% beyond noise"
            if promote
            else f"1 of 4 slices lose more than its allowance of 5%: {worst}",
        ),
        Check(
            "coverage", True, "the lists show 14.2% of the candidate items, those of buy_it_again 16.0% (at least 8.0%)"
        ),
        Check("latency", True, "scoring one request's 274 candidates takes 1.9 ms at the median (budget 50 ms)"),
        Check("leak_future", True, "poisoned future values change no feature"),
        Check("leak_label_shuffle", True, "trained on shuffled outcomes, NDCG@10 is 0.081, no better than chance"),
    )
    comparisons = (
        Comparison("buy_it_again", Score(0.0119, 0.0081, 0.0158), 0.2834, None, 1904),
        Comparison("champion", Score(0.0022, -0.0009, 0.0053), 0.2931, None, 1904),
        Comparison("buy_it_again", Score(0.001, -0.02, 0.022), 0.088, "cold start", 138),
    )
    return Verdict(promote, checks, contenders, "buy_it_again", None, comparisons)


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


def drift() -> dict[str, Any]:
    """Return a drift report in its JSON form: one column of many has moved."""
    moved = _column("purchases_decay_7", 0.41, 0.18, "drifted") | {
        "reason": "the distribution moved: PSI 0.41 (limit 0.20); median 1.2 → 2.9"
    }
    calm = [_column(f"feature_{index}", 0.01 * index, 0.004 * index, "stable") for index in range(1, 19)]
    return {
        "verdict": "drifted",
        "reasons": ["features.purchases_decay_7: the distribution moved: PSI 0.41 (limit 0.20); median 1.2 → 2.9"],
        "tables": [
            {
                "name": "features",
                "verdict": "drifted",
                "reason": "1 of 19 columns drifted",
                "reference_rows": 94_800,
                "live_rows": 96_000,
                "columns": [*calm, moved],
            }
        ],
        "quality": {"verdict": "stable", "reason": "NDCG@10 0.2953 → 0.2911 over 1,204 users; no proven fall"},
    }


def _column(name: str, psi: float, ks: float, outcome: str) -> dict[str, Any]:
    return {
        "column": name,
        "kind": "numeric",
        "verdict": outcome,
        "reason": "within its limits",
        "measures": [
            {"name": "psi", "value": psi, "limit": 0.2},
            {"name": "ks", "value": ks, "limit": 0.1},
            {"name": "missing_share_change", "value": 0.002, "limit": 0.05},
        ],
        "reference_missing": 0.031,
        "live_missing": 0.033,
        "reference_median": 1.2,
        "live_median": 1.3 if outcome == "stable" else 2.9,
    }


def _days() -> list[int]:
    chance = random.Random(3)
    return [int(4000 + 900 * math.sin(day * 0.9) + chance.random() * 400) if day != 33 else 0 for day in range(88)]


def _distribution(tilt: float) -> dict[str, Any]:
    counts = [round(3000 * math.exp(-tilt * index) + 400 * math.exp(-((index - 9) ** 2) / 8)) for index in range(20)]
    edges = [index * 4.0 for index in range(21)]
    return {"missing": 0.031, "mean": 8.1, "quantiles": {"50%": 6.0}, "histogram": {"edges": edges, "counts": counts}}


def _examples() -> list[dict[str, Any]]:
    milk = PastItem("1029743", "Fluid milk, white only · private", 31, "2017-08-24")
    return examples_as_facts(
        [
            CustomerExample(
                "1228",
                "64 trips in 26 weeks, 212 different items",
                (
                    milk,
                    PastItem("1082185", "Bananas", 28, "2017-08-24"),
                    PastItem("995242", "Bread, white · private", 17, "2017-08-19"),
                ),
                (
                    RecommendedItem(
                        1,
                        "1082185",
                        "Bananas",
                        3.41,
                        ("bought 28 times, every 7 days; last 4 days ago",),
                        "Produce",
                        None,
                        0.69,
                        False,
                        True,
                    ),
                    RecommendedItem(
                        2,
                        "1029743",
                        "Fluid milk, white only · private",
                        3.2,
                        ("bought 31 times; due",),
                        "Grocery",
                        "Private",
                        2.59,
                        False,
                        True,
                    ),
                    RecommendedItem(
                        3,
                        "1127831",
                        "Strawberries, 16 oz",
                        1.9,
                        ("often bought with bananas", "sells twice as much as last month"),
                        "Produce",
                        None,
                        2.99,
                        True,
                        False,
                    ),
                ),
            ),
            CustomerExample(
                "77",
                "3 trips in 26 weeks",
                (PastItem("862139", "Cat food, wet", 2, "2017-07-30"),),
                (
                    RecommendedItem(
                        1,
                        "862139",
                        "Cat food, wet",
                        1.1,
                        ("bought twice; last 29 days ago",),
                        "Grocery",
                        "National",
                        0.5,
                        False,
                        None,
                    ),
                ),
            ),
            CustomerExample(
                "2501",
                "new: nothing known yet",
                (),
                (RecommendedItem(1, "1082185", "Bananas", 0.4, ("the best seller of the week",), "Produce"),),
            ),
        ]
    )


FACTS: dict[str, dict[str, Any]] = {
    "ingest_events": {
        "sources": {
            "purchases": {
                "rows_read": 1_469_307,
                "rows_new": 1_469_307,
                "rows_repeated": 0,
                "unmapped": ["week", "coupon_disc"],
            },
            "items": {"rows_read": 92_331, "rows_new": 92_331},
        }
    },
    "validate_events": {
        "new": {
            "events": {"rows": 1_469_307, "clean": 1_468_895, "quarantined": 412, "without_user": 0, "returns": 0},
        },
        "quarantine": [
            {
                "table": "events",
                "source": "purchases",
                "reason": "missing_item",
                "rows": 301,
                "examples": ['{"household_id": "1228", "product_id": null}'],
            },
            {
                "table": "events",
                "source": "purchases",
                "reason": "duplicate_event_id",
                "rows": 111,
                "examples": ['{"household_id": "77", "product_id": "862139"}'],
            },
        ],
        "events": {
            "rows": 1_468_895,
            "users": 2469,
            "items": 68_509,
            "first": "2017-01-01 11:53:26+00",
            "last": "2017-08-27 23:59:49+00",
            "types": {"purchase": 1_468_895},
            "missing": {"user_id": 0.0, "price": 0.012, "request_id": 1.0},
        },
        "days": {"first": "2017-06-01", "rows": _days(), "empty": ["2017-07-04"]},
        "dropped_sources": {"old_orders": 1200},
        "references": {"unknown_items": 0.0013, "unknown_users": 0.41, "not_merchandise_rows": 21_930},
        "tables": {"events": 1_468_895, "items": 92_331, "users": 801, "promotions": 20_940_529, "impressions": 0},
    },
    "build_features": {
        "revision": "ab12",
        "days": [f"2017-08-{day:02d}T00:00:00+00:00" for day in range(1, 29)],
        "computed": ["2017-08-28T00:00:00+00:00"],
        "views": {
            "user_features": {
                "rows": 69_132,
                "entities": 2469,
                "columns": 14,
                "distributions": {
                    "trips_28d": _distribution(0.4),
                    "basket_items_mean": _distribution(0.2),
                    "days_since_last": _distribution(0.3),
                    "never_seen": {"missing": 1.0},
                },
            },
            "item_features": {
                "rows": 2_585_268,
                "entities": 92_331,
                "columns": 31,
                "distributions": {f"purchases_decay_{days}": _distribution(0.04 * days) for days in range(2, 20)},
            },
        },
    },
    "build_training_set": {
        "outcomes": 310_200,
        "splits": {
            "train": {"requests": 17_204, "rows": 4_211_002, "slices": {"cold": 41}, "recall": {"candidates": 0.43}},
            "validation": {"requests": 1702, "rows": 420_331, "slices": {}, "recall": {"candidates": 0.44}},
            "heldout": {
                "requests": 5101,
                "rows": 1_402_331,
                "slices": {},
                "recall": {"candidates": 0.44, "by_source": {"history": 0.39, "popular": 0.11, "new": 0.0}},
            },
        },
        "shortfall": None,
    },
    "train_ranker": {
        "kind": "ranker",
        "parameters": {"depth": 5, "learning_rate": 0.1, "columns_per_tree": 0.3, "l2": 5.0, "seed": 7, "threads": 2},
        "rounds": {"logit": 180, "rank": 214},
        "curve": {
            "logit": [0.29 - 0.05 * math.exp(-index / 40) - (index / 220) ** 6 * 0.004 for index in range(210)],
            "rank": [0.30 - 0.05 * math.exp(-index / 40) - (index / 260) ** 6 * 0.004 for index in range(244)],
        },
        "importance": {"history_decay_rank": 0.32}
        | {f"history_signal_{index}": 0.136 * 0.8**index for index in range(24)},
        "train_end": "2017-08-07T00:00:00+00:00",
        "train_requests": 17_204,
        "train_rows": 4_211_002,
        "validation_requests": 1702,
        "validation_ndcg": 0.301,
        "validation_baselines": {"buy_it_again": 0.288, "popularity": 0.101},
        "features": 51,
    },
    "evaluate_ranker": {
        "heldout_requests": 5101,
        "heldout_users": 1904,
        "latency_ms": 1.9,
        "weeks": {
            f"2017-08-{day:02d}T00:00:00+00:00": {
                "challenger": 0.29 + day / 2e4,
                "champion": 0.29,
                "buy_it_again": 0.282,
            }
            for day in (7, 14, 21)
        },
        "examples": _examples(),
    },
    "propose_promotion": {
        "environment": "local",
        "before": None,
        "after": "sha256:4be2",
        "moved": True,
        "reason": "moved",
    },
}
HANDLES: dict[str, dict[str, Handle]] = {
    "ingest_events": {"raw": Handle("raw", "/home/lake/raw", {"events": 3, "items": 1})},
    "validate_events": {"clean": Handle("clean", "/home/lake/clean", {"events": 5, "items": 2}, None, AS_OF)},
    "build_features": {
        "features": Handle("features", "/home/features/sets/8c1d", {}, "sha256:8c1d5b0cf1d3e9aa", AS_OF)
    },
    "publish_bundle": {"bundle": Handle("bundle", "/home/models/ranker", {}, "sha256:4be2a94d10f37c55", AS_OF)},
}
