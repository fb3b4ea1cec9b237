"""From what was shown and what came of it to ranking examples: log, ingest, validate, build the training set."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.build_features.snapshots import build_features
from components.build_training_set.examples import build_training_set
from components.contracts.ranking_examples import Split, read_split
from components.contracts.steps.facts import ImpressionFacts
from components.feedback.segments.records import ServedEvent, ServedList
from components.ranking.features import FEATURE_NAMES, feature_list
from tests.components.build_features.homes import AS_OF, habits, quiet
from tests.components.features.frames import on
from tests.components.feedback.rows import LOGGED, a_list, an_event, log_all
from tests.shop_files import PURCHASES, ShopFolder, shop_folder

# Ibis 12 reads a DuckDB 2 table's schema through a method that DuckDB deprecates; goes with Ibis 13.
pytestmark = [
    pytest.mark.slow(seconds=35),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:feast"),
    pytest.mark.filterwarnings("ignore::UserWarning:feast"),
]

SMALL = """
[training]
snapshots = 3
min_requests = 5
impressions = 5.0

[gate]
heldout_horizons = 2
min_users = 5
"""
NOW = LOGGED + timedelta(hours=1)
ITEMS = tuple(f"i{number:02}" for number in range(5))


def shop_with(folder: Path, *records: ServedList | ServedEvent, success: str = '"purchase"') -> ShopFolder:
    """A shop of habits whose service logged something."""
    rows = [f"{row['user_id']},{row['item_id']},{row['event_time']:%Y-%m-%d %H:%M:%S}" for row in habits()]
    shop = shop_folder(folder, purchases="\n".join(["customer,article,bought_at", *rows]))
    head = PURCHASES.replace('time_zone = "Europe/Berlin"', f"success = [{success}]")
    shop.write("shop.toml", head + SMALL)
    log_all(shop.home.feedback, *records)
    return shop


def shown(request: str, day: float, user: str = "newcomer", **changed: Any) -> ServedList:
    """A list of five items with features of their own."""
    draw = np.random.default_rng(int(day * 10))
    features = draw.normal(size=(len(ITEMS), len(FEATURE_NAMES))).astype(np.float32)
    features[0, :3] = np.nan, 1e-40, -3e38
    given: dict[str, Any] = {
        "event_time": on(day),
        "user_id": user,
        "item_ids": ITEMS,
        "scores": np.arange(5, 0, -1, np.float32),
        "propensities": np.ones(5),
        "features": features,
        "feature_list": feature_list(),
    }
    return a_list(request, **given | changed)


def came_back(event: str, day: float, kind: str, item: str, request: str | None, user: str = "newcomer") -> ServedEvent:
    """An event of a user that answers a request."""
    return an_event(event, event_time=on(day), event_type=kind, item_id=item, request_id=request, user_id=user)


def learnt(shop: ShopFolder) -> tuple[Split, ImpressionFacts | None]:
    """The training split of all of it, and the facts about its impressions."""
    clean = shop.validate(AS_OF.isoformat(), now=NOW).handle
    features = build_features(shop.shop(), shop.home, clean, quiet).handle
    built = build_training_set(shop.shop(), shop.home, clean, features, quiet)
    return read_split(Path(built.handle.uri), "train"), built.facts.impressions


def logged(split: Split) -> dict[tuple[str, str], dict[str, Any]]:
    """Rows that come from lists, by user and item."""
    requests = split.requests.to_pylist()
    return {
        (requests[row["request"]]["user_id"], row["item_id"]): row | {"features": split.features[number]}
        for number, row in enumerate(split.rows.to_pylist())
        if row["position"] is not None
    }


def labels(split: Split) -> set[str]:
    return {item for (_, item), row in logged(split).items() if row["label"]}


def test_a_list_and_its_purchase_become_an_example_with_the_features_as_served(tmp_path: Path) -> None:
    served = shown("r1", 30.5)
    split, facts = learnt(shop_with(tmp_path, served, came_back("e1", 31, "purchase", "i03", "r1")))
    rows = logged(split)
    assert {item for _, item in rows} == set(ITEMS)
    for place, item in enumerate(ITEMS):
        row = rows["newcomer", item]
        assert row["features"].tobytes() == served.features[place].tobytes()
        assert (row["position"], row["label"]) == (place + 1, float(item == "i03"))
    assert facts == ImpressionFacts(1, requests=1, rows=5, rows_as_served=5, left_out=0)


@pytest.mark.parametrize(("success", "expected"), [('"purchase"', {"i02"}), ('"click", "purchase"', {"i01", "i02"})])
def test_what_counts_as_success_is_what_the_shop_says(tmp_path: Path, success: str, expected: set[str]) -> None:
    events = [
        came_back("e1", 30.6, "click", "i01", "r1"),
        came_back("e2", 31, "purchase", "i02", "r1"),
        came_back("e3", 31, "view", "i03", "r1"),
    ]
    split, _ = learnt(shop_with(tmp_path, shown("r1", 30.5), *events, success=success))
    assert labels(split) == expected


def test_another_users_purchase_counts_by_its_request_alone(tmp_path: Path) -> None:
    events = [
        came_back("e1", 31, "purchase", "i01", "r1", user="guest"),
        came_back("e2", 31, "purchase", "i02", None, user="guest"),
        came_back("e3", 31, "purchase", "i03", None),
    ]
    split, _ = learnt(shop_with(tmp_path, shown("r1", 30.5), *events))
    assert labels(split) == {"i01", "i03"}


def test_only_acknowledged_items_are_examples(tmp_path: Path) -> None:
    events = [
        came_back("e1", 30.5, "shown", "i00", "r1"),
        came_back("e2", 30.5, "shown", "i01", "r1"),
        came_back("e3", 31, "purchase", "i01", "r1"),
    ]
    split, _ = learnt(shop_with(tmp_path, shown("r1", 30.5), *events))
    assert {(item, row["position"]) for (_, item), row in logged(split).items()} == {("i00", 1), ("i01", 2)}


def test_nothing_whose_window_is_open_is_an_example(tmp_path: Path) -> None:
    records = [
        shown("in a session", 30.5, user="a", logged_at=NOW - timedelta(minutes=29)),
        shown("outcome to come", 49.5, user="b"),
        shown("over", 30.5, user="c"),
    ]
    bought = [came_back(f"e{user}", 31 if user != "b" else 50, "purchase", "i01", None, user=user) for user in "abc"]
    split, facts = learnt(shop_with(tmp_path, *records, *bought))
    assert {user for user, _ in logged(split)} == {"c"}
    assert facts.found == 1
