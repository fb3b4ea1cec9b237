import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components.build_features.snapshots import build_features
from components.build_training_set.examples import build_training_set
from components.contracts.ranking_examples import Split, read_split
from components.contracts.steps.declared import StepResult
from components.contracts.steps.facts import ImpressionFacts
from components.contracts.tables import IMPRESSIONS
from components.home.layout import Home
from components.ranking.features import FEATURE_NAMES, feature_list
from components.shop.settings import FileSource, ImpressionSource
from tests.components.build_features.homes import habits, quiet, small_shop, write_clean
from tests.components.features.frames import clean_tables, event, on

# Ibis 12 reads a DuckDB 2 table's schema through a method that DuckDB deprecates; goes with Ibis 13.
pytestmark = [
    pytest.mark.slow(seconds=25),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:feast"),
    pytest.mark.filterwarnings("ignore::UserWarning:feast"),
]

ITEMS = [f"i{number:02}" for number in range(12)]
SOURCE = ImpressionSource(
    source=FileSource(kind="parquet", path="shown.parquet"),
    request="request",
    user="user",
    item="item",
    time="at",
    position="position",
)
Impressions = list[dict[str, Any]]


def shown(request: str, user: str, day: float, items: list[str] | None = None, **more: Any) -> Impressions:
    """A request that showed items from the top, by default the whole shop backwards."""
    row = {**dict.fromkeys(IMPRESSIONS.names), "request_id": request, "user_id": user, "event_time": on(day), **more}
    return [{**row, "item_id": item, "position": place} for place, item in enumerate(items or ITEMS[::-1], start=1)]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., StepResult[Any]]:
    """Build the training set of a home with habits and impressions; homes without more events share their snapshots."""
    shared = tmp_path_factory.mktemp("habits")
    build_features(small_shop(), Home(shared), write_clean(Home(shared), clean_tables(habits(), codes=ITEMS)), quiet)

    def build(
        folder: Path, rows: Impressions, more: list[dict[str, Any]] | None = None, **training: Any
    ) -> StepResult[Any]:
        tables = clean_tables(habits() + (more or []), codes=ITEMS)
        tables["impressions"] = pa.Table.from_pylist(rows, IMPRESSIONS)
        home = Home(folder)
        shutil.copytree(shared / "features", folder / "features")
        clean = write_clean(home, tables)
        shop = small_shop(
            impressions=SOURCE.model_dump(exclude_unset=True),
            training={"snapshots": 3, "min_requests": 5, "impressions": 5.0, **training},
        )
        features = build_features(shop, home, clean, quiet)
        assert bool(features.facts.computed) == bool(more)
        return build_training_set(shop, home, clean, features.handle, quiet)

    return build


def train(examples: StepResult[Any]) -> Split:
    return read_split(Path(examples.handle.uri), "train")


def logged(split: Split) -> list[dict[str, Any]]:
    """Rows that come from impressions, each with its request's time and user, and its features."""
    rows, requests = split.rows.to_pylist(), split.requests.to_pylist()
    return [
        {
            **row,
            "features": split.features[number],
            **{k: requests[row["request"]][k] for k in ("user_id", "request_time")},
        }
        for number, row in enumerate(rows)
        if row["position"] is not None
    ]


def weekly_features(split: Split, user: str, day: float) -> dict[str, np.ndarray]:
    """Features by item of the weekly request of a user."""
    requests = split.requests.to_pylist()
    asked = {number for number, row in enumerate(requests) if (row["user_id"], row["request_time"]) == (user, on(day))}
    rows = enumerate(split.rows.to_pylist())
    return {
        row["item_id"]: split.features[number]
        for number, row in rows
        if row["request"] in asked and row["position"] is None
    }


def as_served(rows: Impressions, list_hash: str | None = None, width: int = len(FEATURE_NAMES)) -> Impressions:
    values = [[float(100 * number + column) for column in range(width)] for number in range(len(rows))]
    listed = list_hash or feature_list()
    return [{**row, "features": value, "feature_list": listed} for row, value in zip(rows, values, strict=True)]


