"""What the steps of the made-up run would have recorded: facts for the report, and handles."""

import math
import random
from typing import Any

from components.contracts.example_customers import examples_as_facts
from components.contracts.handles import Handle
from tests.components.write_report.sample_customers import CUSTOMERS

AS_OF = "2017-08-28T00:00:00+00:00"


def _days() -> list[int]:
    chance = random.Random(3)
    return [int(4000 + 900 * math.sin(day * 0.9) + chance.random() * 400) if day != 33 else 0 for day in range(88)]


def _distribution(tilt: float) -> dict[str, Any]:
    counts = [round(3000 * math.exp(-tilt * index) + 400 * math.exp(-((index - 9) ** 2) / 8)) for index in range(20)]
    edges = [index * 4.0 for index in range(21)]
    return {"missing": 0.031, "mean": 8.1, "quantiles": {"50%": 6.0}, "histogram": {"edges": edges, "counts": counts}}


FACTS: dict[str, dict[str, Any]] = {
    "ingest_events": {
        "sources": {
            "purchases": {
                "rows_read": 1_469_307,
                "rows_new": 1_469_307,
                "rows_repeated": 0,
                "unmapped": ["week", "coupon_disc"],
                "left_out": {
                    **{f".trash/{file}.csv": "a hidden name" for file in range(7)},
                    "notes.md": "the suffix is none of .csv, .tsv, .txt",
                },
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
                "reason": "no item",
                "rows": 301,
                "examples": ['{"household_id": "1228", "product_id": null}'],
            },
            {
                "table": "events",
                "source": "purchases",
                "reason": "negative price",
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
        "first_event": "2017-01-01T11:53:26+00:00",
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
        "impressions": {"found": 3310, "requests": 860, "rows": 21_400, "rows_as_served": 14_980, "left_out": 12},
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
        "as_of": AS_OF,
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
        "promote": True,
        "reasons": [],
        "checks": [],
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
    },
    "publish_bundle": {"examples": examples_as_facts(CUSTOMERS)},
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
