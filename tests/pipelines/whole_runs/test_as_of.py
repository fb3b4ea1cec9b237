"""What a run answers at a moment depends on what was known then, and on nothing else.

The logic of the steps runs in this process: the same functions that the pipeline's components call.
"""

import csv
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from components.build_features.snapshots import build_features
from components.build_training_set.examples import build_training_set
from components.bundles.batch import recommend_users
from components.bundles.loading import open_bundle
from components.features.snapshots.sets import open_set
from components.home.layout import Home
from components.ingest_events.ingestion import ingest_events
from components.shop.settings import load_shop
from components.train_ranker.training import train_ranker
from components.validate_events.validation import validate_events
from tests.pipelines.homes.tiny_shop import make_tiny_shop

# Ibis 12 reads a DuckDB 2 table's schema through a method that DuckDB deprecates; Feast warns of itself at import.
pytestmark = [
    pytest.mark.slow(seconds=60),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:feast"),
    pytest.mark.filterwarnings("ignore::UserWarning:feast"),
]

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EARLY, LATE, LONG_AFTER = "2025-02-24", "2025-03-08T15:30:00", "2025-12-01"
ORDERS_LAG = timedelta(minutes=60)
BROWSING_LAG = timedelta(minutes=5)


@dataclass(frozen=True)
class Answer:
    """What a run at a moment comes to."""

    bundle: str
    kind: str
    reason: str | None  # why no ranker was trained
    recommendations: pa.Table


def stand_at(as_of: str, shop_file: Path, home: Home) -> Answer:
    """Run the steps from the sources to a bundle, and recommend to everyone."""
    shop = load_shop(shop_file)
    raw = ingest_events(shop, home, NOW, print).handle
    clean = validate_events(shop, home, raw, as_of, NOW, print).handle
    features = build_features(shop, home, clean, print).handle
    examples = build_training_set(shop, home, clean, features, print).handle
    bundle = open_bundle(Path(train_ranker(shop, home, examples, f"at-{as_of}", print).handle.uri))
    reason = bundle.sidecar.training.get("reason")
    return Answer(bundle.digest, bundle.manifest.kind, reason, recommend_users(bundle, open_set(features)))


@dataclass(frozen=True)
class Sources:
    """The same shop with all its data, and with what was known at the early moment; rows in different orders."""

    whole: Path
    cut: Path


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    folder = tmp_path_factory.mktemp("sources")
    whole = make_tiny_shop(folder / "whole")
    soil(whole.with_name("orders.csv"))
    shutil.copytree(whole.parent, folder / "cut")
    cut = folder / "cut" / whole.name
    cut_off(cut.parent, datetime.fromisoformat(EARLY))
    return Sources(whole, cut)


def soil(orders: Path) -> None:
    """Add what real exports hold: repeated lines, nobody's purchases, unreadable times; in no order."""
    draw = random.Random(3)
    rows = list(csv.DictReader(orders.read_text().splitlines()))
    rows += draw.sample(rows, 20)
    rows += [row | {"user": ""} for row in draw.sample(rows, 60)]
    rows += [row | {"units": "-1"} for row in draw.sample(rows, 10)]
    rows += [row | {"at": "soon"} for row in draw.sample(rows, 3)]
    draw.shuffle(rows)
    write_rows(orders, rows)


def cut_off(folder: Path, moment: datetime) -> None:
    """Keep only what was known at a moment of the shop's zone, in another order."""
    cut_rows(folder / "orders.csv", "at", lambda at: at + ORDERS_LAG <= moment)
    cut_rows(folder / "items.csv", "since", lambda at: at <= moment)
    cut_rows(folder / "promotions.csv", "starts", lambda at: at < moment)
    known = pa.scalar(moment.replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC), pa.timestamp("us", "UTC"))
    lags = dict.fromkeys((folder / "browsing").iterdir(), BROWSING_LAG)
    for path, lag in (lags | {folder / "impressions.parquet": timedelta()}).items():
        table = pq.read_table(path)
        rest = table.filter(pc.less_equal(pc.add(table["at"], lag), known))
        pq.write_table(rest.take(pa.array(range(len(rest) - 1, -1, -1), pa.int64())), path)


def cut_rows(path: Path, time: str, known: Callable[[datetime], bool]) -> None:
    """Keep the rows of a CSV whose time was known; those whose time cannot be read go."""
    rows = [row for row in csv.DictReader(path.read_text().splitlines()) if row[time] != "soon"]
    write_rows(path, [row for row in reversed(rows) if known(datetime.fromisoformat(row[time]))])


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def early(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """The early answer of a fresh home, from all data."""
    return stand_at(EARLY, sources.whole, Home(tmp_path_factory.mktemp("early")))


@pytest.fixture(scope="module")
def late_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("late"))


@pytest.fixture(scope="module")
def late(sources: Sources, late_home: Home) -> Answer:
    """The late answer of a fresh home, from all data."""
    return stand_at(LATE, sources.whole, late_home)


def test_a_ranker_was_trained_at_both_moments_and_they_differ(early: Answer, late: Answer) -> None:
    assert early.kind == late.kind == "ranker"
    assert early.bundle != late.bundle


def test_data_cut_off_at_the_moment_gives_the_same_bits_and_so_does_a_home_that_grew(
    sources: Sources, early: Answer, late: Answer, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    shop_folder = shutil.copytree(sources.cut.parent, tmp_path / "shop")
    shop_file = shop_folder / sources.cut.name
    assert stand_at(EARLY, shop_file, home) == early
    shutil.copytree(sources.whole.parent, shop_folder, dirs_exist_ok=True)
    assert stand_at(LATE, shop_file, home) == late


def test_an_earlier_moment_after_a_later_one_gives_the_same_bits(
    sources: Sources, early: Answer, late: Answer, late_home: Home
) -> None:
    assert stand_at(EARLY, sources.whole, late_home) == early
    assert stand_at(LATE, sources.whole, late_home) == late


def test_a_moment_after_all_data_says_that_nothing_can_be_trained_on(sources: Sources, late_home: Home) -> None:
    answer = stand_at(LONG_AFTER, sources.whole, late_home)
    assert answer.kind == "baseline"
    assert (answer.reason or "").startswith("found 0 training requests")
