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
    pytest.mark.slow(seconds=15),
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


def logged(split: Split, user: str) -> dict[str, dict[str, Any]]:
    """Rows that come from a user's lists, by item."""
    requests = split.requests.to_pylist()
    return {
        row["item_id"]: row | {"features": split.features[number]}
        for number, row in enumerate(split.rows.to_pylist())
        if row["position"] is not None and requests[row["request"]]["user_id"] == user
    }


def labels(split: Split, user: str) -> set[str]:
    return {item for item, row in logged(split, user).items() if row["label"]}


BOUGHT = [
    shown("r1", 30.5),
    came_back("e1", 30.6, "click", "i01", "r1"),
    came_back("e2", 31, "purchase", "i03", "r1"),
    came_back("e3", 31, "view", "i04", "r1"),
]
FOR_ANOTHER = [
    shown("r2", 30.5, user="host"),
    came_back("e4", 31, "purchase", "i01", "r2", user="guest"),
    came_back("e5", 31, "purchase", "i02", None, user="guest"),
    came_back("e6", 31, "purchase", "i03", None, user="host"),
]
ACKNOWLEDGED = [
    shown("r3", 30.5, user="looker"),
    came_back("e7", 30.5, "shown", "i00", "r3", user="looker"),
    came_back("e8", 30.5, "shown", "i01", "r3", user="looker"),
    came_back("e9", 31, "purchase", "i01", "r3", user="looker"),
]
WINDOWS = [
    shown("in a session", 30.5, user="a", logged_at=NOW - timedelta(minutes=29)),
    shown("outcome to come", 49.5, user="b"),
    shown("over", 30.5, user="c"),
    *(came_back(f"e{user}", 31 if user != "b" else 50, "purchase", "i01", None, user=user) for user in "abc"),
]
Learnt = tuple[Split, ImpressionFacts | None]


@pytest.fixture(scope="module")
def learnt_from_all(tmp_path_factory: pytest.TempPathFactory) -> Learnt:
    """What is learnt where the lists and events of all these users were logged; none of them meets another."""
    return learnt(shop_with(tmp_path_factory.mktemp("shop"), *BOUGHT, *FOR_ANOTHER, *ACKNOWLEDGED, *WINDOWS))


def test_a_list_and_its_purchase_become_an_example_with_the_features_as_served(learnt_from_all: Learnt) -> None:
    split, facts = learnt_from_all
    rows, [served, *_] = logged(split, "newcomer"), BOUGHT
    assert isinstance(served, ServedList)
    assert set(rows) == set(ITEMS)
    for place, item in enumerate(ITEMS):
        row = rows[item]
        assert row["features"].tobytes() == served.features[place].tobytes()
        assert (row["position"], row["label"]) == (place + 1, float(item == "i03"))
    assert facts == ImpressionFacts(4, requests=4, rows=17, rows_as_served=17, left_out=0)


def test_what_counts_as_success_is_what_the_shop_says(learnt_from_all: Learnt, tmp_path: Path) -> None:
    assert labels(learnt_from_all[0], "newcomer") == {"i03"}
    split, facts = learnt(shop_with(tmp_path, *BOUGHT, success='"click", "purchase"'))
    assert labels(split, "newcomer") == {"i01", "i03"}
    assert facts == ImpressionFacts(1, requests=1, rows=5, rows_as_served=5, left_out=0)


def test_another_users_purchase_counts_by_its_request_alone(learnt_from_all: Learnt) -> None:
    assert labels(learnt_from_all[0], "host") == {"i01", "i03"}


def test_only_acknowledged_items_are_examples(learnt_from_all: Learnt) -> None:
    rows = logged(learnt_from_all[0], "looker")
    assert {(item, row["position"]) for item, row in rows.items()} == {("i00", 1), ("i01", 2)}


def test_nothing_whose_window_is_open_is_an_example(learnt_from_all: Learnt) -> None:
    assert {user for user in "abc" if logged(learnt_from_all[0], user)} == {"c"}
