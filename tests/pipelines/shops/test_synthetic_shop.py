"""The synthetic shop: repeatable, complete, readable by its shop file, and true to the preference it knows."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from components.home.layout import Home
from components.ingest_events.ingestion import ingest_events
from components.ranking.metrics import ndcg, ranked_lists
from components.shop.settings import Shop, load_shop
from components.validate_events.validation import validate_events
from pipelines.shops.synthetic_shop import History, Size, World, make_world, simulate, true_scores, write_shop
from pipelines.shops.synthetic_shop.__main__ import main
from pipelines.shops.synthetic_shop.behaviour import CLICK, DAY, NO_REQUEST, PURCHASE, RETURN, SHOWN
from pipelines.shops.synthetic_shop.world import NEVER, Floats

SMALL = Size(users=40, items=45, weeks=5)
WEEK = 7 * DAY


@pytest.fixture(scope="module")
def whole() -> tuple[World, History]:
    size = Size()
    world = make_world(size, seed=7)
    return world, simulate(world, size, seed=7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic")
    write_shop(folder, SMALL)
    return folder


@pytest.fixture(scope="module")
def shop(folder: Path) -> Shop:
    return load_shop(folder / "synthetic.toml")


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def quality(scores: Floats, bought: np.ndarray) -> float:
    """Mean NDCG@10 of the customers who bought something; scores and purchases are [users, items]."""
    users, items = bought.shape
    request = np.repeat(np.arange(users), items)
    lists = ranked_lists(request, scores.ravel(), bought.ravel().astype(float), bought.sum(axis=1), 10)
    return float(np.nanmean(ndcg(lists)))


def bought_in(history: History, shape: tuple[int, ...], week: int) -> np.ndarray:
    events = history.events
    chosen = (events.kind == PURCHASE) & (events.second // WEEK == week)
    matrix = np.zeros(shape, dtype=np.int64)
    matrix[events.user[chosen], events.item[chosen]] = 1
    return matrix


def test_the_same_seed_gives_the_same_files(folder: Path, tmp_path: Path) -> None:
    write_shop(tmp_path / "again", SMALL)
    write_shop(tmp_path / "other", SMALL, seed=8)
    assert content(tmp_path / "again") == content(folder)
    assert content(tmp_path / "other")["orders.csv"] != content(folder)["orders.csv"]


def test_more_weeks_leave_the_first_ones_as_they_were() -> None:
    world = make_world(SMALL, seed=7)
    short, long = (simulate(world, Size(SMALL.users, SMALL.items, weeks), seed=7) for weeks in (3, 5))
    end = 3 * WEEK
    first = long.events.second < end
    assert np.array_equal(short.events.item, long.events.item[first])
    assert np.array_equal(short.shown.propensity, long.shown.propensity[long.shown.second < end])
    assert np.array_equal(short.due, long.due[:4])


def test_true_scores_order_purchases_better_than_habit_and_habit_better_than_chance(
    whole: tuple[World, History],
) -> None:
    world, history = whole
    events = history.events
    for week in (17, 18, 19):
        bought = bought_in(history, world.utility.shape, week)
        past = (events.kind == PURCHASE) & (events.second < week * WEEK)
        habit = np.zeros(world.utility.shape)
        np.add.at(habit, (events.user[past], events.item[past]), 1.0)
        chance = np.random.default_rng(week).random(world.utility.shape)
        oracle, again = quality(true_scores(world, history, week), bought), quality(habit, bought)
        taste, random = quality(world.utility, bought), quality(chance, bought)
        assert oracle > again + 0.1
        assert min(again, taste) > random + 0.3


def test_promotions_and_what_runs_out_are_part_of_the_truth(whole: tuple[World, History]) -> None:
    world, history = whole
    scores = true_scores(world, history, 10)
    on_sale = world.catalogue.on_sale(70)
    assert np.isneginf(scores[:, ~on_sale]).all()
    due = history.due[10] <= 76
    assert (scores[due & on_sale] > world.utility[due & on_sale]).all()
    assert np.isfinite(true_scores(world, history, 20)[:, world.catalogue.on_sale(140)]).all()


def test_lists_have_known_propensities_and_position_bias(whole: tuple[World, History]) -> None:
    _, history = whole
    shown, events = history.shown, history.events
    assert np.array_equal(np.unique(shown.position), np.arange(1, SHOWN + 1))
    assert shown.propensity.min() > 0
    assert shown.propensity.max() <= 1
    pairs = shown.request * 10_000 + shown.item
    assert len(np.unique(pairs)) == len(pairs)
    clicked = np.isin(pairs, (events.request * 10_000 + events.item)[events.kind == CLICK])
    rate = [clicked[shown.position == place].mean() for place in (1, 3, 10)]
    assert rate[0] > 1.5 * rate[1] > 1.5 * rate[2] > 0


def test_clicks_answer_a_list_and_other_events_need_not(whole: tuple[World, History]) -> None:
    events = whole[1].events
    assert (events.request[events.kind == CLICK] != NO_REQUEST).all()
    assert (events.request[events.kind == PURCHASE] == NO_REQUEST).any()
    assert 0 < (events.kind == RETURN).sum() < 0.1 * (events.kind == PURCHASE).sum()


def test_some_customers_and_items_are_new_and_some_items_end(whole: tuple[World, History]) -> None:
    world, history = whole
    events, catalogue = history.events, world.catalogue
    assert 0.05 < (world.people.joined > 0).mean() < 0.3
    assert 0.05 < (catalogue.launch > 0).mean() < 0.3
    bought = events.kind == PURCHASE
    day = events.second[bought] // DAY
    assert (catalogue.sold_out != NEVER).any()
    assert (catalogue.launch[events.item[bought]] <= day).all()
    assert (day < catalogue.sold_out[events.item[bought]]).all()
    assert (world.people.joined[events.user[bought]] <= day).all()


def test_the_shop_file_maps_columns_that_the_files_have(folder: Path, shop: Shop) -> None:
    assert shop.items is not None
    assert shop.impressions is not None
    names = set(pcsv.read_csv(folder / "items.csv").column_names)
    assert {shop.items.item, shop.items.title, shop.items.valid_from, *shop.items.category} <= names
    assert shop.rules.in_stock_only in shop.items.attributes
    columns = set(pq.read_schema(folder / "impressions.parquet").names)
    assert {shop.impressions.position, shop.impressions.propensity, shop.impressions.score} <= columns


def test_every_row_passes_the_data_contract(shop: Shop, tmp_path: Path) -> None:
    home, now = Home(tmp_path / "home"), datetime(2026, 1, 1, tzinfo=UTC)
    ingested = ingest_events(shop, home, now, say=lambda _: None)
    assert ingested.rows_in == ingested.rows_out
    validated = validate_events(shop, home, ingested.handle, None, now, say=lambda _: None)
    assert validated.rows_in == validated.rows_out > 0
    assert set(validated.facts.events.types) == {"view", "click", "add_to_cart", "purchase", "return"}
    assert validated.facts.tables["impressions"] % SHOWN == 0
    assert validated.facts.references.not_merchandise_rows > 0


def test_the_command_says_what_it_wrote_and_what_comes_next(tmp_path: Path) -> None:
    arguments = [str(tmp_path / "shop"), "--users", "10", "--items", "25", "--weeks", "1"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert "10 customers, 25 items and 1 weeks" in result.output
    assert "rankloop run --shop" in result.output
    assert (tmp_path / "shop" / "synthetic.toml").exists()
