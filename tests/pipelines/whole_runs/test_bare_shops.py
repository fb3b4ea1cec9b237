"""Whole runs of shops that have nothing but invoices: no sessions, no catalogue, no demographics, untidy rows."""

import csv
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.pipelines.homes.tiny_shop import EASY, LivingHome, the_one_line

pytestmark = pytest.mark.slow(seconds=65)

SHOP = """
name = "gift_shop"
time_zone = "Europe/London"

[[events]]
name = "invoices"
event_type = "purchase"
source = { kind = "csv", path = "invoices.csv" }
columns = { user = "customer", item = "article", time = "at", quantity = "units", unit_price = "price" }
"""
FIRST_DAY = datetime(2025, 1, 6)
CUSTOMERS, ARTICLES, WEEKS = 60, 30, 9
Row = tuple[str, str, str, int, float]


def make_bare_shop(folder: Path, rows: list[Row]) -> Path:
    """Write invoices and the shop file that is all they need; return it."""
    folder.mkdir()
    with (folder / "invoices.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["customer", "article", "at", "units", "price"])
        writer.writerows(rows)
    shop_file = folder / "gift_shop.toml"
    shop_file.write_text(SHOP + EASY)
    return shop_file


def tidy_rows() -> Iterator[Row]:
    """Every customer comes back on most weeks, mostly for the same few articles."""
    draw = random.Random(5)
    articles = [f"{number:05d}" for number in range(80_000, 80_000 + ARTICLES)]
    for customer in range(13_000, 13_000 + CUSTOMERS):
        favourites = draw.sample(articles, 4)
        for week in range(WEEKS):
            at = FIRST_DAY + timedelta(weeks=week, minutes=draw.randrange(7 * 24 * 60))
            if draw.random() < 0.8:
                for article in {*draw.sample(favourites, 2), draw.choice(articles)}:
                    yield str(customer), article, f"{at:%Y-%m-%d %H:%M}", draw.randint(1, 12), 2.5


def untidy(rows: list[Row]) -> list[Row]:
    """What exports of tills hold: ids as decimals and between spaces, cancellations, sales to nobody."""
    draw = random.Random(6)
    found = []
    for customer, article, at, units, price in rows:
        customer = draw.choice([customer, f"{customer}.0", f" {customer} "])
        found.append((customer, draw.choice([article, f" {article}"]), at, units, price))
    found += [(*row[:3], -row[3], row[4]) for row in draw.sample(found, 40)]
    found += [("", *row[1:]) for row in draw.sample(found, 150)]
    draw.shuffle(found)
    return found


def test_invoices_alone_come_to_a_verdict_on_a_trained_ranker_and_to_lists(tmp_path: Path) -> None:
    shop = LivingHome(make_bare_shop(tmp_path / "shop", untidy(list(tidy_rows()))))
    document, records = shop.document, shop.records()
    assert document["metrics"]["challenger"]["ndcg_at_10"] > document["metrics"]["baselines"]["no_op"]["ndcg_at_10"]
    assert len(document["verdict"]["reasons"]) > 1
    validated = records["validate_events"].facts
    assert validated["events"]["users"] == CUSTOMERS
    assert validated["events"]["items"] == ARTICLES
    assert validated["events"]["missing"]["user_id"] > 0.1
    assert validated["events"]["types"]["return"] > 40
    assert validated["quarantine"] == []
    assert len(records["publish_bundle"].facts["examples"]) == 3
    rows = shop.answer("recommend", "--all-users", "--bundle", "challenger")
    assert len({row["user_id"] for row in rows}) == CUSTOMERS
    assert {row["item_id"] for row in rows} <= {f"{number:05d}" for number in range(80_000, 80_000 + ARTICLES)}


def test_sales_to_nobody_alone_prove_nothing_and_best_sellers_can_be_asked_for(tmp_path: Path) -> None:
    shop = LivingHome(make_bare_shop(tmp_path / "shop", [("", *row[1:]) for row in tidy_rows()]))
    assert shop.document["verdict"]["promote"] is False
    reason, other = shop.document["verdict"]["reasons"]
    assert "successes (purchase) says whose it is" in reason
    assert other.startswith("no model was trained: found 0 training requests")
    assert shop.records()["publish_bundle"].facts["examples"] == []
    assert "</html>" in Path(shop.document["reports"]["report"].removeprefix("file://")).read_text()
    assert shop.answer("recommend", "--all-users", "--bundle", "challenger") == []
    rows = shop.answer("recommend", "--user", "a stranger", "--k", "5", "--bundle", "challenger")
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]


def test_views_alone_are_a_finished_run_that_promotes_nothing(tmp_path: Path) -> None:
    shop_file = make_bare_shop(tmp_path / "shop", list(tidy_rows()))
    shop_file.write_text(shop_file.read_text().replace('event_type = "purchase"', 'event_type = "view"'))
    shop = LivingHome(shop_file)
    assert shop.document["verdict"]["promote"] is False
    reason = shop.document["verdict"]["reasons"][0]
    assert "events is a success (purchase, of a quantity above 0): found" in reason
    assert "`rankloop recommend --bundle challenger`" in the_one_line(shop.rankloop("recommend", "--all-users"), 1)
    assert reason in the_one_line(shop.rankloop("promote", "latest"), 1)