def test_features_as_served_are_used_to_the_bit(built, tmp_path):
    rows = as_served(shown("r1", "u0", 30.5))
    rows[0]["features"][3] = None
    examples = built(tmp_path, rows)
    found = {row["item_id"]: row for row in logged(train(examples))}
    assert set(found) == set(ITEMS)
    for row in rows:
        expected = np.array(row["features"], dtype=np.float32)
        assert np.array_equal(found[row["item_id"]]["features"], expected, equal_nan=True)
        assert (found[row["item_id"]]["position"], found[row["item_id"]]["weight"]) == (row["position"], 1.0)
    assert examples.facts.impressions == ImpressionFacts(1, requests=1, rows=12, rows_as_served=12, left_out=0)


def test_features_of_another_list_are_computed_as_of_the_last_snapshot(built, tmp_path):
    rows = as_served(shown("r1", "u0", 36.5), list_hash="older") + as_served(shown("r2", "u0", 35.0), width=3)
    examples = built(tmp_path, rows)
    split = train(examples)
    weekly = weekly_features(split, "u0", 35)
    recomputed = logged(split)
    assert {row["request_time"] for row in recomputed} == {on(36.5), on(35)}
    compared = [row for row in recomputed if row["item_id"] in weekly]
    assert len(compared) == 2 * len(weekly) > 0
    for row in compared:
        assert np.array_equal(row["features"], weekly[row["item_id"]], equal_nan=True)
    assert examples.facts.impressions.rows_as_served == 0


def test_a_shown_item_succeeded_by_its_request_or_by_its_user_within_the_horizon(built, tmp_path):
    bought = [
        event(31, "guest", "i01", request_id="r1"),
        event(32, "newcomer", "i02"),
        event(37.4, "newcomer", "i03"),
        event(37.6, "newcomer", "i04"),
        event(30.4, "newcomer", "i05"),
        event(33, "newcomer", "i06", kind="click", request_id="r1"),
    ]
    rows = as_served(shown("r1", "newcomer", 30.5))
    found = logged(train(built(tmp_path, rows, bought)))
    assert {row["item_id"] for row in found if row["label"]} == {"i01", "i02", "i03"}


def test_no_request_stands_where_its_outcomes_could_reach_the_held_out_weeks(built, tmp_path):
    days = (27.9, 28, 35.5, 48.9, 49, 55, 60)
    rows = [row for day in days for row in shown(f"r{day}", "u1", day)]
    times = {row["request_time"] for row in logged(train(built(tmp_path, rows)))}
    assert times == {on(28), on(35.5), on(48.9)}


def test_requests_without_success_or_of_strangers_are_left_out(built, tmp_path):
    unknown_user = shown("r1", "nobody", 30)
    bought = [event(31, "later", "i01")]
    unknown = shown("r2", "later", 30.5)  # no row in the snapshot of day 28
    examples = built(tmp_path, unknown_user + unknown + shown("r3", "u2", 31), bought)
    assert {row["user_id"] for row in logged(train(examples))} == {"u2"}
    impressions = examples.facts.impressions
    assert impressions == ImpressionFacts(3, requests=1, rows=impressions.rows, rows_as_served=0, left_out=1)


def test_rows_in_any_order_give_the_same_bits_and_samples_stay_within_the_limit(built, tmp_path):
    rows = [row for n in range(40) for row in shown(f"r{n}", f"u{n % 8}", 28.2 + n / 2)]
    mixed = random.Random(1).sample(rows, len(rows))
    one, two = (
        built(tmp_path / name, given, max_requests=24, impressions=1.0) for name, given in (("a", rows), ("b", mixed))
    )
    assert 0 < one.facts.impressions.requests <= 24 // 2
    first, second = train(one), train(two)
    assert np.array_equal(first.features, second.features, equal_nan=True)
    assert first.rows.equals(second.rows)
    assert first.requests.equals(second.requests)
    order = np.lexsort((first.rows["item_position"].to_numpy(), first.rows["request"].to_numpy()))
    assert np.array_equal(order, np.arange(len(order)))


def test_a_shop_may_keep_its_impressions_out_of_training(built, tmp_path):
    examples = built(tmp_path, shown("r1", "u0", 30), impressions=0)
    assert logged(train(examples)) == []
    assert examples.facts.impressions is None
